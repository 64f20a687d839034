"""Reservations (OCPP 1.6 §5.1, §5.13), at the library and through the OCPP module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig, fault
from tests.support.ocpp_bench import OcppBench

Make = Callable[..., Rig]
EXPIRY = "2040-01-01T12:00:00Z"


async def reserve(csms: CentralSystem, connector: int = 1, number: int = 5, **more: Any) -> str:
    request = call.ReserveNow(connector_id=connector, expiry_date=EXPIRY, id_tag="TAG1", reservation_id=number, **more)
    return str((await csms.call(request)).status)


async def test_a_reservation_is_shown_used_and_told_with_the_start(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await reserve(csms, parent_id_tag="GROUP") == "Accepted"
        assert await station.order("reserve_now") == (5, 1, "2040-01-01T12:00:00.000Z", "TAG1", "GROUP")
        await station.charge_point.on_reservation_start(1)
        await station.status(1, "Reserved")
        await station.charge_point.on_session_started(1, "s1", "Authorized")
        await station.status(1, "Preparing")
        await station.start(reservation_id=5)
        await station.status(1, "Charging")
        assert (await station.told("StartTransaction"))["reservationId"] == 5


async def test_a_car_that_plugs_in_does_not_end_a_reservation(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_reservation_start(1)
        await station.status(1, "Reserved")
        await station.plug_in()
        await station.start(reservation_id=0)
        await station.status(1, "Charging")
        assert station.statuses(1) == ["Available", "Reserved", "Preparing", "Charging"]
        assert (await station.told("StartTransaction"))["reservationId"] == 0


async def test_an_expired_reservation_frees_the_connector(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_reservation_start(1)
        await station.status(1, "Reserved")
        await station.charge_point.on_reservation_end(1)
        await station.status(1, "Available")


@pytest.mark.parametrize("status", ["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"])
async def test_what_the_station_says_of_a_free_connector_is_passed_on(
    rig: Make, csms: CentralSystem, status: str
) -> None:
    async with rig() as station:
        station.answers["reserve_now"] = status
        assert await reserve(csms) == status


async def test_a_connector_that_cannot_be_reserved_says_why_itself(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        assert await reserve(csms) == "Occupied"
        await station.charge_point.on_error(1, fault())
        assert await reserve(csms) == "Faulted"
        await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))
        await station.status(2, "Unavailable")
        assert await reserve(csms, 2) == "Unavailable"
        assert await reserve(csms, 3) == "Rejected"
        assert station.orders("reserve_now") == []


@pytest.mark.parametrize(("supported", "status"), [(True, "Accepted"), (False, "Rejected")])
async def test_the_whole_station_is_reserved_where_it_is_supported(
    rig: Make, csms: CentralSystem, supported: bool, status: str
) -> None:
    async with rig(ReserveConnectorZeroSupported=supported) as station:
        assert await reserve(csms, 0) == status
        assert len(station.orders("reserve_now")) == int(supported)


@pytest.mark.parametrize(("known", "status"), [(True, "Accepted"), (False, "Rejected")])
async def test_a_reservation_is_cancelled_if_there_is_one(
    rig: Make, csms: CentralSystem, known: bool, status: str
) -> None:
    async with rig() as station:
        station.answers["cancel_reservation"] = known
        assert (await csms.call(call.CancelReservation(reservation_id=0))).status == status
        assert station.orders("cancel_reservation") == [(0,)]


async def test_through_the_module_a_reservation_moves_and_ends(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        assert await reserve(csms, 1, parent_id_tag="GROUP") == "Accepted"
        bench.event("ReservationStart", evse=1)
        await bench.wait_for_status(1, "Reserved")
        assert await reserve(csms, 2) == "Accepted"
        bench.event("ReservationEnd", evse=1, reservation_end={"reason": "Cancelled", "reservation_id": 5})
        bench.event("ReservationStart", evse=2)
        await bench.wait_for_status(2, "Reserved")
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")
        orders = [arguments for _, _, arguments in bench.commands("reserve_now")]
        assert [order["request"]["reservation_id"] for order in orders] == [5, 5]
        assert [order["request"]["evse_id"] for order in orders] == [1, 2]
        assert orders[0]["request"]["parent_id_token"] == "GROUP"
        assert (await csms.call(call.CancelReservation(reservation_id=5))).status == "Accepted"
    assert csms.call_errors == []
