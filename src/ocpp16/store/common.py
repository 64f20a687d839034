"""What both stores agree on: capacities, how id tags compare, and which rows are refused before they are written.

Pure. May import: store.rows, errors. Must not import: peewee, sqlite3, asyncio.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from ocpp16.errors import StoreError

CACHE_CAPACITY = 10_000
"""Entries of the authorization cache; the least recently written leave first (libocpp DEPARTURE 46)."""

DEAD_LETTER_CAPACITY = 1_000
"""Messages kept for a person after the CSMS refused them for good; the oldest leave first."""

_LARGEST_INTEGER = 2**63 - 1


class UnwritableChange(StoreError):
    """This change set cannot be written, now or ever: a mistake of whoever made it, not of the disk."""


def folded(id_tag: str) -> str:
    """The form in which id tags compare: OCPP 1.6 IdToken is a case-insensitive string."""
    return id_tag.casefold()


def check_change(change: msgspec.Struct) -> None:
    """Refuse what could not be read back as it was written. Raises UnwritableChange naming the field."""
    for name in change.__struct_fields__:
        _check_value(f"{type(change).__name__}.{name}", getattr(change, name))


def _check_value(place: str, value: object) -> None:
    match value:
        case datetime() if value.tzinfo is None:
            raise UnwritableChange(f"{place} is a time without zone: pass an aware datetime")
        case int() if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
            raise UnwritableChange(f"{place} does not fit into 64 bits: {value}")
        case bytes() | str() if not value.isascii():
            _check_text(place, value)
        case tuple():
            for index, item in enumerate(value):
                _check_value(f"{place}[{index}]", item)
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _check_value(f"{place}.{name}", getattr(value, name))


def _check_text(place: str, text: str | bytes) -> None:
    try:
        text.encode() if isinstance(text, str) else text.decode()
    except UnicodeError as error:
        raise UnwritableChange(f"{place} is no valid text: {error}") from error
