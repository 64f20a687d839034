"""Normalisation, accepted differences and the comparison, on statements made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.trace.compare import compare
from everest.trace.differences import Rule, load
from everest.trace.normalise import plain
from everest.trace.records import TraceError
from everest.trace.said import Statement


def ocpp(*values: Any) -> list[Statement]:
    return [Statement(number, "ocpp", value) for number, value in enumerate(values)]


def status(connector: int) -> list[Any]:
    return ["StatusNotification", {"connectorId": connector, "status": "Available"}]


def test_ids_and_times_are_named_by_their_kind() -> None:
    first = {"id": "6f1a0c8e-1111-4222-8333-444455556666", "at": "2026-01-01T10:00:00.123Z", "timestamp": "", "n": 2.0}
    assert plain(first) == {"id": "<id>", "at": "<time>", "timestamp": "<time>", "n": 2}
    assert plain(["see 6F1A0C8E-1111-4222-8333-444455556666 at 10:00"]) == ["see <id> at 10:00"]
    assert plain({"transaction_id": "-17"}) != plain({"transaction_id": "17"})


def test_equal_statements_are_equal_whatever_their_ids_and_times() -> None:
    left = [Statement(1, "var a/b", {"timestamp": "2026-01-01T10:00:00Z", "value": 1})]
    right = [Statement(9, "var a/b", {"timestamp": "2027-01-01T10:00:00Z", "value": 1.0})]
    assert compare(left, right).equal


@pytest.mark.parametrize("changed", [["Heartbeat", {"x": 1}], ["MeterValues", {}]])
def test_a_changed_statement_is_a_difference(changed: list[Any]) -> None:
    found = compare(ocpp(["Heartbeat", {}]), ocpp(changed))
    assert [line[0] for line in found.differences[0].lines] == ["@", "-", "+"]
    assert not found.equal


def test_a_missing_statement_an_additional_one_and_a_changed_order_are_differences() -> None:
    one, two = ["Heartbeat", {}], ["Authorize", {"idTag": "A"}]
    assert not compare(ocpp(one, two), ocpp(one)).equal
    assert not compare(ocpp(one), ocpp(one, two)).equal
    assert not compare(ocpp(one, two), ocpp(two, one)).equal


def test_status_notifications_in_a_row_have_no_order() -> None:
    assert compare(ocpp(status(1), status(2)), ocpp(status(2), status(1))).equal
    between = ["Heartbeat", {}]
    assert not compare(ocpp(status(1), between, status(2)), ocpp(status(2), between, status(1))).equal


METER = {"meterValue": [{"sampledValue": [{"value": "1", "phase": "N"}, {"value": "2"}]}], "connectorId": 1}
ACCEPTED = [
    (Rule("a", "", action="Meter*", drop=True), [["MeterValues", {}]], []),
    (
        Rule("b", "", action="MeterValues", without=("meterValue/*/sampledValue/phase=N",)),
        [["MeterValues", METER]],
        [["MeterValues", {"meterValue": [{"sampledValue": [{"value": "2"}]}], "connectorId": 1}]],
    ),
    (Rule("c", "", once=True), [["Heartbeat", {}]], [["Heartbeat", {}], ["Heartbeat", {}]]),
    (
        Rule("d", "", unordered=True),
        [["Authorize", {}], ["Heartbeat", {}]],
        [["Heartbeat", {}], ["Authorize", {}]],
    ),
    (
        Rule("e", "", keep={"at": "keys", "key": "key", "values": ["A"], "members": ["key"]}),
        [["X", {"keys": [{"key": "A", "value": 1}, {"key": "B", "value": 1}]}]],
        [["X", {"keys": [{"key": "A", "value": 2}]}]],
    ),
]


@pytest.mark.parametrize(("rule", "left", "right"), ACCEPTED)
def test_an_accepted_difference_is_none_and_is_told_as_used(rule: Rule, left: list[Any], right: list[Any]) -> None:
    assert not compare(ocpp(*left), ocpp(*right)).equal
    found = compare(ocpp(*left), ocpp(*right), [rule])
    assert (found.equal, found.used, found.unused) == (True, {rule.name}, set())


@pytest.mark.parametrize("rule", [entry[0] for entry in ACCEPTED])
def test_a_rule_where_both_sides_agree_is_told_as_unused(rule: Rule) -> None:
    both = ocpp(["MeterValues", METER], ["Heartbeat", {}], ["Heartbeat", {}])
    assert compare(both, list(both), [rule]).unused == {rule.name}


def test_a_rule_is_for_its_traces_and_its_module_only() -> None:
    rule = Rule("a", "", module="OCPP", traces=("boot",))
    assert rule.concerns("boot", "OCPP")
    assert not rule.concerns("reset", "OCPP")
    assert not rule.concerns("boot", "Auth")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "a list"),
        ("- {name: a}", "a reason"),
        ("- {name: a, reason: b}", "exactly one of"),
        ("- {name: a, reason: b, drop: true, once: true}", "exactly one of"),
        ("- {name: a, reason: b, dropp: true}", "unknown dropp"),
        ("- {name: a, reason: b, drop: true}\n- {name: a, reason: b, drop: true}", "two differences"),
        ("- {name: a, reason: b, traces: 5, drop: true}", "entry 1 \\(a\\): traces: 5 is not of type 'array'"),
        ("- {name: a, reason: b, without: abc}", "without: 'abc' is not of type 'array'"),
        ("- {name: a, reason: b, keep: {at: x}}", "keep: 'key' is a required property"),
        ("- {name: a, reason: 5, drop: true}", "reason: 5 is not of type 'string'"),
        ("{", "list.yaml:2:1: while parsing"),
    ],
)
def test_mistakes_in_the_list_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "list.yaml").write_text(text)
    with pytest.raises(TraceError, match=said):
        load(tmp_path / "list.yaml")
