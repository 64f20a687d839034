"""Many writers, one commit: what is submitted while a commit runs goes into the next one.

A commit with synchronous=FULL costs one wait for the disk however much is in it; the event loop never waits for it.
Must not import: peewee, sqlite3, anything of ocpp16 but errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeVar

from ocpp16.errors import StoreError

Job = TypeVar("Job")
Results = Sequence[StoreError | None]
_Batch = list[tuple[Job, "asyncio.Future[None]"]]


class GroupCommit(Generic[Job]):
    """Runs `commit(jobs)` in the executor, one at a time; it returns per job None, or why this job failed."""

    def __init__(self, executor: Executor, commit: Callable[[Sequence[Job]], Results]) -> None:
        self._executor = executor
        self._commit = commit
        self._waiting: _Batch[Job] = []
        self._running: asyncio.Future[Results] | None = None

    async def submit(self, job: Job) -> None:
        """Return when the commit that holds `job` is done. A caller that is cancelled leaves its job in."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, done))
        if self._running is None:
            self._start()
        await done

    async def drain(self) -> None:
        """Return when nothing waits and nothing runs."""
        while self._running is not None:
            await asyncio.wait([self._running])
            await asyncio.sleep(0)

    def _start(self) -> None:
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        try:
            self._running = loop.run_in_executor(self._executor, self._commit, [job for job, _ in batch])
        except RuntimeError as error:  # the executor was shut down under us
            _tell(batch, [StoreError(f"The commit cannot be started: {error}")] * len(batch))
        else:
            self._running.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: _Batch[Job], running: asyncio.Future[Results]) -> None:
        self._running = None
        if self._waiting:
            self._start()
        try:
            results = running.result()
        except Exception as error:
            results = [StoreError(f"The commit failed: {error!r}")] * len(batch)
        except asyncio.CancelledError:
            results = [StoreError("The commit was cancelled")] * len(batch)
        _tell(batch, results)


def _tell(batch: _Batch[Job], results: Results) -> None:
    for (_, done), failure in zip(batch, results, strict=True):
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
