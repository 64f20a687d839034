"""What a module saw in its first life, read out of a trace: where that ends, what it was told in which order, and what
it was answered."""

from __future__ import annotations

import json
from typing import Any

from everest.trace.records import CONNECT, DISCONNECT, RECEIVED, SENT, BusMessage, Frame, Record
from everest.trace.world import World


def message(t: float, topic: str, data: Any) -> BusMessage:
    return BusMessage(t, f"everest/{topic}", json.dumps({"data": data, "msg_type": "Var"}).encode())


def start(t: float, *, others: bool = True) -> list[Record]:
    """The manager prepares a stack of `peer` and `it`, both ask for their configuration, `it` is ready."""
    config = {"module_config": {"configuration_parameters": {}, "connections": {"needs": [peer()]}}, "mappings": {}}
    asking = [message(t, "config/request", {"origin": "peer", "request": {"type": "Module"}})] if others else []
    return [
        message(t, "interface_definitions/any", {}),
        *asking,
        message(t, "config/request", {"origin": "it", "request": {"type": "Module"}}),
        message(t, "modules/it/response", {"response": {"type": "Module", "data": config}}),
        message(t, "modules/it/metadata", {"module": "It", "provides": {}}),
        message(t, "modules/it/ready", True),
    ]


def peer() -> dict[str, str]:
    return {"module_id": "peer", "implementation_id": "main"}


def told(t: float, value: Any) -> BusMessage:
    return message(t, "modules/peer/impl/main/var/news", {"data": value})


def said(t: float, value: Any) -> BusMessage:
    return message(t, "modules/it/impl/main/var/word", {"data": value})


def call(t: float, action: str, call_id: str) -> Frame:
    return Frame(t, SENT, json.dumps([2, call_id, action, {}]), "it")


def test_a_life_ends_with_the_last_message_before_the_stack_was_started_anew() -> None:
    trace = [*start(0.0), told(1.0, "a"), said(1.0, "A"), told(2.0, "b"), *start(500.0), told(501.0, "c")]
    world = World(trace, "it")
    assert world.end == 2.0
    assert [record.t for record, _ in world.inputs()] == [1.0, 2.0]


def test_a_module_that_was_started_anew_alone_lived_until_it_asked_again() -> None:
    trace = [*start(0.0), told(1.0, "a"), told(400.0, "b"), *start(500.0, others=False), told(501.0, "c")]
    assert World(trace, "it").end == 400.0


def test_another_module_that_was_started_anew_ends_no_life_of_those_that_speak_after_it() -> None:
    again = message(10.0, "config/request", {"origin": "peer", "request": {"type": "Module"}})
    trace = [*start(0.0), again, told(20.0, "a"), said(21.0, "A"), *start(500.0)]
    assert World(trace, "it").end == 21.0


def test_an_input_knows_whether_the_module_spoke_since_the_one_before() -> None:
    trace = [*start(0.0), told(1.0, "a"), told(1.0, "b"), said(1.0, "A"), told(1.0, "c"), told(1.0, "d")]
    assert [spoke for _, spoke in World(trace, "it").inputs()] == [False, False, True, False]


def test_a_call_that_was_not_answered_gets_no_answer_and_its_repetition_does() -> None:
    trace = [
        *start(0.0),
        call(1.0, "Heartbeat", "one"),
        call(5.0, "Heartbeat", "two"),
        Frame(5.5, RECEIVED, '[3, "two", {}]', "it"),
    ]
    answers = World(trace, "it").csms_answers["Heartbeat"]
    first, second, third = answers.to({}), answers.to({}), answers.to({})
    assert first is not None and first.delay is None
    assert second is not None and (second.delay, second.result) == (0.5, '[3, "two", {}]')
    assert third is second, "when all were given, the last that came is given again"


def test_only_a_connection_that_is_lost_in_the_last_moment_was_lost_by_the_end() -> None:
    opened, lost = Frame(1.0, CONNECT, "", "it"), Frame(60.0, DISCONNECT, "", "it")
    ended = World([*start(0.0), opened, told(59.0, "a"), lost], "it")
    lives = World([*start(0.0), opened, lost, told(90.0, "a")], "it")
    assert lost not in [record for record, _ in ended.inputs()]
    assert lost in [record for record, _ in lives.inputs()]
