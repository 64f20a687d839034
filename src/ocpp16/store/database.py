"""The database file, blocking, in the worker thread: open, check, migrate, commit. The loop's side is `sqlite.py`.

Journal mode WAL. A commit that holds a durable change set runs with synchronous=FULL (the log is synced before the
commit returns), any other with NORMAL (a power cut may take the last ones, never half of one). The pragma is set per
commit, which costs microseconds; a FULL commit also makes everything before it durable, since the log is one
file written in order. May import: store.*, errors, peewee. Must not import: asyncio.
"""

# mypy: allow-untyped-calls
# (the stubs of peewee leave most of it untyped)
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from peewee import OperationalError, PeeweeException, SqliteDatabase

from ocpp16.errors import StoreError
from ocpp16.store import sql
from ocpp16.store.common import UnwritableChange, check_change
from ocpp16.store.rows import Change
from ocpp16.store.schema import APPLICATION_ID, Migration

T = TypeVar("T")

_BUSY_SECONDS = 5
_FAILURES = (PeeweeException, sqlite3.Error, OSError, UnicodeError, OverflowError)


class Job(NamedTuple):
    """What one call of `apply` wants written."""

    changes: Sequence[Change]
    durable: bool


class Database:
    """One SQLite file. All methods raise StoreError, naming file and fix, and are called in one and the same thread."""

    def __init__(self, path: Path, migrations: Sequence[Migration], cache_capacity: int) -> None:
        self._path = path
        self._migrations = migrations
        self._cache_capacity = cache_capacity
        self._db = SqliteDatabase(str(path), timeout=_BUSY_SECONDS)

    def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db.connect()
            self._check_integrity()
            version = self._own_version()
            self._db.execute_sql("PRAGMA journal_mode = wal")  # written into the file: not into another program's
            self._migrate(version)
        except StoreError:
            self._db.close()
            raise
        except _FAILURES as error:
            self._db.close()
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            return self._damaged(text)
        if "locked" in text:
            return StoreError(f"{self._path} is in use by another process ({text}): end it, or use another folder")
        return StoreError(
            f"{self._path} cannot be opened ({text}): check that the folder exists, has space and may be written"
        )

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"{self._path} is damaged ({what}): keep it for recovery (`sqlite3 {self._path} .recover`) by moving it "
            "away, with its -wal and -shm files; a new database is then made at the next start"
        )

    def _check_integrity(self) -> None:
        verdict = " ".join(str(self._db.execute_sql("PRAGMA quick_check(1)").fetchone()[0]).split())
        if verdict != "ok":
            raise self._damaged(verdict)

    def _own_version(self) -> int:
        """The version of the file's tables, 0 for a new one; nothing has been written to it so far."""
        version = int(self._db.execute_sql("PRAGMA user_version").fetchone()[0])
        tables = int(self._db.execute_sql("SELECT COUNT(*) FROM sqlite_master").fetchone()[0])
        mark = int(self._db.execute_sql("PRAGMA application_id").fetchone()[0])
        if tables and mark != APPLICATION_ID:
            raise StoreError(
                f"{self._path} is a database of another program (libocpp uses the same name): move it away, or choose "
                "another database path"
            )
        newest = self._migrations[-1].number
        if version > newest:
            raise StoreError(
                f"{self._path} was written by a newer version of this program (database version {version}, this one "
                f"knows {newest}): install that version again, or move the file away"
            )
        return version

    def _migrate(self, version: int) -> None:
        for migration in self._migrations:
            if migration.number > version:
                self._run(migration)

    def _run(self, migration: Migration) -> None:
        with self._db.atomic("IMMEDIATE"):
            for statement in migration.statements:
                self._db.execute_sql(statement)
            self._db.execute_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute_sql(f"PRAGMA user_version = {migration.number}")

    def commit(self, jobs: Sequence[Job]) -> list[StoreError | None]:
        """All jobs in one transaction, each in a savepoint: a bad one leaves no trace and does not sink the others."""
        results: list[StoreError | None] = []
        try:
            self._begin(durable=any(job.durable for job in jobs))
            for job in jobs:
                results.append(self._write(job))
            self._db.execute_sql("COMMIT")
        except _FAILURES as error:
            self._roll_back()
            return [StoreError(f"{self._path} cannot be written: {error}")] * len(jobs)
        return results

    def _begin(self, *, durable: bool) -> None:
        self._db.execute_sql(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._db.execute_sql("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        if self._db.connection().in_transaction:
            self._db.execute_sql("ROLLBACK")

    def _write(self, job: Job) -> StoreError | None:
        self._db.execute_sql("SAVEPOINT change_set")
        try:
            for change in job.changes:
                check_change(change)
                sql.apply(self._db, change, cache_capacity=self._cache_capacity)
        except (StoreError, *_FAILURES) as error:
            if not self._db.connection().in_transaction:  # disk full, I/O error: SQLite has undone everything
                raise
            self._db.execute_sql("ROLLBACK TO change_set")
            self._db.execute_sql("RELEASE change_set")
            return self._refusal(error)
        self._db.execute_sql("RELEASE change_set")
        return None

    def _refusal(self, error: Exception) -> StoreError:
        """Trouble with the disk may pass; anything else is wrong with the changes themselves."""
        if isinstance(error, StoreError):
            return error
        passing = isinstance(error, (OperationalError, sqlite3.OperationalError, OSError))
        kind = StoreError if passing else UnwritableChange
        return kind(f"{self._path} cannot be written: {error}")

    def reserve_keys(self, count: int) -> int:
        """Reserve `count` queue keys, durably; returns the last key reserved before."""
        try:
            self._begin(durable=True)
            before = sql.reserve_keys(self._db, count)
            self._db.execute_sql("COMMIT")
        except _FAILURES as error:
            self._roll_back()
            raise StoreError(f"{self._path} cannot be written: {error}") from error
        return before

    def ask(self, question: Callable[[SqliteDatabase], T]) -> T:
        try:
            return question(self._db)
        except _FAILURES as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error

    def close(self) -> None:
        self._db.close()
