"""What becomes of a message once its outcome is known: the end, another attempt, or giving up. Writes it down.

The end of a message is one commit: its row goes, and everything its answer changes comes. Nothing else is sent until
that commit is on disk and what follows from it is done.
May import: queue, outcome, waitlist, ports, store.rows. Must not import: the dispatcher, any capability.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Protocol

from ocpp16 import queue
from ocpp16.errors import StoreError
from ocpp16.messages import Request
from ocpp16.messages.codec import decode_request
from ocpp16.outcome import Offline, Outcome, in_words, is_final
from ocpp16.ports import Clock, Store
from ocpp16.queue import QueueSettings, Waiting
from ocpp16.store.common import UnwritableChange
from ocpp16.store.rows import Change, DeadLetter, PutMessage, QueuedMessage, RemoveMessage
from ocpp16.waitlist import Ticket, Waitlist, resolve

STORE_RETRY_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to write to a store that refuses; the last one is repeated."""


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
        """Side effects after that commit (callbacks, timers). The next CALL is sent when this has returned.

        So it must not wait for a `call` of its own: that would wait for the line which waits for this.
        """
        ...


class Settlement:
    """Knows no connection: it is told outcomes, and changes waitlist and store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: QueueSettings,
        hooks: DispatcherHooks,
        waitlist: Waitlist,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._hooks = hooks
        self._waitlist = waitlist
        self._log = log

    async def settle(self, waiting: Waiting, ticket: Ticket, outcome: Outcome, sent_at: datetime) -> None:
        """Decide on a message that was sent at `sent_at`: back to its queue, or its end."""
        message = waiting.message
        if ticket.caller is not None:
            self._waitlist.forget(message.key)
            resolve(ticket.caller, outcome)
        elif isinstance(outcome, Offline):
            if waiting.persistent or waiting.is_boot:
                self._waitlist.insert(waiting, ticket)
            else:
                await self.finish(waiting, outcome)
        elif is_final(message.action, outcome):
            await self.finish(waiting, outcome)
        else:
            await self._failed(waiting, ticket, outcome, sent_at)

    async def _failed(self, waiting: Waiting, ticket: Ticket, outcome: Outcome, sent_at: datetime) -> None:
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
            await self.finish(waiting, outcome, gave_up=True)
            return
        ticket.earlier_ids.add(message.message_id)
        self._waitlist.insert(
            Waiting(again, before_accepted=waiting.before_accepted, persistent=waiting.persistent), ticket
        )
        if waiting.persistent:
            await self.write([PutMessage(again)], durable=False)

    async def finish(self, waiting: Waiting, outcome: Outcome, *, gave_up: bool = False) -> None:
        """The message leaves its queue, in one commit with all that its outcome changes.

        If the capabilities fail at that, the message is kept for a person, and the queue goes on.
        """
        message = waiting.message
        self._waitlist.forget(message.key)
        request = decode_request(message.action, message.payload)
        changes: list[Change] = [RemoveMessage(message.key)] if waiting.persistent else []
        if gave_up and waiting.persistent:
            self._log.error("%s %s is given up: %s", message.action, message.message_id, in_words(outcome))
            changes.append(DeadLetter(message, in_words(outcome), self._clock.now()))
        try:
            consequences = self._hooks.on_answer(message, request, outcome)
            if changes or consequences:
                await self.write([*changes, *consequences], durable=gave_up or bool(consequences))
        except Exception as error:
            self._log.exception("The answer to %s %s cannot be used", message.action, message.message_id)
            await self.write([*changes, DeadLetter(message, f"answer not usable: {error!r}", self._clock.now())])
        else:
            await self._afterwards(message, request, outcome)

    async def _afterwards(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        try:
            await self._hooks.after_answer(message, request, outcome)
        except Exception:
            self._log.exception("What follows the answer to %s %s failed", message.action, message.message_id)

    async def write(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        """Write, again and again if the store refuses: nothing is sent on the strength of what is not stored.

        Raises UnwritableChange at once: the store will never take these changes.
        """
        for wait in chain(STORE_RETRY_WAITS, repeat(STORE_RETRY_WAITS[-1])):
            try:
                return await self._store.apply(changes, durable=durable)
            except UnwritableChange:
                raise
            except StoreError as error:
                self._log.error("The message queue cannot be written, next attempt in %g s: %s", wait, error)
                await asyncio.sleep(wait)
        raise AssertionError("unreachable: the waits repeat for ever")
