"""Charging sessions started at the station (OCPP 1.6 §4.8, §4.9, §4.10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from everest.demo.csms import CentralSystem
from ocpp16.messages import Reason
from tests.support.conformance import Rig

Make = Callable[..., Rig]


async def test_tc_003_cs_plug_in_first(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.status(1, "Preparing")
        assert await station.identify() == "Accepted"
        await station.start()
        await station.status(1, "Charging")
        await station.stop(tag="TAG1")
        await station.status(1, "Finishing")
        await station.leave()
        await station.status(1, "Available")
        assert station.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]
        start, stop = await station.told("StartTransaction"), await station.told("StopTransaction")
        assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG1", 100)
        assert (stop["transactionId"], stop["idTag"], stop["meterStop"]) == (1, "TAG1", 1100)
        assert stop.get("reason", "Local") == "Local"


async def test_tc_004_1_cs_identification_first(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await station.identify() == "Accepted"
        await station.charge_point.on_session_started(1, "s1", "Authorized")
        told = await station.status(1, "Preparing")
        assert told["info"] == "Authorized"
        await station.start()
        await station.status(1, "Charging")
        actions = [f.action for f in csms.frames if f.action in ("Authorize", "StartTransaction")]
        assert actions == ["Authorize", "StartTransaction"]


async def test_an_identified_user_who_does_not_plug_in_frees_the_connector(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_session_started(1, "s1", "Authorized")
        await station.status(1, "Preparing")
        await station.leave()
        await station.status(1, "Available")
        assert csms.calls("StartTransaction") == []


async def test_a_car_that_nobody_identifies_for_is_told_as_finishing(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.charge_point.on_plugin_timeout(1)
        told = await station.status(1, "Finishing")
        assert told["info"] == "ConnectionTimeout"
        assert csms.calls("StartTransaction") == []


@pytest.mark.parametrize("unlock", [True, False])
async def test_tc_005_1_cs_ev_side_disconnect_ends_the_transaction(
    rig: Make, csms: CentralSystem, unlock: bool
) -> None:
    async with rig(UnlockConnectorOnEVSideDisconnect=unlock) as station:
        await station.charging()
        await station.stop(reason=Reason.EVDisconnected)
        await station.leave()
        await station.status(1, "Available")
        assert (await station.told("StopTransaction"))["reason"] == "EVDisconnected"
        if unlock:
            assert await station.order("unlock_connector") == (1,)
        assert station.statuses(1) == ["Available", "Preparing", "Charging", "Available"]
        assert len(station.orders("unlock_connector")) == int(unlock)


async def test_energy_that_stops_flowing_is_told_with_the_side_that_stopped_it(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charging()
        await station.charge_point.on_suspend_charging_ev(1)
        await station.status(1, "SuspendedEV")
        await station.charge_point.on_suspend_charging_evse(1, "no power")
        assert (await station.status(1, "SuspendedEVSE"))["info"] == "no power"
        await station.charge_point.on_resume_charging(1)
        await station.status(1, "Charging")


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
async def test_a_tag_that_the_csms_refuses_does_not_start(rig: Make, csms: CentralSystem, status: str) -> None:
    csms.tags["TAG1"] = {"status": status}
    async with rig() as station:
        assert await station.identify() == status


async def test_a_member_of_the_group_may_stop(rig: Make, csms: CentralSystem) -> None:
    csms.tags |= {tag: {"status": "Accepted", "parentIdTag": "GROUP"} for tag in ("TAG1", "TAG2")}
    async with rig() as station:
        result = await station.charge_point.authorize_id_token("TAG1")
        assert result.id_tag_info.parent_id_tag == "GROUP"
        await station.charging()
        *_, info = await station.order("transaction_updated")
        assert info.parent_id_tag == "GROUP"
        await station.stop(tag="TAG2")
        assert (await station.told("StopTransaction"))["idTag"] == "TAG2"


@pytest.mark.parametrize("stop_it", [True, False])
async def test_a_tag_refused_by_the_start_answer_stops_or_only_pauses(
    rig: Make, csms: CentralSystem, stop_it: bool
) -> None:
    csms.tags["TAG1"] = {"status": "Blocked"}
    async with rig(StopTransactionOnInvalidId=stop_it) as station:
        await station.charging()
        assert await station.order("pause_charging") == (1,)
        if not stop_it:
            assert station.orders("stop_transaction") == []
            return
        assert await station.order("stop_transaction") == (1, Reason.DeAuthorized)
        await station.stop(reason=Reason.DeAuthorized)
        assert (await station.told("StopTransaction"))["reason"] == "DeAuthorized"


async def test_two_connectors_charge_at_the_same_time(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        first = await station.charging(1, "s1", "TAG1")
        second = await station.charging(2, "s2", "TAG2")
        await station.stop(2, "s2", energy=500)
        await station.stop(1, "s1", energy=700)
        await station.told("StopTransaction", 2)
        stops = {p["transactionId"]: p["meterStop"] for p in csms.calls("StopTransaction")}
        assert stops == {first: 700, second: 500}
