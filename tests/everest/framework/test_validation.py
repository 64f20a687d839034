"""`validate_schema` in the drop-in (bus 3.4): who checks what, and what happens to what is wrong."""

from __future__ import annotations

import pytest

from tests.everest.framework.conftest import Pair
from tests.everest.framework.station import Heard
from tests.support.mosquitto import needs_mosquitto

pytestmark = needs_mosquitto

GOOD = {"key": "ab", "value": 1}


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"key": "ab"}, "value is missing"),
        ({**GOOD, "extra": 1}, "no argument extra"),
        ({**GOOD, "key": "a"}, "key"),
        ({**GOOD, "value": None}, "value"),
    ],
)
def test_the_caller_checks_number_names_and_values_of_arguments(
    strict: Pair, args: dict[str, object], reason: str
) -> None:
    with pytest.raises(RuntimeError, match=reason):
        strict.probe.call_command(strict.to_box, "store", args)
    assert strict.stored.nothing


def test_the_provider_refuses_wrong_arguments_without_calling_the_handler(strict: Pair) -> None:
    strict.probe._context.validator = None
    with pytest.raises(RuntimeError, match="key"):
        strict.probe.call_command(strict.to_box, "store", {**GOOD, "key": "a"})
    assert strict.probe.call_command(strict.to_box, "store", {**GOOD, "extra": 1}) is None
    assert strict.stored.next()["key"] == "ab" and strict.stored.nothing


def test_a_wrong_result_is_answered_as_a_failure_and_the_provider_lives_on(strict: Pair) -> None:
    strict.stored.answer = lambda value: "unexpected"
    with pytest.raises(RuntimeError, match="result of store"):
        strict.probe.call_command(strict.to_box, "store", GOOD)
    strict.stored.answer = lambda value: None
    assert strict.probe.call_command(strict.to_box, "store", GOOD) is None


def test_the_publisher_refuses_wrong_or_undeclared_variables(strict: Pair) -> None:
    for implementation, name, value in (("main", "level", -1), ("main", "colour", 1), ("third", "level", 1)):
        with pytest.raises(RuntimeError):
            strict.box.publish_variable(implementation, name, value)


def test_the_subscriber_drops_wrong_values(strict: Pair) -> None:
    level = Heard()
    strict.probe.subscribe_variable(strict.to_box, "level", level)
    strict.box._context.validator = None
    for value in (-1, "high", 3):
        strict.box.publish_variable("main", "level", value)
    assert level.next() == 3 and level.nothing


def test_without_validation_all_of_it_passes(pair: Pair) -> None:
    level = Heard()
    pair.probe.subscribe_variable(pair.to_box, "level", level)
    pair.box.publish_variable("main", "level", "high")
    assert level.next() == "high"
    pair.stored.answer = lambda value: "unexpected"
    assert pair.probe.call_command(pair.to_box, "store", {}) == "unexpected"
