"""The loop whose clock jumps: hours pass at once, work in threads is waited for."""

from __future__ import annotations

import asyncio
import threading

import pytest

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


def test_who_comes_before_the_timers_of_a_moment_has_done_all_that_follows_before_they_fire() -> None:
    seen: list[str] = []

    async def chain() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append("followed")

    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, jump_loop.JumpLoop)
        loop.call_later(10, seen.append, "timer")
        await loop.before_timers(10.000_000_3)
        following = asyncio.create_task(chain())
        await following
        assert seen == ["followed"]
        await asyncio.sleep(1)
        return loop.time()

    assert jump_loop.run(main()) == 11.0
    assert seen == ["followed", "timer"]


def test_a_turn_of_a_moment_is_counted_from_its_timers() -> None:
    seen: list[tuple[str, int]] = []

    async def module(loop: jump_loop.JumpLoop) -> None:
        await asyncio.sleep(10)
        for _ in range(4):
            seen.append(("module", loop.turn))
            await asyncio.sleep(0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, jump_loop.JumpLoop)
        running = asyncio.create_task(module(loop))
        await loop.before_timers(10)
        loop.begin_moment()
        await loop.at_turn(3)
        seen.append(("player", loop.turn))
        await running
        await loop.at_turn(50)
        seen.append(("alone", loop.turn))

    jump_loop.run(main())
    assert seen == [
        ("module", 1), ("module", 2), ("module", 3), ("player", 3), ("module", 4), ("alone", 50),
    ]  # fmt: skip


def test_work_in_threads_takes_the_same_turns_however_long_it_lasts() -> None:
    async def turns(seconds: float) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, jump_loop.JumpLoop)
        before = loop.turn
        await asyncio.gather(*(asyncio.to_thread(threading.Event().wait, seconds) for _ in range(2)))
        return loop.turn - before

    assert jump_loop.run(turns(0.0)) == jump_loop.run(turns(0.02))


def test_what_fails_in_a_thread_fails_where_it_is_awaited() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)

    jump_loop.run(main())


def test_timers_of_one_moment_fire_in_the_order_in_which_they_were_set() -> None:
    fired: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        for number in range(20):
            loop.call_later(0.2 if number % 2 else 0.1 + 0.1, fired.append, number)
        await asyncio.sleep(1)

    jump_loop.run(main())
    assert fired == list(range(20))


@pytest.mark.parametrize("delay", [1e-300, 1e-12, 3e-7, 9e-7])
def test_time_passes_for_who_waits_for_however_little(delay: float) -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(60.936958)
        before = loop.time()
        async with asyncio.timeout(1):
            await asyncio.sleep(delay)
        return loop.time() - before

    assert 0.0 < jump_loop.run(wait()) < 2e-6
