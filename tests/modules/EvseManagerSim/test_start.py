"""Start-up on the bus: station 2.2, 9.1, 9.2, 9.6."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import Charger

pytestmark = pytest.mark.looptime


async def test_nothing_is_published_before_global_ready() -> None:
    async with Charger(global_ready=False) as charger:
        await asyncio.sleep(5)
        assert charger.readings() == []
        assert charger.events() == []


async def test_the_first_enabled_names_no_source_yet() -> None:
    async with Charger() as charger:
        await asyncio.sleep(0.5)
        event = charger.events()[0]
        assert event == {
            "event": "Enabled",
            "source": {"enable_priority": 10000, "enable_source": "Unspecified", "enable_state": "Unassigned"},
            "timestamp": event["timestamp"],
            "uuid": "",
        }
        assert charger.published("evse", "ready") == [True]
        assert charger.published("evse", "waiting_for_external_ready") == [False]


async def test_without_external_ready_no_session_and_no_ready_but_readings() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        assert charger.published("evse", "waiting_for_external_ready") == [True]
        assert charger.events() == []
        assert charger.published("evse", "ready") == []
        assert len(charger.readings()) >= 4
        assert await charger.call("evse", "external_ready_to_start_charging") is True
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled", "SessionStarted", "AuthRequired"]
        assert await charger.call("evse", "external_ready_to_start_charging") is True


async def test_limits_come_without_uuid_first_then_with_zero_then_with_a_budget() -> None:
    async with Charger() as charger:
        await asyncio.sleep(2)
        limits = charger.published("evse", "limits")
        assert limits[0] == {"max_current": 0.0, "nr_of_phases_available": 3}
        assert limits[1] == {"max_current": 0.0, "nr_of_phases_available": 3, "uuid": "evse_manager_1"}
        assert limits[-1] == {"max_current": 32.0, "nr_of_phases_available": 3, "uuid": "evse_manager_1"}
        enforced = charger.published("evse", "enforced_limits")[-1]
        assert enforced["uuid"] == "evse_manager_1"
        assert enforced["valid_for"] == 10
        assert enforced["limits_root_side"]["ac_max_current_A"]["value"] == 32.0


async def test_a_disable_before_the_start_makes_it_start_disabled() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        await charger.set_available("Disable")
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Disabled"]


@pytest.mark.parametrize(
    ("connector_type", "connector"), [("cType2", {"id": 1, "type": "cType2"}), ("no such type", {"id": 1})]
)
async def test_get_evse_leaves_an_invalid_connector_type_out(connector_type: str, connector: dict[str, Any]) -> None:
    async with Charger(connector_id=7, connector_type=connector_type) as charger:
        assert await charger.call("evse", "get_evse") == {"id": 7, "connectors": [connector]}


EVSE_MANAGER = {
    "connector_id": 1, "connector_type": "cType2", "evse_id": "DE*PNX*E12345*1", "evse_id_din": "49A80737A45678",
    "payment_enable_eim": True, "payment_enable_contract": True, "ac_nominal_voltage": 230,
    "ev_receipt_required": False, "ac_max_reactive_power": 0, "supported_iso_ac_bpt": False, "session_logging": True,
    "session_logging_path": "/tmp/everest-logs", "session_logging_xml": False, "logfile_suffix": "session_uuid",
    "has_ventilation": True, "charge_mode": "AC", "ac_hlc_enabled": True, "ac_hlc_use_5percent": False,
    "ac_enforce_hlc": False, "ac_with_soc": False, "enable_autocharge": True,
    "autocharge_use_slac_instead_of_hlc": False, "disable_authentication": False, "dbg_hlc_auth_after_tstep": False,
    "request_zero_power_in_idle": True, "external_ready_to_start_charging": True,
    "initial_meter_value_timeout_ms": 5000, "session_id_type": "UUID", "soft_over_current_tolerance_percent": 10.0,
    "soft_over_current_measurement_noise_A": 0.5, "soft_over_current_timeout_ms": 7000, "state_F_after_fault_ms": 300,
    "switch_3ph1ph_delay_s": 10, "switch_3ph1ph_cp_state": "X1", "lock_connector_in_state_b": True,
    "unlock_when_deauthorized": False, "fail_on_powermeter_errors": True, "raise_mrec9": False,
    "inoperative_error_use_vendor_id": False, "sleep_before_enabling_pwm_hlc_mode_ms": 500,
    "central_contract_validation_allowed": True, "contract_certificate_installation_enabled": True,
    "uk_smartcharging_random_delay_enable": False, "uk_smartcharging_random_delay_max_duration": 600,
    "uk_smartcharging_random_delay_at_any_change": True, "hlc_charge_loop_without_energy_timeout_s": 5,
    "hack_simplified_mode_limit_10A": False, "zero_power_ignore_pause": True,
    "zero_power_allow_ev_to_ignore_pause": False, "bpt_channel": "None", "bpt_generator_mode": "None",
    "bpt_grid_code_island_method": "None", "internal_over_voltage_duration_ms": 400, "dc_isolation_voltage_V": 0,
    "cable_check_wait_number_of_imd_measurements": 1, "cable_check_enable_imd_self_test": True,
    "cable_check_enable_imd_self_test_relays_open": False, "cable_check_relays_open_voltage_V": 48,
    "cable_check_relays_closed_timeout_s": 5, "cable_check_wait_below_60V_before_finish": True,
    "hack_skoda_enyaq": False, "hack_present_current_offset": 0, "hack_pause_imd_during_precharge": False,
    "hack_allow_bpt_with_iso2": False, "hack_fix_hlc_integer_current_requests": False,
    "sae_j2847_2_bpt_enabled": False, "sae_j2847_2_bpt_mode": "V2G",
    "voltage_plausibility_max_spread_threshold_V": 50.0, "voltage_plausibility_fault_duration_ms": 30000,
    "dc_ramp_ampere_per_second": 25,
}  # fmt: skip
EV_MANAGER = {
    "auto_enable": True, "auto_exec": False, "auto_exec_infinite": False, "auto_exec_commands": "",
    "dc_max_current_limit": 300, "dc_max_power_limit": 150000, "dc_max_voltage_limit": 900,
    "dc_energy_capacity": 60000, "dc_target_current": 20, "dc_target_voltage": 400, "support_sae_j2847": False,
    "dc_discharge_max_current_limit": 300, "dc_discharge_max_power_limit": 150000, "dc_discharge_target_current": 5,
    "dc_discharge_v2g_minimal_soc": 20, "max_current": 16, "three_phases": True, "departure_time": 86400,
    "e_amount": 0, "soc": 30, "keep_cross_boot_plugin_state": False, "plugin_commands": "",
    "force_payment_option": False,
}  # fmt: skip
YETI_SIMULATOR = {
    "reset_powermeter_on_session_start": True, "dummy_meter_value_send_on_transaction_start": True,
    "dummy_meter_value_blob_start": "begin", "dummy_meter_value_blob_stop": "end", "ac_nominal_frequency": 50.0,
    "max_current_A_import": 32.0, "min_current_A_import": 6.0,
}  # fmt: skip
CONNECTIONS = {
    "slac": ["slac/evse"], "hlc": ["iso15118_charger/charger"], "imd": ["imd/main"],
    "over_voltage_monitor": ["ovm/main"], "powersupply_DC": ["dcdc/main"], "powermeter_grid_side": ["yeti/powermeter"],
    "powermeter_car_side": ["dcmeter/main"], "connector_lock": ["yeti/connector_lock"], "ac_rcd": ["yeti/rcd"],
}  # fmt: skip


@pytest.mark.parametrize("mode", ["AC", "DC"])
async def test_a_configuration_with_everything_that_everest_knows_loads(mode: str) -> None:
    """All keys and requirements of EvseManager, and the keys of its car and board simulation (station 2.1, 3.1)."""
    config: dict[str, Any] = {**EVSE_MANAGER, **EV_MANAGER, **YETI_SIMULATOR, "charge_mode": mode}
    async with Charger(connections=CONNECTIONS, **config) as charger:
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(7)
        assert charger.published("evse", "evse_id") == ["DE*PNX*E12345*1"]
        assert charger.published("evse", "ready") == [True]


HW_CAPABILITIES = {
    "max_current_A_import": 32.0, "min_current_A_import": 6.0, "max_phase_count_import": 3, "min_phase_count_import": 1,
    "max_current_A_export": 16.0, "min_current_A_export": 0.0, "max_phase_count_export": 3, "min_phase_count_export": 1,
    "supports_changing_phases_during_charging": True, "supports_cp_state_E": False,
    "connector_type": "IEC62196Type2Cable",
}  # fmt: skip
READING = {
    "meter_id": "YETI_POWERMETER",
    "phase_seq_error": False,
    "energy_Wh_import": {"total": 0.0, "L1": 0.0, "L2": 0.0, "L3": 0.0},
    "energy_Wh_export": {"total": 0.0, "L1": 0.0, "L2": 0.0, "L3": 0.0},
    "power_W": {"total": 0.0, "L1": 0.0, "L2": 0.0, "L3": 0.0},
    "voltage_V": {"L1": 230.0, "L2": 230.0, "L3": 230.0},
    "current_A": {"L1": 0.0, "L2": 0.0, "L3": 0.0, "N": 0.0},
    "frequency_Hz": {"L1": 50.0, "L2": 50.0, "L3": 50.0},
    "temperatures": [{"temperature": 25.0, "identification": "Powermeter", "location": "Powermeter"}],
}


async def test_what_an_idle_evse_tells_about_its_hardware_is_that_of_everest_s_simulator() -> None:
    """Station 2.9 and 3.4, value by value."""
    async with Charger(noise=False) as charger:
        await asyncio.sleep(5.1)
        assert charger.published("evse", "hw_capabilities") == [HW_CAPABILITIES]
        assert charger.published("evse_board_support", "capabilities") == [HW_CAPABILITIES]
        assert charger.published("evse_board_support", "ac_pp_ampacity") == [{"ampacity": "A_32"}]
        assert charger.published("evse", "powermeter_public_key_ocmf") == ["TESTPUBLICKEY1"]
        assert charger.published("powermeter", "public_key_ocmf") == ["TESTPUBLICKEY1"]
        telemetry = charger.published("evse", "telemetry")
        assert telemetry[-1] == {
            "evse_temperature_C": 25.0, "fan_rpm": 1500.0, "relais_on": False, "supply_voltage_12V": 12.01,
            "supply_voltage_minus_12V": -11.8,
        }  # fmt: skip
        readings = charger.readings()
        assert readings[-1] == {**READING, "timestamp": "2026-01-05T10:00:05Z"}
        assert len(telemetry) in (10, 11) and len(readings) in (10, 11, 12)  # twice a second


async def test_the_start_is_told_in_its_order() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        told: list[str] = []
        note = charger._note

        def keep(envelope: Any) -> None:
            note(envelope)
            _, _, name = envelope.topic.partition("/impl/evse/var/")
            if name and name not in (*told, "powermeter", "telemetry"):
                told.append(name)

        charger._note = keep  # type: ignore[method-assign]
        await asyncio.sleep(1)
        assert told[-1] == "waiting_for_external_ready"
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(2)
        assert told[-5:] == [
            "supported_energy_transfer_modes",
            "session_event",
            "selected_protocol",
            "ready",
            "enforced_limits",
        ]
