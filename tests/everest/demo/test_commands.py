"""The words of the prompt become EVerest's own external topics (station 3.2, 3.3, 3.5, 3.6)."""

from __future__ import annotations

import json

import pytest

from everest.demo.commands import FAULTS, HELP, CommandError, Help, Nothing, Publish, Quit, Wait, parse
from modules.EvseManagerSim.faults import INJECTABLE


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


def test_the_known_faults_are_those_of_the_simulated_board_however_they_are_written() -> None:
    assert set(FAULTS) == set(INJECTABLE)
    assert published("fault 1 mrec6undervoltage") == published("fault 1 MREC6UnderVoltage")


def test_the_rest_of_the_words() -> None:
    assert parse("wait 2.5", evses=2) == Wait(2.5)
    assert parse("HELP", evses=2) == Help()
    assert parse("quit", evses=2) == Quit()
    assert parse("   # a remark", evses=2) == Nothing()
    assert published("offline").topic == "everest_api/ocpp/cmd/disconnect"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plug", "^not understood: 'plug'; it is written: plug EVSE$"),
        ("resume", "it is written: resume EVSE$"),
        ("fault 1", "it is written: fault EVSE ERROR$"),
        ("fault 1 Foo", "^no fault is called 'Foo'; the board knows DiodeFault, BrownOut, .*CommunicationFault$"),
        ("fault 1 UnderVoltage", "did you mean MREC6UnderVoltage"),
        ("plug 3", "EVSE '3' does not exist; there are 1 to 2"),
        ("plug one", "EVSE 'one' does not exist"),
        ("wait forever", "wait takes seconds"),
        ("dance 1", "^not understood: 'dance 1'; the commands are plug, swipe, .*, quit$"),
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
