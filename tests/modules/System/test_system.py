"""Reset, boot reason, and the commands of one line (station 5.1, 5.5)."""

import asyncio
from typing import Any

import pytest

from everest.runtime import HandlerException
from tests.modules.System.bench import System

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("type", ["Soft", "Hard", "NotSpecified"])
async def test_reset_answers_at_once_keeps_the_reason_and_ends_the_module(type: str) -> None:
    async with System() as system:
        assert await system.call("main", "is_reset_allowed", {"type": type}) is True
        assert await system.call("main", "reset", {"type": type, "scheduled": False}) is None
        assert await system.ended() == 0
        assert system.stored == {"ocpp_boot_reason": "RemoteReset"}


async def test_the_reset_waits_for_its_delay() -> None:
    async with System(ResetDelay=30) as system:
        await system.call("main", "reset", {"type": "Soft", "scheduled": True})
        ended = asyncio.create_task(system.ended(timeout=60))
        await asyncio.sleep(29)
        assert not ended.done()
        assert system.stored == {"ocpp_boot_reason": "RemoteReset"}
        await asyncio.sleep(2)
        assert ended.done()


async def test_a_reset_does_not_hide_a_firmware_update() -> None:
    async with System() as system:
        system.stored["ocpp_boot_reason"] = "FirmwareUpdate"
        await system.call("main", "reset", {"type": "Soft", "scheduled": False})
        await system.ended()
        assert system.stored == {"ocpp_boot_reason": "FirmwareUpdate"}


async def test_a_store_that_fails_does_not_keep_the_reset_back(caplog: pytest.LogCaptureFixture) -> None:
    def fail(args: dict[str, Any]) -> None:
        raise HandlerException("disk full")

    async with System() as system:
        system.answer("store/main", "exists", fail)
        await system.call("main", "reset", {"type": "Soft", "scheduled": False})
        assert await system.ended() == 0
        assert "boot reason RemoteReset not stored" in caplog.text


async def test_a_store_that_says_nothing_keeps_neither_reset_nor_start_back(caplog: pytest.LogCaptureFixture) -> None:
    async with System() as system:
        for command in ("exists", "load"):
            system.answer("store/main", command, lambda args: asyncio.sleep(3600))
        assert await system.call("main", "get_boot_reason", timeout=11) == "PowerUp"
        assert "boot reason not loaded: TimeoutError: no answer for 10 s" in caplog.messages
        await system.call("main", "reset", {"type": "Soft", "scheduled": False})
        assert await system.ended(timeout=11) == 0
        assert "boot reason RemoteReset not stored: TimeoutError: no answer for 10 s" in caplog.messages


async def test_the_boot_reason_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with System() as system:
        system.stored["ocpp_boot_reason"] = "RemoteReset"
        assert await system.call("main", "get_boot_reason") == "RemoteReset"
        assert await system.call("main", "get_boot_reason") == "PowerUp"
        assert caplog.messages == []


async def test_a_boot_reason_that_cannot_be_forgotten_is_told_all_the_same() -> None:
    def fail(args: dict[str, Any]) -> None:
        raise HandlerException("disk full")

    async with System() as system:
        system.stored["ocpp_boot_reason"] = "RemoteReset"
        system.answer("store/main", "delete", fail)
        assert await system.call("main", "get_boot_reason") == "RemoteReset"
        system.answer("store/main", "load", fail)
        assert await system.call("main", "get_boot_reason") == "PowerUp"


@pytest.mark.parametrize("value", ["Nonsense", 7, ["PowerUp"]])
async def test_a_boot_reason_that_is_none_is_power_up(value: Any) -> None:
    async with System() as system:
        system.stored["ocpp_boot_reason"] = value
        assert await system.call("main", "get_boot_reason") == "PowerUp"
        assert system.stored == {}


async def test_without_a_store_every_start_is_power_up() -> None:
    async with System(store=False) as system:
        assert await system.call("main", "get_boot_reason") == "PowerUp"
        await system.call("main", "reset", {"type": "Soft", "scheduled": False})
        assert await system.ended() == 0


async def test_the_clock_belongs_to_the_machine_and_the_network_too() -> None:
    async with System() as system:
        assert await system.call("main", "set_system_time", {"timestamp": "2026-01-05T10:00:00.000Z"}) is True
        assert await system.call("main", "allow_firmware_installation") is None
        request = {"request_id": 1, "interface": "Wired0"}
        assert await system.call("main", "configure_network", {"request": request}) == {"status": "NotSupported"}


async def test_nothing_is_published_at_start() -> None:
    async with System() as system:
        await asyncio.sleep(100)
        assert system.published("main", "firmware_update_status") == []
        assert system.published("main", "log_status") == []
