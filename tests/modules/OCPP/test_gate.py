"""Events before the start are kept in order, events while stopped are dropped (libocpp 9.2)."""

from __future__ import annotations

import asyncio

from modules.OCPP.gate import Event, Gate


def recorder(seen: list[int], number: int) -> Event:
    async def event() -> None:
        await asyncio.sleep(0)
        seen.append(number)

    return event


async def test_events_wait_for_the_start_and_then_run_in_order() -> None:
    seen: list[int] = []
    gate = Gate()
    for number in (1, 2, 3):
        await gate.pass_through(recorder(seen, number))
    assert seen == []
    await gate.open()
    await gate.pass_through(recorder(seen, 4))
    assert seen == [1, 2, 3, 4]


async def test_an_event_that_comes_while_the_queue_is_worked_off_keeps_its_place() -> None:
    seen: list[int] = []
    gate = Gate()

    async def first() -> None:
        await gate.pass_through(recorder(seen, 2))
        seen.append(1)

    await gate.pass_through(first)
    await gate.open()
    assert seen == [1, 2]


async def test_nothing_passes_while_stopped_by_command() -> None:
    seen: list[int] = []
    gate = Gate()
    await gate.open()
    gate.shut()
    await gate.pass_through(recorder(seen, 1))
    await gate.open()
    assert seen == []
    await gate.pass_through(recorder(seen, 2))
    assert seen == [2]
