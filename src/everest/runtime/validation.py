"""Strict mode: payloads against the distributed definitions as JSON Schema draft-07 (bus 3.4).

Lives here: `Validator`, imported only when `validate_schema` is on, since jsonschema is slow to import and to run.
Siblings of `$ref` are ignored, `/file#/Type` resolves in the distributed type files, unknown formats fail.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

import jsonschema
import jsonschema.exceptions
import referencing
import referencing.exceptions
from msgspec import Raw
from referencing.jsonschema import DRAFT7

from everest.runtime.codec import PayloadError, decode
from everest.runtime.errors import SchemaValidationError
from everest.runtime.model import CommandDefinition, InterfaceDefinition

NO_RESULT = {"type": "null"}


class Validator:
    """Checks JSON text; every failure is a SchemaValidationError with place and reason."""

    def __init__(self, interfaces: Mapping[str, InterfaceDefinition], types: Mapping[str, Any]) -> None:
        resources = [(path, DRAFT7.create_resource(contents)) for path, contents in types.items()]
        self._registry: referencing.Registry[Any] = referencing.Registry().with_resources(resources)
        self._interfaces = interfaces
        self._validators: dict[tuple[str, ...], jsonschema.Draft7Validator] = {}

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
        validator = self._validators.get(key)
        if validator is None:
            validator = jsonschema.Draft7Validator(schema, registry=self._registry, format_checker=FORMATS)
            self._validators[key] = validator
        try:
            error = jsonschema.exceptions.best_match(validator.iter_errors(value))
        except (referencing.exceptions.Unresolvable, RecursionError) as problem:
            raise SchemaValidationError(f"{what}: its schema cannot be used: {problem!r}") from None
        if error is not None:
            raise SchemaValidationError(f"{what}: {error.json_path}: {error.message}")


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


class _Formats(jsonschema.FormatChecker):
    """The formats of the table above; any other name fails, as in EVerest."""

    def check(self, instance: object, format: str) -> None:
        if not isinstance(instance, str):
            return
        known = FORMAT_CHECKS.get(format)
        if known is None:
            raise jsonschema.exceptions.FormatError(f"unknown format {format!r}")
        try:
            valid = known(instance)
        except (ValueError, re.error):
            valid = False
        if not valid:
            raise jsonschema.exceptions.FormatError(f"{instance!r} is not a {format}")


FORMATS = _Formats()
