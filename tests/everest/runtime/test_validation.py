"""Strict mode: JSON Schema draft-07 with EVerest's formats (bus 3.4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from everest.runtime import yaml_file
from everest.runtime.errors import SchemaValidationError
from everest.runtime.inspection import TypeFiles, closed
from everest.runtime.model import InterfaceDefinition
from everest.runtime.validation import Check, Validator
from tests.everest.runtime.world import INTERFACES, TYPES


def validator(**variables: Any) -> Validator:
    definitions = {name: msgspec.convert(value, InterfaceDefinition) for name, value in INTERFACES.items()}
    definitions["v"] = InterfaceDefinition(vars=variables)
    return Validator(definitions, TYPES)


def accepts(schema: dict[str, Any], value: Any) -> bool:
    try:
        validator(x=schema).check_variable("v", "x", json.dumps(value).encode())
    except SchemaValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("uri", ["a://b", "://"], ["a:b", ""]),
        ("uri-reference", ["/authorization#/IdToken"], ["#/IdToken", "/authorization"]),
        (
            "date-time",
            ["2026-03-01T12:00:00Z", "2026-03-01t12:00:00.123456789+01:00", "2026-12-31T23:59:60Z"],
            ["2026-03-01", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "", "now"],
        ),
        ("date", ["2026-03-01"], ["2026-02-30", "1.3.2026"]),
        ("time", ["12:00:00Z", "12:00:00"], ["25:00:00Z", "12"]),
        ("email", ["a@b"], ["a", "a@b@c", "a b@c"]),
        ("idn-email", ["ä@b"], ["ä"]),
        ("hostname", ["example.com", "localhost"], ["-a", "a..b", "a_b"]),
        ("ipv4", ["127.0.0.1"], ["127.0.0", "::1", "1.2.3.256"]),
        ("ipv6", ["::1"], ["127.0.0.1", ":::"]),
        ("uuid", ["5e7a3f64-0c3c-4c0a-9a53-3f1d0c6ad8c1"], ["5e7a3f640c3c4c0a9a533f1d0c6ad8c1", "x"]),
        ("regex", ["^a+$"], ["("]),
        ("invented", [], ["anything"]),
    ],
)
def test_formats_are_checked_and_unknown_ones_fail(name: str, good: list[str], bad: list[str]) -> None:
    schema = {"type": "string", "format": name}
    assert [value for value in good if not accepts(schema, value)] == []
    assert [value for value in bad if accepts(schema, value)] == []


def test_siblings_of_ref_are_ignored() -> None:
    schema = {"type": "string", "$ref": "/entries#/Entry"}
    assert accepts(schema, {"key": "ab", "value": 1})
    assert not accepts(schema, "text")


def test_patterns_are_searched_not_matched() -> None:
    assert accepts({"type": "string", "pattern": "b+"}, "abbc")


def test_an_unresolvable_reference_is_a_failure_not_a_crash() -> None:
    assert not accepts({"$ref": "/nowhere#/Thing"}, 1)


def test_arguments_are_all_mandatory_and_extra_ones_are_ignored() -> None:
    check = validator().check_arguments
    check("store", "store", b'{"key":"ab","value":1,"more":2}')
    check("doubler", "reset", b"null")
    check("doubler", "reset", b"")
    for args in (b'{"key":"ab"}', b"null", b"[1]", b'{"key":"a","value":1}', b"{"):
        with pytest.raises(SchemaValidationError):
            check("store", "store", args)


def test_a_null_result_passes_only_where_none_is_declared() -> None:
    check = validator().check_result
    check("doubler", "reset", b"null")
    for command, result in (("double", b"null"), ("reset", b"5"), ("double", b"501"), ("nothing", b"1")):
        with pytest.raises(SchemaValidationError):
            check("doubler", command, result)


def test_the_failure_names_place_and_reason() -> None:
    with pytest.raises(SchemaValidationError, match=r"variable changed: \$\.key: \"a\" is shorter than 2"):
        validator().check_variable("store", "changed", b'{"key":"a","value":1}')
    with pytest.raises(SchemaValidationError, match="no variable unheard"):
        validator().check_variable("store", "unheard", b"1")


def test_a_reference_to_another_machine_is_never_fetched() -> None:
    interface = InterfaceDefinition(vars={"far": {"$ref": "http://types.example/a#/B"}})
    with pytest.raises(SchemaValidationError, match="is not among the distributed types"):
        Validator({"distant": interface}, {}).check_variable("distant", "far", b"1")


def test_every_schema_of_the_contracts_can_be_checked() -> None:
    """References that lead from type file to type file included."""
    root = Path(__file__).resolve().parents[3]
    types = TypeFiles(root / "types", {})
    checked = 0
    for file in sorted((root / "interfaces").glob("*.yaml")):
        interface = yaml_file.load(file).data
        schemas = list((interface.get("vars") or {}).values())
        for command in (interface.get("cmds") or {}).values():
            schemas += [*((command or {}).get("arguments") or {}).values(), (command or {}).get("result") or {}]
        for schema in schemas:
            Check(closed(schema), types)
            checked += 1
    assert checked > 150
    session_event = yaml_file.load(root / "interfaces" / "evse_manager.yaml").data["vars"]["session_event"]
    broken = {"uuid": "a", "timestamp": "", "event": "ChargingStarted", "foo": 1}
    assert {failure.place for failure in Check(closed(session_event), types).failures(broken)} == {
        "$.timestamp: format",
        "$: unknown foo",
    }
