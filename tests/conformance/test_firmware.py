"""Firmware updates, diagnostics and logs (OCPP 1.6 §4.4, §4.5, §5.9, §5.19; security whitepaper)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16.messages import GetLogResponse, LogStatusEnumType
from tests.support.conformance import Rig

Make = Callable[..., Rig]
UNSIGNED = -1


async def update(csms: CentralSystem) -> None:
    request = call.UpdateFirmware(location="http://x/fw.bin", retrieve_date="2030-01-01T00:00:00Z", retries=2)
    await csms.call(request)


@pytest.mark.parametrize(
    "statuses",
    [
        ["Downloading", "Downloaded", "Installing", "Installed"],
        ["Downloading", "DownloadFailed"],
        ["Downloading", "Downloaded", "Installing", "InstallationFailed"],
    ],
)
async def test_every_status_of_an_update_is_told_in_order(rig: Make, csms: CentralSystem, statuses: list[str]) -> None:
    async with rig() as station:
        await update(csms)
        (request,) = await station.order("update_firmware")
        assert (request.location, request.retries) == ("http://x/fw.bin", 2)
        for status in statuses:
            await station.charge_point.on_firmware_update_status_notification(UNSIGNED, status)
        await station.told("FirmwareStatusNotification", len(statuses))
        assert [p["status"] for p in csms.calls("FirmwareStatusNotification")] == statuses
        await csms.call(call.TriggerMessage(requested_message="FirmwareStatusNotification"))
        assert (await station.told("FirmwareStatusNotification", len(statuses) + 1))["status"] == "Idle"


async def test_the_station_is_emptied_for_the_installation_and_comes_back(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charging()
        await update(csms)
        await station.charge_point.on_firmware_update_status_notification(UNSIGNED, "Downloaded")
        await station.status(2, "Unavailable")
        assert station.orders("all_connectors_unavailable") == []
        assert station.statuses(1)[-1] == "Charging"
        await station.stop()
        await station.order("all_connectors_unavailable")
        await station.leave()
        await station.status(1, "Unavailable")
        for status in ("Installing", "Installed"):
            await station.charge_point.on_firmware_update_status_notification(UNSIGNED, status)
        await station.status(1, "Available")
        await station.status(2, "Available")


async def test_a_signed_update_tells_its_request_id_and_an_invalid_signature(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        for status in ("Downloading", "Downloaded", "InvalidSignature"):
            await station.charge_point.on_firmware_update_status_notification(17, status)
        await station.told("SignedFirmwareStatusNotification", 3)
        assert {p["requestId"] for p in csms.calls("SignedFirmwareStatusNotification")} == {17}
        await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"] == "InvalidFirmwareSignature")


@pytest.mark.parametrize(("status", "told"), [("Uploaded", "Uploaded"), ("UploadFailure", "UploadFailed")])
async def test_an_upload_of_diagnostics(rig: Make, csms: CentralSystem, status: str, told: str) -> None:
    async with rig() as station:
        answer = GetLogResponse(status=LogStatusEnumType.Accepted, filename="diag.zip")
        station.charge_point.register_upload_diagnostics_callback(lambda request: answer)
        response = await csms.call(call.GetDiagnostics(location="ftp://x/", retries=1, retry_interval=5))
        assert response.file_name == "diag.zip"
        await station.charge_point.on_log_status_notification(UNSIGNED, "Uploading")
        await csms.call(call.TriggerMessage(requested_message="DiagnosticsStatusNotification"))
        await station.charge_point.on_log_status_notification(UNSIGNED, status)
        await station.told("DiagnosticsStatusNotification", 3)
        statuses = [p["status"] for p in csms.calls("DiagnosticsStatusNotification")]
        assert statuses == ["Uploading", "Uploading", told]


async def test_diagnostics_that_nobody_has_have_no_file_name(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        assert (await csms.call(call.GetDiagnostics(location="ftp://x/"))).file_name is None


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "AcceptedCanceled"])
async def test_a_log_is_answered_as_the_station_decides(rig: Make, csms: CentralSystem, status: str) -> None:
    async with rig() as station:
        answer = GetLogResponse(status=LogStatusEnumType(status), filename="log.txt")
        station.charge_point.register_upload_logs_callback(lambda request: answer)
        request = call.GetLog(log={"remoteLocation": "ftp://x/"}, log_type="SecurityLog", request_id=9)
        assert (await csms.call(request)).status == status


@pytest.mark.parametrize(
    "status", ["BadMessage", "NotSupportedOperation", "PermissionDenied", "Uploaded", "UploadFailure", "Uploading"]
)
async def test_every_status_of_a_log_upload_is_told(rig: Make, csms: CentralSystem, status: str) -> None:
    async with rig() as station:
        await station.charge_point.on_log_status_notification(9, status)
        assert await station.told("LogStatusNotification") == {"status": status, "requestId": 9}


async def test_without_somebody_who_can_do_it_nothing_is_promised(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        request = call.GetLog(log={"remoteLocation": "ftp://x/"}, log_type="DiagnosticsLog", request_id=9)
        assert (await csms.call(request)).status == "Rejected"
