"""The words of the prompt become EVerest's own external topics (station 3.2, 3.3, 3.5, 3.6)."""

from __future__ import annotations

import json

import pytest

from everest.demo.commands import HELP, CommandError, Help, Nothing, Publish, Quit, Wait, parse


def published(line: str) -> Publish:
    command = parse(line, evses=2)
    assert isinstance(command, Publish)
    return command


def test_plug_and_unplug_are_car_commands_of_the_evse() -> None:
    plug = published("plug 1")
    assert plug.topic == "everest_external/nodered/1/carsim/cmd/execute_charging_session"
    assert plug.payload.startswith("sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3")
    assert published("unplug 2") == Publish("everest_external/nodered/2/carsim/cmd/modify_charging_session", "unplug")


def test_a_swipe_is_a_provided_token_with_the_evse_it_is_for() -> None:
    swipe = published("swipe DEADBEEF 1")
    assert swipe.topic == "everest_api/dummy_token_provider/cmd/provide"
    assert json.loads(swipe.payload) == {
        "id_token": {"value": "DEADBEEF", "type": "ISO14443"},
        "authorization_type": "RFID",
        "connectors": [1],
    }
    assert "connectors" not in json.loads(published("swipe DEADBEEF").payload)


@pytest.mark.parametrize(("word", "raised"), [("fault", "true"), ("clear", "false")])
def test_a_fault_is_raised_and_cleared_with_strings(word: str, raised: str) -> None:
    fault = published(f"{word} 1 MREC6UnderVoltage")
    assert fault.topic == "everest_external/nodered/1/carsim/error"
    assert json.loads(fault.payload) == {"error_type": "MREC6UnderVoltage", "raise": raised}


def test_the_rest_of_the_words() -> None:
    assert parse("wait 2.5", evses=2) == Wait(2.5)
    assert parse("HELP", evses=2) == Help()
    assert parse("quit", evses=2) == Quit()
    assert parse("   # a remark", evses=2) == Nothing()
    assert published("offline").topic == "everest_api/ocpp/cmd/disconnect"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plug", "not understood: 'plug'"),
        ("plug 3", "EVSE '3' does not exist; there are 1 to 2"),
        ("plug one", "EVSE 'one' does not exist"),
        ("wait forever", "wait takes seconds"),
        ("dance 1", "not understood: 'dance 1'"),
    ],
)
def test_what_is_not_understood_says_how_it_is_written(line: str, text: str) -> None:
    with pytest.raises(CommandError, match=text):
        parse(line, evses=2)


def test_every_command_of_the_help_is_understood() -> None:
    for row in HELP.splitlines():
        example = row.split("  ")[0].replace("EVSE", "1").replace("TAG", "CARD").replace("SECONDS", "1")
        for words in example.replace("[1]", "1").replace("ERROR", "DiodeFault").split(", "):
            parse(words, evses=1)
