"""A station on a real websocket against an independent central system that validates every message.

    async with Rig(csms, tmp_path, LocalPreAuthorize=True) as rig:     # config-sil.json with keys replaced by name
        await rig.plug_in(); await rig.start(); await rig.stop(); await rig.leave()
        assert rig.statuses(1) == [...]

The rig plays the integrator: what the charge point asks of it is in `asked`, what it answers in `answers`. Nothing
sleeps; `order` and the central system's `wait_for*` wait for the thing itself. On leaving, no frame of either side may
have been refused (`tolerate_call_errors` for scenarios whose point is a refusal).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from everest.demo.csms import CentralSystem
from ocpp16 import ChargePoint, Configuration, ErrorInfo, Measurement, PhaseValues, Powermeter
from ocpp16.messages import ChargePointErrorCode, Reason
from tests.support.ocpp_configuration import ocpp_configuration

SECONDS = 10.0
"""How long a scenario waits for what must come."""

PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,RemoteTrigger"
NOTED = (
    "provide_token",
    "set_system_time",
    "boot_notification_response",
    "connection_state_changed",
    "security_event",
    "all_connectors_unavailable",
    "transaction_started",
    "transaction_updated",
    "transaction_stopped",
    "update_firmware",
    "reset",
)
"""Callbacks without an answer."""

ANSWERS: dict[str, Any] = {
    "pause_charging": True,
    "stop_transaction": True,
    "unlock_connector": "Unlocked",
    "reserve_now": "Accepted",
    "cancel_reservation": True,
    "is_reset_allowed": True,
    "is_token_reserved_for_connector": "NotReserved",
}


def configuration(csms: CentralSystem, **replaced: Any) -> Configuration:
    """config-sil.json with keys replaced by name; every profile that this version has is active."""
    changes: dict[str, Any] = {
        "CentralSystemURI": csms.url,
        "LogMessagesFormat": [],
        "RetryBackoffWaitMinimum": 0,
        "RetryBackoffRandomRange": 0,
        "MeterValueSampleInterval": 0,
        "SupportedFeatureProfiles": PROFILES,
        "LocalAuthListEnabled": True,
        "LocalAuthListMaxLength": 10,
        "SendLocalListMaxLength": 5,
        "ReserveConnectorZeroSupported": True,
        "StopTxnSampledData": "",
    }
    return Configuration.load(ocpp_configuration(changes | replaced))


def reading(energy: float) -> Measurement:
    return Measurement(
        power_meter=Powermeter(
            timestamp=datetime.now(UTC),
            energy_Wh_import=PhaseValues(total=energy),
            power_W=PhaseValues(total=11000, L1=3667, L2=3667, L3=3666),
            voltage_V=PhaseValues(L1=230, L2=230, L3=230),
            current_A=PhaseValues(L1=16, L2=16, L3=16),
        )
    )


def fault(uuid: str = "e1", *, is_fault: bool = True, code: str = "GroundFailure") -> ErrorInfo:
    return ErrorInfo(
        uuid=uuid,
        error_code=ChargePointErrorCode(code),
        is_fault=is_fault,
        timestamp=datetime.now(UTC),
        info="caused by a test",
        vendor_id="everest",
        vendor_error_code="CX002",
    )


class Rig:
    """The station and its surroundings."""

    def __init__(self, csms: CentralSystem, folder: Path, *, booted: bool = True, **replaced: Any) -> None:
        self.csms = csms
        self.folder = folder
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = dict(ANSWERS)
        self.tolerate_call_errors = False
        self._booted = booted
        self._replaced = replaced
        self._noted = asyncio.Condition()
        self.charge_point = self._make()

    def _make(self) -> ChargePoint:
        settings = configuration(self.csms, **self._replaced)
        charge_point = ChargePoint(settings, database_path=self.folder)
        for name in (*NOTED, *ANSWERS):
            getattr(charge_point, f"register_{name}_callback")(self._callback(name))
        for name, switch in (("enable_evse", charge_point.on_enabled), ("disable_evse", charge_point.on_disabled)):
            getattr(charge_point, f"register_{name}_callback")(self._switch(name, switch))
        return charge_point

    def _callback(self, name: str) -> Callable[..., Any]:
        async def callback(*args: Any) -> Any:
            await self._note(name, *args)
            answer = self.answers.get(name)
            return answer(*args) if callable(answer) else answer

        return callback

    def _switch(self, name: str, switch: Callable[[int], Any]) -> Callable[..., Any]:
        """An EVSE that is switched on or off says so."""

        async def callback(connector: int) -> bool:
            await self._note(name, connector)
            if connector:
                await switch(connector)
            return True

        return callback

    async def _note(self, *asked: Any) -> None:
        async with self._noted:
            self.asked.append(asked)
            self._noted.notify_all()

    async def __aenter__(self) -> Self:
        await self.charge_point.start()
        if self._booted:
            await self.states()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.charge_point.close()
        if kind is None and not self.tolerate_call_errors:
            assert self.csms.call_errors == []
            assert self.csms.garbage == []

    async def states(self, times: int = 1) -> None:
        """Wait until all connectors have been told `times` times."""
        await self.csms.wait_for(
            lambda: all(len(self.statuses(connector)) >= times for connector in (0, 1, 2)),
            seconds=SECONDS,
            what="the states of all connectors",
        )

    async def power_cut(self) -> None:
        """The power goes and comes back: another process on the same database."""
        await self.charge_point.close()
        self.charge_point = self._make()
        await self.charge_point.start()

    # --- what the central system saw -------------------------------------------------------------------------------

    def statuses(self, connector: int) -> list[str]:
        return [p["status"] for p in self.csms.calls("StatusNotification") if p["connectorId"] == connector]

    async def status(self, connector: int, status: str) -> dict[str, Any]:
        """Wait until this is the last that was told of the connector; its payload."""
        await self.csms.wait_for(
            lambda: self.statuses(connector)[-1:] == [status], seconds=SECONDS, what=f"{status} of {connector}"
        )
        return next(p for p in reversed(self.csms.calls("StatusNotification")) if p["connectorId"] == connector)

    async def told(self, action: str, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`th CALL of this action and the answer to it; its payload."""
        await self.csms.wait_for(
            lambda: len(self.csms.calls(action)) >= count, seconds=SECONDS, what=f"{action} {count}"
        )
        return self.csms.calls(action)[count - 1]

    # --- what the integrator was asked -----------------------------------------------------------------------------

    def orders(self, name: str) -> list[tuple[Any, ...]]:
        return [tuple(args) for asked, *args in self.asked if asked == name]

    async def order(self, name: str, count: int = 1) -> tuple[Any, ...]:
        """Wait for the `count`th call of a callback; its arguments."""
        async with asyncio.timeout(SECONDS), self._noted:
            await self._noted.wait_for(lambda: len(self.orders(name)) >= count)
        return self.orders(name)[count - 1]

    # --- what happens at the station -------------------------------------------------------------------------------

    async def plug_in(self, connector: int = 1, session: str = "s1") -> None:
        await self.charge_point.on_session_started(connector, session, "EVConnected")

    async def identify(self, tag: str = "TAG1") -> str:
        return str((await self.charge_point.authorize_id_token(tag)).id_tag_info.status)

    async def start(
        self, connector: int = 1, session: str = "s1", tag: str = "TAG1", energy: float = 100, **more: Any
    ) -> None:
        """The transaction begins, and energy flows."""
        await self.charge_point.on_transaction_started(connector, session, tag, energy, **more)
        await self.charge_point.on_resume_charging(connector)

    async def stop(
        self,
        connector: int = 1,
        session: str = "s1",
        reason: Reason = Reason.Local,
        energy: float = 1100,
        tag: str | None = None,
    ) -> None:
        now = datetime.now(UTC)
        await self.charge_point.on_transaction_stopped(connector, session, reason, now, energy, id_tag_end=tag)

    async def leave(self, connector: int = 1, session: str = "s1") -> None:
        await self.charge_point.on_session_stopped(connector, session)

    async def charging(self, connector: int = 1, session: str = "s1", tag: str = "TAG1") -> int:
        """A session up to the answer to StartTransaction.req; its transactionId."""
        await self.plug_in(connector, session)
        await self.start(connector, session, tag)
        count = len(self.orders("transaction_updated")) + 1
        *_, transaction_id, _info = await self.order("transaction_updated", count)
        await self.status(connector, "Charging")
        return int(transaction_id)
