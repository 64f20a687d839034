"""The start of Auth: what waits, what is dropped, what is asked (station 1.2)."""

import asyncio

import pytest

from everest.runtime import HandlerException, StartupError
from tests.modules.Auth.station import METER, Station, token

pytestmark = pytest.mark.looptime


async def test_every_evse_is_asked_once_at_ready() -> None:
    async with Station(evses=3) as station:
        await station.settle()
        assert [station.count(n, "get_evse") for n in (1, 2, 3)] == [1, 1, 1]


async def test_tokens_before_ready_are_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with Station(global_ready=False) as station:
        station.publish("reader/main", "provided_token", token("EARLY"))
        station.publish(
            "validator_1/main",
            "validate_result_update",
            {"connector_id": 1, "validation_result": {"authorization_status": "Accepted", "tariff_messages": []}},
        )
        station.make_ready()
        await station.settle()
        assert station.statuses() == []
        assert "token dropped" in caplog.text
        assert "update dropped" in caplog.text


async def test_session_events_before_ready_are_kept_in_order() -> None:
    async with Station(global_ready=False) as station:
        event = {"uuid": "1", "timestamp": "2026-01-05T10:00:00.000Z"}
        for kind in ("Disabled", "Enabled", "Disabled"):
            station.publish("evse_1/evse", "session_event", {**event, "event": kind})
        started = {"reason": "EVConnected", "meter_value": METER}
        station.publish(
            "evse_2/evse", "session_event", {**event, "event": "SessionStarted", "session_started": started}
        )
        station.make_ready()
        await station.swipe(token("TAG1"))
        assert [evse for evse, _ in station.authorized()] == [2]


async def test_a_fault_before_ready_is_kept() -> None:
    async with Station(evses=1, global_ready=False) as station:
        station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        station.make_ready()
        await station.swipe(token())
        assert station.statuses() == ["Processing", "Rejected"]


async def test_a_module_that_ends_stops_its_timers_and_withdraws_nothing() -> None:
    async with Station(evses=3, plug_in_timeout_enabled=True) as station:
        await station.swipe(token())
        await station.plug_in(2)
        wish = {"reservation_id": 5, "id_token": "X", "expiry_time": "2026-01-05T10:00:20Z", "evse_id": 3}
        assert await station.call("reservation", "reserve_now", {"request": wish}) == "Accepted"
        await station.module.shutdown()
        await asyncio.sleep(100)
        assert [station.count(n, "withdraw_authorization") for n in (1, 2, 3)] == [0, 0, 0]
        assert station.updates() == [(5, "Placed")]
        assert station.statuses()[-1] == "UsedToStart"


async def test_evse_ids_are_those_that_get_evse_tells() -> None:
    async with Station(evses=1, global_ready=False) as station:
        station.answer("evse_1/evse", "get_evse", lambda args: {"id": 7, "connectors": [{"id": 1}]})
        station.make_ready()
        await station.swipe(token(connectors=[7]))
        assert station.status_messages("UsedToStart")[0]["token"]["connectors"] == [7]


async def test_two_evses_with_one_id_are_refused_in_one_line() -> None:
    with pytest.raises(StartupError, match="evse_2 says it is EVSE 1, which another one is already"):
        async with Station(evses=2, global_ready=False) as station:
            station.answer("evse_2/evse", "get_evse", lambda args: {"id": 1, "connectors": [{"id": 1}]})
            station.make_ready()
            await station.settle()


async def test_an_evse_that_does_not_say_who_it_is_ends_the_start_in_one_line() -> None:
    def fail(args: object) -> None:
        raise HandlerException("meter missing")

    with pytest.raises(StartupError, match=r"evse_1 does not say which EVSE it is .*meter missing"):
        async with Station(evses=1, global_ready=False) as station:
            station.answer("evse_1/evse", "get_evse", fail)
            station.make_ready()
            await station.settle()
