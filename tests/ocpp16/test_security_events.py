"""Security events (libocpp 4.9, DEPARTURE 39)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp16 import BootReason
from ocpp16.errors import ConnectionFailed, StoreError
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        (BootReason.PowerUp, "StartupOfTheDevice"),
        (BootReason.FirmwareUpdate, "FirmwareUpdated"),
        (BootReason.RemoteReset, "ResetOrReboot"),
        (BootReason.ScheduledReset, "ResetOrReboot"),
        (BootReason.Watchdog, "StartupOfTheDevice"),
    ],
)
async def test_every_start_raises_exactly_one_event_by_its_reason(reason: BootReason, event: str) -> None:
    async with Station() as station:
        await station.boot(bootreason=reason)
    assert [p["type"] for p in station.csms.requests("SecurityEventNotification")] == [event]
    assert [args[0] for args in station.asked_for("security_event")] == [event]


@pytest.mark.parametrize(
    ("event", "critical", "sent"),
    [
        ("TamperDetectionActivated", None, "TamperDetectionActivated"),
        ("InvalidMessages", None, None),
        ("InvalidMessages", True, "InvalidMessages"),
        ("MemoryExhaustion", False, None),
        ("FailedToAuthenticateAtCsms", True, "FailedToAuthenticateAtCentralSystem"),
    ],
)
async def test_an_event_of_the_integrator_is_sent_if_it_is_critical(
    event: str, critical: bool | None, sent: str | None
) -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_security_event(event, "t" * 300, critical, station.clock.now())
        await settled()
    got = station.csms.requests("SecurityEventNotification")[1:]
    assert [p["type"] for p in got] == ([sent] if sent else [])
    assert all(len(p["techInfo"]) == 255 for p in got)
    assert len(station.asked_for("security_event")) == 1


async def test_events_can_be_kept_from_the_csms() -> None:
    async with Station(DisableSecurityEventNotifications=True) as station:
        await station.boot()
    assert station.csms.requests("SecurityEventNotification") == []
    assert len(station.asked_for("security_event")) == 1


async def test_an_event_raised_offline_is_delivered_after_a_restart() -> None:
    async with Station() as station:
        station.csms.refuse = ConnectionFailed("down")
        await station.boot()
        await station.charge_point.on_security_event("TamperDetectionActivated")
        station.csms.refuse = None
        await station.kill_and_restart()
        await settled(30)
    types = [p["type"] for p in station.csms.requests("SecurityEventNotification")]
    assert types == ["StartupOfTheDevice", "TamperDetectionActivated", "StartupOfTheDevice"]


async def test_a_refused_login_is_an_event_of_its_own() -> None:
    async with Station() as station:
        station.csms.refuse = ConnectionFailed("401", status=401)
        await station.boot()
        await settled(1)
    assert ["FailedToAuthenticateAtCentralSystem", ""] in station.asked_for("security_event")


async def test_a_store_that_refuses_an_event_does_not_keep_the_rest_from_happening() -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise StoreError("disk full")

    async with Station() as station:
        await station.boot()
        station.store.apply = refuse  # type: ignore[method-assign]
        await station.charge_point.on_firmware_update_status_notification(3, "InvalidSignature")
        await settled()
        with pytest.raises(StoreError):
            await station.charge_point.on_security_event("TamperDetectionActivated")
    assert station.asked_for("security_event")[-1] == ["InvalidFirmwareSignature", ""]
