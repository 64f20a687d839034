"""How values lie in the table KVS (station 7.3): what is stored is what is loaded."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.PersistentStore import values


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (None, ("null", "nullptr_t")),
        (True, ("true", "bool")),
        (False, ("false", "bool")),
        (7, ("7", "int")),
        (-1.5, ("-1.500000", "double")),
        (2.0, ("2.000000", "double")),
        (0.123456789, ("0.123456789", "double")),
        (1e-9, ("1e-09", "double")),
        ("text", ("text", "std::string")),
        ("", ("", "std::string")),
        ([1, "a"], ('[1,"a"]', "Array")),
        ({"a": None}, ('{"a":null}', "Object")),
    ],
)
def test_the_rows_are_those_of_everest(value: Any, row: tuple[str, str]) -> None:
    assert values.encode(value) == row
    loaded = values.decode(*row)
    assert (loaded, type(loaded)) == (value, type(value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(json_values)
def test_every_json_value_comes_back_exactly(value: Any) -> None:
    loaded = values.decode(*values.encode(value))
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, [math.nan], b"bytes", object()])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        values.encode(value)


@pytest.mark.parametrize("row", [("x", "int"), ("x", "double"), ("yes", "bool"), ("{", "Object"), ("1", "unknown_t")])
def test_a_row_that_does_not_fit_its_type_is_named(row: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=row[1]):
        values.decode(*row)


@pytest.mark.parametrize(
    "row",
    [
        (None, "int"),
        (None, None),
        (b"\xff", "std::string"),
        ("NaN", "double"),
        ("Infinity", "double"),
        ("[NaN]", "Array"),
        ('{"a":-Infinity}', "Object"),
        ("[" * 100_000, "Array"),
    ],
)
def test_a_row_that_another_hand_spoiled_is_refused(row: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"the value of type|the text is no"):
        values.decode(*row)


def test_a_null_has_no_text_that_matters() -> None:
    assert values.decode(None, "nullptr_t") is None


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        values.encode(deep)
