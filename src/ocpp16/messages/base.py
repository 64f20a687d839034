"""What every OCPP 1.6 message is made of: base structs, timestamps, bounded texts and numbers.

A message is a frozen struct, declared once, with its constraints in the field types. The Python names are snake case,
the JSON names camel case. `Request` and `Response` know their action name. Absent optional members are None.
May import: msgspec and the standard library. Must not import: anything else of ocpp16.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, dataclass_transform

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

if TYPE_CHECKING:
    Timestamp = datetime
else:

    class Timestamp(datetime):
        """An aware UTC time with whole milliseconds: what an OCPP message can say (libocpp 12.9: cut, not rounded).

        Type checkers see plain `datetime`, and any `datetime` may be passed to a message: the message turns it into
        this type (naive counts as UTC), so a message in memory equals the one that comes back from the wire.
        """


_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|z|([+-])(\d\d):(\d\d))?", re.ASCII)


def to_timestamp(time: datetime) -> Timestamp:
    """The same instant in UTC with whole milliseconds (cut). Naive times count as UTC."""
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return Timestamp(
        utc.year,
        utc.month,
        utc.day,
        utc.hour,
        utc.minute,
        utc.second,
        utc.microsecond // 1000 * 1000,
        UTC,
    )


def _is_settled(time: datetime) -> bool:
    """Arithmetic and `astimezone` keep the type, so the type alone says too little."""
    return type(time) is Timestamp and time.tzinfo is UTC and time.microsecond % 1000 == 0


def parse_timestamp(text: str) -> Timestamp:
    """Read RFC 3339 with `Z`, an offset or neither (UTC), any number of decimals. ValueError for anything else.

    Other spellings that real back ends use are tolerated by `tolerance.py`, and reported.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no RFC 3339 time such as 2024-05-01T12:00:00.000Z")
    fraction = match[7]
    micro = int(fraction[:3].ljust(3, "0")) * 1000 if fraction else 0
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if match[8] is None:
        return Timestamp(year, month, day, hour, minute, second, micro, UTC)
    offset = f"{match[8]}{match[9]}:{match[10]}"
    try:
        return to_timestamp(datetime.fromisoformat(f"{text[:19]}.{micro:06d}{offset}"))
    except OverflowError as error:
        raise ValueError(f"{text[:40]!r} lies outside the years 1 to 9999") from error


def format_timestamp(time: datetime) -> str:
    """RFC 3339, UTC, always three decimals (cut, libocpp 12.9), suffix Z: `2024-05-01T12:00:00.123Z`."""
    stamp = time if _is_settled(time) else to_timestamp(time)
    return stamp.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Type(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Base of all data types of OCPP 1.6. Unknown members are no error: see `tolerance.py`."""

    def _settle(self, *names: str) -> None:
        """Turn the times in these fields into `Timestamp`; called by `__post_init__` of types that have times."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not _is_settled(value):
                force_setattr(self, name, to_timestamp(value))


class Request(Type):
    """Base of the payloads of CALLs. `action` is the OCPP action name, such as `BootNotification`."""

    action: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.action = cls.__name__.removesuffix("Request")


class Response(Type):
    """Base of the payloads of CALLRESULTs. `action` is the OCPP action name, such as `BootNotification`."""

    action: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.action = cls.__name__.removesuffix("Response")


Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""OCPP names no bounds; ids beyond 32 bit are seen in the field, beyond 64 bit no database takes them."""

CiString20 = Annotated[str, Meta(max_length=20)]
CiString25 = Annotated[str, Meta(max_length=25)]
CiString50 = Annotated[str, Meta(max_length=50)]
CiString255 = Annotated[str, Meta(max_length=255)]
CiString500 = Annotated[str, Meta(max_length=500)]
IdToken = CiString20
"""An id tag. Compared without regard to case (CiString)."""
