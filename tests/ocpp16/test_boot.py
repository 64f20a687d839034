"""Registration: what is sent and answered in each state, repetition, time, heartbeat (libocpp 3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ocpp16_station import SILENCE, Station, settled

pytestmark = pytest.mark.looptime


def boot_answer(status: str, interval: int = 0) -> dict[str, Any]:
    return {"status": status, "currentTime": "2026-01-01T12:00:00.000Z", "interval": interval}


async def test_boot_notification_tells_all_that_can_be_configured() -> None:
    more = {"ChargePointSerialNumber": "S1", "ICCID": "I1", "IMSI": "I2", "MeterSerialNumber": "M2", "MeterType": "M1"}
    async with Station(**more) as station:
        await station.boot()
    (boot,) = station.csms.requests("BootNotification")
    names = ("chargePointSerialNumber", "iccid", "imsi", "meterSerialNumber", "meterType")
    assert [boot[name] for name in names] == ["S1", "I1", "I2", "M2", "M1"]


async def test_boot_notification_tells_what_is_configured_and_no_more() -> None:
    async with Station(MeterType="M1") as station:
        await station.boot()
    assert station.csms.requests("BootNotification") == [
        {
            "chargePointVendor": "Everest",
            "chargePointModel": "Twin",
            "chargeBoxSerialNumber": "cp001",
            "firmwareVersion": "0.1",
            "meterType": "M1",
        }
    ]


async def test_accepted_tells_all_connectors_in_order_and_sets_time_and_interval() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Accepted", 300)
        await station.boot()
        interval = station.charge_point.get_configuration_key(["HeartbeatInterval"]).configuration_key
    assert [p["connectorId"] for p in station.csms.requests("StatusNotification")] == [0, 1, 2]
    assert ("set_system_time", "2026-01-01T12:00:00.000Z") in station.asked
    assert len(station.asked_for("boot_notification_response")) == 1
    assert interval is not None and interval[0].value == "300"


@pytest.mark.parametrize(("interval", "wait"), [(7, 7), (0, 60)])
@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_pending_and_rejected_are_repeated_after_the_interval_which_is_no_heartbeat_interval(
    status: str, interval: int, wait: int
) -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer(status, interval)
        await station.boot()
        await station.csms.wait_for("BootNotification", 3)
        times = [got.time for got in station.csms.got if got.action == "BootNotification"]
        kept = station.charge_point.get_configuration_key(["HeartbeatInterval"]).configuration_key
    assert times[1] - times[0] == pytest.approx(wait) and times[2] - times[1] == pytest.approx(wait)
    assert kept is not None and kept[0].value == "86400"
    assert set(station.csms.actions()) == {"BootNotification"}
    assert station.asked_for("set_system_time") == []


@pytest.mark.parametrize("answer", [SILENCE, ("InternalError", "")], ids=["silence", "callerror"])
async def test_without_an_answer_boot_notification_is_repeated_without_limit(answer: Any) -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = answer
        await station.boot()
        await station.csms.wait_for("BootNotification", 6, timeout=1000)
        ids = [got.message_id for got in station.csms.got]
        station.csms.answers.clear()
        await station.csms.wait_for("StatusNotification")
    assert len(set(ids)) == len(ids)


TREATMENT = [
    ("silent", "GetConfiguration", {"key": ["HeartbeatInterval"]}, None),
    ("Rejected", "GetConfiguration", {"key": ["HeartbeatInterval"]}, None),
    ("Pending", "ChangeAvailability", {"connectorId": 1, "type": "Operative"}, {"status": "Accepted"}),
    ("Pending", "RemoteStartTransaction", {"idTag": "T"}, {"status": "Rejected"}),
    ("Pending", "RemoteStopTransaction", {"transactionId": 1}, {"status": "Rejected"}),
    ("Accepted", "RemoteStartTransaction", {"idTag": "T"}, {"status": "Accepted"}),
]


@pytest.mark.parametrize(("status", "action", "payload", "answer"), TREATMENT)
async def test_what_is_answered_in_each_registration_state(
    status: str, action: str, payload: dict[str, Any], answer: Any
) -> None:
    async with Station() as station:
        if status == "silent":
            station.csms.answers["BootNotification"] = SILENCE
        else:
            station.csms.answers["BootNotification"] = boot_answer(status, 1000)
        await station.boot()
        try:
            got = await station.csms.call(action, payload, timeout=20)
        except TimeoutError:
            got = None
    assert got == answer


async def test_a_call_that_is_ignored_does_not_hold_back_own_messages() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Rejected", 10)
        await station.boot()
        await station.csms.send('[2, "x", "ClearCache", {}]')
        station.csms.answers.clear()
        await station.csms.wait_for("StatusNotification", 3)


async def test_before_accepted_transactions_wait_and_statuses_are_dropped() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Pending", 20)
        await station.boot()
        await station.begin()
        await settled()
        assert set(station.csms.actions()) == {"BootNotification"}
        station.csms.answers.clear()
        await station.csms.wait_for("StartTransaction")
        await settled()
    assert station.csms.statuses(1) == ["Preparing"]


async def test_triggered_messages_go_before_accepted() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Pending", 2000)
        await station.boot()
        request = {"requestedMessage": "StatusNotification", "connectorId": 1}
        assert await station.csms.call("TriggerMessage", request) == {"status": "Accepted"}
        await station.csms.wait_for("StatusNotification")


async def test_a_triggered_boot_notification_while_booted_is_processed_without_repeating_statuses() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["BootNotification"] = boot_answer("Accepted", 77)
        await station.csms.call("TriggerMessage", {"requestedMessage": "BootNotification"})
        await settled()
        interval = station.charge_point.get_configuration_key(["HeartbeatInterval"]).configuration_key
    assert interval is not None and interval[0].value == "77"
    assert len(station.csms.requests("StatusNotification")) == 3
    assert len(station.asked_for("boot_notification_response")) == 2


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_a_station_that_is_no_longer_accepted_sends_no_heartbeats_until_it_is_again(status: str) -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Accepted", 10)
        await station.boot()
        station.csms.answers["BootNotification"] = boot_answer(status, 100)
        await station.csms.call("TriggerMessage", {"requestedMessage": "BootNotification"})
        await settled(5)
        before = len(station.csms.requests("Heartbeat"))
        await settled(90)
        assert len(station.csms.requests("Heartbeat")) == before
        station.csms.answers["BootNotification"] = boot_answer("Accepted", 10)
        await settled(40)
    assert len(station.csms.requests("Heartbeat")) > before


async def test_a_reconnect_while_booted_tells_the_states_but_boots_no_more() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.drop()
        await settled(60)
    assert len(station.csms.requests("BootNotification")) == 1
    assert [p["connectorId"] for p in station.csms.requests("StatusNotification")] == [0, 1, 2, 0, 1, 2]


async def test_statuses_after_a_reconnect_follow_the_older_transaction_messages_with_the_content_of_the_opening() -> (
    None
):
    async with Station() as station:
        await station.boot()
        station.csms.drop()
        await station.begin()
        await station.charge_point.on_resume_charging(1)
        before = len(station.csms.got)

        async def slow(payload: dict[str, Any]) -> dict[str, Any]:
            await station.charge_point.on_suspend_charging_ev(1)
            return {"idTagInfo": {"status": "Accepted"}, "transactionId": 5}

        station.csms.answers["StartTransaction"] = slow
        await settled(60)
        after = station.csms.got[before:]
    assert [got.action for got in after][:2] == ["StartTransaction", "StatusNotification"]
    assert [g.payload["status"] for g in after if g.payload.get("connectorId") == 1 and "status" in g.payload] == [
        "Charging",
        "SuspendedEV",
    ]


async def test_a_heartbeat_is_sent_every_interval_whatever_else_is_sent_and_sets_the_time() -> None:
    async with Station(HeartbeatInterval=10) as station:
        station.csms.answers["BootNotification"] = boot_answer("Accepted", 0)
        await station.boot()
        await settled(4)
        await station.charge_point.data_transfer("vendor")
        await settled(26.5)
        times = [got.time for got in station.csms.got if got.action == "Heartbeat"]
        booted = station.csms.got[0].time
    assert [time - booted for time in times] == pytest.approx([10, 20, 30], abs=0.01)
    assert len(station.asked_for("set_system_time")) == 4


async def test_a_changed_heartbeat_interval_counts_at_once_and_zero_stops() -> None:
    async with Station() as station:
        await station.boot()
        await station.csms.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "5"})
        await settled(16)
        assert len(station.csms.requests("Heartbeat")) == 3
        await station.csms.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "0"})
        await settled(100)
        assert len(station.csms.requests("Heartbeat")) == 3
