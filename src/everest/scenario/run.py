"""One scenario from start to end: loop, central system, station, steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, chdir
from datetime import datetime
from pathlib import Path

from everest.manager.errors import ManagerError
from everest.scenario.clock import LoopClock, wall_clock
from everest.scenario.csms import CentralSystem, Frame, MemoryDialer
from everest.scenario.model import Outcome, Scenario, Verdict
from everest.scenario.player import Player
from everest.scenario.server import serving
from everest.scenario.station import Station
from everest.scenario.watch import Watch
from everest.trace.jump_loop import JumpLoop

NOWHERE = "ws://csms.invalid/"
"""The address of the central system in virtual time; nobody dials it."""


def play(
    scenario: Scenario,
    folder: Path,
    *,
    virtual: bool,
    told: Callable[[Verdict], None] = lambda _verdict: None,
    frames: list[Frame] | None = None,
) -> Outcome:
    """Play it. `folder` takes the files of the station and is the working directory meanwhile.

    `frames` is filled with what station and central system say. Never raises for what the station does; one that
    cannot be started is the outcome's `failure`.
    """
    outcome = Outcome(scenario)
    with chdir(folder), asyncio.Runner(loop_factory=JumpLoop if virtual else None) as runner:
        try:
            runner.run(_play(outcome, folder, virtual, told, [] if frames is None else frames))
        except ManagerError as error:
            outcome.failure = str(error)
    return outcome


async def _play(
    outcome: Outcome, folder: Path, virtual: bool, told: Callable[[Verdict], None], frames: list[Frame]
) -> None:
    scenario = outcome.scenario
    clock = LoopClock(datetime.fromisoformat(scenario.start)) if virtual else None
    now = clock.now if clock is not None else wall_clock
    watch = Watch()
    csms = CentralSystem(now, scenario.csms, frames, watch.news)
    async with _reachable(csms, virtual) as url:
        dialer = MemoryDialer(csms) if virtual else None
        station = Station(scenario, folder, watch, url=url, clock=clock, dialer=dialer)
        player = Player(station, csms, watch, now)
        try:
            await station.start()
            await _steps(outcome, player, told)
        finally:
            await station.stop()
            await csms.close()


async def _steps(outcome: Outcome, player: Player, told: Callable[[Verdict], None]) -> None:
    """Every step; those after a failure are skipped."""
    failed = False
    for step in outcome.scenario.steps:
        verdict = Verdict(step, 0.0, skipped=True) if failed else await player.play(step)
        failed = failed or bool(verdict.problem)
        outcome.verdicts.append(verdict)
        told(verdict)


@asynccontextmanager
async def _reachable(csms: CentralSystem, virtual: bool) -> AsyncIterator[str]:
    """The central system is there; yields its URL."""
    if virtual:
        yield NOWHERE
        return
    async with serving(csms) as url:
        yield url
