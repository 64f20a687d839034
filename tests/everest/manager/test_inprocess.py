"""Modules as tasks of one process: the same start, the same end, in virtual time on the in-memory bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everest.manager.bus import ManagerBus
from everest.manager.fifo import StatusFifo
from everest.manager.inprocess import TaskLauncher
from everest.manager.lifecycle import Lifecycle, LifecycleOptions
from everest.runtime.memory import MemoryBroker, Published
from tests.everest.manager.house import DEMO, House

pytestmark = pytest.mark.looptime

SLEEPY = """
import asyncio
from everest.runtime import Implementation, Module


class Thing(Module):
    def __init__(self, context):
        super().__init__(context)
        self.provide("main", Main())

    async def ready(self):
        await asyncio.sleep(self.config["hours"] * 3600)
        {then}

    async def shutdown(self):
        self.mqtt_publish("farewell", self.info.id)


class Main(Implementation):
    interface = "demo"
    commands = {{}}
    variables = {{}}
    errors = ()
"""
HOURS = DEMO + "config: {hours: {type: integer, description: Hours to sleep, default: 8}}\n"


class Scene:
    def __init__(self, house: House, options: LifecycleOptions) -> None:
        stack = house.load(house.root / "etc/everest/config.yaml")
        self.broker = MemoryBroker()
        self.messages: list[Published] = []
        self.broker.watch(self.messages.append)
        self.launcher = TaskLauncher(stack.settings, self.broker.transport)
        bus = ManagerBus(self.broker.transport(), "everest/")
        self.life = Lifecycle(stack, bus, self.launcher, fifo=StatusFifo(), options=options)
        self.task = asyncio.create_task(self.life.run())

    async def started(self) -> None:
        await asyncio.wait_for(self.life.started.wait(), 60)

    def published(self, topic: str) -> list[str]:
        return [message.payload.decode() for message in self.messages if message.topic == topic]


@pytest.fixture
def stage(tmp_path: Path) -> Callable:
    house = House(tmp_path / "prefix")
    house.config("active_modules: {one: {module: Sleepy}, two: {module: Sleepy, config_module: {hours: 9}}}\n")

    @asynccontextmanager
    async def scene(then: str = "pass", **options: bool) -> AsyncIterator[Scene]:
        house.module("Sleepy", HOURS, SLEEPY.format(then=then))
        scene = Scene(house, LifecycleOptions(**options))
        try:
            yield scene
        finally:
            scene.life.stop()
            await asyncio.wait_for(asyncio.gather(scene.task, return_exceptions=True), 60)

    return scene


def module_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().endswith(":Sleepy")]


async def test_modules_get_ready_as_tasks_and_none_is_left_after_the_stop(stage: Callable) -> None:
    async with stage() as scene:
        await scene.started()
        assert sorted(module_tasks()) == ["one:Sleepy", "two:Sleepy"]
        scene.life.interrupt()
        assert await scene.task == 0
        assert module_tasks() == []


async def test_a_handler_that_raises_ends_the_stack_with_status_1(stage: Callable) -> None:
    async with stage('raise RuntimeError("bad dream")') as scene:
        await scene.started()
        began = asyncio.get_running_loop().time()
        assert await scene.task == 1
        assert asyncio.get_running_loop().time() - began == pytest.approx(8 * 3600, abs=10)
        assert module_tasks() == []


async def test_a_module_that_exits_with_status_0_ends_the_stack_too(stage: Callable) -> None:
    async with stage("self.request_exit(0)") as scene:
        await scene.started()
        assert await scene.task == 1


async def test_crashed_tasks_are_recovered_like_processes(stage: Callable) -> None:
    async with stage("self.request_exit(1)", recover_module_crashes=True) as scene:
        await scene.started()
        assert await scene.task == 1
        assert len(scene.published("everest/ready")) == 4


async def test_a_graceful_stop_lets_modules_say_farewell(stage: Callable) -> None:
    async with stage(graceful_shutdown=True) as scene:
        await scene.started()
        scene.life.interrupt()
        assert await scene.task == 0
        assert sorted(scene.published("farewell")) == ["one", "two"]
