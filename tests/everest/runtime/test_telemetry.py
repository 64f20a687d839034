"""Telemetry and external MQTT in both dialects (bus 5, 8)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from everest.runtime import Dialect, MemoryBroker, Module, run_module
from everest.runtime.memory import Published
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import Doubler, Manager, bench_arguments

ON = {"telemetry_enabled": True, "telemetry_prefix": "far"}


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, 0, 123999, UTC)


async def sent(settings: dict[str, Any], telemetry_id: int | None, *arguments: Any, **named: Any) -> list[Published]:
    """What a module's telemetry puts on the bus."""
    options = bench_arguments(settings=settings, telemetry_id=telemetry_id, clock=FixedClock())
    async with ModuleBench(Doubler, **options) as b:
        seen: list[Published] = []
        b.broker.watch(seen.append)
        b.module.telemetry(*arguments, **named)
        return list(seen)


async def test_readings_go_out_bare_with_time_number_and_type() -> None:
    [message] = await sent(ON, 7, "EVSE", "livedata", {"voltage": 230.1, "on": True, "text": "x", "nan": float("nan")})
    assert (message.topic, message.qos, message.retain) == ("far/EVSE/7/livedata", 0, False)
    assert json.loads(message.payload) == {
        "timestamp": "2026-03-01T12:00:00.123Z",
        "connector_id": 7,
        "type": "livedata",
        "voltage": 230.1,
        "on": True,
        "text": "x",
        "nan": None,
    }


async def test_the_type_may_be_named_and_the_reserved_key_is_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    [message] = await sent(ON, 7, "EVSE", "livedata", {"connector_id": 3, "a": 1}, type="power")
    values = json.loads(message.payload)
    assert (values["connector_id"], values["type"], values["a"]) == (7, "power", 1)
    assert "'connector_id' is reserved" in caplog.text


@pytest.mark.parametrize(("settings", "number"), [({}, 7), (ON, None), ({"telemetry_enabled": False}, 7)])
async def test_nothing_is_sent_where_telemetry_is_off(settings: dict[str, Any], number: int | None) -> None:
    assert await sent(settings, number, "EVSE", "livedata", {"a": 1}) == []


async def test_dialect_a_wraps_telemetry_and_publishes_external_messages_with_qos_0_unretained() -> None:
    manager = Manager(MemoryBroker(), dialect=Dialect.A, telemetry_enabled=True, telemetry_prefix="far/")
    manager.configuration["module_config"]["telemetry_config"] = {"id": 1}
    created: list[Module] = []
    task = asyncio.create_task(
        run_module(Doubler, module_id="doubler", transport=manager.broker.transport(), created=created.append)
    )
    while not any(message.topic.endswith("/ready") for message in manager.seen):
        await asyncio.sleep(0)
    begin = len(manager.seen)
    created[0].telemetry("EVSE", "livedata", {"voltage": 1.0})
    created[0].mqtt_publish("out", "x", retain=True)
    wrapped, external = manager.seen[begin:]
    assert (wrapped.topic, wrapped.qos, wrapped.retain) == ("far/EVSE/1/livedata", 2, False)
    envelope = json.loads(wrapped.payload)
    assert envelope["msg_type"] == "ExternalMQTT"
    assert json.loads(envelope["data"])["voltage"] == 1.0
    assert (external.topic, external.qos, external.retain) == ("out", 0, False)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_numbers_are_published_as_everest_writes_them() -> None:
    async with ModuleBench(Doubler, **bench_arguments()) as b:
        for value in (True, False, 42, 1.5, 2 / 3, "text"):
            b.module.mqtt_publish("out", value)
        found = [await b.next_external("out") for _ in range(6)]
        assert found == ["true", "false", "42", "1.50000", "0.66667", "text"]


async def test_an_external_subscription_can_be_ended() -> None:
    async with ModuleBench(Doubler, **bench_arguments()) as b:
        got: list[str] = []
        end = b.module.mqtt_subscribe("in/#", lambda topic, payload: got.append(f"one {payload}"))
        b.module.mqtt_subscribe("in/#", lambda topic, payload: got.append(f"two {payload}"))
        await b.module._context.bus.settled()
        b.external("in/a", "1")
        await b.until(lambda: len(got) == 2)
        end()
        end()
        b.external("in/a", "2")
        await b.until(lambda: len(got) == 3)
        assert got == ["one 1", "two 1", "two 2"]
