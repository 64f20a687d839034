"""Measurand lists as configuration keys hold them: `Energy.Active.Import.Register,Voltage.L1`.

An item is a measurand, or a measurand with one phase (DEPARTURE 24). May import: messages. Must not import: keys.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ocpp16.messages import Measurand, Phase

_MEASURANDS = frozenset(member.value for member in Measurand)
_PHASES = frozenset(member.value for member in Phase)


class Wanted(NamedTuple):
    """One item: a measurand with all its phases, or with this one only."""

    measurand: Measurand
    phase: Phase | None = None


@lru_cache(maxsize=128)
def parse_measurands(text: str) -> tuple[Wanted, ...]:
    """Read a list. Duplicates are left out, the empty text is the empty list. ValueError names an unknown item."""
    return tuple(dict.fromkeys(parse_measurand(item) for item in text.split(","))) if text else ()


def parse_measurand(item: str) -> Wanted:
    """Read one item, without blanks. ValueError if it is none."""
    if item in _MEASURANDS:
        return Wanted(Measurand(item))
    measurand, _, phase = item.rpartition(".")
    if measurand in _MEASURANDS and phase in _PHASES:
        return Wanted(Measurand(measurand), Phase(phase))
    raise ValueError(f"{item[:50]!r} is no measurand")


def unsupported(wanted: tuple[Wanted, ...], supported: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
    """The items that the station cannot measure: neither they nor their measurand as a whole are supported."""
    return tuple(item for item in wanted if item not in supported and Wanted(item.measurand) not in supported)
