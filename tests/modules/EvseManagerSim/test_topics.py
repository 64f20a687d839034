"""The external topics: car commands in, states and readings out (station 2.11, 3.2)."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, PLUG_IN, Charger

pytestmark = pytest.mark.looptime


async def test_states_are_shown_as_text_and_number() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        await charger.stop()
        await charger.unplug()
        texts = charger._externals[f"{NODERED}state/state_string"]
        numbers = charger._externals[f"{NODERED}state/state"]
        assert texts == [
            "Idle",
            "Wait for Auth",
            "PrepareCharging",
            "Charging",
            "StoppingCharging",
            "Finished",
            "Idle",
        ]
        assert numbers == ["1", "2", "3", "4", "7", "8", "1"]


async def test_every_state_has_everest_s_text_and_number() -> None:
    """Station 2.4 and 2.11; all but the first by what a session goes through."""
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 36000")
        await charger.swipe()
        await asyncio.sleep(50)
        charger.car("draw_power_regulated 16,3;sleep 36000", modify=True)
        await asyncio.sleep(3)
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(2)
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(2)
        charger.external(f"{NODERED}cmd/switch_three_phases_while_charging", "false")
        await asyncio.sleep(12)
        await charger.unplug()
        await charger.set_available("Disable")
        topics = charger._externals
        pairs = zip(topics[f"{NODERED}state/state"], topics[f"{NODERED}state/state_string"], strict=True)
        assert set(pairs) == {
            ("0", "Disabled"), ("1", "Idle"), ("2", "Wait for Auth"), ("3", "PrepareCharging"), ("4", "Charging"),
            ("5", "Car Paused"), ("6", "EVSE Paused"), ("7", "StoppingCharging"), ("8", "Finished"),
            ("9", "T_step_EF"), ("10", "T_step_X1"), ("11", "SwitchPhases"),
        }  # fmt: skip


async def test_readings_and_limits_are_shown() -> None:
    async with Charger() as charger:
        await charger.charge(30)
        reading = charger.readings()[-1]
        shown = {name: charger._externals[NODERED + name][-1] for name in SHOWN}
        assert shown["powermeter/totalKWattHr"] == f"{reading['energy_Wh_import']['total'] / 1000:.5f}"
        assert shown["powermeter/totalKw"] == str(round(reading["power_W"]["total"] / 1000, 1))
        assert shown["powermeter/phaseSeqError"] == "false"
        assert shown["powermeter/totalExportKWattHr"] == "0.00000"
        assert json.loads(shown["powermeter_json"]) == reading
        assert shown["state/max_current"] == "32.00000"
        assert float(shown["state/temperature"]) > 25.0


SHOWN = (
    "powermeter/phaseSeqError",
    "powermeter/time_stamp",
    "powermeter/totalKw",
    "powermeter/totalKWattHr",
    "powermeter/totalExportKWattHr",
    "powermeter_json",
    "state/max_current",
    "state/temperature",
)


async def test_pause_resume_enable_and_disable_by_topic() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        charger.external(f"{NODERED}cmd/pause_charging", "")
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "ChargingPausedEVSE"
        charger.external(f"{NODERED}cmd/resume_charging", "")
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "ChargingStarted"
        charger.external(f"{NODERED}cmd/disable", "")
        await asyncio.sleep(2)
        assert charger.last("Disabled")["source"] == {
            "enable_priority": 100,
            "enable_source": "LocalAPI",
            "enable_state": "Disable",
        }
        charger.external(f"{NODERED}cmd/enable", "")
        await asyncio.sleep(1)
        assert charger.kinds()[-1] == "Enabled"


async def test_a_car_that_is_not_enabled_does_nothing_but_readings_flow() -> None:
    async with Charger(auto_enable=False) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        assert charger.kinds() == []
        assert charger.published("board_support", "event") == []
        assert len(charger.readings()) >= 5
        charger.external(f"{NODERED}carsim/cmd/enable", "true")
        await charger.plug_in()
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]


async def test_execute_is_refused_while_a_list_is_running_and_modify_replaces_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        charger.car("sleep 1")
        await asyncio.sleep(2)
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        assert "execute_charging_session refused" in caplog.text
        await charger.unplug()
        assert charger.kinds()[2:] == ["SessionFinished"]


@pytest.mark.parametrize("text", ["fly 3", " sleep 1", "sleep 1;;unplug", "", "iso_wait_slac_matched;unplug"])
async def test_a_malformed_command_string_is_logged_and_refused_as_a_whole(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """DEPARTURE of station 3.3: the original ends the station."""
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.car(text)
        await asyncio.sleep(1)
        assert "refused" in caplog.text
        await charger.plug_in()
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]


async def test_a_finished_list_leaves_the_car_as_it_is() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3")
        await charger.swipe()
        await asyncio.sleep(10)
        assert charger.kinds()[-1] == "ChargingStarted"
        await charger.stop()
        assert charger.kinds()[-1] == "StoppingCharging"
        await asyncio.sleep(5)
        assert charger.kinds()[-1] == "TransactionFinished"


async def test_auto_exec_runs_its_commands_from_the_start() -> None:
    async with Charger(auto_exec=True, auto_exec_commands=PLUG_IN) as charger:
        await asyncio.sleep(3)
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]


async def test_auto_exec_infinite_runs_them_again_and_again() -> None:
    commands = "sleep 1;pause;sleep 2;unplug;sleep 1"
    async with Charger(auto_exec=True, auto_exec_infinite=True, auto_exec_commands=commands) as charger:
        await asyncio.sleep(20)
        assert charger.kinds().count("SessionStarted") >= 3


async def test_error_e_takes_the_power_demand_away() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        charger.car("error_e;sleep 999", modify=True)
        await asyncio.sleep(2)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV"]
        await charger.unplug()
        assert charger.kinds()[8:] == []  # until the board is reset
        await charger.set_available("Disable")
        await charger.set_available("Enable")
        await charger.plug_in()
        assert charger.kinds()[-4:] == ["Disabled", "Enabled", "SessionStarted", "AuthRequired"]


async def test_the_car_simulation_is_switched_by_true_and_anything_else(caplog: pytest.LogCaptureFixture) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.external(f"{NODERED}carsim/cmd/enable", "true")
        await asyncio.sleep(0.1)
        assert "already on" in caplog.text
        assert charger.published("car_simulator", "enabled") == [True]
        await charger.plug_in()
        before = charger.board_events()
        charger.external(f"{NODERED}carsim/cmd/enable", "yes")
        await asyncio.sleep(2)
        assert charger.published("car_simulator", "enabled") == [True, False]
        charger.car("sleep 1;draw_power_fixed 16,3;sleep 9", modify=True)
        await asyncio.sleep(2)
        assert charger.board_events() == before
        charger.external(f"{NODERED}carsim/cmd/enable", "true")
        await asyncio.sleep(1)
        assert charger.board_events() == [*before, "A"]


async def test_a_smaller_limit_shows_in_current_and_meter_within_the_pwm_time() -> None:
    async with Charger() as charger:
        await charger.charge(10)
        side = {"ac_max_current_A": {"value": 10.0, "source": "ocpp"}}
        entry = {"timestamp": "2026-01-01T00:00:00Z", "limits_to_root": side, "limits_to_leaves": {}}
        limits = {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}
        await charger.call("external_limits", "set_external_limits", {"value": limits})
        await asyncio.sleep(1)
        assert charger.published("evse", "limits")[-1]["max_current"] == 10.0
        source = charger.published("evse", "enforced_limits")[-1]["limits_root_side"]["ac_max_current_A"]["source"]
        assert source == "ocpp"
        await asyncio.sleep(6)
        assert charger.readings()[-1]["current_A"]["L1"] == pytest.approx(10.0, rel=0.02)
        assert "StoppingCharging" not in charger.kinds()


async def test_an_energy_manager_that_enforces_limits_takes_over_and_its_budget_expires() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        root = {"ac_max_current_A": {"value": 8.0, "source": "tree"}, "ac_max_phase_count": {"value": 3, "source": "t"}}
        budget = {"uuid": "evse_manager_1", "valid_for": 10, "limits_root_side": root, "schedule": []}
        await charger.call("energy_grid", "enforce_limits", {"value": {**budget, "uuid": "another"}})
        assert charger.published("evse", "limits")[-1]["max_current"] == 32.0
        await charger.call("energy_grid", "enforce_limits", {"value": budget})
        assert charger.published("evse", "limits")[-1]["max_current"] == 8.0
        await asyncio.sleep(9)
        assert charger.kinds()[-1] == "ChargingStarted"
        await asyncio.sleep(4)
        assert charger.published("evse", "limits")[-1]["max_current"] == 0.0
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["NoEnergy"]}
        request = charger.published("energy_grid", "energy_flow_request")[-1]
        assert (request["uuid"], request["node_type"], request["evse_state"]) == (
            "evse_manager_1",
            "Evse",
            "PausedEVSE",
        )


async def test_energy_is_asked_for_with_priority_at_start_plug_in_and_end() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        await charger.stop()
        requests = charger.published("energy_grid", "energy_flow_request")
        urgent = [request["evse_state"] for request in requests if request.get("priority_request")]
        assert urgent == ["Unplugged", "WaitForAuth", "Finished"]
        hardware = requests[0]["schedule_import"][0]["limits_to_root"]
        assert hardware["ac_max_current_A"]["value"] == 32.0


async def test_capabilities_of_the_energy_node_are_announced_once() -> None:
    async with Charger() as charger:
        await asyncio.sleep(3)
        assert charger.published("external_limits", "capabilities") == [
            {"max_current_A": 32.0, "max_phase_count": 3, "nominal_voltage_V": 230.0, "total_power_W": 22080.0}
        ]


async def test_legacy_topics_only_on_demand() -> None:
    async with Charger(legacy_topics=True) as charger:
        await asyncio.sleep(1)
        shown = {
            topic: told[-1] for topic, told in charger._externals.items() if topic.startswith("/external/") and told
        }
        (flat,) = json.loads(shown.pop("/external/powermeter_json"))
        assert (flat["energy_Wh_import.total"], flat["current_A.L1"]) == (0.0, 0.0)
        board, own = "/external/powermeter/", "/external/evse_manager_1/powermeter/"
        assert shown.keys() == {
            *(board + name for name in ("vrmsL1", "phaseSeqError", "time_stamp")),
            *(place + name for place in (board, own) for name in ("tempL1", "totalKw", "totalKWattHr")),
        }
        assert (shown[board + "phaseSeqError"], shown[board + "tempL1"]) == ("false", "25.00000")
    async with Charger() as charger:
        await asyncio.sleep(1)
        assert not charger._externals["/external/powermeter/vrmsL1"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_car_is_plugged_in_again_after_a_restart_where_configured(keeps: bool) -> None:
    store: dict[str, object] = {}
    async with Charger(store=store, keep_cross_boot_plugin_state=keeps) as charger:
        await charger.charge(2)
    assert ("EvManager_evse_manager_1_simulated_already_plugged_in" in store) is keeps
    async with Charger(store=store, keep_cross_boot_plugin_state=keeps) as again:
        await asyncio.sleep(4)
        assert again.kinds()[-2:] == (
            ["SessionStarted", "AuthRequired"] if keeps else ["TransactionFinished", "Enabled"]
        )
        await again.unplug()
    async with Charger(store=store, keep_cross_boot_plugin_state=keeps) as last:
        await asyncio.sleep(4)
        assert last.kinds() == []
