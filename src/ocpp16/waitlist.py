"""What waits to be sent, with what is known of each message in this run only: its caller, its connection, its ids.

The order in the queues and what leaves them when they are full are rules of `queue.py`; this holds their present state.
May import: queue, outcome, store.rows. Must not import: the dispatcher, the store, any capability.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ocpp16 import queue
from ocpp16.outcome import Offline, Outcome
from ocpp16.queue import Queues, Waiting
from ocpp16.store.rows import QueuedMessage


@dataclass
class Ticket:
    """Lives next to a message from its insertion to its end, in flight too."""

    action: str
    caller: asyncio.Future[Outcome] | None = None
    """Who waits for the outcome of a synchronous call."""
    connection: int = 0
    """The number of the connection it was last sent on; 0 for none."""
    earlier_ids: set[str] = field(default_factory=set)
    """Ids of failed attempts on this connection: a late answer to one of them still counts."""

    @property
    def abandoned(self) -> bool:
        """Its caller waits no longer."""
        return self.caller is not None and self.caller.done()


class Waitlist:
    """Both queues. A message that is being sent is out of them (`draw`), but keeps its ticket."""

    def __init__(self) -> None:
        self.queues = Queues()
        self._tickets: dict[int, Ticket] = {}
        self.changed = asyncio.Event()
        """Set when there may be something new to send."""

    def insert(self, waiting: Waiting, ticket: Ticket | None = None) -> None:
        """Put a message into its place; with its ticket if it comes back."""
        self.queues = queue.insert(self.queues, waiting)
        self._tickets[waiting.message.key] = ticket or Ticket(waiting.message.action)
        self.changed.set()

    def draw(self, message: QueuedMessage) -> Ticket:
        """Take a message out of its queue in order to send it, out of reach of everything else."""
        self.queues = queue.remove(self.queues, message.key)
        return self._tickets[message.key]

    def take(self, key: int) -> Waiting | None:
        """Take a message out of its queue for good; None if it is not there."""
        waiting = self.queues.find(key)
        if waiting is not None:
            self.queues = queue.remove(self.queues, key)
            self.forget(key)
        return waiting

    def drop_boot_notifications(self) -> None:
        """A new BootNotification stands for one that waits to be repeated."""
        for waiting in self.queues.normal:
            if waiting.is_boot:
                self.take(waiting.message.key)

    def forget(self, key: int) -> None:
        """The end of a message that was drawn."""
        self._tickets.pop(key, None)

    def thin(self, limit: int) -> tuple[Waiting, ...]:
        """Bring the queues down to `limit`; returns what had to go. Callers are told."""
        thinned = queue.thin(self.queues, limit)
        self.queues = thinned.queues
        for waiting in thinned.removed:
            ticket = self._tickets.pop(waiting.message.key)
            if ticket.caller is not None:
                resolve(ticket.caller, Offline())
        return thinned.removed

    def offline(self) -> None:
        """The connection is gone: synchronous calls end, and no answer can be late any more."""
        for key, ticket in list(self._tickets.items()):
            ticket.earlier_ids.clear()
            if ticket.caller is not None:
                resolve(ticket.caller, Offline())
                self.take(key)

    def find_earlier(self, message_id: str) -> tuple[int, str] | None:
        """Key and action of the message that had this id in a failed attempt."""
        for key, ticket in self._tickets.items():
            if message_id in ticket.earlier_ids:
                return key, ticket.action
        return None


def resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> bool:
    """False if the outcome was known before."""
    if future.done():
        return False
    future.set_result(outcome)
    return True
