"""Remote start and stop (libocpp 3.6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocpp16 import ErrorInfo, ReservationCheckStatus
from ocpp16.messages import ChargePointErrorCode, Reason
from tests.support.ocpp16_station import START_OF_TIME, Station, settled

pytestmark = pytest.mark.looptime


async def start(station: Station, **payload: Any) -> str:
    answer = await station.csms.call("RemoteStartTransaction", {"idTag": "TAG1", **payload})
    await settled()
    status: str = answer["status"]
    return status


async def test_an_accepted_remote_start_provides_the_token_after_the_answer() -> None:
    async with Station() as station:
        await station.boot()
        assert await start(station, connectorId=2) == "Accepted"
        assert await start(station) == "Accepted"
    assert station.asked_for("provide_token") == [["TAG1", [2], True], ["TAG1", [1, 2], True]]


async def test_with_authorize_remote_tx_requests_the_token_is_not_prevalidated() -> None:
    async with Station(AuthorizeRemoteTxRequests=True) as station:
        await station.boot()
        await start(station, connectorId=1)
    assert station.asked_for("provide_token") == [["TAG1", [1], False]]


@pytest.mark.parametrize("connector", [0, -1, 3])
async def test_a_connector_that_does_not_exist_is_rejected(connector: int) -> None:
    async with Station() as station:
        await station.boot()
        assert await start(station, connectorId=connector) == "Rejected"
    assert station.asked_for("provide_token") == []


async def test_an_empty_tag_is_rejected() -> None:
    async with Station() as station:
        await station.boot()
        for where in ({}, {"connectorId": 1}):
            assert await station.csms.call("RemoteStartTransaction", {"idTag": "", **where}) == {"status": "Rejected"}


async def test_without_a_connector_the_options_decide() -> None:
    async with Station(RejectRemoteStartTransactionWithoutConnectorId=True) as station:
        await station.boot()
        assert await start(station) == "Rejected"
    async with Station(RemoteStartTransactionWithoutConnectorIdFindFirst=True) as station:
        await station.boot()
        await station.begin(1)
        assert await start(station) == "Accepted"
    assert station.asked_for("provide_token") == [["TAG1", [2], True]]


async def test_without_options_a_start_without_connector_is_for_all_connectors_if_one_can_be_used() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_disabled(1)
        assert await start(station) == "Accepted"
        await station.charge_point.on_disabled(2)
        assert await start(station) == "Rejected"
    assert station.asked_for("provide_token") == [["TAG1", [1, 2], True]]


async def make_unavailable(station: Station) -> None:
    await station.charge_point.on_disabled(1)


async def make_faulted(station: Station) -> None:
    error = ErrorInfo(uuid="e", error_code=ChargePointErrorCode.OtherError, is_fault=True, timestamp=START_OF_TIME)
    await station.charge_point.on_error(1, error)


async def make_charging(station: Station) -> None:
    await station.begin()


async def make_finishing(station: Station) -> None:
    await station.begin()
    await station.end()


async def make_reserved(station: Station) -> None:
    async def check(connector: int, id_token: str) -> ReservationCheckStatus:
        return ReservationCheckStatus.ReservedForOtherToken

    station.charge_point.register_is_token_reserved_for_connector_callback(check)
    await station.charge_point.on_reservation_start(1)


@pytest.mark.parametrize("make", [make_unavailable, make_faulted, make_charging, make_finishing, make_reserved])
async def test_a_connector_that_cannot_be_used_is_rejected(make: Any) -> None:
    async with Station() as station:
        await station.boot()
        await make(station)
        assert await start(station, connectorId=1) == "Rejected"
        assert await start(station, connectorId=2) == "Accepted"


@pytest.mark.parametrize(
    "answer",
    [ReservationCheckStatus.ReservedForToken, ReservationCheckStatus.ReservedForOtherTokenAndHasParentToken],
)
async def test_a_reservation_that_may_be_for_the_token_does_not_reject(answer: ReservationCheckStatus) -> None:
    async with Station() as station:
        await station.boot()

        async def check(connector: int, id_token: str) -> ReservationCheckStatus:
            return answer

        station.charge_point.register_is_token_reserved_for_connector_callback(check)
        await station.charge_point.on_reservation_start(1)
        assert await start(station, connectorId=1) == "Accepted"


PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
    },
}


async def test_a_charging_profile_is_ignored_by_a_station_without_smart_charging() -> None:
    async with Station() as station:
        await station.boot()
        assert await start(station, connectorId=1, chargingProfile=PROFILE) == "Accepted"


async def test_remote_stop_stops_the_transaction_of_that_id() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(2)
        await settled()
        assert await station.csms.call("RemoteStopTransaction", {"transactionId": 99}) == {"status": "Rejected"}
        assert await station.csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await settled()
        await station.end(2)
        assert await station.csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Rejected"}
    assert station.asked_for("stop_transaction") == [[2, Reason.Remote]]


async def test_a_remote_stop_hard_on_the_start_answer_finds_its_transaction() -> None:
    async with Station() as station:
        await station.boot()
        apply = station.store.apply

        async def slow(*args: Any, **options: Any) -> None:
            await asyncio.sleep(1)
            await apply(*args, **options)

        station.store.apply = slow  # type: ignore[method-assign]
        replies: list[Any] = []

        async def answer_and_stop(payload: dict[str, Any]) -> dict[str, Any]:
            call = asyncio.get_running_loop().create_task(
                station.csms.call("RemoteStopTransaction", {"transactionId": 7})
            )
            call.add_done_callback(lambda task: replies.append(task.result()))
            return {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}

        station.csms.answers["StartTransaction"] = answer_and_stop
        await station.begin()
        await settled(10)
    assert replies == [{"status": "Accepted"}]
