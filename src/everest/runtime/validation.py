"""Payloads against the distributed definitions as JSON Schema draft-07 (bus 3.4), on jsonschema-rs.

Lives here: `Check` (one schema), `Validator` (strict mode: all of the distributed interfaces). Imported at first use.
Siblings of `$ref` are ignored, `/file#/Type` resolves in the distributed type files, unknown formats fail.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

import jsonschema_rs
from msgspec import Raw

from everest.runtime.codec import PayloadError, decode
from everest.runtime.errors import SchemaValidationError
from everest.runtime.model import CommandDefinition, InterfaceDefinition

NO_RESULT = {"type": "null"}


class Failure(NamedTuple):
    """What does not fit: `text` with the value, `place` with the broken rule and the same for every such message."""

    text: str
    place: str


class Check:
    """One compiled schema. `types`: what `/file#/Type` resolves in, by `/file`. Errors: SchemaValidationError."""

    def __init__(self, schema: Any, types: Mapping[str, Any]) -> None:
        try:
            registry = jsonschema_rs.Registry(
                list(needed(schema, types).items()), draft=jsonschema_rs.Draft7, retriever=_refuse_to_fetch
            )
            self._validator = jsonschema_rs.Draft7Validator(
                schema, registry=registry, formats=FORMATS, validate_formats=True, ignore_unknown_formats=False
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, LookupError) as error:
            raise SchemaValidationError(f"its schema cannot be used: {str(error).partition(chr(10))[0]}") from None

    def failures(self, value: Any) -> list[Failure]:
        """Everything that does not fit, in the order of the schema; empty for nearly every payload."""
        try:
            if self._validator.is_valid(value):
                return []
            return [_failure(error) for error in self._validator.iter_errors(value)]
        except ValueError as error:
            return [Failure(f"cannot be checked: {error}", "cannot be checked")]


class Validator:
    """Checks JSON text; every failure is a SchemaValidationError with place and reason."""

    def __init__(self, interfaces: Mapping[str, InterfaceDefinition], types: Mapping[str, Any]) -> None:
        self._types = types
        self._interfaces = interfaces
        self._checks: dict[tuple[str, ...], Check] = {}

    def check_arguments(self, interface: str, command: str, args: Raw | bytes) -> None:
        """All declared arguments are there and valid; extra ones are ignored."""
        values = self._plain(f"arguments of {command}", args or b"null") or {}
        if not isinstance(values, dict):
            raise SchemaValidationError(f"arguments of {command}: not an object")
        for name, schema in self._command(interface, command).arguments.items():
            if name not in values:
                raise SchemaValidationError(f"arguments of {command}: {name} is missing")
            self._check((interface, "cmd", command, name), schema, values[name], f"argument {name} of {command}")

    def check_result(self, interface: str, command: str, result: Raw | bytes) -> None:
        """A null result passes only where none is declared."""
        schema = self._command(interface, command).result or NO_RESULT
        value = self._plain(f"result of {command}", result)
        self._check((interface, "result", command), schema, value, f"result of {command}")

    def check_variable(self, interface: str, variable: str, value: Raw | bytes) -> None:
        """The variable is declared and its value valid."""
        definition = self._interfaces.get(interface, InterfaceDefinition())
        if variable not in definition.vars:
            raise SchemaValidationError(f"interface {interface} has no variable {variable}")
        plain = self._plain(f"variable {variable}", value)
        self._check((interface, "var", variable), definition.vars[variable], plain, f"variable {variable}")

    def _command(self, interface: str, command: str) -> CommandDefinition:
        definition = self._interfaces.get(interface, InterfaceDefinition()).cmds.get(command)
        if definition is None:
            raise SchemaValidationError(f"interface {interface} has no command {command}")
        return definition

    @staticmethod
    def _plain(what: str, text: Raw | bytes) -> Any:
        try:
            return decode(text, Any)
        except PayloadError as error:
            raise SchemaValidationError(f"{what}: {error}") from None

    def _check(self, key: tuple[str, ...], schema: Any, value: Any, what: str) -> None:
        check = self._checks.get(key)
        if check is None:
            try:
                check = self._checks[key] = Check(schema, self._types)
            except SchemaValidationError as error:
                raise SchemaValidationError(f"{what}: {error}") from None
        for failure in check.failures(value):
            raise SchemaValidationError(f"{what}: {failure.text}")


def needed(schema: Any, types: Mapping[str, Any]) -> dict[str, Any]:
    """The type files that a schema refers to, directly or by way of others, by `/file`. Errors: LookupError.

    They are collected beforehand: the library does not resolve by a callback what it meets late.
    """
    found: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, Mapping):
            waiting += part.values()
            reference = part.get("$ref")
            file = reference.partition("#")[0] if isinstance(reference, str) else ""
            if file and file not in found:
                found[file] = _definitions(file, types)
                waiting.append(found[file])
    return found


def _definitions(file: str, types: Mapping[str, Any]) -> Any:
    try:
        return types[file]
    except KeyError:
        return _refuse_to_fetch(file)


def _refuse_to_fetch(uri: str) -> Any:
    """Nothing is ever fetched over the network."""
    raise LookupError(f"{uri} is not among the distributed types")


def _failure(error: jsonschema_rs.ValidationError) -> Failure:
    place = _path(error.instance_path)
    general = re.sub(r"\[\d+\]", "[]", place)
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        rule = f"unknown {', '.join(error.kind.unexpected)}"
    else:
        limit = error.kind.as_dict().get("limit")
        rule = error.kind.name if limit is None else f"{error.kind.name} {limit}"
    return Failure(f"{place}: {error.message}", f"{general}: {rule}")


def _path(steps: list[str | int]) -> str:
    """`$.list[0].name`"""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


# --- formats (bus 3.4) -----------------------------------------------------------------------------------------------

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _shortened(text: str) -> str:
    """RFC 3339 as Python reads it: six decimals at most, no leap second, capital letters."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text.upper()).replace(":60", ":59")


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None and datetime.fromisoformat(_shortened(text)) is not None


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and time.fromisoformat(_shortened(text)) is not None


FORMAT_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "uri": lambda text: "://" in text,
    "uri-reference": lambda text: re.search(r"^/.+#/.+", text) is not None,
    "date-time": _is_date_time,
    "date": lambda text: date.fromisoformat(text) is not None,
    "time": _is_time,
    "email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None,
    "idn-email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None,
    "hostname": lambda text: len(text) <= 253 and _HOST.fullmatch(text) is not None,
    "ipv4": lambda text: ipaddress.IPv4Address(text) is not None,
    "ipv6": lambda text: ipaddress.IPv6Address(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "regex": lambda text: re.compile(text) is not None,
}


def _tolerant(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """A check that cannot raise."""

    def is_valid(text: str) -> bool:
        try:
            return check(text)
        except (ValueError, re.error):
            return False

    return is_valid


FORMATS = {name: _tolerant(check) for name, check in FORMAT_CHECKS.items()}
"""All formats there are; a schema that names another one fails, as in EVerest."""
