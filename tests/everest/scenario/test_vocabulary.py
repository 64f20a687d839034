"""The words of OCPP that a scenario may misspell are those of OCPP, and each misspelling is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ocpp
import pytest

from everest.scenario.vocabulary import ANY, CSMS, STATION, mistakes

SCHEMAS = Path(ocpp.__file__).parent / "v16" / "schemas"


@pytest.mark.parametrize("action", sorted(STATION | CSMS))
def test_the_tables_have_the_fields_and_values_of_the_official_schemas(action: str) -> None:
    schema = json.loads((SCHEMAS / f"{action}.json").read_text())
    for table in (STATION, CSMS):
        if action in table:
            assert set(table[action]) == set(schema["properties"])
            for name, values in table[action].items():
                allowed = definition(schema, name).get("enum")
                assert values == ANY or values == frozenset(allowed or ())


def definition(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["properties"][name]
    reference = found.get("$ref")
    return schema["definitions"][reference.rpartition("/")[2]] if reference else found


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
    ],
)
def test_what_is_meant_is_no_mistake(kind: str, value: Any, options: Any) -> None:
    assert not list(mistakes(kind, value, options))
