"""The database in a person's hands: look at messages, dead letters and transactions; send again, drop.

Blocking, for the command line. To write, the file is taken for oneself alone: a charge point that has it open refuses
that, and cannot be started meanwhile. To read, it is opened read-only beside a running charge point.
May import: store.*, errors, peewee. Must not import: asyncio.
"""

# mypy: allow-untyped-calls
# (the stubs of peewee leave most of it untyped)
# ruff: noqa: SIM300
# (columns are written in capitals, which ruff takes for constants)
from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec
from peewee import PeeweeException, SqliteDatabase

from ocpp16.errors import StoreError
from ocpp16.store import mapping, sql
from ocpp16.store.common import CACHE_CAPACITY
from ocpp16.store.rows import DeadLetter, PutMessage, QueuedMessage, RemoveMessage, TransactionRow
from ocpp16.store.schema import APPLICATION_ID, DEAD_LETTERS, MIGRATIONS, TRANSACTIONS

_BUSY_SECONDS = 1
_FAILURES = (PeeweeException, sqlite3.Error, OSError, ValueError)


class Maintenance:
    """An existing database file. All methods raise StoreError, naming file and fix."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"{path}: there is no such database; name the file <ChargePointId>.db of a charge point")
        if write:
            pragmas = [("locking_mode", "exclusive"), ("synchronous", "full")]
            self._db = SqliteDatabase(str(path), pragmas=pragmas, timeout=_BUSY_SECONDS)
        else:
            address = f"file:{quote(str(path.absolute()))}?mode=ro"
            self._db = SqliteDatabase(address, uri=True, timeout=_BUSY_SECONDS)
        self._write = write

    def __enter__(self) -> Self:
        try:
            with self._explained():
                self._db.connect()
                self._check()
                if self._write:
                    self._db.execute_sql("BEGIN EXCLUSIVE")
                    self._db.execute_sql("COMMIT")
        except StoreError:
            self._db.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # --- looking -----------------------------------------------------------------------------------------------------

    def messages(self) -> list[QueuedMessage]:
        """What waits to be sent, both queues, oldest first."""
        with self._explained():
            return sql.messages(self._db)

    def dead_letters(self) -> list[DeadLetter]:
        """What the CSMS refused until its attempts were used up, oldest first."""
        with self._explained():
            return sql.dead_letters(self._db)

    def transactions(self, *, open_only: bool = False) -> list[TransactionRow]:
        """All transactions, oldest first, or those that the CSMS has not acknowledged."""
        with self._explained():
            if open_only:
                return sql.open_transactions(self._db)
            rows = TRANSACTIONS.select().order_by(TRANSACTIONS.SEQUENCE).dicts().execute(self._db)
            return [mapping.transaction_from_row(row) for row in rows]

    # --- changing ----------------------------------------------------------------------------------------------------

    def retry(self, keys: Collection[int] | None) -> list[QueuedMessage]:
        """Put dead letters back into their queue, at the place they had, with all attempts before them; None: all.

        What only the CSMS can say, the transactionId, is filled in again before they are sent.

        StoreError for a key that is no dead letter; then nothing is changed.
        """
        letters = self._chosen(keys)
        messages = [msgspec.structs.replace(letter.message, attempts=0, sent=False) for letter in letters]
        with self._explained(), self._db.atomic("IMMEDIATE"):
            for message in messages:
                self._forget(message.key)
                sql.apply(self._db, PutMessage(message), cache_capacity=CACHE_CAPACITY)
        return messages

    def drop(self, keys: Collection[int] | None) -> list[QueuedMessage]:
        """Delete dead letters for good; None: all. StoreError as `retry`."""
        messages = [letter.message for letter in self._chosen(keys)]
        with self._explained(), self._db.atomic("IMMEDIATE"):
            for message in messages:
                self._forget(message.key)
        return messages

    def drop_queued(self, keys: Collection[int]) -> list[QueuedMessage]:
        """Delete messages that still wait to be sent. StoreError for a key that does not wait; nothing is changed.

        A transaction whose StopTransaction.req goes is settled: the next start must not end it a second time.
        """
        waiting = {message.key: message for message in self.messages()}
        _refuse_unknown(keys, waiting, "no message with the key {} waits; see `ocpp16 queue list`")
        with self._explained(), self._db.atomic("IMMEDIATE"):
            for key in keys:
                sql.apply(self._db, RemoveMessage(key), cache_capacity=CACHE_CAPACITY)
                if waiting[key].action == "StopTransaction":
                    self._settle(waiting[key].session_id)
        return [waiting[key] for key in keys]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _chosen(self, keys: Collection[int] | None) -> list[DeadLetter]:
        letters = {letter.message.key: letter for letter in self.dead_letters()}
        if keys is None:
            return list(letters.values())
        _refuse_unknown(keys, letters, "there is no dead letter with the key {}; see `ocpp16 queue list`")
        return [letters[key] for key in sorted(set(keys))]

    def _settle(self, session_id: str | None) -> None:
        TRANSACTIONS.update(CSMS_ACK=1).where(TRANSACTIONS.ID == session_id).execute(self._db)

    def _forget(self, key: int) -> None:
        DEAD_LETTERS.delete().where(DEAD_LETTERS.KEY == key).execute(self._db)

    def _check(self) -> None:
        mark = int(self._db.execute_sql("PRAGMA application_id").fetchone()[0])
        version = int(self._db.execute_sql("PRAGMA user_version").fetchone()[0])
        if mark != APPLICATION_ID:
            raise StoreError(f"{self._path} is no database of this charge point; name another file")
        if version != MIGRATIONS[-1].number:
            raise StoreError(
                f"{self._path} has database version {version}, this program knows {MIGRATIONS[-1].number}: start the "
                "charge point once to bring it up to date, or use the program that wrote it"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise StoreError(self._explanation(str(error))) from error

    def _explanation(self, text: str) -> str:
        if "locked" in text:
            return f"{self._path} is in use: stop the charge point that has it open, then try again"
        if "not a database" in text or "malformed" in text:
            return f"{self._path} is damaged or no database ({text}); name another file"
        return f"{self._path} cannot be used ({text}); check path, permissions and space"


def _refuse_unknown(keys: Collection[int], known: Collection[int], problem: str) -> None:
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise StoreError(problem.format(", ".join(map(str, unknown))))


def as_json(row: Any) -> Any:
    """A row as plain JSON: times as text, the payload as the object it is."""
    plain = msgspec.to_builtins(row, builtin_types=(bytes,))
    for part in (plain, plain.get("message", {})):
        if isinstance(part.get("payload"), bytes):
            part["payload"] = _payload(part["payload"])
    return plain


def _payload(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return payload.decode(errors="replace")
