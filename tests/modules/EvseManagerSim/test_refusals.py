"""What an EVSE does not take, and when: reservations, authorizations, stops (station 2.5, 2.8)."""

from __future__ import annotations

import asyncio

import pytest

from tests.modules.EvseManagerSim.charger import NODERED, TO_CHARGING, Charger, token

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("why", ["disabled", "fault", "authorized", "plugged in", "charging", "finished"])
async def test_only_a_free_and_sound_evse_can_be_reserved(why: str) -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        if why == "disabled":
            await charger.set_available("Disable")
        elif why == "fault":
            charger.inject("MREC6UnderVoltage")
        elif why == "authorized":
            await charger.swipe()
        elif why == "plugged in":
            await charger.plug_in()
        else:
            await charger.charge(2)
        if why == "finished":
            await charger.stop()
        await asyncio.sleep(0.5)
        assert await charger.call("evse", "reserve", {"reservation_id": 7}) is False
        assert "ReservationStart" not in charger.kinds()


async def test_a_reservation_that_comes_with_an_authorization_counts_only_before_the_plug_in() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        await charger.swipe(reservation_id=7)
        assert "reservation_id" not in charger.last("TransactionStarted")["transaction_started"]
        await charger.unplug()
        await charger.swipe(reservation_id=8)
        assert "reservation_id" not in charger.last("SessionStarted")["session_started"]
        await charger.plug_in()
        assert charger.last("TransactionStarted")["transaction_started"]["reservation_id"] == 8
        assert "ReservationStart" not in charger.kinds()


async def test_an_authorization_before_the_start_is_ignored() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        await asyncio.sleep(1)
        await charger.swipe()
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled"]


async def test_a_second_authorization_of_the_same_session_changes_nothing() -> None:
    async with Charger() as charger:
        await charger.charge(2)
        await charger.swipe(token("TAG2"))
        await asyncio.sleep(2)
        assert charger.kinds() == TO_CHARGING
        assert charger.last("TransactionStarted")["transaction_started"]["id_tag"] == token("TAG1")


async def test_a_disable_overrides_the_reason_of_a_stop_before_it() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.plug_in("sleep 1;iec_wait_pwr_ready;draw_power_fixed 16,3;sleep 36000")
        await charger.swipe()
        await asyncio.sleep(3)
        await charger.call("evse", "stop_transaction", {"request": {"reason": "Local", "id_tag": token()}})
        await asyncio.sleep(1)
        await charger.set_available("Disable")
        await asyncio.sleep(10)
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert (finished["reason"], "id_tag" in finished) == ("EVSEDisabled", False)


async def test_with_zero_power_in_idle_a_car_that_waits_for_its_card_has_power_on_offer() -> None:
    async with Charger(request_zero_power_in_idle=True) as charger:
        await asyncio.sleep(2)
        leaves = charger.published("energy_grid", "energy_flow_request")[-1]["schedule_import"][0]["limits_to_leaves"]
        assert leaves["ac_max_current_A"]["value"] == 0.0
        assert charger.published("evse", "limits")[-1]["max_current"] == 0.0
        await charger.plug_in()
        leaves = charger.published("energy_grid", "energy_flow_request")[-1]["schedule_import"][0]["limits_to_leaves"]
        assert leaves == {}
        assert charger.published("evse", "limits")[-1]["max_current"] == 32.0


async def test_a_session_that_was_paused_leaves_no_pause_to_the_next_one() -> None:
    async with Charger() as charger:
        await charger.charge(2)
        await charger.call("evse", "pause_charging")
        await charger.stop()
        await charger.unplug()
        await charger.charge(5)
        assert charger.kinds()[-6:] == TO_CHARGING


async def test_a_withdrawal_after_the_transaction_says_nothing() -> None:
    async with Charger() as charger:
        await charger.charge(2)
        await charger.stop()
        before = charger.kinds()
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(1)
        assert charger.kinds() == before


@pytest.mark.parametrize(("hlc", "answers"), [(True, ("Accepted", "Accepted")), (False, ("NoHlc", "NoHlc"))])
async def test_transfer_modes_and_der_need_iso_15118(hlc: bool, answers: tuple[str, str]) -> None:
    async with Charger(ac_hlc_enabled=hlc) as charger:
        await asyncio.sleep(1)
        modes = {"allowed_energy_transfer_modes": ["AC_three_phase_core"]}
        told = await charger.call("evse", "update_allowed_energy_transfer_modes", modes)
        assert (told, await charger.call("evse", "set_der_available", {"available": True})) == answers


async def test_a_disabled_evse_shows_state_f_and_sees_no_car_that_comes_meanwhile() -> None:
    async with Charger() as charger:
        await asyncio.sleep(1)
        await charger.set_available("Disable")
        await asyncio.sleep(1)
        assert charger.board_events() == ["A", "F"]
        await charger.plug_in()
        await charger.set_available("Enable")
        await asyncio.sleep(5)
        assert charger.kinds() == ["Disabled", "Enabled"]
        await charger.unplug()
        await charger.plug_in()
        assert charger.kinds()[2:] == ["SessionStarted", "AuthRequired"]


async def test_a_disable_orders_state_f_of_the_board_and_switches_it_off() -> None:
    orders: list[str] = []
    async with Charger(connections={"bsp": ["board/main"]}) as charger:
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(
                "board/main", command, lambda args, name=command: orders.append(f"{name} {args.get('value')}")
            )
        await asyncio.sleep(1)
        orders.clear()
        await charger.set_available("Disable")
        await asyncio.sleep(0.5)
        assert [order for order in orders if "limit" not in order] == ["cp_state_F None", "enable False"]


async def test_a_list_at_a_bad_time_is_a_warning_and_a_wrong_one_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Station 3.2 and 3.3."""
    async with Charger() as charger:
        await asyncio.sleep(1)
        charger.car("sleep 99")
        await asyncio.sleep(0.5)
        caplog.clear()
        charger.car("sleep 1")
        charger.car("x" * 200_000, modify=True)
        charger.external(f"{NODERED}carsim/error", f'{{"error_type": "{"y" * 200_000}"}}')
        charger.external(f"{NODERED}carsim/cmd/enable", "false")
        charger.car("sleep 1", modify=True)
        await asyncio.sleep(0.5)
        refused = [(record.levelname, record.message) for record in caplog.records if "simulat" in record.name.lower()]
        levels = [level for level, message in refused]
        assert levels == ["WARNING", "ERROR", "ERROR", "WARNING"]
        assert "still being executed" in refused[0][1] and "not enabled" in refused[3][1]
        assert all(len(message) < 700 for _, message in refused)


@pytest.mark.parametrize("priority", [-1, 10001, 10**30])
async def test_a_priority_out_of_range_changes_nothing(priority: int, caplog: pytest.LogCaptureFixture) -> None:
    """Station 2.6: the answer is whether the EVSE is enabled afterwards."""
    async with Charger() as charger:
        await asyncio.sleep(1)
        assert await charger.set_available("Disable", connector_id=1, priority=priority) is True
        assert f"enable_priority {priority} is not 0 to 10000" in caplog.text
        assert await charger.set_available("Disable", priority=10000) is False
        assert await charger.set_available("Enable", priority=priority) is False
        assert await charger.set_available("Enable", priority=0) is True
        await asyncio.sleep(0.5)
        assert charger.kinds() == ["Disabled", "Enabled"]
        assert "connector_id" not in charger.last("Disabled")
