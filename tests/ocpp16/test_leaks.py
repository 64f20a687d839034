"""Nothing leaks: after many restarts there are as many tasks, file handles and threads as before, and no more memory.

Each restart goes the whole way: stop, start, dial, BootNotification, status reports, a queued message more.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ocpp16.store.memory import MemoryStore
from ocpp16.store.sqlite import SqliteStore
from tests.support.ocpp16_station import Station, settled

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(300)]

GROWTH = 5 * 2**20
"""Bytes by which memory may grow after warm-up (issue: the core)."""

PAGE = os.sysconf("SC_PAGE_SIZE")


class Held(NamedTuple):
    """What the process holds. `blocks` are allocated objects of Python, `memory` is resident bytes."""

    tasks: int
    files: int
    threads: int
    blocks: int
    memory: int


@pytest.fixture(autouse=True)
def no_log_records() -> Iterator[None]:
    """pytest keeps every log record of a test."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def held() -> Held:
    gc.collect()
    return Held(
        tasks=len(asyncio.all_tasks()),
        files=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        blocks=sys.getallocatedblocks(),
        memory=int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
    )


async def restart(station: Station) -> None:
    """Once around, and the test's own records are forgotten."""
    assert await station.charge_point.stop()
    assert await station.charge_point.restart()
    await station.csms.wait_for("StatusNotification", 3)
    await settled()
    for record in (station.csms.got, station.csms.frames, station.asked):
        record.clear()


async def held_after(station: Station, count: int) -> Held:
    for _ in range(count):
        await restart(station)
    return held()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts file handles in /proc")
@pytest.mark.parametrize(("kind", "count", "warm_up"), [("memory", 1000, 100), ("sqlite", 100, 20)])
async def test_restarts_leave_no_task_no_file_and_no_memory_behind(
    kind: str, count: int, warm_up: int, tmp_path: Path
) -> None:
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "cp001.db")
    async with Station(store=store) as station:
        await station.boot()
        before = await held_after(station, warm_up)
        after = await held_after(station, count)
    assert after.tasks == before.tasks
    assert after.files == before.files
    assert after.threads == before.threads
    assert after.memory - before.memory < GROWTH
    assert after.blocks - before.blocks < 5 * count, "a run that is kept is thousands of objects"
