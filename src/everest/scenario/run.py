"""One scenario from start to end: loop, central system, file server, station, steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, chdir, closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from everest.manager.errors import ConfigError, ManagerError
from everest.manager.model import Stack
from everest.manager.problems import Problem
from everest.scenario import file_server, files, reading, server
from everest.scenario.bus import BrokerBus, Bus, MemoryBus, mosquitto, recorded
from everest.scenario.chance import Chance
from everest.scenario.clock import LoopClock, wall_clock
from everest.scenario.csms import CentralSystem, Frame, MemoryDialer
from everest.scenario.files import Files
from everest.scenario.model import Mistake, Outcome, Scenario, Verdict
from everest.scenario.names import Names
from everest.scenario.player import Player, World
from everest.scenario.stack import changed, configured
from everest.scenario.station import Attaching, Station, StationLog, Surroundings
from everest.scenario.watch import Watch
from everest.trace.jump_loop import JumpLoop
from everest.trace.records import Record

NOWHERE = "ws://csms.invalid/"
"""The address of the central system in virtual time; nobody dials it."""

AFTERWARDS_S = 5.0
"""A recording goes on for so long after the last step, that nothing in it ends in the middle."""

Told = Callable[[Verdict], None]


class Addresses(NamedTuple):
    """Where the station finds its servers."""

    csms: str
    files: str


def examine(file: Path, folder: Path, prefix: Path | None = None) -> tuple[Scenario | None, list[Problem]]:
    """Read a file and hold it against the stack that it wants: all that is wrong, at once. `folder` is for scratch."""
    scenario, findings = reading.look(file)
    if scenario is None:
        return None, findings.problems
    try:
        stack, mistakes = changed(scenario, folder, NOWHERE, prefix)
    except ConfigError as error:
        return scenario, [*findings.problems, *error.problems]
    except ManagerError as error:
        text = str(error).removesuffix("; say --config FILE")
        mistake = Mistake(("station", "config"), text, "name a configuration of the manager")
        return scenario, [*findings.problems, scenario.problem(mistake)]
    for mistake in mistakes:
        findings.add(scenario.problem(mistake))
    reading.hold(scenario, Names.of(stack), findings)
    return scenario, sorted(findings.problems, key=lambda problem: problem.line or 0)


@dataclass(frozen=True)
class Way:
    """How a scenario is played. `processes`: modules as processes over mosquitto, which is real time then; `quiet`:
    without their log on the terminal; `write` takes the records of a recording (`everest.trace`); `prefix`: the EVerest
    installation with the modules, None is this one."""

    virtual: bool
    processes: bool = False
    quiet: bool = True
    write: Callable[[Record], None] | None = None
    prefix: Path | None = None


def play(
    scenario: Scenario,
    folder: Path,
    *,
    virtual: bool,
    processes: bool = False,
    quiet: bool = True,
    told: Told = lambda _verdict: None,
    frames: list[Frame] | None = None,
    write: Callable[[Record], None] | None = None,
    outcome: Outcome | None = None,
    prefix: Path | None = None,
) -> Outcome:
    """Play it. `folder` takes the files of the station and is the working directory meanwhile.

    `outcome` is a fresh one that is filled as it goes, `frames` takes what station and central system say, `write`
    the records of a recording. Never raises for what the station does; one that cannot be started is the outcome's
    `failure`, and so is Ctrl-C.
    """
    outcome = outcome or Outcome(scenario)
    way = Way(virtual, processes, quiet, write, prefix)
    with chdir(folder), StationLog() as log, asyncio.Runner(loop_factory=JumpLoop if virtual else None) as runner:
        try:
            runner.run(_play(outcome, folder, way, told, [] if frames is None else frames, log))
        except ManagerError as error:
            more = ["--verbose shows the log of its processes"] if processes and quiet else []
            outcome.failure = str(error)
            outcome.details = (*(f"the station's log: {line}" for line in log.lines), *more)
        except KeyboardInterrupt:
            outcome.failure, outcome.interrupted = "interrupted", True
    return outcome


async def _play(outcome: Outcome, folder: Path, way: Way, told: Told, frames: list[Frame], log: StationLog) -> None:
    scenario = outcome.scenario
    clock = LoopClock(datetime.fromisoformat(scenario.start)) if way.virtual else None
    now = clock.now if clock is not None else wall_clock
    watch = Watch()
    csms = CentralSystem(now, scenario.csms, frames, watch.news)
    served = files.make(scenario.seed, scenario.csms.files, watch.news)

    def surroundings(life: int) -> Surroundings:
        assert clock is not None
        return Surroundings(clock, MemoryDialer(csms), served, scenario.seed * 1000 + life)

    async with AsyncExitStack() as things:
        addresses = await things.enter_async_context(_reachable(csms, served, way.virtual))
        stack = configured(scenario, folder, addresses.csms, way.prefix)
        reading.against(scenario, Names.of(stack))
        if way.processes:
            stack, bus = await _over_mosquitto(things, stack, folder, watch, way)
        else:
            created = Attaching(surroundings) if way.virtual else lambda _module: None
            bus = things.enter_context(closing(MemoryBus(watch, clock, created, way.write)))
        station = Station(stack, bus, watch)
        outcome.began = asyncio.get_running_loop().time()
        world = World(station, csms, watch, served, log, now, Chance(scenario.seed), outcome.began)
        player = Player(world, given={"files": addresses.files})
        try:
            await station.start()
            await _steps(outcome, player, told)
            if way.write is not None and station.running:
                await asyncio.sleep(AFTERWARDS_S)
        finally:
            await station.stop()
            await csms.close()


async def _over_mosquitto(
    things: AsyncExitStack, stack: Stack, folder: Path, watch: Watch, way: Way
) -> tuple[Stack, Bus]:
    """A broker of our own, whatever the configuration says; the stack that uses it."""
    address = await things.enter_async_context(mosquitto())
    stack = replace(stack, settings=replace(stack.settings, broker=address))
    if way.write is not None:
        await things.enter_async_context(recorded(stack.settings, way.write))
    bus = BrokerBus(stack.settings, folder, quiet=way.quiet)
    await things.enter_async_context(bus.watched(watch))
    return stack, bus


async def _steps(outcome: Outcome, player: Player, told: Told) -> None:
    """Every step; those after a failure are skipped."""
    failed = False
    for step in outcome.scenario.steps:
        verdict = Verdict(step, 0.0, skipped=True) if failed else await player.play(step)
        failed = failed or bool(verdict.problem)
        outcome.verdicts.append(verdict)
        told(verdict)


@asynccontextmanager
async def _reachable(csms: CentralSystem, served: Files, virtual: bool) -> AsyncIterator[Addresses]:
    """The servers are there."""
    if virtual:
        yield Addresses(NOWHERE, files.NOWHERE)
        return
    async with server.serving(csms) as url, file_server.serving(served) as folder:
        yield Addresses(url, folder)
