"""A charger on the bench: the tests' words for plugging in, swiping, looking at what the bus saw. Virtual time.

`Charger` runs EvseManagerSim on the in-memory bus with a key value store played by a dictionary that outlives it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from everest.runtime.testing import ModuleBench

ROOT = Path(__file__).parents[3]
NODERED = "everest_external/nodered/1/"
PLUG_IN = "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 36000;unplug"
TO_CHARGING = [
    "SessionStarted",
    "AuthRequired",
    "Authorized",
    "TransactionStarted",
    "PrepareCharging",
    "ChargingStarted",
]
ACCEPTED = {"authorization_status": "Accepted", "tariff_messages": []}


def token(value: str = "TAG1", **more: Any) -> dict[str, Any]:
    """A card as Auth passes it on."""
    return {"authorization_type": "RFID", "connectors": [1], "id_token": {"type": "ISO14443", "value": value}, **more}


@cache
def _types() -> dict[str, Any]:
    """The distributed types, as `validate_schema` wants them."""
    files = sorted((ROOT / "types").glob("*.yaml"))
    return {f"/{path.stem}": yaml.safe_load(path.read_text())["types"] for path in files}


class LoopClock:
    """A wall clock that follows the loop's time, virtual or not."""

    def now(self) -> datetime:
        return datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())


class Charger(ModuleBench):
    """EvseManagerSim as `evse_manager_1` with the car simulation on. strict: nothing that breaks a schema passes."""

    def __init__(
        self,
        *,
        store: dict[str, Any] | None = None,
        connections: dict[str, list[str]] | None = None,
        global_ready: bool = True,
        strict: bool = False,
        **config: Any,
    ) -> None:
        self.store = {} if store is None else store
        super().__init__(
            ROOT / "modules/EvseManagerSim",
            module_id="evse_manager_1",
            config={"connector_id": 1, "auto_enable": True, **config},
            connections={"store": ["store/main"], **(connections or {})},
            mappings={"evse_manager_1": {"evse": 1}},
            clock=LoopClock(),
            global_ready=global_ready,
            types=_types() if strict else None,
            settings={"validate_schema": strict},
        )
        self.answer("store/main", "load", lambda args: self.store.get(args["key"]))
        self.answer("store/main", "store", lambda args: self.store.update({args["key"]: args["value"]}))

    # --- the world ---

    def car(self, commands: str, *, modify: bool = False) -> None:
        name = "modify_charging_session" if modify else "execute_charging_session"
        self.external(f"{NODERED}carsim/cmd/{name}", commands)

    async def plug_in(self, commands: str = PLUG_IN) -> None:
        """A car, until it stands there for two seconds."""
        self.car(commands)
        await asyncio.sleep(2)

    async def unplug(self) -> None:
        self.car("unplug", modify=True)
        await asyncio.sleep(1)

    async def swipe(self, provided: dict[str, Any] | None = None, **result: Any) -> None:
        """What Auth does when a card was accepted."""
        arguments = {"provided_token": provided or token(), "validation_result": {**ACCEPTED, **result}}
        await self.call("evse", "authorize_response", arguments)
        await asyncio.sleep(0.2)

    async def charge(self, seconds: float = 20) -> None:
        """Plug in, swipe, and charge for so long."""
        await asyncio.sleep(1)
        await self.plug_in()
        await self.swipe()
        await self.until(lambda: "ChargingStarted" in self.kinds(), timeout=10, what="ChargingStarted")
        await asyncio.sleep(seconds)

    async def stop(self, reason: str = "Local", **request: Any) -> bool:
        stopped = await self.call("evse", "stop_transaction", {"request": {"reason": reason, **request}})
        await asyncio.sleep(2)
        return bool(stopped)

    async def set_available(
        self, state: str, connector_id: int = 0, source: str = "CSMS", priority: int = 5000
    ) -> bool:
        row = {"enable_source": source, "enable_state": state, "enable_priority": priority}
        return bool(await self.call("evse", "enable_disable", {"connector_id": connector_id, "cmd_source": row}))

    def inject(self, error_type: str, raised: bool = True) -> None:
        wish = f'{{"error_type": "{error_type}", "raise": "{"true" if raised else "false"}"}}'
        self.external(f"{NODERED}carsim/error", wish)

    # --- what the bus saw ---

    def events(self) -> list[dict[str, Any]]:
        return self.published("evse", "session_event")

    def kinds(self) -> list[str]:
        """The kinds of all session events after the first Enabled."""
        return [event["event"] for event in self.events()][1:]

    def last(self, kind: str) -> dict[str, Any]:
        return [event for event in self.events() if event["event"] == kind][-1]

    def readings(self) -> list[dict[str, Any]]:
        return self.published("evse", "powermeter")

    def energy(self) -> float:
        return float(self.readings()[-1]["energy_Wh_import"]["total"])

    def board_events(self) -> list[str]:
        """Letters of the control pilot, PowerOn and PowerOff, as the simulated board told them."""
        return [event["event"] for event in self.published("evse_board_support", "event")]


def limit(amps: float) -> dict[str, Any]:
    """Arguments of set_external_limits: one entry that counts from long ago."""
    root = {"ac_max_current_A": {"value": amps, "source": "test"}}
    entry = {"timestamp": "2026-01-01T00:00:00Z", "limits_to_root": root, "limits_to_leaves": {}}
    return {"value": {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}}
