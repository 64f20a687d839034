"""Events before the start are kept in order, events while stopped are dropped (libocpp 9.2); none overtakes another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modules.OCPP.gate import Event, Gate


def recorder(seen: list[int], number: int, turns: int = 1) -> Event:
    async def event() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        seen.append(number)

    return event


@asynccontextmanager
async def working() -> AsyncIterator[Gate]:
    gate = Gate()
    task = asyncio.create_task(gate.run())
    try:
        yield gate
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_events_wait_for_the_start_and_then_run_in_order() -> None:
    seen: list[int] = []
    async with working() as gate:
        for number in (1, 2, 3):
            gate.pass_through(recorder(seen, number))
        await asyncio.sleep(0)
        assert seen == []
        await gate.open()
        assert seen == [1, 2, 3]


async def test_a_quick_event_does_not_overtake_a_slow_one() -> None:
    seen: list[int] = []
    async with working() as gate:
        await gate.open()
        gate.pass_through(recorder(seen, 1, turns=20))
        gate.pass_through(recorder(seen, 2))
        await gate.open()
        assert seen == [1, 2]


async def test_an_event_that_comes_while_the_queue_is_worked_off_keeps_its_place() -> None:
    seen: list[int] = []
    async with working() as gate:

        async def first() -> None:
            gate.pass_through(recorder(seen, 2))
            seen.append(1)

        gate.pass_through(first)
        await gate.open()
        assert seen == [1, 2]


async def test_nothing_passes_while_stopped_by_command() -> None:
    seen: list[int] = []
    async with working() as gate:
        await gate.open()
        gate.shut()
        gate.pass_through(recorder(seen, 1))
        await gate.open()
        assert seen == []
        gate.pass_through(recorder(seen, 2))
        await gate.open()
        assert seen == [2]


async def test_an_event_that_fails_ends_the_run() -> None:
    gate = Gate()

    async def fails() -> None:
        raise ValueError("no")

    gate.pass_through(fails)
    run = asyncio.create_task(gate.run())
    opening = asyncio.create_task(gate.open())
    with pytest.raises(ValueError, match="no"):
        await run
    opening.cancel()
