"""Sends own CALLs, one in flight at a time, and matches their answers. Owns the two queues' flow.

The rules (what may be sent next, retries, size limits) are pure and live in `queue.py`; the rows live in the store.
The order of things here is what no kill may break: a message, with the changes that caused it, is on disk before
`enqueue` returns; its id and payload are on disk before its first byte leaves; its removal and what its answer changed
are one commit; only then comes the next CALL.
May import: messages, wire, actions, queue, ports, store.rows. Must not import: charge_point or any capability.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, repeat
from typing import Protocol

import msgspec

from ocpp16 import queue
from ocpp16.errors import ConnectionLost, StoreError
from ocpp16.messages import Request
from ocpp16.messages.codec import PayloadError, decode_request, encode_payload
from ocpp16.outcome import (
    Answered,
    Malformed,
    Offline,
    Outcome,
    Refused,
    TimedOut,
    in_words,
    is_final,
    outcome_of,
)
from ocpp16.ports import Clock, Randomness, Store
from ocpp16.queue import Queues, Waiting
from ocpp16.store.rows import Change, DeadLetter, PutMessage, QueuedMessage, QueueName, RemoveMessage
from ocpp16.wire import CallError, CallResult, encode_call

__all__ = [
    "Answered",
    "DispatcherHooks",
    "Malformed",
    "MessageDispatcher",
    "Offline",
    "Outcome",
    "QueueSettings",
    "Refused",
    "SendFrame",
    "TimedOut",
]

logger = logging.getLogger(__name__)

SYNCHRONOUS_CALL_TIMEOUT = 60.0
"""Seconds a caller of `call` waits altogether, in the queue and for the answer (libocpp 3.4)."""

LONGEST_SLEEP = 30.0
"""Retry times are wall-clock times: look at the clock again at least this often, it may have been set."""

STORE_RETRY_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to write to a store that refuses; the last one is repeated."""


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


class DispatcherHooks(Protocol):
    """What the capabilities know about a queued message. All but `after_answer` are pure and quick."""

    def fill_in(self, message: QueuedMessage, payload: bytes) -> bytes:
        """The payload to send now: the place where `transactionId` of an open transaction is filled in."""
        ...

    def on_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> Sequence[Change]:
        """Changes to be committed together with the removal of the message from its queue.

        Called once per enqueued message, with its last outcome: Answered; Refused, TimedOut or Malformed when it is
        given up; Offline for a normal message that was in flight when the connection went. Not called for `call`.
        """
        ...

    async def after_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        """Side effects after that commit (callbacks, timers). The next CALL is sent when this has returned."""
        ...


SendFrame = Callable[[str, str], Awaitable[None]]
"""Writes one frame (text, action name for the log) to the open connection; raises `ConnectionLost`."""


@dataclass
class _Ticket:
    """What is known of a message in this run only, next to its row."""

    action: str
    caller: asyncio.Future[Outcome] | None = None
    connection: int = 0
    """The number of the connection it was last sent on; 0 for none."""
    earlier_ids: set[str] = field(default_factory=set)
    """Ids of failed attempts on this connection: a late answer to one of them still counts."""


@dataclass
class _InFlight:
    message: QueuedMessage
    answer: asyncio.Future[Outcome]


class MessageDispatcher:
    """The queues and the line: takes requests, sends them in order, and reports what became of them.

    `send` may be given here or with `connected`. `log` takes warnings; it defaults to the logger of this file.
    All methods are called in the event loop's thread.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        randomness: Randomness,
        settings: QueueSettings,
        hooks: DispatcherHooks,
        send: SendFrame | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._settings = settings
        self._hooks = hooks
        self._default_send = send
        self._log = log or logger
        self._queues = Queues()
        self._tickets: dict[int, _Ticket] = {}
        self._in_flight: _InFlight | None = None
        self._late: dict[int, Outcome] = {}
        self._send: SendFrame | None = None
        self._connection = 0
        self._resume_at = 0.0
        self._accepted = False
        self._held = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    # --- life --------------------------------------------------------------------------------------------------------

    async def load(self, *, discard_security_events: bool = False) -> None:
        """Take over the messages of the store, in the order in which they were queued, and start working.

        `discard_security_events` (DisableSecurityEventNotifications) deletes stored SecurityEventNotifications.
        Without QueueAllMessages stored normal messages are sent once and their rows deleted now (libocpp 3.8.6).
        A row whose payload cannot be read becomes a dead letter. Raises StoreError.
        """
        changes: list[Change] = []
        for message in await self._store.messages():
            reason = self._unreadable(message)
            if reason is not None:
                changes += [RemoveMessage(message.key), DeadLetter(message, reason, self._clock.now())]
            elif discard_security_events and message.action == "SecurityEventNotification":
                changes.append(RemoveMessage(message.key))
            else:
                keep = message.queue is QueueName.TRANSACTION or self._settings.queue_all_messages
                if not keep:
                    changes.append(RemoveMessage(message.key))
                self._insert(Waiting(message, persistent=keep))
        if changes:
            await self._store.apply(changes)
        self._start()

    async def close(self) -> None:
        """End the sending task. Rows stay in the store; callers of `call` get Offline."""
        self._closed = True
        self.disconnected()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @property
    def queues(self) -> Queues:
        """What waits now, without the message in flight."""
        return self._queues

    @property
    def online(self) -> bool:
        """A connection is open."""
        return self._send is not None

    @property
    def in_flight(self) -> QueuedMessage | None:
        return self._in_flight.message if self._in_flight else None

    # --- the connection and the registration -------------------------------------------------------------------------

    def connected(self, send: SendFrame | None = None) -> None:
        """A connection is open. On a reconnect sending starts after MessageQueueResumeDelay (libocpp 3.8.4)."""
        if self._connection:
            self._resume_at = asyncio.get_running_loop().time() + self._settings.message_queue_resume_delay
        self._connection += 1
        self._send = send or self._default_send
        self._start()

    def disconnected(self) -> None:
        """The connection is gone, or given up: everything that waits for it ends now (libocpp 12.5)."""
        self._send = None
        if self._in_flight is not None:
            _resolve(self._in_flight.answer, Offline())
        for key, ticket in list(self._tickets.items()):
            ticket.earlier_ids.clear()
            if ticket.caller is not None:
                _resolve(ticket.caller, Offline())
                self._take(key)
        self._wake.set()

    def accepted(self, accepted: bool = True) -> None:
        """Whether the CSMS has accepted the station: until then only BootNotification and triggered messages go."""
        self._accepted = accepted
        self._wake.set()

    def hold(self) -> None:
        """A CALL of the CSMS is being answered: send no own CALL before `release` (libocpp 3.8.2)."""
        self._held += 1

    def release(self) -> None:
        self._held = max(0, self._held - 1)
        self._wake.set()

    # --- taking requests ---------------------------------------------------------------------------------------------

    async def enqueue(
        self,
        request: Request,
        *,
        session_id: str | None = None,
        with_changes: Sequence[Change] = (),
        before_accepted: bool = False,
    ) -> QueuedMessage | None:
        """Queue a request; returns when it and `with_changes` are on disk, in one commit.

        None if the rules drop the message (a normal one while offline or not accepted); `with_changes` is written all
        the same. `before_accepted` marks triggered messages, which may go out before the CSMS has accepted the station.
        Raises StoreError if the store refuses; the message is then not queued.
        """
        queueable = self._queueable(request.action)
        boot = request.action == queue.BOOT_NOTIFICATION
        entering = queue.may_enter(
            action=request.action,
            queueable=queueable,
            before_accepted=before_accepted,
            online=self._send is not None,
            accepted=self._accepted,
        )
        changes = list(with_changes)
        message = await self._message(request, session_id) if entering else None
        if message is not None and queueable:
            changes.insert(0, PutMessage(message))
        if changes:
            await self._store.apply(changes)
        if message is not None:
            self._insert(Waiting(message, before_accepted=before_accepted or boot, persistent=queueable))
            await self._thin()
        return message

    async def call(self, request: Request, *, timeout: float = SYNCHRONOUS_CALL_TIMEOUT) -> Outcome:
        """Send a request and wait for its outcome, at most `timeout` seconds altogether; it is never stored.

        Offline at once when there is no connection or the station is not accepted, and as soon as the connection
        goes (libocpp 3.1 rule 9, 12.5). No hook is called: what the answer means is the caller's business.
        """
        message = await self._message(request, None)
        if not (self._send is not None and self._accepted and not self._closed):
            return Offline()
        caller: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._insert(Waiting(message), _Ticket(request.action, caller))
        try:
            async with asyncio.timeout(timeout):
                await self._thin()
                return await caller
        except TimeoutError:
            return TimedOut()
        finally:
            caller.cancel()
            self._take(message.key)

    def received(self, frame: CallResult | CallError) -> bool:
        """An answer has come. False if it belongs to no CALL (it is then ignored, libocpp 3.3)."""
        flight = self._in_flight
        if flight is not None and flight.message.message_id == frame.message_id:
            return _resolve(flight.answer, outcome_of(flight.message.action, frame))
        return isinstance(frame, CallResult) and self._received_late(frame)

    # --- inside: taking ----------------------------------------------------------------------------------------------

    def _queueable(self, action: str) -> bool:
        return queue.is_queueable(
            action,
            queue_all_messages=self._settings.queue_all_messages,
            discard=self._settings.message_types_discard_for_queueing,
        )

    async def _message(self, request: Request, session_id: str | None) -> QueuedMessage:
        return QueuedMessage(
            key=await self._store.next_key(),
            queue=queue.queue_of(request.action),
            message_id=self._randomness.message_id(),
            action=request.action,
            payload=encode_payload(request),
            timestamp=self._clock.now(),
            session_id=session_id,
        )

    def _insert(self, waiting: Waiting, ticket: _Ticket | None = None) -> None:
        self._queues = queue.insert(self._queues, waiting)
        self._tickets[waiting.message.key] = ticket or _Ticket(waiting.message.action)
        self._wake.set()

    def _take(self, key: int) -> Waiting | None:
        """Take a message out of its queue, for good: nobody waits for it any more."""
        waiting = self._queues.find(key)
        if waiting is not None:
            self._queues = queue.remove(self._queues, key)
            self._tickets.pop(key, None)
        return waiting

    async def _thin(self) -> None:
        thinned = queue.thin(self._queues, self._settings.message_queue_size_threshold)
        if not thinned.removed:
            return
        self._queues = thinned.queues
        for waiting in thinned.removed:
            ticket = self._tickets.pop(waiting.message.key)
            if ticket.caller is not None:
                _resolve(ticket.caller, Offline())
        self._log.warning("The message queue is full: %d messages were dropped", len(thinned.removed))
        rows = [RemoveMessage(waiting.message.key) for waiting in thinned.removed if waiting.persistent]
        if rows:
            await self._write(rows, durable=False)

    def _unreadable(self, message: QueuedMessage) -> str | None:
        try:
            decode_request(message.action, message.payload)
        except (PayloadError, KeyError) as error:
            self._log.error("The queued %s %s cannot be read: %s", message.action, message.message_id, error)
            return f"unreadable: {error}"
        return None

    # --- inside: sending ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="ocpp16.dispatcher")
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._late:
                    await self._settle_late()
                elif waiting := self._next():
                    await self._deliver(waiting)
                else:
                    await self._sleep()
            except Exception:
                self._log.exception("Sending failed in an unforeseen way; going on in a second")
                await asyncio.sleep(1)

    def _next(self) -> Waiting | None:
        if self._send is None or self._held or self._resume_wait() > 0:
            return None
        return queue.next_message(
            self._queues,
            now=self._clock.now(),
            accepted=self._accepted,
            retry_interval=self._settings.transaction_message_retry_interval,
        )

    def _resume_wait(self) -> float:
        return self._resume_at - asyncio.get_running_loop().time()

    async def _sleep(self) -> None:
        """Until something changes, or a retry or the end of the resume delay falls due."""
        wait: float | None = None
        if self._send is not None and not self._held:
            wait = self._resume_wait()
            if wait <= 0:
                wait = queue.seconds_until_next(
                    self._queues,
                    now=self._clock.now(),
                    accepted=self._accepted,
                    retry_interval=self._settings.transaction_message_retry_interval,
                )
        try:
            async with asyncio.timeout(None if wait is None else min(wait, LONGEST_SLEEP)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deliver(self, waiting: Waiting) -> None:
        """Send one message and see it through to its answer, its repetition or its end.

        Until that is decided the message is out of the queue, so that nothing else touches it. Whatever goes wrong
        puts it back.
        """
        ticket = self._tickets[waiting.message.key]
        self._queues = queue.remove(self._queues, waiting.message.key)
        settled = False
        try:
            waiting = await self._prepare(waiting, ticket)
            if late := self._late.pop(waiting.message.key, None):
                settled = True
                await self._finish(waiting, late)
            elif self._may_still_go(ticket):
                sent_at = self._clock.now()
                outcome = await self._exchange(waiting.message, ticket)
                settled = True
                await self._settle(waiting, ticket, outcome, sent_at)
        finally:
            if not settled:
                self._insert_again(waiting, ticket)

    def _may_still_go(self, ticket: _Ticket) -> bool:
        """The world may have changed while the store was writing."""
        abandoned = ticket.caller is not None and ticket.caller.done()
        return self._send is not None and not self._held and not abandoned

    def _insert_again(self, waiting: Waiting, ticket: _Ticket) -> None:
        if ticket.caller is not None and ticket.caller.done():
            self._tickets.pop(waiting.message.key, None)
        else:
            self._insert(waiting, ticket)

    async def _prepare(self, waiting: Waiting, ticket: _Ticket) -> Waiting:
        """Fix id and payload before the first byte is sent, on disk if the message has a row.

        A first send fills in what only now is known (the transactionId). A repetition on the same connection gets a
        new id, because OCPP-J wants ids unique there; anything else keeps both (design 5).
        """
        message = waiting.message
        if ticket.connection == self._connection:
            message = msgspec.structs.replace(message, message_id=self._randomness.message_id())
        if not message.sent:
            payload = self._fill_in(message)
            message = msgspec.structs.replace(message, payload=payload, sent=True)
        row = waiting.message
        fixed = (row.message_id, row.payload) == (message.message_id, message.payload)
        if waiting.persistent and not (fixed and row.sent):
            await self._write([PutMessage(message)], durable=not fixed)
        return Waiting(message, before_accepted=waiting.before_accepted, persistent=waiting.persistent)

    def _fill_in(self, message: QueuedMessage) -> bytes:
        try:
            return self._hooks.fill_in(message, message.payload)
        except Exception:
            self._log.exception("%s %s goes out as it was queued", message.action, message.message_id)
            return message.payload

    async def _exchange(self, message: QueuedMessage, ticket: _Ticket) -> Outcome:
        """Write the CALL and wait for its answer, the time-out, or the loss of the connection."""
        send = self._send
        assert send is not None
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._in_flight = _InFlight(message, answer)
        ticket.connection = self._connection
        limit = queue.response_timeout(message, self._settings.transaction_message_retry_interval)
        try:
            async with asyncio.timeout(limit):
                await send(encode_call(message.message_id, message.action, message.payload), message.action)
                return await answer
        except TimeoutError:
            self._log.warning("No answer to %s %s within %g s", message.action, message.message_id, limit)
            return Offline() if self._send is None else TimedOut()
        except ConnectionLost:
            if self._send is send:
                self.disconnected()
            return Offline()
        finally:
            self._in_flight = None

    # --- inside: what became of it -----------------------------------------------------------------------------------

    async def _settle(self, waiting: Waiting, ticket: _Ticket, outcome: Outcome, sent_at: datetime) -> None:
        message = waiting.message
        if ticket.caller is not None:
            self._tickets.pop(message.key, None)
            _resolve(ticket.caller, outcome)
        elif isinstance(outcome, Offline):
            if waiting.persistent or waiting.is_boot:
                self._insert(waiting, ticket)
            else:
                await self._finish(waiting, outcome)
        elif is_final(message.action, outcome):
            await self._finish(waiting, outcome)
        else:
            await self._failed(waiting, ticket, outcome, sent_at)

    async def _failed(self, waiting: Waiting, ticket: _Ticket, outcome: Outcome, sent_at: datetime) -> None:
        """The CSMS failed to process the message: again later, or give it up."""
        message = waiting.message
        again = queue.after_failure(
            waiting,
            sent_at=sent_at,
            attempts_allowed=self._settings.transaction_message_attempts,
            retry_interval=self._settings.transaction_message_retry_interval,
        )
        self._log.warning("%s %s failed: %s", message.action, message.message_id, in_words(outcome))
        if again is None:
            await self._finish(waiting, outcome, gave_up=True)
            return
        if ticket.connection == self._connection and self._send is not None:
            ticket.earlier_ids.add(message.message_id)
        self._insert(Waiting(again, before_accepted=waiting.before_accepted, persistent=waiting.persistent), ticket)
        if waiting.persistent:
            await self._write([PutMessage(again)], durable=False)

    async def _finish(self, waiting: Waiting, outcome: Outcome, *, gave_up: bool = False) -> None:
        """The message leaves its queue, in one commit with all that its outcome changes."""
        message = waiting.message
        self._tickets.pop(message.key, None)
        request = decode_request(message.action, message.payload)
        changes: list[Change] = [RemoveMessage(message.key)] if waiting.persistent else []
        if gave_up and waiting.persistent:
            self._log.error("%s %s is given up: %s", message.action, message.message_id, in_words(outcome))
            changes.append(DeadLetter(message, in_words(outcome), self._clock.now()))
        consequences, understood = self._consequences(message, request, outcome)
        changes += consequences
        if changes:
            await self._write(changes, durable=gave_up or bool(consequences))
        if understood:
            await self._afterwards(message, request, outcome)

    def _consequences(
        self, message: QueuedMessage, request: Request, outcome: Outcome
    ) -> tuple[Sequence[Change], bool]:
        """What the capabilities say; if they fail, the message is kept for a person, and the queue goes on."""
        try:
            return self._hooks.on_answer(message, request, outcome), True
        except Exception as error:
            self._log.exception("The answer to %s %s could not be used", message.action, message.message_id)
            return [DeadLetter(message, f"answer not usable: {error!r}", self._clock.now())], False

    async def _afterwards(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        try:
            await self._hooks.after_answer(message, request, outcome)
        except Exception:
            self._log.exception("What follows the answer to %s %s failed", message.action, message.message_id)

    def _received_late(self, frame: CallResult) -> bool:
        """The answer to an earlier attempt: the CSMS has the message after all, so it is not sent again."""
        for key, ticket in self._tickets.items():
            if frame.message_id in ticket.earlier_ids:
                outcome = outcome_of(ticket.action, frame)
                if not is_final(ticket.action, outcome):
                    return False
                if self._in_flight is not None and self._in_flight.message.key == key:
                    return _resolve(self._in_flight.answer, outcome)
                self._late[key] = outcome
                self._wake.set()
                return True
        return False

    async def _settle_late(self) -> None:
        key = next(iter(self._late))
        outcome = self._late.pop(key)
        waiting = self._queues.find(key)
        if waiting is not None:
            self._queues = queue.remove(self._queues, key)
            await self._finish(waiting, outcome)

    async def _write(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        """Write, again and again if the store refuses: nothing is sent on the strength of what is not stored."""
        for wait in chain(STORE_RETRY_WAITS, repeat(STORE_RETRY_WAITS[-1])):
            try:
                return await self._store.apply(changes, durable=durable)
            except StoreError as error:
                self._log.error("The message queue cannot be written, next attempt in %g s: %s", wait, error)
                await asyncio.sleep(wait)
        raise AssertionError("unreachable: the waits repeat for ever")


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> bool:
    """False if the outcome was known before."""
    if future.done():
        return False
    future.set_result(outcome)
    return True
