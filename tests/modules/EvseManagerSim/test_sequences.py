"""Every sequence of session events that basic AC charging reaches (station 2.5), on the bench in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, TO_CHARGING, Charger, token

pytestmark = pytest.mark.looptime

END = ["StoppingCharging", "ChargingFinished", "TransactionFinished"]


async def test_plug_in_then_swipe_then_stop_by_swipe_then_unplug() -> None:
    async with Charger() as charger:
        await charger.charge()
        assert charger.kinds() == TO_CHARGING
        assert await charger.stop("Local", id_tag=token("TAG9"))
        assert charger.kinds() == TO_CHARGING + END
        await charger.unplug()
        assert charger.kinds() == [*TO_CHARGING, *END, "SessionFinished"]
        assert charger.last("SessionStarted")["session_started"]["reason"] == "EVConnected"
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert finished["reason"] == "Local"
        assert finished["id_tag"] == token("TAG9")


async def test_swipe_then_plug_in_asks_for_authorization_all_the_same() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.swipe()
        assert charger.kinds() == ["SessionStarted", "Authorized"]
        started = charger.last("SessionStarted")["session_started"]
        assert started["reason"] == "Authorized"
        assert started["id_tag"] == token()
        await charger.plug_in()
        await asyncio.sleep(2)
        assert charger.kinds()[2:] == ["AuthRequired", "TransactionStarted", "PrepareCharging", "ChargingStarted"]


async def test_swipe_without_plug_in_ends_when_the_authorization_is_withdrawn() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.swipe()
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(0.2)
        assert charger.kinds() == ["SessionStarted", "Authorized", "Deauthorized", "SessionFinished"]


async def test_plug_in_without_swipe_in_time_gives_a_plug_in_timeout() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        await charger.call("evse", "withdraw_authorization")
        await charger.unplug()
        assert charger.kinds() == ["SessionStarted", "AuthRequired", "Deauthorized", "PluginTimeout", "SessionFinished"]


async def test_plug_in_and_unplug_without_swipe_is_a_session_without_transaction() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        await charger.unplug()
        assert charger.kinds() == ["SessionStarted", "AuthRequired", "SessionFinished"]


async def test_pause_and_resume_by_the_evse() -> None:
    async with Charger() as charger:
        await charger.charge()
        assert await charger.call("evse", "pause_charging") is True
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE"]
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["UserPause"]}
        assert await charger.call("evse", "resume_charging") is True
        await asyncio.sleep(3)
        assert charger.kinds()[8:] == ["PrepareCharging", "ChargingStarted"]


async def test_pause_and_resume_by_the_car() -> None:
    async with Charger() as charger:
        await charger.charge()
        charger.car("pause;sleep 36000", modify=True)
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV"]
        charger.car("draw_power_regulated 16,3", modify=True)
        await asyncio.sleep(3)
        assert charger.kinds()[8:] == ["PrepareCharging", "ChargingStarted"]


async def test_energy_taken_away_and_given_back() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.call("external_limits", "set_external_limits", {"value": limit(0.0)})
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE"]
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["NoEnergy"]}
        await charger.call("external_limits", "set_external_limits", {"value": limit(10.0)})
        await asyncio.sleep(3)
        assert charger.kinds()[8:] == ["PrepareCharging", "ChargingStarted"]


async def test_no_energy_before_charging_began_gives_no_event() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.call("external_limits", "set_external_limits", {"value": limit(0.0)})
        await charger.plug_in()
        await charger.swipe()
        await asyncio.sleep(120)
        assert charger.kinds() == TO_CHARGING[:-1]


async def test_remote_stop_carries_no_token() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.stop("Remote")
        assert charger.kinds()[6:] == END
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert finished["reason"] == "Remote"
        assert "id_tag" not in finished


async def test_the_last_stop_request_before_the_end_counts() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.call("evse", "stop_transaction", {"request": {"reason": "Local", "id_tag": token("A")}})
        await charger.stop("Remote")
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert (finished["reason"], "id_tag" in finished) == ("Remote", False)


async def test_stop_while_paused_needs_no_contactor() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(3)
        await charger.stop()
        assert charger.kinds()[8:] == END


async def test_unplug_while_charging_ends_transaction_and_session() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.unplug()
        assert charger.kinds()[6:] == [*END, "SessionFinished"]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVDisconnected"


async def test_a_stopped_session_is_dead_until_the_car_is_plugged_in_again() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.stop()
        await charger.swipe()
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == END
        await charger.unplug()
        first = charger.last("SessionFinished")["uuid"]
        await charger.charge(1)
        assert charger.kinds()[-6:] == TO_CHARGING
        assert charger.last("SessionStarted")["uuid"] != first


async def test_withdraw_authorization_during_a_transaction_changes_nothing_but_says_so() -> None:
    async with Charger() as charger:
        await charger.charge()
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == ["Deauthorized"]


async def test_a_fatal_error_while_charging_pauses_the_transaction_and_charging_goes_on_after_it() -> None:
    async with Charger() as charger:
        await charger.charge()
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE"]
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["Error"]}
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(3)
        assert charger.kinds()[8:] == ["PrepareCharging", "ChargingStarted"]
        assert await charger.stop()


async def test_a_fatal_error_while_preparing_pauses_too() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 36000")
        await charger.swipe()
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(1)
        assert charger.kinds()[5:] == ["StoppingCharging", "ChargingPausedEVSE"]


async def test_a_fatal_error_between_plug_in_and_swipe_kills_the_session_until_replug() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(1)
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(1)
        await charger.swipe()
        await asyncio.sleep(5)
        assert charger.kinds() == ["SessionStarted", "AuthRequired", "Authorized"]
        await charger.unplug()
        assert charger.kinds()[3:] == ["SessionFinished"]


async def test_a_fatal_error_while_the_car_pauses_shows_when_the_car_wants_power() -> None:
    async with Charger() as charger:
        await charger.charge()
        charger.car("pause;sleep 36000", modify=True)
        await asyncio.sleep(3)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV"]
        charger.car("draw_power_regulated 16,3;sleep 36000", modify=True)
        await asyncio.sleep(3)
        assert charger.kinds()[8:] == ["PrepareCharging", "StoppingCharging", "ChargingPausedEVSE"]


async def test_a_fatal_error_while_idle_gives_no_event_and_a_plug_in_meanwhile_is_lost() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(1)
        await charger.plug_in()
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(5)
        assert charger.kinds() == []


async def test_disable_while_charging_ends_everything_in_order() -> None:
    async with Charger() as charger:
        await charger.charge()
        assert await charger.set_available("Disable") is False
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == [*END, "SessionFinished", "Disabled"]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVSEDisabled"
        assert charger.last("Disabled")["uuid"] == ""


async def test_disable_with_a_car_but_no_transaction_and_enable_again() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        await charger.set_available("Disable")
        await asyncio.sleep(1)
        assert charger.kinds()[2:] == ["SessionFinished", "Disabled"]
        await charger.set_available("Enable")
        await asyncio.sleep(5)
        assert charger.kinds()[4:] == ["Enabled"]
        await charger.unplug()
        assert charger.kinds()[5:] == []
        await charger.plug_in()
        assert charger.kinds()[5:] == ["SessionStarted", "AuthRequired"]


async def test_the_event_of_an_idle_evse_precedes_the_result_of_enable_disable() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.set_available("Disable")
        assert charger.kinds() == ["Disabled"]
        await charger.set_available("Enable")
        assert charger.kinds() == ["Disabled", "Enabled"]
        source = {"enable_source": "CSMS", "enable_state": "Enable", "enable_priority": 5000}
        assert charger.last("Enabled")["source"] == source


async def test_phase_switching_while_charging() -> None:
    async with Charger() as charger:
        await charger.charge()
        charger.external(f"{NODERED}cmd/switch_three_phases_while_charging", "false")
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == ["SwitchingPhases"]
        await asyncio.sleep(10)
        assert charger.kinds()[7:] == ["PrepareCharging", "ChargingStarted"]
        await asyncio.sleep(1)
        assert charger.readings()[-1]["current_A"]["L2"] == 0.0
        assert charger.readings()[-1]["current_A"]["L1"] > 15.0


async def test_a_car_that_does_not_draw_power_is_woken_once_and_then_counts_as_paused() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 36000")
        await charger.swipe()
        await asyncio.sleep(29)
        assert charger.kinds() == TO_CHARGING[:-1]
        await asyncio.sleep(7)
        assert charger.kinds()[5:] == ["PrepareCharging"]
        await asyncio.sleep(10)
        assert charger.kinds()[6:] == ["ChargingPausedEV"]
        charger.car("draw_power_regulated 16,3;sleep 36000", modify=True)
        await asyncio.sleep(2)
        assert charger.kinds()[7:] == ["PrepareCharging", "ChargingStarted"]


async def test_a_car_that_stays_in_c_after_the_stop_loses_power_after_six_seconds() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_fixed 16,3;sleep 36000")
        await charger.swipe()
        await asyncio.sleep(5)
        await charger.stop()
        assert charger.kinds()[6:] == ["StoppingCharging"]
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == END


async def test_the_budget_of_an_idle_evse_does_not_keep_a_paused_session_from_going_on() -> None:
    """DEPARTURE E5."""
    async with Charger(request_zero_power_in_idle=True) as charger:
        await asyncio.sleep(2)
        assert charger.published("evse", "limits")[-1]["max_current"] == 0.0
        await charger.charge()
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(10)
        assert charger.last("ChargingPausedEVSE")["charging_paused_evse"] == {"reasons": ["UserPause"]}
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(3)
        assert charger.kinds()[-1] == "ChargingStarted"


async def test_free_charging_presents_its_own_token() -> None:
    async with Charger(disable_authentication=True) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        provided = await charger.next("token_provider", "provided_token")
        assert provided == {
            "authorization_type": "RFID",
            "id_token": {"type": "Local", "value": "FREESERVICE"},
            "prevalidated": True,
        }


async def test_commands_without_transaction_answer_false() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        assert await charger.stop() is False
        assert await charger.call("evse", "pause_charging") is False
        assert await charger.call("evse", "resume_charging") is False
        assert await charger.call("evse", "external_ready_to_start_charging") is False
        assert (
            await charger.call(
                "evse",
                "update_allowed_energy_transfer_modes",
                {"allowed_energy_transfer_modes": ["AC_three_phase_core"]},
            )
            == "NoHlc"
        )


def limit(amps: float) -> dict[str, object]:
    """External limits with one entry that counts from long ago."""
    side = {"ac_max_current_A": {"value": amps, "source": "test"}}
    entry = {"timestamp": "2026-01-01T00:00:00.000Z", "limits_to_root": side, "limits_to_leaves": {}}
    return {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}
