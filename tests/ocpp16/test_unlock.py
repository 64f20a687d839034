"""UnlockConnector (libocpp 3.11, DEPARTURE 28)."""

from __future__ import annotations

import pytest

from ocpp16.messages import Reason, UnlockStatus
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("connector", [-1, 0, 3])
async def test_a_connector_that_does_not_exist_cannot_be_unlocked(connector: int) -> None:
    async with Station() as station:
        await station.boot()
        answer = await station.csms.call("UnlockConnector", {"connectorId": connector})
        assert answer == {"status": "NotSupported"}


@pytest.mark.parametrize(
    ("status", "option", "stopped"),
    [
        (None, False, False),
        (UnlockStatus.NotSupported, False, False),
        (UnlockStatus.NotSupported, True, True),
        (UnlockStatus.Unlocked, False, True),
        (UnlockStatus.UnlockFailed, False, True),
    ],
)
async def test_whether_the_transaction_stops_depends_on_the_lock(
    status: UnlockStatus | None, option: bool, stopped: bool
) -> None:
    async with Station(StopTransactionIfUnlockNotSupported=option) as station:
        if status is not None:
            answer = status
            station.charge_point.register_unlock_connector_callback(lambda connector: answer)
        await station.boot()
        await station.begin()
        reply = await station.csms.call("UnlockConnector", {"connectorId": 1})
        await settled()
    assert reply == {"status": str(status or "NotSupported")}
    assert station.asked_for("stop_transaction") == ([[1, Reason.UnlockCommand]] if stopped else [])


async def test_a_transaction_that_the_callback_ended_itself_is_not_stopped_again() -> None:
    async with Station() as station:

        async def unlock(connector: int) -> UnlockStatus:
            await station.end(connector, reason=Reason.UnlockCommand)
            return UnlockStatus.Unlocked

        station.charge_point.register_unlock_connector_callback(unlock)
        await station.boot()
        await station.begin()
        assert await station.csms.call("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
        await settled()
    assert station.asked_for("stop_transaction") == []
    assert station.csms.requests("StopTransaction")[0]["reason"] == "UnlockCommand"
