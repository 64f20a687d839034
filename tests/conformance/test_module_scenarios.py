"""Certification scenarios through the OCPP module: events of the bus in, commands on the bus out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.ocpp_bench import OcppBench, meter, token


async def validated(bench: OcppBench, value: str) -> str:
    provided = {**token(value), "id_token": {"value": value, "type": "ISO14443"}}
    answer = await bench.bus.call("auth_validator", "validate_token", {"provided_token": provided})
    return str(answer["authorization_status"])


async def charging(bench: OcppBench, energy: float = 100.0) -> None:
    bench.start_transaction(energy=energy)
    bench.event("ChargingStarted")
    await bench.wait_for_status(1, "Charging")
    await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)


async def test_a_regular_session_with_the_car_first(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.event("SessionStarted", session_started={"reason": "EVConnected", "meter_value": meter(100)})
        await bench.wait_for_status(1, "Preparing")
        assert await validated(bench, "TAG1") == "Accepted"
        started = {"id_tag": token(), "meter_value": meter(100)}
        bench.event("TransactionStarted", transaction_started=started)
        bench.event("ChargingStarted")
        await bench.wait_for_status(1, "Charging")
        bench.stop_transaction(energy=1100.6)
        await bench.wait_for_status(1, "Finishing")
        bench.event("SessionFinished", session_finished={"meter_value": meter(1100.6)})
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")
    assert bench.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    (stop,) = csms.calls("StopTransaction")
    assert (stop["meterStop"], stop["idTag"], stop["transactionId"]) == (1101, "TAG1", 1)
    assert csms.call_errors == []


async def test_a_remote_session_from_the_first_to_the_last_order(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        assert (await csms.call(call.RemoteStartTransaction(id_tag="TAG1", connector_id=1))).status == "Accepted"
        provided = await bench.bus.next("auth_provider", "provided_token")
        assert (provided["id_token"]["value"], provided["prevalidated"]) == ("TAG1", True)
        await charging(bench)
        assert (await csms.call(call.RemoteStopTransaction(transaction_id=1))).status == "Accepted"
        order = await bench.bus.next_call("evse_manager_1/evse", "stop_transaction")
        assert order == {"request": {"reason": "Remote"}}
        finished = {"meter_value": meter(900), "reason": "Remote"}
        bench.event("TransactionFinished", transaction_finished=finished)
        stop = await csms.wait_for_call("StopTransaction")
    assert (stop["reason"], stop["meterStop"]) == ("Remote", 900)
    assert "idTag" not in stop


@pytest.mark.parametrize(("lock", "status"), [(True, "Unlocked"), (False, "NotSupported")])
async def test_an_unlock_reaches_the_lock(tmp_path: Path, csms: CentralSystem, lock: bool, status: str) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.answer("evse_manager_2/evse", "force_unlock", lock)
        assert (await csms.call(call.UnlockConnector(connector_id=2))).status == status
        assert bench.commands("force_unlock") == [("evse_manager_2/evse", "force_unlock", {"connector_id": 1})]


async def test_the_local_list_answers_for_the_csms(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, keys={"LocalPreAuthorize": True}) as bench:
        entries = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}]
        update = call.SendLocalList(list_version=1, update_type="Full", local_authorization_list=entries)
        assert (await csms.call(update)).status == "Accepted"
        assert await validated(bench, "LISTED") == "Accepted"
        assert csms.calls("Authorize") == []
        csms.tags["STRANGER"] = {"status": "Blocked"}
        assert await validated(bench, "STRANGER") == "Blocked"
        assert csms.calls("Authorize") == [{"idTag": "STRANGER"}]


async def test_diagnostics_are_uploaded_by_the_system(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.answer("system/main", "upload_logs", {"upload_logs_status": "Accepted", "file_name": "diag.tgz"})
        answer = await csms.call(call.GetDiagnostics(location="ftp://x/", start_time="2026-01-01T00:00:00Z"))
        assert answer.file_name == "diag.tgz"
        ((_, _, order),) = bench.commands("upload_logs")
        assert order["upload_logs_request"]["location"] == "ftp://x/"
        for status in ("Uploading", "UploadFailure"):
            bench.bus.publish("system/main", "log_status", {"log_status": status, "request_id": -1})
        await csms.wait_for_call("DiagnosticsStatusNotification", lambda p: p["status"] == "UploadFailed")
    assert [p["status"] for p in csms.calls("DiagnosticsStatusNotification")] == ["Uploading", "UploadFailed"]


async def test_firmware_is_installed_by_the_system_when_the_station_is_empty(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.answer("system/main", "update_firmware", "Accepted")
        bench.answer("system/main", "allow_firmware_installation", None)

        def switched(arguments: dict[str, Any]) -> bool:
            enabled = bool(arguments["cmd_source"]["enable_state"] == "Enable")
            bench.event("Enabled" if enabled else "Disabled", evse=1)
            return enabled

        bench.answer("evse_manager_1/evse", "enable_disable", switched)
        await charging(bench)
        await csms.call(call.UpdateFirmware(location="http://x/fw", retrieve_date="2026-01-01T00:00:00Z"))
        for status in ("Downloading", "Downloaded"):
            told = {"firmware_update_status": status, "request_id": -1}
            bench.bus.publish("system/main", "firmware_update_status", told)
        await csms.wait_for_call("FirmwareStatusNotification", lambda p: p["status"] == "Downloaded")
        assert bench.commands("allow_firmware_installation") == []
        bench.stop_transaction(energy=500)
        await bench.bus.next_call("system/main", "allow_firmware_installation")
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Unavailable")
        bench.event("SessionFinished", session_finished={"meter_value": meter(500)})
        for status in ("Installing", "Installed"):
            told = {"firmware_update_status": status, "request_id": -1}
            bench.bus.publish("system/main", "firmware_update_status", told)
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")
    told_statuses = [p["status"] for p in csms.calls("FirmwareStatusNotification")]
    assert told_statuses == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert len(bench.commands("allow_firmware_installation")) == 1


async def test_an_error_of_the_board_is_told_and_does_not_end_the_station(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        error = {"type": "evse_board_support/MREC2GroundFailure", "message": "leak"}
        bench.bus.raise_error("board_1/board_support", error)
        told = await csms.wait_for_call("StatusNotification", lambda p: p["errorCode"] == "GroundFailure")
        assert (told["connectorId"], told["status"], told["vendorErrorCode"]) == (1, "Available", "CX002")
        assert (await csms.call(call.RemoteStartTransaction(id_tag="TAG1", connector_id=2))).status == "Accepted"


async def test_offline_sessions_of_the_bus_arrive_complete_and_in_order(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        await csms.close()
        status = lambda: bench.bus.published("ocpp_generic", "connection_status")  # noqa: E731
        await bench.bus.until(lambda: status()[-1]["connected"] is False)
        for number in (1, 2):
            bench.start_transaction(session=f"s{number}", energy=100 * number)
            bench.stop_transaction(session=f"s{number}", energy=100 * number + 50)
            bench.event("SessionFinished", session=f"s{number}", session_finished={"meter_value": meter(1)})
        events = lambda: bench.bus.published("ocpp_generic", "ocpp_transaction_event")  # noqa: E731
        await bench.bus.until(lambda: len([e for e in events() if e["transaction_event"] == "Ended"]) == 2)
        await csms.start()
        await csms.wait_for(lambda: len(csms.calls("StopTransaction")) == 2)
    story = [f.action for f in csms.frames if f.action in ("StartTransaction", "StopTransaction")]
    assert story == ["StartTransaction", "StopTransaction"] * 2
    assert [(p["transactionId"], p["meterStop"]) for p in csms.calls("StopTransaction")] == [(1, 150), (2, 250)]
