"""The rows that survive a power cut, and the changes that are written to them.

A `Change` is a value. Rules return changes, `Store.apply` writes a whole sequence of them in one commit: either all of
them are on disk, or none. That is what makes "the answer is stored" and "the queue entry is gone" one event.

Nothing here knows SQL, peewee or asyncio.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from ocpp16.messages import AvailabilityType, IdTagInfo, Reason


class QueueName(StrEnum):
    """The two queues of OCPP 1.6 stations (libocpp 3.8): ordered transaction messages, and everything else."""

    TRANSACTION = "transaction"
    NORMAL = "normal"


class QueuedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A CALL that waits to be sent, or for its answer. `key` orders it (insertion order) and never changes."""

    key: int
    queue: QueueName
    message_id: str
    """The id it was last sent with, or will be sent with. Changes on a retry on the same connection only."""
    action: str
    payload: bytes
    """The JSON payload. `transactionId` is filled in when it is sent for the first time, then kept."""
    timestamp: datetime
    """Not to be sent before this time (UTC)."""
    attempts: int = 0
    """Sends that the CSMS failed to process (time-out on an open connection, CALLERROR). libocpp DEPARTURE 25."""
    sent: bool = False
    """True once handed to a connection: its id and payload are then fixed across reconnects and restarts."""
    session_id: str | None = None
    """The stable correlation with a transaction (libocpp DEPARTURE 21)."""


class TransactionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction (libocpp 7, table TRANSACTIONS). Energies in whole Wh, times aware and in UTC."""

    session_id: str
    connector: int
    id_tag_start: str
    time_start: datetime
    meter_start: int
    internal_id: int
    """Random negative 32 bit integer, stands for the transaction until the CSMS has named it."""
    transaction_id: int | None = None
    """The id of the CSMS; None until StartTransaction.conf. 0 is an ordinary id."""
    reservation_id: int | None = None
    parent_id_tag: str | None = None
    meter_last: int
    meter_last_time: datetime
    id_tag_end: str | None = None
    time_end: datetime | None = None
    meter_stop: int | None = None
    stop_reason: Reason | None = None
    pause_at: int | None = None
    """The CSMS refused the id tag: charging stops when the meter shows this (MaxEnergyOnInvalidId)."""
    csms_ack: bool = False
    """True after StopTransaction.conf (or when the message was given up)."""


class AuthorizationEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An id tag with what is known of it: in the authorization cache or in the local list."""

    id_tag: str
    info: IdTagInfo


# --- changes ---------------------------------------------------------------------------------------------------------


class SetAvailability(msgspec.Struct, frozen=True):
    connector: int
    availability: AvailabilityType


class PutTransaction(msgspec.Struct, frozen=True):
    """Insert or replace the whole row of this session id."""

    row: TransactionRow


class UpdateMeter(msgspec.Struct, frozen=True):
    """meter_last of an open transaction; cheap, may be written with `durable=False`."""

    session_id: str
    meter_last: int
    meter_last_time: datetime


class AddSample(msgspec.Struct, frozen=True):
    """A recorded MeterValue of a transaction, for transactionData (JSON of an OCPP `MeterValue`)."""

    session_id: str
    meter_value: bytes


class PutMessage(msgspec.Struct, frozen=True):
    """Insert or replace a queued message by `key`."""

    message: QueuedMessage


class RemoveMessage(msgspec.Struct, frozen=True):
    key: int


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that the CSMS refused until its attempts were used up: out of the queue, kept for a person."""

    message: QueuedMessage
    reason: str
    time: datetime


class PutCacheEntry(msgspec.Struct, frozen=True):
    entry: AuthorizationEntry


class ClearCache(msgspec.Struct, frozen=True):
    pass


class ReplaceLocalList(msgspec.Struct, frozen=True):
    """SendLocalList Full: version and all entries at once."""

    version: int
    entries: tuple[AuthorizationEntry, ...]


class UpdateLocalList(msgspec.Struct, frozen=True):
    """SendLocalList Differential: entries with an IdTagInfo are put, the ids in `removed` deleted."""

    version: int
    entries: tuple[AuthorizationEntry, ...]
    removed: tuple[str, ...]


class PruneTransactions(msgspec.Struct, frozen=True):
    """Forget acknowledged transactions that ended before this time, with their samples (libocpp DEPARTURE 46)."""

    ended_before: datetime


Change = (
    SetAvailability
    | PutTransaction
    | UpdateMeter
    | AddSample
    | PutMessage
    | RemoveMessage
    | DeadLetter
    | PutCacheEntry
    | ClearCache
    | ReplaceLocalList
    | UpdateLocalList
    | PruneTransactions
)
