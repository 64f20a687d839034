"""A DC car that gives energy back: what asks for it, what bounds it, what the bus shows (SAE J2847/2 as played)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from everest.contracts.types.energy import EnforcedLimits, LimitsReq, LimitsRes, NumberWithSource, ScheduleReqEntry
from everest.trace.energy import balance, samples
from modules.EvseManagerSim import budget
from modules.EvseManagerSim.battery import Battery, BatteryConfig
from modules.EvseManagerSim.chance import Noise
from modules.EvseManagerSim.dc_meter import DcMeter
from modules.EvseManagerSim.meter import MeterConfig
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger

virtual = pytest.mark.looptime
SESSION = "sleep 1;iso_wait_slac_matched;iso_start_v2g_session DC externalpayment;iso_wait_pwr_ready;sleep 36000"
CONFIG: dict[str, Any] = {
    "charge_mode": "DC",
    "sae_j2847_2_bpt_enabled": True,
    "support_sae_j2847": True,
    "dc_target_voltage": 400,
    "dc_target_current": 50,
    "dc_discharge_target_current": 40,
    "soc": 50,
    "noise": False,
}


class Bidirectional(Charger):
    def __init__(self, **config: Any) -> None:
        super().__init__(**{**CONFIG, **config})

    async def begin(self) -> None:
        await asyncio.sleep(1)
        self.car(SESSION)
        await asyncio.sleep(3)
        await self.swipe()
        await asyncio.sleep(10)
        assert self.kinds() == TO_CHARGING

    async def tree(self, watts: float, valid_for: int = 36000) -> None:
        """What an energy manager enforces."""
        root = {"total_power_W": {"value": watts, "source": "tree"}}
        if watts > 0:
            root["ac_max_current_A"] = {"value": 32.0, "source": "tree"}
        value = {"uuid": "evse_manager_1", "valid_for": valid_for, "limits_root_side": root, "schedule": []}
        await self.call("energy_grid", "enforce_limits", {"value": value})
        await asyncio.sleep(5)

    @property
    def watts(self) -> float:
        return float(self.readings()[-1]["power_W"]["total"])

    def registers(self) -> tuple[float, float]:
        reading = self.readings()[-1]
        return reading["energy_Wh_import"]["total"], reading["energy_Wh_export"]["total"]


@virtual
async def test_less_than_nothing_offered_makes_the_car_give_energy_back() -> None:
    async with Bidirectional() as charger:
        await charger.begin()
        await charger.tree(-10000.0)
        assert charger.watts == pytest.approx(-10000.0, rel=0.01)
        reading = charger.readings()[-1]
        assert reading["current_A"]["DC"] < 0.0 < reading["voltage_V"]["DC"]
        assert charger.published("evse", "limits")[-1]["max_current"] == pytest.approx(-10000.0 / 690.0)
        before, soc = charger.registers(), charger.published("evse", "ev_info")[-1]["soc"]
        await asyncio.sleep(360)
        after = charger.registers()
        assert after[0] == before[0]
        assert after[1] - before[1] == pytest.approx(1000.0, abs=2.0)
        info = charger.published("evse", "ev_info")[-1]
        assert info["soc"] == pytest.approx(soc - 100.0 * 1000.0 / 60000.0, abs=0.02)
        assert info["present_current"] < 0.0
        topic = "everest_external/nodered/1/powermeter/totalExportKWattHr"
        assert float(charger._externals[topic][-1]) == pytest.approx(after[1] / 1000.0)
        await charger.tree(10000.0)
        assert charger.watts == pytest.approx(10000.0, rel=0.01)
        assert charger.kinds() == TO_CHARGING  # the direction is no event


@virtual
async def test_at_its_minimal_state_of_charge_the_car_gives_nothing_more() -> None:
    async with Bidirectional(soc=21, dc_discharge_v2g_minimal_soc=20, dc_energy_capacity=10000) as charger:
        await charger.begin()
        await charger.tree(-10000.0)
        assert charger.watts < -9000.0
        await asyncio.sleep(120)
        assert charger.watts == 0.0
        assert charger.published("evse", "ev_info")[-1]["soc"] == pytest.approx(20.0, abs=0.05)
        await charger.tree(10000.0)
        assert charger.watts == pytest.approx(10000.0, rel=0.01)


@virtual
@pytest.mark.parametrize(
    ("config", "amps", "watts"),
    [
        ({}, -28.0, -11040.0),  # the board exports 16 A per phase
        ({"dc_discharge_target_current": 10}, -10.0, None),
        ({"dc_discharge_max_current_limit": 12}, -12.0, None),
        ({"dc_discharge_max_power_limit": 3000}, None, -3000.0),
    ],
)
async def test_what_is_given_back_is_bounded_by_the_car_and_by_the_board(
    config: dict[str, Any], amps: float | None, watts: float | None
) -> None:
    async with Bidirectional(**config) as charger:
        await charger.begin()
        await charger.tree(-50000.0)
        if watts is not None:
            assert charger.watts == pytest.approx(watts, rel=0.01)
        else:
            assert charger.readings()[-1]["current_A"]["DC"] == pytest.approx(amps, abs=0.1)


@virtual
async def test_derating_and_external_limits_of_the_other_direction_count() -> None:
    async with Bidirectional() as charger:
        await charger.begin()
        await charger.tree(-10000.0)
        await charger.call("dc_external_derate", "set_external_derating", {"derate": {"max_import_current_A": 7.0}})
        await asyncio.sleep(2)
        assert charger.readings()[-1]["current_A"]["DC"] == pytest.approx(-7.0, abs=0.05)
        await charger.call("dc_external_derate", "set_external_derating", {"derate": {"max_export_current_A": 7.0}})
        await asyncio.sleep(5)
        assert charger.watts == pytest.approx(-10000.0, rel=0.01)
        sides = {"limits_to_root": {"total_power_W": {"value": 4000.0, "source": "grid"}}, "limits_to_leaves": {}}
        entry = {"timestamp": "2026-01-01T00:00:00Z", **sides}
        limits = {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}
        await charger.call("external_limits", "set_external_limits", {"value": limits})
        await asyncio.sleep(2)
        assert charger.watts == pytest.approx(-10000.0, rel=0.01)
        limits = {"schedule_import": [], "schedule_export": [entry], "schedule_setpoints": []}
        await charger.call("external_limits", "set_external_limits", {"value": limits})
        await asyncio.sleep(2)
        assert charger.watts == pytest.approx(-4000.0, rel=0.01)
        enforced = charger.published("evse", "enforced_limits")[-1]["limits_root_side"]
        assert enforced["total_power_W"]["value"] == pytest.approx(-4000.0)


@virtual
@pytest.mark.parametrize("key", ["sae_j2847_2_bpt_enabled", "support_sae_j2847"])
async def test_unless_car_and_evse_both_can_less_than_nothing_is_nothing(key: str) -> None:
    async with Bidirectional(**{key: False}) as charger:
        await charger.begin()
        assert charger.published("energy_grid", "energy_flow_request")[-1]["schedule_export"] == []
        await charger.tree(-10000.0)
        assert charger.registers()[1] == 0.0
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["NoEnergy"]}


@virtual
async def test_the_energy_node_asks_for_export_and_an_expired_budget_ends_it() -> None:
    async with Bidirectional() as charger:
        await charger.begin()
        (entry,) = charger.published("energy_grid", "energy_flow_request")[-1]["schedule_export"]
        assert entry["limits_to_root"]["ac_max_current_A"]["value"] == 16.0
        await charger.tree(-5000.0, valid_for=10)
        assert charger.watts < 0.0
        await asyncio.sleep(10)
        assert charger.watts == 0.0
        assert charger.kinds()[-1] == "ChargingPausedEVSE"


@virtual
async def test_a_full_car_that_can_give_energy_back_stays_ready_for_it() -> None:
    async with Bidirectional(soc=100) as charger:
        await charger.begin()
        assert charger.watts == 0.0
        await charger.tree(-5000.0)
        assert charger.watts == pytest.approx(-5000.0, rel=0.01)


@virtual
async def test_the_export_register_survives_a_restart_and_is_reset_at_plug_in() -> None:
    store: dict[str, Any] = {}
    async with Bidirectional(store=store) as charger:
        await charger.begin()
        await charger.tree(-10000.0)
        await asyncio.sleep(60)
        exported = charger.registers()[1]
        assert exported > 150.0
    async with Bidirectional(store=store) as again:
        await asyncio.sleep(1)
        assert exported <= again.registers()[1] <= exported + 5.0
        await again.plug_in()
        assert again.registers() == (0.0, 0.0)


def test_a_battery_gives_along_its_ramp_down_at_once_and_both_ways_from_nothing() -> None:
    pack = Battery(BatteryConfig(soc_percent=50.0, ramp_A_per_s=10.0, capacity_Wh=1000.0))
    assert pack.take(40.0, 400.0, 3.0) == 30.0
    assert [pack.give(25.0, 400.0, 1.0) for _ in range(4)] == [10.0, 20.0, 25.0, 25.0]
    assert pack.current_A == -25.0
    assert pack.give(5.0, 400.0, 1.0) == 5.0
    assert pack.take(40.0, 400.0, 1.0) == 10.0
    pack.fill(-100.0, 3600.0)
    assert pack.soc_percent == pytest.approx(40.0)
    pack.fill(-1e6, 3600.0)
    assert pack.soc_percent == 0.0


def test_a_meter_counts_both_directions_apart() -> None:
    meter = DcMeter(MeterConfig(), Noise(1, enabled=False), 0.0)
    meter.set_dc_load(0.0, 10.0, 400.0)
    meter.set_dc_load(1800.0, -5.0, 400.0)
    reading = meter.reading(5400.0, "T")
    assert reading.energy_Wh_export is not None
    assert (reading.energy_Wh_import.total, reading.energy_Wh_export.total) == (2000.0, 2000.0)
    other = DcMeter(MeterConfig(), Noise(1, enabled=False), 0.0)
    other.restore(meter.register())
    assert (other.total_Wh, other.exported_Wh) == (2000.0, 2000.0)
    assert meter.temperature_C() > 25.0


@virtual
async def test_the_energy_checker_judges_what_was_imported_only() -> None:
    async with Bidirectional() as charger:
        records: list[tuple[float, str, str]] = []
        note = charger._note

        def keep(envelope: Any) -> None:
            note(envelope)
            if envelope.topic.endswith("/evse/var/powermeter"):
                text = json.dumps(charger.readings()[-1])
                records.append((asyncio.get_running_loop().time(), "e/m/evse/var/powermeter", text))

        charger._note = keep  # type: ignore[method-assign]
        await charger.begin()
        await charger.tree(-10000.0)
        await asyncio.sleep(60)
        ((_, found),) = samples(records).items()
        result = balance("ours", found)
        assert result.holds, str(result)


def test_an_order_in_ampere_is_bounded_like_one_in_watt() -> None:
    def made(export_W: float | None) -> tuple[float, float]:
        root = LimitsRes(ac_max_current_A=NumberWithSource(value=-30.0, source="tree"))
        order = EnforcedLimits(uuid="e", valid_for=10, limits_root_side=root, schedule=[])
        side = LimitsReq(total_power_W=NumberWithSource(value=export_W or 0.0, source="grid"))
        moment = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
        entry = ScheduleReqEntry(timestamp=moment, limits_to_root=side, limits_to_leaves=LimitsReq())
        external = [] if export_W is None else [entry]
        hardware = budget.Hardware(max_export_A=16.0)
        found = budget.discharge_under_limits(order, hardware=hardware, external=external, phases=3).limits_root_side
        assert found.ac_max_current_A is not None and found.total_power_W is not None
        assert found.ac_max_current_A.source == "tree"
        return found.ac_max_current_A.value, found.total_power_W.value

    assert made(None) == (-16.0, -11040.0)
    assert made(6900.0) == (-10.0, -6900.0)
    assert made(0.0) == (0.0, 0.0)
