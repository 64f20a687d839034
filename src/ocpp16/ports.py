"""The ports of the charge point: what it needs from the outside, as protocols.

Real implementations and in-memory ones pass the same tests. Monotonic time is the event loop's (`loop.time()`,
`asyncio.sleep`), so that tests can run in virtual time; wall-clock time, ids and randomness come through here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ocpp16.messages import AvailabilityType
from ocpp16.store.rows import AuthorizationEntry, Change, DeadLetter, QueuedMessage, TransactionRow


class Clock(Protocol):
    """Wall-clock time."""

    def now(self) -> datetime:
        """The time now: aware, UTC."""
        ...


class Randomness(Protocol):
    """Ids and chance, injected so that tests can repeat them."""

    def message_id(self) -> str:
        """A fresh unique id of at most 36 characters (a UUID version 4)."""
        ...

    def internal_transaction_id(self) -> int:
        """A random negative 32 bit integer."""
        ...

    def whole_seconds(self, upper: int) -> int:
        """Uniform in 0..upper, for back-off (libocpp 4.6)."""
        ...


class Store(Protocol):
    """What must survive (libocpp 7). Reads see every change whose `apply` has returned."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def apply(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        """Write all changes in one commit, in order. With `durable` the commit is on disk when this returns.

        Without it the changes are visible at once, and may be lost by a power cut (never half of them).
        """
        ...

    async def next_key(self) -> int:
        """A fresh, ever growing key for a `QueuedMessage`; never given twice, also not after a restart."""
        ...

    async def availability(self) -> dict[int, AvailabilityType]:
        """By connector; connectors never written are missing."""
        ...

    async def messages(self) -> list[QueuedMessage]:
        """All queued messages of both queues, by `key`."""
        ...

    async def dead_letters(self) -> list[DeadLetter]: ...

    async def open_transactions(self) -> list[TransactionRow]:
        """Those without acknowledgement, oldest first."""
        ...

    async def transaction(self, session_id: str) -> TransactionRow | None: ...

    async def transactions_by_id(self, transaction_id: int) -> list[TransactionRow]:
        """All rows with this id of the CSMS, newest first (ids are not assumed unique, libocpp 12.7)."""
        ...

    async def samples(self, session_id: str) -> list[bytes]:
        """The recorded meter values of a transaction, in order."""
        ...

    async def cache_entry(self, id_tag: str) -> AuthorizationEntry | None:
        """Case-insensitive."""
        ...

    async def local_list_version(self) -> int: ...

    async def local_list_entry(self, id_tag: str) -> AuthorizationEntry | None:
        """Case-insensitive."""
        ...

    async def local_list_size(self) -> int: ...


class Connection(Protocol):
    """One open websocket. Raises `ocpp16.errors.ConnectionLost` once it is gone."""

    @property
    def subprotocol(self) -> str | None: ...

    async def send(self, frame: str) -> None: ...

    async def receive(self) -> str | bytes: ...

    async def ping(self, payload: bytes) -> None:
        """Send a ping and return when its pong has come."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None:
        """Drop the socket at once, without a closing handshake."""
        ...


class ConnectionOptions(Protocol):
    """See `ocpp16.connection.options.ConnectionOptions`."""

    @property
    def url(self) -> str: ...


class MessageLog(Protocol):
    """The message log (libocpp 8). Never raises and never blocks the caller."""

    def sent(self, frame: str, action: str) -> None:
        """An OCPP-J frame that left the station; `action` is `Heartbeat`, or `HeartbeatResponse` for an answer."""
        ...

    def received(self, frame: str, action: str) -> None: ...

    def raw(self, frame: str | bytes, *, sent: bool) -> None:
        """Every frame, before parsing; written only with LogMessagesRaw."""
        ...

    def system(self, text: str) -> None: ...

    def security(self, event_type: str, timestamp: datetime, tech_info: str | None) -> None: ...

    def session_started(self, session_id: str, folder: Path) -> None:
        """A session begins; with `session_logging` its messages go to a page of their own in this folder."""
        ...

    def session_ended(self, session_id: str) -> None: ...

    async def close(self) -> None: ...


ChangeListener = Callable[[str, str], None]
