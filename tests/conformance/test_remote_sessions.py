"""Charging sessions started and stopped by the central system (OCPP 1.6 §5.11, §5.12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16.messages import Reason
from tests.support.conformance import Rig, fault

Make = Callable[..., Rig]


async def start(csms: CentralSystem, connector: int | None = 1) -> str:
    return str((await csms.call(call.RemoteStartTransaction(id_tag="TAG1", connector_id=connector))).status)


async def test_tc_010_cs_remote_start_with_the_cable_plugged_in_first(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.status(1, "Preparing")
        assert await start(csms) == "Accepted"
        assert await station.order("provide_token") == ("TAG1", [1], True)
        await station.start()
        await station.status(1, "Charging")
        assert csms.calls("Authorize") == [], "AuthorizeRemoteTxRequests is false"


async def test_a_remote_start_before_the_cable_is_plugged_in(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await start(csms) == "Accepted"
        await station.order("provide_token")
        await station.charge_point.on_session_started(1, "s1", "Authorized")
        await station.status(1, "Preparing")
        await station.start()
        await station.status(1, "Charging")


async def test_a_remote_start_that_nobody_plugs_in_for_leaves_nothing_behind(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await start(csms) == "Accepted"
        await station.order("provide_token")
        await station.charge_point.on_session_started(1, "s1", "Authorized")
        await station.leave()
        await station.status(1, "Available")
        assert csms.calls("StartTransaction") == []
        assert await start(csms) == "Accepted"


async def test_with_authorize_remote_tx_requests_the_tag_is_checked_as_a_local_one(
    rig: Make, csms: CentralSystem
) -> None:
    async with rig(AuthorizeRemoteTxRequests=True) as station:
        assert await start(csms) == "Accepted"
        assert await station.order("provide_token") == ("TAG1", [1], False)


async def test_a_remote_start_without_connector_is_for_all_of_them(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await start(csms, None) == "Accepted"
        assert await station.order("provide_token") == ("TAG1", [1, 2], True)


async def test_a_remote_start_is_rejected_where_it_cannot_lead_to_a_transaction(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await start(csms, 0) == "Rejected"
        assert await start(csms, 3) == "Rejected"
        await station.charging(1)
        assert await start(csms, 1) == "Rejected"
        await station.charge_point.on_error(2, fault())
        assert await start(csms, 2) == "Rejected"
        assert await start(csms, None) == "Rejected"
        await station.charge_point.on_error_cleared(2, "e1")
        await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))
        await station.status(2, "Unavailable")
        assert await start(csms, 2) == "Rejected"
        assert station.orders("provide_token") == []


async def test_a_connector_reserved_for_another_tag_is_not_started(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_reservation_start(1)
        await station.status(1, "Reserved")
        station.answers["is_token_reserved_for_connector"] = "ReservedForOtherToken"
        assert await start(csms) == "Rejected"
        station.answers["is_token_reserved_for_connector"] = "ReservedForToken"
        assert await start(csms) == "Accepted"


async def test_tc_012_cs_remote_stop(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        transaction_id = await station.charging()
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=transaction_id))
        assert answer.status == "Accepted"
        assert await station.order("stop_transaction") == (1, Reason.Remote)
        await station.stop(reason=Reason.Remote)
        stop = await station.told("StopTransaction")
        assert (stop["transactionId"], stop["reason"]) == (transaction_id, "Remote")
        assert "idTag" not in stop


@pytest.mark.parametrize("transaction_id", [0, 2, 4711])
async def test_a_remote_stop_of_an_unknown_transaction_is_rejected(
    rig: Make, csms: CentralSystem, transaction_id: int
) -> None:
    async with rig() as station:
        await station.charging()
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=transaction_id))
        assert answer.status == "Rejected"
        assert station.orders("stop_transaction") == []
