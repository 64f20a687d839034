"""What a module saw in its first life, read out of a trace: where that ends, what it was told in which order, and what
it was answered."""

from __future__ import annotations

import json
from dataclasses import replace
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
    assert [item.record.t for item in world.inputs()] == [1.0, 2.0]


def test_a_module_that_was_started_anew_alone_lived_until_it_asked_again() -> None:
    trace = [*start(0.0), told(1.0, "a"), told(400.0, "b"), *start(500.0, others=False), told(501.0, "c")]
    assert World(trace, "it").end == 400.0


def test_another_module_that_was_started_anew_ends_no_life_of_those_that_speak_after_it() -> None:
    again = message(10.0, "config/request", {"origin": "peer", "request": {"type": "Module"}})
    trace = [*start(0.0), again, told(20.0, "a"), said(21.0, "A"), *start(500.0)]
    assert World(trace, "it").end == 21.0


def test_an_input_knows_what_the_module_has_said_by_then() -> None:
    trace = [
        *start(0.0),
        told(1.0, "a"),
        told(1.0, "b"),
        said(1.0, "A"),
        told(1.0, "c"),
        said(1.0, "B"),
        told(2.0, "d"),
    ]
    once, twice = (("var main/word", 1),), (("var main/word", 2),)
    assert [item.after for item in World(trace, "it").inputs()] == [(), (), once, twice]


def test_inputs_of_a_moment_come_by_their_turns_and_frames_a_turn_before_they_were_noted() -> None:
    trace = [
        *start(0.0),
        call(1.0, "Heartbeat", "one"),
        replace(told(2.0, "a"), turn=0),
        replace(said(2.0, "A"), turn=1),
        replace(told(2.0, "b"), turn=3),
        Frame(2.0, RECEIVED, '[3, "one", {}]', "it", 4),
        Frame(2.0, RECEIVED, '[2, "two", "ClearCache", {}]', "it", 4),
        replace(told(3.0, "c"), turn=0),
    ]
    inputs = list(World(trace, "it").inputs())
    assert [(item.turn, item.answer is not None, item.record.t) for item in inputs] == [
        (0, False, 2.0), (2, True, 2.0), (3, False, 2.0), (3, False, 2.0), (0, False, 3.0),
    ]  # fmt: skip
    assert [dict(item.after).get("var main/word") for item in inputs] == [None, 1, 1, 1, None]


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
    offline = World([*start(0.0), opened, told(59.0, "a"), lost, said(60.0, "offline")], "it")
    assert lost not in [item.record for item in ended.inputs()]
    assert lost in [item.record for item in lives.inputs()]
    assert lost in [item.record for item in offline.inputs()]
