"""One-shot timers by key (station 1.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from modules.Auth.timers import Timers

pytestmark = pytest.mark.looptime


class Fired:
    """Which actions ran, and when."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.seen: list[tuple[str, float]] = []
        self.timers = Timers(self._spawn, "timer of")
        self._origin = asyncio.get_running_loop().time()

    def _spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.create_task(coroutine, name=name))
        return self.tasks[-1]

    def start(self, key: str, delay: float) -> None:
        async def action() -> None:
            self.seen.append((key, round(asyncio.get_running_loop().time() - self._origin, 1)))

        self.timers.start(key, delay, action)


async def test_every_key_has_its_own_timer_and_each_fires_once() -> None:
    fired = Fired()
    fired.start("a", 2)
    fired.start("b", 1)
    await asyncio.sleep(10)
    assert fired.seen == [("b", 1), ("a", 2)]
    assert [task.get_name() for task in fired.tasks] == ["timer of b", "timer of a"]


async def test_a_timer_that_is_started_again_fires_at_its_new_time_only() -> None:
    fired = Fired()
    fired.start("a", 2)
    await asyncio.sleep(1)
    fired.start("a", 2)
    await asyncio.sleep(10)
    assert fired.seen == [("a", 3)]


async def test_a_stopped_timer_does_not_fire() -> None:
    fired = Fired()
    for key in ("a", "b", "c"):
        fired.start(key, 2)
    fired.timers.stop("a")
    fired.timers.stop("unknown")
    await asyncio.sleep(1)
    fired.timers.stop_all()
    await asyncio.sleep(10)
    assert fired.seen == []


async def test_an_action_that_has_begun_is_not_stopped() -> None:
    fired = Fired()
    ended = asyncio.Event()

    async def action() -> None:
        fired.timers.stop("a")
        await asyncio.sleep(1)
        ended.set()

    fired.timers.start("a", 1, action)
    await asyncio.sleep(1)
    fired.timers.stop_all()
    await asyncio.wait_for(ended.wait(), 5)
