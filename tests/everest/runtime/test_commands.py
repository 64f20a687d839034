"""Commands: calling, serving, failing, and what a crash does (bus 3)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from everest.runtime import (
    ApiError,
    CmdTimeout,
    HandlerException,
    MessageParsingError,
    NotReady,
    SchemaValidationError,
    Shutdown,
    wire,
)
from everest.runtime.memory import Published
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import Doubler, Entry, bench_arguments

STORE = {"store": ["kvs/main"]}


def bench(**changes: Any) -> ModuleBench:
    return ModuleBench(Doubler, **bench_arguments(connections=STORE, **changes))


def doubler(bench: ModuleBench) -> Doubler:
    assert isinstance(bench.module, Doubler)
    return bench.module


def watched(bench: ModuleBench) -> list[Published]:
    """Everything that passes the broker from now on."""
    seen: list[Published] = []
    bench.broker.watch(seen.append)
    return seen


async def test_a_command_is_served_and_its_result_has_ids_origin_and_qos_of_the_reference() -> None:
    async with bench() as b:
        seen = watched(b)
        assert await b.call("main", "double", {"x": 4}) == 8.0
        request, reply = (message for message in seen if "/cmd/" in message.topic)
        assert reply.topic == "everest/modules/doubler/impl/main/cmd/double/response/bench"
        assert (reply.qos, reply.retain) == (2, False)
        data = json.loads(reply.payload)["data"]
        call_id = json.loads(request.payload)["data"]["id"]
        assert data == {"type": "result", "data": {"id": call_id, "origin": "doubler", "retval": 8.0}}


async def test_a_command_without_result_answers_null_and_accepts_null_arguments() -> None:
    async with bench() as b:
        seen = watched(b)
        payload = b'{"msg_type":"Cmd","data":{"id":"7","args":null,"origin":"bench"}}'
        b.broker.publish("everest/modules/doubler/impl/main/cmd/reset", payload)
        await b.until(lambda: any("response" in message.topic for message in seen))
        reply = next(message for message in seen if "response" in message.topic)
        assert json.loads(reply.payload)["data"]["data"] == {"id": "7", "origin": "doubler", "retval": None}


async def test_structs_go_in_and_come_out_with_absent_members_absent() -> None:
    async with bench() as b:
        entry = {"key": "ab", "value": 1}
        assert await b.call("main", "remember", {"entry": entry}) == {"key": "ab", "value": 1.0}
        doubler(b).main.publish_entry(Entry(key="ab", value=2.0))
        assert await b.next("main", "entry") == {"key": "ab", "value": 2.0}


@pytest.mark.parametrize("args", [{}, {"x": "four"}, {"y": 1}, {"x": None}])
async def test_wrong_arguments_get_an_error_reply_and_the_handler_does_not_run(
    args: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with bench() as b:
        for _ in range(2):
            with pytest.raises(MessageParsingError, match="double"):
                await b.call("main", "double", args)
        assert b.published("main", "last") == []
    warnings = [record.getMessage() for record in caplog.records if "cmd/double" in record.getMessage()]
    assert len(warnings) == 1


async def test_extra_arguments_are_ignored() -> None:
    async with bench() as b:
        assert await b.call("main", "double", {"x": 1, "more": []}) == 2.0


async def test_a_call_has_a_fresh_uuid_the_own_origin_and_is_subscribed_before_it_is_sent() -> None:
    async with bench() as b:
        b.answer("kvs/main", "store", lambda args: None)
        seen = watched(b)
        await doubler(b).stores[0].store("ab", 1.5)
        await doubler(b).stores[0].store("ab", 2.5)
        assert b.calls("kvs/main", "store") == [{"key": "ab", "value": 1.5}, {"key": "ab", "value": 2.5}]
        requests = [json.loads(m.payload)["data"] for m in seen if m.topic == "everest/modules/kvs/impl/main/cmd/store"]
        assert {request["origin"] for request in requests} == {"doubler"}
        assert len({request["id"] for request in requests}) == 2
        assert all(len(request["id"]) == 36 for request in requests)


async def test_a_result_is_decoded_into_its_type_and_a_wrong_one_is_an_error() -> None:
    async with bench() as b:
        store = doubler(b).stores[0]
        b.answer("kvs/main", "load", lambda args: 5)
        value = await store.load("ab")
        assert value == 5.0 and isinstance(value, float)
        b.answer("kvs/main", "load", lambda args: "five")
        with pytest.raises(MessageParsingError, match="load"):
            await store.load("ab")


async def test_a_failure_of_the_provider_arrives_as_its_exception() -> None:
    async with bench() as b:

        def refuse(args: Any) -> None:
            raise NotReady("still booting")

        b.answer("kvs/main", "load", refuse)
        with pytest.raises(NotReady, match="still booting"):
            await doubler(b).stores[0].load("ab")
        assert isinstance(NotReady(""), RuntimeError)


async def test_arguments_of_a_wrong_type_are_refused_at_the_caller_and_nothing_is_sent() -> None:
    async with bench() as b:
        with pytest.raises(ApiError, match="store cannot be called"):
            await doubler(b).stores[0].store("ab", "no number")  # type: ignore[arg-type]
        assert b.calls("kvs/main", "store") == []


@pytest.mark.looptime
async def test_a_call_without_answer_fails_after_300_seconds_and_a_late_answer_is_dropped() -> None:
    async with bench() as b:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        gate = asyncio.Event()

        async def late(args: Any) -> float:
            await gate.wait()
            return 1.0

        b.answer("kvs/main", "load", late)
        with pytest.raises(CmdTimeout, match="300"):
            await doubler(b).stores[0].load("ab")
        assert 300 <= loop.time() - begin < 302
        gate.set()
        await asyncio.sleep(0.01)
        b.answer("kvs/main", "load", lambda args: 2.0)
        assert await doubler(b).stores[0].load("ab") == 2.0


async def test_a_result_for_an_unknown_call_is_dropped() -> None:
    async with bench() as b:
        topic = "everest/modules/kvs/impl/main/cmd/load/response/doubler"
        b.answer("kvs/main", "load", lambda args: 2.0)
        await doubler(b).stores[0].load("ab")
        b.broker.publish(topic, wire.build_command_result("unknown", "kvs", 1))
        assert await doubler(b).stores[0].load("ab") == 2.0


async def test_a_second_result_of_the_same_call_is_dropped() -> None:
    async with bench() as b:
        again: list[bytes] = []

        def repeat(message: Published) -> None:
            if message.topic.endswith("/response/doubler") and message.payload not in again:
                again.append(message.payload)
                b.broker.publish(message.topic, message.payload)

        b.broker.watch(repeat)
        b.answer("kvs/main", "load", lambda args: 2.0)
        for _ in range(2):
            assert await doubler(b).stores[0].load("ab") == 2.0
        assert len(again) == 2


async def test_a_handler_may_call_others_that_call_back_into_this_module() -> None:
    async with bench() as b:
        module = doubler(b)

        async def nested(x: float) -> float:
            return await module.stores[0].load("ab") + x

        async def call_back(args: Any) -> Any:
            await b.call("main", "reset")
            return 10.0

        module.main.behaviour = nested
        b.answer("kvs/main", "load", call_back)
        assert await b.call("main", "double", {"x": 1}, timeout=5) == 11.0
        assert b.published("main", "last") == [0.0]


async def test_calls_of_one_command_are_served_one_after_the_other_and_those_of_others_meanwhile() -> None:
    async with bench() as b:
        running: list[float] = []
        gate = asyncio.Event()

        async def slow(x: float) -> float:
            running.append(x)
            await gate.wait()
            return x

        doubler(b).main.behaviour = slow
        calls = [asyncio.create_task(b.call("main", "double", {"x": x})) for x in (1, 2)]
        await b.until(lambda: running == [1.0])
        await b.call("main", "reset")
        assert running == [1.0]
        gate.set()
        assert await asyncio.gather(*calls) == [1.0, 2.0]


async def test_a_raising_handler_answers_handler_exception_and_then_ends_the_module(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench() as b:

        async def fail(x: float) -> float:
            raise ZeroDivisionError("division by zero")

        doubler(b).main.behaviour = fail
        with pytest.raises(HandlerException, match="division by zero"):
            await b.call("main", "double", {"x": 1})
        assert await b.ended() != 0
        assert isinstance(b.failure, ZeroDivisionError)
    [line] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert "command doubler->main.double" in line.getMessage()
    assert line.exc_info and isinstance(line.exc_info[1], ZeroDivisionError)


async def test_with_forward_exceptions_the_module_lives_on() -> None:
    async with bench(settings={"forward_exceptions": True}) as b:

        async def fail(x: float) -> float:
            raise ValueError("no")

        doubler(b).main.behaviour = fail
        for _ in range(2):
            with pytest.raises(HandlerException, match="no"):
                await b.call("main", "double", {"x": 1})


async def test_a_framework_exception_raised_by_a_handler_keeps_its_type_and_does_not_end_the_module() -> None:
    async with bench() as b:

        async def refuse(x: float) -> float:
            raise NotReady("wait")

        doubler(b).main.behaviour = refuse
        for _ in range(2):
            with pytest.raises(NotReady, match="wait"):
                await b.call("main", "double", {"x": 1})


async def test_a_result_of_the_wrong_type_is_the_handlers_fault() -> None:
    async with bench() as b:

        async def wrong(x: float) -> Any:
            return "text"

        doubler(b).main.behaviour = wrong
        with pytest.raises(HandlerException, match="wrong result"):
            await b.call("main", "double", {"x": 1})
        assert await b.ended() == 1


async def test_a_command_that_cannot_be_answered_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        topic = "everest/modules/doubler/impl/main/cmd/double"
        for payload in (
            b'{"msg_type":"Cmd","data":{"args":{"x":1},"origin":"bench"}}',
            b'{"msg_type":"Cmd","data":{"id":"1","args":{"x":1}}}',
            b'{"msg_type":"Cmd","data":{"id":"1","args":{"x":1},"origin":"bench"}',
        ):
            b.broker.publish(topic, payload)
            b.broker.publish(topic, payload)
        assert await b.call("main", "double", {"x": 1}) == 2.0
    assert len([record for record in caplog.records if topic in record.getMessage()]) == 3


async def test_during_shutdown_commands_work_and_waiting_calls_fail_with_shutdown_afterwards() -> None:
    async with bench() as b:
        module = doubler(b)
        gate = asyncio.Event()
        caught: list[BaseException] = []

        async def waiting() -> None:
            try:
                await module.stores[0].load("waits")
            except Shutdown as error:
                caught.append(error)

        async def answer(args: Any) -> float:
            if args["key"] == "waits":
                await gate.wait()
            return 1.0

        b.answer("kvs/main", "load", answer)
        module.spawn(waiting(), name="waiting")
        await b.next_call("kvs/main", "load")
        original = module.shutdown

        async def shutdown() -> None:
            await original()
            assert await module.stores[0].load("now") == 1.0

        module.shutdown = shutdown  # type: ignore[method-assign]
        b.send_shutdown()
        b.send_shutdown()
        assert await b.ended() == 0
        assert module.life[-1] == "shutdown"
        assert len(caught) == 1


async def test_strict_mode_refuses_invalid_arguments_before_the_handler() -> None:
    async with bench(settings={"validate_schema": True}) as b:
        with pytest.raises(SchemaValidationError, match="x"):
            await b.call("main", "double", {"x": 1001})
        with pytest.raises(SchemaValidationError, match="500"):
            await b.call("main", "double", {"x": 400})
        assert await b.call("main", "double", {"x": 4}) == 8.0


async def test_strict_mode_refuses_an_invalid_call_at_the_caller() -> None:
    async with bench(settings={"validate_schema": True}) as b:
        with pytest.raises(ApiError, match="key"):
            await doubler(b).stores[0].store("a", 1.0)
        assert b.calls("kvs/main", "store") == []
