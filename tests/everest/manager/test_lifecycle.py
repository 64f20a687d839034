"""The life of a stack in virtual time: status lines, ready, crash, recovery and stop, row by row of bus 2.7 to 2.9."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everest.manager.bus import ManagerBus
from everest.manager.errors import BootError, BrokerError
from everest.manager.fifo import State, StatusFifo
from everest.manager.lifecycle import Lifecycle, LifecycleOptions, ModuleExited
from everest.manager.model import Manifest, ModuleConfig, Stack
from everest.runtime.memory import MemoryBroker, Published
from tests.everest.manager.house import DEMO, House

pytestmark = pytest.mark.looptime

STARTED = ["MANAGER_INITIALIZING", "MANAGER_STARTING_MODULES", "MANAGER_RUNNING", "ALL_MODULES_STARTED"]


class Lines(StatusFifo):
    """A status fifo that keeps its lines in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.enter(State.Initializing)

    def _write(self, line: str) -> None:
        self.lines.append(line)


class Actors:
    """A launcher whose modules are played by the test: they report ready at once, and end as `stubborn` says."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.running: dict[str, Callable[[ModuleExited], None]] = {}
        self.stubborn: set[str] = set()
        self.silent: set[str] = set()
        self.starts: list[str] = []
        self.signals: list[str] = []

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None:
        if module.name == "Missing":
            raise BootError("no program")

    def start(self, module: ModuleConfig, on_exit: Callable[[ModuleExited], None]) -> None:
        self.running[module.id] = on_exit
        self.starts.append(module.id)
        if module.id not in self.silent:
            asyncio.get_running_loop().call_soon(self.report_ready, module.id)

    def report_ready(self, module_id: str) -> None:
        self.broker.publish(f"everest/modules/{module_id}/ready", b'{"msg_type":"ModuleReady","data":true}')

    def end(self, module_id: str, status: int) -> None:
        self.running.pop(module_id)(ModuleExited(module_id, status, f"exit status {status}"))

    def alive(self) -> list[str]:
        return list(self.running)

    def terminate(self) -> None:
        self.signals.append("TERM")
        for module_id in [name for name in self.running if name not in self.stubborn]:
            self.end(module_id, -15)

    def kill(self) -> None:
        self.signals.append("KILL")
        for module_id in list(self.running):
            self.end(module_id, -9)

    async def close(self) -> None:
        for module_id in list(self.running):
            self.end(module_id, -9)


class Scene:
    """One lifecycle over actors; `messages` is everything on the bus."""

    def __init__(self, stack: Stack, options: LifecycleOptions) -> None:
        self.broker = MemoryBroker()
        self.messages: list[Published] = []
        self.broker.watch(self.messages.append)
        self.actors = Actors(self.broker)
        self.fifo = Lines()
        self.transport = self.broker.transport()
        self.life = Lifecycle(
            stack, ManagerBus(self.transport, "everest/"), self.actors, fifo=self.fifo, options=options
        )
        self.task: asyncio.Task[int] | None = None

    @property
    def lines(self) -> list[str]:
        return self.fifo.lines

    def begin(self) -> None:
        self.task = asyncio.create_task(self.life.run())

    async def started(self) -> None:
        self.begin()
        await asyncio.wait_for(self.life.started.wait(), 5)

    async def ended(self) -> int:
        assert self.task is not None
        return await asyncio.wait_for(self.task, 60)

    def topics(self) -> list[str]:
        return [message.topic for message in self.messages]


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., object]:
    house = House(tmp_path / "prefix")
    house.manifest("Demo", DEMO)

    @asynccontextmanager
    async def scene(
        modules: str = "{one: {module: Demo}, two: {module: Demo}}", **options: object
    ) -> AsyncIterator[Scene]:
        scene = Scene(house.load(house.config(f"active_modules: {modules}\n")), LifecycleOptions(**options))  # type: ignore[arg-type]
        yield scene
        if scene.task is not None and not scene.task.done():
            scene.task.cancel()
            await asyncio.gather(scene.task, return_exceptions=True)

    return scene


async def test_start_and_stop_write_the_lines_of_a_default_stop(stage: Callable) -> None:
    async with stage() as scene:
        await scene.started()
        scene.life.interrupt()
        assert await scene.ended() == 0
        assert scene.lines == [
            *STARTED,
            "SIGINT_RECEIVED",
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_FORCE_TERMINATING",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]
        assert "everest/shutdown" not in scene.topics()


async def test_the_metadata_is_cleared_and_the_lines_written_before_global_ready(stage: Callable) -> None:
    async with stage() as scene:
        seen: dict[str, list[str]] = {}
        scene.broker.watch(lambda message: seen.update({message.topic: list(scene.lines)}))
        await scene.started()
        assert seen["everest/settings"] == STARTED[:2], "cleared before it says that it runs"
        assert seen["everest/ready"] == STARTED
        assert scene.broker.retained == {}
        cleared = [message for message in scene.messages if message.retain and not message.payload]
        assert [message.qos for message in cleared] == [0] * 6
        assert scene.topics().index("everest/ready") > scene.topics().index("everest/modules/two/ready")
        assert json.loads(scene.messages[-1].payload) == {"msg_type": "GlobalReady", "data": True}


async def test_modules_start_in_the_order_of_their_ids(stage: Callable) -> None:
    async with stage("{b: {module: Demo}, c: {module: Demo}, a: {module: Demo}}") as scene:
        await scene.started()
        assert scene.actors.starts == ["a", "b", "c"]


async def test_without_the_last_ready_nothing_is_said_however_long_it_takes(stage: Callable) -> None:
    async with stage() as scene:
        scene.actors.silent.add("two")
        scene.begin()
        await asyncio.sleep(3600)
        assert scene.lines == STARTED[:2]
        scene.actors.report_ready("two")
        await asyncio.wait_for(scene.life.started.wait(), 5)
        assert scene.lines == STARTED


async def test_a_ready_that_says_false_does_not_count(stage: Callable) -> None:
    async with stage("{one: {module: Demo}}") as scene:
        scene.actors.silent.add("one")
        scene.begin()
        await asyncio.sleep(1)
        scene.broker.publish("everest/modules/one/ready", b'{"msg_type":"ModuleReady","data":false}')
        await asyncio.sleep(1)
        assert not scene.life.started.is_set()


async def test_graceful_stop_in_time_is_clean(stage: Callable) -> None:
    async with stage(graceful_shutdown=True) as scene:
        await scene.started()
        scene.life.interrupt()
        await asyncio.sleep(1)
        assert scene.messages[-1] == Published("everest/shutdown", b"true", 2, False)
        for module_id in ("one", "two"):
            scene.actors.end(module_id, 0)
        assert await scene.ended() == 0
        assert scene.lines[4:] == [
            "SIGINT_RECEIVED",
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_SHUTDOWN_FINALIZING",
            "ALL_MODULES_STOPPED_CLEAN",
            "MANAGER_EXITING",
        ]
        assert scene.actors.signals == []


async def test_a_stop_is_clean_only_if_every_module_ends_with_status_0(stage: Callable) -> None:
    async with stage(graceful_shutdown=True) as scene:
        await scene.started()
        scene.life.interrupt()
        await asyncio.sleep(1)
        scene.actors.end("one", 0)
        scene.actors.end("two", 1)
        assert await scene.ended() == 0
        assert scene.lines[-2:] == ["MANAGER_SHUTDOWN_FINALIZING", "MANAGER_EXITING"]


async def test_a_stop_by_sigterm_is_clean_if_every_module_ends_with_status_0(stage: Callable) -> None:
    async with stage() as scene:
        scene.actors.stubborn |= {"one", "two"}
        await scene.started()
        scene.life.interrupt()
        await asyncio.sleep(1)
        for module_id in ("one", "two"):
            scene.actors.end(module_id, 0)
        assert await scene.ended() == 0
        assert scene.lines[-3:] == ["MANAGER_SHUTDOWN_FINALIZING", "ALL_MODULES_STOPPED_CLEAN", "MANAGER_EXITING"]


async def test_graceful_stop_with_stragglers_ends_them_after_five_seconds(stage: Callable) -> None:
    async with stage(graceful_shutdown=True) as scene:
        await scene.started()
        scene.life.interrupt()
        await asyncio.sleep(4.9)
        assert scene.actors.signals == []
        assert await scene.ended() == 0
        assert scene.lines[4:] == [
            "SIGINT_RECEIVED",
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_FORCE_TERMINATING",
            "FORCE_SHUTDOWN_TIMEOUT",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]
        assert scene.actors.signals == ["TERM"]


async def test_what_ignores_sigterm_is_killed_after_five_seconds(stage: Callable) -> None:
    async with stage() as scene:
        scene.actors.stubborn.add("two")
        await scene.started()
        scene.life.interrupt()
        await asyncio.sleep(4.9)
        assert scene.actors.signals == ["TERM"]
        assert await scene.ended() == 0
        assert scene.actors.signals == ["TERM", "KILL"]


@pytest.mark.parametrize("status", [0, 3, -9])
async def test_any_exit_of_a_module_is_a_crash_and_ends_the_stack(
    stage: Callable, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage() as scene:
        await scene.started()
        scene.actors.end("one", status)
        assert await scene.ended() == 1
        assert scene.lines[4:] == [
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS",
            "MANAGER_FORCE_TERMINATING",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]
        said = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
        assert said == [f"module one:Demo ended by itself (exit status {status}): stopping all modules"]


@pytest.mark.parametrize("status", [0, 1])
async def test_the_last_module_crashes_without_force_and_never_clean(stage: Callable, status: int) -> None:
    async with stage("{one: {module: Demo}}") as scene:
        await scene.started()
        scene.actors.end("one", status)
        assert await scene.ended() == 1
        assert scene.lines[4:] == [
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]


async def test_a_crash_before_ready_ends_the_start(stage: Callable) -> None:
    async with stage() as scene:
        scene.actors.silent.add("two")
        scene.begin()
        await asyncio.sleep(1)
        scene.actors.end("two", 1)
        assert await scene.ended() == 1
        assert "MANAGER_RUNNING" not in scene.lines
        assert scene.broker.retained == {}


async def test_crash_recovery_starts_all_modules_again_with_new_metadata(stage: Callable) -> None:
    async with stage(recover_module_crashes=True) as scene:
        await scene.started()
        scene.messages.clear()
        scene.actors.end("one", 1)
        await asyncio.sleep(1)
        assert scene.lines[4:] == [
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS",
            "MANAGER_FORCE_TERMINATING",
            "MANAGER_SHUTDOWN_FINALIZING",
            "CRASH_RECOVERY_ATTEMPT:1/3",
            *STARTED[1:],
        ]
        assert scene.actors.starts == ["one", "two"] * 2
        assert "everest/interfaces" in scene.topics()
        assert "everest/ready" in scene.topics()


async def test_the_fourth_crash_is_not_recovered(stage: Callable) -> None:
    async with stage("{one: {module: Demo}}", recover_module_crashes=True) as scene:
        await scene.started()
        for _ in range(4):
            scene.actors.end("one", 1)
            await asyncio.sleep(1)
        assert await scene.ended() == 1
        assert scene.lines[-2:] == ["CRASH_RECOVERY_EXHAUSTED", "MANAGER_EXITING"]
        assert [line for line in scene.lines if "ATTEMPT" in line] == [
            f"CRASH_RECOVERY_ATTEMPT:{attempt}/3" for attempt in (1, 2, 3)
        ]


async def test_a_signal_while_a_crash_is_cleared_up_cancels_recovery_with_status_1(stage: Callable) -> None:
    async with stage(recover_module_crashes=True) as scene:
        scene.actors.stubborn.add("two")
        await scene.started()
        scene.actors.end("one", 1)
        await asyncio.sleep(2)
        scene.life.interrupt()
        assert await scene.ended() == 1
        assert not [line for line in scene.lines if "RECOVERY" in line]


async def test_a_signal_right_after_a_crash_does_not_turn_it_into_an_ordered_stop(stage: Callable) -> None:
    async with stage() as scene:
        await scene.started()
        scene.actors.end("one", 1)
        await asyncio.sleep(0.1)
        scene.life.interrupt()
        assert await scene.ended() == 1
        assert "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS" in scene.lines


async def test_standalone_modules_are_announced_and_waited_for(stage: Callable) -> None:
    async with stage("{one: {module: Demo}, probe: {module: Demo, standalone: true}}") as scene:
        scene.begin()
        await asyncio.sleep(1)
        assert scene.actors.starts == ["one"]
        assert scene.lines[2:] == ["WAITING_FOR_STANDALONE_MODULES"]
        scene.actors.report_ready("probe")
        await asyncio.sleep(1)
        assert scene.lines[2:] == ["WAITING_FOR_STANDALONE_MODULES", "MANAGER_RUNNING", "ALL_MODULES_STARTED"]


async def test_ignored_modules_are_neither_started_nor_waited_for_but_distributed(stage: Callable) -> None:
    async with stage(ignore=frozenset({"two", "unknown"})) as scene:
        await scene.started()
        assert scene.actors.starts == ["one"]
        names = next(message for message in scene.messages if message.topic == "everest/module_names")
        assert json.loads(names.payload)["data"] == {"one": "Demo", "two": "Demo"}


async def test_a_late_ready_under_retain_topics_repeats_global_ready(stage: Callable) -> None:
    async with stage(retain_topics=True) as scene:
        await scene.started()
        assert "everest/interfaces" in scene.broker.retained
        scene.actors.report_ready("two")
        await asyncio.sleep(1)
        assert scene.topics().count("everest/ready") == 2
        assert scene.lines == [*STARTED, "ALL_MODULES_STARTED"]
        scene.life.interrupt()
        await scene.ended()
        assert scene.broker.retained == {}


async def test_a_stop_with_nothing_running_just_exits(stage: Callable) -> None:
    async with stage("{probe: {module: Demo, standalone: true}}") as scene:
        scene.begin()
        await asyncio.sleep(1)
        scene.life.interrupt()
        assert await scene.ended() == 0
        assert scene.lines[2:] == ["SIGINT_RECEIVED", "MANAGER_EXITING"]
        assert "everest/interfaces" in scene.broker.retained


async def test_a_stop_before_the_last_ready_suppresses_running(stage: Callable) -> None:
    async with stage() as scene:
        scene.actors.silent.add("two")
        scene.actors.stubborn.add("two")
        scene.begin()
        await asyncio.sleep(1)
        scene.life.interrupt()
        scene.actors.report_ready("two")
        assert await scene.ended() == 0
        assert "MANAGER_RUNNING" not in scene.lines
        assert "everest/ready" not in scene.topics()


async def test_losing_the_broker_ends_the_stack_with_one_reason(stage: Callable) -> None:
    async with stage() as scene:
        await scene.started()
        scene.transport.lose()
        with pytest.raises(BrokerError, match="lost the connection"):
            await scene.ended()
        assert scene.actors.alive() == []


async def test_a_module_that_notices_the_lost_broker_first_is_not_blamed(stage: Callable) -> None:
    async with stage() as scene:
        await scene.started()
        scene.actors.end("one", 1)
        await asyncio.sleep(0.1)
        scene.transport.lose()
        with pytest.raises(BrokerError):
            await scene.ended()
        assert "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS" not in scene.lines


async def test_a_module_without_program_stops_the_start_before_anything_runs(stage: Callable, tmp_path: Path) -> None:
    async with stage() as scene:
        scene.actors.prepare = lambda module, manifest: (_ for _ in ()).throw(BootError("no program"))
        scene.begin()
        with pytest.raises(BootError, match="no program"):
            await scene.ended()
        assert scene.actors.starts == []


async def test_malformed_messages_are_logged_once_and_survived(
    stage: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage("{one: {module: Demo}}") as scene:
        scene.actors.silent.add("one")
        scene.begin()
        await asyncio.sleep(1)
        for _ in range(2):
            for payload in (b"", b"{", b"[]", b'{"msg_type":"Nonsense"}', b'{"msg_type":"ModuleReady"}'):
                scene.broker.publish("everest/modules/one/ready", payload)
                scene.broker.publish("everest/config/request", payload)
            scene.broker.publish("everest/config/request", b'{"msg_type":"ConfigurationRequest","data":{"origin":1}}')
        scene.actors.report_ready("one")
        await asyncio.wait_for(scene.life.started.wait(), 5)
        dropped = [record.getMessage() for record in caplog.records if "malformed" in record.getMessage()]
        assert len(dropped) == len(set(dropped)) >= 5


async def test_a_hostile_flood_of_different_garbage_fills_neither_memory_nor_log(
    stage: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage("{one: {module: Demo}}") as scene:
        await scene.started()
        for number in range(5000):
            scene.broker.publish("everest/config/request", b'{"msg_type":"Nonsense%d"}' % number)
        await asyncio.sleep(1)
        assert "further ones stay unlogged" in caplog.records[-1].getMessage()
        assert len(caplog.records) < 2100
