"""The random delay of the United Kingdom's smart charging regulations, as a rule and on the bus (uk_random_delay)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modules.EvseManagerSim.chance import Dice
from modules.EvseManagerSim.random_delay import RandomDelay
from tests.modules.EvseManagerSim.test_limits import Limited, amps, entry

virtual = pytest.mark.looptime


def delay(seconds: int = 60, **config: Any) -> RandomDelay:
    """A delay that is always as long as it may be."""
    return RandomDelay(
        lambda longest: longest, **{"enabled": True, "longest_s": seconds, "at_any_change": True, **config}
    )


def test_a_transaction_begins_without_power_and_gets_it_when_the_delay_is_over() -> None:
    rule = delay()
    assert rule.offer(16.0, 0.0, active=False) == 16.0
    assert rule.offer(16.0, 1.0, active=True) == 0.0
    assert rule.offer(16.0, 60.9, active=True) == 0.0
    assert rule.offer(16.0, 61.0, active=True) == 16.0
    assert not rule.running


def test_a_change_waits_at_what_was_offered_and_the_last_wish_counts_at_the_end() -> None:
    rule = delay()
    for now in (0.0, 60.0):
        rule.offer(16.0, now, active=True)
    assert rule.offer(10.0, 100.0, active=True) == 16.0
    assert rule.offer(0.0, 130.0, active=True) == 16.0
    assert (rule.after_A, rule.left_s(130.0)) == (0.0, 30.0)
    assert rule.offer(0.0, 160.0, active=True) == 0.0


def test_without_at_any_change_only_beginning_and_end_of_power_wait() -> None:
    rule = delay(at_any_change=False)
    for now in (0.0, 60.0):
        rule.offer(16.0, now, active=True)
    assert rule.offer(10.0, 100.0, active=True) == 10.0
    assert rule.offer(0.0, 110.0, active=True) == 10.0
    assert rule.offer(0.0, 170.0, active=True) == 0.0
    assert rule.offer(12.0, 180.0, active=True) == 0.0


def test_without_a_transaction_or_switched_off_nothing_waits() -> None:
    rule = delay()
    rule.offer(16.0, 0.0, active=True)
    assert rule.offer(10.0, 1.0, active=False) == 10.0
    assert rule.offer(16.0, 2.0, active=True) == 0.0
    rule.enabled = False
    assert rule.offer(16.0, 3.0, active=True) == 16.0
    assert rule.offer(8.0, 4.0, active=True) == 8.0


def test_delays_are_repeatable_and_within_their_bounds() -> None:
    drawn = [dice.seconds(600) for dice in [Dice(5)] for _ in range(300)]
    again = Dice(5)
    assert drawn == [again.seconds(600) for _ in range(300)]
    assert 0 <= min(drawn) < 30
    assert 570 < max(drawn) <= 600
    assert Dice(5).seconds(0) == 0


class Delayed(Limited):
    def __init__(self, *, from_the_start: bool = True, **config: Any) -> None:
        super().__init__(uk_smartcharging_random_delay_enable=from_the_start, **config)

    def countdowns(self) -> list[dict[str, Any]]:
        return self.published("random_delay", "countdown")

    async def begin(self) -> None:
        await asyncio.sleep(1)
        await self.plug_in()
        await self.swipe()
        await asyncio.sleep(2)


@virtual
async def test_charging_begins_after_the_countdown_has_reached_zero() -> None:
    async with Delayed() as charger:
        await charger.begin()
        assert charger.kinds()[-1] == "PrepareCharging"
        assert charger.offered == 0.0
        first = charger.countdowns()[0]
        assert first["current_limit_during_delay_A"] == 0.0
        assert first["current_limit_after_delay_A"] == 32.0
        assert first["start_time"].endswith("Z")
        await asyncio.sleep(first["countdown_s"] - 3)
        assert charger.kinds()[-1] == "PrepareCharging"
        await asyncio.sleep(5)
        assert charger.kinds()[-1] == "ChargingStarted"
        left = [value["countdown_s"] for value in charger.countdowns()]
        assert left == sorted(left, reverse=True)
        assert (left[-1], left.count(0), charger.offered) == (0, 1, 32.0)
        pwm = [told for told in charger.board_events() if told == "PowerOn"]
        assert len(pwm) == 1


@virtual
async def test_a_limit_waits_while_charging_and_cancel_ends_the_wait() -> None:
    async with Delayed(from_the_start=False) as charger:
        await charger.charge(5)
        await charger.call("random_delay", "enable")
        await charger.limit(entry(amps(10.0)))
        await asyncio.sleep(3)
        assert charger.enforced["ac_max_current_A"]["value"] == 10.0
        assert (charger.offered, charger.countdowns()[-1]["current_limit_after_delay_A"]) == (32.0, 10.0)
        assert charger.drawn == pytest.approx(16.0, rel=0.02)
        await charger.call("random_delay", "cancel")
        assert (charger.offered, charger.countdowns()[-1]["countdown_s"]) == (10.0, 0)
        await asyncio.sleep(6)
        assert charger.drawn == pytest.approx(10.0, rel=0.02)
        await charger.call("random_delay", "disable")
        await charger.limit(entry(amps(8.0)))
        await asyncio.sleep(0.5)
        assert charger.offered == 8.0


@virtual
async def test_the_longest_delay_can_be_set_and_an_energy_manager_s_budget_waits_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Delayed(from_the_start=False) as charger:
        await charger.charge(5)
        await charger.tree(14.0)
        await charger.call("random_delay", "enable")
        await charger.call("random_delay", "set_duration_s", {"value": 100000})
        assert "refused: 100000" in caplog.text
        await charger.call("random_delay", "set_duration_s", {"value": 20})
        await charger.tree(9.0, valid_for=600)
        assert charger.offered == 14.0
        assert charger.countdowns()[-1]["countdown_s"] <= 20
        await asyncio.sleep(21)
        assert charger.offered == 9.0
        await charger.tree(12.0, valid_for=2)
        await asyncio.sleep(6)
        assert charger.offered == 0.0  # a budget that has expired does not wait


@virtual
async def test_disabling_while_it_waits_lets_the_car_charge() -> None:
    async with Delayed() as charger:
        await charger.begin()
        await charger.call("random_delay", "disable")
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "ChargingStarted"


@virtual
async def test_a_real_board_is_not_told_to_give_power_before_the_delay_is_over() -> None:
    board = "board/main"
    async with Delayed(connections={"bsp": [board]}) as charger:
        orders: list[str] = []
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(board, command, lambda args, name=command: orders.append(name))
        await asyncio.sleep(1)
        charger.publish(board, "event", {"event": "B"})
        await asyncio.sleep(0.2)
        await charger.swipe()
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "PrepareCharging"
        assert "pwm_on" not in orders
        await charger.call("random_delay", "cancel")
        await asyncio.sleep(0.5)
        assert "pwm_on" in orders
