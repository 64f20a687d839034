"""The words of OCPP that a scenario may misspell are those of OCPP, and each misspelling is found."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import ocpp
import pytest

from everest.manager import paths
from everest.scenario.vocabulary import CAR_COMMANDS, CSMS, FAULTS, STATION, mistakes

SCHEMAS = Path(ocpp.__file__).parent / "v16" / "schemas"


def test_every_official_message_is_known_by_who_sends_it() -> None:
    names = {file.stem for file in SCHEMAS.glob("*.json")}
    assert names == {name for action in STATION | CSMS for name in (action, f"{action}Response")}
    assert {"DataTransfer"} == STATION & CSMS


def module_of_the_evse(name: str) -> Any:
    """By its file, as whoever runs the tests has it; its package is not imported for a table."""
    folder = paths.resolve().data_dir / "modules" / "EvseManagerSim"
    return runpy.run_path(str(folder / f"{name}.py"), run_name=f"table_of_{name}")


def test_the_car_knows_the_commands_of_the_simulated_car() -> None:
    table = module_of_the_evse("commands")
    assert {**table["FORMS"], **table["ISO_FORMS"]} == CAR_COMMANDS


def test_the_errors_are_those_that_the_simulated_evse_takes() -> None:
    assert module_of_the_evse("faults")["INJECTABLE"].keys() == FAULTS


RESERVE = {"connectorId": 1, "expiryDate": "$now+1h", "reservationId": 1}
LIST = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A", "idtag": "A"}]}
SAMPLE = {"meterValue": {"sampledValue": {"measurand": "Curent.Import"}}}
SAMPLED = ("with", "meterValue", "sampledValue")
STOPPED = ("order", 0, "StopTransaction", "meterStop")


@pytest.mark.parametrize(
    ("kind", "value", "options", "place", "fix"),
    [
        ("expect", "BootNotificaton", {}, ("expect",), 'did you mean "BootNotification"?'),
        ("expect", "StatusNotification", {"with": {"satus": 1}}, ("with", "satus"), 'did you mean "status"?'),
        ("none", ["Heartbeat", "StopTransacton"], {}, ("none",), 'did you mean "StopTransaction"?'),
        ("none", "StatusNotification", {"with": {"status": "Chargin"}}, ("with", "status"), 'did you mean "Charging"?'),
        ("order", ["Heartbeat", {"Authorize": {"idtag": 1}}], {}, ("order", 1, "Authorize", "idtag"), '"idTag"?'),
        ("csms", "RemoteStart", {}, ("csms",), 'did you mean "RemoteStartTransaction"?'),
        ("csms", "Reset", {"payload": {"type": "hard"}}, ("payload", "type"), 'did you mean "Hard"?'),
        ("answers", {"Authorise": {}}, {}, ("answers", "Authorise"), 'did you mean "Authorize"?'),
        ("answers", {"Authorize": 5}, {}, ("answers", "Authorize"), "write `{field: value}`"),
        ("tags", {"A": "Acceptd"}, {}, ("tags", "A"), "write a status: Accepted"),
        ("tags", {"A": {"status": "Acceptd"}}, {}, ("tags", "A", "status"), 'did you mean "Accepted"?'),
        ("fault", "MREC6Undervoltage", {}, ("fault",), 'did you mean "MREC6UnderVoltage"?'),
        ("clear", "ac_rcd_DCC", {}, ("clear",), 'did you mean "ac_rcd_DC"?'),
        ("answers", {"Heartbeat": {"currentTme": 5}}, {}, ("answers", "Heartbeat", "currentTme"), '"currentTime"?'),
        (
            "answers",
            {"Authorize": [{}, {"idTagInfo": {"status": "Blokked"}}]},
            {},
            ("answers", "Authorize", 1, "idTagInfo", "status"),
            '"Blocked"?',
        ),
        ("answers", {"Authorize": {"idTagInfo": {}}}, {}, ("answers", "Authorize", "idTagInfo"), "write `status: ...`"),
        ("answers", {"Heartbeat": {"error": "X", "a": 1}}, {}, ("answers", "Heartbeat"), "alone"),
        (
            "answers",
            {"Authorize": [{"error": "NotImplemented"}, {"error": "InternlError"}]},
            {},
            ("answers", "Authorize", 1, "error"),
            'did you mean "InternalError"?',
        ),
        ("answers", {"Authorize": {"error": {"raw": 5}}}, {}, ("answers", "Authorize", "error"), "there are: Format"),
        ("csms", "Reset", {"answer": {"error": "NotImplementd"}}, ("answer", "error"), '"NotImplemented"?'),
        ("csms", "ReserveNow", {"payload": RESERVE}, ("payload",), "write `idTag: ...`"),
        ("csms", "Reset", {}, ("payload",), "write `type: ...`"),
        ("csms", "RemoteStopTransaction", {"payload": {"transactionId": "x"}}, ("payload", "transactionId"), "number"),
        ("csms", "RemoteStopTransaction", {"payload": {"transactionId": True}}, ("payload", "transactionId"), "number"),
        ("csms", "SendLocalList", {"payload": LIST}, ("payload", "localAuthorizationList", 0, "idtag"), '"idTag"?'),
        ("csms", "ClearCache", {"answer": "Acepted"}, ("answer",), 'did you mean "Accepted"?'),
        ("csms", "GetLocalListVersion", {"answer": "Accepted"}, ("answer",), "listVersion"),
        ("csms", "ClearCache", {"answer": {"foo": 1}}, ("answer", "foo"), "there are: status"),
        ("csms", "MakeCoffee", {"answer": {"error": "*", "foo": 1}}, ("answer", "foo"), "there are: description"),
        ("csms", "ClearCache", {"save": {"x": "stat"}}, ("save", "x"), 'did you mean "status"?'),
        ("car", "plgu", {}, ("car",), 'did you mean "plug"?'),
        ("car", "sleep 1;;pause", {}, ("car",), "write one command between two `;`"),
        ("car", "sleep  1", {}, ("car",), "write 1, "),
        ("car", "plug", {"commands": "slep 1"}, ("commands",), 'did you mean "sleep"?'),
        ("rising", "Energy.Active.Import.Registr", {}, ("rising",), 'did you mean "Energy.Active.Import.Register"?'),
        ("rising", "SoC", {"with": {"connectorID": 1}}, ("with", "connectorID"), 'did you mean "connectorId"?'),
        ("expect", "MeterValues", {"with": SAMPLE}, (*SAMPLED, "measurand"), 'did you mean "Current.Import"?'),
        ("expect", "StartTransaction", {"with": {"meterStart": "=> 5"}}, ("with", "meterStart"), 'mean ">= 5"?'),
        ("expect", "StartTransaction", {"with": {"meterStart": "== 5"}}, ("with", "meterStart"), 'mean "5"?'),
        ("expect", "StartTransaction", {"with": {"meterStart": "> five"}}, ("with", "meterStart"), "number after >"),
        ("expect", "StartTransaction", {"with": {"meterStart": "five"}}, ("with", "meterStart"), "whole number"),
        ("expect", "StatusNotification", {"with": {"status": "!= Fault"}}, ("with", "status"), '"Faulted"?'),
        ("expect", "StatusNotification", {"with": {"status": "/^X/"}}, ("with", "status"), "there are: Available"),
        ("variable", "a/b/c", {"with": {"value": "=< 5"}}, ("with", "value"), 'did you mean "<= 5"?'),
        ("order", [{"StopTransaction": {"meterStop": "=> 1"}}], {}, STOPPED, 'did you mean ">= 1"?'),
        ("upload", "x", {"with": {"siz": 5}}, ("with", "siz"), 'did you mean "size"?'),
        ("upload", "x", {"save": {"a": "siz"}}, ("save", "a"), 'did you mean "size"?'),
        ("expect", "StartTransaction", {"save": {"a": "transctionId"}}, ("save", "a"), '"transactionId"?'),
    ],
)
def test_a_misspelling_is_found_at_its_place(kind: str, value: Any, options: Any, place: Any, fix: str) -> None:
    (mistake,) = mistakes(kind, value, options)
    assert mistake.place == place
    assert fix in mistake.fix


@pytest.mark.parametrize(
    ("kind", "value", "options"),
    [
        ("expect", "StatusNotification", {"with": {"status": "/Charging|Available/", "errorCode": "*"}}),
        ("expect", "StatusNotification", {"with": {"status": "!= Faulted", "info": "absent"}}),
        ("expect", "StopTransaction", {"with": {"reason": "$why"}}),
        ("csms", "MakeCoffee", {"answer": {"error": "NotImplemented"}}),
        ("tags", {"A": {"status": "Accepted", "parentIdTag": "F"}}, {}),
        ("answers", {"BootNotification": [{"status": "Pending"}, {"error": "InternalError"}]}, {}),
        ("answers", {"Authorize": {"raw": {"idTagInfo": {"status": "Perhaps"}}}}, {}),
        ("answers", {"Authorize": {"error": {"raw": "Whatever"}}}, {}),
        ("answers", {"Authorize": {"error": "$which"}}, {}),
        ("csms", "RemoteStopTransaction", {"payload": {"transactionId": "$x"}}),
        ("csms", "Reset", {"answer": {"error": "FormationViolation"}, "save": {"why": "description"}}),
        ("expect", "StartTransaction", {"with": {"meterStart": ">= $x"}, "save": {"a": "transactionId", "b": "idTag"}}),
        ("expect", "StartTransaction", {"save": {"a": "idTagInfo.status"}}),
        ("expect", "MeterValues", {"save": {"a": "meterValue.0.sampledValue.1.value"}}),
        ("expect", "MeterValues", {"with": {"meterValue": [{"sampledValue": {"value": 5}}]}}),
        ("upload", "x", {"with": {"size": "> 5"}}),
        ("car", "SLEEP 1;draw_power_regulated 16,3;", {}),
        ("fault", "$which", {}),
    ],
)
def test_what_is_meant_is_no_mistake(kind: str, value: Any, options: Any) -> None:
    assert not list(mistakes(kind, value, options))
