"""Plays the rest of the world to one module and collects what it says.

Lives here: `replay`, the one engine for people (cli.py) and tests. It runs on the in-memory bus by
`everest.runtime.testing.ModuleBench`; time is the event loop's, so a loop whose clock jumps makes a charging day last
milliseconds. A module that speaks to more than the bus brings a `replay.py` beside its code, with

    configure(parameters, folder)    before the start: paths in its configuration point into a scratch folder
    attach(module, world)            before it is ready: `world.clock`, `world.csms`, `world.said(channel)` replace
                                     the clock, the central system and whatever else it would reach for

May not be imported here: manager, ocpp16, modules by name.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from everest.runtime.clock import Clock
from everest.runtime.errors import COMMAND_ERRORS, HandlerException, StartupError
from everest.runtime.loader import PACKAGE, load_module_class
from everest.runtime.memory import Published
from everest.runtime.testing import ModuleBench
from everest.runtime.yaml_file import load as load_yaml
from everest.trace.compare import Comparison, compare
from everest.trace.csms import RecordedCsms
from everest.trace.differences import Rule
from everest.trace.jump_loop import MOMENT, JumpLoop, turn_now
from everest.trace.record import Recorder
from everest.trace.records import CONNECT, BusMessage, Frame, Record, TimerFired, Trace, TraceError
from everest.trace.said import Statement, statements, tells_timers, without_timers
from everest.trace.topics import RECORDING, TRACE, prefix_of
from everest.trace.world import ANSWER, Answer, Answers, Input, World

PREFIX = "everest/"
NEAR = 0.5
"""Seconds that a question may be off its recorded time, so that its answer waits for its turn."""
GRACE = 2.0
"""Seconds after the last input in which the module may still speak."""


class ReplayClock:
    """The wall clock of a recording; it runs with the event loop from `start` on."""

    def __init__(self, first: float) -> None:
        self._first = first
        self._started: float | None = None

    def start(self) -> None:
        self._started = asyncio.get_running_loop().time()

    @property
    def t(self) -> float:
        """The time now in Unix seconds."""
        passed = 0.0 if self._started is None else asyncio.get_running_loop().time() - self._started
        return self._first + passed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.t, UTC)


@dataclass
class StandIns:
    """What a module's `replay.py` is given."""

    clock: Clock
    csms: RecordedCsms
    recorded: World

    def said(self, channel: str) -> list[tuple[float, Any]]:
        """What the original said on a channel of said.py, with its times: the outcome of what no trace holds."""
        return [(item.t, item.value) for item in self.recorded.said() if item.channel == channel]


@dataclass
class Replay:
    """A module's second life: all that passed, and what of it the module said."""

    world: World
    trace: Trace = field(default_factory=list)
    externals: set[str] = field(default_factory=set)
    failure: BaseException | None = None
    """Why the module ended by itself, if it did with an error."""

    def said(self) -> list[Statement]:
        """What the module said; after the recording's end only what that still has on the same channel."""
        recorded = Counter(item.channel for item in self.world.said(self.externals))
        found: list[Statement] = []
        for item in statements(self.trace, self.world.module_id, self.world.prefix, self.externals):
            recorded[item.channel] -= 1
            if item.t < self.world.end - MOMENT or recorded[item.channel] >= 0:
                found.append(item)
        return found

    def compare(self, rules: list[Rule] | None = None) -> Comparison:
        """The recording's side against this one; timers only if the recording holds any."""
        recorded, said = self.world.said(self.externals), self.said()
        return compare(recorded, said if tells_timers(recorded) else without_timers(said), rules or [])


async def replay(
    trace: Trace,
    folder: Path,
    scratch: Path,
    *,
    module_id: str = "",
    config: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Replay:
    """Replay a trace into the module in `folder`; `scratch` is an empty folder for its files.

    `module_id`: which module of the trace, default: the one of the folder's name. `config`: values that replace those
    of the recording. Errors: TraceError.
    """
    world = World(_under_everest(trace), module_id or folder.name)
    player = _Player(world, folder, scratch, dict(config or {}), dict(settings or {}))
    return await player.run()


def _under_everest(trace: Trace) -> Trace:
    """The trace with the everest prefix that a replay uses."""
    prefix = prefix_of(trace)
    if prefix == PREFIX:
        return trace
    return [
        replace(record, topic=PREFIX + record.topic.removeprefix(prefix))
        if isinstance(record, BusMessage) and record.topic.startswith(prefix)
        else record
        for record in trace
    ]


class _Player:
    def __init__(
        self, world: World, folder: Path, scratch: Path, config: dict[str, Any], settings: dict[str, Any]
    ) -> None:
        self._world = world
        self._result = Replay(world)
        self._playing = False
        folder = folder.resolve()
        self._clock = ReplayClock(world.start)
        self._turns = Turns(self._clock)
        self._spoken: Counter[str] = Counter()
        self._awaited: Input | None = None
        self._csms = RecordedCsms(world.csms_answers, self._frame, self._turns.wait, online=_begins_online(world))
        try:
            load_module_class(folder)
            self._adapter = _adapter(folder)
            self._bench = self._make_bench(folder, scratch, config, settings)
        except (StartupError, ValueError) as error:
            raise TraceError(f"{folder.name} cannot be replayed: {error}") from None

    # --- before ------------------------------------------------------------------------------------------------------

    def _make_bench(self, folder: Path, scratch: Path, config: dict[str, Any], settings: dict[str, Any]) -> ModuleBench:
        manifest = load_yaml(folder / "manifest.yaml").data
        parameters = _known(self._world.parameters(), manifest.get("config", {}))
        if self._adapter is not None and hasattr(self._adapter, "configure"):
            self._adapter.configure(parameters, scratch)
        implementations = {
            name: _known(self._world.parameters(name), entry.get("config", {}))
            for name, entry in manifest["provides"].items()
        }
        requires = manifest.get("requires", {})
        known = {path.stem for root in _roots(folder) for path in (root / "interfaces").glob("*.yaml")}
        bench = ModuleBench(
            folder,
            module_id=self._world.module_id,
            config=parameters | config,
            implementation_config=implementations,
            connections={name: peers for name, peers in self._world.connections().items() if name in requires},
            mappings=self._world.mappings(),
            peers={peer: name for peer, name in self._world.interfaces.items() if name in known},
            settings=settings,
            clock=self._clock,
            global_ready=False,
        )
        bench.broker.publish(RECORDING, b"true", retain=True)
        bench.broker.watch(self._message)
        for (peer, command), answers in self._world.answers.items():
            bench.answer(peer, command, _replaying(answers, self._turns))
        return bench

    # --- while it runs -----------------------------------------------------------------------------------------------

    async def run(self) -> Replay:
        """Start the module, play all inputs at their times, wait a moment, end it."""
        try:
            async with self._bench:
                if self._adapter is not None and hasattr(self._adapter, "attach"):
                    stand_ins = StandIns(self._clock, self._csms, self._world)
                    self._adapter.attach(self._bench.module, stand_ins)
                self._clock.start()
                await self._play()
        except TraceError:
            raise
        except Exception as error:
            self._result.failure = error
        finally:
            await self._csms.close()
        return self._result

    async def _play(self) -> None:
        spoke = False
        for item in self._world.inputs():
            spoke = spoke or any(not channel.startswith(ANSWER) for channel, _ in item.after)
            if item.turn is not None:
                await self._reach(item, item.turn)
            elif item.answer is None:
                await self._approach(item.record.t, spoke=spoke)
                spoke = False
            if item.answer is not None:
                self._turns.come(item.answer)
            else:
                self._tell(item.record)
            if item.turn is None:
                await asyncio.sleep(0)
        await self._until(self._world.end + GRACE)

    async def _reach(self, item: Input, turn: int) -> None:
        """Until its turn in its moment, and until the module has said what it had said by then."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, JumpLoop):
            await self._until(item.record.t)
            await asyncio.sleep(0)
            return
        await loop.before_timers(loop.time() + item.record.t - self._clock.t)
        loop.begin_moment()
        await loop.at_turn(turn)
        if not self._spoken_before(item):
            self._awaited = item
            await loop.idle()
            self._awaited = None

    async def _approach(self, t: float, *, spoke: bool) -> None:
        """Until its time in a recording without turns: before the module's timers of the same moment, unless it has
        spoken since the input before; then it has time to say all."""
        await self._until(t if spoke else t - MOMENT)
        if spoke:
            loop = asyncio.get_running_loop()
            await (loop.idle() if isinstance(loop, JumpLoop) else asyncio.sleep(0))

    async def _until(self, t: float) -> None:
        wait = t - self._clock.t
        if wait > 0:
            await asyncio.sleep(wait)

    def _spoken_before(self, item: Input) -> bool:
        """Whether the module has said all that the recording has it say before this input."""
        return all(self._spoken[channel] >= count for channel, count in item.after)

    def _note(self, record: Record) -> None:
        """Something that passed."""
        self._result.trace.append(record)
        if self._world.begins(record):
            self._spoken.clear()
        if (channel := self._world.channel(record)) is None:
            return
        self._spoken[channel] += 1
        loop = asyncio.get_running_loop()
        if self._awaited is not None and isinstance(loop, JumpLoop) and self._spoken_before(self._awaited):
            loop.go_on()

    def _tell(self, record: Record) -> None:
        if isinstance(record, Frame):
            self._csms.play(record)
        elif isinstance(record, BusMessage):
            self._playing = True
            try:
                self._bench.broker.publish(record.topic, record.payload, qos=record.qos, retain=record.retain)
            finally:
                self._playing = False

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _frame(self, direction: str, text: str) -> None:
        self._note(Frame(self._clock.t, direction, text, self._world.module_id, turn_now()))

    def _message(self, message: Published) -> None:
        if message.topic.startswith(TRACE):
            self._told(message)
            return
        self._note(BusMessage(self._clock.t, message.topic, message.payload, message.qos, message.retain, turn_now()))
        if not self._playing and not message.topic.startswith(self._world.prefix):
            self._result.externals.add(message.topic)

    def _told(self, message: Published) -> None:
        """What the module tells of itself: its timers are noted; its frames have been, at the other end."""
        told = Recorder(lambda record: None, clock=lambda: self._clock.t, turn=turn_now).told(
            message.topic, message.payload
        )
        if isinstance(told, TimerFired):
            self._note(told)


def _begins_online(world: World) -> bool:
    """Whether a connection can be opened at once: yes, unless the recording tells when the first one was opened."""
    frames = world.frames()
    return not frames or frames[0].direction != CONNECT


def _known(values: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters that the manifest declares: a foreign module of that name may have others."""
    return {name: value for name, value in values.items() if name in declared}


def _roots(folder: Path) -> list[Path]:
    """Folders with `interfaces` above the module or above the working directory (as ModuleBench looks for them)."""
    places = [*folder.parents, Path.cwd(), *Path.cwd().parents]
    found = [
        root for place in places for root in (place, place / "share" / "everest") if (root / "interfaces").is_dir()
    ]
    return found[:1]


def _adapter(folder: Path) -> ModuleType | None:
    """The module's own `replay.py`, if it has one."""
    if not (folder / "replay.py").is_file():
        return None
    return importlib.import_module(f"{PACKAGE}.{folder.name}.replay")


class Turns:
    """When the answers of the recording are given: at their turn among all that happens."""

    def __init__(self, clock: ReplayClock) -> None:
        self._clock = clock
        self._waiting: dict[int, asyncio.Event] = {}

    def come(self, answer: Answer) -> None:
        """It is the turn of this one."""
        answer.late = True
        if (waiting := self._waiting.pop(id(answer), None)) is not None:
            waiting.set()

    async def wait(self, answer: Answer) -> None:
        """Until it is to be given. Asked at another time than then, it comes after the time that it took."""
        if answer.delay is None:
            await asyncio.Event().wait()
        elif answer.late or answer.turn is None or abs(self._clock.t - answer.at) > NEAR:
            if answer.delay > 0 or answer.turn is None:
                await asyncio.sleep(answer.delay)
        else:
            await self._waiting.setdefault(id(answer), asyncio.Event()).wait()


def _replaying(answers: Answers, turns: Turns) -> Callable[[dict[str, Any]], Any]:
    async def answer(arguments: dict[str, Any]) -> Any:
        found = answers.to(arguments)
        if found is None:
            raise HandlerException("the recording has no answer to this command")
        await turns.wait(found)
        if isinstance(found.result, dict) and found.result.keys() == {"error", "message"}:
            raise COMMAND_ERRORS.get(found.result["error"], HandlerException)(found.result["message"])
        return found.result

    return answer
