"""Our session events against those of a real EVerest (tests/traces/everest): kinds, order, fields, reasons."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import Charger, token
from tests.support import traces

pytestmark = pytest.mark.looptime

SHOWN = {
    "ev_info",
    "session_event",
    "selected_protocol",
    "supported_energy_transfer_modes",
    "waiting_for_external_ready",
    "ready",
}


def recorded(evse: str, variables: set[str], recording: str = "rfid_session") -> list[tuple[str, Any]]:
    """(variable, value) of one recorded EVSE, in order."""
    start = f"everest/modules/{evse}/impl/evse/var/"
    found = (message for message in traces.bus(recording) if message.topic.startswith(start))
    values = ((message.topic.removeprefix(start), message.json()["data"]["data"]) for message in found)
    known = [(variable, value) for variable, value in values if variable in variables]
    assert known
    return known


def shape(value: Any) -> Any:
    """The field names of a JSON value, all the way down."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in sorted(value.items())}
    return [shape(member) for member in value] if isinstance(value, list) else type(value).__name__


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """What an event says beside ids, times and measured values."""
    details = {key: value for key, value in event.items() if isinstance(value, dict)}
    return (
        event["event"],
        bool(event["uuid"]),
        [
            (name, detail.get("reason"), bool(detail.get("id_tag")), detail.get("signed_meter_value"))
            for name, detail in details.items()
        ],
    )


def assert_alike(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [told(event) for event in ours] == [told(event) for event in theirs]
    assert [shape(event) for event in ours] == [shape(event) for event in theirs]


async def test_swipe_plug_in_charge_swipe_unplug_looks_like_the_recording(tmp_path: Path) -> None:
    config = {"external_ready_to_start_charging": True, "evse_id": "1"}
    async with Charger(session_logging=True, session_logging_path=str(tmp_path), **config) as charger:
        await charger.set_available("Enable")
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(3)
        await charger.swipe()
        await charger.plug_in()
        await asyncio.sleep(20)
        await charger.stop("Local", id_tag=token())
        await charger.unplug()
        assert_alike(charger.events(), [event for _, event in recorded("evse_manager_1", {"session_event"})])


async def test_plug_in_swipe_unplug_while_charging_looks_like_the_recording(tmp_path: Path) -> None:
    async with Charger(session_logging=True, session_logging_path=str(tmp_path)) as charger:
        await charger.charge()
        await charger.unplug()
        theirs = [event for _, event in recorded("evse_manager_2", {"session_event"})]
        assert_alike(charger.events()[1:], theirs[1:])


async def test_remote_start_and_stop_and_an_unused_remote_start_look_like_the_recording(tmp_path: Path) -> None:
    def remote(value: str) -> dict[str, Any]:
        id_token = {"type": "Central", "value": value}
        return {"authorization_type": "OCPP", "connectors": [1], "id_token": id_token, "prevalidated": False}

    async with Charger(session_logging=True, session_logging_path=str(tmp_path)) as charger:
        await asyncio.sleep(1)
        await charger.set_available("Enable")
        await charger.plug_in()
        await charger.swipe(remote("REMOTE1"))
        await asyncio.sleep(12)
        await charger.stop("Remote")
        await charger.unplug()
        await charger.swipe(remote("TIMEOUT1"))
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(1)
        theirs = [event for _, event in recorded("evse_manager_1", {"session_event"}, "remote_start_stop")]
        assert_alike(charger.events()[1:], theirs[1:])


async def test_disable_and_enable_look_like_the_recording(tmp_path: Path) -> None:
    async with Charger(session_logging=True, session_logging_path=str(tmp_path)) as charger:
        await asyncio.sleep(1)
        for state in ("Disable", "Enable", "Disable", "Enable"):
            await charger.set_available(state)
            await asyncio.sleep(1)
        await charger.swipe()
        await charger.plug_in()
        await asyncio.sleep(10)
        await charger.stop("Local", id_tag=token())
        await charger.unplug()
        for state in ("Disable", "Enable"):
            await charger.set_available(state)
        theirs = [event for _, event in recorded("evse_manager_1", {"session_event"}, "change_availability")]
        assert_alike(charger.events()[1:], theirs[1:])


async def test_variables_around_the_events_come_in_the_recorded_order() -> None:
    """selected_protocol follows the events that station 2.3 names; the start is in the order of 2.2."""
    seen: list[tuple[str, Any]] = []
    async with Charger(external_ready_to_start_charging=True, global_ready=False) as charger:
        note = charger._note

        def keep(envelope: Any) -> None:
            note(envelope)
            levels = envelope.topic.split("/")
            if levels[-2] == "var" and levels[2] == "evse_manager_1" and levels[4] == "evse" and levels[-1] in SHOWN:
                value = charger.published("evse", levels[-1])[-1]
                seen.append((levels[-1], value["event"] if levels[-1] == "session_event" else value))

        charger._note = keep  # type: ignore[method-assign]
        charger.make_ready()
        await asyncio.sleep(1)
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(1)
        await charger.swipe()
        await charger.plug_in()
        await asyncio.sleep(20)
        await charger.stop("Local", id_tag=token())
        await charger.unplug()
    theirs = [
        (name, value["event"] if name == "session_event" else value)
        for name, value in recorded("evse_manager_1", SHOWN)
    ]
    assert seen == theirs


@pytest.mark.parametrize("recording", ["rfid_session", "remote_start_stop", "change_availability"])
async def test_a_reading_has_exactly_the_recorded_fields(recording: str) -> None:
    async with Charger() as charger:
        await charger.charge(5)
        theirs = [value for _, value in recorded("evse_manager_1", {"powermeter"}, recording)]
        assert {repr(shape(reading)) for reading in charger.readings()} == {repr(shape(reading)) for reading in theirs}


@pytest.mark.parametrize(
    "variable", ["telemetry", "hw_capabilities", "limits", "powermeter_public_key_ocmf", "evse_id"]
)
async def test_other_variables_have_the_recorded_fields(variable: str) -> None:
    async with Charger() as charger:
        await asyncio.sleep(2)
        theirs = {repr(shape(value)) for _, value in recorded("evse_manager_1", {variable})}
        assert {repr(shape(value)) for value in charger.published("evse", variable)} <= theirs
        assert charger.published("evse", variable)
