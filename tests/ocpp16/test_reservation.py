"""ReserveNow and CancelReservation (libocpp 3.12, 12.21)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp16 import ErrorInfo
from ocpp16.messages import ChargePointErrorCode, ReservationStatus
from tests.support.ocpp16_station import START_OF_TIME, Station

pytestmark = pytest.mark.looptime


class Reserving(Station):
    answer = ReservationStatus.Accepted

    def _register(self, charge_point: Any) -> None:
        super()._register(charge_point)

        async def reserve(*args: Any) -> ReservationStatus:
            self.asked.append(("reserve_now", *args))
            return self.answer

        async def cancel(reservation_id: int) -> bool:
            return reservation_id == 0

        charge_point.register_reserve_now_callback(reserve)
        charge_point.register_cancel_reservation_callback(cancel)

    async def reserve(self, connector: int = 1) -> str:
        payload = {
            "connectorId": connector,
            "expiryDate": "2026-01-01T13:00:00Z",
            "idTag": "TAG1",
            "reservationId": 0,
            "parentIdTag": "GROUP",
        }
        status: str = (await self.csms.call("ReserveNow", payload))["status"]
        return status


@pytest.mark.parametrize("answer", list(ReservationStatus))
async def test_the_integrator_decides_about_a_free_connector(answer: ReservationStatus) -> None:
    async with Reserving() as station:
        station.answer = answer
        await station.boot()
        assert await station.reserve() == answer
    assert station.asked_for("reserve_now") == [[0, 1, "2026-01-01T13:00:00.000Z", "TAG1", "GROUP"]]


async def test_statuses_that_decide_by_themselves() -> None:
    async with Reserving(ReserveConnectorZeroSupported=False) as station:
        await station.boot()
        assert await station.reserve(0) == "Rejected"
        assert await station.reserve(3) == "Rejected"
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        assert await station.reserve(1) == "Occupied"
        await station.csms.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
        assert await station.reserve(2) == "Unavailable"
        error = ErrorInfo(uuid="e", error_code=ChargePointErrorCode.OtherError, is_fault=True, timestamp=START_OF_TIME)
        await station.charge_point.on_error(1, error)
        assert await station.reserve(1) == "Faulted"
    assert station.asked_for("reserve_now") == []


async def test_connector_zero_is_passed_on_where_it_is_supported() -> None:
    async with Reserving(ReserveConnectorZeroSupported=True) as station:
        await station.boot()
        assert await station.reserve(0) == "Accepted"


async def test_without_the_profile_reserving_is_rejected_and_cancelling_not_supported() -> None:
    async with Reserving(SupportedFeatureProfiles="Core") as station:
        await station.boot()
        assert await station.reserve() == "Rejected"
        assert (await station.csms.call("CancelReservation", {"reservationId": 0}))[0] == "NotSupported"


async def test_a_reservation_is_cancelled_if_the_integrator_knows_it_zero_included() -> None:
    async with Reserving() as station:
        await station.boot()
        assert await station.csms.call("CancelReservation", {"reservationId": 0}) == {"status": "Accepted"}
        assert await station.csms.call("CancelReservation", {"reservationId": 1}) == {"status": "Rejected"}
