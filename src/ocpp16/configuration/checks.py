"""Reading the text of a ChangeConfiguration: one rule per key, text in, JSON value out, ValueError if it is refused.

The rules are those of libocpp 1.7, by key in `_BY_NAME` and else by kind. Pure. May import: key, keys, measurands,
messages. Must not import: files, configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from ocpp16.configuration.key import Key, Kind
from ocpp16.configuration.measurands import Wanted, parse_measurands, unsupported
from ocpp16.messages import ChargingProfilePurposeType, loose_time

LARGEST_INTEGER = 2**31 - 1
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_OFFSET = re.compile(r"([+-]?\d{1,2}):([+-]?\d{1,2})", re.ASCII)
_ROTATION = re.compile(r"(\d+)\.(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)", re.ASCII)
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")


class Values(Protocol):
    """What a rule may look at: the present configuration and the time."""

    @property
    def number_of_connectors(self) -> int: ...

    @property
    def supported_measurands(self) -> tuple[Wanted, ...]: ...

    @property
    def security_profile(self) -> int: ...

    @property
    def authorization_key(self) -> str | None: ...

    @property
    def now(self) -> datetime: ...

    def list_limit(self, name: str) -> int | None:
        """The value of `<name>MaxLength`, if present."""
        ...

    def accepts_value(self, key: Key[Any], value: Any) -> bool:
        """Whether the schema of the key takes the value."""
        ...


def authorization_key_bytes(stored: str) -> bytes:
    """The password bytes of an AuthorizationKey as stored or received (DEPARTURE 37).

    An even number of 32 to 40 hex digits stands for its bytes, of any value; anything else is UTF-8 text.
    """
    return bytes.fromhex(stored) if _HEX_KEY.fullmatch(stored) else stored.encode()


def read_value(key: Key[Any], text: str, values: Values) -> Any:
    """The JSON value to store for this text. ValueError says why it is refused."""
    rule = _BY_NAME.get(key.name) or _BY_KIND[key.kind]
    return rule(key, text, values)


def _boolean(key: Key[Any], text: str, _: Values) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text.lower() == "true"


def _integer(key: Key[Any], text: str, _: Values) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        raise ValueError("no whole number")
    least, greatest = key.bounds
    least = max(0, least or 0)
    greatest = LARGEST_INTEGER if greatest is None else greatest
    if not least <= int(text) <= greatest:
        raise ValueError(f"not within {least} to {greatest}")
    return int(text)


def _text(key: Key[Any], text: str, _: Values) -> str:
    least, greatest = key.length
    if len(text) < (least or 0) or (greatest is not None and len(text) > greatest):
        raise ValueError(f"{len(text)} characters, not {least or 0} to {greatest if greatest is not None else 500}")
    return text


def _object(key: Key[Any], text: str, values: Values) -> dict[str, Any]:
    value = read_object(text)
    if not values.accepts_value(key, value):
        raise ValueError("the JSON object does not fit the schema")
    return value


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a text; ValueError if it is none."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _refused(key: Key[Any], text: str, _: Values) -> Any:
    raise ValueError("values of this kind cannot be written over OCPP")


def _items(key: Key[Any], text: str, values: Values) -> list[str]:
    items = text.split(",") if text else []
    limit = values.list_limit(key.name)
    if limit is not None and len(items) > limit:
        raise ValueError(f"{len(items)} items, {key.name}MaxLength is {limit}")
    return items


def _measurands(key: Key[Any], text: str, values: Values) -> str:
    _items(key, text, values)
    foreign = unsupported(parse_measurands(text), values.supported_measurands)
    if foreign:
        raise ValueError(f"{foreign[0].measurand} is not in SupportedMeasurands")
    return text


def _phase_rotation(key: Key[Any], text: str, values: Values) -> str:
    for item in _items(key, text.replace(" ", ""), values) or [""]:
        match = _ROTATION.fullmatch(item)
        if match is None or int(match[1]) > values.number_of_connectors:
            raise ValueError(f"{item[:30]!r} is no <connector>.<rotation>")
    return text


def _evse_ids(key: Key[Any], text: str, values: Values) -> str:
    if any(not 7 <= len(item) <= 37 for item in text.split(",")):
        raise ValueError("an EVSE id has 7 to 37 characters")
    return _text(key, text, values)


def _purposes(key: Key[Any], text: str, values: Values) -> str:
    for item in _items(key, text, values):
        ChargingProfilePurposeType(item)
    return text


def _offset(key: Key[Any], text: str, values: Values) -> str:
    match = _OFFSET.fullmatch(text)
    if match is None or not -24 <= int(match[1]) <= 24 or not 0 <= int(match[2]) <= 59:
        raise ValueError("no offset such as +02:00")
    return _text(key, text, values)


def _future(key: Key[Any], text: str, values: Values) -> str:
    time = loose_time(text)
    if time is None or time <= values.now:
        raise ValueError("no time in the future")
    return _text(key, text, values)


def _security_profile(key: Key[Any], text: str, values: Values) -> int:
    """libocpp 4.4, but for the certificates: those are asked for by the caller."""
    profile = _integer(key, text, values)
    if profile <= values.security_profile:
        raise ValueError(f"not above the present {values.security_profile}")
    if profile in (1, 2) and not values.authorization_key:
        raise ValueError("there is no AuthorizationKey")
    return profile


_Rule = Callable[[Key[Any], str, Values], Any]

_BY_KIND: dict[Kind, _Rule] = {
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _integer,
    Kind.TEXT: _text,
    Kind.TEXTS: _refused,
    Kind.OBJECT: _object,
}

_BY_NAME: dict[str, _Rule] = {
    "MeterValuesAlignedData": _measurands,
    "MeterValuesSampledData": _measurands,
    "StopTxnAlignedData": _measurands,
    "StopTxnSampledData": _measurands,
    "ConnectorPhaseRotation": _phase_rotation,
    "ConnectorEvseIds": _evse_ids,
    "IgnoredProfilePurposesOffline": _purposes,
    "TimeOffset": _offset,
    "TimeOffsetNextTransition": _offset,
    "NextTimeOffsetTransitionDateTime": _future,
    "SecurityProfile": _security_profile,
}


def read_price_text(language: str, text: str, present: Any, supported_languages: str) -> dict[str, Any]:
    """The new DefaultPriceText with the text of one language replaced or added (libocpp 1.7)."""
    if language not in [name.strip() for name in supported_languages.split(",")]:
        raise ValueError(f"{language[:20]!r} is not in SupportedLanguages")
    entry = read_object(text) | {"language": language}
    if not isinstance(entry.get("priceText"), str):
        raise ValueError("priceText is missing")
    entries = list(present.get("priceTexts", ())) if isinstance(present, dict) else []
    places = [index for index, known in enumerate(entries) if known.get("language") == language]
    if places:
        entries[places[0]] = entry
    else:
        entries.append(entry)
    return {"priceTexts": entries}


def read_custom(kind: Any, text: str) -> Any:
    """The value of a Custom key by the type in its schema (libocpp 1.5.10)."""
    match kind:
        case "integer" if _INTEGER.fullmatch(text) and len(text) <= 20:
            return int(text)
        case "number" if _NUMBER.fullmatch(text):
            return float(text)
        case "string" | "array":
            return text
        case "boolean":
            return text.lower() == "true"
    raise ValueError(f"no value of the type {kind}")
