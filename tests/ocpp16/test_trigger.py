"""TriggerMessage and ExtendedTriggerMessage (libocpp 3.14, DEPARTURE 13, 35)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def trigger(station: Station, action: str, message: str, connector: int | None = None) -> tuple[str, list[str]]:
    """The answer, and the actions that followed it."""
    before = len(station.csms.frames)
    payload: dict[str, Any] = {"requestedMessage": message}
    if connector is not None:
        payload["connectorId"] = connector
    answer = await station.csms.call(action, payload)
    await settled()
    after = station.csms.frames[before:]
    assert after[0][0] == 3, "the answer goes first"
    return answer["status"], [frame[2] for frame in after[1:]]


@pytest.mark.parametrize(
    ("message", "plain", "extended"),
    [
        ("BootNotification", "BootNotification", "BootNotification"),
        ("Heartbeat", "Heartbeat", "Heartbeat"),
        ("DiagnosticsStatusNotification", "DiagnosticsStatusNotification", None),
        ("FirmwareStatusNotification", "FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
        ("LogStatusNotification", None, "LogStatusNotification"),
        ("SignChargePointCertificate", None, None),
    ],
)
async def test_each_message_is_triggered_or_not_implemented(
    message: str, plain: str | None, extended: str | None
) -> None:
    async with Station() as station:
        await station.boot()
        for action, expected in (("TriggerMessage", plain), ("ExtendedTriggerMessage", extended)):
            status, followed = await trigger(station, action, message)
            assert (status, followed) == (("Accepted", [expected]) if expected else ("NotImplemented", []))


@pytest.mark.parametrize("action", ["TriggerMessage", "ExtendedTriggerMessage"])
async def test_status_and_meter_values_go_for_one_connector_or_for_all_that_can(action: str) -> None:
    async with Station() as station:
        await station.boot()
        assert await trigger(station, action, "StatusNotification") == ("Accepted", ["StatusNotification"] * 3)
        assert await trigger(station, action, "StatusNotification", 0) == ("Accepted", ["StatusNotification"])
        assert await trigger(station, action, "MeterValues") == ("Rejected", [])
        await station.read_meter(500, 2)
        assert await trigger(station, action, "MeterValues") == ("Accepted", ["MeterValues"])
        assert await trigger(station, action, "MeterValues", 1) == ("Rejected", [])
        for connector in (-1, 3):
            assert await trigger(station, action, "StatusNotification", connector) == ("Rejected", [])


@pytest.mark.parametrize("measurands", ["", "SoC"])
async def test_meter_values_of_which_nothing_can_be_sent_are_rejected(measurands: str) -> None:
    async with Station(MeterValuesSampledData=measurands) as station:
        await station.boot()
        await station.read_meter(500)
        assert await trigger(station, "TriggerMessage", "MeterValues", 1) == ("Rejected", [])


async def test_before_any_update_the_statuses_are_idle() -> None:
    async with Station() as station:
        await station.boot()
        await trigger(station, "ExtendedTriggerMessage", "FirmwareStatusNotification")
        await trigger(station, "ExtendedTriggerMessage", "LogStatusNotification")
    assert station.csms.requests("SignedFirmwareStatusNotification") == [{"status": "Idle"}]
    assert station.csms.requests("LogStatusNotification") == [{"status": "Idle"}]


async def test_without_firmware_management_its_messages_cannot_be_triggered() -> None:
    async with Station(SupportedFeatureProfiles="Core,RemoteTrigger") as station:
        await station.boot()
        assert await trigger(station, "TriggerMessage", "FirmwareStatusNotification") == ("NotImplemented", [])


@pytest.mark.parametrize(
    ("action", "option", "info"),
    [
        ("TriggerMessage", True, "SwitchingPhases"),
        ("TriggerMessage", False, None),
        ("ExtendedTriggerMessage", True, None),
    ],
)
async def test_a_triggered_status_tells_the_reason_of_suspended_evse_where_the_option_asks_for_it(
    action: str, option: bool, info: str | None
) -> None:
    async with Station(ReportSuspendedEVSEReasonChange=option) as station:
        await station.boot()
        await station.charge_point.on_suspend_charging_evse(1, "SwitchingPhases")
        await settled()
        await trigger(station, action, "StatusNotification", 1)
        last = station.csms.requests("StatusNotification")[-1]
    assert (last["status"], last.get("info")) == ("SuspendedEVSE", info)
