"""The configuration database of `--db`: an SQLite file of slots, each a set of module entries (bus 6.8).

The format is our own: nobody but the manager reads it. An entry is what stands below `active_modules.<id>` in a config
file, as JSON, so a slot is checked by the same rules as a file. Settings and telemetry switches are not stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from everest.manager.errors import BootError
from everest.manager.model import MODULE_SCOPE, Scalar

VERSION = 1
_APPLICATION_ID = 0x45564346  # "EVCF"
_SCHEMA = """
CREATE TABLE slot (id INTEGER PRIMARY KEY);
CREATE TABLE module (
    slot INTEGER NOT NULL REFERENCES slot (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (slot, id)
);
CREATE TABLE boot_config (slot INTEGER NOT NULL);
"""


class ConfigDatabase:
    """One database file; opened for each use, so that no descriptor outlives a fork or a crash."""

    def __init__(self, path: Path) -> None:
        """Create the file if it is not there. Raises BootError when it is no database of this manager."""
        if not path.is_absolute():
            raise BootError(f"--db {path} is not a full path; write {Path.cwd() / path}")
        self.path = path
        with self._open() as connection:
            self._prepare(connection)

    def modules(self) -> dict[str, Any] | None:
        """The entries of the boot slot by module id; None when there is no such slot."""
        with self._open() as connection:
            slot = _boot_slot(connection)
            if connection.execute("SELECT 1 FROM slot WHERE id = ?", (slot,)).fetchone() is None:
                return None
            rows = connection.execute("SELECT id, entry FROM module WHERE slot = ? ORDER BY rowid", (slot,))
            return {module_id: json.loads(entry) for module_id, entry in rows}

    def seed(self, modules: Mapping[str, Any]) -> None:
        """Replace the boot slot by these entries, all or nothing."""
        with self._open() as connection:
            slot = _boot_slot(connection)
            connection.execute("DELETE FROM slot WHERE id = ?", (slot,))
            connection.execute("INSERT INTO slot (id) VALUES (?)", (slot,))
            connection.executemany(
                "INSERT INTO module (slot, id, entry) VALUES (?, ?, ?)",
                [(slot, module_id, json.dumps(entry)) for module_id, entry in modules.items()],
            )

    def set_parameter(self, module_id: str, scope: str, name: str, value: Scalar) -> None:
        """Store one value. Raises BootError when the module is not in the slot."""
        with self._open() as connection:
            where = (_boot_slot(connection), module_id)
            row = connection.execute("SELECT entry FROM module WHERE slot = ? AND id = ?", where).fetchone()
            if row is None:
                raise BootError(f"{self.path} has no module {module_id}")
            entry = with_parameter(json.loads(row[0]), scope, name, value)
            connection.execute("UPDATE module SET entry = ? WHERE slot = ? AND id = ?", (json.dumps(entry), *where))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection with one transaction, committed at the end of the block. Raises BootError."""
        try:
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection
        except sqlite3.Error as error:
            fix = "name another file with --db, in a folder that exists"
            raise BootError(f"configuration database {self.path}: {error}; {fix}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and tables == 0:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            return
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION_ID or version != VERSION:
            raise BootError(
                f"{self.path} is no configuration database of this manager (version {VERSION}); "
                "name another file with --db, and --config FILE to fill it"
            )


def _boot_slot(connection: sqlite3.Connection) -> int:
    """The slot of the next boot; none chosen is 0 (bus 6.8)."""
    row = connection.execute("SELECT slot FROM boot_config").fetchone()
    return 0 if row is None else int(row[0])


def with_parameter(entry: Mapping[str, Any], scope: str, name: str, value: Scalar) -> dict[str, Any]:
    """A module entry with one configuration value set; `entry` stays untouched."""
    section = dict(entry.get("config_module" if scope == MODULE_SCOPE else "config_implementation") or {})
    if scope == MODULE_SCOPE:
        return {**entry, "config_module": {**section, name: value}}
    return {**entry, "config_implementation": {**section, scope: {**(section.get(scope) or {}), name: value}}}
