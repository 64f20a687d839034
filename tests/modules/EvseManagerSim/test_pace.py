"""Ticks without drift (station 8.11)."""

from __future__ import annotations

import asyncio

import pytest

from modules.EvseManagerSim.pace import MAX_CATCH_UP, ticks

pytestmark = pytest.mark.looptime


async def test_ticks_do_not_drift_when_their_work_takes_time() -> None:
    loop = asyncio.get_running_loop()
    start, count = loop.time(), 0
    async for now in ticks(0.25):
        assert now == pytest.approx(start + 0.25 * count)
        assert loop.time() - now < 0.2
        count += 1
        if count == 400:
            return
        await asyncio.sleep(0.1)


async def test_a_short_delay_is_made_up_for_and_a_long_hole_is_left_out() -> None:
    loop = asyncio.get_running_loop()
    start, seen = loop.time(), []
    async for now in ticks(1.0):
        seen.append(round(now - start))
        if len(seen) == 2:
            await asyncio.sleep(3.5)  # late by 3 ticks
        if len(seen) == 6:
            await asyncio.sleep(10 * MAX_CATCH_UP)
        if len(seen) == 8:
            break
    assert seen[:6] == [0, 1, 2, 3, 4, 5]
    assert seen[6] >= 10 * MAX_CATCH_UP
    assert seen[7] == seen[6] + 1
