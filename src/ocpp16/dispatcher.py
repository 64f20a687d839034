"""Sends own CALLs, one in flight at a time, and matches their answers. Owns the two queues' flow.

The rules (what may be sent next, retries, size limits) are pure and live in `queue.py`; the rows live in the store.
May import: messages, wire, actions, queue, ports, store.rows. Must not import: charge_point or any capability.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from ocpp16.messages import Request, Response
from ocpp16.store.rows import Change, QueuedMessage


class Answered(msgspec.Struct, frozen=True):
    """The CSMS answered with a valid CALLRESULT."""

    response: Response


class Refused(msgspec.Struct, frozen=True):
    """The CSMS answered with a CALLERROR."""

    code: str
    description: str


class Malformed(msgspec.Struct, frozen=True):
    """The CALLRESULT could not be decoded (libocpp 12.15)."""

    reason: str


class TimedOut(msgspec.Struct, frozen=True):
    pass


class Offline(msgspec.Struct, frozen=True):
    """Not sent, or the connection was lost before the answer."""


Outcome = Answered | Refused | Malformed | TimedOut | Offline


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
        """Changes to be committed together with the removal of the message from its queue."""
        ...

    async def after_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        """Side effects after that commit (callbacks, timers). The next CALL is sent when this has returned."""
        ...


SendFrame = Callable[[str, str], Awaitable[None]]
"""Writes one frame (text, action name for the log) to the open connection; raises `ConnectionLost`."""
