"""The table KVS in an SQLite file: `KVS(KEY TEXT UNIQUE, VALUE TEXT, TYPE TEXT)`, EVerest's own (station 7.3).

Lives here: `Database`, blocking calls for one thread. A write has reached the disk when it returns (WAL,
synchronous=FULL).
May not be imported here: asyncio, everest.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from . import values


class DatabaseError(Exception):
    """The file cannot be used; the text is one line that names it and the fix."""


class Closed(DatabaseError):
    """The store has been closed: nothing is wrong with the file."""


class Database:
    """A key value store in the file `path`. Errors of all methods: `DatabaseError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or make the file and check that it is sound."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS KVS(KEY TEXT UNIQUE, VALUE TEXT, TYPE TEXT)")
            self._connection.execute("SELECT KEY, VALUE, TYPE FROM KVS LIMIT 1").fetchall()
            verdict = str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self._broken(str(error)) from error
        if verdict != "ok":
            self.close()
            raise self._broken(verdict)

    def _broken(self, reason: str) -> DatabaseError:
        in_one_line = " ".join(reason.split())
        return DatabaseError(
            f"{self._path.absolute()}: cannot be used as the key value store ({in_one_line}); move the file away to "
            "start with an empty store, or set sqlite_db_file_path to a writable place"
        )

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Run one statement, which is its own transaction."""
        if self._connection is None:
            raise Closed(f"{self._path.absolute()} is closed")
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def store(self, key: str, value: Any) -> None:
        """Write or replace. Errors: also `ValueError` for a value that JSON cannot carry."""
        text, type_name = values.encode(value)
        self._execute("INSERT OR REPLACE INTO KVS(KEY, VALUE, TYPE) VALUES(?, ?, ?)", key, text, type_name)

    def load(self, key: str) -> Any:
        """The value, or None. Errors: also `ValueError` for a row that cannot be read."""
        rows = self._execute("SELECT VALUE, TYPE FROM KVS WHERE KEY = ?", key)
        return values.decode(*rows[0]) if rows else None

    def delete(self, key: str) -> None:
        """Forget the key, if it is there."""
        self._execute("DELETE FROM KVS WHERE KEY = ?", key)

    def exists(self, key: str) -> bool:
        """Whether the key is there, whatever its value."""
        return bool(self._execute("SELECT 1 FROM KVS WHERE KEY = ?", key))
