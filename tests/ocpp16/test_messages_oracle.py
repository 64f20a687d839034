"""Every message against the official JSON schemas: accepted and refused alike, but for written differences."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from ocpp16.messages import (
    PayloadError,
    Request,
    Response,
    decode_request,
    decode_response,
    encode_payload,
    request_types,
    response_types,
)
from tests.support.payloads import NAMES, Payload, mutated, oracle_accepts, schema, valid


class Difference(NamedTuple):
    """Where we and the schema part: what we do, why, and the mutations (or values) it covers."""

    we_accept: bool
    reason: str


DIFFERENCES: dict[str, Difference] = {
    "additional member": Difference(True, "lenient in what is received (libocpp 3.3)"),
    "null, optional": Difference(True, "null for an optional member means absent to many JSON libraries"),
    "time without offset": Difference(True, "taken as UTC (libocpp, head of the reference)"),
    "time, other form": Difference(True, "readable without guessing; reported as tolerated"),
    "whole number with fraction": Difference(True, "1.0 is the integer 1 in JSON Schema from draft 6 on"),
    "one decimal that floats miss": Difference(True, "0.3 has one decimal; multipleOf 0.1 fails in binary"),
    "beyond 64 bit": Difference(False, "no database column and no other station takes such an id"),
    "empty sampledValue": Difference(False, "OCPP 1.6 §7.33 wants at least one; the StopTransaction schema forgot it"),
    "unit of the other message": Difference(
        True, "Hertz is in the MeterValues schema, and missing in StopTransaction's"
    ),
    "unit spelling": Difference(True, "percent in other capitals is seen in the field"),
    "trigger of the other message": Difference(True, "decoded, to be answered NotImplemented (DEPARTURE 13)"),
}


def _decode(name: str, payload: Any) -> Request | Response:
    raw = json.dumps(payload).encode()
    if name.endswith("Response"):
        return decode_response(name.removesuffix("Response"), raw)
    return decode_request(name, raw)


def _we_accept(name: str, payload: Any) -> bool:
    try:
        _decode(name, payload)
    except PayloadError:
        return False
    return True


def _difference(name: str, payload: Payload) -> Difference | None:
    if payload.kind == "whole number with fraction" and "draft-06" in schema(name)["$schema"]:
        return None
    if (
        payload.place.endswith("/sampledValue")
        and name == "StopTransaction"
        and '"sampledValue": []' in json.dumps(payload.value)
    ):
        return DIFFERENCES["empty sampledValue"]
    return DIFFERENCES.get(payload.kind)


def _mismatches(name: str, payloads: list[Payload]) -> list[str]:
    wrong = []
    for payload in payloads:
        difference = _difference(name, payload)
        official, ours = oracle_accepts(name, payload.value), _we_accept(name, payload.value)
        expected = official if difference is None else difference.we_accept
        if ours != expected or (difference is not None and official == ours):
            wrong.append(f"{payload.kind} at {payload.place}: schema {official}, we {ours}")
    return wrong


def test_there_is_a_schema_for_every_message_and_a_message_for_every_schema() -> None:
    assert sorted([*request_types(), *(f"{action}Response" for action in response_types())]) == NAMES
    assert len(request_types()) == 39


@pytest.mark.parametrize("name", NAMES)
def test_what_the_schema_accepts_is_accepted(name: str) -> None:
    payloads = list(valid(name))
    assert all(oracle_accepts(name, payload.value) for payload in payloads)
    assert _mismatches(name, payloads) == []


@pytest.mark.parametrize("name", NAMES)
def test_one_broken_constraint_is_refused_as_the_schema_does(name: str) -> None:
    assert _mismatches(name, list(mutated(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_we_encode_is_valid_and_reads_back_equal(name: str) -> None:
    for payload in valid(name):
        if not _we_accept(name, payload.value):
            continue
        message = _decode(name, payload.value)
        encoded = json.loads(encode_payload(message))
        assert oracle_accepts(name, encoded), payload
        assert _decode(name, encoded) == message


def _stop_transaction(**sampled: Any) -> dict[str, Any]:
    value = {"timestamp": "2024-05-01T12:00:00Z", "sampledValue": [{"value": "1", **sampled}]}
    return {"meterStop": 1, "timestamp": "2024-05-01T12:00:00Z", "transactionId": 1, "transactionData": [value]}


@pytest.mark.parametrize(
    ("difference", "name", "payload"),
    [
        ("unit of the other message", "StopTransaction", _stop_transaction(unit="Hertz")),
        ("unit spelling", "StopTransaction", _stop_transaction(unit="percent")),
        ("trigger of the other message", "TriggerMessage", {"requestedMessage": "LogStatusNotification"}),
        (
            "trigger of the other message",
            "ExtendedTriggerMessage",
            {"requestedMessage": "DiagnosticsStatusNotification"},
        ),
    ],
)
def test_differences_in_single_values_are_as_written(difference: str, name: str, payload: dict[str, Any]) -> None:
    assert _we_accept(name, payload) is DIFFERENCES[difference].we_accept
    assert oracle_accepts(name, payload) is not DIFFERENCES[difference].we_accept


def test_no_difference_is_written_that_does_not_exist() -> None:
    seen = {_kind for name in NAMES for _kind in (payload.kind for payload in mutated(name))}
    single = {"empty sampledValue", "unit of the other message", "unit spelling", "trigger of the other message"}
    assert set(DIFFERENCES) <= seen | single
