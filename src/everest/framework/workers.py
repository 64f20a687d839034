"""Threads for a module's blocking code: the worker pool of bus 7.5 and single threads of their own.

The event loop keeps the order (one message at a time per topic); here a job just gets a thread. All threads are
daemons: a handler that blocks never keeps the process from ending.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

IDLE_SECONDS = 2.0
LIMIT = 256
"""Upper bound of threads. The original stops at the number of CPUs, where handlers that wait for each other stall
until the time limit of their calls; what really bounds the number is that each topic occupies one thread at most."""


class EscapedError(RuntimeError):
    """Stands for an exception that asyncio would take for something else (SystemExit, a cancellation, ...)."""


class Workers:
    """A pool that grows at once when no thread is idle; idle threads end after 2 s."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self._threads = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Run `function` in a thread of the pool; its exception is raised here."""
        return await asyncio.wrap_future(self._submit(function))

    def _submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            self._jobs.append((future, function))
            if self._idle < len(self._jobs) and self._threads < LIMIT:
                self._threads += 1
                self._idle += 1
                threading.Thread(target=self._work, name=f"{self._name} worker", daemon=True).start()
            else:
                self._changed.notify()
        return future

    def _work(self) -> None:
        while (job := self._next()) is not None:
            _perform(*job, self._finished)
            del job

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """The next job; None when there was nothing to do for a while."""
        with self._changed:
            while not self._jobs:
                if not self._changed.wait(IDLE_SECONDS) and not self._jobs:
                    self._threads -= 1
                    self._idle -= 1
                    return None
            self._idle -= 1
            return self._jobs.popleft()

    def _finished(self) -> None:
        """Counted as idle before its result is known, so that whoever waits for it finds this thread free."""
        with self._changed:
            self._idle += 1


async def run_in_thread(name: str, function: Callable[[], T]) -> T:
    """Run `function` in a new thread of its own; its exception is raised here."""
    future: Future[T] = Future()
    threading.Thread(target=_perform, args=(future, function), name=name, daemon=True).start()
    return await asyncio.wrap_future(future)


def _perform(future: Future[T], function: Callable[[], T], finished: Callable[[], None] = lambda: None) -> None:
    if not future.set_running_or_notify_cancel():
        finished()
        return
    try:
        result = function()
    except BaseException as error:
        finished()
        future.set_exception(_carriable(error))
    else:
        finished()
        future.set_result(result)


def _carriable(error: BaseException) -> Exception:
    """The exception itself, or what may stand for it in an event loop."""
    misread = (concurrent.futures.CancelledError, asyncio.InvalidStateError, StopIteration, StopAsyncIteration)
    if isinstance(error, Exception) and not isinstance(error, misread):
        return error
    escaped = EscapedError(f"{type(error).__name__}: {error}")
    escaped.__cause__ = error
    return escaped
