"""A broker in memory: the same envelopes as bytes, without sockets, threads or time.

Lives here: `MemoryBroker` (retained messages, wildcards, order per subscriber) and `MemoryTransport`, a seat at it.
Several modules run as tasks of one event loop; works in virtual time. What a seat does not take in
time waits in files; when these can take no more, it is dropped, which is logged.
May not be imported here: wire, modules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from everest.runtime.errors import BrokerLost
from everest.runtime.spool import SpoolFull, SpoolQueue
from everest.runtime.topics import has_wildcard, matches
from everest.runtime.transport import Message, can_publish, check_filters

logger = logging.getLogger(__name__)

INBOX_LIMIT = 4 * 1024 * 1024
"""Bytes of untaken messages of one seat that are held in memory; further ones go to a file."""
OVERHEAD = 200
"""Bytes that a message takes beside its payload."""

_record = msgspec.msgpack.Decoder(tuple[str, bytes, bool, None])


class Published(NamedTuple):
    """A message as it was published, for those who watch the broker (tests, recorders)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class MemoryBroker:
    """Routes published bytes to the seats that subscribed; keeps retained messages; delivers in order of publishing."""

    def __init__(self) -> None:
        self._retained: dict[str, bytes] = {}
        self._exact: dict[str, list[MemoryTransport]] = {}
        self._wild: dict[str, list[MemoryTransport]] = {}
        self._watchers: list[Callable[[Published], None]] = []

    def transport(self) -> MemoryTransport:
        """A new seat, not yet connected."""
        return MemoryTransport(self)

    def watch(self, watcher: Callable[[Published], None]) -> None:
        """Have `watcher` called with every message published from now on."""
        self._watchers.append(watcher)

    @property
    def retained(self) -> dict[str, bytes]:
        """A copy of what the broker keeps: topic -> payload."""
        return dict(self._retained)

    def publish(self, topic: str, payload: bytes, *, qos: int = 2, retain: bool = False) -> None:
        """Deliver to every matching seat once; an empty retained payload clears the topic."""
        if retain:
            if payload:
                self._retained[topic] = payload
            else:
                self._retained.pop(topic, None)
        for watcher in self._watchers:
            watcher(Published(topic, payload, qos, retain))
        message = Message(topic, payload)
        for seat in self._receivers(topic):
            seat._deliver(message)

    def _receivers(self, topic: str) -> list[MemoryTransport]:
        seats = dict.fromkeys(self._exact.get(topic, ()))
        for topic_filter, subscribers in self._wild.items():
            if matches(topic_filter, topic):
                seats.update(dict.fromkeys(subscribers))
        return list(seats)

    def _table(self, topic_filter: str) -> dict[str, list[MemoryTransport]]:
        return self._wild if has_wildcard(topic_filter) else self._exact

    def _subscribe(self, seat: MemoryTransport, topic_filter: str) -> None:
        seats = self._table(topic_filter).setdefault(topic_filter, [])
        if seat not in seats:
            seats.append(seat)
        for topic, payload in self._retained.items():
            if matches(topic_filter, topic):
                seat._deliver(Message(topic, payload, retain=True))

    def _unsubscribe(self, seat: MemoryTransport, topic_filter: str) -> None:
        table = self._table(topic_filter)
        seats = table.get(topic_filter, [])
        if seat in seats:
            seats.remove(seat)
        if not seats:
            table.pop(topic_filter, None)

    def _leave(self, seat: MemoryTransport) -> None:
        for table in (self._exact, self._wild):
            for topic_filter in [name for name, seats in table.items() if seat in seats]:
                self._unsubscribe(seat, topic_filter)


class MemoryTransport:
    """One seat at a `MemoryBroker`; see `transport.Transport` for the contract."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._inbox: SpoolQueue[Message] = SpoolQueue(
            dump=msgspec.msgpack.encode,
            load=lambda record: Message(*_record.decode(record)),
            weigh=lambda message: len(message.payload) + OVERHEAD,
        )
        self._wake = asyncio.Event()
        self._closed = True
        self._lost: BrokerLost | None = None
        self._dropped = 0

    @property
    def spooled(self) -> int:
        """How many messages wait for this seat in a file."""
        return self._inbox.spooled

    async def connect(self) -> None:
        self._closed = False

    async def messages(self) -> AsyncIterator[Message]:
        while not self._closed:
            while self._inbox:
                yield self._inbox.popleft()
            if self._lost is not None:
                raise self._lost
            self._wake.clear()
            await self._wake.wait()

    async def subscribe(self, *topic_filters: str, qos: int = 2) -> None:
        self._check()
        check_filters(topic_filters)
        for topic_filter in topic_filters:
            self._broker._subscribe(self, topic_filter)
        await asyncio.sleep(0)

    async def unsubscribe(self, *topic_filters: str) -> None:
        self._check()
        for topic_filter in topic_filters:
            self._broker._unsubscribe(self, topic_filter)
        await asyncio.sleep(0)

    def publish(self, topic: str, payload: bytes, *, qos: int = 2, retain: bool = False) -> None:
        if not self._closed and self._lost is None and can_publish(topic):
            self._broker.publish(topic, payload, qos=qos, retain=retain)

    async def flush(self) -> None:
        self._check()
        await asyncio.sleep(0)

    async def close(self) -> None:
        self._closed = True
        self._broker._leave(self)
        self._inbox.close()
        self._wake.set()

    def lose(self) -> None:
        """Break the connection, as a dying broker would (for tests)."""
        self._lost = BrokerLost("lost the connection to the in-memory broker")
        self._broker._leave(self)
        self._wake.set()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _deliver(self, message: Message) -> None:
        try:
            self._inbox.append(message, spool=self._inbox.size >= INBOX_LIMIT)
        except SpoolFull as error:
            if not self._dropped:
                logger.error("%s: what more comes, now on %s, is dropped for one module", error, message.topic)
            self._dropped += 1
            return
        if self._dropped:
            logger.error("%d messages of the in-memory bus were dropped; now they are taken again", self._dropped)
            self._dropped = 0
        self._wake.set()
