"""Idle: no modules run, requests are answered, a signal ends it (bus 2.6, 2.7, 2.9)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from everest.manager.errors import BrokerError, ConfigError, ManagerError
from everest.manager.model import Stack
from tests.everest.manager.test_lifecycle import STARTED, stage

__all__ = ["stage"]

pytestmark = pytest.mark.looptime


class BrokenSlot:
    """A slot whose configuration cannot be read any more."""

    def store(self, module_id: str, scope: str, name: str, value: object) -> None:
        raise AssertionError

    def reload(self) -> Stack:
        raise ConfigError([])


async def idle(scene: object) -> None:
    scene.begin()  # type: ignore[attr-defined]
    while "MANAGER_IDLE" not in scene.lines:  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)


async def test_into_idle_starts_nothing_and_a_signal_ends_it(stage: Callable) -> None:
    async with stage(into_idle=True) as scene:
        await idle(scene)
        await asyncio.sleep(3600)
        assert scene.actors.starts == [] and scene.topics() == []
        scene.life.interrupt()
        assert await scene.ended() == 0
        assert scene.lines == ["MANAGER_INITIALIZING", "MANAGER_IDLE", "SIGINT_RECEIVED", "MANAGER_EXITING"]


async def test_a_manager_that_idles_answers_and_stores_for_the_next_start(stage: Callable) -> None:
    async with stage(into_idle=True) as scene:
        await idle(scene)
        for kind, request in (
            ("Get", {"type": "Module"}),
            ("Set", {"identifier": {"module_id": "one", "configuration_parameter_name": "x"}, "value": "1"}),
        ):
            data = {"type": kind, "origin": "one", "request": request}
            scene.broker.publish(
                "everest/config/request", json.dumps({"msg_type": "ConfigurationRequest", "data": data}).encode()
            )
            await asyncio.sleep(1)
        first, second = [
            json.loads(message.payload)["data"] for message in scene.messages if message.topic.endswith("one/response")
        ]
        assert first["response"]["data"]["module_config"]["module_id"] == "one"
        assert second["status_info"] == "there is no parameter one/!module/x"


async def test_without_modules_idle_on_failure_idles(stage: Callable) -> None:
    async with stage("{}", idle_on_failure=True) as scene:
        await idle(scene)
        scene.life.interrupt()
        assert await scene.ended() == 0
        assert scene.lines == ["MANAGER_INITIALIZING", "MANAGER_IDLE", "SIGINT_RECEIVED", "MANAGER_EXITING"]


async def test_exhausted_recovery_idles_if_told_so(stage: Callable) -> None:
    async with stage(recover_module_crashes=True, idle_on_failure=True) as scene:
        scene.begin()
        for _ in range(4):
            await asyncio.wait_for(scene.life.started.wait(), 5)
            scene.life.started.clear()
            scene.actors.end("one", 1)
            await asyncio.sleep(1)
        assert scene.lines[-3:] == ["MANAGER_SHUTDOWN_FINALIZING", "CRASH_RECOVERY_EXHAUSTED", "MANAGER_IDLE"]
        assert scene.actors.alive() == []
        scene.life.interrupt()
        assert await scene.ended() == 0


@pytest.mark.parametrize("stays", [True, False])
async def test_a_configuration_that_cannot_be_reloaded_idles_or_ends(
    stage: Callable, stays: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(recover_module_crashes=True, idle_on_failure=stays) as scene:
        scene.life._slot = BrokenSlot()
        await scene.started()
        scene.actors.end("one", 1)
        if stays:
            await asyncio.sleep(1)
            assert scene.lines[-2:] == ["CRASH_RECOVERY_ATTEMPT:1/3", "MANAGER_IDLE"]
            assert "everest-manager: 0 problems found" in capsys.readouterr().err
            scene.life.interrupt()
            assert await scene.ended() == 0
        else:
            with pytest.raises(ManagerError):
                await scene.ended()
            assert scene.lines[-2:] == ["CRASH_RECOVERY_ATTEMPT:1/3", "MANAGER_EXITING"]


async def test_a_lost_broker_ends_idling_too(stage: Callable) -> None:
    async with stage(into_idle=True) as scene:
        await idle(scene)
        scene.transport.lose()
        with pytest.raises(BrokerError, match="lost the connection"):
            await scene.ended()


async def test_a_plain_start_never_idles(stage: Callable, tmp_path: Path) -> None:
    async with stage(idle_on_failure=True) as scene:
        await scene.started()
        assert scene.lines == STARTED
