"""The session driven through the board contracts: our board's words on the bus, and a board of somebody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from everest.runtime.testing import ModuleBench
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger, token

pytestmark = pytest.mark.looptime

BOARD = "board/main"
END = ["StoppingCharging", "ChargingFinished", "TransactionFinished", "SessionFinished"]
CAPABILITIES_AC = {
    "max_current_A_import": 16.0,
    "min_current_A_import": 6.0,
    "max_phase_count_import": 3,
    "min_phase_count_import": 1,
    "max_current_A_export": 0.0,
    "min_current_A_export": 0.0,
    "max_phase_count_export": 3,
    "min_phase_count_export": 1,
    "supports_changing_phases_during_charging": False,
}


async def test_the_simulated_board_tells_the_session_in_the_words_of_board_support_ac() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        await charger.stop()
        await charger.unplug()
        assert charger.published("board_support", "event") == [
            "CarPluggedIn",
            "CarRequestedPower",
            "PowerOn",
            "CarRequestedStopPower",
            "PowerOff",
            "CarUnplugged",
        ]
        words = [event["event"] for event in charger.published("evse_board_support", "event")]
        assert words == ["A", "B", "C", "PowerOn", "B", "PowerOff", "A"]
        telemetry = charger.published("board_support", "telemetry")[-1]
        assert set(telemetry) == {
            "temperature",
            "fan_rpm",
            "supply_voltage_12V",
            "supply_voltage_minus_12V",
            "rcd_current",
            "relais_on",
        }


class PlayedBoard(Charger):
    """The test is the board, behind board_support_AC."""

    def __init__(self, **more: Any) -> None:
        super().__init__(connections={"bsp_ac": [BOARD]}, **more)
        self.orders: list[tuple[str, Any]] = []
        self.answer(BOARD, "get_hw_capabilities", lambda args: CAPABILITIES_AC)
        for command in ("setup", "enable", "pwm_on", "pwm_off", "pwm_F", "allow_power_on"):
            self.answer(BOARD, command, self._keeper(command))

    def _keeper(self, command: str) -> Any:
        return lambda args: self.orders.append((command, args.get("value")))

    async def says(self, *events: str) -> None:
        for event in events:
            self.publish(BOARD, "event", event)
        await asyncio.sleep(0.5)


async def test_a_board_behind_board_support_ac_drives_a_whole_session() -> None:
    async with PlayedBoard() as charger:
        await asyncio.sleep(1)
        assert ("enable", True) in charger.orders
        assert charger.published("evse", "hw_capabilities")[-1]["max_current_A_import"] == 16.0
        await charger.says("CarPluggedIn")
        await charger.swipe()
        duty = dict(charger.orders)["pwm_on"]
        assert duty == pytest.approx(16.0 / 60.0)
        await charger.says("CarRequestedPower")
        assert charger.orders[-1] == ("allow_power_on", True)
        await charger.says("PowerOn")
        assert charger.kinds() == TO_CHARGING
        await charger.call("evse", "stop_transaction", {"request": {"reason": "Local", "id_tag": token()}})
        await asyncio.sleep(0.2)
        assert charger.orders[-1] == ("pwm_off", None)
        assert charger.kinds()[6:] == END[:1]
        await charger.says("CarRequestedStopPower")
        assert charger.orders[-1] == ("allow_power_on", False)
        await charger.says("PowerOff", "CarUnplugged")
        assert charger.kinds()[6:] == END


@pytest.mark.parametrize("can", [True, False])
async def test_phases_are_switched_only_by_a_board_that_can(can: bool, caplog: pytest.LogCaptureFixture) -> None:
    charger = PlayedBoard()
    capabilities = {**CAPABILITIES_AC, "supports_changing_phases_during_charging": can}
    charger.answer(BOARD, "get_hw_capabilities", lambda args: capabilities)
    charger.answer(BOARD, "switch_three_phases_while_charging", charger._keeper("phases"))
    async with charger:
        await asyncio.sleep(1)
        root = charger.published("energy_grid", "energy_flow_request")[-1]["schedule_import"][0]["limits_to_root"]
        assert root["ac_supports_changing_phases_during_charging"] is can
        await charger.says("CarPluggedIn")
        await charger.swipe()
        await charger.says("CarRequestedPower", "PowerOn")
        tree = {"ac_max_current_A": {"value": 16.0, "source": "t"}, "ac_max_phase_count": {"value": 1, "source": "t"}}
        budget = {"uuid": "evse_manager_1", "valid_for": 60, "limits_root_side": tree, "schedule": []}
        await charger.call("energy_grid", "enforce_limits", {"value": budget})
        charger.external("everest_external/nodered/1/cmd/switch_three_phases_while_charging", "false")
        await asyncio.sleep(1)
        assert ("SwitchingPhases" in charger.kinds()) is can
        assert ("cannot change phases" in caplog.text) is not can


async def test_an_error_event_of_the_board_makes_the_evse_inoperative_until_the_car_is_gone() -> None:
    async with PlayedBoard() as charger:
        await asyncio.sleep(1)
        await charger.says("CarPluggedIn", "ErrorOverCurrent")
        assert [error.message for error in charger.errors("evse")] == ["evse_board_support/MREC4OverCurrentFailure"]
        await charger.says("CarUnplugged")
        assert charger.errors("evse") == []
        assert charger.kinds() == ["SessionStarted", "AuthRequired", "SessionFinished"]


async def test_a_board_that_answers_with_an_error_is_logged_and_survived() -> None:
    async with PlayedBoard() as charger:
        charger.answer(BOARD, "pwm_on", refuse)
        await asyncio.sleep(1)
        await charger.says("CarPluggedIn")
        await charger.swipe()
        await charger.says("CarRequestedPower", "PowerOn")
        assert charger.kinds() == TO_CHARGING


def refuse(arguments: dict[str, Any]) -> None:
    raise RuntimeError("no PWM today")


async def test_the_own_board_over_the_bus_gives_the_same_session_as_inside() -> None:
    """bsp_ac connected to our own board_support: every event and every order crosses the bus."""
    async with Charger(connections={"bsp_ac": ["evse_manager_1/board_support"]}) as charger:
        await charger.charge(30)
        await charger.stop()
        await charger.unplug()
        assert charger.kinds() == TO_CHARGING + END
        assert charger.energy() > 50.0


async def test_a_fault_of_the_own_board_over_the_bus_stands_until_it_is_cleared() -> None:
    """The EVSE's own pulse of state F must not be taken for the end of the fault."""
    async with Charger(connections={"bsp_ac": ["evse_manager_1/board_support"]}) as charger:
        await charger.charge(5)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE"]
        assert [error.message for error in charger.errors("evse")] == ["evse_board_support/MREC6UnderVoltage"]
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(3)
        assert charger.errors("evse") == []
        assert charger.kinds()[8:] == ["PrepareCharging", "ChargingStarted"]


async def test_a_board_behind_evse_board_support_drives_a_session_and_its_errors_count() -> None:
    async with Charger(connections={"bsp": [BOARD]}) as charger:
        orders: list[tuple[str, Any]] = []
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(BOARD, command, lambda args, name=command: orders.append((name, args.get("value"))))
        await asyncio.sleep(1)
        for event in ("A", "B"):
            charger.publish(BOARD, "event", {"event": event})
        await asyncio.sleep(0.2)
        await charger.swipe()
        for event in ("C", "PowerOn"):
            charger.publish(BOARD, "event", {"event": event})
        await asyncio.sleep(0.2)
        assert charger.kinds() == TO_CHARGING
        assert ("allow_power_on", {"allow_power_on": True, "reason": "FullPowerCharging"}) in orders
        assert dict(orders)["pwm_on"] == pytest.approx(32.0 / 0.6)
        assert [value for name, value in orders if name == "ac_set_overcurrent_limit_A"] == [0.0, 32.0]
        charger.raise_error(BOARD, {"type": "evse_board_support/MREC8EmergencyStop", "severity": "High"})
        await asyncio.sleep(0.2)
        charger.publish(BOARD, "event", {"event": "PowerOff"})
        await asyncio.sleep(0.2)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE"]
        charger.publish(BOARD, "request_stop_transaction", {"reason": "EmergencyStop"})
        await asyncio.sleep(0.2)
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EmergencyStop"


@pytest.mark.parametrize(
    ("connector", "ampacity", "offered"),
    [
        ("IEC62196Type2Socket", "A_20", 20.0),
        ("IEC62196Type2Socket", "A_63_3ph_70_1ph", 32.0),
        ("IEC62196Type2Socket", "None", 32.0),
        ("IEC62196Type2Cable", "A_13", 32.0),
    ],
)
async def test_the_cable_in_a_socket_limits_the_offer(connector: str, ampacity: str, offered: float) -> None:
    async with Charger(connections={"bsp": [BOARD]}) as charger:
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(BOARD, command, lambda args: None)
        capabilities = {**CAPABILITIES_AC, "max_current_A_import": 32.0, "supports_cp_state_E": False}
        charger.publish(BOARD, "capabilities", {**capabilities, "connector_type": connector})
        charger.publish(BOARD, "ac_pp_ampacity", {"ampacity": ampacity})
        charger.publish(BOARD, "ac_nr_of_phases_available", 1)
        await asyncio.sleep(1)
        limits = charger.published("evse", "limits")[-1]
        assert (limits["max_current"], limits["nr_of_phases_available"]) == (offered, 1)
        enforced = charger.published("evse", "enforced_limits")[-1]["limits_root_side"]
        assert enforced["ac_max_current_A"]["value"] == offered


HEALTH = {"fan_rpm": 900.0, "supply_voltage_12V": 12.5, "supply_voltage_minus_12V": -12.5, "relais_on": True}


async def test_a_real_board_s_health_is_told_and_the_simulated_one_s_is_not() -> None:
    async with Charger(connections={"bsp": [BOARD]}) as charger:
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(BOARD, command, lambda args: None)
        await asyncio.sleep(2)
        assert charger.published("evse", "telemetry") == []
        charger.publish(BOARD, "telemetry", {**HEALTH, "evse_temperature_C": 40.0, "plug_temperature_C": 61.5})
        await asyncio.sleep(0.2)
        assert charger.published("evse", "telemetry")[-1] == {
            **HEALTH,
            "evse_temperature_C": 40.0,
            "plug_temperature_C": 61.5,
        }
        assert charger.published("dc_external_derate", "plug_temperature_C") == [61.5]
        assert charger._externals["everest_external/nodered/1/state/temperature"] == ["40.00000"]


async def test_a_board_behind_board_support_ac_tells_its_health_and_its_phases() -> None:
    async with PlayedBoard() as charger:
        await asyncio.sleep(1)
        charger.publish(BOARD, "telemetry", {**HEALTH, "temperature": 33.0, "rcd_current": 0.2})
        charger.publish(BOARD, "nr_of_phases_available", 1)
        await asyncio.sleep(0.2)
        assert charger.published("evse", "telemetry") == [{**HEALTH, "evse_temperature_C": 33.0}]
        assert charger.published("evse", "limits")[-1]["nr_of_phases_available"] == 1


async def test_with_a_real_board_the_simulated_car_s_address_is_no_token() -> None:
    config = {"ac_hlc_enabled": True, "enable_autocharge": True, "autocharge_use_slac_instead_of_hlc": True}
    async with PlayedBoard(**config) as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_slac_matched;sleep 60")
        await asyncio.sleep(3)
        assert charger.published("token_provider", "provided_token") == []


async def test_two_real_boards_at_once_are_refused_by_name() -> None:
    connections = {"bsp": ["one/main"], "bsp_ac": ["two/main"]}
    with pytest.raises(Exception, match="either bsp or bsp_ac") as failure:
        async with Charger(connections=connections):
            pass
    assert isinstance(failure.value, Exception)


async def test_commands_on_the_simulated_board_reach_it() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        capabilities = await charger.call("board_support", "get_hw_capabilities")
        assert capabilities["max_current_A_import"] == 32.0
        assert await charger.call("board_support", "read_pp_ampacity") == 32.0
        settings = {"three_phases": False, "has_ventilation": False, "country_code": "DE", "rcd_enabled": True}
        await charger.call("board_support", "setup", settings)
        board = charger.module.board  # type: ignore[attr-defined]
        assert (board.three_phases, board.has_ventilation) == (False, False)
        await charger.call("board_support", "pwm_on", {"value": 0.5})
        await charger.call("board_support", "allow_power_on", {"value": True})
        await charger.plug_in("sleep 1;draw_power_regulated 16,3;sleep 99")
        assert "PowerOn" in charger.published("board_support", "event")
        assert isinstance(charger, ModuleBench)
