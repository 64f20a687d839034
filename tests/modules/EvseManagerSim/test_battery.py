"""The car's battery: curve, taper, ramp, standby draw; DC and the commands of ISO 15118 as far as they show outside."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everest.trace.energy import Sample, balance
from modules.EvseManagerSim.battery import Battery, BatteryConfig
from modules.EvseManagerSim.car import Car, CarConfig
from modules.EvseManagerSim.commands import CommandSyntaxError, parse
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger

virtual = pytest.mark.looptime
ISO = (
    "sleep 1;iso_wait_slac_matched;iso_start_v2g_session {} externalpayment 86400 0;"
    "iso_wait_pwr_ready;{}iso_wait_for_stop 60;"
)
ISO_END = "iso_wait_v2g_session_stopped;unplug"


def battery(**config: float) -> Battery:
    return Battery(BatteryConfig(**config))


@pytest.mark.parametrize(
    ("soc", "watts"), [(0.0, 10000.0), (80.0, 10000.0), (90.0, 5100.0), (99.9999, 200.0), (100.0, 30.0)]
)
def test_the_curve_is_flat_up_to_the_taper_and_falls_to_the_end(soc: float, watts: float) -> None:
    pack = battery(soc_percent=soc, max_power_W=10000.0, standby_W=30.0)
    assert pack.power_limit_W == pytest.approx(watts, abs=0.1)
    assert pack.take(1000.0, 230.0, 1.0) == pytest.approx(watts / 230.0, abs=0.001)


def test_the_current_rises_along_the_ramp_and_falls_at_once() -> None:
    pack = battery(ramp_A_per_s=4.0)
    assert [pack.take(10.0, 690.0, 1.0) for _ in range(4)] == [4.0, 8.0, 10.0, 10.0]
    assert pack.take(6.0, 690.0, 1.0) == 6.0
    assert pack.take(0.0, 690.0, 1.0) == 0.0


def test_the_battery_fills_with_what_flowed_and_never_beyond_full() -> None:
    pack = battery(soc_percent=50.0, capacity_Wh=10000.0)
    pack.fill(2300.0, 3600.0)
    assert pack.soc_percent == pytest.approx(73.0)
    pack.fill(22000.0, 36000.0)
    assert pack.soc_percent == 100.0
    assert pack.full


def test_standby_draw_does_not_fill() -> None:
    pack = battery(standby_W=100.0)
    pack.fill(100.0, 36000.0)
    assert pack.soc_percent == 30.0


@given(offered=st.floats(0, 500), soc=st.floats(0, 100), volts=st.floats(100, 1000))
def test_never_more_than_offered_flows(offered: float, soc: float, volts: float) -> None:
    assert battery(soc_percent=soc, standby_W=50.0).take(offered, volts, 1.0) <= offered


def test_the_pack_s_voltage_rises_with_its_charge() -> None:
    voltages = [battery(soc_percent=soc).voltage_V for soc in (0.0, 50.0, 100.0)]
    assert voltages == sorted(voltages)
    assert voltages[-1] == 400.0


@pytest.mark.parametrize(("stops", "letter"), [(True, "B"), (False, "C")])
def test_a_full_car_asks_for_no_more_where_configured(stops: bool, letter: str) -> None:
    one = Car(CarConfig(stops_when_full=stops))
    one.enable(True)
    one.execute("draw_power_regulated 16,3;set_soc 100;sleep 9")
    one.tick(0.0, 26.7)
    assert one.control_pilot == letter


@virtual
async def test_charging_tapers_ends_by_itself_and_energy_adds_up() -> None:
    config = {"soc": 97, "dc_energy_capacity": 2000, "dc_max_power_limit": 11000, "noise": False}
    async with Charger(**config) as charger:
        await charger.charge(1)
        await charger.until(lambda: charger.kinds()[-1] == "ChargingPausedEV", timeout=3600, what="a full battery")
        readings = [reading for reading in charger.readings() if reading["power_W"]["total"] > 0]
        powers = [reading["power_W"]["total"] for reading in readings][2:]
        assert all(later <= earlier for earlier, later in pairwise(powers))
        assert powers[-1] < 0.2 * powers[0]
        assert charger.energy() == pytest.approx(60.0, rel=0.05)  # 3 % of 2 kWh
        assert charger.published("ev_manager", "ev_info")[-1]["soc"] == pytest.approx(100.0, abs=0.01)


@virtual
async def test_our_own_readings_pass_the_energy_checker() -> None:
    async with Charger() as charger:
        samples: list[Sample] = []
        note = charger._note

        def keep(envelope: Any) -> None:
            note(envelope)
            if envelope.topic.endswith("/evse/var/powermeter"):
                reading = charger.readings()[-1]
                now = asyncio.get_running_loop().time()
                samples.append(Sample(now, reading["energy_Wh_import"]["total"], reading["power_W"]["total"]))

        charger._note = keep  # type: ignore[method-assign]
        await charger.charge(120)
        charger.car("pause;sleep 20;draw_power_regulated 10,1;sleep 60;unplug", modify=True)
        await asyncio.sleep(90)
        result = balance("ours", samples)
        assert result.holds, str(result)
        assert result.energy_Wh > 350.0


# --- the car on the bus


@virtual
async def test_the_car_takes_commands_on_the_bus_too() -> None:
    async with Charger(auto_enable=False) as charger:
        await asyncio.sleep(1)
        await charger.call("car_simulator", "enable", {"value": True})
        commands = "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 99"
        await charger.call("car_simulator", "execute_charging_session", {"value": commands})
        await asyncio.sleep(2)
        await charger.swipe()
        await charger.until(lambda: charger.kinds() == TO_CHARGING, what="charging")
        await asyncio.sleep(20)
        assert charger.published("car_simulator", "enabled") == [True]
        seen = [event["event"] for event in charger.published("ev_manager", "bsp_event")]
        assert seen == ["A", "B", "C", "PowerOn"]
        info = charger.published("ev_manager", "ev_info")[-1]
        assert (info["target_current"], info["battery_capacity"], info["battery_full_soc"]) == (16.0, 60000.0, 100.0)
        assert info["soc"] > 30.0


# --- ISO 15118 and DC


def test_commands_of_iso_15118_have_their_forms() -> None:
    assert parse("iso_start_v2g_session AC  86400 0", iso=True)[0].arguments == ("ac", "", "86400", "0")
    with pytest.raises(CommandSyntaxError, match="arguments"):
        parse("iso_start_v2g_session AC 1 2 3 4", iso=True)


@virtual
async def test_an_ac_session_in_the_words_of_iso_15118() -> None:
    async with Charger(ac_hlc_enabled=True) as charger:
        await asyncio.sleep(1)
        charger.car(ISO.format("AC", "iso_draw_power_regulated 10,3;") + ISO_END)
        await asyncio.sleep(3)
        await charger.swipe()
        await asyncio.sleep(10)
        assert charger.kinds() == TO_CHARGING
        assert charger.readings()[-1]["current_A"]["L3"] == pytest.approx(10.0, rel=0.02)
        await asyncio.sleep(60)
        ended = ["StoppingCharging", "ChargingFinished", "TransactionFinished", "SessionFinished"]
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV", *ended]


@virtual
async def test_a_dc_session_with_power_voltage_current_and_state_of_charge() -> None:
    config = {"dc_target_current": 100, "dc_target_voltage": 400, "soc": 50, "noise": False}
    async with Charger(charge_mode="DC", **config) as charger:
        await asyncio.sleep(1)
        assert charger.published("evse", "supported_energy_transfer_modes") == [["DC_extended"]]
        charger.car(ISO.format("DC", "") + ISO_END)
        await asyncio.sleep(3)
        await charger.swipe()
        await asyncio.sleep(20)
        assert charger.kinds() == TO_CHARGING
        reading = charger.readings()[-1]
        amps, volts, watts = reading["current_A"]["DC"], reading["voltage_V"]["DC"], reading["power_W"]["total"]
        assert watts == pytest.approx(32.0 * 230.0 * 3, rel=0.01)  # what the budget offers
        assert amps * volts == pytest.approx(watts, rel=0.01)
        info = charger.published("evse", "ev_info")[-1]
        assert info["soc"] > 50.0
        assert info["present_voltage"] == pytest.approx(volts, abs=1.0)
        assert (info["target_current"], info["maximum_power_limit"]) == (100.0, 150000.0)
        socs = [entry["soc"] for entry in charger.published("evse", "ev_info") if "soc" in entry]
        assert socs == sorted(socs)
        side = {"total_power_W": {"value": 11040.0, "source": "ocpp"}}
        entry = {"timestamp": "2026-01-01T00:00:00Z", "limits_to_root": side, "limits_to_leaves": {}}
        limits = {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}
        await charger.call("external_limits", "set_external_limits", {"value": limits})
        await asyncio.sleep(1)
        assert charger.readings()[-1]["power_W"]["total"] == pytest.approx(11040.0, rel=0.01)
        await asyncio.sleep(60)
        assert charger.kinds()[-1] == "SessionFinished"
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVDisconnected"


@virtual
async def test_the_evse_stops_a_dc_session() -> None:
    async with Charger(charge_mode="DC") as charger:
        await asyncio.sleep(1)
        charger.car(ISO.format("DC", "") + ISO_END)
        await asyncio.sleep(3)
        await charger.swipe()
        await asyncio.sleep(5)
        assert await charger.stop("Remote")
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingFinished", "TransactionFinished", "SessionFinished"]


@virtual
async def test_a_car_toggles_b_and_c_to_wake_the_evse() -> None:
    async with Charger(ac_hlc_enabled=True) as charger:
        await charger.charge(3)
        charger.car("iso_pause_charging;sleep 2;iso_start_bcb_toggle 3;sleep 9", modify=True)
        await asyncio.sleep(6)
        letters = [event["event"] for event in charger.published("ev_manager", "bsp_event")]
        assert "".join(letter for letter in letters[4:] if len(letter) == 1) == "BCBCBCB"


@virtual
async def test_the_car_tells_about_itself_at_plug_in_and_while_it_draws_and_the_evse_does_not() -> None:
    async with Charger(noise=False) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        told = {"soc": 30.0, "battery_capacity": 60000.0, "battery_full_soc": 100.0, "target_current": 16.0}
        assert charger.published("ev_manager", "ev_info") == [{**told, "target_voltage": 0.0}]
        await charger.swipe()
        await asyncio.sleep(10)
        assert len(charger.published("ev_manager", "ev_info")) > 30
        assert all(info == {} for info in charger.published("evse", "ev_info"))
