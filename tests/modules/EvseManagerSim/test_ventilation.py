"""Cars that ask for ventilation while they charge (state D), where there is some and where there is none."""

from __future__ import annotations

import asyncio

import pytest

from modules.EvseManagerSim.car import Car, CarConfig
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger

virtual = pytest.mark.looptime

CAR = "sleep 1;need_ventilation;iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 36000"
ERROR = "evse_board_support/VentilationNotAvailable"


@virtual
async def test_where_there_is_ventilation_the_car_charges_in_state_d() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in(CAR)
        await charger.swipe()
        await asyncio.sleep(10)
        assert charger.kinds() == TO_CHARGING
        assert charger.board_events() == ["A", "B", "D", "PowerOn"]
        assert charger.readings()[-1]["current_A"]["L3"] == pytest.approx(16.0, rel=0.02)
        charger.car("pause;sleep 36000", modify=True)
        await asyncio.sleep(2)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV"]


@virtual
async def test_where_there_is_none_the_evse_is_inoperative_until_the_car_is_gone() -> None:
    async with Charger(has_ventilation=False) as charger:
        await asyncio.sleep(1)
        await charger.plug_in(CAR)
        await charger.swipe()
        await asyncio.sleep(10)
        assert charger.kinds()[3:] == [
            "TransactionStarted",
            "PrepareCharging",
            "StoppingCharging",
            "ChargingPausedEVSE",
        ]
        (raised,) = charger.errors("evse_board_support")
        assert (raised.type, raised.severity) == (ERROR, "High")
        assert "ventilation" in raised.message
        assert [error.message for error in charger.errors("evse")] == [ERROR]
        assert "ErrorVentilationNotAvailable" in charger.published("board_support", "event")
        assert "PowerOn" not in charger.board_events()
        assert charger.energy() == 0.0
        await charger.unplug()
        assert charger.errors("evse_board_support") == charger.errors("evse") == []
        assert charger.kinds()[-1] == "SessionFinished"
        await charger.charge(1)  # the next car needs none
        assert charger.kinds()[-6:] == TO_CHARGING


@virtual
async def test_a_car_that_begins_to_ask_for_it_while_charging_loses_its_power() -> None:
    async with Charger(has_ventilation=False) as charger:
        await charger.charge(5)
        charger.car("need_ventilation;draw_power_regulated 16,3;sleep 36000", modify=True)
        await asyncio.sleep(1)
        assert charger.board_events()[-2:] != ["C", "PowerOn"]
        assert "PowerOff" in charger.board_events()
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["Error"]}


@virtual
async def test_a_car_is_asked_about_ventilation_until_it_is_unplugged_by_whatever_list() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in(
            "need_ventilation;sleep 1;draw_power_fixed 16,3;sleep 2;unplug;sleep 1;draw_power_fixed 16,3"
        )
        await asyncio.sleep(6)
        assert [letter for letter in charger.board_events() if letter in "ABCD"] == ["A", "D", "A", "C"]
        charger.car("need_ventilation;sleep 1;pause;sleep 9", modify=True)
        await asyncio.sleep(3)
        charger.car("unplug;sleep 1", modify=True)
        await asyncio.sleep(3)
        await charger.plug_in("sleep 1;draw_power_fixed 16,3;sleep 9")
        assert charger.board_events()[-1] == "C"


def test_a_new_car_needs_no_ventilation() -> None:
    one = Car(CarConfig())
    one.enable(True)
    one.execute("need_ventilation;draw_power_fixed 16,3")
    one.tick(0.0, None)
    assert (one.control_pilot, one.running) == ("D", False)
    one.execute("sleep 0.25;draw_power_fixed 16,3;sleep 9")
    shown = []
    for tick in range(3):
        one.tick(1.0 + tick * 0.25, None)
        shown.append(one.control_pilot)
    assert shown == ["A", "C", "C"]
