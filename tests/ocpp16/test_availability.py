"""ChangeAvailability: now, later, again, and across power cycles (libocpp 3.10, 12.3)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp16.messages import AvailabilityType, ChangeAvailabilityRequest
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


class Evse(Station):
    """An EVSE that follows: enabling and disabling is told back, as EVerest does."""

    def _register(self, charge_point: Any) -> None:
        super()._register(charge_point)

        async def enable(connector: int) -> bool:
            self.asked.append(("enable_evse", connector))
            if connector:
                await self.charge_point.on_enabled(connector)
            return True

        async def disable(connector: int) -> bool:
            self.asked.append(("disable_evse", connector))
            if connector:
                await self.charge_point.on_disabled(connector)
            return True

        charge_point.register_enable_evse_callback(enable)
        charge_point.register_disable_evse_callback(disable)

    async def change(self, connector: int, kind: str) -> str:
        answer = await self.csms.call("ChangeAvailability", {"connectorId": connector, "type": kind})
        await settled()
        status: str = answer["status"]
        return status

    async def booted(self) -> None:
        await self.boot()
        self.asked.clear()


async def test_a_connector_becomes_inoperative_and_operative_again() -> None:
    async with Evse() as station:
        await station.booted()
        assert await station.change(1, "Inoperative") == "Accepted"
        assert await station.change(1, "Operative") == "Accepted"
    assert station.asked == [("disable_evse", 1), ("enable_evse", 1)]
    assert station.csms.statuses(1) == ["Available", "Unavailable", "Available"]


@pytest.mark.parametrize("connector", [-1, 3])
async def test_a_connector_that_does_not_exist_is_rejected(connector: int) -> None:
    async with Evse() as station:
        await station.booted()
        assert await station.change(connector, "Inoperative") == "Rejected"


async def test_what_is_so_already_is_accepted_without_a_callback() -> None:
    async with Evse() as station:
        await station.booted()
        assert await station.change(1, "Operative") == "Accepted"
        assert await station.change(0, "Operative") == "Accepted"
    assert station.asked == []


async def test_connector_zero_changes_everything_that_is_free_and_schedules_the_rest() -> None:
    async with Evse() as station:
        await station.booted()
        await station.begin(1)
        assert await station.change(0, "Inoperative") == "Scheduled"
        assert [entry for entry in station.asked if entry[0] == "disable_evse"] == [
            ("disable_evse", 0),
            ("disable_evse", 2),
        ]
        await station.end(1)
        await settled()
        assert ("disable_evse", 1) in station.asked
    assert station.csms.statuses(0)[-1] == "Unavailable"
    assert station.csms.statuses(1)[-1] == "Unavailable"


async def test_a_preparing_connector_is_busy_and_changes_at_the_end_of_its_session() -> None:
    async with Evse() as station:
        await station.booted()
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        assert await station.change(1, "Inoperative") == "Scheduled"
        await settled(10)
        assert station.asked == []
        await station.charge_point.on_session_stopped(1, "s")
        await settled()
    assert station.asked == [("disable_evse", 1)]
    assert station.csms.statuses(1) == ["Available", "Preparing", "Unavailable"], "no Available in between"


async def test_a_connector_that_cannot_be_taken_out_of_service_is_available_after_its_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Station() as station:
        await station.boot()
        station.charge_point.register_disable_evse_callback(station._note("disable_evse", False))
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await station.csms.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        await station.charge_point.on_session_stopped(1, "s")
        await settled()
    assert station.csms.statuses(1) == ["Available", "Preparing", "Available"]
    assert "Connector 1 stays in service" in caplog.text


async def test_a_newer_request_replaces_a_scheduled_one() -> None:
    async with Evse() as station:
        await station.booted()
        await station.begin(1)
        assert await station.change(1, "Inoperative") == "Scheduled"
        assert await station.change(1, "Operative") == "Accepted"
        await station.end(1)
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
    assert ("disable_evse", 1) not in station.asked
    assert station.csms.statuses(1)[-1] == "Available"


async def test_the_wanted_availability_survives_a_power_cycle_also_when_it_was_only_scheduled() -> None:
    async with Evse() as station:
        await station.booted()
        await station.begin(1)
        await station.change(1, "Inoperative")
        await station.change(2, "Inoperative")
        await station.kill_and_restart()
        assert station.asked_for("disable_evse")[-2:] == [[1], [2]]
        assert station.csms.statuses(2)[-1] == "Unavailable"
        assert station.csms.statuses(1)[-1] == "Unavailable"


async def test_disabling_is_accepted_from_every_state_while_it_was_ordered() -> None:
    async with Evse() as station:
        await station.booted()
        await station.change(1, "Inoperative")
        await station.charge_point.on_session_started(1, "s", "EVConnected")
        await settled()
        assert station.csms.statuses(1)[-1] == "Preparing"
        await station.charge_point.on_disabled(1)
        await settled()
    assert station.csms.statuses(1)[-1] == "Unavailable"


async def test_the_integrator_may_change_availability_itself() -> None:
    async with Evse() as station:
        await station.booted()
        request = ChangeAvailabilityRequest(connector_id=1, type=AvailabilityType.Inoperative)
        response = await station.charge_point.on_change_availability(request)
        assert response.status == "Accepted"
        assert station.asked == [("disable_evse", 1)]


async def test_an_enabled_event_does_not_end_the_charging_state_of_a_running_transaction() -> None:
    async with Evse() as station:
        await station.booted()
        await station.begin(1)
        await station.charge_point.on_resume_charging(1)
        await station.charge_point.on_enabled(1)
        await settled()
    assert station.csms.statuses(1)[-1] == "Charging"


async def test_a_transaction_that_goes_on_after_a_restart_ends_before_its_connector_is_disabled() -> None:
    async with Evse() as station:
        await station.booted()
        await station.begin(1)
        await settled()
        assert await station.change(1, "Inoperative") == "Scheduled"
        await station.kill_and_restart(resuming=["session-1"])
        assert ("disable_evse", 1) not in station.asked
        await station.end(1)
        await settled()
        assert ("disable_evse", 1) in station.asked
