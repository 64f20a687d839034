"""The rules of the two message queues, as functions of values (libocpp 3.8.1 to 3.8.5, DEPARTURE 25).

What may wait, what is sent next, how long an answer may take, when a refused message is tried again and when it is
given up, and what leaves when the queues are full. The flow that uses them is `dispatcher.py`.
May import: actions, store.rows, msgspec. Must not import: asyncio, the store, the wire, any capability.
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from ocpp16.actions import ACTIONS
from ocpp16.store.rows import QueuedMessage, QueueName

TRANSACTION_ACTIONS = frozenset(action.name for action in ACTIONS.values() if action.transaction_related)
"""What goes into the transaction queue, in strict order and never dropped while offline (libocpp 3.8.1)."""

ANSWER_NEEDED = frozenset({"BootNotification", "StartTransaction"})
"""Actions whose CALLRESULT carries what the station cannot go on without. A malformed answer to them counts as
refused; to any other action it still says that the CSMS has taken the message (libocpp 12.15)."""

BOOT_NOTIFICATION = "BootNotification"
BOOT_RETRY_WAIT = timedelta(seconds=60)
RESPONSE_TIMEOUT = 30.0
DEFAULT_SIZE_THRESHOLD = 1000


class QueueSettings(Protocol):
    """Read at each use, so that ChangeConfiguration takes effect at once."""

    @property
    def transaction_message_attempts(self) -> int: ...
    @property
    def transaction_message_retry_interval(self) -> int: ...
    @property
    def message_queue_size_threshold(self) -> int: ...
    @property
    def queue_all_messages(self) -> bool: ...
    @property
    def message_types_discard_for_queueing(self) -> frozenset[str]: ...
    @property
    def message_queue_resume_delay(self) -> float: ...


class Waiting(msgspec.Struct, frozen=True):
    """A message in a queue, with what is true of it in this run only."""

    message: QueuedMessage
    before_accepted: bool = False
    """May go out before the CSMS has accepted the station: BootNotification and triggered messages."""
    persistent: bool = False
    """Has a row in the store."""

    @property
    def is_boot(self) -> bool:
        return self.message.action == BOOT_NOTIFICATION


class Queues(msgspec.Struct, frozen=True):
    """Both queues, each in the order in which it is searched."""

    transaction: tuple[Waiting, ...] = ()
    normal: tuple[Waiting, ...] = ()

    def __len__(self) -> int:
        return len(self.transaction) + len(self.normal)

    def find(self, key: int) -> Waiting | None:
        return next((waiting for waiting in (*self.transaction, *self.normal) if waiting.message.key == key), None)


class Thinned(msgspec.Struct, frozen=True):
    queues: Queues
    removed: tuple[Waiting, ...]


# --- what may wait ---------------------------------------------------------------------------------------------------


def queue_of(action: str) -> QueueName:
    return QueueName.TRANSACTION if action in TRANSACTION_ACTIONS else QueueName.NORMAL


def is_queueable(action: str, *, queue_all_messages: bool, discard: frozenset[str]) -> bool:
    """True if the message has a row in the store and survives being offline (libocpp 3.8.1).

    BootNotification is not stored: every start makes a new one.
    """
    if action in TRANSACTION_ACTIONS:
        return True
    return queue_all_messages and action not in discard and action != BOOT_NOTIFICATION


def may_enter(*, action: str, queueable: bool, before_accepted: bool, online: bool, accepted: bool) -> bool:
    """Whether a new message is taken, or dropped at once (libocpp 3.1 rule 9, 3.8.1)."""
    if queueable or action == BOOT_NOTIFICATION:
        return True
    return online and (accepted or before_accepted)


def insert(queues: Queues, waiting: Waiting) -> Queues:
    """Put a message, new or coming back, into its place: by key, and BootNotification before all others."""
    line = list(queues.transaction if waiting.message.queue is QueueName.TRANSACTION else queues.normal)
    insort(line, waiting, key=_place)
    return _with_line(queues, waiting.message.queue, tuple(line))


def remove(queues: Queues, key: int) -> Queues:
    return Queues(
        transaction=tuple(waiting for waiting in queues.transaction if waiting.message.key != key),
        normal=tuple(waiting for waiting in queues.normal if waiting.message.key != key),
    )


def _place(waiting: Waiting) -> tuple[bool, int]:
    return (not waiting.is_boot, waiting.message.key)


def _with_line(queues: Queues, name: QueueName, line: tuple[Waiting, ...]) -> Queues:
    if name is QueueName.TRANSACTION:
        return Queues(transaction=line, normal=queues.normal)
    return Queues(transaction=queues.transaction, normal=line)


# --- what is sent next -----------------------------------------------------------------------------------------------


def next_message(queues: Queues, *, now: datetime, accepted: bool, retry_interval: int) -> Waiting | None:
    """The message to send now, or None (libocpp 3.8.2).

    The first normal message that may be sent; the head of the transaction queue takes its place if it may be sent and
    is not newer, unless the normal one is BootNotification. Only the head of the transaction queue may ever be sent:
    while its retry waits, all behind it wait too. Before Accepted the head is the first triggered message, since what
    stands before it does not move until then (libocpp 3.1 rule 9).
    """
    normal = next((w for w in queues.normal if _may_be_sent(w, now, accepted, retry_interval)), None)
    head = _head(queues, accepted)
    if head is None or not _may_be_sent(head, now, accepted, retry_interval):
        return normal
    if normal is None:
        return head
    if normal.is_boot or head.message.timestamp > normal.message.timestamp:
        return normal
    return head


def seconds_until_next(queues: Queues, *, now: datetime, accepted: bool, retry_interval: int) -> float | None:
    """How long until a waiting retry falls due, 0.0 if a message may be sent now, None if nothing waits for time."""
    head = _head(queues, accepted)
    candidates = (*queues.normal, head) if head else queues.normal
    waits = [_wait(w, now, retry_interval) for w in candidates if accepted or w.before_accepted]
    return min(waits, default=None)


def _head(queues: Queues, accepted: bool) -> Waiting | None:
    return next((waiting for waiting in queues.transaction if accepted or waiting.before_accepted), None)


def _may_be_sent(waiting: Waiting, now: datetime, accepted: bool, retry_interval: int) -> bool:
    return (accepted or waiting.before_accepted) and _wait(waiting, now, retry_interval) <= 0


def _wait(waiting: Waiting, now: datetime, retry_interval: int) -> float:
    """Seconds until this message may be sent. Only repetitions wait.

    A wait longer than the rules can have asked for means that the wall clock was set back: then it is over.
    """
    message = waiting.message
    if message.attempts == 0:
        return 0.0
    wait = (message.timestamp - now).total_seconds()
    longest = _retry_wait(message, message.attempts, retry_interval).total_seconds()
    return wait if 0 < wait <= longest else 0.0


# --- answers, time-outs, repetitions ---------------------------------------------------------------------------------


def response_timeout(message: QueuedMessage, retry_interval: int) -> float:
    """Seconds to wait for the answer to the next send: 30 s plus the interval times the number of this attempt."""
    return RESPONSE_TIMEOUT + retry_interval * (message.attempts + 1)


def after_failure(
    waiting: Waiting, *, sent_at: datetime, attempts_allowed: int, retry_interval: int
) -> QueuedMessage | None:
    """The message as it goes back to its queue after the CSMS failed to process it; None if it is given up.

    Failed to process means: no answer on an open connection, or a CALLERROR. A lost connection does not come here
    (DEPARTURE 25). The wait counts from the send, so that neither a message that was offline for long nor a wall clock
    that was set back uses up the attempts in one go.
    """
    message = waiting.message
    attempts = message.attempts + 1
    if not waiting.is_boot and (not waiting.persistent or attempts >= attempts_allowed):
        return None
    due = sent_at + _retry_wait(message, attempts, retry_interval)
    return msgspec.structs.replace(message, attempts=attempts, timestamp=due)


def _retry_wait(message: QueuedMessage, attempts: int, retry_interval: int) -> timedelta:
    if message.action == BOOT_NOTIFICATION:
        return BOOT_RETRY_WAIT
    return timedelta(seconds=retry_interval * attempts)


# --- size ------------------------------------------------------------------------------------------------------------


def thin(queues: Queues, limit: int) -> Thinned:
    """Bring both queues together down to `limit` messages, as far as the rules allow (libocpp 3.8.5).

    First messages from the front of the normal queue, a tenth of the limit at a time, never BootNotification. Then
    every second MeterValues of each run in the transaction queue, never its last element; again until it is enough or
    nothing more may go. Starts, stops and security events stay, whatever the size.
    """
    removed: list[Waiting] = []
    while len(queues) > limit:
        leaving = _normal_to_drop(queues.normal, limit) or _meter_values_to_drop(queues.transaction)
        if not leaving:
            break
        removed.extend(leaving)
        gone = {waiting.message.key for waiting in leaving}
        queues = Queues(
            transaction=tuple(w for w in queues.transaction if w.message.key not in gone),
            normal=tuple(w for w in queues.normal if w.message.key not in gone),
        )
    return Thinned(queues, tuple(removed))


def _normal_to_drop(normal: tuple[Waiting, ...], limit: int) -> tuple[Waiting, ...]:
    return tuple(waiting for waiting in normal if not waiting.is_boot)[: max(1, limit // 10)]


def _meter_values_to_drop(transaction: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
    """The 1st, 3rd, ... MeterValues of each run of MeterValues, without the last element of the queue."""
    leaving: list[Waiting] = []
    place_in_run = 0
    for waiting in transaction[:-1]:
        if waiting.message.action != "MeterValues":
            place_in_run = 0
            continue
        if place_in_run % 2 == 0:
            leaving.append(waiting)
        place_in_run += 1
    return tuple(leaving)
