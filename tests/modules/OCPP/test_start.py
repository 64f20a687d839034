"""Waiting for the EVSEs, and noticing those that were running before the module was (libocpp 9.2 step 3)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from modules.OCPP.start import EvseStarts

pytestmark = pytest.mark.looptime


async def test_all_announced_ends_the_wait() -> None:
    starts = EvseStarts([1, 2])
    waiting = asyncio.create_task(starts.wait(late_after=10))
    starts.announced(1, ready=False)
    await asyncio.sleep(1)
    assert not waiting.done()
    starts.announced(2, ready=False)
    assert await waiting == set()


async def test_an_early_ready_counts_and_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    starts = EvseStarts([1])
    starts.announced(1, ready=True)
    assert await starts.wait(late_after=10) == set()
    assert "EVSE 1 was ready before OCPP" in caplog.text


async def test_ready_after_waiting_for_external_ready_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    starts = EvseStarts([1])
    starts.announced(1, ready=False)
    starts.announced(1, ready=True)
    assert caplog.text == ""


async def test_a_silent_evse_that_lives_was_running_all_the_time() -> None:
    starts = EvseStarts([1, 2])
    starts.announced(2, ready=False)
    starts.sign_of_life(1)
    begin = asyncio.get_running_loop().time()
    assert await starts.wait(late_after=10) == {1}
    assert asyncio.get_running_loop().time() - begin == pytest.approx(10)


async def test_an_evse_that_starts_slowly_is_waited_for_and_named(caplog: pytest.LogCaptureFixture) -> None:
    starts = EvseStarts([1])
    with caplog.at_level(logging.WARNING):
        waiting = asyncio.create_task(starts.wait(late_after=10))
        await asyncio.sleep(95)
        assert not waiting.done()
    assert caplog.text.count("still waiting for EVSE 1") == 3
    starts.announced(1, ready=False)
    assert await waiting == set()


async def test_a_sign_of_life_after_the_deadline_ends_the_wait_at_once() -> None:
    starts = EvseStarts([1])
    waiting = asyncio.create_task(starts.wait(late_after=10))
    await asyncio.sleep(15)
    starts.sign_of_life(1)
    await asyncio.sleep(0.01)
    assert waiting.done()
    assert waiting.result() == {1}
