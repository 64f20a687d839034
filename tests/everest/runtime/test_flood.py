"""A flood of messages: all handled, in order, in little memory, whatever their handler waits for meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from everest.runtime import BrokerLost, MemoryBroker, Topics, Transport, wire
from everest.runtime import backlog as limits
from everest.runtime.bus import Bus
from everest.runtime.memory import MemoryTransport
from everest.runtime.mqtt import MqttTransport
from everest.runtime.wire import MessageType
from tests.support.mosquitto import Mosquitto, needs_mosquitto, running_mosquitto

FLOOD = 100_000
MIB = 1024 * 1024
TOPICS = Topics()
DROPS = TOPICS.variable("sky", "main", "drop")
SIGNAL = TOPICS.variable("sky", "main", "sun")
VARIABLES = frozenset({MessageType.Var})
LIMIT = 120


@pytest.fixture(params=["memory", pytest.param("mqtt", marks=needs_mosquitto)])
def seat(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes transports to one broker."""
    if request.param == "memory":
        yield MemoryBroker().transport
        return
    with running_mosquitto(tmp_path) as broker:
        yield lambda: MqttTransport(broker.host, broker.port)


class House:
    """A bus under a flood; `sky` is the peer, which also answers commands at once."""

    def __init__(self, bus: Bus, sky: Transport, crashes: list[BaseException]) -> None:
        self.bus = bus
        self.sky = sky
        self.crashes = crashes
        self.seen: list[int] = []
        self.done = asyncio.Event()

    async def listen(self, handler: Callable[[int], Awaitable[None] | None], *, count: int) -> None:
        async def hear(envelope: wire.Envelope) -> None:
            number = int(bytes(wire.parse_var(envelope))[1:9])
            if (waiting := handler(number)) is not None:
                await waiting
            self.seen.append(number)
            if len(self.seen) == count:
                self.done.set()

        self.bus.listen(DROPS, VARIABLES, hear, "drops")
        await self.bus.settled()

    async def pour(self, count: int, size: int) -> None:
        """Publish numbered messages of about `size` bytes, as fast as the broker takes them."""
        padding = "x" * (size - 10)
        for number in range(count):
            self.sky.publish(DROPS, wire.build_var(f"{number:08d}{padding}"))
            if number % 200 == 199:
                await self.sky.flush()

    @staticmethod
    def sky_spool(transport: Transport) -> int:
        """How many messages the in-memory broker keeps in a file for a seat."""
        assert isinstance(transport, MemoryTransport)
        return transport.spooled

    def say(self, topic: str, value: Any) -> None:
        self.sky.publish(topic, wire.build_var(value))

    async def wait(self, event: asyncio.Event | None = None) -> None:
        async with asyncio.timeout(LIMIT):
            await (event or self.done).wait()
        assert self.crashes == []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.005)


async def answer(transport: Transport) -> None:
    """Answer every command with its arguments."""
    async for message in transport.messages():
        request = wire.parse_command(wire.parse(message.topic, message.payload))
        reply = wire.build_command_result(request.id, "sky", request.args)
        transport.publish(f"{message.topic}/response/{request.origin}", reply)


@asynccontextmanager
async def house(seat: Callable[[], Transport]) -> AsyncIterator[House]:
    crashes: list[BaseException] = []
    bus = Bus(seat(), TOPICS, "house", failed=lambda error, place: crashes.append(error))
    sky, servant = seat(), seat()
    for transport in (bus.transport, sky, servant):
        await transport.connect()
    await servant.subscribe(TOPICS.command("sky", "main", "echo"))
    serving = asyncio.create_task(answer(servant))
    bus.start(bus.read(), name="reader")
    try:
        yield House(bus, sky, crashes)
    finally:
        await bus.stop()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        for transport in (bus.transport, sky, servant):
            await transport.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a thousand messages reach."""
    monkeypatch.setattr(limits, "LIMIT", 1 * MIB)
    monkeypatch.setattr(limits, "SMALL", MIB // 64)
    monkeypatch.setattr("everest.runtime.mqtt.INBOX_LIMIT", MIB // 16)


def resident() -> int:
    """Bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Gate:
    """A handler that waits until it is opened, and looks at the memory now and then."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.before = self.peak = resident()

    async def handle(self, number: int) -> None:
        await self.open.wait()
        if number % 1000 == 0:
            self.look()

    def look(self) -> None:
        self.peak = max(self.peak, resident())

    def check(self) -> None:
        assert self.peak - self.before < 200 * MIB


@pytest.mark.parametrize("size", [60, 3000])
async def test_a_hundred_thousand_messages_in_memory_are_handled_in_order_in_two_hundred_mebibytes(size: int) -> None:
    async with house(MemoryBroker().transport) as it:
        gate = Gate()
        await it.listen(gate.handle, count=FLOOD)
        await it.pour(FLOOD, size)
        gate.look()
        assert (it.sky_spool(it.bus.transport) > 0) == (size == 3000)
        gate.open.set()
        await it.wait()
        gate.check()
    assert it.seen == list(range(FLOOD))


FLOODING = """\
import sys
from paho.mqtt.client import CallbackAPIVersion, Client
host, port, topic, count, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
client = Client(CallbackAPIVersion.VERSION2)
client.max_inflight_messages_set(1000)
client.max_queued_messages_set(0)
client.connect(host, port)
client.loop_start()
last = None
for number in range(count):
    text = '{"msg_type":"Var","data":{"data":"%08d%s"}}' % (number, "x" * (size - 10))
    last = client.publish(topic, text, qos=1)
    if number % 1000 == 999:
        last.wait_for_publish()
client.disconnect()
"""


@needs_mosquitto[0]
@needs_mosquitto[1]
async def test_a_hundred_thousand_messages_of_a_broker_are_handled_in_order_in_two_hundred_mebibytes(
    mosquitto: Mosquitto,
) -> None:
    async with house(lambda: MqttTransport(mosquitto.host, mosquitto.port)) as it:
        gate = Gate()
        await it.listen(gate.handle, count=FLOOD)
        arguments = [mosquitto.host, str(mosquitto.port), DROPS, str(FLOOD), "1500"]
        publisher = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOODING, *arguments)
        await until(lambda: it.bus.backlog.full)
        gate.look()
        gate.open.set()
        await it.wait()
        assert await publisher.wait() == 0
        gate.check()
    assert it.seen == list(range(FLOOD))


# --- what the limit must not stop ------------------------------------------------------------------------------------


async def test_a_full_backlog_stops_the_reader_and_the_rest_waits_at_the_broker(
    seat: Callable[[], Transport], small: None
) -> None:
    async with house(seat) as it:
        gate = asyncio.Event()

        async def wait(number: int) -> None:
            async with asyncio.timeout(LIMIT):
                await gate.wait()

        await it.listen(wait, count=3000)
        await it.pour(3000, 1000)
        await until(lambda: it.bus.backlog.full)
        held = len(it.bus.backlog.queues[DROPS])
        assert held < 800 and it.bus.backlog.spooled == 0
        gate.set()
        await it.wait()
        assert it.seen == list(range(3000))


async def test_a_handler_that_calls_a_command_gets_its_answer_from_behind_the_flood(
    seat: Callable[[], Transport], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everest.runtime.bus.STALL", 2 * LIMIT)
    async with house(seat) as it:
        most = 0

        async def call(number: int) -> None:
            nonlocal most
            if number == 0:
                await until(lambda: it.bus.backlog.full)
            if number % 100 == 0:
                assert b"%d" % number in bytes(await it.bus.call("sky", "main", "echo", {"n": number}))
            most = max(most, it.bus.backlog._size)

        await it.listen(call, count=3000)
        await it.pour(3000, 1000)
        await it.wait()
        assert it.seen == list(range(3000))
        assert most < 1.2 * MIB


async def test_a_handler_that_waits_for_another_variable_gets_it_from_behind_the_flood(
    seat: Callable[[], Transport], small: None
) -> None:
    async with house(seat) as it:
        sun = asyncio.Event()

        async def wait(number: int) -> None:
            await sun.wait()

        async def shine(envelope: wire.Envelope) -> None:
            sun.set()

        it.bus.listen(SIGNAL, VARIABLES, shine, "sun")
        await it.listen(wait, count=3000)
        await it.pour(3000, 1000)
        it.say(SIGNAL, True)
        await until(lambda: it.bus.backlog.spooled > 0 or sun.is_set())
        await it.wait()
        assert it.seen == list(range(3000))


async def test_what_was_in_the_file_keeps_its_listener_its_order_and_every_byte(small: None) -> None:
    async with house(MemoryBroker().transport) as it:
        gate = asyncio.Event()
        heard: list[tuple[str, str]] = []

        async def hear(topic: str, payload: str) -> None:
            await gate.wait()
            heard.append((topic, payload))

        it.bus.listen_external("rain/#", hear)
        it.bus.listen_external("rain/2", lambda topic, payload: heard.append(("second", payload)))
        await it.bus.settled()
        expected = []
        for number in range(3000):
            topic, text = f"rain/{number % 3}", f"ä{number}" + "x" * 700
            it.sky.publish(topic, text.encode())
            expected += [(topic, text)] + ([("second", text)] if number % 3 == 2 else [])
        await until(lambda: it.bus.backlog.spooled > 0)
        gate.set()
        await until(lambda: len(heard) == len(expected) and it.bus.backlog.queues == {})
        assert heard == expected
        assert it.bus.backlog._size == 0


@needs_mosquitto[0]
@needs_mosquitto[1]
async def test_an_unread_socket_keeps_its_connection_and_notices_its_end(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everest.runtime.mqtt.KEEPALIVE", 1)
    monkeypatch.setattr("everest.runtime.mqtt.GLANCE_PERIOD", 0.1)
    monkeypatch.setattr("everest.runtime.mqtt.INBOX_LIMIT", 1000)
    unread, other = (MqttTransport(mosquitto.host, mosquitto.port) for _ in range(2))
    await unread.connect()
    await other.connect()
    await unread.subscribe("flood")
    for number in range(500):
        other.publish("flood", b"%d" % number)
    await other.flush()
    lasting = asyncio.get_running_loop().time() + 3.5
    await until(lambda: asyncio.get_running_loop().time() > lasting)
    messages = unread.messages()
    assert [int((await anext(messages)).payload) for _ in range(500)] == list(range(500))
    for number in range(500):
        other.publish("flood", b"%d" % number)
    await other.flush()
    mosquitto.stop()
    with pytest.raises(BrokerLost):
        async with asyncio.timeout(10):
            async for _ in messages:
                pass
    await unread.close()
    await other.close()
