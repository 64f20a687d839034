"""An event loop whose clock jumps: it never sleeps, it goes on to the next timer as soon as nothing else can happen.

For replays and scenarios. Time stands still while blocking work in the loop's executors is under way, and what it
brings comes a fixed number of turns later, so that a busy machine says the same as an idle one.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import selectors
from collections import Counter
from collections.abc import Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 1.0
"""Seconds of real time that work in a thread may last before the loop looks after other things, too."""
LASTS = 12
"""Turns that work in a thread takes, however long: about as many as a database does in a running station."""
MOMENT = 1e-5
"""Seconds within which two things happen at one and the same moment."""
DIGITS = 6
GRID = 1e-6
"""Time goes by whole microseconds, as wall clocks do; so what was recorded happens at the same time again."""
STEP = 1e-9
"""Between timers of one microsecond, in seconds."""
MANY = 1000
"""So many moments with timers are remembered before those that are over are forgotten."""


def resolve(waiting: asyncio.Future[None]) -> bool:
    """Let who waits go on. Whether somebody did."""
    if waiting.done():
        return False
    waiting.set_result(None)
    return True


class JumpLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and jumps from timer to timer."""

    _ready: Collection[object]
    _clock_resolution: float

    def __init__(self) -> None:
        self._now = 0.0
        self._threads = ThreadPoolExecutor(thread_name_prefix="jump loop")
        self._work: list[tuple[concurrent.futures.Future[Any], asyncio.Future[Any]]] = []
        self._idle: asyncio.Future[None] | None = None
        self._early: tuple[float, asyncio.Future[None]] | None = None
        self.holding = False
        """The timers of this moment wait."""
        self.turn = 0
        """How often everything that can go on has gone on, since this moment began."""
        self._moment = 0.0
        self._later: tuple[int, asyncio.Future[None]] | None = None
        self._timers: Counter[float] = Counter()
        super().__init__(_JumpSelector(self))
        self._hold(False)

    def time(self) -> float:
        return self._now

    @property
    def running_on(self) -> bool:
        """Something happens yet without a timer."""
        return bool(self._ready)

    def jump(self, seconds: float) -> None:
        """Go on to the next timer, or to who comes before the timers of its moment."""
        target = round(self._now + seconds, DIGITS)
        if self._early is None or self._early[0] > target + MOMENT:
            self._now = target
        else:
            when, waiting = self._early
            self._now, self._early = max(self._now, round(when, DIGITS)), None
            self._hold(True)
            resolve(waiting)
        if self._now - self._moment > MOMENT:
            self._moment, self.turn = self._now, 0
            if len(self._timers) > MANY:
                self._timers = Counter({when: count for when, count in self._timers.items() if when >= self._now})

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Timers of one microsecond fire in one turn, and in the order in which they were set.

        What is to come later comes later, however soon: who waits for what is left of a time would wait for ever.
        """
        moment = round(when, DIGITS)
        if moment <= self._now < when:
            moment = round(self._now + GRID, DIGITS)
        before = self._timers[moment]
        self._timers[moment] += 1
        return super().call_at(moment + min(before * STEP, GRID / 3), callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        when = self._now + delay
        later = when if delay <= 0.0 else max(when, math.nextafter(self._now, math.inf))
        return self.call_at(later, callback, *args, context=context)

    def take_turn(self) -> None:
        """Another turn begins."""
        self.turn += 1
        if self._later is not None and self.turn >= self._later[0]:
            self.hurry()

    def hurry(self) -> bool:
        """Whoever waits for a turn waits no longer. Whether somebody did."""
        later, self._later = self._later, None
        if later is not None:
            self.turn = max(self.turn, later[0])
        return later is not None and resolve(later[1])

    async def at_turn(self, turn: int) -> None:
        """Until this turn of this moment; it comes sooner where nothing else goes on. One task at a time may wait."""
        if self.turn < turn:
            self._later = (turn, self.create_future())
            await self._later[1]

    def begin_moment(self) -> None:
        """The timers of this moment fire in its first turn, the next one."""
        if self.release():
            self.turn = -1

    def _hold(self, held: bool) -> None:
        """Timers due at this moment wait, or no longer."""
        self.holding = held
        self._clock_resolution = -MOMENT if held else GRID / 2

    def release(self) -> bool:
        """The timers that were held back may fire. Whether there was cause to look for any."""
        held = self.holding
        self._hold(False)
        return held

    @property
    def has_early(self) -> bool:
        return self._early is not None

    async def before_timers(self, when: float) -> None:
        """At this time, and before the timers of the same moment: they fire once nothing else can happen.

        One task at a time may wait for that. A time that has passed is now.
        """
        if round(when, DIGITS) > self._now:
            self._early = (when, self.create_future())
            await self._early[1]

    async def idle(self) -> None:
        """Until nothing more can happen at this time, or `go_on`. One task at a time may wait for that."""
        self._idle = self.create_future()
        await self._idle

    def go_on(self) -> bool:
        """Whoever waits in `idle` does so no longer. Whether somebody did."""
        waiting, self._idle = self._idle, None
        return waiting is not None and resolve(waiting)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Work in a thread takes `LASTS` turns."""
        waiting = self.create_future()
        self._work.append(((executor or self._threads).submit(func, *args), waiting))
        return waiting

    def take_work(self) -> None:
        """Wait for the work in threads, and hand out what is done; what waits for the loop itself goes on."""
        if not self._work:
            return
        concurrent.futures.wait([work for work, _ in self._work], PATIENCE)
        done = [item for item in self._work if item[0].done()]
        self._work = [item for item in self._work if item not in done]
        for work, waiting in done:
            self.call_soon(self._hand_out, LASTS, work, waiting)

    def _hand_out(self, turns: int, work: concurrent.futures.Future[Any], waiting: asyncio.Future[Any]) -> None:
        """Give what came of work in a thread to who waits, after so many turns."""
        if turns > 1:
            self.call_soon(self._hand_out, turns - 1, work, waiting)
        elif waiting.cancelled():
            return
        elif (error := work.exception()) is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(work.result())

    @property
    def busy(self) -> bool:
        """Work in a thread is under way, so time stands still."""
        return bool(self._work)

    def close(self) -> None:
        super().close()
        self._threads.shutdown(wait=False)


class _JumpSelector(selectors.DefaultSelector):
    """Where a loop would sleep until its next timer, time jumps there."""

    def __init__(self, loop: JumpLoop) -> None:
        super().__init__()
        self._jumping = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self._jumping
        loop.take_work()
        ready = super().select(0)
        if ready or loop.running_on or (timeout == 0 and not loop.holding):
            loop.take_turn()
            return ready
        if loop.busy or loop.hurry() or loop.release() or loop.go_on():
            return ready
        if timeout is None and not loop.has_early:
            return super().select(PATIENCE)
        loop.jump(math.inf if timeout is None else max(timeout, 0.0))
        return ready


def turn_now() -> int | None:
    """The turn of the running loop; None where time is real."""
    loop = asyncio._get_running_loop()
    return loop.turn if isinstance(loop, JumpLoop) else None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in jumping time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=JumpLoop) as runner:
        return runner.run(coroutine)
