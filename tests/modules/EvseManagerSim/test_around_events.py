"""What goes with session events: selected_protocol after them, an empty ev_info before them, fields (station 2.3)."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, Charger

pytestmark = pytest.mark.looptime

FOLLOWED = {
    "Authorized", "Deauthorized", "AuthRequired", "PrepareCharging", "ChargingStarted", "ChargingPausedEV",
    "StoppingCharging", "ChargingFinished", "SessionFinished", "Enabled", "Disabled", "PluginTimeout",
    "SwitchingPhases",
}  # fmt: skip
ALONE = {
    "SessionStarted", "TransactionStarted", "TransactionFinished", "ChargingPausedEVSE", "ReservationStart",
    "ReservationEnd",
}  # fmt: skip
DETAIL = {
    "SessionStarted": {"session_started"},
    "SessionFinished": {"session_finished"},
    "TransactionStarted": {"transaction_started"},
    "TransactionFinished": {"transaction_finished"},
    "ChargingStarted": {"charging_state_changed_event"},
    "ChargingPausedEV": {"charging_state_changed_event"},
    "ChargingPausedEVSE": {"charging_state_changed_event", "charging_paused_evse"},
    "Authorized": {"authorization_event"},
    "Deauthorized": {"authorization_event"},
    "Enabled": {"source"},
    "Disabled": {"source"},
}
WATCHED = ("session_event", "selected_protocol", "ev_info")


class Told(Charger):
    """What `evse` said, in order: (variable, value)."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.told: list[tuple[str, Any]] = []

    def _note(self, envelope: Any) -> None:
        super()._note(envelope)
        name = envelope.topic.rpartition("/")[2]
        if envelope.topic.endswith(f"/evse/var/{name}") and name in WATCHED:
            self.told.append((name, self.published("evse", name)[-1]))


async def everything(charger: Charger) -> None:
    """One of each session event."""
    await asyncio.sleep(1)
    await charger.call("evse", "reserve", {"reservation_id": 1})
    await charger.call("evse", "cancel_reservation")
    await charger.plug_in()
    await charger.call("evse", "withdraw_authorization")
    await charger.unplug()
    await charger.charge(3)
    charger.external(f"{NODERED}cmd/switch_three_phases_while_charging", "false")
    await asyncio.sleep(15)
    await charger.call("evse", "pause_charging")
    await asyncio.sleep(2)
    await charger.call("evse", "resume_charging")
    await asyncio.sleep(2)
    charger.car("pause;sleep 9999", modify=True)
    await asyncio.sleep(2)
    await charger.stop()
    await charger.unplug()
    await charger.set_available("Disable")
    await charger.set_available("Enable")


async def test_selected_protocol_follows_exactly_the_events_that_it_belongs_to() -> None:
    async with Told() as charger:
        await everything(charger)
        seen = set()
        for (name, value), (then, _) in pairwise([*charger.told, ("", None)]):
            if name == "session_event":
                assert (then == "selected_protocol") is (value["event"] in FOLLOWED), value["event"]
                seen.add(value["event"])
        assert seen == FOLLOWED | ALONE


async def test_the_protocol_is_known_from_the_session_s_start_to_the_transaction_s_end() -> None:
    async with Told() as charger:
        await everything(charger)
        expected = "Unknown"
        for name, value in charger.told:
            if name == "session_event":
                changes = {
                    "SessionStarted": "IEC61851-1",
                    "TransactionFinished": "Unknown",
                    "SessionFinished": "Unknown",
                }
                expected = changes.get(value["event"], expected)
            elif name == "selected_protocol":
                assert value == expected


async def test_an_empty_ev_info_comes_just_before_a_session_s_start_and_end() -> None:
    async with Told() as charger:
        await everything(charger)
        plain = [entry for entry in charger.told if entry[0] != "selected_protocol"]
        for before, (name, value) in pairwise(plain):
            if name == "session_event":
                bounds = value["event"] in ("SessionStarted", "SessionFinished")
                assert (before == ("ev_info", {})) is bounds, value["event"]


async def test_each_event_has_its_own_detail_and_nothing_else() -> None:
    async with Told() as charger:
        await everything(charger)
        for event in charger.events():
            assert event.keys() == {"uuid", "timestamp", "event", *DETAIL.get(event["event"], set())}
            assert None not in event.values()
        for kind in ("SessionStarted", "TransactionStarted"):
            assert not {"reservation_id", "logging_path"} & charger.last(kind)[_snake(kind)].keys()


async def test_the_energy_node_is_told_each_state_in_its_own_words() -> None:
    async with Charger() as charger:
        await everything(charger)
        await asyncio.sleep(2)
        requests = charger.published("energy_grid", "energy_flow_request")
        words = [request["evse_state"] for request in requests]
        changes = [word for before, word in pairwise(["", *words]) if word != before]
        assert changes == [
            *("Unplugged", "WaitForAuth", "Unplugged"),
            *("WaitForAuth", "PrepareCharging", "Charging"),
            *("PrepareCharging", "Charging"),  # phases are switched
            *("PausedEVSE", "PrepareCharging", "Charging", "PausedEV"),
            *("Finished", "Unplugged", "Disabled", "Unplugged"),
        ]
        assert {(request["uuid"], request["node_type"]) for request in requests} == {("evse_manager_1", "Evse")}


def _snake(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).removeprefix("_")
