"""The contract files say what the reference says: same interfaces, types and errors, all but the descriptions."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from everest.runtime.yaml_file import load

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT.parent / "shared" / "reference" / "contracts.yaml"
KINDS = ("interfaces", "types", "errors")
NAMED_ELSEWHERE = frozenset({"uk_random_delay", "dc_external_derate"})
"""Interfaces (and types) that station 2.1 names as provided by EvseManager and contracts.yaml does not have."""

needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference is not beside this checkout")


@cache
def files(kind: str) -> dict[str, Any]:
    return {path.stem: load(path).data for path in sorted((ROOT / kind).rglob("*.yaml"))}


def undescribed(schema: Any) -> Any:
    """A schema without the `description` of itself and what is in it; a property of that name stays."""
    if isinstance(schema, list):
        return [undescribed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: undescribed(value) for key, value in schema.items() if key not in ("description", "properties")}
    if "properties" in schema:
        plain["properties"] = {name: undescribed(value) for name, value in schema["properties"].items()}
    return plain


def plain_command(command: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    if command.get("arguments"):
        plain["arguments"] = {name: undescribed(schema) for name, schema in command["arguments"].items()}
    if "result" in command:
        plain["result"] = undescribed(command["result"])
    return plain


def plain_interface(interface: dict[str, Any]) -> dict[str, Any]:
    return {
        "vars": {name: undescribed(schema) for name, schema in (interface.get("vars") or {}).items()},
        "cmds": {name: plain_command(command) for name, command in (interface.get("cmds") or {}).items()},
        "errors": [entry if isinstance(entry, str) else entry["reference"] for entry in interface.get("errors") or []],
    }


@needs_reference
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_files_of_the_reference_are_there(kind: str) -> None:
    more = NAMED_ELSEWHERE if kind != "errors" else frozenset()
    assert files(kind).keys() == load(REFERENCE).data[kind].keys() | more


@needs_reference
def test_every_interface_has_the_shape_of_the_reference() -> None:
    for name, expected in load(REFERENCE).data["interfaces"].items():
        assert plain_interface(files("interfaces")[name]) == plain_interface(expected), name


@needs_reference
def test_every_type_has_the_shape_of_the_reference() -> None:
    for stem, expected in load(REFERENCE).data["types"].items():
        found = {name: undescribed(schema) for name, schema in files("types")[stem]["types"].items()}
        assert found == {name: undescribed(schema) for name, schema in expected.items()}, stem


@needs_reference
def test_properties_and_arguments_are_in_the_order_of_the_reference() -> None:
    reference = load(REFERENCE).data
    for stem, expected in reference["types"].items():
        for name, schema in expected.items():
            found = files("types")[stem]["types"][name]
            assert list(found.get("properties", [])) == list(schema.get("properties", [])), f"{stem} {name}"
    for stem, expected in reference["interfaces"].items():
        for name, command in (expected.get("cmds") or {}).items():
            found = files("interfaces")[stem]["cmds"][name]
            assert list(found.get("arguments", [])) == list(command.get("arguments", [])), f"{stem} {name}"


@needs_reference
def test_every_namespace_declares_the_errors_of_the_reference() -> None:
    for namespace, expected in load(REFERENCE).data["errors"].items():
        assert [error["name"] for error in files("errors")[namespace]["errors"]] == expected


def described(schema: dict[str, Any], where: str) -> None:
    text = schema.get("description")
    assert isinstance(text, str) and len(text) >= 2, f"{where}: no description"
    assert "TODO" not in text, where
    for name, entry in schema.get("properties", {}).items():
        described(entry, f"{where}.{name}")


def test_everything_is_described() -> None:
    for stem, data in files("types").items():
        described(data, stem)
        for name, schema in data["types"].items():
            described(schema, f"{stem}.{name}")
    for stem, data in files("errors").items():
        described(data, stem)
        for error in data["errors"]:
            described(error, f"{stem}.{error['name']}")
    for stem, data in files("interfaces").items():
        described(data, stem)
        for name, schema in (data.get("vars") or {}).items():
            described(schema, f"{stem}.{name}")
        for name, command in (data.get("cmds") or {}).items():
            described(command, f"{stem}.{name}")
            parts = {**command.get("arguments", {}), **({"result": command["result"]} if "result" in command else {})}
            for part, schema in parts.items():
                described(schema, f"{stem}.{name}.{part}")


@pytest.mark.parametrize("kind", KINDS)
def test_no_contract_file_has_warnings(kind: str) -> None:
    for path in (ROOT / kind).rglob("*.yaml"):
        assert load(path).warnings == []
