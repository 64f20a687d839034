"""The OCPP module on a bench: the test plays every peer on the bus, with an independent central system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from everest.demo.csms import CentralSystem
from everest.runtime.testing import ModuleBench
from tests.support.ocpp_configuration import ocpp_configuration

ROOT = Path(__file__).resolve().parents[2]
TIME = "2026-03-01T12:00:00.000Z"

CONNECTIONS = {
    "evse_manager": ["evse_manager_1/evse", "evse_manager_2/evse"],
    "reservation": ["auth/reservation"],
    "auth": ["auth/main"],
    "system": ["system/main"],
    "security": ["evse_security/main"],
}
MAPPINGS = {"evse_manager_1": {"evse": 1}, "evse_manager_2": {"evse": 2}, "board_1": {"evse": 1}}


def meter(energy: float, *, power: float = 0.0) -> dict[str, Any]:
    """A Powermeter value of the bus (Wh, W)."""
    return {"timestamp": TIME, "energy_Wh_import": {"total": energy}, "power_W": {"total": power}}


def token(value: str = "TAG1") -> dict[str, Any]:
    return {"id_token": {"value": value, "type": "ISO14443"}, "authorization_type": "RFID"}


class OcppBench:
    """`async with OcppBench(tmp_path) as bench:` runs the module until it has started.

    `keys` are OCPP configuration values by key, `connectors` the connector ids of each EVSE.
    """

    def __init__(
        self,
        folder: Path,
        csms: CentralSystem,
        *,
        keys: Mapping[str, Any] | None = None,
        connectors: Mapping[int, list[int]] | None = None,
        announce: bool = True,
        connections: Mapping[str, list[str]] | None = None,
        **config: Any,
    ) -> None:
        self.folder = folder
        self.csms = csms
        self._connectors = connectors or {1: [1], 2: [1]}
        self._announce = announce
        self.orders: list[tuple[str, str, dict[str, Any]]] = []
        """Every command of the module: (peer, command, arguments), in order."""
        self.answers: dict[tuple[str, str], Any] = {}
        self._write_configuration(dict(keys or {}))
        evses = {"evse_manager": [f"evse_manager_{evse}/evse" for evse in self._connectors]}
        self.bus = ModuleBench(
            ROOT / "modules/OCPP",
            module_id="ocpp",
            config={
                "ChargePointConfigPath": str(folder / "ocpp.json"),
                "UserConfigPath": str(folder / "user.json"),
                "DatabasePath": str(folder / "database"),
                "MessageLogPath": str(folder / "logs"),
                **config,
            },
            connections={**CONNECTIONS, **evses, **(connections or {})},
            mappings=MAPPINGS,
            peers={"board_1/board_support": "evse_board_support"},
        )
        self._play_peers()

    def _write_configuration(self, keys: dict[str, Any]) -> None:
        quick = {
            "CentralSystemURI": self.csms.url,
            "MeterValueSampleInterval": 0,
            "RetryBackoffWaitMinimum": 1,
            "RetryBackoffRandomRange": 0,
        }
        (self.folder / "ocpp.json").write_text(json.dumps(ocpp_configuration(quick | keys)), encoding="utf-8")

    def _play_peers(self) -> None:
        for evse, connector_ids in self._connectors.items():
            peer = f"evse_manager_{evse}/evse"
            connectors = [{"id": connector, "type": "cType2"} for connector in connector_ids]
            self.answer(peer, "get_evse", {"id": evse, "connectors": connectors})
            self.answer(peer, "enable_disable", lambda args: args["cmd_source"]["enable_state"] == "Enable")
            for command in ("external_ready_to_start_charging", "stop_transaction", "pause_charging", "force_unlock"):
                self.answer(peer, command, True)
            self.answer(peer, "set_plug_and_charge_configuration", None)
        self.answer("auth/main", "set_connection_timeout", None)
        self.answer("auth/reservation", "reserve_now", "Accepted")
        self.answer("auth/reservation", "cancel_reservation", True)
        self.answer("auth/reservation", "exists_reservation", "NotReserved")
        self.answer("system/main", "get_boot_reason", "PowerUp")
        self.answer("system/main", "set_system_time", True)
        self.answer("system/main", "is_reset_allowed", True)
        self.answer("system/main", "reset", None)

    def answer(self, peer: str, command: str, result: Any) -> None:
        """Answer a command with a value, or with what a function of its arguments returns; every call is recorded."""

        def reply(arguments: dict[str, Any]) -> Any:
            self.orders.append((peer, command, arguments))
            return result(arguments) if callable(result) else result

        self.bus.answer(peer, command, reply)

    async def __aenter__(self) -> Self:
        await self.bus.__aenter__()
        if self._announce:
            for evse in self._connectors:
                self.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
            count = sum(len(ids) for ids in self._connectors.values())
            await self.csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == count)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.bus.__aexit__(kind, error, traceback)

    def give_signs_of_life(self) -> None:
        """What EVSEs send that were running before the module was."""
        limits = {"uuid": "budget", "valid_for": 10, "schedule": [], "limits_root_side": {}}
        for evse in self._connectors:
            self.bus.publish(f"evse_manager_{evse}/evse", "enforced_limits", limits)

    def event(self, event: str, *, evse: int = 1, session: str = "session-1", **details: Any) -> None:
        """Publish a session event of an EVSE."""
        value = {"event": event, "uuid": session, "timestamp": TIME, **details}
        self.bus.publish(f"evse_manager_{evse}/evse", "session_event", value)

    def start_transaction(self, *, evse: int = 1, session: str = "session-1", energy: float = 0.0, **more: Any) -> None:
        """SessionStarted and TransactionStarted."""
        started = {"reason": "EVConnected", "meter_value": meter(energy)}
        self.event("SessionStarted", evse=evse, session=session, session_started=started, **more)
        transaction = {"id_tag": token(), "meter_value": meter(energy)}
        self.event("TransactionStarted", evse=evse, session=session, transaction_started=transaction, **more)

    def stop_transaction(self, *, evse: int = 1, session: str = "session-1", energy: float, **more: Any) -> None:
        """TransactionFinished by the same card."""
        finished = {"meter_value": meter(energy), "reason": "Local", "id_tag": token()}
        self.event("TransactionFinished", evse=evse, session=session, transaction_finished=finished, **more)

    def statuses(self, connector: int) -> list[str]:
        """The statuses of a connector that the CSMS was told, in order."""
        return [p["status"] for p in self.csms.calls("StatusNotification") if p["connectorId"] == connector]

    async def wait_for_status(self, connector: int, status: str) -> dict[str, Any]:
        return await self.csms.wait_for_call(
            "StatusNotification", lambda p: (p["connectorId"], p["status"]) == (connector, status)
        )

    def commands(self, *names: str) -> list[tuple[str, str, dict[str, Any]]]:
        """The module's commands with these names, in order."""
        return [order for order in self.orders if order[1] in names]
