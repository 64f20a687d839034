"""Firmware, diagnostics and logs (libocpp 3.15, DEPARTURE 36, 50)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ocpp16.firmware import Firmware
from ocpp16.messages import GetDiagnosticsRequest, GetLogResponse, LogStatusEnumType
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime

UPDATE = {"location": "ftp://x/fw.bin", "retrieveDate": "2026-01-01T12:00:00Z"}
LOG = {"log": {"remoteLocation": "ftp://x"}, "logType": "DiagnosticsLog", "requestId": 7}


async def test_diagnostics_and_logs_are_answered_by_their_callbacks() -> None:
    async with Station() as station:
        await station.boot()
        assert await station.csms.call("GetDiagnostics", {"location": "ftp://x"}) == {}
        assert await station.csms.call("GetLog", LOG) == {"status": "Rejected"}

        async def upload(request: Any) -> GetLogResponse:
            station.asked.append(("upload", request))
            return GetLogResponse(status=LogStatusEnumType.AcceptedCanceled, filename="log.zip")

        station.charge_point.register_upload_diagnostics_callback(upload)
        station.charge_point.register_upload_logs_callback(upload)
        assert await station.csms.call("GetDiagnostics", {"location": "ftp://x"}) == {"fileName": "log.zip"}
        assert await station.csms.call("GetLog", LOG) == {"status": "AcceptedCanceled", "filename": "log.zip"}
    assert isinstance(station.asked_for("upload")[0][0], GetDiagnosticsRequest)


async def test_a_file_name_that_is_too_long_is_cut_and_costs_no_answer() -> None:
    async with Station() as station:
        await station.boot()
        answer = GetLogResponse(status=LogStatusEnumType.Accepted, filename="x" * 300)
        station.charge_point.register_upload_diagnostics_callback(lambda _: answer)
        station.charge_point.register_upload_logs_callback(lambda _: answer)
        assert await station.csms.call("GetDiagnostics", {"location": "ftp://x"}) == {"fileName": "x" * 255}
        assert await station.csms.call("GetLog", LOG) == {"status": "Accepted", "filename": "x" * 255}


async def test_a_firmware_update_is_passed_on_before_its_answer_and_not_supported_without_a_callback() -> None:
    async with Station() as station:
        await station.boot()
        assert (await station.csms.call("UpdateFirmware", UPDATE))[0] == "NotSupported"
        station.charge_point.register_update_firmware_callback(station._note("update_firmware", None))
        assert await station.csms.call("UpdateFirmware", UPDATE) == {}
        assert len(station.asked_for("update_firmware")) == 1


async def test_signed_updates_need_certificates_that_this_version_does_not_check() -> None:
    firmware = {
        "location": "x",
        "retrieveDateTime": "2026-01-01T12:00:00Z",
        "signingCertificate": "x",
        "signature": "x",
    }
    async with Station() as station:
        await station.boot()
        answer = await station.csms.call("SignedUpdateFirmware", {"requestId": 1, "firmware": firmware})
    assert answer[0] == "NotSupported"


@pytest.mark.parametrize(
    ("request_id", "status", "action", "payload"),
    [
        (-1, "Uploading", "DiagnosticsStatusNotification", {"status": "Uploading"}),
        (-1, "UploadFailure", "DiagnosticsStatusNotification", {"status": "UploadFailed"}),
        (-1, "PermissionDenied", "DiagnosticsStatusNotification", {"status": "UploadFailed"}),
        (7, "UploadFailure", "LogStatusNotification", {"status": "UploadFailure", "requestId": 7}),
        (0, "Uploaded", "LogStatusNotification", {"status": "Uploaded", "requestId": 0}),
    ],
)
async def test_log_statuses_are_told_in_the_words_of_their_message(
    request_id: int, status: str, action: str, payload: dict[str, Any]
) -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.on_log_status_notification(request_id, status)
        await settled()
    assert station.csms.requests(action) == [payload]


@pytest.mark.parametrize("request_id", [-1, 7])
async def test_a_log_status_without_counterpart_is_not_sent(request_id: int) -> None:
    async with Station() as station:
        await station.boot()
        before = len(station.csms.got)
        await station.charge_point.on_log_status_notification(request_id, "AcceptedCanceled")
        await settled()
        assert len(station.csms.got) == before


async def test_the_remembered_status_goes_back_to_idle_when_an_upload_has_ended() -> None:
    async with Station() as station:
        await station.boot()
        for status in ("Uploading", "Uploaded"):
            await station.charge_point.on_log_status_notification(7, status)
            await station.csms.call("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"})
            await settled()
    assert [p["status"] for p in station.csms.requests("LogStatusNotification")] == [
        *["Uploading", "Uploading"],
        *["Uploaded", "Idle"],
    ]


async def test_the_remembered_status_of_diagnostics_goes_back_to_idle_too() -> None:
    async with Station() as station:
        await station.boot()
        for status in ("Uploading", "UploadFailed"):
            await station.charge_point.on_log_status_notification(-1, status)
            await station.csms.call("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
            await settled()
    told = [p["status"] for p in station.csms.requests("DiagnosticsStatusNotification")]
    assert told == ["Uploading", "Uploading", "UploadFailed", "Idle"]


@pytest.mark.parametrize(
    ("request_id", "action", "message", "ends"),
    [
        (-1, "TriggerMessage", "FirmwareStatusNotification", ["DownloadFailed", "InstallationFailed", "Installed"]),
        (
            5,
            "ExtendedTriggerMessage",
            "SignedFirmwareStatusNotification",
            ["DownloadFailed", "InstallationFailed", "Installed", "InvalidSignature", "InstallVerificationFailed"],
        ),
    ],
)
async def test_the_remembered_status_of_an_update_goes_back_to_idle_at_its_end(
    request_id: int, action: str, message: str, ends: list[str]
) -> None:
    async with Station() as station:
        await station.boot()
        for status in ["Downloading", *ends]:
            await report(station, request_id, status)
            await station.csms.call(action, {"requestedMessage": "FirmwareStatusNotification"})
            await settled()
    told = [p["status"] for p in station.csms.requests(message)]
    assert told == ["Downloading", "Downloading"] + [status for end in ends for status in (end, "Idle")]


@pytest.mark.parametrize(
    "end", ["DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature"]
)
async def test_an_update_that_failed_lets_the_last_transaction_end_without_emptying_the_station(end: str) -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(1)
        await settled()
        await report(station, 5, "SignatureVerified", end)
        station.asked.clear()
        await station.end(1)
        await settled()
    assert station.asked_for("all_connectors_unavailable") == []


async def test_after_an_installation_only_what_is_wanted_operative_is_enabled() -> None:
    async with Station() as station:
        await station.boot()
        await station.csms.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
        await settled()
        await report(station, -1, "Downloaded", "Installing")
        station.asked.clear()
        await report(station, -1, "Installed")
    assert station.asked_for("enable_evse") == [[0], [1]]


async def test_a_session_that_is_over_before_its_stop_is_answered_makes_way_for_the_installation_at_once() -> None:
    async def late(_payload: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(20)
        return {}

    async with Station() as station:
        await station.boot()
        await station.begin(1)
        await settled()
        await report(station, -1, "Downloaded")
        station.asked.clear()
        station.csms.answers["StopTransaction"] = late
        await station.end(1)
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
        assert station.asked_for("disable_evse") == [[1]]
        await station.charge_point.on_disabled(1)
        await settled(30)
    assert station.csms.statuses(1) == ["Available", "Preparing", "Finishing", "Unavailable"]


async def report(station: Station, request_id: int, *statuses: str, disable: bool = True) -> None:
    for status in statuses:
        await station.charge_point.on_firmware_update_status_notification(request_id, status, disable)
    await settled()


async def test_a_downloaded_firmware_empties_an_idle_station_and_lets_it_install_once() -> None:
    async with Station() as station:
        await station.boot()
        station.asked.clear()
        await report(station, -1, "Downloading", "Downloaded", "Installing")
        assert station.asked_for("disable_evse") == [[1], [2]]
        assert len(station.asked_for("all_connectors_unavailable")) == 1
        await report(station, -1, "Installed")
        assert station.asked_for("enable_evse") == [[0], [1], [2]]
    sent = [p["status"] for p in station.csms.requests("FirmwareStatusNotification")]
    assert sent == ["Downloading", "Downloaded", "Installing", "Installed"]


async def test_the_installation_waits_for_the_last_transaction() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(1)
        await settled()
        station.asked.clear()
        await report(station, 5, "SignatureVerified")
        assert station.asked_for("disable_evse") == [[2]]
        assert station.asked_for("all_connectors_unavailable") == []
        await station.end(1)
        await settled()
        assert station.asked_for("disable_evse")[1] == [1]
        assert len(station.asked_for("all_connectors_unavailable")) == 1
    assert (await station_availability(station)) == {}


async def station_availability(station: Station) -> dict[int, Any]:
    """What is wanted for ever; an installation does not change it."""
    await station.store.open()
    return await station.store.availability()


async def test_without_disabling_connectors_nobody_is_asked() -> None:
    async with Station() as station:
        await station.boot()
        station.asked.clear()
        await report(station, -1, "Downloaded", "Installing", disable=False)
    assert station.asked_for("disable_evse") == [] and station.asked_for("all_connectors_unavailable") == []


async def test_a_triggered_status_has_no_side_effects() -> None:
    async with Station() as station:
        await station.boot()
        await report(station, -1, "Downloaded")
        station.asked.clear()
        await station.csms.call("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
        await settled()
    assert station.csms.requests("FirmwareStatusNotification") == [{"status": "Downloaded"}] * 2
    assert station.asked_for("all_connectors_unavailable") == []


async def test_an_invalid_signature_is_a_critical_security_event() -> None:
    async with Station() as station:
        await station.boot()
        await report(station, 5, "InvalidSignature")
    assert [p["type"] for p in station.csms.requests("SecurityEventNotification")][1:] == ["InvalidFirmwareSignature"]
    assert station.csms.requests("SignedFirmwareStatusNotification") == [{"status": "InvalidSignature", "requestId": 5}]


async def test_a_status_that_unsigned_updates_do_not_know_is_not_sent() -> None:
    async with Station() as station:
        await station.boot()
        await report(station, -1, "DownloadPaused", "Nonsense")
    assert station.csms.requests("FirmwareStatusNotification") == []


async def test_a_gate_status_told_twice_lets_the_installation_go_once() -> None:
    async with Station() as station:
        await station.boot()
        await report(station, -1, "Downloaded", "Downloaded")
        await station.begin()
        await station.end()
        await settled()
        assert len(station.asked_for("all_connectors_unavailable")) == 1
        await report(station, -1, "InstallationFailed", "Downloaded")
        assert len(station.asked_for("all_connectors_unavailable")) == 2


# --- an update that a restart cut off


def boot_answer(status: str) -> dict[str, Any]:
    return {"status": status, "interval": 60, "currentTime": "2026-01-01T12:00:00.000Z"}


@pytest.mark.parametrize("request_id", [-1, 7])
async def test_statuses_from_before_the_first_accepted_are_told_after_it_in_their_order(request_id: int) -> None:
    action = "FirmwareStatusNotification" if request_id == -1 else "SignedFirmwareStatusNotification"
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Pending")
        await station.boot()
        await report(station, request_id, "Downloading", "DownloadFailed", disable=False)
        assert station.csms.requests(action) == []
        station.csms.answers["BootNotification"] = boot_answer("Accepted")
        await asyncio.sleep(61)
        assert [p["status"] for p in station.csms.requests(action)] == ["Downloading", "DownloadFailed"]
        assert {p.get("requestId", -1) for p in station.csms.requests(action)} == {request_id}
        await report(station, request_id, "Downloading")
        await asyncio.sleep(61)
        assert [p["status"] for p in station.csms.requests(action)][2:] == ["Downloading"]


async def test_of_very_many_early_statuses_the_latest_are_told() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = boot_answer("Pending")
        await station.boot()
        await report(station, -1, *["Downloading", "DownloadFailed"] * 20, "Downloading")
        station.csms.answers["BootNotification"] = boot_answer("Accepted")
        await asyncio.sleep(61)
        told = [p["status"] for p in station.csms.requests("FirmwareStatusNotification")]
        assert told == ["DownloadFailed", "Downloading"] * 10


async def test_a_status_while_the_connection_is_lost_goes_the_way_of_every_message() -> None:
    """libocpp 3.8.1: without QueueAllMessages it is dropped."""
    async with Station(RetryBackoffWaitMinimum=30) as station:
        await station.boot()
        station.csms.drop()
        await settled(0.1)
        await report(station, -1, "Downloading")
        await settled(60)
        assert station.csms.requests("FirmwareStatusNotification") == []


async def test_a_status_does_not_overtake_those_from_before_the_first_accepted() -> None:
    sent: list[str] = []

    async def tell(request: Any, *, before_accepted: bool = False) -> Any:
        await asyncio.sleep(1)
        if accepted.is_set():
            sent.append(request.status)
        return request if accepted.is_set() else None

    accepted = asyncio.Event()
    nobody: Any = SimpleNamespace(on_acknowledged=[])
    firmware = Firmware(SimpleNamespace(tell=tell), nobody, nobody, nobody)  # type: ignore[arg-type]
    for status in ("Downloading", "DownloadFailed", "Downloading"):
        await firmware.firmware_status(-1, status, disable_connectors=False)
    accepted.set()
    telling = asyncio.create_task(firmware.accepted(), name="accepted")
    await asyncio.sleep(1.5)
    await firmware.firmware_status(-1, "Installing", disable_connectors=False)
    await telling
    assert sent == ["Downloading", "DownloadFailed", "Downloading", "Installing"]
