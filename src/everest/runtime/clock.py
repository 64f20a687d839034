"""The one place of the runtime that asks for the time or makes up identifiers.

Lives here: `Clock` (port), `SystemClock`, `timestamp` (the bus's text form), `parse_timestamp` and `new_uuid`.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a module gets the time from; injected, so that tests can play with it."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class SystemClock:
    """The wall clock of the machine."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly three decimals and `Z`, as error messages carry it (bus 4.2)."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_timestamp(text: str | None) -> datetime | None:
    """An RFC 3339 time, aware and in UTC; without an offset it counts as UTC. None for none, and for what is no time.

    A real EVerest sends empty time stamps in reservation events and in meter values of a station without a meter.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def new_uuid() -> str:
    """A fresh UUIDv4 as 36 characters (bus 3.1, 4.2)."""
    return str(uuid.uuid4())
