"""Whether global reservations can be honoured, in whatever order the cars arrive and wherever they park (station 1.10).

Lives here: one pure function over counted connector types. EVSEs with the same offer are counted, not listed, so that
the search stays small for large stations.
May not be imported here: asyncio, everest.runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias, TypeVar

from everest.contracts.types.evse_manager import ConnectorTypeEnum

Types: TypeAlias = frozenset[ConnectorTypeEnum]
"""The usable connector types of one free EVSE; `Unknown` in it suits every car."""

_T = TypeVar("_T")
_Counted: TypeAlias = tuple[tuple[ConnectorTypeEnum, int], ...]
_Places: TypeAlias = tuple[tuple[Types, int], ...]


def every_arrival_finds_a_place(wanted: Mapping[ConnectorTypeEnum, int], places: Iterable[Types]) -> bool:
    """True if for every arrival order each car finds a place of its type, whichever places the earlier cars took.

    `wanted`: number of reserved cars per connector type (`Unknown` takes any); `places`: the free, unreserved EVSEs.
    """
    cars = {type: count for type, count in wanted.items() if count > 0}
    return _holds(tuple(sorted(cars.items())), _count(Counter(place for place in places if place)))


def _count(places: Mapping[Types, int]) -> _Places:
    return tuple(sorted(((p, n) for p, n in places.items() if n > 0), key=lambda item: (sorted(item[0]), item[1])))


def _without(items: Iterable[tuple[_T, int]], taken: _T) -> tuple[tuple[_T, int], ...]:
    lowered = ((item, count - 1 if item == taken else count) for item, count in items)
    return tuple((item, count) for item, count in lowered if count > 0)


@lru_cache(maxsize=16384)
def _holds(cars: _Counted, places: _Places) -> bool:
    for type, _ in cars:
        fitting = [place for place, _ in places if _fits(type, place)]
        if not fitting:
            return False
        rest = _without(cars, type)
        if not all(_holds(rest, _without(places, place)) for place in fitting):
            return False
    return True


def _fits(wanted: ConnectorTypeEnum, place: Types) -> bool:
    return wanted is ConnectorTypeEnum.Unknown or wanted in place or ConnectorTypeEnum.Unknown in place
