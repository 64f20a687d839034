"""Strict mode: payloads against the distributed definitions as JSON Schema draft-07 (bus 3.4).

Lives here: `Validator` on jsonschema-rs, imported only when `validate_schema` is on.
Siblings of `$ref` are ignored, `/file#/Type` resolves in the distributed type files, unknown formats fail.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

import jsonschema_rs
from msgspec import Raw

from everest.runtime.codec import PayloadError, decode
from everest.runtime.errors import SchemaValidationError
from everest.runtime.model import CommandDefinition, InterfaceDefinition

NO_RESULT = {"type": "null"}


class PlacedError(SchemaValidationError):
    """A failure that has a place and a broken rule, without the value: `place` is the same for every such message."""

    def __init__(self, text: str, place: str) -> None:
        super().__init__(text)
        self.place = place


class Validator:
    """Checks JSON text; every failure is a SchemaValidationError with place and reason."""

    def __init__(self, interfaces: Mapping[str, InterfaceDefinition], types: Mapping[str, Any]) -> None:
        self._registry = jsonschema_rs.Registry(
            list(types.items()), draft=jsonschema_rs.Draft7, retriever=_refuse_to_fetch
        )
        self._interfaces = interfaces
        self._validators: dict[tuple[str, ...], jsonschema_rs.Draft7Validator] = {}

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
            validator = self._validators[key] = self._compiled(schema, what)
        try:
            validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            place = _path(error.instance_path)
            rule = str(error.schema_path[-1]) if error.schema_path else "schema"
            general = re.sub(r"\[\d+\]", "[]", place)
            raise PlacedError(f"{what}: {place}: {error.message}", f"{what}: {general}: {rule}") from None
        except ValueError as error:
            raise SchemaValidationError(f"{what}: cannot be checked: {error}") from None

    def _compiled(self, schema: Any, what: str) -> jsonschema_rs.Draft7Validator:
        try:
            return jsonschema_rs.Draft7Validator(
                schema,
                registry=self._registry,
                formats=FORMATS,
                validate_formats=True,
                ignore_unknown_formats=False,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise SchemaValidationError(f"{what}: its schema cannot be used: {reason}") from None


def _refuse_to_fetch(uri: str) -> Any:
    """A reference to what was not distributed: nothing is ever fetched over the network."""
    raise LookupError(f"{uri} is not among the distributed types")


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
