"""What a module has received and not yet handled: a queue per topic, with a limit to the memory of all together.

Lives here: `Listener`, `Job`, `Backlog`. The rule (explained in docs/modules.md): above `LIMIT` the backlog is `full`
until half of it is handled. While it is full the bus stops reading, so that the broker holds the rest, unless
something it waits for (an answer, a confirmation, a stalled handler's cue) can only come by reading on; what is read
then goes to a file. When files can take no more, what comes for a topic that floods is dropped, which is logged when it
begins and when it is over. No I/O but those files, no tasks.
May not be imported here: transports, modules, contracts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from everest.runtime.spool import Room, SpoolFull, SpoolQueue
from everest.runtime.wire import Envelope, MessageType

logger = logging.getLogger(__name__)

LIMIT = 64 * 1024 * 1024
"""Bytes that waiting messages may take in memory, estimated by payload and `OVERHEAD`."""
SMALL = LIMIT // 64
"""A queue below this is never written to the file: it is not the one that floods."""
OVERHEAD = 600
"""Bytes of memory that a waiting message takes beside its payload."""
QUEUE_WARNING = 100

Handler: TypeAlias = Callable[[Envelope], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """A handler for messages of some kinds on a topic or filter; `place` names it in a crash report."""

    kinds: frozenset[MessageType]
    handler: Handler
    place: str


class Job(NamedTuple):
    """One message for one listener; `size` is that of its payload."""

    listener: Listener
    envelope: Envelope
    size: int

    @property
    def place(self) -> str:
        """What a crash report names."""
        return f"{self.listener.place} of {self.envelope.topic}" if self.envelope.kind is None else self.listener.place


def _weigh(job: Job) -> int:
    return job.size + OVERHEAD


class Backlog:
    """Queues of jobs by key; each has one worker, which takes `first`, runs it and says `finished`."""

    def __init__(self) -> None:
        self.queues: dict[str, SpoolQueue[Job]] = {}
        self._listeners: list[Listener] = []
        self._room = Room()
        self._size = 0
        self.dropped = 0
        """How many jobs were lost since the backlog became full."""
        self.full = False
        self.handled = 0
        """How many jobs were finished so far."""

    def put(self, key: str, job: Job) -> bool:
        """Append a job to its queue; True when that queue is new and needs a worker."""
        queue = self.queues.get(key)
        new = queue is None
        if queue is None:
            queue = self.queues[key] = SpoolQueue(self._dump, self._load, _weigh, self._room)
        before = queue.size
        try:
            queue.append(job, spool=self.full and queue.size >= SMALL)
        except SpoolFull as error:
            self._drop(key, error)
            return False
        if len(queue) == QUEUE_WARNING:
            logger.warning("%d messages are waiting on %s", QUEUE_WARNING, key or "external topics")
        self._changed(queue.size - before)
        return new

    def _drop(self, key: str, error: SpoolFull) -> None:
        if not self.dropped:
            logger.error("%s: what more comes on %s is dropped until half is handled", error, key or "external topics")
        self.dropped += 1

    def first(self, key: str) -> Job | None:
        """The next job of a queue, which stays there; None, and the queue is gone, when all are done."""
        queue = self.queues[key]
        if len(queue):
            return queue.first()
        del self.queues[key]
        return None

    def finished(self, key: str) -> None:
        """The first job of a queue is done."""
        queue = self.queues[key]
        before = queue.size
        queue.popleft()
        self.handled += 1
        self._changed(queue.size - before)

    @property
    def spooled(self) -> int:
        """How many jobs lie in files."""
        return sum(queue.spooled for queue in self.queues.values())

    def close(self) -> None:
        """Let go of the files."""
        for queue in self.queues.values():
            queue.close()

    def _changed(self, bytes: int) -> None:
        self._size += bytes
        if self._size >= LIMIT and not self.full:
            self.full = True
            logger.info("messages wait for %d MiB: reading slows down until they are handled", LIMIT >> 20)
        elif self._size < LIMIT // 2:
            self.full = False
            if self.dropped:
                logger.error("%d messages were dropped; from now on all are taken again", self.dropped)
                self.dropped = 0

    # --- written down ------------------------------------------------------------------------------------------------

    def _dump(self, job: Job) -> bytes:
        if job.listener not in self._listeners:
            self._listeners.append(job.listener)
        envelope = job.envelope
        kind = None if envelope.kind is None else envelope.kind.value
        number = self._listeners.index(job.listener)
        return msgspec.msgpack.encode(
            (number, job.size, envelope.topic, kind, envelope.name, bytes(envelope.data)),
        )

    def _load(self, record: bytes) -> Job:
        number, size, topic, kind, name, data = _record.decode(record)
        envelope = Envelope(topic, None if kind is None else MessageType(kind), Raw(data), name)
        return Job(self._listeners[number], envelope, size)


_record = msgspec.msgpack.Decoder(tuple[int, int, str, str | None, str, bytes])
