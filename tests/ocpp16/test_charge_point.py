"""The charge point as a whole, in virtual time: a session from boot to StopTransaction, life cycle, public face."""

from __future__ import annotations

import pytest

from ocpp16.messages import Reason
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def test_a_session_is_told_from_boot_to_stop() -> None:
    async with Station() as station:
        await station.boot()
        result = await station.charge_point.authorize_id_token("TAG1")
        assert result.id_tag_info.status == "Accepted"
        await station.begin(meter=100.4)
        await station.charge_point.on_resume_charging(1)
        await settled()
        await station.end(meter=1100.6, id_tag_end="TAG1")
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
        csms = station.csms
    assert csms.actions() == [
        "BootNotification",
        "SecurityEventNotification",
        *["StatusNotification"] * 3,
        "Authorize",
        *["StartTransaction", "StatusNotification", "StatusNotification"],
        "StopTransaction",
        *["StatusNotification"] * 2,
    ]
    start, stop = csms.requests("StartTransaction")[0], csms.requests("StopTransaction")[0]
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG1", 100)
    assert (stop["transactionId"], stop["meterStop"], stop["reason"], stop["idTag"]) == (1, 1101, "Local", "TAG1")
    assert csms.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert Reason.Local == stop["reason"]
