"""What fits an expectation, and what is put in for placeholders."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from everest.scenario.matching import MISSING, UnknownName, difference, filled, picked, seconds

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": "*"}, {"a": None}),
        ({"a": "absent"}, {}),
        ({"a": ">= 5"}, {"a": "5.0"}),
        ({"a": "< 2026-03-02T09:00:00.000Z"}, {"a": "2026-03-02T08:59:59.000Z"}),
        ({"a": "/Char|Sus/"}, {"a": "SuspendedEV"}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}),
        ({"a": {"b": 2}}, {"a": [{"b": 1}, {"b": 2}]}),
        ({"a": 7}, {"a": "7"}),
    ],
)
def test_what_fits(expected: Any, actual: Any) -> None:
    assert difference(expected, actual) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 2, expected 1"),
        ({"a": 1}, {}, "a is absent, expected 1"),
        ({"a": "absent"}, {"a": 0}, "a is 0, expected absent"),
        ({"a": "*"}, {}, "a is absent, expected *"),
        ({"a": "> 5"}, {"a": 5}, "a is 5, expected > 5"),
        ({"a": "> 5"}, {}, "a is absent, expected > 5"),
        ({"a": [1, 2]}, {"a": [1]}, "a is [1], expected a list of at least 2"),
        ({"a": [1]}, {"a": [2]}, "a[0] is 2, expected 1"),
        ({"a": {"b": 3}}, {"a": [{"b": 1}]}, "no item of a fits {'b': 3}"),
        ({"a": True}, {"a": 1}, "a is 1, expected True"),
        ({"a": 1}, "text", "value is 'text', expected {'a': 1}"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(expected: Any, actual: Any, said: str) -> None:
    assert difference(expected, actual) == said


def test_placeholders_are_the_time_and_what_was_saved() -> None:
    names = {"tx": 4}
    assert filled({"a": ["$tx", "$now+90s"], "b": "< $now-1 h"}, names, NOW) == {
        "a": [4, "2026-03-02T08:01:30.000Z"],
        "b": "< 2026-03-02T07:00:00.000Z",
    }
    with pytest.raises(UnknownName, match="there are: tx"):
        filled("$other", names, NOW)


@pytest.mark.parametrize(
    ("text", "length"),
    [("10 s", 10), ("1.5min", 90), ("2 h", 7200), ("500 ms", 0.5), (3, 3), ("soon", None), (-1, None), (True, None)],
)
def test_times_are_written_with_their_unit(text: Any, length: float | None) -> None:
    assert seconds(text) == length


def test_a_field_is_picked_by_its_dotted_path() -> None:
    assert picked({"a": [{"b": 5}]}, "a.0.b") == 5
    assert picked({"a": [{"b": 5}]}, "a.1.b") is MISSING
