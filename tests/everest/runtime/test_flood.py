"""A flood of messages: all handled, in order, in little memory, whatever their handler waits for meanwhile."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from everest.runtime import BrokerLost, MemoryBroker, Topics, Transport, spool, wire
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
async def test_a_hundred_thousand_messages_in_memory_are_handled_in_order_in_two_hundred_mebibytes(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everest.runtime.bus.STALL", 2 * LIMIT)
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


def nowhere_to_write(monkeypatch: pytest.MonkeyPatch, why: str) -> str:
    """Files that take nothing; returns what is said about them."""
    if why == "full disk":
        monkeypatch.setattr(spool.os, "pwrite", _no_space)
        return "no temporary file can be written (No space left on device)"
    if why == "no folder":
        monkeypatch.setattr(spool.tempfile, "TemporaryFile", _no_folder)
        return "no temporary file can be written (Read-only file system)"
    monkeypatch.setattr(spool.Room, "__init__", lambda room: (setattr(room, "limit", MIB), setattr(room, "used", 0))[0])
    return "1 MiB lie in files already"


def _no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_folder(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize("why", ["full disk", "no folder", "limit"])
async def test_what_no_file_can_take_is_dropped_with_one_line_and_nothing_crashes(
    small: None, why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler waits for what comes behind the flood: that comes, in order with what could be kept."""
    monkeypatch.setattr("everest.runtime.bus.STALL", 2 * LIMIT)
    reason = nowhere_to_write(monkeypatch, why)
    async with house(MemoryBroker().transport) as it:
        gate = asyncio.Event()

        async def call(number: int) -> None:
            if number == 0:
                await until(lambda: it.bus.backlog.full)
                await it.bus.call("sky", "main", "echo", {})
                await gate.wait()

        it.bus.listen(SIGNAL, VARIABLES, lambda envelope: it.done.set(), "sun")
        await it.listen(call, count=5000)
        await it.pour(5000, 1000)
        await until(lambda: it.bus.backlog.dropped > 0)
        kept = len(it.bus.backlog.queues[DROPS])
        gate.set()
        await until(lambda: it.bus.backlog.queues == {})
        it.say(SIGNAL, True)
        await it.wait()
        assert it.seen == sorted(it.seen)
        assert kept <= len(it.seen) < 5000
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said[0] == f"{reason}: what more comes on {DROPS} is dropped until half is handled"
    assert sum(int(line.split()[0]) for line in said[1::2]) == 5000 - len(it.seen)
    assert all(line.endswith(" messages were dropped; from now on all are taken again") for line in said[1::2])
    assert len(said) < 10, "each pair of lines stands for half a limit of messages"


async def test_a_seat_that_no_file_can_help_drops_with_one_line_and_its_publisher_notices_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("everest.runtime.memory.INBOX_LIMIT", MIB)
    nowhere_to_write(monkeypatch, "full disk")
    broker = MemoryBroker()
    seat, sky = broker.transport(), broker.transport()
    for transport in (seat, sky):
        await transport.connect()
    await seat.subscribe("flood")
    for number in range(3000):
        sky.publish("flood", b"%04d" % number + b"x" * 1000)
    messages = seat.messages()
    found = [int((await anext(messages)).payload[:4]) for _ in range(800)]
    assert found == list(range(800))
    sky.publish("flood", b"9999")
    (first, second) = [record.getMessage() for record in caplog.records]
    assert "what more comes, now on flood, is dropped for one module" in first
    assert int(second.split()[0]) > 2000


def test_files_are_given_back_while_the_queue_never_empties(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that only grew would take more and more for little that waits."""
    monkeypatch.setattr(spool, "SEGMENT", 100_000)
    monkeypatch.setattr(spool, "BATCH_BYTES", 5_000)
    room = spool.Room()
    queue = spool.SpoolQueue[bytes](bytes, bytes, len, room)
    written = taken = most = 0
    for turn in range(200):
        for _ in range(20 if turn else 300):
            queue.append(b"%06d" % written + b"x" * 994, spool=True)
            written += 1
        for _ in range(20):
            assert int(queue.first()[:6]) == taken
            assert int(queue.popleft()[:6]) == taken
            taken += 1
        most = max(most, room.used)
    assert most < 500_000
    while len(queue):
        assert int(queue.popleft()[:6]) == taken
        taken += 1
    assert (taken, room.used, queue.size) == (written, 0, 0)


class Half:
    """Writes half of what it is given, once; then the disk is full."""

    def __init__(self, write: Callable[[int, bytes, int], int]) -> None:
        self._write = write
        self.calls = 0

    def __call__(self, file: int, data: bytes, at: int) -> int:
        self.calls += 1
        return self._write(file, data[: len(data) // 2], at) if self.calls == 1 else _no_space()


def test_a_write_that_failed_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = spool.SpoolQueue[bytes](bytes, bytes, len)
    for number in range(10):
        queue.append(b"%d" % number, spool=True)
    write = os.pwrite
    with monkeypatch.context() as context:
        context.setattr(spool.os, "pwrite", Half(write))
        with pytest.raises(spool.SpoolFull):
            queue.append(b"lost", spool=True)
    queue.append(b"!" * 600_000, spool=True)
    assert [queue.popleft() for _ in range(11)] == [*(b"%d" % number for number in range(10)), b"!" * 600_000]


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
