"""Who tells an AC car its current, ISO 15118 or the PWM: the 10 s for the charge loop, ac_enforce_hlc."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import ACCEPTED, PLUG_IN, TO_CHARGING, Charger, limit

pytestmark = pytest.mark.looptime

BEGINS = ["SessionStarted", "AuthRequired", "Authorized", "TransactionStarted"]
GOES_ON = ["PrepareCharging", "ChargingStarted"]
END = ["StoppingCharging", "ChargingFinished", "TransactionFinished"]
MATCHED = "sleep 1;iso_wait_slac_matched;"
SILENT = MATCHED + "iso_start_v2g_session AC {};sleep 36000"
TALKS = MATCHED + "iso_start_v2g_session AC {};iso_wait_pwr_ready;iso_draw_power_regulated 16,3;sleep 36000"


class Iso(Charger):
    """An EVSE with ISO 15118; its car gets a card or a verdict on its contract two seconds after it was plugged in."""

    def __init__(self, **config: Any) -> None:
        super().__init__(ac_hlc_enabled=True, **config)

    async def arrive(self, commands: str, payment: str = "externalpayment") -> None:
        await asyncio.sleep(1)
        self.car(commands.format(payment))
        await asyncio.sleep(3)
        if payment == "contract":
            (token,) = self.published("token_provider", "provided_token")
            await self.call("evse", "authorize_response", {"provided_token": token, "validation_result": ACCEPTED})
        else:
            await self.swipe()

    @property
    def duty(self) -> float | None:
        found: float | None = self.module.board.duty  # type: ignore[attr-defined]
        return None if found is None else round(found, 2)

    @property
    def amps(self) -> float:
        return float(self.readings()[-1]["current_A"]["L1"])

    def failures(self) -> list[str]:
        return [failure["reason"] for failure in self.published("evse", "hlc_session_failed")]


@pytest.mark.parametrize("payment", ["contract", "externalpayment"])
async def test_a_car_that_begins_its_charge_loop_is_told_its_current_by_iso_15118_alone(payment: str) -> None:
    async with Iso(noise=False) as charger:
        await charger.arrive(TALKS, payment)
        await asyncio.sleep(5)
        assert charger.kinds() == TO_CHARGING
        assert (charger.duty, charger.amps) == (5.0, 16.0)
        await charger.call("external_limits", "set_external_limits", limit(10.0))
        await asyncio.sleep(1)  # no PWM to wait for
        assert (charger.duty, charger.amps) == (5.0, 10.0)
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(2)
        assert (charger.duty, charger.amps) == (None, 0.0)
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(3)
        assert charger.kinds()[6:] == ["StoppingCharging", "ChargingPausedEVSE", *GOES_ON]
        assert (charger.duty, charger.amps) == (5.0, 10.0)
        assert charger.failures() == []


@pytest.mark.parametrize("payment", ["contract", "externalpayment"])
async def test_without_charge_loop_in_ten_seconds_the_evse_goes_back_to_normal_pwm(payment: str) -> None:
    async with Iso() as charger:
        await charger.arrive(SILENT, payment)
        await asyncio.sleep(9.5)
        assert (charger.kinds(), charger.duty) == (BEGINS, 5.0)
        assert charger.failures() == []
        await asyncio.sleep(1)
        assert charger.board_events()[-1] == "F"
        assert charger.failures() == ["EnergyTransferSetupFailed"]
        await asyncio.sleep(3.7)
        assert (charger.kinds(), charger.board_events()[-1]) == (BEGINS, "B")
        await asyncio.sleep(1)
        assert (charger.kinds(), charger.duty) == ([*BEGINS, "PrepareCharging"], round(32.0 / 0.6, 2))
        charger.car("iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 36000", modify=True)
        await asyncio.sleep(10)
        assert charger.kinds() == TO_CHARGING
        assert charger.amps == pytest.approx(16.0, rel=0.02)


async def test_the_fall_back_leaves_the_car_its_one_wake_up() -> None:
    async with Iso() as charger:
        await charger.arrive(SILENT)
        await asyncio.sleep(16)
        assert charger.kinds() == [*BEGINS, "PrepareCharging"]
        await asyncio.sleep(34)
        assert charger.kinds() == [*BEGINS, "PrepareCharging", "PrepareCharging"]
        await asyncio.sleep(12)
        assert charger.kinds() == [*BEGINS, "PrepareCharging", "PrepareCharging", "ChargingPausedEV"]


async def test_a_car_that_begins_its_loop_too_late_waits_in_vain_until_it_asks_anew() -> None:
    slow = MATCHED + "iso_start_v2g_session AC externalpayment;sleep 20;iso_wait_pwr_ready;sleep 36000"
    async with Iso() as charger:
        await charger.arrive(slow)
        await asyncio.sleep(28)
        assert charger.kinds() == [*BEGINS, "PrepareCharging"]
        charger.car(TALKS.format("externalpayment").removeprefix(MATCHED), modify=True)
        await asyncio.sleep(5)
        assert charger.kinds() == TO_CHARGING
        assert charger.duty == round(32.0 / 0.6, 2)


async def test_a_loop_that_begins_within_the_ten_seconds_is_in_time() -> None:
    slow = MATCHED + "iso_start_v2g_session AC externalpayment;sleep 10;iso_wait_pwr_ready;sleep 36000"
    async with Iso() as charger:
        await charger.arrive(slow)
        assert charger.kinds() == BEGINS
        await asyncio.sleep(9)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, 5.0)


async def test_a_car_that_only_found_the_evse_by_slac_is_waited_for_too() -> None:
    async with Iso() as charger:
        await charger.arrive(MATCHED + "sleep 36000")
        await asyncio.sleep(9)
        assert charger.kinds() == BEGINS
        await asyncio.sleep(7)
        assert charger.kinds() == [*BEGINS, "PrepareCharging"]


async def test_a_card_car_is_not_waited_for() -> None:
    async with Iso() as charger:
        await charger.arrive(PLUG_IN)
        assert charger.kinds() == [*BEGINS, "PrepareCharging"]
        assert charger.duty == round(32.0 / 0.6, 2)


async def test_without_a_5_percent_start_a_card_gives_normal_pwm_at_once_and_a_contract_5_percent() -> None:
    async with Iso(ac_hlc_use_5percent=False) as charger:
        await charger.arrive(TALKS)
        await asyncio.sleep(3)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, round(32.0 / 0.6, 2))
        charger.car("iso_pause_charging;sleep 36000", modify=True)
        await asyncio.sleep(3)
        assert charger.kinds()[-1] == "ChargingPausedEV"
        charger.car("draw_power_regulated 16,3;sleep 60", modify=True)  # wakes up for good, without ISO 15118
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "ChargingPausedEV"
        await asyncio.sleep(3)
        assert charger.kinds()[-2:] == GOES_ON
    async with Iso(ac_hlc_use_5percent=False) as charger:
        await charger.arrive(TALKS, "contract")
        await asyncio.sleep(3)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, 5.0)


# --- while the charge loop is waited for


async def test_a_stop_while_the_charge_loop_is_waited_for_ends_the_transaction() -> None:
    async with Iso() as charger:
        await charger.arrive(SILENT)
        await asyncio.sleep(3)
        assert await charger.stop("Remote")
        assert charger.kinds() == [*BEGINS, *END]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "Remote"
        await asyncio.sleep(15)
        assert (charger.kinds(), charger.duty) == ([*BEGINS, *END], None)


async def test_an_unplug_and_a_disable_while_the_charge_loop_is_waited_for_end_everything() -> None:
    async with Iso() as charger:
        await charger.arrive(SILENT)
        await charger.unplug()
        assert charger.kinds() == [*BEGINS, *END, "SessionFinished"]
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVDisconnected"
    async with Iso() as charger:
        await charger.arrive(SILENT)
        await charger.set_available("Disable")
        await asyncio.sleep(1)
        assert charger.kinds() == [*BEGINS, *END, "SessionFinished", "Disabled"]


async def test_a_fault_while_the_charge_loop_is_waited_for_pauses_and_normal_pwm_follows() -> None:
    async with Iso() as charger:
        await charger.arrive(SILENT)
        charger.inject("MREC6UnderVoltage")
        await asyncio.sleep(1)
        assert charger.kinds() == [*BEGINS, "StoppingCharging", "ChargingPausedEVSE"]
        charger.inject("MREC6UnderVoltage", raised=False)
        await asyncio.sleep(1)
        assert charger.kinds()[6:] == ["PrepareCharging"]
        assert charger.duty == round(32.0 / 0.6, 2)


async def test_without_power_on_offer_the_charge_loop_waits_for_it() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        await charger.call("external_limits", "set_external_limits", limit(0.0))
        await charger.arrive(TALKS)
        await asyncio.sleep(20)
        assert charger.kinds() == [*BEGINS, "PrepareCharging"]
        assert "C" not in charger.board_events()
        await charger.call("external_limits", "set_external_limits", limit(16.0))
        await asyncio.sleep(2)
        assert charger.kinds() == TO_CHARGING


# --- ac_enforce_hlc


async def test_where_hlc_is_enforced_a_card_car_gets_no_power() -> None:
    async with Iso(ac_enforce_hlc=True) as charger:
        await charger.arrive("sleep 1;iec_wait_pwr_ready;draw_power_fixed 16,3;sleep 36000")
        charger.car("draw_power_fixed 16,3;sleep 36000", modify=True)  # does not even look at the PWM
        await asyncio.sleep(5)
        assert (charger.kinds(), charger.duty) == ([*BEGINS, "PrepareCharging"], 5.0)
        assert "PowerOn" not in charger.board_events()
        await asyncio.sleep(200)
        assert charger.kinds()[5:] == ["PrepareCharging", "ChargingPausedEV"]
        assert (charger.duty, charger.amps) == (5.0, 0.0)


@pytest.mark.parametrize("five_percent", [True, False])
async def test_where_hlc_is_enforced_a_slow_car_gets_its_power_by_iso_15118_later(five_percent: bool) -> None:
    slow = MATCHED + "iso_start_v2g_session AC externalpayment;sleep 25;" + "iso_wait_pwr_ready;sleep 36000"
    async with Iso(ac_enforce_hlc=True, ac_hlc_use_5percent=five_percent) as charger:
        await charger.arrive(slow)
        await asyncio.sleep(15)
        assert (charger.kinds(), charger.duty) == ([*BEGINS, "PrepareCharging"], 5.0)
        await asyncio.sleep(13)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, 5.0)
        assert charger.failures() == []


async def test_enforced_without_iso_15118_means_nothing() -> None:
    async with Charger(ac_enforce_hlc=True) as charger:
        await charger.charge(2)
        assert charger.kinds() == TO_CHARGING


async def test_a_dc_car_is_not_hurried() -> None:
    slow = MATCHED + "iso_start_v2g_session DC contract;sleep 25;iso_wait_pwr_ready;sleep 36000"
    async with Iso(charge_mode="DC") as charger:
        await charger.arrive(slow, "contract")
        await asyncio.sleep(15)
        assert (charger.kinds(), charger.duty) == ([*BEGINS, "PrepareCharging"], 5.0)
        await asyncio.sleep(13)
        assert (charger.kinds(), charger.failures()) == (TO_CHARGING, [])


async def test_the_5_percent_of_a_contract_come_with_it_and_go_with_its_transaction() -> None:
    async with Iso(ac_hlc_use_5percent=False) as charger:
        await charger.arrive(SILENT, "contract")
        await asyncio.sleep(2)
        assert (charger.kinds(), charger.duty) == (BEGINS, 5.0)
        charger.car("iso_wait_pwr_ready;sleep 36000", modify=True)
        await asyncio.sleep(2)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, 5.0)
        await charger.unplug()
        await charger.plug_in()
        assert (charger.kinds()[-1], charger.duty) == ("AuthRequired", None)


async def test_a_car_that_only_draws_begins_its_loop_as_soon_as_it_may() -> None:
    async with Iso() as charger:
        await charger.arrive(
            MATCHED + "iso_start_v2g_session AC externalpayment;iso_draw_power_regulated 10,3;sleep 999"
        )
        await asyncio.sleep(3)
        assert (charger.kinds(), charger.duty) == (TO_CHARGING, 5.0)
        assert charger.amps == pytest.approx(10.0, rel=0.02)
