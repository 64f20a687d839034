"""How long things take, and what comes before what across the bus (station 2.4, 2.7, 8.7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, Charger

pytestmark = pytest.mark.looptime

SLACK_S = 0.3
LAZY = "sleep 1;iec_wait_pwr_ready;sleep 36000"


class Timed(Charger):
    """Notes when what was said: session events by name, letters of the board, errors by type."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.said: list[tuple[float, str]] = []

    def _note(self, envelope: Any) -> None:
        super()._note(envelope)
        _, _, what = envelope.topic.partition("/impl/")
        name = {
            "evse/var/session_event": lambda: self.events()[-1]["event"],
            "evse_board_support/var/event": lambda: self.board_events()[-1],
        }.get(what, lambda: what.partition("/error/")[2])()
        if name:
            self.said.append((asyncio.get_running_loop().time(), name))

    def names(self) -> list[str]:
        return [name for _, name in self.said]

    def at(self, name: str, number: int = 0) -> float:
        return [t for t, known in self.said if known == name][number]

    def between(self, first: str, then: str, *, first_number: int = -1, then_number: int = -1) -> float:
        return self.at(then, then_number) - self.at(first, first_number)


async def test_the_wake_up_of_a_lazy_car_takes_its_times() -> None:
    async with Timed() as charger:
        await asyncio.sleep(1)
        await charger.plug_in(LAZY)
        await charger.swipe()
        await asyncio.sleep(60)
        began = charger.at("PrepareCharging")
        assert charger.at("F") - began == pytest.approx(30.0, abs=SLACK_S)
        assert charger.between("F", "B") == pytest.approx(4.0, abs=SLACK_S)
        assert charger.between("F", "PrepareCharging") == pytest.approx(4.75, abs=SLACK_S)
        assert charger.between("PrepareCharging", "ChargingPausedEV") == pytest.approx(10.0, abs=SLACK_S)


async def test_each_session_has_its_own_wake_up() -> None:
    async with Timed() as charger:
        for number in (1, 2):
            await asyncio.sleep(1)
            await charger.plug_in(LAZY)
            await charger.swipe()
            await asyncio.sleep(60)
            assert charger.names().count("F") == number
            await charger.unplug()


async def test_a_car_that_stays_in_c_keeps_the_contactor_for_six_seconds() -> None:
    async with Timed() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_fixed 16,3;sleep 36000")
        await charger.swipe()
        await asyncio.sleep(5)
        await charger.call("evse", "stop_transaction", {"request": {"reason": "Local"}})
        await asyncio.sleep(10)
        assert charger.between("StoppingCharging", "PowerOff") == pytest.approx(6.0, abs=SLACK_S)
        assert charger.between("StoppingCharging", "TransactionFinished") == pytest.approx(6.0, abs=SLACK_S)


@pytest.mark.parametrize(("config", "seconds"), [({}, 10.0), ({"switch_3ph1ph_delay_s": 4}, 4.0)])
@pytest.mark.parametrize("cp_state", ["X1", "F"])
async def test_the_pause_of_a_phase_switch_is_the_configured_one(
    config: dict[str, Any], seconds: float, cp_state: str
) -> None:
    async with Timed(switch_3ph1ph_cp_state=cp_state, **config) as charger:
        await charger.charge(5)
        charger.external(f"{NODERED}cmd/switch_three_phases_while_charging", "no")
        await asyncio.sleep(20)
        assert charger.between("SwitchingPhases", "PrepareCharging") == pytest.approx(seconds, abs=SLACK_S)
        assert ("F" in charger.names()) is (cp_state == "F")
        assert charger.published("evse", "limits")[-1]["nr_of_phases_available"] == 1


@pytest.mark.parametrize(("config", "seconds"), [({}, 0.3), ({"state_F_after_fault_ms": 2000}, 2.0)])
async def test_a_new_fault_shows_state_f_for_the_configured_time(config: dict[str, Any], seconds: float) -> None:
    async with Timed(**config) as charger:
        await charger.charge(5)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(5)
        shown = charger.at("B", -1) - charger.at("F", -1)
        assert shown == pytest.approx(seconds, abs=0.25)


@pytest.mark.parametrize(("config", "seconds"), [({}, 0.5), ({"sleep_before_enabling_pwm_hlc_mode_ms": 3000}, 3.0)])
async def test_a_car_is_invited_to_talk_after_the_configured_time(config: dict[str, Any], seconds: float) -> None:
    async with Timed(ac_hlc_enabled=True, **config) as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_pwm_is_running;diode_fail;sleep 99")
        await asyncio.sleep(6)
        assert charger.between("B", "evse_board_support/DiodeFault", first_number=0) == pytest.approx(
            seconds + 0.25, abs=SLACK_S
        )


async def test_pwm_follows_the_authorization_of_a_plugged_in_car_within_half_a_second() -> None:
    async with Timed() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 99")
        await charger.swipe()
        await asyncio.sleep(2)
        assert charger.between("Authorized", "ChargingStarted") < 0.5


async def test_an_error_comes_before_inoperative_and_that_before_the_session_events() -> None:
    async with Timed() as charger:
        await charger.charge(5)
        before = len(charger.said)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(2)
        names = [name for name in charger.names()[before:] if len(name) > 1 and name != "PowerOff"]
        assert names == [
            "evse_board_support/MREC6UnderVoltage",
            "evse_manager/Inoperative",
            "StoppingCharging",
            "ChargingPausedEVSE",
        ]
        assert charger.between("evse_board_support/MREC6UnderVoltage", "StoppingCharging") < 0.1
