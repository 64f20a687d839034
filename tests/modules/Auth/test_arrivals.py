"""Whether global reservations can be honoured (station 1.10): against a search of every order and every choice."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everest.contracts.types.evse_manager import ConnectorTypeEnum as T
from modules.Auth.arrivals import Types, every_arrival_finds_a_place

CCS, TYPE2, UNKNOWN = T.cCCS2, T.cType2, T.Unknown


def place(*types: T) -> Types:
    return frozenset(types)


@pytest.mark.parametrize(
    ("wanted", "places", "fits"),
    [
        ([], [], True),
        ([CCS], [], False),
        ([CCS], [place(CCS)], True),
        ([CCS], [place(TYPE2)], False),
        ([CCS], [place()], False),
        ([UNKNOWN], [place(TYPE2)], True),
        ([CCS], [place(UNKNOWN)], True),
        ([CCS, TYPE2], [place(CCS), place(TYPE2)], True),
        ([CCS, TYPE2], [place(CCS, TYPE2), place(TYPE2)], False),
        ([CCS, TYPE2], [place(CCS, TYPE2), place(CCS, TYPE2)], True),
        ([CCS, CCS, TYPE2], [place(CCS), place(CCS), place(TYPE2)], True),
        ([CCS, CCS, TYPE2], [place(CCS, TYPE2), place(CCS), place(TYPE2)], False),
        ([UNKNOWN, CCS], [place(CCS), place(TYPE2)], False),
        ([UNKNOWN, CCS], [place(CCS), place(CCS), place(TYPE2)], True),
    ],
)
def test_known_stations(wanted: list[T], places: list[Types], fits: bool) -> None:
    assert every_arrival_finds_a_place(Counter(wanted), places) is fits


def takes(car: T, offered: Types) -> bool:
    return bool(offered) and (car is UNKNOWN or car in offered or UNKNOWN in offered)


def all_arrive(order: tuple[T, ...], places: tuple[Types, ...]) -> bool:
    """Literally: the first car finds a place, and whichever it takes, so do the others."""
    if not order:
        return True
    fitting = [n for n, offered in enumerate(places) if takes(order[0], offered)]
    return bool(fitting) and all(all_arrive(order[1:], places[:n] + places[n + 1 :]) for n in fitting)


kinds = st.sampled_from([CCS, TYPE2, UNKNOWN])


@given(st.lists(kinds, max_size=4), st.lists(st.frozensets(kinds, max_size=2), max_size=4))
def test_counting_gives_what_trying_every_order_and_every_choice_gives(wanted: list[T], places: list[Types]) -> None:
    literally = all(all_arrive(order, tuple(places)) for order in itertools.permutations(wanted))
    assert every_arrival_finds_a_place(Counter(wanted), places) is literally


def test_a_large_station_is_no_hard_problem() -> None:
    places = [place(CCS)] * 40 + [place(TYPE2)] * 40 + [place(CCS, TYPE2)] * 40
    assert every_arrival_finds_a_place({CCS: 39, TYPE2: 20, UNKNOWN: 20}, places)
    assert not every_arrival_finds_a_place({CCS: 41, TYPE2: 20, UNKNOWN: 40}, places)
