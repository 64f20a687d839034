"""What `choose` picks: something of the list, something between both ends, the same for the same seed."""

from __future__ import annotations

from typing import Any

import pytest

from everest.scenario.chance import Chance, bounds


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("5 min .. 2 h", (300, 7200)),
        ("3..9", (3, 9)),
        ("0.5 .. 1.5", (0.5, 1.5)),
        ("9 .. 3", None),
        ("5 min", None),
        ("a .. b", None),
        (5, None),
    ],
)
def test_a_range_has_two_ends_in_order(text: Any, ends: tuple[float, float] | None) -> None:
    assert bounds(text) == ends


def test_the_same_seed_picks_the_same() -> None:
    rows = [[chance.pick([1, 2, 3, 4, 5]) for _ in range(20)] for chance in (Chance(3), Chance(3), Chance(4))]
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]
    assert set(rows[0]) <= {1, 2, 3, 4, 5}


def test_what_is_picked_of_a_range_lies_in_it() -> None:
    chance = Chance(1)
    whole = [chance.pick("2 .. 4") for _ in range(50)]
    assert set(whole) == {2, 3, 4}
    assert all(0.5 <= chance.pick("0.5 .. 1.5") <= 1.5 for _ in range(50))
