"""Faults on the bus: where they are raised, Inoperative, locks, over current (station 2.7, 2.9, 3.5)."""

from __future__ import annotations

import asyncio

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, Charger

pytestmark = pytest.mark.looptime

ERROR = f"{NODERED}carsim/error"


async def test_an_injected_board_error_is_raised_there_and_makes_the_evse_inoperative() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(0.2)
        (board,) = charger.errors("evse_board_support")
        assert (board.type, board.message, board.severity) == (
            "evse_board_support/MREC6UnderVoltage",
            "Simulated fault event",
            "High",
        )
        (own,) = charger.errors("evse")
        assert (own.type, own.message, own.description) == (
            "evse_manager/Inoperative",
            "evse_board_support/MREC6UnderVoltage",
            "MREC6UnderVoltage",
        )
        assert (own.severity, own.vendor_id, own.sub_type) == ("High", "EVerest", "")
        assert own.origin.mapping is not None and own.origin.mapping.evse == 1
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(0.2)
        assert charger.errors("evse") == charger.errors("evse_board_support") == []


async def test_inoperative_carries_the_vendor_of_its_cause_where_configured() -> None:
    async with Charger(inoperative_error_use_vendor_id=True) as charger:
        await asyncio.sleep(1)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(0.2)
        assert [error.vendor_id for error in charger.errors("evse")] == ["everest"]


@pytest.mark.parametrize(
    ("injected", "face", "error_type"),
    [
        ("powermeter/CommunicationFault", "powermeter", "powermeter/CommunicationFault"),
        ("lock_ConnectorLockFailedLock", "connector_lock", "connector_lock/ConnectorLockFailedLock"),
        ("ac_rcd_AC", "evse_board_support", "ac_rcd/AC"),
    ],
)
async def test_each_error_is_raised_where_its_interface_declares_it(injected: str, face: str, error_type: str) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject(injected)
        await asyncio.sleep(0.2)
        assert [error.type for error in charger.errors(face)] == [error_type]
        assert [error.message for error in charger.errors("evse")] == [error_type]


async def test_a_warning_does_not_make_the_evse_inoperative() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("MREC3HighTemperature")
        await asyncio.sleep(0.2)
        assert len(charger.errors("evse_board_support")) == 1
        assert charger.errors("evse") == []


async def test_a_second_cause_replaces_inoperative_and_the_first_cause_leads() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("powermeter/CommunicationFault")
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(0.2)
        (own,) = charger.errors("evse")
        assert own.message == "evse_board_support/MREC6UnderVoltage"
        assert own.description == "MREC6UnderVoltage, CommunicationFault"


async def test_powermeter_errors_can_be_made_harmless() -> None:
    async with Charger(fail_on_powermeter_errors=False) as charger:
        await asyncio.sleep(1)
        charger.inject("powermeter/CommunicationFault")
        await asyncio.sleep(0.2)
        assert charger.errors("evse") == []


@pytest.mark.parametrize(
    "payload", ['{"error_type": "Inoperative", "raise": "true"}', "no json", "[]", '{"raise": "true"}']
)
async def test_a_senseless_injection_is_logged_and_ignored(payload: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.external(ERROR, payload)
        charger.external(ERROR, '{"error_type": "MREC6UnderVoltage", "raise": true}')
        await asyncio.sleep(1)
        assert charger.errors("evse") == []
        assert "carsim/error ignored" in caplog.text


async def test_a_diode_fault_without_car_is_cleared_by_the_board_at_once() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.inject("DiodeFault")
        await asyncio.sleep(0.2)
        assert charger.errors("evse_board_support") == []
        assert charger.errors("evse") == []


async def test_a_diode_failure_of_the_car_faults_the_evse_until_it_is_unplugged() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 5;diode_fail;sleep 999")
        await charger.swipe()
        await asyncio.sleep(6)
        assert [error.message for error in charger.errors("evse")] == ["evse_board_support/DiodeFault"]
        assert charger.kinds()[-1] == "ChargingPausedEVSE"
        await charger.unplug()
        assert charger.errors("evse") == []
        assert charger.kinds()[-1] == "SessionFinished"


@pytest.mark.parametrize("after", [0.25, 0.5, 0.75])
async def test_a_car_that_goes_while_a_diode_fault_shows_state_f_is_not_prepared_for_once_more(after: float) -> None:
    async with Charger() as charger:
        await charger.charge(2)
        charger.car(f"diode_fail;sleep {after};unplug", modify=True)
        await asyncio.sleep(5)
        assert "PrepareCharging" not in charger.kinds()[6:]
        assert charger.kinds()[-1] == "SessionFinished"
        assert charger.errors("evse") == []


async def test_residual_current_faults_the_evse_and_goes_with_the_car() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 2;rcd_current 10;sleep 999")
        await charger.swipe()
        await asyncio.sleep(5)
        assert [error.type for error in charger.errors("rcd")] == ["ac_rcd/DC"]
        assert [error.message for error in charger.errors("evse")] == ["ac_rcd/DC"]
        await charger.unplug()
        assert charger.errors("rcd") == []


async def test_force_unlock_stops_the_transaction_and_needs_a_lock() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is True
        await asyncio.sleep(2)
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "UnlockCommand"
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is True
        charger.inject("lock_ConnectorLockFailedUnlock")
        await asyncio.sleep(0.2)
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is False
    async with Charger(connector_lock=False) as charger:
        await asyncio.sleep(1)
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is False


async def test_a_fatal_error_opens_the_contactor_although_the_car_wants_power() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_fixed 16,3;sleep 999")
        await charger.swipe()
        await asyncio.sleep(3)
        charger.inject("MREC8EmergencyStop")
        await asyncio.sleep(0.5)
        assert charger.published("board_support", "event")[-2:] == ["PowerOff", "BCDtoEF"]
        assert charger.kinds()[-1] == "ChargingPausedEVSE"


async def test_an_unlock_while_the_contactor_is_closed_waits_until_it_is_open() -> None:
    async with Charger() as charger:
        await charger.charge(5)
        lock = charger.module.lock  # type: ignore[attr-defined]
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is True
        assert lock.locked
        await asyncio.sleep(2)
        assert not lock.locked


async def test_mrec9_is_raised_at_a_plug_in_timeout_where_configured() -> None:
    async with Charger(raise_mrec9=True) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(1)
        raised = {error.type: error.severity for error in charger.errors("evse")}
        assert raised == {"evse_manager/MREC9AuthorizationTimeout": "Medium", "evse_manager/Inoperative": "High"}
        await charger.unplug()
        assert charger.errors("evse") == []


async def test_a_car_that_draws_more_than_offered_faults_the_evse_until_it_is_unplugged() -> None:
    """A negative tolerance makes every current too high."""
    async with Charger(soft_over_current_tolerance_percent=-60.0) as charger:
        await charger.charge(6)
        assert charger.errors("evse") == []
        await asyncio.sleep(3)
        types = [error.type for error in charger.errors("evse")]
        assert types == ["evse_manager/MREC4OverCurrentFailure", "evse_manager/Inoperative"]
        assert charger.kinds()[-1] == "ChargingPausedEVSE"
        await charger.unplug()
        assert charger.errors("evse") == []


async def test_reservations_are_announced_shown_and_used() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        assert await charger.call("evse", "reserve", {"reservation_id": 7}) is True
        assert await charger.call("evse", "reserve", {"reservation_id": 7}) is True
        assert await charger.call("evse", "reserve", {"reservation_id": 8}) is False
        assert charger.kinds() == ["ReservationStart"]
        start = charger.last("ReservationStart")
        assert start["uuid"] == "" and start["timestamp"].endswith("Z")  # DEPARTURE E1: a real time
        await charger.swipe(reservation_id=7)
        await charger.plug_in()
        assert charger.last("SessionStarted")["session_started"]["reservation_id"] == 7
        assert charger.last("TransactionStarted")["transaction_started"]["reservation_id"] == 7
        assert "ReservationEnd" not in charger.kinds()
        assert await charger.call("evse", "reserve", {"reservation_id": 9}) is False


async def test_a_reservation_that_a_swipe_used_is_gone_without_an_event() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.call("evse", "reserve", {"reservation_id": 7})
        await charger.swipe()
        assert charger.last("SessionStarted")["session_started"]["reservation_id"] == 7
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(0.2)
        assert "ReservationEnd" not in charger.kinds()
        assert await charger.call("evse", "reserve", {"reservation_id": 8}) is True


@pytest.mark.parametrize("how", ["cancel", "disable", "error"])
async def test_a_reservation_ends_with_an_event(how: str) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.call("evse", "reserve", {"reservation_id": -1})
        if how == "cancel":
            await charger.call("evse", "cancel_reservation")
        elif how == "disable":
            await charger.set_available("Disable")
        else:
            charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(0.2)
        assert charger.kinds()[:2] == ["ReservationStart", "ReservationEnd"]


async def test_a_withdrawn_authorization_ends_its_reservation_first() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.swipe(reservation_id=7)
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(0.2)
        assert charger.kinds()[2:] == ["ReservationEnd", "Deauthorized", "SessionFinished"]


async def test_residual_current_counts_above_five_milliampere() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;sleep 99")
        for milliampere, errors in (("5", 0), ("5.1", 1), ("5.0", 0)):
            charger.car(f"rcd_current {milliampere};sleep 99", modify=True)
            await asyncio.sleep(1)
            assert len(charger.errors("rcd")) == errors
            assert charger.published("rcd", "rcd_current_mA")[-1] == float(milliampere)


async def test_a_diode_fault_of_the_car_shows_with_pwm_only() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;diode_fail;iec_wait_pwr_ready;sleep 99")
        assert charger.errors("evse_board_support") == []
        await charger.swipe()
        await asyncio.sleep(1)
        (error,) = charger.errors("evse_board_support")
        assert (error.type, error.severity) == ("evse_board_support/DiodeFault", "High")
