"""Every car command with every kind of nonsense: the module goes on, and what it publishes is sound by its schema."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modules.EvseManagerSim.commands import FORMS, ISO_FORMS
from tests.modules.EvseManagerSim.charger import Charger
from tests.modules.EvseManagerSim.test_configuration import CAR, MODES, assert_sound

pytestmark = pytest.mark.looptime

NONSENSE = (
    "nan", "inf", "-inf", "1e400", "1e308", "-1", "5e-324", "9" * 5000, "", "  ", "1 2 3 4 5", "1000,3", "nan,3",
    "ac nan nan", "ac 1e400 0", "ac 3600 1e400", "dc contract 99999999999999 0", "ac contract 4294967295 32767000",
    "\u00bd", "\u0661", "\U0001f697", "\0", "%s %d", "1 " * 2000,
)  # fmt: skip


def hostile(mode: str) -> list[str]:
    """All commands that the car knows with all nonsense."""
    commands = {**FORMS, **(ISO_FORMS if mode != "AC" else {})}
    return [f"{name} {text}" for name in commands for text in NONSENSE]


@pytest.mark.parametrize("mode", MODES)
async def test_no_car_command_ends_the_module_or_spoils_the_bus(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    config: dict[str, Any] = {**MODES[mode], "plugin_commands": "pause"}
    async with Charger(strict=True, **config) as charger:
        await asyncio.sleep(1)
        for number, command in enumerate(hostile(mode)):
            if number % 120 == 0:
                charger.car(f"unplug;sleep 0.5;{CAR[mode]}", modify=True)
                await asyncio.sleep(3)
                await charger.swipe()
                await asyncio.sleep(2)
            charger.car(command, modify=True)
            charger.car(command)
            await asyncio.sleep(0.25)
        before = len(charger.readings())
        await asyncio.sleep(2)
        assert len(charger.readings()) > before
        assert charger.kinds().count("TransactionStarted") > 1
        for (implementation, name), values in charger._published.items():
            assert_sound(values, f"{implementation}/{name}")
        assert max(len(message) for message in caplog.messages) < 1000
