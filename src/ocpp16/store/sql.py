"""What each change does to the tables, and the questions asked of them: queries, blocking, in the worker thread.

May import: peewee, schema, mapping. Must not import: asyncio. Opens and commits nothing: that is `sqlite.py`.
"""

# mypy: allow-untyped-calls
# (the stubs of peewee leave most of it untyped)
# ruff: noqa: SIM300
# (columns are written in capitals, which ruff takes for constants)
from __future__ import annotations

from typing import Any, assert_never

from peewee import SqliteDatabase, fn

from ocpp16.messages import AvailabilityType
from ocpp16.store import mapping
from ocpp16.store.common import DEAD_LETTER_CAPACITY, folded
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
    QueueName,
    RemoveMessage,
    ReplaceLocalList,
    SetAvailability,
    TransactionRow,
    UpdateLocalList,
    UpdateMeter,
)
from ocpp16.store.schema import (
    AUTH_CACHE,
    AUTH_LIST,
    AUTH_LIST_VERSION,
    CONNECTORS,
    DEAD_LETTERS,
    NORMAL_QUEUE,
    QUEUE_KEYS,
    TRANSACTION_QUEUE,
    TRANSACTION_SAMPLES,
    TRANSACTIONS,
)

_QUEUES = {QueueName.TRANSACTION: TRANSACTION_QUEUE, QueueName.NORMAL: NORMAL_QUEUE}
_ROWS_PER_INSERT = 500


def apply(db: SqliteDatabase, change: Change, *, cache_capacity: int) -> None:
    """Write one change. Raises what peewee and sqlite3 raise; the caller owns the transaction."""
    match change:
        case SetAvailability(connector, availability):
            CONNECTORS.insert(ID=connector, AVAILABILITY=availability).on_conflict_replace().execute(db)
        case PutMessage(message):
            table = _QUEUES[message.queue]
            table.insert(mapping.message_to_row(message)).on_conflict_replace().execute(db)
        case RemoveMessage(key):
            for table in _QUEUES.values():
                table.delete().where(table.KEY == key).execute(db)
        case DeadLetter():
            DEAD_LETTERS.insert(mapping.dead_letter_to_row(change)).execute(db)
            _cap(db, DEAD_LETTERS, DEAD_LETTER_CAPACITY)
        case PutTransaction() | UpdateMeter() | AddSample() | PruneTransactions():
            _apply_to_transactions(db, change)
        case PutCacheEntry(entry):
            _put_authorizations(db, AUTH_CACHE, (entry,))
            _cap(db, AUTH_CACHE, cache_capacity)
        case ClearCache():
            AUTH_CACHE.delete().execute(db)
        case ReplaceLocalList(version, entries):
            AUTH_LIST.delete().execute(db)
            _put_authorizations(db, AUTH_LIST, entries)
            AUTH_LIST_VERSION.update(VERSION=version).execute(db)
        case UpdateLocalList(version, entries, removed):
            for id_tag in removed:
                AUTH_LIST.delete().where(AUTH_LIST.FOLDED_ID_TAG == folded(id_tag)).execute(db)
            _put_authorizations(db, AUTH_LIST, entries)
            AUTH_LIST_VERSION.update(VERSION=version).execute(db)
        case _:
            assert_never(change)


def _apply_to_transactions(
    db: SqliteDatabase, change: PutTransaction | UpdateMeter | AddSample | PruneTransactions
) -> None:
    match change:
        case PutTransaction(row):
            columns = mapping.transaction_to_row(row)
            rest = {name: value for name, value in columns.items() if name != "ID"}
            TRANSACTIONS.insert(columns).on_conflict(conflict_target=("ID",), update=rest).execute(db)
        case UpdateMeter(session_id, meter_last, meter_last_time):
            time = mapping.time_to_text(meter_last_time)
            update = TRANSACTIONS.update(METER_LAST=meter_last, METER_LAST_TIME=time)
            update.where(TRANSACTIONS.ID == session_id).execute(db)
        case AddSample(session_id, meter_value):
            TRANSACTION_SAMPLES.insert(ID=session_id, METER_VALUE=meter_value.decode()).execute(db)
        case PruneTransactions(ended_before):
            ended = (TRANSACTIONS.CSMS_ACK == 1) & (TRANSACTIONS.TIME_END < mapping.time_to_text(ended_before))
            sessions = TRANSACTIONS.select(TRANSACTIONS.ID).where(ended)
            TRANSACTION_SAMPLES.delete().where(TRANSACTION_SAMPLES.ID.in_(sessions)).execute(db)
            TRANSACTIONS.delete().where(ended).execute(db)


def _put_authorizations(db: SqliteDatabase, table: Any, entries: tuple[AuthorizationEntry, ...]) -> None:
    rows = [mapping.authorization_to_row(entry) for entry in entries]
    for start in range(0, len(rows), _ROWS_PER_INSERT):
        table.insert(rows[start : start + _ROWS_PER_INSERT]).on_conflict_replace().execute(db)


def _cap(db: SqliteDatabase, table: Any, capacity: int) -> None:
    """Delete the oldest rows beyond `capacity`. A row that is written again counts as new."""
    surplus = table.select(fn.COUNT(table.SEQUENCE)).scalar(db) - capacity
    if surplus > 0:
        oldest = table.select(table.SEQUENCE).order_by(table.SEQUENCE).limit(surplus)
        table.delete().where(table.SEQUENCE.in_(oldest)).execute(db)


def reserve_keys(db: SqliteDatabase, count: int) -> int:
    """Reserve `count` queue keys; returns the last key reserved before."""
    reserved: int = QUEUE_KEYS.select(QUEUE_KEYS.RESERVED).scalar(db)
    QUEUE_KEYS.update(RESERVED=reserved + count).execute(db)
    return reserved


# --- questions -------------------------------------------------------------------------------------------------------


def availability(db: SqliteDatabase) -> dict[int, AvailabilityType]:
    rows = CONNECTORS.select().dicts().execute(db)
    return {row["ID"]: AvailabilityType(row["AVAILABILITY"]) for row in rows}


def messages(db: SqliteDatabase) -> list[QueuedMessage]:
    found = [
        mapping.message_from_row(row, name)
        for name, table in _QUEUES.items()
        for row in table.select().dicts().execute(db)
    ]
    return sorted(found, key=lambda message: message.key)


def dead_letters(db: SqliteDatabase) -> list[DeadLetter]:
    rows = DEAD_LETTERS.select().order_by(DEAD_LETTERS.SEQUENCE).dicts().execute(db)
    return [mapping.dead_letter_from_row(row) for row in rows]


def open_transactions(db: SqliteDatabase) -> list[TransactionRow]:
    query = TRANSACTIONS.select().where(TRANSACTIONS.CSMS_ACK == 0).order_by(TRANSACTIONS.SEQUENCE)
    return [mapping.transaction_from_row(row) for row in query.dicts().execute(db)]


def transaction(db: SqliteDatabase, session_id: str) -> TransactionRow | None:
    query = TRANSACTIONS.select().where(TRANSACTIONS.ID == session_id)
    return next((mapping.transaction_from_row(row) for row in query.dicts().execute(db)), None)


def transactions_by_id(db: SqliteDatabase, transaction_id: int) -> list[TransactionRow]:
    query = TRANSACTIONS.select().where(TRANSACTIONS.TRANSACTION_ID == transaction_id)
    query = query.order_by(TRANSACTIONS.SEQUENCE.desc())
    return [mapping.transaction_from_row(row) for row in query.dicts().execute(db)]


def samples(db: SqliteDatabase, session_id: str) -> list[bytes]:
    query = TRANSACTION_SAMPLES.select().where(TRANSACTION_SAMPLES.ID == session_id)
    rows = query.order_by(TRANSACTION_SAMPLES.SEQUENCE).dicts().execute(db)
    return [row["METER_VALUE"].encode() for row in rows]


def cache_entry(db: SqliteDatabase, id_tag: str) -> AuthorizationEntry | None:
    return _authorization(db, AUTH_CACHE, id_tag)


def local_list_entry(db: SqliteDatabase, id_tag: str) -> AuthorizationEntry | None:
    return _authorization(db, AUTH_LIST, id_tag)


def _authorization(db: SqliteDatabase, table: Any, id_tag: str) -> AuthorizationEntry | None:
    query = table.select().where(table.FOLDED_ID_TAG == folded(id_tag))
    return next((mapping.authorization_from_row(row) for row in query.dicts().execute(db)), None)


def local_list_version(db: SqliteDatabase) -> int:
    version: int = AUTH_LIST_VERSION.select(AUTH_LIST_VERSION.VERSION).scalar(db)
    return version


def local_list_size(db: SqliteDatabase) -> int:
    size: int = AUTH_LIST.select(fn.COUNT(AUTH_LIST.SEQUENCE)).scalar(db)
    return size
