"""What both transports promise: the in-memory broker and a real mosquitto pass the same tests."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from everest.runtime.errors import BrokerLost, BrokerRefused, TransportError
from everest.runtime.memory import MemoryBroker
from everest.runtime.mqtt import MqttTransport
from everest.runtime.transport import Message, Transport
from tests.support.mosquitto import Mosquitto, free_port, needs_mosquitto, running_mosquitto

Connect = Callable[[], Transport]
LIMIT = 10


@pytest.fixture(
    params=["memory", pytest.param("mqtt", marks=needs_mosquitto), pytest.param("unix", marks=needs_mosquitto)]
)
def seat(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect] | Connect:
    """Makes transports to one broker."""
    if request.param == "memory":
        yield MemoryBroker().transport  # type: ignore[misc]
        return
    tmp_path.chmod(0o777)
    with running_mosquitto(tmp_path, unix_socket=request.param == "unix") as broker:
        path = str(broker.socket_path) if broker.socket_path else None
        yield lambda: MqttTransport(broker.host, broker.port, socket_path=path)  # type: ignore[misc]


@pytest.fixture
async def pair(seat: Connect) -> AsyncIterator[tuple[Transport, Transport]]:
    """Two connected transports."""
    first, second = seat(), seat()
    await first.connect()
    await second.connect()
    yield first, second
    await first.close()
    await second.close()


async def take(transport: Transport, count: int) -> list[Message]:
    """The next messages of a transport."""
    found: list[Message] = []
    async with asyncio.timeout(LIMIT):
        async for message in transport.messages():
            found.append(message._replace(filters=None))
            if len(found) == count:
                break
    return found


async def test_a_message_reaches_its_subscriber_and_keeps_its_bytes(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    await receiver.subscribe("a/b")
    sender.publish("a/other", b"no")
    sender.publish("a/b", b"\x00\xffraw")
    assert await take(receiver, 1) == [Message("a/b", b"\x00\xffraw", False)]


async def test_two_thousand_messages_at_once_arrive_in_program_order(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    await receiver.subscribe("burst/#")
    for number in range(2000):
        sender.publish(f"burst/{number % 7}", b"%d" % number)
    assert [int(message.payload) for message in await take(receiver, 2000)] == list(range(2000))


async def test_a_retained_message_greets_late_subscribers_and_can_be_cleared(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    sender.publish("meta", b"kept", retain=True)
    await sender.flush()
    await receiver.subscribe("meta")
    assert await take(receiver, 1) == [Message("meta", b"kept", True)]
    await receiver.unsubscribe("meta")
    sender.publish("meta", b"", qos=0, retain=True)
    sender.publish("behind it", b"", qos=2)
    await sender.flush()
    await receiver.subscribe("meta", "end")
    sender.publish("end", b"1")
    assert await take(receiver, 1) == [Message("end", b"1", False)]


async def test_a_second_subscription_gets_the_retained_message_again(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    sender.publish("meta", b"kept", retain=True)
    await sender.flush()
    for _ in range(2):
        await receiver.subscribe("meta")
        assert await take(receiver, 1) == [Message("meta", b"kept", True)]
        await receiver.unsubscribe("meta")


async def test_wildcards_and_qos_0_subscriptions_work(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    await receiver.subscribe("x/+/z", qos=0)
    sender.publish("x/y/z", b"1")
    assert (await take(receiver, 1))[0].topic == "x/y/z"


async def test_one_subscriber_gets_a_message_once_for_one_filter_subscribed_twice(
    pair: tuple[Transport, Transport],
) -> None:
    sender, receiver = pair
    await receiver.subscribe("a")
    await receiver.subscribe("a")
    sender.publish("a", b"1")
    sender.publish("a", b"2")
    assert [message.payload for message in await take(receiver, 2)] == [b"1", b"2"]


async def test_overlapping_subscriptions_can_be_told_apart(pair: tuple[Transport, Transport]) -> None:
    sender, receiver = pair
    filters = ("x/#", "x/+", "x/1")
    for topic_filter in filters:
        await receiver.subscribe(topic_filter, qos=0)
    sender.publish("x/1", b"1")
    sender.publish("x/end", b"end")
    found: list[str] = []
    async with asyncio.timeout(LIMIT):
        async for message in receiver.messages():
            if message.payload == b"end":
                break
            found += message.filters or filters
    assert sorted(found) == sorted(filters)


@pytest.mark.parametrize("topic_filter", ["", "a#", "a/#/b", "+a", "a\0b", "x" * 70_000])
async def test_a_filter_that_no_broker_takes_is_one_line(pair: tuple[Transport, Transport], topic_filter: str) -> None:
    with pytest.raises(TransportError, match=r"^cannot subscribe "):
        await pair[0].subscribe("good", topic_filter)
    await pair[0].subscribe("#", "+/b")


@pytest.mark.parametrize("topic", ["", "a/#", "+", "a\0b", "x" * 70_000])
async def test_a_topic_that_no_broker_takes_is_logged_and_what_follows_is_sent(
    pair: tuple[Transport, Transport], topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await pair[0].subscribe("good")
    pair[1].publish(topic, b"lost")
    pair[1].publish("good", b"sent")
    assert [message.payload for message in await take(pair[0], 1)] == [b"sent"]
    assert caplog.text.count("cannot publish on ") == 1


async def test_a_transport_hears_its_own_messages(pair: tuple[Transport, Transport]) -> None:
    transport, _ = pair
    await transport.subscribe("self")
    transport.publish("self", b"1")
    assert len(await take(transport, 1)) == 1


async def test_closing_ends_the_reader_without_an_error(seat: Connect) -> None:
    transport = seat()
    await transport.connect()
    reader = asyncio.create_task(take(transport, 1))
    await asyncio.sleep(0)
    await transport.close()
    await transport.close()
    assert await asyncio.wait_for(reader, LIMIT) == []


@pytest.mark.mosquitto
@needs_mosquitto[1]
async def test_a_lost_broker_ends_reader_flush_and_subscribe_with_broker_lost(mosquitto: Mosquitto) -> None:
    transport = MqttTransport(mosquitto.host, mosquitto.port)
    await transport.connect()
    reader = asyncio.create_task(take(transport, 1))
    await transport.subscribe("a")
    mosquitto.stop()
    with pytest.raises(BrokerLost, match=f"lost the connection to the MQTT broker at 127.0.0.1:{mosquitto.port}"):
        await asyncio.wait_for(reader, LIMIT)
    with pytest.raises(BrokerLost):
        await transport.subscribe("b")
    with pytest.raises(BrokerLost):
        await transport.flush()
    transport.publish("a", b"ignored")
    await transport.close()


async def test_a_lost_in_memory_broker_looks_the_same() -> None:
    transport = MemoryBroker().transport()
    await transport.connect()
    reader = asyncio.create_task(take(transport, 1))
    await asyncio.sleep(0)
    transport.lose()
    with pytest.raises(BrokerLost):
        await asyncio.wait_for(reader, LIMIT)


async def test_a_port_that_nobody_answers_on_is_refused_in_one_line_naming_it() -> None:
    port = free_port()
    with pytest.raises(BrokerRefused) as caught:
        await MqttTransport("127.0.0.1", port).connect()
    assert f"cannot connect to the MQTT broker at 127.0.0.1:{port}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.mosquitto
@needs_mosquitto[1]
async def test_the_socket_has_tcp_nodelay_and_speaks_mqtt_5(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: list[tuple[int, ...]] = []
    real = socket.socket.setsockopt

    def spy(self: socket.socket, *arguments: int) -> None:
        options.append(arguments)
        real(self, *arguments)

    monkeypatch.setattr(socket.socket, "setsockopt", spy)
    transport = MqttTransport(mosquitto.host, mosquitto.port)
    await transport.connect()
    await transport.close()
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
    log = mosquitto.log.read_text()
    assert "p5, c1, k20" in log


@pytest.mark.mosquitto
@needs_mosquitto[1]
async def test_a_broker_with_default_limits_takes_a_burst_without_cutting_the_connection(tmp_path: Path) -> None:
    with running_mosquitto(tmp_path, defaults=True) as broker:
        sender, receiver = MqttTransport(broker.host, broker.port), MqttTransport(broker.host, broker.port)
        await sender.connect()
        await receiver.connect()
        await receiver.subscribe("a")
        for number in range(500):
            sender.publish("a", b"%d" % number)
        assert len(await take(receiver, 500)) == 500
        await sender.flush()
        await sender.close()
        await receiver.close()


@pytest.mark.mosquitto
@needs_mosquitto[1]
async def test_a_burst_raises_no_warning_of_the_mqtt_library(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    transport = MqttTransport(mosquitto.host, mosquitto.port)
    await transport.connect()
    for _ in range(300):
        transport.publish("a", b"1")
    await transport.flush()
    await transport.close()
    assert caplog.records == []
