"""Reset (libocpp 3.9, 12.2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocpp16.messages import Reason, ResetType
from tests.support.ocpp16_station import SILENCE, Station, settled

pytestmark = pytest.mark.looptime


def allow(station: Station, *, allowed: bool = True) -> None:
    async def is_allowed(reset_type: ResetType) -> bool:
        return allowed

    station.charge_point.register_is_reset_allowed_callback(is_allowed)
    station.charge_point.register_reset_callback(station._note("reset", None))


async def test_without_callbacks_or_permission_a_reset_is_rejected() -> None:
    async with Station() as station:
        await station.boot()
        assert await station.csms.call("Reset", {"type": "Soft"}) == {"status": "Rejected"}
        allow(station, allowed=False)
        assert await station.csms.call("Reset", {"type": "Soft"}) == {"status": "Rejected"}
        await settled(100)
    assert station.asked_for("reset") == []


async def test_an_idle_station_resets_at_once() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        assert await station.csms.call("Reset", {"type": "Hard"}) == {"status": "Accepted"}
        await settled(0.1)
    assert station.asked_for("reset") == [[ResetType.Hard]]


@pytest.mark.parametrize(("kind", "reason"), [("Soft", Reason.SoftReset), ("Hard", Reason.HardReset)])
async def test_running_transactions_are_stopped_and_their_answer_is_waited_for(kind: str, reason: Reason) -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        await station.begin()
        await station.charge_point.on_resume_charging(1)
        await settled()
        assert await station.csms.call("Reset", {"type": kind}) == {"status": "Accepted"}
        await settled()
        assert station.asked_for("stop_transaction") == [[1, reason]]
        station.csms.answers["StopTransaction"] = SILENCE
        await station.end(reason=reason)
        await settled(5)
        assert station.asked_for("reset") == []
        station.csms.answers.clear()
        await settled(45)
        assert station.asked_for("reset") == [[ResetType(kind)]]


async def test_the_wait_for_transactions_has_a_limit() -> None:
    async with Station(WaitForStopTransactionsOnResetTimeout=30) as station:
        await station.boot()
        allow(station)
        await station.begin()
        await station.csms.call("Reset", {"type": "Soft"})
        await settled(29)
        assert station.asked_for("reset") == []
        await settled(2)
        assert len(station.asked_for("reset")) == 1


async def test_a_connector_that_still_charges_is_waited_for_too() -> None:
    async with Station(WaitForStopTransactionsOnResetTimeout=30) as station:
        await station.boot()
        allow(station)
        await station.charge_point.on_resume_charging(1)
        await settled()
        await station.csms.call("Reset", {"type": "Soft"})
        await settled(29)
        assert station.asked_for("reset") == []
        await settled(2)
        assert len(station.asked_for("reset")) == 1


async def test_a_second_reset_while_one_is_running_is_rejected() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        await station.begin()
        assert await station.csms.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        assert await station.csms.call("Reset", {"type": "Hard"}) == {"status": "Rejected"}


async def test_the_reset_callback_may_stop_the_charge_point() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        stopped: list[Any] = []

        async def reset(reset_type: ResetType) -> None:
            stopped.append(await station.charge_point.stop())
            stopped.append("after")

        station.charge_point.register_reset_callback(reset)
        await station.csms.call("Reset", {"type": "Soft"})
        await settled(5)
    assert stopped == [True, "after"]


async def test_a_transaction_that_ends_inside_the_stop_call_is_still_waited_for() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)

        async def stop(connector: int, reason: Reason) -> bool:
            await station.end(connector, reason=reason)
            return True

        station.charge_point.register_stop_transaction_callback(stop)
        await station.begin()
        await settled()
        station.csms.answers["StopTransaction"] = SILENCE
        await station.csms.call("Reset", {"type": "Soft"})
        await settled(5)
        assert station.asked_for("reset") == []


async def test_a_second_reset_while_the_integrator_resets_is_rejected() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        ended: list[ResetType] = []

        async def reset(reset_type: ResetType) -> None:
            await asyncio.sleep(10)
            ended.append(reset_type)

        station.charge_point.register_reset_callback(reset)
        assert await station.csms.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        await settled()
        assert await station.csms.call("Reset", {"type": "Hard"}) == {"status": "Rejected"}
        await settled(10)
    assert ended == [ResetType.Soft]


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
async def test_a_reset_that_fails_is_tried_again_as_often_as_reset_retries_says(retries: int, attempts: int) -> None:
    async with Station(ResetRetries=retries) as station:
        await station.boot()
        allow(station)
        station.charge_point.register_reset_callback(station._note("reset", False))
        await station.csms.call("Reset", {"type": "Hard"})
        await settled(300)
        assert len(station.asked_for("reset")) == attempts
        assert await station.csms.call("Reset", {"type": "Hard"}) == {"status": "Accepted"}


async def test_a_stop_that_waited_for_its_answer_before_does_not_delay_a_reset() -> None:
    async with Station() as station:
        await station.boot()
        allow(station)
        await station.begin()
        await settled()
        station.csms.answers["StopTransaction"] = SILENCE
        await station.end()
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
        await station.csms.call("Reset", {"type": "Hard"})
        await settled(0.1)
        assert station.asked_for("reset") == [[ResetType.Hard]]
