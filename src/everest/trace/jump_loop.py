"""An event loop whose clock jumps: it never sleeps, it goes on to the next timer as soon as nothing else can happen.

For replays. Time stands still while blocking work in the loop's executors is under way, so that a replay on a busy
machine says the same as on an idle one.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 0.05
"""Seconds of real time that one look for sockets lasts while work in a thread is under way."""


class JumpLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._now = 0.0
        self._in_threads = 0
        self._idle: asyncio.Future[None] | None = None
        super().__init__(_JumpSelector(self))

    def time(self) -> float:
        return self._now

    @property
    def busy(self) -> bool:
        """Work in a thread is under way, so time stands still."""
        return self._in_threads > 0

    def jump(self, seconds: float) -> None:
        self._now += seconds

    async def idle(self) -> None:
        """Until nothing more can happen at this time. One task at a time may wait for that."""
        self._idle = self.create_future()
        await self._idle

    def is_idle(self) -> bool:
        """Nothing more can happen at this time. Whether somebody waited for that."""
        waiting, self._idle = self._idle, None
        if waiting is None or waiting.done():
            return False
        waiting.set_result(None)
        return True

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, _future: asyncio.Future[Any]) -> None:
        self._in_threads -= 1


class _JumpSelector(selectors.DefaultSelector):
    """Where a loop would sleep until its next timer, time jumps there."""

    def __init__(self, loop: JumpLoop) -> None:
        super().__init__()
        self._jumping = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if not self._jumping.busy and self._jumping.is_idle():
            return ready
        if timeout is None or self._jumping.busy:
            return super().select(PATIENCE)
        self._jumping.jump(max(timeout, 0.0))
        return ready


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in jumping time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=JumpLoop) as runner:
        return runner.run(coroutine)
