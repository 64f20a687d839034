"""Whether global reservations can be honoured, in whatever order the cars arrive and wherever they park (station 1.10).

Lives here: one pure function. A car is left without a place exactly if the other cars can fill every place that suits
it; whether they can is a matching of these places with those cars.
May not be imported here: asyncio, everest.runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from everest.contracts.types.evse_manager import ConnectorTypeEnum

Types: TypeAlias = frozenset[ConnectorTypeEnum]
"""The usable connector types of one free EVSE; `Unknown` in it suits every car."""


def every_arrival_finds_a_place(wanted: Mapping[ConnectorTypeEnum, int], places: Iterable[Types]) -> bool:
    """True if for every arrival order each car finds a place of its type, whichever places the earlier cars took.

    `wanted`: number of reserved cars per connector type (`Unknown` takes any); `places`: the free, unreserved EVSEs.
    """
    usable = [place for place in places if place]
    cars = [type for type, count in wanted.items() for _ in range(count)]
    return not any(_can_be_shut_out(type, cars, usable) for type in dict.fromkeys(cars))


def _can_be_shut_out(type: ConnectorTypeEnum, cars: Sequence[ConnectorTypeEnum], places: Sequence[Types]) -> bool:
    """Whether the cars but one of `type` can fill every place that suits `type`."""
    suitable = [place for place in places if _suits(type, place)]
    others = list(cars)
    others.remove(type)
    taken: dict[int, int] = {}
    return all(_match(place, suitable, others, taken, set()) for place in range(len(suitable)))


def _match(
    place: int, places: Sequence[Types], cars: Sequence[ConnectorTypeEnum], taken: dict[int, int], tried: set[int]
) -> bool:
    """Find a car for the place, moving earlier ones elsewhere if need be; `taken` maps car -> place."""
    for car, type in enumerate(cars):
        if car in tried or not _suits(type, places[place]):
            continue
        tried.add(car)
        if car not in taken or _match(taken[car], places, cars, taken, tried):
            taken[car] = place
            return True
    return False


def _suits(wanted: ConnectorTypeEnum, place: Types) -> bool:
    return wanted is ConnectorTypeEnum.Unknown or wanted in place or ConnectorTypeEnum.Unknown in place
