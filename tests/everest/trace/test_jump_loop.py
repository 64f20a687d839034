"""The loop whose clock jumps: hours pass at once, work in threads is waited for."""

from __future__ import annotations

import asyncio
import threading

from everest.trace import jump_loop


def test_a_day_passes_without_sleeping() -> None:
    async def day() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert jump_loop.run(day()) >= 86_400


def test_timers_fire_in_their_order() -> None:
    fired: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append(seconds)

    async def all_of_them() -> None:
        await asyncio.gather(*(wait(seconds) for seconds in (30, 10, 3600, 20)))

    jump_loop.run(all_of_them())
    assert fired == [10, 20, 30, 3600]


def test_time_stands_still_while_work_in_a_thread_is_under_way() -> None:
    async def with_a_deadline() -> float:
        loop = asyncio.get_running_loop()
        go = threading.Event()
        work = loop.run_in_executor(None, go.wait, 10)
        loop.call_soon(go.set)
        async with asyncio.timeout(1):
            await work
        return loop.time()

    assert jump_loop.run(with_a_deadline()) < 1


def test_idle_is_when_all_that_follows_at_this_moment_has_happened() -> None:
    seen: list[str] = []

    async def chain(left: int) -> None:
        for _ in range(left):
            await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, seen.append, "in a thread")
        seen.append("done")

    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, jump_loop.JumpLoop)
        later = loop.call_later(1, seen.append, "later")
        task = asyncio.create_task(chain(20))
        await loop.idle()
        await task
        later.cancel()
        return loop.time()

    assert (jump_loop.run(main()), seen) == (0.0, ["in a thread", "done"])
