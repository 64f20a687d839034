"""The threads of handlers (bus 7.5)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from everest.framework import workers
from everest.framework.workers import EscapedError, Workers, run_in_thread


async def test_jobs_that_wait_for_each_other_do_not_stall_however_many_they_are() -> None:
    pool, everybody = Workers("test"), threading.Barrier(40, timeout=10)
    positions = await asyncio.gather(*(pool.run(everybody.wait) for _ in range(40)))
    assert sorted(positions) == list(range(40))


async def test_an_idle_thread_is_used_again() -> None:
    pool = Workers("test")
    first = await pool.run(threading.get_ident)
    assert {await pool.run(threading.get_ident) for _ in range(5)} == {first}


async def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.01)
    pool = Workers("test")
    thread = await pool.run(threading.current_thread)
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive() and thread.daemon
    assert await pool.run(threading.current_thread) is not thread


async def test_beyond_the_limit_jobs_wait_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LIMIT", 2)
    pool = Workers("test")
    assert len(set(await asyncio.gather(*(pool.run(threading.get_ident) for _ in range(20))))) <= 2


def stop() -> None:
    raise StopIteration("enough")


def cancel() -> None:
    raise concurrent.futures.CancelledError("cancelled")


@pytest.mark.parametrize("function", [sys.exit, stop, cancel])
async def test_exceptions_that_asyncio_would_misread_arrive_as_errors(function: Callable[[], Any]) -> None:
    for run in (Workers("test").run(function), run_in_thread("test", function)):
        with pytest.raises(EscapedError) as caught:
            await run
        assert caught.value.__cause__ is not None


async def test_an_ordinary_exception_arrives_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        await Workers("test").run(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await run_in_thread("test", lambda: 1 // 0)
