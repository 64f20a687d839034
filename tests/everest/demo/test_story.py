"""Bus messages become lines that a person can follow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everest.demo.story import RESET, Line, Story
from tests.support.traces import bus

NAMES = {"evse_manager_1": "EVSE 1"}


def frame(*message: Any, sent: bool = True) -> dict[str, str]:
    direction = "ChargingStationToCSMS" if sent else "CSMSToChargingStation"
    return {"message": json.dumps(message), "direction": direction}


def test_a_call_and_its_answer_are_named_and_told_in_their_directions() -> None:
    story = Story(NAMES)
    request = {"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
    (call,) = story.ocpp_message(frame(2, "1", "StartTransaction", request))
    (answer,) = story.ocpp_message(frame(3, "1", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}, sent=False))
    assert call == Line("OCPP", "StartTransaction          connector 1, TAG1, meterStart 0 Wh", "->")
    assert answer == Line("OCPP", "StartTransaction          transaction 7, Accepted", "<-")


def test_an_error_answer_and_garbage_are_alarming() -> None:
    story = Story(NAMES)
    list(story.ocpp_message(frame(2, "1", "Heartbeat", {})))
    (error,) = story.ocpp_message(frame(4, "1", "InternalError", "broken", {}, sent=False))
    assert error.alarming
    assert "CALLERROR InternalError broken" in error.text
    (garbage,) = story.ocpp_message({"message": "{not json", "direction": "CSMSToChargingStation"})
    assert garbage.alarming


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"status": "Accepted", "interval": 300}, "Accepted, heartbeat every 300 s"),
        ({"status": "Rejected", "interval": 5}, "Rejected, next try in 5 s"),
        ({"status": "Pending", "interval": 0}, "Pending"),
    ],
)
def test_the_interval_of_a_registration_is_told_as_what_it_is(response: dict[str, Any], text: str) -> None:
    story = Story(NAMES)
    list(story.ocpp_message(frame(2, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})))
    (line,) = story.ocpp_message(frame(3, "1", response, sent=False))
    assert line.text == f"BootNotification          {text}"


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
def test_what_follows_an_accepted_reset_is_told(status: str) -> None:
    story = Story(NAMES)
    list(story.ocpp_message(frame(2, "1", "Reset", {"type": "Soft"}, sent=False)))
    lines = list(story.ocpp_message(frame(3, "1", {"status": status})))
    assert [line.text for line in lines[1:]] == ([RESET] if status == "Accepted" else [])


def test_energy_is_told_when_it_has_grown_and_not_too_often() -> None:
    story = Story(NAMES)

    def read(energy: float, time: float) -> list[Line]:
        reading = {"energy_Wh_import": {"total": energy}, "power_W": {"total": 11040.0}}
        return list(story.powermeter("evse_manager_1", reading, time=time))

    assert read(0, 0.0) == []
    assert read(3, 0.5) == [Line("EVSE 1", "3 Wh, 11.0 kW")]
    assert read(6, 1.0) == []
    assert read(9, 2.6) == [Line("EVSE 1", "9 Wh, 11.0 kW")]


def test_only_changes_of_the_connection_are_told() -> None:
    story = Story(NAMES)
    lines = [line for state in (False, True, True, False) for line in story.connection({"connected": state})]
    assert [line.text for line in lines] == ["connected to the CSMS", "connection lost"]


def test_every_session_event_and_ocpp_frame_of_a_recorded_station_can_be_told() -> None:
    story = Story(NAMES)
    told = 0
    for message in bus("rfid_session"):
        if not message.topic.endswith(("/var/session_event", "/var/token_validation_status")):
            continue
        value = message.json()["data"]["data"]
        teller = story.token if message.topic.endswith("token_validation_status") else None
        lines = list(teller(value) if teller else story.session_event(message.topic.split("/")[2], value))
        assert all(line.text for line in lines)
        told += len(lines)
    assert told > 10
