"""The module: `kvs` over `database.py`, off the event loop (station 7.3).

Lives here: the implementation and the check of keys. One worker thread owns the database, so calls keep their order.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from everest.contracts.interfaces.kvs import KvsImplementation
from everest.runtime import Module, ModuleContext, NotReady, SchemaValidationError, StartupError

from .database import Closed, Database, DatabaseError

log = logging.getLogger(__name__)
KEY = re.compile(r"[A-Za-z0-9_.]+")
_T = TypeVar("_T")


def is_key(key: str) -> bool:
    """Whether `key` is one: letters, digits, `_` and `.` only, at least one."""
    return KEY.fullmatch(key) is not None


class Kvs(KvsImplementation):
    """Implementation `main`.

    Replied errors: `SchemaValidationError` for a key or a value that the interface does not allow, `NotReady` when the
    file cannot be written or read (a full disk); the caller knows then, and the module goes on. `NotReady` also while
    the module ends, which is no error to anybody here.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kvs")
        self._ended = False

    def run(self, call: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        """A blocking call of the database in its thread, in order. Errors: also `Closed` when that is ending."""
        if self._ended:
            raise Closed("the store is ending")
        return asyncio.get_running_loop().run_in_executor(self._worker, call, *arguments)

    async def _answer(self, command: str, key: str, call: Callable[..., _T], *arguments: Any) -> _T:
        if not is_key(key):
            raise SchemaValidationError(f"{command}: key {key!r} may only have A-Z a-z 0-9 _ and .")
        try:
            return await self.run(call, key, *arguments)
        except Closed as error:
            log.debug("%s of %s refused: %s", command, key, error)
            raise NotReady(f"{command} of {key}: the store is ending") from error
        except DatabaseError as error:
            log.error("%s of %s: %s", command, key, error)
            raise NotReady(str(error)) from error
        except ValueError as error:
            log.error("%s of %s: %s", command, key, error)
            raise SchemaValidationError(f"{command} of {key}: {error}") from error

    async def store(self, key: str, value: Any) -> None:
        """Returns when the value is on disk."""
        await self._answer("store", key, self._database.store, value)

    async def load(self, key: str) -> Any:
        """The value, or null."""
        return await self._answer("load", key, self._database.load)

    async def delete(self, key: str) -> None:
        """Forget the key, if it is there."""
        await self._answer("delete", key, self._database.delete)

    async def exists(self, key: str) -> bool:
        """Whether the key is there, whatever its value."""
        return await self._answer("exists", key, self._database.exists)

    async def close(self) -> None:
        """Close the database when all calls so far are done; later ones are refused."""
        if not self._ended:
            closing = self.run(self._database.close)
            self._ended = True
            await closing
            self._worker.shutdown()


class PersistentStore(Module):
    """Opens the database before it says that it is ready."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self._database = Database(Path(str(self.config["sqlite_db_file_path"])))
        self._main = Kvs(self._database)
        self.provide("main", self._main)

    async def init(self) -> None:
        """Errors: `StartupError` in one line if the file cannot be used; the module ends with status 1."""
        try:
            await self._main.run(self._database.open)
        except DatabaseError as error:
            raise StartupError(f"module {self.info.id}: {error}") from error

    async def shutdown(self) -> None:
        """Nothing is pending: every store is on disk when its command returns."""
        await self._main.close()
