"""The five meta schemas (bus 6): validation explained for people, and insertion of defaults.

The schemas are our own files in `schemas/` (draft-07). `problems_of` turns what jsonschema finds into Problems with the
line of the file; `with_defaults` fills in what is absent, the way EVerest does (bus 3.4, last sentence).
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import jsonschema

from everest.manager.documents import SourceFile
from everest.manager.problems import Problem, one_of

NAMES = ("config", "manifest", "interface", "type", "error_declaration_list")

_format_checker = jsonschema.FormatChecker(formats=())


@_format_checker.checks("uri")
def _has_scheme(value: object) -> bool:
    """EVerest's rule for `format: uri` (bus 3.4)."""
    return not isinstance(value, str) or "://" in value


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """The meta schema `name`, one of NAMES. Do not modify."""
    text = resources.files(__package__).joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    jsonschema.Draft7Validator.check_schema(loaded)
    return loaded


def all_schemas() -> dict[str, Any]:
    """Payload of `<P>schemas` (bus 2.3)."""
    return {name: schema(name) for name in NAMES}


def problems_of(source: SourceFile, schema_name: str) -> list[Problem]:
    """Every breach of the meta schema, with line, key and fix."""
    validator = jsonschema.Draft7Validator(schema(schema_name), format_checker=_format_checker)
    errors = sorted(validator.iter_errors(source.data), key=lambda error: [str(part) for part in error.absolute_path])
    return [problem for error in errors for problem in _explain(source, error)]


def _explain(source: SourceFile, error: Any) -> Iterator[Problem]:
    path: list[str | int] = list(error.absolute_path)
    if error.validator == "additionalProperties" and error.validator_value is False:
        for name in _unexpected(error):
            key = [*path, name]
            yield source.problem(key, *_unknown_key(error.schema, name))
        return
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield source.problem(path, f'"{name}" is missing', f'add "{name}:"')
        return
    yield source.problem(path, *_describe(error))


def _unexpected(error: Any) -> list[str]:
    patterns = list(error.schema.get("patternProperties", {}))
    known = error.schema.get("properties", {})
    return [
        str(name)
        for name in error.instance
        if name not in known and not any(re.search(pattern, str(name)) for pattern in patterns)
    ]


def _unknown_key(parent: Mapping[str, Any], name: str) -> tuple[str, str]:
    patterns = list(parent.get("patternProperties", {}))
    if patterns:
        return "this name is not allowed", f"a name matches {' or '.join(patterns)}"
    return "unknown key", one_of(parent.get("properties", {}), name)


def _describe(error: Any) -> tuple[str, str]:
    wanted = error.validator_value
    match error.validator:
        case "type":
            names = wanted if isinstance(wanted, str) else " or ".join(wanted)
            return f"{show(error.instance)} is not of type {names}", f"write a value of type {names}"
        case "enum":
            return f"{show(error.instance)} is not allowed", one_of(
                [str(value) for value in wanted], str(error.instance)
            )
        case "pattern":
            return f"{show(error.instance)} does not have the required form", f"it must match {wanted}"
        case "minLength":
            return f"{show(error.instance)} is too short", f"write at least {wanted} characters"
        case "minimum" | "maximum":
            word = "least" if error.validator == "minimum" else "most"
            return f"{show(error.instance)} is out of range", f"write at {word} {wanted}"
        case "minItems" | "minProperties":
            return "is empty", f"write at least {wanted} or leave the key out"
        case "format":
            return f"{show(error.instance)} is not a valid {wanted}", "write it with its scheme, like https://..."
        case "not":
            return "this key is not allowed here", "remove it"
        case _:
            return str(error.message), ""


def show(value: object) -> str:
    """A value as it would stand in YAML, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def with_defaults(name: str, data: Any) -> Any:
    """Copy of `data` with the defaults of meta schema `name` inserted. `data` must satisfy that schema.

    A missing property takes its schema's non-null default (also behind a `$ref`); what was inserted is not filled
    further (bus 3.4).
    """
    root = schema(name)
    return _fill(root, root, copy.deepcopy(data))


def _fill(root: Mapping[str, Any], part: Any, data: Any) -> Any:
    part = _resolve(root, part)
    if isinstance(data, dict) and isinstance(part, Mapping):
        for key, value in data.items():
            data[key] = _fill(root, _schema_of_key(part, key), value)
        for key, below in part.get("properties", {}).items():
            default = _default(root, below)
            if key not in data and default is not None:
                data[key] = copy.deepcopy(default)
    elif isinstance(data, list) and isinstance(part, Mapping):
        return [_fill(root, part.get("items"), item) for item in data]
    return data


def _default(root: Mapping[str, Any], part: Any) -> Any:
    if not isinstance(part, Mapping):
        return None
    own = part.get("default")
    return own if own is not None else _default(root, _resolve(root, part)) if "$ref" in part else None


def _schema_of_key(part: Mapping[str, Any], key: str) -> Any:
    if key in part.get("properties", {}):
        return part["properties"][key]
    for pattern, below in part.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return below
    return part.get("additionalProperties")


def _resolve(root: Mapping[str, Any], part: Any) -> Any:
    """Follow local references: `#/definitions/x`."""
    while isinstance(part, Mapping) and "$ref" in part:
        target: Any = root
        for step in _steps(part["$ref"]):
            target = target[step]
        part = target
    return part


def _steps(reference: str) -> Sequence[str]:
    return reference.removeprefix("#/").split("/")
