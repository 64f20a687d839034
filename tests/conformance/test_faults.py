"""Fault behaviour (OCPP 1.6 §4.9, table of states, column and row 9)."""

from __future__ import annotations

from collections.abc import Callable

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig, fault

Make = Callable[..., Rig]


async def test_a_fault_is_told_with_its_code_and_the_state_before_it_comes_back(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.status(1, "Preparing")
        await station.charge_point.on_error(1, fault())
        told = await station.status(1, "Faulted")
        assert (told["errorCode"], told["vendorErrorCode"]) == ("GroundFailure", "CX002")
        await station.charge_point.on_error_cleared(1, "e1")
        told = await station.status(1, "Preparing")
        assert told["errorCode"] == "NoError"


async def test_what_happens_under_a_fault_shows_when_it_is_over(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charging()
        await station.charge_point.on_error(1, fault())
        await station.status(1, "Faulted")
        await station.stop()
        await station.told("StopTransaction")
        await station.charge_point.on_error_cleared(1, "e1")
        await station.status(1, "Finishing")
        assert station.statuses(1)[-2:] == ["Faulted", "Finishing"]


async def test_an_error_that_is_no_fault_keeps_the_status(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charging()
        await station.charge_point.on_error(1, fault(is_fault=False, code="HighTemperature"))
        told = await csms.wait_for_call("StatusNotification", lambda p: p["errorCode"] == "HighTemperature")
        assert told["status"] == "Charging"


async def test_a_fault_of_the_station_is_told_for_connector_zero(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_error(0, fault(code="InternalError"))
        assert (await station.status(0, "Faulted"))["errorCode"] == "InternalError"
        assert station.statuses(1) == ["Available"]
        await station.charge_point.on_all_errors_cleared(0)
        await station.status(0, "Available")


async def test_a_fault_outlives_a_reconnect(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_error(1, fault())
        await station.status(1, "Faulted")
        await csms.drop_connections()
        await csms.wait_for(lambda: len(station.statuses(1)) == 3)
        assert station.statuses(1) == ["Available", "Faulted", "Faulted"]
