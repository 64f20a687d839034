"""System against a recording of a real EVerest: the same commands at the same times, the same statuses and answers.

The network is played: what the recording could not fetch fails. Compared are the statuses in order and, to a second,
their times; file names of uploads by their form.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.modules.System.bench import PlayedTransfer, System
from tests.support import traces

pytestmark = pytest.mark.looptime
COMMAND = "everest/modules/system/impl/main/cmd/"
VARIABLE = "everest/modules/system/impl/main/var/"
NAME = re.compile(r"diagnostics-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z[A-Za-z0-9]{6}")


class ClockFrom:
    """A wall clock that runs with the loop from a given time, once started."""

    def __init__(self, first: float) -> None:
        self._first = first
        self._started: float | None = None

    def start(self) -> None:
        self._started = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        passed = 0.0 if self._started is None else asyncio.get_running_loop().time() - self._started
        return datetime.fromtimestamp(self._first + passed, UTC)


class Selective(PlayedTransfer):
    """Only what exists can be fetched."""

    async def download(self, location: str, target: Any) -> None:
        self.failures = int("does_not_exist" in location)
        await super().download(location, target)


def without_name(answer: Any) -> Any:
    """The answer, with a file name of the right form made equal to every other."""
    if isinstance(answer, dict) and NAME.fullmatch(answer.get("file_name", "")):
        return {**answer, "file_name": "diagnostics"}
    return answer


async def test_system_says_what_the_original_said() -> None:
    calls: list[tuple[float, str, Any]] = []
    answers: list[Any] = []
    statuses: list[tuple[float, Any]] = []
    for message in traces.bus("firmware_logs"):
        if message.topic.startswith(VARIABLE):
            statuses.append((message.t, message.json()["data"]["data"]))
        elif message.topic.startswith(COMMAND) and "/response/" in message.topic:
            answers.append(message.json()["data"]["data"]["retval"])
        elif message.topic.startswith(COMMAND):
            calls.append((message.t, message.topic.removeprefix(COMMAND), message.json()["data"]["args"]))
    first = calls[0][0]
    clock = ClockFrom(first)
    system = System(transfer=Selective(duration=0.02), clock=clock)
    given: list[Any] = []
    seen: list[tuple[float, Any]] = []
    async with system:
        clock.start()
        loop = asyncio.get_running_loop()
        start = loop.time()
        watching = asyncio.create_task(watch(system, seen, start - first))
        for t, command, arguments in calls:
            await asyncio.sleep(max(0.0, start + t - first - loop.time()))
            given.append(await system.call("main", command, arguments))
        await asyncio.sleep(60)
        watching.cancel()
    assert [without_name(answer) for answer in given] == [without_name(answer) for answer in answers]
    assert [status for _, status in seen] == [status for _, status in statuses]
    assert all(abs(ours - theirs) < 1 for (ours, _), (theirs, _) in zip(seen, statuses, strict=True))


async def watch(system: System, seen: list[tuple[float, Any]], offset: float) -> None:
    """Note every status of both variables with its time."""
    known = {"firmware_update_status": 0, "log_status": 0}
    while True:
        for variable, count in known.items():
            for value in system.published("main", variable)[count:]:
                seen.append((asyncio.get_running_loop().time() - offset, value))
                known[variable] += 1
        await asyncio.sleep(0.05)
