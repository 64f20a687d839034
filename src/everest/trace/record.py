"""Recording a bus: every message in broker order, with what modules tell of themselves on `everest_trace/<module id>`.

Lives here: `Recorder` (messages to records), `record` (a broker), `watch` (an in-memory broker). While a recording runs
`everest_trace/recording` is retained as `true`; a recorder that dies leaves no trace of it (MQTT will).
May not be imported here: replay, modules.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from everest.runtime.memory import MemoryBroker, Published
from everest.runtime.mqtt import NODELAY
from everest.runtime.topics import matches
from everest.trace.jump_loop import turn_now
from everest.trace.records import BusMessage, Frame, Record, TimerFired, TraceError
from everest.trace.topics import RECORDING, TRACE

logger = logging.getLogger(__name__)

ON = b"true"
quiet = logging.getLogger(f"{__name__}.client")
quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Broker:
    """Where the bus is; `external_prefix` is put before the recording's own topics, as modules do."""

    host: str = "localhost"
    port: int = 1883
    socket_path: str | None = None
    external_prefix: str = ""

    @property
    def address(self) -> str:
        return self.socket_path or f"{self.host}:{self.port}"


class Recorder:
    """Makes records of messages and hands them to `write`."""

    def __init__(
        self,
        write: Callable[[Record], None],
        *,
        external_prefix: str = "",
        clock: Callable[[], float] = time.time,
        turn: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._write = write
        self._clock = clock
        self._turn = turn
        self._own = external_prefix + TRACE
        self._switch = external_prefix + RECORDING
        self._shown: set[str] = set()

    def take(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """One message of the bus, in the broker's order."""
        if topic == self._switch:
            return
        told = self.told(topic, payload) if topic.startswith(self._own) else None
        self._write(BusMessage(self._now(), topic, payload, qos, retain, self._turn()) if told is None else told)

    def _now(self) -> float:
        return round(self._clock(), 6)

    def told(self, topic: str, payload: bytes) -> Record | None:
        """What a module tells of itself; None when it is of another form (it is then kept as a message)."""
        t, module = self._now(), topic.removeprefix(self._own)
        try:
            line: dict[str, Any] = json.loads(payload)
            if "timer" in line:
                return TimerFired(t, str(line["timer"]), module, self._turn())
            return Frame(t, str(line["dir"]), str(line["frame"]), module, self._turn())
        except (ValueError, KeyError, TypeError, RecursionError):
            if topic not in self._shown:
                self._shown.add(topic)
                logger.warning("%s: neither a frame nor a timer; kept as a message", topic)
            return None


async def record(
    broker: Broker,
    write: Callable[[Record], None],
    *,
    seconds: float | None = None,
    until_topic: str | None = None,
    connected: Callable[[], None] = lambda: None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Record until `seconds` have passed, a message on `until_topic` (wildcards allowed) came, or the caller cancels.

    `connected` is called before the first record, `started` when every message from then on is recorded; `seconds`
    count from there. Errors: TraceError without a broker.
    """
    recorder = Recorder(write, external_prefix=broker.external_prefix)
    switch = broker.external_prefix + RECORDING
    try:
        async with _client(broker, switch) as client:
            connected()
            await client.subscribe("#", options=SubscribeOptions(qos=2, retainAsPublished=True))
            await client.publish(switch, ON, qos=1, retain=True)
            started()
            try:
                async with asyncio.timeout(seconds):
                    await _take(client, recorder, until_topic)
            finally:
                with suppress(aiomqtt.MqttError):  # without a broker there is no topic to clear, and its will does it
                    await client.publish(switch, b"", qos=1, retain=True)
    except TimeoutError:
        return
    except aiomqtt.MqttError as error:
        raise TraceError(f"the broker at {broker.address}: {error}") from None


async def _take(client: aiomqtt.Client, recorder: Recorder, until_topic: str | None) -> None:
    async for message in client.messages:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        recorder.take(message.topic.value, payload, message.qos, bool(message.retain))
        if until_topic is not None and matches(until_topic, message.topic.value):
            return


def _client(broker: Broker, switch: str) -> aiomqtt.Client:
    client = aiomqtt.Client(
        hostname=broker.socket_path or broker.host,
        port=broker.port,
        transport="unix" if broker.socket_path else "tcp",
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(switch, b"", qos=1, retain=True),
        logger=quiet,
        socket_options=() if broker.socket_path else (NODELAY,),
    )
    client.pending_calls_threshold = 1000
    return client


@contextmanager
def watch(
    broker: MemoryBroker, write: Callable[[Record], None], *, clock: Callable[[], float] = time.time
) -> Iterator[None]:
    """Record what passes an in-memory broker for the length of the block, what it keeps first."""
    recorder = Recorder(write, clock=clock, turn=turn_now)
    recording = True

    def take(message: Published) -> None:
        if recording:
            recorder.take(message.topic, message.payload, message.qos, message.retain)

    for topic, payload in broker.retained.items():
        recorder.take(topic, payload, 2, True)
    broker.watch(take)
    broker.publish(RECORDING, ON, retain=True)
    try:
        yield
    finally:
        recording = False
        broker.publish(RECORDING, b"", retain=True)
