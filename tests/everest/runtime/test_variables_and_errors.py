"""Variables, errors, external MQTT, tasks and the end of a module (bus 3.3, 4, 5, 7.5)."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from everest.runtime import ApiError, Error, ErrorCondition, Severity, wire
from everest.runtime.memory import Published
from everest.runtime.model import Mapping
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import MANIFEST, TYPES, Doubler, Entry, bench_arguments

STORE = {"store": ["kvs/main"]}
CHANGED = "everest/modules/kvs/impl/main/var/changed"


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, 0, 123999, UTC)


def bench(**changes: Any) -> ModuleBench:
    return ModuleBench(Doubler, **bench_arguments(**{"connections": STORE, **changes}))


def doubler(bench: ModuleBench) -> Doubler:
    assert isinstance(bench.module, Doubler)
    return bench.module


# --- variables -------------------------------------------------------------------------------------------------------


async def test_a_variable_goes_out_in_program_order_not_retained_with_qos_2() -> None:
    async with bench() as b:
        seen: list[Published] = []
        b.broker.watch(seen.append)
        for number in range(50):
            doubler(b).main.publish_last(float(number))
        assert b.published("main", "last") == [float(number) for number in range(50)]
        assert {(m.topic, m.qos, m.retain) for m in seen} == {("everest/modules/doubler/impl/main/var/last", 2, False)}
        assert json.loads(seen[0].payload) == {"msg_type": "Var", "data": {"data": 0.0}}


async def test_a_value_of_the_wrong_type_is_refused_at_the_publisher() -> None:
    async with bench() as b:
        with pytest.raises(ApiError, match="last cannot be published"):
            doubler(b).main.publish_last("five")  # type: ignore[arg-type]
        assert b.published("main", "last") == []


async def test_a_value_is_heard_typed_and_all_handlers_get_it() -> None:
    async with bench() as b:
        more: list[Entry] = []
        doubler(b).stores[0].on_changed(more.append)
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
        await b.until(lambda: bool(more))
        assert doubler(b).heard == more == [Entry(key="ab", value=1.0)]


async def test_handlers_registered_after_ready_are_served_too() -> None:
    async with bench() as b:
        counts: list[int] = []
        doubler(b).stores[0].on_count(counts.append)
        await asyncio.sleep(0.01)
        b.publish("kvs/main", "count", 5)
        await b.until(lambda: counts == [5])


@pytest.mark.parametrize(
    ("value", "reason"), [("text", "Expected `object`"), ({"key": "ab"}, "value"), ({"key": 1, "value": 1}, "key")]
)
async def test_a_value_of_the_wrong_type_is_dropped_and_logged_once(
    value: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench() as b:
        for _ in range(3):
            b.publish("kvs/main", "changed", value)
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
        await b.until(lambda: len(doubler(b).heard) == 1)
    [line] = [record.getMessage() for record in caplog.records if CHANGED in record.getMessage()]
    assert reason in line


async def test_extra_members_and_short_texts_pass_in_lenient_mode_and_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(settings={"data_dir": str(tmp_path)}, types=TYPES) as b:
        for _ in range(3):
            b.publish("kvs/main", "changed", {"key": "a", "value": 1, "extra": {"deep": 1}})
        await b.until(lambda: len(doubler(b).heard) == 3)
    lines = [record.getMessage() for record in caplog.records if CHANGED in record.getMessage()]
    assert sorted(line.rpartition(": ")[2] for line in lines) == ["minLength 2", "unknown extra"]


async def test_whole_floats_are_taken_for_integers() -> None:
    async with bench() as b:
        counts: list[int] = []
        doubler(b).stores[0].on_count(counts.append)
        await asyncio.sleep(0.01)
        b.publish("kvs/main", "count", 5.0)
        await b.until(lambda: counts == [5])
        assert isinstance(counts[0], int)


async def test_strict_mode_drops_what_the_schema_refuses_and_refuses_to_send_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench(settings={"validate_schema": True}, types=TYPES) as b:
        b.publish("kvs/main", "changed", {"key": "a", "value": 1})
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1, "extra": 1})
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1, "note": "yesterday"})
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1, "note": "2026-03-01T12:00:00Z"})
        await b.until(lambda: len(doubler(b).heard) == 1)
        with pytest.raises(ApiError, match="last cannot be published"):
            doubler(b).main.publish_last(-1.0)
        assert b.published("main", "last") == []
    assert len([record for record in caplog.records if CHANGED in record.getMessage()]) == 3


async def test_messages_of_one_topic_keep_their_order_through_a_slow_handler_and_topics_run_in_parallel() -> None:
    async with bench() as b:
        order: list[Any] = []
        gate = asyncio.Event()

        async def slow(entry: Entry) -> None:
            if entry.key == "k0":
                await gate.wait()
            order.append(entry.key)

        doubler(b).stores[0].on_changed(slow)
        doubler(b).stores[0].on_count(order.append)
        await asyncio.sleep(0.01)
        for number in range(3):
            b.publish("kvs/main", "changed", {"key": f"k{number}", "value": 1})
        b.publish("kvs/main", "count", 7)
        await b.until(lambda: order == [7])
        gate.set()
        await b.until(lambda: order == [7, "k0", "k1", "k2"])


async def test_a_hundred_waiting_messages_are_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        gate = asyncio.Event()

        async def slow(entry: Entry) -> None:
            await gate.wait()

        doubler(b).stores[0].on_changed(slow)
        for _ in range(90):
            b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
        await b.until(lambda: len(doubler(b).heard) > 0)
        gate.set()
        await b.until(lambda: len(doubler(b).heard) == 90)
    assert len([record for record in caplog.records if "are waiting on" in record.getMessage()]) == 1


async def test_malformed_messages_on_any_topic_are_logged_once_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        topics = [CHANGED, "everest/ready", "everest/modules/kvs/impl/main/error/storage/Full"]
        payloads = [b"", b"{]", b"\xff", b'{"msg_type":"Nope","data":1}', b"[" * 100_000]
        for topic in topics:
            for payload in payloads:
                b.broker.publish(topic, payload)
                b.broker.publish(topic, payload)
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
        await b.until(lambda: len(doubler(b).heard) == 1)
        for topic in topics:
            logged = [
                r.getMessage() for r in caplog.records if r.name.endswith("diagnostics") and topic in r.getMessage()
            ]
            assert len(logged) == len(set(logged)) == len(payloads)


# --- errors ----------------------------------------------------------------------------------------------------------


async def test_a_raised_error_has_all_ten_fields_and_a_clear_repeats_it() -> None:
    mappings = {"doubler": {"module": {"evse": 1}, "implementations": {"main": {"evse": 1, "connector": 2}}}}
    async with bench(mappings=mappings, clock=FixedClock()) as b:
        seen: list[Published] = []
        b.broker.watch(seen.append)
        main = doubler(b).main
        raised = main.raise_error("example/OverHeat", message="97 C", severity=Severity.High)
        assert main.is_error_active("example/OverHeat")
        assert [error.uuid for error in b.errors("main")] == [raised.uuid]
        main.clear_error("example/OverHeat")
        assert not main.is_error_active("example/OverHeat")
        assert b.errors("main") == []
        first, second = (json.loads(message.payload) for message in seen)
        expected = {
            "type": "example/OverHeat",
            "sub_type": "",
            "message": "97 C",
            "description": "about OverHeat",
            "severity": "High",
            "state": "Active",
            "origin": {
                "module_id": "doubler",
                "implementation_id": "main",
                "mapping": {"evse": 1, "connector": 2},
            },
            "timestamp": "2026-03-01T12:00:00.123Z",
            "uuid": raised.uuid,
            "vendor_id": "everest",
        }
        assert first == {"msg_type": "RaiseError", "data": expected}
        assert second == {"msg_type": "ClearError", "data": {**expected, "state": "ClearedByModule"}}
        assert {(m.topic, m.qos, m.retain) for m in seen} == {
            ("everest/modules/doubler/impl/main/error/example/OverHeat", 2, False)
        }


async def test_an_error_is_unique_by_type_and_sub_type_and_undeclared_ones_are_ignored() -> None:
    async with bench() as b:
        main = doubler(b).main
        main.raise_error("example/OverHeat")
        main.raise_error("example/OverHeat", message="again")
        main.raise_error("example/OverHeat", sub_type="left")
        main.raise_error("example/Unheard")
        main.raise_error("example/TooBig")
        assert [(error.type, error.sub_type) for error in b.errors("main")] == [
            ("example/OverHeat", ""),
            ("example/OverHeat", "left"),
            ("example/TooBig", ""),
        ]
        main.clear_error("example/OverHeat", "right")
        assert len(b.errors("main")) == 3
        main.clear_all_errors("example/OverHeat")
        assert [error.type for error in b.errors("main")] == ["example/TooBig"]
        main.clear_all_errors()
        assert b.errors("main") == []


async def test_peer_errors_are_reported_once_and_known_to_the_monitor() -> None:
    async with bench(mappings={"kvs": {"evse": 3}}) as b:
        store = doubler(b).stores[0]
        events: list[tuple[str, Error]] = []
        full: list[Error] = []
        store.on_error(lambda e: events.append(("raised", e)), lambda e: events.append(("cleared", e)))
        store.on_error(full.append, full.append, type="storage/Full")
        sent = b.raise_error("kvs/main", {"type": "storage/Full", "severity": "Awful", "message": "disk"})
        b.raise_error("kvs/main", {"type": "storage/Full"})
        b.raise_error("kvs/main", {"type": "storage/Broken", "sub_type": "x"})
        await b.until(lambda: len(events) == 2)
        assert events[0][0] == "raised"
        assert (events[0][1].uuid, events[0][1].severity) == (sent["uuid"], Severity.High)
        assert events[0][1].origin.mapping == Mapping(3)
        monitor = store.errors_active
        assert monitor is not None
        assert monitor.is_error_active("storage/Broken", "x")
        assert not monitor.is_error_active("storage/Broken")
        both = [ErrorCondition("storage/Full"), ErrorCondition("storage/Broken", active=False)]
        assert monitor.is_condition_satisfied(both)
        b.clear_error("kvs/main", "storage/Full")
        await b.until(lambda: len(events) == 3)
        assert events[2][0] == "cleared" and not monitor.is_condition_satisfied(both)
        assert len(full) == 2


async def test_a_clear_of_something_not_active_and_an_undeclared_type_are_ignored() -> None:
    async with bench() as b:
        events: list[Error] = []
        doubler(b).stores[0].on_error(events.append, events.append)
        error = b.raise_error("kvs/main", {"type": "storage/Full", "state": "ClearedByModule"})
        topic = "everest/modules/kvs/impl/main/error/storage/Full"
        b.broker.publish(
            topic, wire.build_error({**error, "type": "storage/Strange", "state": "Active"}, cleared=False)
        )
        incomplete = {key: value for key, value in error.items() if key != "uuid"}
        b.broker.publish(topic, wire.build_error(incomplete, cleared=False))
        b.raise_error("kvs/main", {"type": "storage/Full"})
        await b.until(lambda: len(events) == 1)


async def test_ignored_errors_cannot_be_followed() -> None:
    requires = {"store": {"interface": "store", "ignore": {"errors": True}}}
    async with bench(manifest={**MANIFEST, "requires": requires}) as b:
        store = doubler(b).stores[0]
        assert store.errors_active is None
        with pytest.raises(ApiError, match="ignores"):
            store.on_error(print, print)


async def test_an_undeclared_type_cannot_be_followed() -> None:
    async with bench() as b:
        with pytest.raises(ApiError, match="storage/Nothing"):
            doubler(b).stores[0].on_error(print, print, type="storage/Nothing")


async def test_global_errors_cover_every_implementation_of_the_stack_once() -> None:
    manifest = {**MANIFEST, "enable_global_errors": True}
    async with bench(manifest=manifest, connections={}, peers={"far/away": "store"}) as b:
        raised: list[Error] = []
        cleared: list[Error] = []
        b.module.subscribe_global_errors(raised.append, cleared.append)
        b.raise_error("far/away", {"type": "storage/Full"})
        b.raise_error("far/away", {"type": "storage/Full"})
        doubler(b).main.raise_error("example/TooBig")
        b.clear_error("far/away", "storage/Full")
        await b.until(lambda: len(raised) == 2 and len(cleared) == 1)
        assert [error.origin.module_id for error in raised] == ["far", "doubler"]


async def test_the_same_error_of_two_implementations_is_two_errors() -> None:
    manifest = {**MANIFEST, "enable_global_errors": True}
    async with bench(manifest=manifest, connections={}, peers={"far/away": "store", "far/too": "store"}) as b:
        events: list[tuple[bool, str]] = []

        def note(error: Error) -> None:
            events.append((error.active, error.origin.implementation_id))

        b.module.subscribe_global_errors(note, note)
        for peer in ("far/away", "far/too"):
            b.raise_error(peer, {"type": "storage/Full"})
        b.clear_error("far/too", "storage/Full")
        await b.until(lambda: len(events) == 3)
        assert sorted(events[:2]) == [(True, "away"), (True, "too")]
        assert events[2] == (False, "too")


@pytest.mark.parametrize("kind", ["RaiseError", "ClearError"])
@pytest.mark.parametrize(
    ("state", "active"), [("Active", True), ("ClearedByModule", False), ("ClearedByReboot", False), ("Odd", True)]
)
async def test_the_state_decides_and_an_unknown_one_counts_as_active(kind: str, state: str, active: bool) -> None:
    async with bench() as b:
        store = doubler(b).stores[0]
        events: list[Error] = []
        store.on_error(events.append, events.append)
        sent = b.raise_error("kvs/main", {"type": "storage/Full"})
        await b.until(lambda: len(events) == 1)
        b.clear_error("kvs/main", "storage/Full")
        await b.until(lambda: len(events) == 2)
        if not active:
            b.raise_error("kvs/main", {"type": "storage/Full"})
            await b.until(lambda: len(events) == 3)
        message = json.dumps({"msg_type": kind, "data": {**sent, "state": state}})
        b.broker.publish("everest/modules/kvs/impl/main/error/storage/Full", message.encode())
        expected = 3 if active else 4
        await b.until(lambda: len(events) == expected)
        assert store.errors_active is not None
        assert store.errors_active.is_error_active("storage/Full") is active


async def test_global_errors_need_the_manifests_word() -> None:
    async with bench() as b:
        with pytest.raises(ApiError, match="enable_global_errors"):
            b.module.subscribe_global_errors(print, print)


# --- external MQTT ---------------------------------------------------------------------------------------------------


async def test_external_messages_carry_the_prefix_as_it_is_and_no_envelope() -> None:
    async with bench(external_prefix="ext_") as b:
        seen: list[Published] = []
        b.broker.watch(seen.append)
        b.module.mqtt_publish("a/b", "täxt", retain=True)
        b.module.mqtt_publish("a/b", "2")
        assert [(m.topic, m.payload.decode(), m.qos, m.retain) for m in seen] == [
            ("ext_a/b", "täxt", 2, True),
            ("ext_a/b", "2", 2, False),
        ]
        assert await b.next_external("a/b") == "täxt"


async def test_external_handlers_get_real_topics_texts_and_strict_order() -> None:
    async with bench(external_prefix="ext_") as b:
        got: list[tuple[str, str]] = []
        gate = asyncio.Event()

        async def handler(topic: str, payload: str) -> None:
            if payload == "first":
                await gate.wait()
            got.append((topic, payload))

        b.module.mqtt_subscribe("car/+/cmd", handler)
        b.module.mqtt_subscribe("other", handler)
        await asyncio.sleep(0.01)
        b.external("car/1/cmd", "first")
        b.external("other", '{"msg_type":"Var"}')
        b.external("car/2/cmd", "third")
        await asyncio.sleep(0.01)
        assert got == []
        gate.set()
        await b.until(lambda: len(got) == 3)
        assert got == [("ext_car/1/cmd", "first"), ("ext_other", '{"msg_type":"Var"}'), ("ext_car/2/cmd", "third")]


async def test_external_subscriptions_use_qos_0() -> None:
    from everest.runtime import MemoryBroker, run_module
    from tests.everest.runtime.world import Manager, Recorder

    class Listening(Doubler):
        async def init(self) -> None:
            self.mqtt_subscribe("x/#", lambda topic, payload: None)

    manager = Manager(MemoryBroker())
    recorder = Recorder(manager.broker)
    task = asyncio.create_task(run_module(Listening, module_id="doubler", transport=recorder))
    while not any(message.topic.endswith("/ready") for message in manager.seen):
        await asyncio.sleep(0)
    assert "subscribe x/# 0" in recorder.log
    assert recorder.log.index("subscribe x/# 0") < recorder.log.index("publish everest/modules/doubler/ready 2")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_payload_that_is_no_utf_8_still_arrives(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        got: list[str] = []
        b.module.mqtt_subscribe("raw", lambda topic, payload: got.append(payload))
        await asyncio.sleep(0.01)
        b.broker.publish("raw", b"a\xff")
        await b.until(lambda: got == ["a\ufffd"])
    assert any("not UTF-8" in record.getMessage() for record in caplog.records)


async def test_json_without_envelope_below_the_everest_prefix_reaches_external_handlers() -> None:
    async with bench() as b:
        got: list[str] = []
        b.module.mqtt_subscribe("everest/other", lambda topic, payload: got.append(payload))
        await asyncio.sleep(0.01)
        b.broker.publish("everest/other", b'{"a":1}')
        await b.until(lambda: got == ['{"a":1}'])


# --- crashes and ends ------------------------------------------------------------------------------------------------


def boom(*_: Any) -> None:
    raise KeyError("boom")


async def async_boom(*_: Any) -> None:
    raise KeyError("boom")


@pytest.mark.parametrize("handler", [boom, async_boom])
@pytest.mark.parametrize("kind", ["variable", "error", "external", "spawn", "ready"])
async def test_an_exception_that_escapes_ends_the_module_with_the_traceback_in_the_log(
    kind: str, handler: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(global_ready=False) as b:
        store = doubler(b).stores[0]
        match kind:
            case "variable":
                store.on_changed(handler)
                b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
            case "error":
                store.on_error(handler, handler)
                b.raise_error("kvs/main", {"type": "storage/Full"})
            case "external":
                b.module.mqtt_subscribe("x", handler)
                await asyncio.sleep(0.01)
                b.external("x", "1")
            case "spawn":
                b.module.spawn(async_boom(), name="worker")
            case _:
                b.module.ready = async_boom  # type: ignore[method-assign]
                b.make_ready()
        assert await b.ended() == 1
        assert isinstance(b.failure, KeyError)
    [line] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert line.exc_info and isinstance(line.exc_info[1], KeyError)


async def test_the_bench_raises_what_the_module_died_of() -> None:
    with pytest.raises(KeyError, match="boom"):
        async with bench() as b:
            b.module.spawn(async_boom(), name="worker")
            await b.next("main", "last")


@pytest.mark.parametrize("status", [0, 3])
async def test_a_module_may_end_itself_and_is_shut_down_first(status: int) -> None:
    async with bench() as b:
        b.module.request_exit(status)
        assert await b.ended() == status
        assert doubler(b).life[-1] == "shutdown"


async def test_leaving_the_bench_is_a_sigterm_the_handler_runs_and_nothing_is_said_any_more() -> None:
    seen: list[Published] = []
    async with bench() as b:
        module = doubler(b)
        await b.until(lambda: "ready" in module.life)

        async def shutdown() -> None:
            module.life.append("shutdown")
            module.main.publish_last(1.0)

        module.shutdown = shutdown  # type: ignore[method-assign]
        b.broker.watch(seen.append)
    assert module.life == ["created", "init", "ready", "shutdown"]
    assert seen == []


async def test_a_call_that_waits_at_the_end_fails_without_noise(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:

        async def never(args: Any) -> None:
            await asyncio.Event().wait()

        b.answer("kvs/main", "load", never)
        b.module.spawn(doubler(b).stores[0].load("ab"), name="asking")
        await b.next_call("kvs/main", "load")
    del b
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


async def test_what_goes_wrong_while_a_signal_ends_the_module_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        module = doubler(b)

        async def shutdown() -> None:
            module.spawn(async_boom(), name="last words")
            await asyncio.sleep(0.01)

        module.shutdown = shutdown  # type: ignore[method-assign]
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "last words" in line.getMessage() and line.exc_info


async def test_a_signal_during_a_graceful_shutdown_waits_for_its_handler() -> None:
    async with bench() as b:
        module = doubler(b)
        begun = asyncio.Event()

        async def shutdown() -> None:
            begun.set()
            await asyncio.sleep(0.02)
            module.life.append("shutdown")

        module.shutdown = shutdown  # type: ignore[method-assign]
        b.send_shutdown()
        await asyncio.wait_for(begun.wait(), 5)
    assert module.life.count("shutdown") == 1


@pytest.mark.looptime
async def test_a_shutdown_handler_that_takes_too_long_is_cut_off_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:

        async def shutdown() -> None:
            await asyncio.sleep(3600)

        b.module.shutdown = shutdown  # type: ignore[method-assign]
        begin = asyncio.get_running_loop().time()
    assert 3 <= asyncio.get_running_loop().time() - begin < 4
    assert "took longer than 3 s" in caplog.text


async def test_spawned_tasks_are_cancelled_at_the_end_and_named() -> None:
    names: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            names.append(asyncio.current_task().get_name())  # type: ignore[union-attr]

    async with bench() as b:
        b.module.spawn(forever(), name="forever")
        await asyncio.sleep(0)
    assert names == ["doubler forever"]


@pytest.mark.looptime
async def test_a_day_passes_in_virtual_time() -> None:
    async with bench() as b:
        module = doubler(b)

        async def hourly() -> None:
            while True:
                await asyncio.sleep(3600)
                module.main.publish_last(1.0)

        module.spawn(hourly(), name="hourly")
        await asyncio.sleep(24 * 3600 + 1)
        assert len(b.published("main", "last")) == 24
