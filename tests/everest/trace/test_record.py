"""Recording: a real broker and the in-memory one, with what modules add to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiomqtt
import pytest

from everest.runtime import MemoryBroker
from everest.trace.record import Broker, Recorder, record, watch
from everest.trace.records import BusMessage, Frame, Record, TimerFired, TraceError
from everest.trace.topics import RECORDING
from tests.support.mosquitto import Mosquitto, free_port, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]


def told(**what: object) -> bytes:
    return json.dumps({"t": 1.0, **what}).encode()


def test_what_modules_add_becomes_frames_and_timers_in_the_broker_s_order() -> None:
    found: list[Record] = []
    recorder = Recorder(found.append, clock=lambda: 7.0)
    recorder.take("everest_trace/ocpp", told(dir="cp->csms", frame="[2]"), 2, False)
    recorder.take("everest/ready", b"{}", 2, False)
    recorder.take("everest_trace/ocpp", told(timer="heartbeat"), 2, False)
    recorder.take(RECORDING, b"true", 1, True)
    assert found == [
        Frame(7.0, "cp->csms", "[2]", "ocpp"),
        BusMessage(7.0, "everest/ready", b"{}"),
        TimerFired(7.0, "heartbeat", "ocpp"),
    ]


@pytest.mark.parametrize("payload", [b"nonsense", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_neither_frame_nor_timer_is_kept_as_a_message(payload: bytes) -> None:
    found: list[Record] = []
    Recorder(found.append, clock=lambda: 7.0).take("everest_trace/x", payload, 2, False)
    assert found == [BusMessage(7.0, "everest_trace/x", payload)]


def test_an_in_memory_broker_is_recorded_for_the_length_of_the_block() -> None:
    broker, found = MemoryBroker(), list[Record]()
    broker.publish("before", b"kept", retain=True)
    with watch(broker, found.append, clock=lambda: 1.0):
        assert broker.retained[RECORDING] == b"true"
        broker.publish("during", b"x", qos=0)
    broker.publish("after", b"x")
    assert found == [BusMessage(1.0, "before", b"kept", 2, True), BusMessage(1.0, "during", b"x", 0, False)]
    assert RECORDING not in broker.retained


async def test_no_broker_is_told_in_one_line() -> None:
    with pytest.raises(TraceError, match="the broker at localhost:"):
        await record(Broker(port=free_port()), lambda record: None)


class TestMosquitto:
    pytestmark = needs_mosquitto

    async def test_every_message_is_recorded_with_qos_and_retain_as_published(self, mosquitto: Mosquitto) -> None:
        found: list[Record] = []
        started = asyncio.Event()
        task = asyncio.create_task(
            record(Broker(mosquitto.host, mosquitto.port), found.append, until_topic="the/+", started=started.set)
        )
        async with aiomqtt.Client(mosquitto.host, mosquitto.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            async with asyncio.timeout(20):
                await started.wait()
                await client.subscribe(RECORDING)
                switch = await anext(aiter(client.messages))
                assert (switch.payload, bool(switch.retain)) == (b"true", True)
                for number in range(50):
                    await client.publish("a/b", str(number), qos=number % 3, retain=number == 7)
                await client.publish("the/end", b"", qos=2)
                await task
                cleared = await anext(aiter(client.messages))
                assert not cleared.payload
        messages = [item for item in found if isinstance(item, BusMessage)]
        numbers = [item for item in messages if item.topic == "a/b"]
        for qos in range(3):
            same = [int(item.payload) for item in numbers if item.qos == qos]
            assert same == list(range(qos, 50, 3))
        assert [int(item.payload) for item in numbers if item.retain] == [7]
        assert messages[-1].topic == "the/end"

    async def test_a_time_limit_ends_it(self, mosquitto: Mosquitto, tmp_path: Path) -> None:
        async with asyncio.timeout(20):
            await record(Broker(mosquitto.host, mosquitto.port), lambda record: None, seconds=0.05)
