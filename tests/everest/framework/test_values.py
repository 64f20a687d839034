"""Values between Python and JSON (bus 7)."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any

import pytest

from everest.framework.values import to_json


class Colour(enum.Enum):
    red = "red"


class Word(enum.StrEnum):
    yes = "yes"


class Number(enum.IntEnum):
    one = 1


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        ("ü", "ü"),
        (Word.yes, "yes"),
        (Number.one, 1),
        ((1, (2,)), [1, [2]]),
        ([1, "a"], [1, "a"]),
        (b"\x00\xff", "AP8="),
        ({3: "a", None: "b", True: "c", (1,): "d"}, {"3": "a", "None": "b", "True": "c", "(1,)": "d"}),
    ],
)
def test_values_that_json_knows_are_converted(value: Any, json: Any) -> None:
    converted = to_json(value)
    assert converted == json and type(converted) is type(json)


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), Colour.red, datetime(2026, 1, 1, tzinfo=UTC), 2**64, -(2**63) - 1, "\ud800", {"\ud800": 1}, 1j],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"deep": [value]}])
def test_anything_else_is_a_runtime_error(value: Any, wrap: Any) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent"):
        to_json(wrap(value))


def test_a_value_that_contains_itself_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="nested too deeply"):
        to_json(endless())
