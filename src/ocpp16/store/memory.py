"""The store that forgets at the end of the process: for tests, and for stations that may forget.

Same behaviour as `SqliteStore` (one test suite runs both): a change set is applied as a whole or not at all, reads see
every change whose `apply` has returned. Must not import: peewee, sqlite3, anything of the charge point.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from ocpp16.errors import StoreError
from ocpp16.messages import AvailabilityType
from ocpp16.store.common import CACHE_CAPACITY, DEAD_LETTER_CAPACITY, check_change, folded
from ocpp16.store.rows import (
    AddSample,
    AuthorizationEntry,
    Change,
    ClearCache,
    DeadLetter,
    PruneTransactions,
    PutCacheEntry,
    PutMessage,
    PutTransaction,
    QueuedMessage,
    RemoveMessage,
    ReplaceLocalList,
    SetAvailability,
    TransactionRow,
    UpdateLocalList,
    UpdateMeter,
)


@dataclass
class _Tables:
    """All rows. `draft` copies the containers, so that a change set that fails leaves no trace."""

    availability: dict[int, AvailabilityType] = field(default_factory=dict)
    messages: dict[int, QueuedMessage] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    transactions: dict[str, TransactionRow] = field(default_factory=dict)
    samples: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    cache: dict[str, AuthorizationEntry] = field(default_factory=dict)
    local_list: dict[str, AuthorizationEntry] = field(default_factory=dict)
    local_list_version: int = 0

    def draft(self) -> _Tables:
        return _Tables(**{name: copy(value) for name, value in vars(self).items()})


class MemoryStore:
    """`ocpp16.ports.Store` in memory. May be closed and opened again: the rows stay (a restart, seen by a test)."""

    def __init__(self, *, cache_capacity: int = CACHE_CAPACITY) -> None:
        self._tables = _Tables()
        self._key = 0
        self._open = False
        self._cache_capacity = cache_capacity

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def apply(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        self._check_open()
        draft = self._tables.draft()
        for change in changes:
            check_change(change)
            self._change(draft, change)
        self._tables = draft

    async def next_key(self) -> int:
        self._check_open()
        self._key += 1
        return self._key

    async def availability(self) -> dict[int, AvailabilityType]:
        return dict(self._rows.availability)

    async def messages(self) -> list[QueuedMessage]:
        return [self._rows.messages[key] for key in sorted(self._rows.messages)]

    async def dead_letters(self) -> list[DeadLetter]:
        return list(self._rows.dead_letters)

    async def open_transactions(self) -> list[TransactionRow]:
        return [row for row in self._rows.transactions.values() if not row.csms_ack]

    async def transaction(self, session_id: str) -> TransactionRow | None:
        return self._rows.transactions.get(session_id)

    async def transactions_by_id(self, transaction_id: int) -> list[TransactionRow]:
        rows = reversed(self._rows.transactions.values())
        return [row for row in rows if row.transaction_id == transaction_id]

    async def samples(self, session_id: str) -> list[bytes]:
        return list(self._rows.samples.get(session_id, ()))

    async def cache_entry(self, id_tag: str) -> AuthorizationEntry | None:
        return self._rows.cache.get(folded(id_tag))

    async def local_list_version(self) -> int:
        return self._rows.local_list_version

    async def local_list_entry(self, id_tag: str) -> AuthorizationEntry | None:
        return self._rows.local_list.get(folded(id_tag))

    async def local_list_size(self) -> int:
        return len(self._rows.local_list)

    @property
    def _rows(self) -> _Tables:
        self._check_open()
        return self._tables

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError("The store is not open: call open() first")

    def _change(self, tables: _Tables, change: Change) -> None:
        match change:
            case SetAvailability(connector, availability):
                tables.availability[connector] = availability
            case PutMessage(message):
                tables.messages[message.key] = message
            case RemoveMessage(key):
                tables.messages.pop(key, None)
            case DeadLetter():
                tables.dead_letters = [*tables.dead_letters, change][-DEAD_LETTER_CAPACITY:]
            case PutTransaction() | UpdateMeter() | AddSample() | PruneTransactions():
                _change_transactions(tables, change)
            case PutCacheEntry() | ClearCache() | ReplaceLocalList() | UpdateLocalList():
                _change_authorization(tables, change, self._cache_capacity)
            case _:
                assert_never(change)


def _change_transactions(tables: _Tables, change: PutTransaction | UpdateMeter | AddSample | PruneTransactions) -> None:
    match change:
        case PutTransaction(row):
            tables.transactions[row.session_id] = row
        case UpdateMeter(session_id, meter_last, meter_last_time):
            if known := tables.transactions.get(session_id):
                tables.transactions[session_id] = msgspec.structs.replace(
                    known, meter_last=meter_last, meter_last_time=meter_last_time
                )
        case AddSample(session_id, meter_value):
            tables.samples[session_id] = (*tables.samples.get(session_id, ()), meter_value)
        case PruneTransactions(ended_before):
            for ended in list(tables.transactions.values()):
                if ended.csms_ack and ended.time_end is not None and ended.time_end < ended_before:
                    del tables.transactions[ended.session_id]
                    tables.samples.pop(ended.session_id, None)


def _change_authorization(
    tables: _Tables, change: PutCacheEntry | ClearCache | ReplaceLocalList | UpdateLocalList, cache_capacity: int
) -> None:
    match change:
        case PutCacheEntry(entry):
            tables.cache.pop(folded(entry.id_tag), None)
            tables.cache[folded(entry.id_tag)] = entry
            while len(tables.cache) > cache_capacity:
                del tables.cache[next(iter(tables.cache))]
        case ClearCache():
            tables.cache.clear()
        case ReplaceLocalList(version, entries):
            tables.local_list = {folded(entry.id_tag): entry for entry in entries}
            tables.local_list_version = version
        case UpdateLocalList(version, entries, removed):
            for id_tag in removed:
                tables.local_list.pop(folded(id_tag), None)
            tables.local_list.update({folded(entry.id_tag): entry for entry in entries})
            tables.local_list_version = version
