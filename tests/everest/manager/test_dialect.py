"""Dialect A, that of 2026.02 and older: other words for configuration, no shutdown, no run-time changes (bus 8)."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from everest.manager import cli
from everest.manager.bus import ManagerBus
from everest.manager.errors import ConfigError
from everest.manager.fifo import StatusFifo
from everest.manager.lifecycle import Lifecycle, LifecycleOptions
from everest.runtime import Dialect
from everest.runtime.memory import MemoryBroker, Published
from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess
from tests.everest.manager.test_lifecycle import Actors
from tests.everest.manager.test_run import ALONE
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

LIVE = "config: {live: {type: string, description: A text, default: old, mutability: ReadWrite}}\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.module("Demo", DEMO + LIVE)
    house.config("active_modules: {one: {module: Demo, capabilities: [cap_net_raw, cap_sys_time]}}\n", "default")
    return house


class Talk:
    """A running stack of actors in dialect A, and all that was said."""

    def __init__(self, house: House, **options: Any) -> None:
        stack = house.load(house.root / "etc/everest/default.yaml", dialect=Dialect.A)
        self.broker = MemoryBroker()
        self.messages: list[Published] = []
        self.broker.watch(self.messages.append)
        self.actors = Actors(self.broker)
        bus = ManagerBus(self.broker.transport(), "everest/", dialect=Dialect.A)
        self.life = Lifecycle(stack, bus, self.actors, fifo=StatusFifo(), options=LifecycleOptions(**options))

    async def __aenter__(self) -> Talk:
        self.task = asyncio.create_task(self.life.run())
        await asyncio.wait_for(self.life.started.wait(), 5)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.life.interrupt()
        assert await asyncio.wait_for(self.task, 60) == 0

    async def ask(self, request: Any, kind: str = "Get") -> Any:
        data = {"type": kind, "origin": "one", "request": request}
        self.broker.publish("everest/config/request", json.dumps({"msg_type": "GetConfig", "data": data}).encode())
        await asyncio.sleep(30)
        (answer,) = [message for message in self.messages if message.topic == "everest/modules/one/response"]
        return json.loads(answer.payload)


@pytest.mark.looptime
async def test_metadata_and_answers_use_the_words_of_dialect_a(house: House) -> None:
    async with Talk(house) as talk:
        answer = await talk.ask({"type": "Module"})
        kinds = {json.loads(message.payload)["msg_type"] for message in talk.messages if message.payload}
    assert answer["msg_type"] == "GetConfigResponse"
    assert answer["data"]["response"]["data"]["module_config"]["capabilities"] == ["cap_net_raw", "cap_sys_time"]
    assert kinds == {"GetConfig", "GetConfigResponse", "ModuleReady", "GlobalReady"}


@pytest.mark.looptime
async def test_a_set_is_stored_for_the_next_start_and_never_handed_to_the_module(house: House) -> None:
    identifier = {"module_id": "one", "configuration_parameter_name": "live"}
    async with Talk(house) as talk:
        answer = await talk.ask({"identifier": identifier, "value": "new"}, "Set")
        assert not [message for message in talk.messages if message.topic.endswith("set_request")]
    data = answer["data"]
    assert (data["status"], data["response"]) == ("Ok", {"status": "RebootRequired"})
    stored = json.loads((house.root / "etc/everest/user-config/default.yaml").read_text(encoding="utf-8"))
    assert stored == {"active_modules": {"one": {"config_module": {"live": "new"}}}}


@pytest.mark.looptime
async def test_there_is_no_shutdown_message(house: House) -> None:
    async with Talk(house, graceful_shutdown=True) as talk:
        pass
    assert talk.actors.signals[:1] == ["TERM"]
    assert "everest/shutdown" not in [message.topic for message in talk.messages]


def test_a_config_without_active_modules_is_a_mistake(house: House) -> None:
    config = house.config("settings: {validate_schema: false}\n", "none")
    assert house.load(config).modules == {}
    with pytest.raises(ConfigError, match='"active_modules" is missing'):
        house.load(config, dialect=Dialect.A)


def test_flags_that_dialect_a_does_not_know_are_warned_about(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prefix", str(house.root), "--dialect", "A", "--graceful-shutdown", "--check", "--config", "default"]
    assert cli.main(words) == 0
    assert "--graceful-shutdown has no effect in dialect A" in capsys.readouterr().err


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
@pytest.mark.parametrize(
    "words", [("--dialect", "A"), ("run", "--dialect", "A"), ("run", "--dialect", "A", "--in-process")]
)
def test_our_modules_start_under_dialect_a(
    house: House, tmp_path: Path, mosquitto: Mosquitto, words: tuple[str, ...]
) -> None:
    house.config("active_modules: {one: {module: Demo}, two: {module: Demo}}\n", "default")
    environment = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    more = ("--state-dir", str(tmp_path / "state")) if words[0] == "run" else ()
    command = (sys.executable, "-c", ALONE) if words[0] == "run" else (sys.executable, "-m", "everest.manager")
    arguments = (*words, "--prefix", str(house.root), *more)
    with ManagerProcess(tmp_path, *arguments, environment=environment, command=command) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        process.signal()
        assert process.ended() == 0
