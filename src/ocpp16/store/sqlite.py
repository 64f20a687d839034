"""The store on disk: one SQLite file behind a worker thread, with grouped commits; the event loop never waits for it.

How a commit is made durable is written in `database.py`, the tables in `schema.py`.
May import: store.*, errors. Must not import: any capability.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from peewee import SqliteDatabase

from ocpp16.errors import StoreError
from ocpp16.messages import AvailabilityType
from ocpp16.store import sql
from ocpp16.store.common import CACHE_CAPACITY
from ocpp16.store.database import Database, Job
from ocpp16.store.group_commit import GroupCommit
from ocpp16.store.rows import AuthorizationEntry, Change, DeadLetter, QueuedMessage, TransactionRow
from ocpp16.store.schema import MIGRATIONS, Migration

T = TypeVar("T")

KEYS_PER_RESERVATION = 1000
"""Queue keys reserved on disk at a time; what is left of them at the end of the process is never given."""


def database_file(database_path: Path, charge_point_id: str) -> Path:
    """`<database_path>/<ChargePointId>.db` (libocpp 7); characters that no file name may have are %-encoded."""
    return database_path / f"{quote(charge_point_id, safe=' !#$&()+,-.;=@[]^_{}~')}.db"


class SqliteStore:
    """`ocpp16.ports.Store` in one SQLite file, made with its folder if it does not exist.

    `executor` must have exactly one worker, and may serve many stores; without it the store has its own. `open` raises
    StoreError, naming file and fix, when the file is damaged, foreign, or written by a newer version; the file is then
    left as it is. `apply` raises StoreError when its own changes cannot be written, or the whole commit cannot.
    """

    def __init__(
        self,
        path: Path,
        *,
        executor: Executor | None = None,
        cache_capacity: int = CACHE_CAPACITY,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._path = path
        self._shared_executor = executor
        self._executor: Executor | None = None
        self._database = Database(path, migrations, cache_capacity)
        self._commits: GroupCommit[Job] | None = None
        self._next_key = self._last_reserved_key = 0
        self._reserving = asyncio.Lock()

    @property
    def path(self) -> Path:
        return self._path

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        if self._commits is not None:
            raise StoreError(f"{self._path} is already open")
        executor = self._shared_executor or ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocpp16-store")
        try:
            await asyncio.get_running_loop().run_in_executor(executor, self._database.open)
        except StoreError:
            if executor is not self._shared_executor:
                executor.shutdown(wait=False)
            raise
        self._executor = executor
        self._commits = GroupCommit(executor, self._database.commit)

    async def close(self) -> None:
        """Finish the commits under way and close the file."""
        commits, self._commits = self._commits, None
        executor, self._executor = self._executor, None
        if commits is None or executor is None:
            return
        await commits.drain()
        await asyncio.get_running_loop().run_in_executor(executor, self._database.close)
        if executor is not self._shared_executor:
            executor.shutdown(wait=False)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def apply(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        if self._commits is None:
            raise self._not_open()
        await self._commits.submit(Job(changes, durable))

    async def next_key(self) -> int:
        if self._commits is None:
            raise self._not_open()
        if self._next_key >= self._last_reserved_key:
            async with self._reserving:
                if self._next_key >= self._last_reserved_key:
                    self._next_key = await self._run(lambda: self._database.reserve_keys(KEYS_PER_RESERVATION))
                    self._last_reserved_key = self._next_key + KEYS_PER_RESERVATION
        self._next_key += 1
        return self._next_key

    # --- reading -----------------------------------------------------------------------------------------------------

    async def availability(self) -> dict[int, AvailabilityType]:
        return await self._ask(sql.availability)

    async def messages(self) -> list[QueuedMessage]:
        return await self._ask(sql.messages)

    async def dead_letters(self) -> list[DeadLetter]:
        return await self._ask(sql.dead_letters)

    async def open_transactions(self) -> list[TransactionRow]:
        return await self._ask(sql.open_transactions)

    async def transaction(self, session_id: str) -> TransactionRow | None:
        return await self._ask(lambda db: sql.transaction(db, session_id))

    async def transactions_by_id(self, transaction_id: int) -> list[TransactionRow]:
        return await self._ask(lambda db: sql.transactions_by_id(db, transaction_id))

    async def samples(self, session_id: str) -> list[bytes]:
        return await self._ask(lambda db: sql.samples(db, session_id))

    async def cache_entry(self, id_tag: str) -> AuthorizationEntry | None:
        return await self._ask(lambda db: sql.cache_entry(db, id_tag))

    async def local_list_version(self) -> int:
        return await self._ask(sql.local_list_version)

    async def local_list_entry(self, id_tag: str) -> AuthorizationEntry | None:
        return await self._ask(lambda db: sql.local_list_entry(db, id_tag))

    async def local_list_size(self) -> int:
        return await self._ask(sql.local_list_size)

    async def _ask(self, question: Callable[[SqliteDatabase], T]) -> T:
        return await self._run(lambda: self._database.ask(question))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            raise self._not_open()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _not_open(self) -> StoreError:
        return StoreError(f"{self._path} is not open: call open() first")
