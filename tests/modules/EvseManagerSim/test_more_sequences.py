"""Further rows of station 2.5, and every error that can be injected (3.5), in every state that it can meet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modules.EvseManagerSim.faults import INJECTABLE, NOT_FATAL
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger, token

pytestmark = pytest.mark.looptime

END = ["StoppingCharging", "ChargingFinished", "TransactionFinished"]
RESUMED = ["PrepareCharging", "ChargingStarted"]
LAZY = "sleep 1;iec_wait_pwr_ready;sleep 999"


def limit(amps: float) -> dict[str, Any]:
    root = {"ac_max_current_A": {"value": amps, "source": "test"}}
    entry = {"timestamp": "2026-01-01T00:00:00Z", "limits_to_root": root, "limits_to_leaves": {}}
    return {"value": {"schedule_import": [entry], "schedule_export": [], "schedule_setpoints": []}}


def reasons(charger: Charger) -> list[list[str]]:
    return [event["charging_paused_evse"]["reasons"] for event in charger.events() if "charging_paused_evse" in event]


# --- every error


async def test_every_injectable_error_is_raised_once_pauses_charging_if_fatal_and_lets_it_go_on() -> None:
    async with Charger() as charger:
        await charger.charge(2)
        for name, error_type in INJECTABLE.items():
            before = len(charger.kinds())
            charger.inject(name)
            charger.inject(name)  # a second time does nothing
            await asyncio.sleep(2)
            raised = [error for face in FACES for error in charger.errors(face)]
            assert [(error.type, error.severity, error.message) for error in raised] == [
                (error_type, "High", "Simulated fault event")
            ]
            fatal = error_type not in NOT_FATAL
            assert charger.kinds()[before:] == (["StoppingCharging", "ChargingPausedEVSE"] if fatal else [])
            assert [error.message for error in charger.errors("evse")] == ([error_type] if fatal else [])
            charger.inject(name, raised=False)
            await asyncio.sleep(5)
            assert [error for face in (*FACES, "evse") for error in charger.errors(face)] == []
            assert charger.kinds()[before + 2 :] == (RESUMED if fatal else [])
        assert {tuple(found) for found in reasons(charger)} == {("Error",)}


FACES = ("evse_board_support", "connector_lock", "powermeter", "rcd")


@pytest.mark.parametrize("name", ["MREC17EVSEContactorFault", "MREC25BrokenLatch", "ac_rcd_Selftest"])
async def test_a_fault_between_plug_in_and_swipe_kills_the_session(name: str) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        charger.inject(name)
        await asyncio.sleep(1)
        charger.inject(name, raised=False)
        await charger.swipe()
        await asyncio.sleep(3)
        assert "TransactionStarted" not in charger.kinds()
        await charger.unplug()
        assert charger.kinds()[-1] == "SessionFinished"


async def test_stop_during_a_fault_ends_the_transaction() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        charger.inject("MREC17EVSEContactorFault")
        await asyncio.sleep(2)
        await charger.stop("Remote")
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE", *END]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "Remote"


async def test_a_fault_and_a_pause_at_once_list_both_and_both_must_go() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        charger.inject("MREC6UnderVoltage")
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(2)
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(2)
        assert reasons(charger)[-2:] == [["Error", "UserPause"], ["UserPause"]]
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(3)
        assert charger.kinds()[-2:] == RESUMED


# --- the lock


async def test_a_lock_that_does_not_lock_keeps_the_evse_from_charging_until_it_is_mended() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("lock_ConnectorLockFailedLock")
        await charger.plug_in()
        await charger.swipe()
        await asyncio.sleep(3)
        assert "PrepareCharging" not in charger.kinds()
        assert not charger.module.lock.locked  # type: ignore[attr-defined]


async def test_an_unlock_that_fails_during_a_transaction_stops_it_and_answers_false_when_it_is_over() -> None:
    async with Charger() as charger:
        await charger.charge(3)
        charger.inject("lock_ConnectorLockFailedUnlock")
        await asyncio.sleep(2)
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is False  # the contactor is open already
        await asyncio.sleep(2)
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "UnlockCommand"
        assert charger.module.lock.locked  # type: ignore[attr-defined]


# --- pauses from both sides


async def test_a_pause_ordered_before_charging_begins_takes_effect_when_it_does() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 5;draw_power_regulated 16,3;sleep 999")
        await charger.swipe()
        assert await charger.call("evse", "pause_charging") is True
        await asyncio.sleep(10)
        assert charger.kinds() == [*TO_CHARGING, "StoppingCharging", "ChargingPausedEVSE"]


async def test_car_and_evse_pause_and_charging_goes_on_when_both_want_it() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(2)
        charger.car("pause;sleep 9999", modify=True)
        await asyncio.sleep(2)
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(5)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE", "PrepareCharging"]
        charger.car("draw_power_regulated 16,3;sleep 9999", modify=True)
        await asyncio.sleep(2)
        assert charger.kinds()[9:] == ["ChargingStarted"]


async def test_energy_that_goes_while_the_car_pauses_is_told_and_comes_back() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        charger.car("pause;sleep 9999", modify=True)
        await asyncio.sleep(2)
        await charger.call("external_limits", "set_external_limits", limit(0.0))
        await asyncio.sleep(2)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEV", "ChargingPausedEVSE"]
        assert reasons(charger) == [["NoEnergy"]]
        await charger.call("external_limits", "set_external_limits", limit(16.0))
        charger.car("draw_power_regulated 16,3;sleep 9999", modify=True)
        await asyncio.sleep(5)
        assert charger.kinds()[9:] == RESUMED


# --- stops


@pytest.mark.parametrize("reason", ["DeAuthorized", "PowerLoss", "EmergencyStop", "HardReset", "SoftReset", "Other"])
async def test_every_reason_of_a_stop_is_passed_on(reason: str) -> None:
    async with Charger() as charger:
        await charger.charge(2)
        assert await charger.stop(reason)
        assert charger.kinds()[6:] == END
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == reason


async def test_stop_while_preparing() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in(LAZY)
        await charger.swipe()
        await asyncio.sleep(2)
        await charger.stop("Local", id_tag=token())
        assert charger.kinds() == [*TO_CHARGING[:-1], *END]


async def test_unplug_while_preparing_and_while_the_evse_pauses() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in(LAZY)
        await charger.swipe()
        await charger.unplug()
        assert charger.kinds() == [*TO_CHARGING[:-1], *END, "SessionFinished"]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVDisconnected"
    async with Charger() as charger:
        await charger.charge(2)
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(2)
        await charger.unplug()
        assert charger.kinds()[8:] == [*END, "SessionFinished"]


async def test_a_transaction_that_is_over_does_not_stop_again() -> None:
    async with Charger() as charger:
        await charger.charge(2)
        assert await charger.stop() is True
        assert await charger.stop() is False
        assert charger.kinds().count("TransactionFinished") == 1


# --- availability


async def test_disable_while_paused_and_while_preparing_ends_everything() -> None:
    for prepare in ("pause", "lazy"):
        async with Charger() as charger:
            if prepare == "pause":
                await charger.charge(2)
                await charger.call("evse", "pause_charging")
            else:
                await asyncio.sleep(1)
                await charger.plug_in(LAZY)
                await charger.swipe()
            await asyncio.sleep(2)
            assert await charger.set_available("Disable") is False
            await asyncio.sleep(2)
            assert charger.kinds()[-5:] == [*END, "SessionFinished", "Disabled"]
            assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVSEDisabled"


async def test_a_row_that_loses_changes_nothing_and_a_stronger_one_wins() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        assert await charger.set_available("Disable", source="LocalKeyLock", priority=10) is False
        assert await charger.set_available("Enable", source="CSMS", priority=5000) is False
        assert charger.kinds() == ["Disabled"]
        assert await charger.set_available("Enable", source="ServiceTechnician", priority=1) is True
        assert charger.kinds() == ["Disabled", "Enabled"]
        assert charger.last("Enabled")["source"]["enable_source"] == "ServiceTechnician"
        assert await charger.set_available("Unassigned", source="ServiceTechnician", priority=1) is False


async def test_the_connector_is_named_only_where_the_call_named_it() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.set_available("Disable", connector_id=1)
        await charger.set_available("Enable", connector_id=0)  # DEPARTURE E4: the table alone decides
        named = [event.get("connector_id") for event in charger.events()[1:]]
        assert (charger.kinds(), named) == (["Disabled", "Enabled"], [1, None])
