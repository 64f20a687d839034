"""Sends own CALLs, one in flight at a time, and matches their answers. Owns the two queues' flow.

The rules (what may be sent next, retries, size limits) are pure and live in `queue.py`; the rows live in the store.
The order of things here is what no kill may break: a message, with the changes that caused it, is on disk before
`enqueue` returns; its id and payload are on disk before its first byte leaves; its removal and what its answer changed
are one commit; only then comes the next CALL.
May import: messages, wire, actions, queue, pause, ports, store.rows. Must not import: charge_point or any capability.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from ocpp16 import queue
from ocpp16.errors import ConnectionLost, UsageError
from ocpp16.messages import Request
from ocpp16.messages.codec import PayloadError, decode_request, encode_payload
from ocpp16.outcome import (
    Answered,
    Malformed,
    Offline,
    Outcome,
    Refused,
    TimedOut,
    is_final,
    outcome_of,
)
from ocpp16.pause import Pause
from ocpp16.ports import Clock, Randomness, Store
from ocpp16.queue import Queues, QueueSettings, Waiting
from ocpp16.settlement import DispatcherHooks, Settlement
from ocpp16.store.rows import Change, DeadLetter, PutMessage, QueuedMessage, QueueName, RemoveMessage
from ocpp16.waitlist import Ticket, Waitlist, resolve
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

STORE_CLOSE_TIMEOUT = 5.0
"""Seconds that `close` waits for messages under way to the store."""

LONGEST_SLEEP = 30.0
"""Retry times are wall-clock times: look at the clock again at least this often, it may have been set."""

Changes = Sequence[Change] | Callable[[], Sequence[Change]]

SendFrame = Callable[[str, str], Awaitable[None]]
"""Writes one frame (text, action name for the log) to the open connection; raises `ConnectionLost`."""


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
        self._waitlist = Waitlist()
        self._settlement = Settlement(store, clock, settings, hooks, self._waitlist, self._log)
        self._in_flight: _InFlight | None = None
        self._unsettled: set[int] = set()
        """Keys of messages whose answer has come and is not yet stored and acted upon."""
        self._settled = asyncio.Event()
        self._late: dict[int, Outcome] = {}
        self._send: SendFrame | None = None
        self._connection = 0
        self._pause = Pause()
        self._accepted = False
        self._task: asyncio.Task[None] | None = None
        self._storing: set[asyncio.Task[QueuedMessage | None]] = set()
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
                self._waitlist.insert(Waiting(message, persistent=keep))
        if changes:
            await self._store.apply(changes)
        self._start()

    async def close(self) -> None:
        """End the sending task, when what is being stored is stored. Callers of `call` get Offline.

        A store that hangs is given up after 5 s: what it has not confirmed may or may not be there at the next start.
        """
        self._closed = True
        self.disconnected()
        if self._storing:
            await asyncio.wait(self._storing, timeout=STORE_CLOSE_TIMEOUT)
        for storing in self._storing:
            storing.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @property
    def queues(self) -> Queues:
        """What waits now, without the message in flight."""
        return self._waitlist.queues

    @property
    def online(self) -> bool:
        """A connection is open."""
        return self._send is not None

    @property
    def in_flight(self) -> QueuedMessage | None:
        return self._in_flight.message if self._in_flight else None

    # --- the connection and the registration -------------------------------------------------------------------------

    def connected(self, send: SendFrame | None = None) -> None:
        """A connection is open. On a reconnect sending starts after MessageQueueResumeDelay (libocpp 3.8.4).

        UsageError if there is no `send`, neither here nor from the constructor.
        """
        send = send or self._default_send
        if send is None:
            raise UsageError("connected() needs a function that sends frames")
        if self._connection:
            self._pause.resume_in(self._settings.message_queue_resume_delay)
        self._connection += 1
        self._send = send
        self._start()

    def disconnected(self) -> None:
        """The connection is gone, or given up: everything that waits for it ends now (libocpp 12.5)."""
        self._send = None
        if self._in_flight is not None:
            resolve(self._in_flight.answer, Offline())
        self._waitlist.offline()
        self._waitlist.changed.set()

    def accepted(self, accepted: bool = True) -> None:
        """Whether the CSMS has accepted the station: until then only BootNotification and triggered messages go."""
        self._accepted = accepted
        self._waitlist.changed.set()

    def hold(self) -> None:
        """A CALL of the CSMS is being answered: send no own CALL before `release` (libocpp 3.8.2), for 10 s at most."""
        self._pause.hold()

    def release(self) -> None:
        self._pause.release()
        self._waitlist.changed.set()

    # --- taking requests ---------------------------------------------------------------------------------------------

    async def enqueue(
        self,
        request: Request,
        *,
        session_id: str | None = None,
        with_changes: Changes = (),
        before_accepted: bool = False,
    ) -> QueuedMessage | None:
        """Queue a request; returns when it and `with_changes` are on disk, in one commit. Changes that an answer may
        overtake while this waits are given as a function: it is called when they are handed to the store.

        None if the rules drop the message (a normal one while offline or not accepted); `with_changes` is written all
        the same. `before_accepted` marks triggered messages, which may go out before the CSMS has accepted the station.
        Raises StoreError if the store refuses; the message is then not queued. A caller that is cancelled meanwhile
        does not tear row and queue apart: the message is on its way.
        """
        storing = asyncio.get_running_loop().create_task(
            self._enqueue(request, session_id, with_changes, before_accepted), name="ocpp16.dispatcher.enqueue"
        )
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        return await asyncio.shield(storing)

    async def _enqueue(
        self, request: Request, session_id: str | None, with_changes: Changes, before_accepted: bool
    ) -> QueuedMessage | None:
        queueable = self._queueable(request.action)
        boot = request.action == queue.BOOT_NOTIFICATION
        entering = queue.may_enter(
            action=request.action,
            queueable=queueable,
            before_accepted=before_accepted,
            online=self._send is not None,
            accepted=self._accepted,
        )
        message = await self._message(request, session_id) if entering else None
        changes = list(with_changes() if callable(with_changes) else with_changes)
        if message is not None and queueable:
            changes.insert(0, PutMessage(message))
        if changes:
            await self._store.apply(changes)
        if message is not None:
            if boot:
                self._waitlist.drop_boot_notifications()
            self._waitlist.insert(Waiting(message, before_accepted=before_accepted or boot, persistent=queueable))
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
        self._waitlist.insert(Waiting(message), Ticket(request.action, caller))
        try:
            async with asyncio.timeout(timeout):
                await self._thin()
                return await caller
        except TimeoutError:
            return TimedOut()
        finally:
            caller.cancel()
            self._waitlist.take(message.key)

    def received(self, frame: CallResult | CallError) -> bool:
        """An answer has come. False if it belongs to no CALL (it is then ignored, libocpp 3.3)."""
        flight = self._in_flight
        if flight is not None and flight.message.message_id == frame.message_id:
            self._unsettled.add(flight.message.key)
            return resolve(flight.answer, outcome_of(flight.message.action, frame))
        return isinstance(frame, CallResult) and self._received_late(frame)

    async def settled(self) -> None:
        """Wait until every answer that has come so far is stored and acted upon.

        A CALL of the CSMS that follows an answer may build on it (RemoteStopTransaction on StartTransaction.conf). A
        late answer that has to wait for another message in flight is not waited for: that one may take long.
        """
        while self._unsettled:
            self._settled.clear()
            await self._settled.wait()

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

    async def _thin(self) -> None:
        """Keep to MessageQueueSizeThreshold. Should the rows outlive a power cut, they are thinned again later."""
        removed = self._waitlist.thin(self._settings.message_queue_size_threshold)
        if not removed:
            return
        self._log.warning("The message queue is full: %d messages were dropped", len(removed))
        rows = [RemoveMessage(waiting.message.key) for waiting in removed if waiting.persistent]
        if rows:
            await self._settlement.write(rows, durable=False)

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
        self._waitlist.changed.set()

    async def _run(self) -> None:
        while True:
            self._waitlist.changed.clear()
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
        if self._send is None or self._pause.seconds:
            return None
        return queue.next_message(
            self._waitlist.queues,
            now=self._clock.now(),
            accepted=self._accepted,
            retry_interval=self._settings.transaction_message_retry_interval,
        )

    async def _sleep(self) -> None:
        """Until something changes, or a retry or the end of a pause falls due."""
        wait: float | None = None
        if self._send is not None:
            wait = self._pause.seconds
            if not wait:
                wait = queue.seconds_until_next(
                    self._waitlist.queues,
                    now=self._clock.now(),
                    accepted=self._accepted,
                    retry_interval=self._settings.transaction_message_retry_interval,
                )
        try:
            async with asyncio.timeout(None if wait is None else min(wait, LONGEST_SLEEP)):
                await self._waitlist.changed.wait()
        except TimeoutError:
            return

    async def _deliver(self, waiting: Waiting) -> None:
        """Send one message and see it through to its answer, its repetition or its end.

        Until that is decided the message is out of the queue, so that nothing else touches it. Whatever goes wrong
        puts it back.
        """
        ticket = self._waitlist.draw(waiting.message)
        settled = False
        try:
            waiting = await self._prepare(waiting, ticket)
            if late := self._late.pop(waiting.message.key, None):
                settled = True
                await self._settlement.finish(waiting, late)
            elif self._send is not None and not self._pause.seconds and not ticket.abandoned:
                sent_at = self._clock.now()
                outcome = await self._exchange(waiting.message, ticket)
                settled = True
                await self._settlement.settle(waiting, ticket, outcome, sent_at)
        finally:
            self._settle_ended(waiting.message.key)
            if not settled:
                self._insert_again(waiting, ticket)

    def _settle_ended(self, key: int) -> None:
        self._unsettled.discard(key)
        self._settled.set()

    def _insert_again(self, waiting: Waiting, ticket: Ticket) -> None:
        if ticket.abandoned:
            self._waitlist.forget(waiting.message.key)
        else:
            self._waitlist.insert(waiting, ticket)

    async def _prepare(self, waiting: Waiting, ticket: Ticket) -> Waiting:
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
            await self._settlement.write([PutMessage(message)], durable=not fixed)
        return Waiting(message, before_accepted=waiting.before_accepted, persistent=waiting.persistent)

    def _fill_in(self, message: QueuedMessage) -> bytes:
        try:
            payload = self._hooks.fill_in(message, message.payload)
            if payload != message.payload:
                decode_request(message.action, payload)
        except Exception:
            self._log.exception("%s %s goes out as it was queued", message.action, message.message_id)
            return message.payload
        return payload

    async def _exchange(self, message: QueuedMessage, ticket: Ticket) -> Outcome:
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

    # --- inside: late answers -----------------------------------------------------------------------------------------

    def _received_late(self, frame: CallResult) -> bool:
        """The answer to an earlier attempt: the CSMS has the message after all, so it is not sent again."""
        found = self._waitlist.find_earlier(frame.message_id)
        if found is None:
            return False
        key, action = found
        outcome = outcome_of(action, frame)
        if not is_final(action, outcome):
            return False
        if self._in_flight is None:
            self._unsettled.add(key)
        elif self._in_flight.message.key == key:
            self._unsettled.add(key)
            return resolve(self._in_flight.answer, outcome)
        self._late[key] = outcome
        self._waitlist.changed.set()
        return True

    async def _settle_late(self) -> None:
        key = next(iter(self._late))
        outcome = self._late.pop(key)
        try:
            if waiting := self._waitlist.take(key):
                await self._settlement.finish(waiting, outcome)
        finally:
            self._settle_ended(key)
