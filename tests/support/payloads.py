"""Payloads from the official JSON schemas of OCPP 1.6: valid ones, and one mutation per constraint.

The schemas are those that the package `ocpp` ships (an independent implementation); nothing here knows our messages.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import ocpp

FOLDER = Path(ocpp.__file__).parent / "v16" / "schemas"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
"""`Authorize`, `AuthorizeResponse`, ...: one per message."""

TIME = "2024-05-01T12:00:00.123Z"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value)
    return _RFC3339.fullmatch(value) is not None


class Payload(NamedTuple):
    """A payload, what was done to it, and where (`/meterValue/0/timestamp`)."""

    kind: str
    place: str
    value: dict[str, Any]


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema of a message, references resolved."""
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8-sig"))
    definitions = document.pop("definitions", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(definitions[node["$ref"].rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(item) for item in node] if isinstance(node, list) else node

    result: dict[str, Any] = resolved(document)
    return result


@cache
def validator(name: str) -> Any:
    document = schema(name)
    return jsonschema.validators.validator_for(document)(document, format_checker=_formats)


def oracle_accepts(name: str, payload: Any) -> bool:
    """Whether the official schema takes the payload, times checked against RFC 3339."""
    return bool(validator(name).is_valid(payload))


def smallest(node: dict[str, Any]) -> Any:
    """A valid value with the required members only."""
    if "enum" in node:
        return node["enum"][0]
    match node.get("type"):
        case "object":
            return {name: smallest(node["properties"][name]) for name in node.get("required", [])}
        case "array":
            return [smallest(node["items"])]
        case "string":
            return TIME if node.get("format") == "date-time" else "x"
        case "integer":
            return 1
        case "number":
            return 16.0
        case "boolean":
            return True
    raise AssertionError(node)


def fullest(node: dict[str, Any]) -> Any:
    """A valid value with every member."""
    if node.get("type") == "object":
        return {name: fullest(member) for name, member in node.get("properties", {}).items()}
    return [fullest(node["items"])] * 2 if node.get("type") == "array" else smallest(node)


def _places(
    node: dict[str, Any], path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any, bool]]:
    """Every place of the fullest payload, with its schema and whether it is required."""
    for name, member in node.get("properties", {}).items():
        yield (*path, name), member, name in node.get("required", [])
        yield from _places(member, (*path, name))
    if node.get("type") == "array":
        yield (*path, 1), node["items"], True
        yield from _places(node["items"], (*path, 1))


def _with(payload: Any, path: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(payload)
    node = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


def _without(payload: Any, path: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(payload)
    node = changed
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return changed


def _place(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{step}" for step in path)


def valid(name: str) -> Iterator[Payload]:
    """Smallest and fullest, each optional member left out, each value at its bounds."""
    document = schema(name)
    full = fullest(document)
    yield Payload("smallest", "", smallest(document))
    yield Payload("fullest", "", full)
    for path, node, required in _places(document):
        if not required:
            yield Payload("left out", _place(path), _without(full, path))
        for value in _good_values(node):
            yield Payload("bound", _place(path), _with(full, path, value))


def _good_values(node: dict[str, Any]) -> Iterator[Any]:
    if "enum" in node:
        yield from node["enum"]
        return
    match node.get("type"):
        case "string" if node.get("format") == "date-time":
            yield from ("2024-05-01T12:00:00Z", "2024-05-01T14:00:00.1+02:00", "2024-05-01T00:00:00.123456789-11:30")
        case "string":
            yield from ("", "ü" * node.get("maxLength", 600), '"\\\n\u0000 \U0001f50c')
        case "integer":
            yield from (0, -1, 2**31, -(2**63), 2**63 - 1)
        case "number":
            yield from (0, 32, 32.5, -7)
        case "array":
            yield from ([fullest(node["items"])], [fullest(node["items"])] * 20)
            if not node.get("minItems"):
                yield []
        case "boolean":
            yield False


def mutated(name: str) -> Iterator[Payload]:
    """The fullest payload with one constraint broken (or bent) at one place."""
    document = schema(name)
    full = fullest(document)
    yield Payload("additional member", "/foreign", full | {"foreign": {"any": ["thing"]}})
    for top in ([], "text", 5, None, True):
        yield Payload("payload is no object", "", top)  # type: ignore[arg-type]
    for path, node, required in _places(document):
        place = _place(path)
        if required and isinstance(path[-1], str):
            yield Payload("required member missing", place, _without(full, path))
        yield Payload("null, required" if required else "null, optional", place, _with(full, path, None))
        for kind, value in _bad_values(node):
            yield Payload(kind, place, _with(full, path, value))


_SAMPLES = {"object": {}, "array": [], "string": "1", "integer": 5, "number": 5.5, "boolean": True}


def _bad_values(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = node.get("type", "object")
    for other, sample in _SAMPLES.items():
        if other != kind and (kind, other) != ("number", "integer"):
            yield "wrong type", sample
    if kind == "object":
        yield "additional member", fullest(node) | {"foreign": 1}
    if "enum" in node:
        yield from (("unknown enum value", "Nonsense"), ("enum in other case", node["enum"][0].swapcase()))
    if "maxLength" in node:
        yield "too long", "x" * (node["maxLength"] + 1)
    if node.get("minItems"):
        yield "too few items", []
    if node.get("format") == "date-time":
        yield from (("no time", text) for text in ("", "soon", "2024-05-01", "2024-13-01T00:00:00Z", "12:00:00Z"))
        yield from (("time, other form", text) for text in OTHER_TIMES)
        yield "time without offset", "2024-05-01T12:00:00"
    if kind == "integer":
        yield from (("whole number with fraction", 1.0), ("beyond 64 bit", 2**63), ("beyond 64 bit", -(2**63) - 1))
    if "multipleOf" in node:
        yield from (("two decimals", 16.15), ("one decimal that floats miss", 0.3))


OTHER_TIMES = (
    "2024-05-01 12:00:00Z",
    "2024-05-01T12:00Z",
    "2024-05-01T12:00:00,5Z",
    "2024-05-01T12:00:00+0200",
    "2024-05-01T12:00:00+02",
    "2024-05-01T24:00:00Z",
)
