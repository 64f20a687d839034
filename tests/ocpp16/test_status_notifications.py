"""When states are reported: MinimumStatusDuration, duplicates, faults, triggers (libocpp 3.2.2, DEPARTURE 11)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocpp16 import ChargePoint, ErrorInfo, UsageError
from ocpp16.messages import ChargePointErrorCode, ChargePointStatus
from tests.support.ocpp16_station import START_OF_TIME, Station, settled

pytestmark = pytest.mark.looptime


def fault(uuid: str = "e", *, is_fault: bool = True) -> ErrorInfo:
    return ErrorInfo(
        uuid=uuid, error_code=ChargePointErrorCode.OverCurrentFailure, is_fault=is_fault, timestamp=START_OF_TIME
    )


async def test_quick_transitions_are_all_reported_in_order_without_a_minimum_duration() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await station.charge_point.on_resume_charging(1)
        await station.charge_point.on_suspend_charging_ev(1)
        await settled()
    assert station.csms.statuses(1) == ["Available", "Preparing", "Charging", "SuspendedEV"]
    assert station.csms.requests("StatusNotification")[3]["info"] == "EVConnected"


async def test_a_state_shorter_than_the_minimum_duration_is_not_reported() -> None:
    async with Station(MinimumStatusDuration=10) as station:
        await station.boot()
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await settled(6)
        await station.charge_point.on_resume_charging(1)
        await settled(9)
        assert station.csms.statuses(1) == ["Available"]
        await settled(2)
    assert station.csms.statuses(1) == ["Available", "Charging"]


async def test_a_state_that_comes_back_within_the_duration_is_not_reported_twice() -> None:
    async with Station(MinimumStatusDuration=10) as station:
        await station.boot()
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await settled(5)
        await station.charge_point.on_session_stopped(1, "s")
        await settled(60)
    assert station.csms.statuses(1) == ["Available"]


async def test_errors_are_reported_at_once_whatever_the_minimum_duration() -> None:
    async with Station(MinimumStatusDuration=10) as station:
        await station.boot()
        await station.charge_point.on_error(1, fault())
        await settled(1)
        await station.charge_point.on_error_cleared(1, "e")
        await settled(1)
    reports = [p for p in station.csms.requests("StatusNotification") if p["connectorId"] == 1]
    assert [(p["status"], p["errorCode"]) for p in reports] == [
        ("Available", "NoError"),
        ("Faulted", "OverCurrentFailure"),
        ("Available", "NoError"),
    ]


async def test_transitions_under_a_fault_are_silent() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_error(1, fault())
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await settled()
        assert station.csms.statuses(1) == ["Available", "Faulted"]
        await station.charge_point.on_all_errors_cleared(1)
        await settled()
    assert station.csms.statuses(1) == ["Available", "Faulted", "Preparing"]


async def test_cleared_errors_are_told_where_the_option_asks_for_it() -> None:
    async with Station(ReportClearedErrors=True) as station:
        await station.boot()
        await station.charge_point.on_error(1, fault("a"))
        await station.charge_point.on_error(1, fault("b"))
        await station.charge_point.on_error_cleared(1, "a")
        await settled()
    assert station.csms.statuses(1) == ["Available", "Faulted", "Faulted", "Faulted"]


async def test_reports_dropped_while_offline_do_not_count_as_sent() -> None:
    async with Station(RetryBackoffWaitMinimum=30) as station:
        await station.boot()
        station.csms.drop()
        await settled(0.1)
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await settled(60)
    assert station.csms.statuses(1) == ["Available", "Preparing"]


async def test_a_changed_reason_of_suspended_evse_is_reported_only_where_the_option_asks_for_it() -> None:
    for option, expected in ((False, ["limit"]), (True, ["limit", "schedule"])):
        async with Station(ReportSuspendedEVSEReasonChange=option) as station:
            await station.boot()
            await station.begin()
            for info in ("limit", "limit", "schedule"):
                await station.charge_point.on_suspend_charging_evse(1, info)
                await settled()
            infos = [p.get("info") for p in station.csms.requests("StatusNotification") if p["status"][-4:] == "EVSE"]
            assert infos == expected
            await station.csms.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
            await settled()
            last: dict[str, Any] = station.csms.requests("StatusNotification")[-1]
            assert last.get("info") == ("schedule" if option else None)


async def test_a_plug_in_timeout_finishes_with_its_reason() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_session_started(1, "s", "Authorized")
        await station.charge_point.on_plugin_timeout(1)
        await settled()
    last = station.csms.requests("StatusNotification")[-1]
    assert (last["status"], last["info"]) == ("Finishing", "ConnectionTimeout")


async def test_a_reservation_outlasts_plugging_in_but_not_the_transaction() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_reservation_start(1)
        await station.charge_point.on_session_started(1, "session-1", "EVConnected")
        await settled()
        assert station.csms.statuses(1)[-1] == "Reserved"
        await station.charge_point.on_transaction_started(1, "session-1", "TAG1", 0)
        await settled()
        assert station.csms.statuses(1)[-1] == "Preparing"


async def test_states_given_at_start_are_taken_over_and_told_only_after_accepted() -> None:
    states = {0: ChargePointStatus.Available, 1: ChargePointStatus.Charging, 2: ChargePointStatus.Unavailable}
    async with Station() as station:
        await station.boot(connector_status_map=states)
        assert [station.csms.statuses(c) for c in range(3)] == [["Available"], ["Charging"], ["Unavailable"]]
        assert station.asked_for("enable_evse") == []


@pytest.mark.parametrize("states", [{0: "Available"}, {0: "Charging", 1: "Available", 2: "Available"}])
async def test_a_map_of_states_that_does_not_fit_is_refused(states: dict[int, str]) -> None:
    async with Station() as station:
        with pytest.raises(UsageError):
            await station.boot(
                connector_status_map={connector: ChargePointStatus(state) for connector, state in states.items()}
            )


@pytest.mark.parametrize("reason", ["EVConnected", "Authorized"])
async def test_what_began_a_session_is_told_with_preparing(reason: str) -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_session_started(1, "s", reason)
        await settled()
    last = station.csms.requests("StatusNotification")[-1]
    assert (last["connectorId"], last["status"], last["info"]) == (1, "Preparing", reason)


async def test_a_session_that_begins_with_a_card_ends_the_reservation() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_reservation_start(1)
        await station.charge_point.on_session_started(1, "session-1", "Authorized")
        await settled()
        assert station.csms.statuses(1)[-1] == "Preparing"


async def test_the_end_of_a_session_frees_neither_a_reserved_nor_an_unavailable_connector() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_reservation_start(1)
        await station.charge_point.on_session_started(1, "a", "EVConnected")
        await station.charge_point.on_session_stopped(1, "a")
        await station.charge_point.on_session_started(2, "b", "EVConnected")
        await station.charge_point.on_resume_charging(2)
        await station.charge_point.on_disabled(2)
        await station.charge_point.on_session_stopped(2, "b")
        await settled()
    assert station.csms.statuses(1) == ["Available", "Reserved"]
    assert station.csms.statuses(2) == ["Available", "Preparing", "Charging", "Unavailable"]


async def test_the_end_of_a_session_frees_the_connector() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await station.end()
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
    assert station.csms.statuses(1) == ["Available", "Preparing", "Finishing", "Available"]


@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_the_reports_after_a_boot_are_not_followed_by_older_states(turns: int) -> None:
    order = ["Available", "Preparing", "Charging", "SuspendedEV"]

    async def session(point: ChargePoint) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await point.on_session_started(1, "s", "EVConnected")
        await point.on_resume_charging(1)
        await point.on_suspend_charging_ev(1)

    async with Station() as station:
        accepted = station.csms._default("BootNotification")

        def answer(_payload: dict[str, Any]) -> object:
            tasks.append(asyncio.create_task(session(station.charge_point)))
            return accepted

        tasks: list[asyncio.Task[None]] = []
        station.csms.answers["BootNotification"] = answer
        await station.boot()
        await asyncio.gather(*tasks)
        await settled()
    places = [order.index(status) for status in station.csms.statuses(1)]
    assert places == sorted(set(places)) and places[-1] == 3
