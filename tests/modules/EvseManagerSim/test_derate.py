"""Lowering a DC EVSE from outside (dc_external_derate): it shows in the meter, and the plug's warmth on the bus."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modules.EvseManagerSim.derate import PlugTemperature
from tests.modules.EvseManagerSim.charger import Charger

virtual = pytest.mark.looptime
DC: dict[str, Any] = {"charge_mode": "DC", "dc_target_current": 40, "dc_target_voltage": 400, "soc": 50, "noise": False}
SESSION = "sleep 1;iso_wait_slac_matched;iso_start_v2g_session DC externalpayment;iso_wait_pwr_ready;sleep 3600"


def test_the_plug_does_not_melt() -> None:
    plug = PlugTemperature(25.0)
    plug.step(10_000.0, 1e6)
    assert plug.value_C == pytest.approx(150.0)


class Derated(Charger):
    async def begin(self) -> None:
        await asyncio.sleep(1)
        self.car(SESSION)
        await asyncio.sleep(3)
        await self.swipe()
        await asyncio.sleep(20)

    async def derate(self, **limits: float) -> None:
        await self.call("dc_external_derate", "set_external_derating", {"derate": limits})
        await asyncio.sleep(5)

    @property
    def dc(self) -> tuple[float, float]:
        reading = self.readings()[-1]
        return reading["current_A"]["DC"], reading["power_W"]["total"]


@virtual
async def test_current_and_power_are_lowered_and_given_back() -> None:
    async with Derated(**DC) as charger:
        await charger.begin()
        assert charger.dc[0] == pytest.approx(40.0, abs=0.1)
        await charger.derate(max_export_current_A=25.0)
        assert charger.dc[0] == pytest.approx(25.0, abs=0.1)
        await charger.derate(max_export_power_W=5000.0)
        assert charger.dc[1] == pytest.approx(5000.0, rel=0.01)
        await charger.derate()
        assert charger.dc[0] == pytest.approx(40.0, abs=0.1)
        assert charger.kinds()[-1] == "ChargingStarted"


@virtual
async def test_the_plug_gets_warm_with_the_current() -> None:
    async with Derated(**{**DC, "dc_target_current": 55}) as charger:
        await charger.begin()
        await asyncio.sleep(600)
        told: list[float] = charger.published("dc_external_derate", "plug_temperature_C")
        assert told[-1] > told[0] + 1.0


def test_the_plug_s_warmth_follows_the_square_of_the_current() -> None:
    plugs = [PlugTemperature(20.0), PlugTemperature(20.0)]
    for plug, amps in zip(plugs, (100.0, 200.0), strict=True):
        plug.step(amps, 3600.0)
    assert [round(plug.value_C, 1) for plug in plugs] == [30.0, 60.0]


@virtual
@pytest.mark.parametrize(
    ("config", "limits", "said"),
    [
        (DC, {"max_export_current_A": -1.0}, "refused: limits are not negative"),
        (DC, {"max_import_power_W": 10.0}, "energy flows to the car only"),
        ({}, {"max_export_current_A": 1.0}, "this EVSE charges with AC"),
    ],
)
async def test_what_cannot_have_an_effect_is_said(
    config: dict[str, Any], limits: dict[str, float], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with Derated(**config) as charger:
        await charger.derate(**limits)
        assert said in caplog.text
