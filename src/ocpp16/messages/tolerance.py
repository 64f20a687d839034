"""What is tolerated of a payload that breaks the schema, by name: the table `Tolerated` and the walk that repairs it.

Well-formed payloads never come here (`codec.py` decodes them in one pass). A payload that the strict decoder refuses,
or that contains null, is walked along its type, repaired, and every repair reported with its name and place.
Everything not in the table stays refused. May import: base, types. Must not import: codec.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from ocpp16.messages.base import Timestamp, Type, format_timestamp, parse_timestamp
from ocpp16.messages.types import UnitOfMeasure

logger = logging.getLogger(__name__)


class Tolerated(StrEnum):
    """The deviations of a peer that are accepted."""

    ADDITIONAL_MEMBER = "additional member, left out"
    NULL_MEMBER = "null for an optional member, taken as absent"
    WHOLE_NUMBER_WITH_FRACTION = "integer written with a fraction (1.0)"
    TIMESTAMP_FORM = "time in another form than RFC 3339"
    UNIT_SPELLING = "unit in another spelling"


Report = Callable[[Tolerated, str], None]
"""Called with the deviation and its place as a JSON pointer with `*` for array indices (`/meterValue/*/timestamp`)."""

UNIT_SPELLINGS = {"Celcius": UnitOfMeasure.Celsius.value, "percent": UnitOfMeasure.Percent.value}
"""`Celcius` is the spelling of OCPP 1.6 edition 1."""

_LOOSE_TIME = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d*))?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?\s*", re.ASCII
)


def repair(value: Any, struct: type[Type], report: Report) -> Any:
    """A copy of the JSON value in which tolerated deviations are gone. What cannot be repaired is left as it is."""
    return _repair(value, _type_info(struct), "", report)


@cache
def _type_info(struct: type[Type]) -> inspect.Type:
    return inspect.type_info(struct)


def _repair(value: Any, info: inspect.Type, path: str, report: Report) -> Any:
    if isinstance(info, inspect.UnionType):
        info = next(member for member in info.types if not isinstance(member, inspect.NoneType))
    match info:
        case inspect.StructType() if isinstance(value, dict):
            return _repair_members(value, info, path, report)
        case inspect.VarTupleType() if isinstance(value, list):
            return [_repair(item, info.item_type, f"{path}/*", report) for item in value]
        case inspect.IntType() if isinstance(value, float) and value.is_integer():
            report(Tolerated.WHOLE_NUMBER_WITH_FRACTION, path)
            return int(value)
        case inspect.EnumType() if info.cls is UnitOfMeasure and isinstance(value, str) and value in UNIT_SPELLINGS:
            report(Tolerated.UNIT_SPELLING, path)
            return UNIT_SPELLINGS[value]
        case inspect.CustomType() if info.cls is Timestamp and isinstance(value, str):
            return _repair_time(value, path, report)
    return value


def _repair_members(value: dict[str, Any], info: inspect.StructType, path: str, report: Report) -> dict[str, Any]:
    fields = {field.encode_name: field for field in info.fields}
    repaired = {}
    for name, member in value.items():
        place = f"{path}/{name}"
        field = fields.get(name)
        if field is None:
            report(Tolerated.ADDITIONAL_MEMBER, place)
        elif member is None and not field.required:
            report(Tolerated.NULL_MEMBER, place)
        else:
            repaired[name] = _repair(member, field.type, place, report)
    return repaired


def _repair_time(text: str, path: str, report: Report) -> str:
    try:
        parse_timestamp(text)
    except ValueError:
        loose = loose_time(text)
        if loose is not None:
            report(Tolerated.TIMESTAMP_FORM, path)
            return format_timestamp(loose)
    return text


def loose_time(text: str) -> datetime | None:
    """Read a time with a blank instead of T, without seconds, with a decimal comma, an offset such as +0200 or +02,

    a leap second (:60) or the hour 24:00. None for anything else: a date alone is not a time.
    """
    match = _LOOSE_TIME.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = match.groups()
    past_midnight = timedelta(days=1) if hour == "24" and minute == "00" and second in (None, "00") else timedelta()
    leap = timedelta(seconds=1) if second == "60" else timedelta()
    try:
        clock = f"{'00' if past_midnight else hour}:{minute}:{'59' if leap else second or '00'}"
        time = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}")
        zone = UTC
        if sign:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
            zone = timezone(offset if sign == "+" else -offset)
        return (time.replace(tzinfo=zone) + past_midnight + leap).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class LogOnce:
    """Reports each deviation of each action once, as a warning. Bounded, so that a peer cannot fill the memory."""

    LIMIT = 1000

    def __init__(self) -> None:
        self._seen: set[tuple[str, Tolerated, str]] = set()

    def reporter(self, name: str) -> Report:
        """A `Report` for payloads called `name`."""

        def report(deviation: Tolerated, path: str) -> None:
            key = (name, deviation, path)
            if key in self._seen or len(self._seen) >= self.LIMIT:
                return
            self._seen.add(key)
            logger.warning("%s: tolerated at %.200s: %s", name, path, deviation.value)

        return report


def decode_json(raw: bytes | str | msgspec.Raw) -> Any:
    """Plain JSON values. Of duplicate keys the last one counts."""
    return msgspec.json.decode(raw)
