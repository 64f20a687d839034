"""Cold boot: Accepted, Pending, Rejected (OCPP 1.6 §4.2)."""

from __future__ import annotations

from collections.abc import Callable

from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig

Make = Callable[..., Rig]


async def test_tc_001_cs_an_accepted_station_tells_the_states_of_all_connectors(rig: Make, csms: CentralSystem) -> None:
    csms.heartbeat_interval = 123
    async with rig() as station:
        actions = [frame.action for frame in csms.frames if frame.direction == "cp->csms" and frame.action]
        assert actions[0] == "BootNotification"
        assert [p["connectorId"] for p in csms.calls("StatusNotification")] == [0, 1, 2]
        assert {p["status"] for p in csms.calls("StatusNotification")} == {"Available"}
        answer = await csms.call(call.GetConfiguration(key=["HeartbeatInterval"]))
        assert answer.configuration_key[0]["value"] == "123"
        await station.order("set_system_time")


async def test_heartbeats_follow_the_interval_of_the_boot_answer(rig: Make, csms: CentralSystem) -> None:
    csms.heartbeat_interval = 1
    async with rig() as station:
        await station.told("Heartbeat")
        await station.order("set_system_time", 2)


async def test_a_pending_station_answers_but_tells_nothing_and_refuses_remote_starts(
    rig: Make, csms: CentralSystem
) -> None:
    csms.registration_status = "Pending"
    async with rig(booted=False) as station:
        await station.order("boot_notification_response")
        answer = await csms.call(call.GetConfiguration(key=["HeartbeatInterval"]))
        assert answer.configuration_key[0]["value"] == "300", "Pending names the wait, not the heartbeat interval"
        changed = await csms.call(call.ChangeConfiguration(key="MeterValueSampleInterval", value="33"))
        assert changed.status == "Accepted"
        started = await csms.call(call.RemoteStartTransaction(id_tag="TAG1", connector_id=1))
        stopped = await csms.call(call.RemoteStopTransaction(transaction_id=1))
        assert (started.status, stopped.status) == ("Rejected", "Rejected")
        assert await station.identify() == "Invalid"
        assert {f.action for f in csms.frames if f.direction == "cp->csms" and f.action} == {"BootNotification"}
        csms.registration_status = "Accepted"
        await csms.call(call.TriggerMessage(requested_message="BootNotification"))
        await station.states()
        assert len(csms.calls("BootNotification")) == 2


async def test_a_rejected_station_is_silent_until_its_interval_is_over(rig: Make, csms: CentralSystem) -> None:
    csms.registration_status, csms.heartbeat_interval = "Rejected", 1
    async with rig(booted=False) as station:
        await station.order("boot_notification_response")
        await csms.send_raw('[2,"1","GetConfiguration",{}]')
        await csms.send_raw('[2,"2","TriggerMessage",{"requestedMessage":"Heartbeat"}]')
        csms.registration_status = "Accepted"
        await station.states()
        sent = [frame for frame in csms.frames if frame.direction == "cp->csms"]
        assert [frame.action for frame in sent[:2]] == ["BootNotification", "BootNotification"]
        assert not [frame for frame in sent if frame.message[0] == 3], "no CALL was answered while Rejected"


async def test_every_start_is_a_security_event(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        event = await station.told("SecurityEventNotification")
        assert (event["type"], event["techInfo"]) == ("StartupOfTheDevice", "The Charge Point has booted")
