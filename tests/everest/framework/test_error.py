"""The `error` sub-module (bus 7.3), without a bus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from everest.framework import error
from everest.framework.error import ErrorFactory, received, sent
from everest.runtime import Mapping, Origin

ORIGIN = Origin("box", "main", Mapping(1))


def factory() -> ErrorFactory:
    return ErrorFactory(ORIGIN, {"sink/Full": "Nothing more fits in"}.__getitem__)


def test_enums_have_names_and_integer_values() -> None:
    assert [(item.name, item.value, int(item)) for item in error.Severity] == [
        ("Low", 0, 0),
        ("Medium", 1, 1),
        ("High", 2, 2),
    ]
    assert [(item.name, int(item)) for item in error.State] == [
        ("Active", 0),
        ("ClearedByModule", 1),
        ("ClearedByReboot", 2),
    ]
    assert [error.Low, error.Medium, error.High] == list(error.Severity)
    assert [error.Active, error.ClearedByModule, error.ClearedByReboot] == list(error.State)


def test_a_uuid_is_random_or_the_given_text() -> None:
    assert len(error.UUID().uuid) == 36 and error.UUID().uuid != error.UUID().uuid
    assert error.UUID("abc").uuid == "abc" and str(error.UUID("abc")) == "abc"


def test_an_error_has_the_defaults_of_the_original_and_attributes_that_can_be_set() -> None:
    made = error.Error()
    assert (made.type, made.sub_type) == ("NotValidType", "")
    assert (made.description, made.message) == ("no description provided", "no message provided")
    assert (made.severity, made.state) == (error.Low, error.Active)
    assert made.origin == error.ImplementationIdentifier("no-module-id-provided", "no-implementation-id-provided", None)
    assert isinstance(made.timestamp, datetime) and abs(datetime.now(UTC) - made.timestamp) < timedelta(minutes=1)
    made.uuid, made.severity, made.origin.mapping = error.UUID("x"), error.High, error.Mapping(2, 1)
    assert (made.uuid.uuid, made.severity, made.origin.mapping.connector) == ("x", error.High, 1)


@pytest.mark.parametrize(
    ("more", "severity", "state"),
    [
        ((), error.Low, error.Active),
        ((error.High,), error.High, error.Active),
        ((error.ClearedByModule,), error.Low, error.ClearedByModule),
        ((error.Medium, error.ClearedByReboot), error.Medium, error.ClearedByReboot),
    ],
)
def test_the_factory_chooses_its_overload_by_the_fourth_argument(more: Any, severity: Any, state: Any) -> None:
    made = factory().create_error("sink/Full", "sub", "text", *more)
    assert (made.type, made.sub_type, made.message) == ("sink/Full", "sub", "text")
    assert (made.severity, made.state, made.description) == (severity, state, "Nothing more fits in")
    assert made.origin == error.ImplementationIdentifier("box", "main", error.Mapping(1))


def test_the_factory_makes_an_empty_error_with_its_origin() -> None:
    made = factory().create_error()
    assert (made.type, made.origin.module_id) == ("NotValidType", "box")


@pytest.mark.parametrize(
    "arguments", [("a",), ("a", "b"), ("a", "b", "c", 1), ("a", "b", "c", error.Active, error.Low)]
)
def test_the_factory_refuses_other_arguments(arguments: Any) -> None:
    with pytest.raises(TypeError):
        factory().create_error(*arguments)


def test_what_is_sent_has_the_ten_fields_of_the_wire_and_comes_back_the_same() -> None:
    made = factory().create_error("sink/Full", "sub", "text", error.Medium)
    made.timestamp = datetime(2026, 3, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    wire = sent(made)
    assert (wire.timestamp, wire.vendor_id, wire.severity.value) == ("2026-03-01T12:00:00.123Z", "everest", "Medium")
    assert wire.origin == ORIGIN
    back = received(wire)
    made.timestamp = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
    assert vars(back) == vars(made)


def test_a_timestamp_of_a_peer_that_is_none_stays_text() -> None:
    made = error.Error()
    made.timestamp = "once upon a time"
    assert received(sent(made)).timestamp == "once upon a time"


def test_an_attribute_of_the_wrong_type_is_refused_before_it_is_sent() -> None:
    made = error.Error()
    made.message = 5  # type: ignore[assignment]
    with pytest.raises(TypeError, match="message of an error is text"):
        sent(made)
