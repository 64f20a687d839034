"""Times as the bus writes them. Pure but for the fall-back, which is the caller's."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time, aware and in UTC; without an offset it counts as UTC. None if it cannot be read.

    A real EVerest sends empty time stamps in reservation events and in meter values of a station without a meter.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def format_time(time: datetime) -> str:
    """UTC with exactly three decimals, cut, and `Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
