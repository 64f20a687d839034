"""The official JSON schemas of OCPP 1.6 and its security whitepaper, and what of a scenario does not fit a schema.

Lives here: `request` and `response` of an action; `sent` holds a payload that goes out against a schema, `fits` what
is expected of one that comes in, `saves` what is kept of it. The schemas of OCPP are data files of the package `ocpp`,
which is not imported for them; those of the bus come from contracts.py.
May not be imported here: ocpp16 (the judge has words of its own).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema

from everest.manager.problems import one_of
from everest.runtime.validation import FORMATS
from everest.scenario.matching import COMPARISON, WRONG_SIGN, pattern
from everest.scenario.model import Mistake

Schema = Mapping[str, Any]
Place = tuple[str | int, ...]

TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,), "number": (int, float), "boolean": (bool,), "string": (str,), "null": (type(None),),
    "object": (dict,), "array": (list,),
}  # fmt: skip
WORDS = {
    "integer": "write a whole number",
    "number": "write a number",
    "boolean": "write true or false",
    "string": 'write a text, in quotes: "..."',
    "null": "write null",
    "object": "write `field: value` lines",
    "array": "write a list",
}
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "that fits {}",
}
"""Rules of JSON schema about one value, in words."""
MOMENT = "write a time with zone, for example 2026-03-02T08:00:00Z"


def request(action: str) -> Schema | None:
    """The payload of a CALL; None for an action that OCPP does not know."""
    return _read(action)


def response(action: str) -> Schema | None:
    """The payload of its CALLRESULT."""
    return _read(f"{action}Response")


@cache
def _read(name: str) -> Schema | None:
    found = find_spec("ocpp")
    assert found is not None
    assert found.submodule_search_locations is not None
    file = Path(found.submodule_search_locations[0]) / "v16" / "schemas" / f"{name}.json"
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        return None
    document = json.loads(file.read_text(encoding="utf-8-sig"))
    schema: Schema = _inlined(document, document.get("definitions", {}))
    return schema


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Without `$ref`."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
        return {key: _inlined(item, definitions) for key, item in node.items() if key != "definitions"}
    return [_inlined(item, definitions) for item in node] if isinstance(node, list) else node


def properties(schema: Schema) -> Mapping[str, Schema]:
    """The fields of an object."""
    found: Mapping[str, Schema] = schema.get("properties", {})
    return found


def is_open(schema: Schema) -> bool:
    """Whether an object may have fields that its schema does not name."""
    return bool(
        schema.get("additionalProperties", schema.get("type", "object") == "object" and "properties" not in schema)
    )


def has(schema: Schema | None, path: str) -> bool:
    """Whether a dotted path (`idTagInfo.status`, `meterValue.0.timestamp`) can be there."""
    for part in path.split("."):
        if schema is not None and is_open(schema) and part not in properties(schema):
            return True
        inside = (schema or {}).get("items") if part.isdecimal() else properties(schema or {}).get(part)
        if inside is None:
            return False
        schema = inside
    return True


def answered(action: str, path: str) -> bool:
    """Whether a field is no part of the CALL, but of its answer."""
    return not has(request(action), path) and has(response(action), path)


def saves(options: Mapping[str, Any], name: str, *allowed: Schema | None) -> Iterator[Mistake]:
    """What a step saves and no message has, by these schemas of it."""
    for saved, path in options.get("save", {}).items() if any(schema is not None for schema in allowed) else ():
        if not any(has(schema, str(path)) for schema in allowed):
            known = [field for schema in allowed for field in properties(schema or {})]
            yield Mistake(("save", saved), f'{name} has no field "{path}"', one_of(known, str(path)))


def _kinds(schema: Schema) -> list[Schema]:
    """The schema once for each type that it allows."""
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]


# --- what goes out -------------------------------------------------------------------------------------------------


def sent(schema: Schema, value: Any, place: Place, name: str, *, whole: bool = True) -> Iterator[Mistake]:
    """What is wrong with a payload that is sent. `whole`: required fields must be there, too. `$x` may be anything."""
    if isinstance(value, str) and value.startswith("$"):
        return
    found = [list(_sent(kind, value, place, name, whole=whole)) for kind in _kinds(schema)]
    yield from () if [] in found else found[0]


def _sent(schema: Schema, value: Any, place: Place, name: str, *, whole: bool) -> Iterator[Mistake]:
    kind = schema.get("type")
    if kind == "object" and isinstance(value, dict):
        for key, item in value.items():
            if key in properties(schema):
                yield from sent(properties(schema)[key], item, (*place, key), key)
            elif not is_open(schema):
                yield _no_field(schema, key, place, name)
        for key in schema.get("required", ()) if whole else ():
            if key not in value:
                yield Mistake(place, f'{name} needs "{key}"', f"write `{key}: ...`")
    elif fix := _unfit(schema, value):
        yield Mistake(place, f"{name} cannot be {value!r}", fix)
    elif kind == "array":
        for number, item in enumerate(value):
            yield from sent(schema.get("items", {}), item, (*place, number), name)


def _unfit(schema: Schema, value: Any) -> str:
    """Empty when type, enumeration and limits allow a value, else what they would allow; not what is inside of it."""
    if not _has_type(value, schema.get("type")):
        return _shape(schema)
    if "enum" in schema and value not in schema["enum"]:
        return one_of(schema["enum"], str(value))
    rules = {rule: schema[rule] for rule in LIMITS if rule in schema}
    if rules and not jsonschema.Draft7Validator(rules).is_valid(value):
        return wanted(schema)
    form = FORMATS.get(str(schema.get("format")))
    if form is not None and isinstance(value, str) and not form(value):
        return MOMENT if schema["format"] == "date-time" else f"write one of the form {schema['format']}"
    return ""


def wanted(schema: Schema) -> str:
    """`write a whole number, at least 0`."""
    kind = str(schema.get("type"))
    start = WORDS.get(kind) or f"write a value of type {kind}"
    return ", ".join([start, *(text.format(schema[rule]) for rule, text in LIMITS.items() if rule in schema)])


def _has_type(value: Any, kind: Any) -> bool:
    if kind not in TYPES:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    return isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())


def _shape(schema: Schema) -> str:
    return one_of(schema["enum"]) if "enum" in schema else WORDS.get(str(schema.get("type")), "")


def _no_field(schema: Schema, key: str, place: Place, name: str) -> Mistake:
    return Mistake((*place, key), f'{name} has no field "{key}"', one_of(properties(schema), key))


# --- what is expected ----------------------------------------------------------------------------------------------


def fits(schema: Schema, expected: Any, place: Place, name: str) -> Iterator[Mistake]:
    """What nothing that is said by this schema can ever fit (matching.py)."""
    found = [list(_fits(kind, expected, place, name)) for kind in _kinds(schema)]
    yield from () if [] in found else found[0]


def _fits(schema: Schema, expected: Any, place: Place, name: str) -> Iterator[Mistake]:
    kind = schema.get("type")
    if isinstance(expected, dict) and kind == "array":
        yield from fits(schema.get("items", {}), expected, place, name)
    elif isinstance(expected, dict) and kind == "object":
        for key, item in expected.items():
            if key in properties(schema):
                yield from fits(properties(schema)[key], item, (*place, key), key)
            elif not is_open(schema):
                yield _no_field(schema, key, place, name)
    elif isinstance(expected, list) and kind == "array":
        for number, item in enumerate(expected):
            yield from fits(schema.get("items", {}), item, (*place, number), name)
    elif kind is not None and (fix := _never(schema, expected)):
        yield Mistake(place, f"{name} is never {expected!r}", fix)


def _never(schema: Schema, expected: Any) -> str:
    """Empty when something fits, else what would."""
    if isinstance(expected, str):
        if expected in ("*", "absent") or expected.startswith("$") or WRONG_SIGN.fullmatch(expected):
            return ""
        if (found := COMPARISON.fullmatch(expected)) is not None:
            return _never_compared(schema, found[1], found[2])
        if (text := pattern(expected)) is not None:
            return _never_found(schema, text)
    elif schema.get("type") == "string" and "enum" not in schema and _has_type(expected, "number"):
        return ""  # a number fits a text that says it
    return _unfit(schema, expected)


def _never_compared(schema: Schema, sign: str, wanted: str) -> str:
    if wanted.startswith("$"):
        return ""
    if schema.get("type") in ("integer", "number"):
        return "" if _is_number(wanted) else f"write a number after {sign}"
    wrong = "enum" in schema and wanted not in schema["enum"]
    return one_of(schema["enum"], wanted) if wrong else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _never_found(schema: Schema, text: str) -> str:
    if schema.get("type") != "string":
        return _shape(schema)
    try:
        found = "enum" not in schema or any(re.search(text, word) for word in schema["enum"])
    except re.error:
        return ""  # a mistake of its own
    return "" if found else one_of(schema["enum"])
