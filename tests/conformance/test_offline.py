"""Without the central system: offline sessions, connection loss, power failure (OCPP 1.6 §3.5, §4.1, §4.8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16.messages import Reason
from tests.support.conformance import Rig, reading

Make = Callable[..., Rig]


async def go_offline(station: Rig) -> None:
    await station.csms.close()
    connected = len(station.orders("connection_state_changed"))
    while station.orders("connection_state_changed")[-1][0]:
        connected += 1
        await station.order("connection_state_changed", connected)


async def test_a_tag_known_from_the_cache_charges_offline_and_is_told_later(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await station.identify() == "Accepted"
        await go_offline(station)
        assert await station.identify() == "Accepted"
        await station.plug_in()
        await station.start()
        await station.stop(tag="TAG1")
        await station.leave()
        await csms.start()
        stop = await station.told("StopTransaction")
        assert (stop["transactionId"], stop["meterStop"]) == (1, 1100)
        assert len(csms.calls("BootNotification")) == 1
        transaction = [f.action for f in csms.frames if f.action in ("StartTransaction", "StopTransaction")]
        assert transaction == ["StartTransaction", "StopTransaction"]


@pytest.mark.parametrize(("allowed", "status"), [(True, "Accepted"), (False, "Invalid")])
async def test_an_unknown_tag_offline(rig: Make, csms: CentralSystem, allowed: bool, status: str) -> None:
    async with rig(AllowOfflineTxForUnknownId=allowed) as station:
        await go_offline(station)
        assert await station.identify("STRANGER") == status


async def test_a_tag_known_as_blocked_does_not_charge_offline(rig: Make, csms: CentralSystem) -> None:
    csms.tags["TAG1"] = {"status": "Blocked"}
    async with rig(AllowOfflineTxForUnknownId=True) as station:
        assert await station.identify() == "Blocked"
        await go_offline(station)
        assert await station.identify() == "Blocked"


async def test_with_local_authorize_offline_switched_off_nobody_known_charges_offline(
    rig: Make, csms: CentralSystem
) -> None:
    async with rig(LocalAuthorizeOffline=False) as station:
        assert await station.identify() == "Accepted"
        await go_offline(station)
        assert await station.identify() == "Invalid"


@pytest.mark.parametrize("stop_it", [True, False])
async def test_an_offline_transaction_of_a_refused_tag(rig: Make, csms: CentralSystem, stop_it: bool) -> None:
    async with rig(AllowOfflineTxForUnknownId=True, StopTransactionOnInvalidId=stop_it) as station:
        await go_offline(station)
        csms.tags["TAG1"] = {"status": "Invalid"}
        assert await station.identify() == "Accepted"
        await station.plug_in()
        await station.start()
        await csms.start()
        *_, info = await station.order("transaction_updated")
        assert info.status == "Invalid"
        assert await station.order("pause_charging") == (1,)
        if stop_it:
            assert await station.order("stop_transaction") == (1, Reason.DeAuthorized)
            await station.stop(reason=Reason.DeAuthorized)
            assert (await station.told("StopTransaction"))["reason"] == "DeAuthorized"
        assert len(station.orders("stop_transaction")) == int(stop_it)


async def test_a_connection_lost_during_a_transaction_loses_no_meter_value(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        transaction_id = await station.charging()
        await go_offline(station)
        await station.stop()
        await station.leave()
        await csms.start()
        stop = await station.told("StopTransaction")
        assert stop["transactionId"] == transaction_id
        await station.status(1, "Available")
        assert len(csms.calls("BootNotification")) == 1, "a reconnect is no boot"


async def test_after_a_reconnect_all_states_are_told_again(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.status(1, "Preparing")
        await csms.drop_connections()
        await station.states(2)
        await csms.wait_for(lambda: len(station.statuses(2)) == 2)
        assert station.statuses(1)[-1] == "Preparing"


async def test_a_power_failure_ends_the_transaction_with_the_last_reading(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        transaction_id = await station.charging()
        await station.charge_point.on_meter_values(1, reading(612.3))
        await csms.call(call.TriggerMessage(requested_message="MeterValues", connector_id=1))
        await station.told("MeterValues")
        await station.power_cut()
        stop = await station.told("StopTransaction")
        assert (stop["transactionId"], stop["reason"], stop["meterStop"]) == (transaction_id, "PowerLoss", 612)
        assert "idTag" not in stop
        await station.states(2)
        assert len(csms.calls("BootNotification")) == 2


async def test_a_power_failure_while_offline_loses_neither_start_nor_stop(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await go_offline(station)
        await station.plug_in()
        await station.start(energy=5)
        await station.charge_point.close()
        await csms.start()
        await station.power_cut()
        start, stop = await station.told("StartTransaction"), await station.told("StopTransaction")
        assert (start["meterStart"], stop["meterStop"], stop["reason"]) == (5, 5, "PowerLoss")
        assert stop["transactionId"] == 1
        assert len(csms.calls("StartTransaction")) == 1


async def test_a_security_event_from_offline_times_is_delivered(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await go_offline(station)
        await station.charge_point.on_security_event("TamperDetectionActivated", "lid open")
        await csms.start()
        await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"] == "TamperDetectionActivated")
