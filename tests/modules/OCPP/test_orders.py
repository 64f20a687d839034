"""What the central system asks for, as commands and variables of the bus (libocpp 9.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.ocpp_bench import OcppBench, token

LATER = "2099-01-01T12:00:00.000Z"


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


@pytest.fixture
async def bench(tmp_path: Path, csms: CentralSystem) -> AsyncIterator[OcppBench]:
    async with OcppBench(tmp_path, csms) as running:
        yield running


async def test_diagnostics_are_a_log_upload_without_a_request_id(bench: OcppBench, csms: CentralSystem) -> None:
    bench.answer("system/main", "upload_logs", {"upload_logs_status": "Accepted", "file_name": "x" * 300})
    request = call.GetDiagnostics(
        location="ftp://host/", retries=2, retry_interval=7, start_time=LATER, stop_time="2099-01-02T12:00:00Z"
    )
    answer = await csms.call(request)
    assert answer.file_name == "x" * 255
    assert await bench.bus.next_call("system/main", "upload_logs") == {
        "upload_logs_request": {
            "location": "ftp://host/",
            "oldest_timestamp": LATER,
            "latest_timestamp": "2099-01-02T12:00:00.000Z",
            "retries": 3,
            "retry_interval_s": 7,
        }
    }


async def test_a_log_is_an_upload_with_type_and_request_id(bench: OcppBench, csms: CentralSystem) -> None:
    bench.answer("system/main", "upload_logs", {"upload_logs_status": "AcceptedCanceled", "file_name": "y" * 300})
    log = {"remote_location": "ftp://host/", "oldest_timestamp": LATER}
    answer = await csms.call(call.GetLog(log=log, log_type="SecurityLog", request_id=0))
    assert (answer.status, answer.filename) == ("AcceptedCanceled", "y" * 255)
    assert await bench.bus.next_call("system/main", "upload_logs") == {
        "upload_logs_request": {
            "location": "ftp://host/",
            "oldest_timestamp": LATER,
            "type": "SecurityLog",
            "request_id": 0,
        }
    }


async def test_an_upload_that_nobody_can_do_is_rejected(bench: OcppBench, csms: CentralSystem) -> None:
    log = {"remote_location": "ftp://host/"}
    answer = await csms.call(call.GetLog(log=log, log_type="DiagnosticsLog", request_id=1))
    assert answer.status == "Rejected"


async def test_an_unsigned_update_has_the_request_id_minus_one(bench: OcppBench, csms: CentralSystem) -> None:
    bench.answer("system/main", "update_firmware", "Rejected")
    await csms.call(call.UpdateFirmware(location="ftp://host/fw", retrieve_date=LATER, retries=0, retry_interval=5))
    assert await bench.bus.next_call("system/main", "update_firmware") == {
        "firmware_update_request": {
            "location": "ftp://host/fw",
            "request_id": -1,
            "retrieve_timestamp": LATER,
            "retries": 1,
            "retry_interval_s": 5,
        }
    }


@pytest.mark.parametrize("status", ["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"])
async def test_a_reservation_goes_to_the_reservation_module(bench: OcppBench, csms: CentralSystem, status: str) -> None:
    bench.answer("auth/reservation", "reserve_now", status)
    request = call.ReserveNow(
        connector_id=2, expiry_date=LATER, id_tag="GUEST", reservation_id=0, parent_id_tag="FAMILY"
    )
    assert (await csms.call(request)).status == status
    assert await bench.bus.next_call("auth/reservation", "reserve_now") == {
        "request": {
            "reservation_id": 0,
            "id_token": "GUEST",
            "expiry_time": LATER,
            "parent_id_token": "FAMILY",
            "evse_id": 2,
        }
    }


async def test_a_reservation_of_connector_0_names_no_evse(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, keys={"ReserveConnectorZeroSupported": True}) as bench:
        request = call.ReserveNow(connector_id=0, expiry_date=LATER, id_tag="GUEST", reservation_id=3)
        assert (await csms.call(request)).status == "Accepted"
        order = await bench.bus.next_call("auth/reservation", "reserve_now")
    assert order == {"request": {"reservation_id": 3, "id_token": "GUEST", "expiry_time": LATER}}


@pytest.mark.parametrize(("known", "status"), [(True, "Accepted"), (False, "Rejected")])
async def test_a_reservation_is_cancelled_by_the_reservation_module(
    bench: OcppBench, csms: CentralSystem, known: bool, status: str
) -> None:
    bench.answer("auth/reservation", "cancel_reservation", known)
    assert (await csms.call(call.CancelReservation(reservation_id=0))).status == status
    assert bench.commands("cancel_reservation")[-1][2] == {"reservation_id": 0}


@pytest.mark.parametrize(
    ("check", "status"),
    [
        ("ReservedForToken", "Accepted"),
        ("ReservedForOtherToken", "Rejected"),
        ("ReservedForOtherTokenAndHasParentToken", "Accepted"),
    ],
)
async def test_the_reservation_module_knows_whom_a_reserved_connector_is_for(
    bench: OcppBench, csms: CentralSystem, check: str, status: str
) -> None:
    bench.answer("auth/reservation", "exists_reservation", check)
    bench.event("ReservationStart", evse=2, session="")
    await bench.wait_for_status(2, "Reserved")
    answer = await csms.call(call.RemoteStartTransaction(id_tag="GUEST", connector_id=2))
    assert answer.status == status
    assert bench.commands("exists_reservation")[-1][2] == {"request": {"id_token": "GUEST", "evse_id": 2}}


async def test_a_token_without_a_connector_is_for_every_evse_once(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, connectors={1: [1, 2], 2: [1]}) as bench:
        assert (await csms.call(call.RemoteStartTransaction(id_tag="REMOTE"))).status == "Accepted"
        provided = await bench.bus.next("auth_provider", "provided_token")
    assert provided["connectors"] == [1, 2]


async def test_a_refused_token_pauses_and_stops_the_evse_that_charges_it(bench: OcppBench, csms: CentralSystem) -> None:
    csms.tags = {"TAG1": {"status": "Blocked"}}
    bench.start_transaction(evse=2)
    assert await bench.bus.next_call("evse_manager_2/evse", "pause_charging") == {}
    order = await bench.bus.next_call("evse_manager_2/evse", "stop_transaction")
    assert order == {"request": {"reason": "DeAuthorized"}}


async def test_the_clock_of_the_central_system_is_that_of_the_system(bench: OcppBench, csms: CentralSystem) -> None:
    order = await bench.bus.next_call("system/main", "set_system_time")
    accepted = next(f for f in csms.frames if f.message[0] == 3)
    told = accepted.message[2]["currentTime"]
    assert order["timestamp"][:19] == told[:19]


async def test_an_installation_is_let_go_when_all_connectors_are_empty(bench: OcppBench) -> None:
    bench.answer("system/main", "allow_firmware_installation", None)
    bench.bus.publish(
        "system/main", "firmware_update_status", {"firmware_update_status": "Downloaded", "request_id": -1}
    )
    assert await bench.bus.next_call("system/main", "allow_firmware_installation") == {}
    orders = [(peer, arguments["connector_id"]) for peer, _, arguments in bench.commands("enable_disable")[2:]]
    assert orders == [("evse_manager_1/evse", 0), ("evse_manager_2/evse", 0)]


async def test_an_installation_that_may_go_on_beside_charging_disables_nothing(
    bench: OcppBench, csms: CentralSystem
) -> None:
    status = {
        "firmware_update_status": "Downloaded",
        "request_id": -1,
        "firmware_update_metadata": {"disable_connectors_during_install": False},
    }
    bench.bus.publish("system/main", "firmware_update_status", status)
    assert await csms.wait_for_call("FirmwareStatusNotification") == {"status": "Downloaded"}
    await csms.call(call.ClearCache())
    assert len(bench.commands("enable_disable")) == 2
    assert bench.commands("allow_firmware_installation") == []


async def test_plug_and_charge_keys_are_told_to_every_evse_at_start_and_at_each_change(
    tmp_path: Path, csms: CentralSystem
) -> None:
    keys = {"ISO15118PnCEnabled": True, "ContractValidationOffline": True, "CentralContractValidationAllowed": False}
    profiles = "Core,FirmwareManagement,RemoteTrigger,PnC"
    async with OcppBench(tmp_path, csms, keys={**keys, "SupportedFeatureProfiles": profiles}) as bench:
        await csms.call(call.ChangeConfiguration(key="ISO15118PnCEnabled", value="false"))
        await csms.call(call.ChangeConfiguration(key="CentralContractValidationAllowed", value="true"))
        await bench.bus.until(lambda: len(bench.commands("set_plug_and_charge_configuration")) == 8)
        told = [
            (peer, arguments["plug_and_charge_configuration"])
            for peer, _, arguments in bench.commands("set_plug_and_charge_configuration")
        ]
    wanted = [
        {"pnc_enabled": True},
        {"central_contract_validation_allowed": False},
        {"pnc_enabled": False},
        {"central_contract_validation_allowed": True},
    ]
    assert told == [(f"evse_manager_{evse}/evse", value) for value in wanted for evse in (1, 2)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("Accepted", "Accepted"), ("UnknownMessageId", "UnknownMessageId"), ("Offline", "UnknownVendorId")],
)
async def test_data_of_a_vendor_goes_to_the_module_that_takes_it(
    tmp_path: Path, csms: CentralSystem, status: str, expected: str
) -> None:
    async with OcppBench(tmp_path, csms, connections={"data_transfer": ["sink/main"]}) as bench:
        bench.answer("sink/main", "data_transfer", {"status": status, "data": "back"})
        answer = await csms.call(call.DataTransfer(vendor_id="v", message_id="m", data="d"))
        order = await bench.bus.next_call("sink/main", "data_transfer")
    assert answer.status == expected
    assert order == {"request": {"vendor_id": "v", "message_id": "m", "data": "d"}}


async def test_the_answer_to_the_boot_notification_is_told(bench: OcppBench) -> None:
    told = await bench.bus.next("ocpp_generic", "boot_notification_response")
    assert (told["status"], told["interval"]) == ("Accepted", 300)
    assert told["current_time"].endswith("Z")


async def test_security_events_of_the_core_are_told_at_both_interfaces(bench: OcppBench, csms: CentralSystem) -> None:
    event = {"type": "InvalidMessages"}
    await csms.send_raw('[2, "1", "Reset", {"type": "Lukewarm"}]')
    await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "security_event")) == 2)
    for implementation in ("ocpp_generic", "main"):
        startup, invalid = bench.bus.published(implementation, "security_event")
        assert startup == {"type": "StartupOfTheDevice", "info": "The Charge Point has booted"}
        assert invalid == {**event, "info": '[2, "1", "Reset", {"type": "Lukewarm"}]'}


async def test_the_texts_of_a_security_event_are_cut_to_what_fits(bench: OcppBench, csms: CentralSystem) -> None:
    event = {"type": "T" * 60, "info": "i" * 300, "critical": True}
    await bench.bus.call("ocpp_generic", "security_event", {"event": event})
    sent = await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"].startswith("TT"))
    assert (sent["type"], sent["techInfo"]) == ("T" * 50, "i" * 255)


async def test_ocpp_starts_as_long_after_the_evses_as_configured(tmp_path: Path, csms: CentralSystem) -> None:
    times: dict[str, float] = {}

    def note(name: str, answer: Any) -> Callable[[dict[str, Any]], Any]:
        def reply(_arguments: dict[str, Any]) -> Any:
            times[name] = asyncio.get_running_loop().time()
            return answer

        return reply

    async with OcppBench(tmp_path, csms, announce=False, DelayOcppStart=45, MessageQueueResumeDelay=3) as bench:
        bench.answer("evse_manager_2/evse", "external_ready_to_start_charging", note("allowed", True))
        bench.answer("system/main", "get_boot_reason", note("started", "PowerUp"))
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        await bench.wait_for_status(2, "Available")
        assert bench.bus.module.core._settings.message_queue_resume_delay == 3  # type: ignore[attr-defined]
    assert times["started"] - times["allowed"] > 0.04


async def test_the_core_stops_as_long_after_a_reset_as_configured(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, ResetStopDelay=7) as bench:
        module = bench.bus.module
        assert module.reset_stop_delay == 7  # type: ignore[attr-defined]
        module.reset_stop_delay = 0.045  # type: ignore[attr-defined]
        before = asyncio.get_running_loop().time()
        await csms.call(call.Reset(type="Soft"))
        await bench.bus.next_call("system/main", "reset")
        assert asyncio.get_running_loop().time() - before > 0.04


async def test_an_expiry_date_is_told_with_the_verdict_on_a_token(bench: OcppBench, csms: CentralSystem) -> None:
    csms.tags = {"TAG1": {"status": "Expired", "expiry_date": LATER}}
    result = await bench.bus.call("auth_validator", "validate_token", {"provided_token": token()})
    assert (result["authorization_status"], result["expiry_time"]) == ("Expired", LATER)


@pytest.mark.parametrize("evse", [{"id": 1}, {"id": 1, "connector_id": 2}, {"id": 9, "connector_id": 1}])
async def test_availability_over_the_bus_names_a_connector_that_exists(bench: OcppBench, evse: dict[str, Any]) -> None:
    request = {"operational_status": "Inoperative", "evse": evse}
    answer = await bench.bus.call("ocpp_generic", "change_availability", {"request": request})
    assert (answer["status"], answer["status_info"]["reason_code"]) == ("Rejected", "InvalidInput")


async def test_availability_over_the_bus_is_changed_as_by_the_central_system(bench: OcppBench) -> None:
    request = {"operational_status": "Inoperative", "evse": {"id": 2, "connector_id": 1}}
    answer = await bench.bus.call("ocpp_generic", "change_availability", {"request": request})
    assert answer == {"status": "Accepted"}
    await bench.bus.until(lambda: len(bench.commands("enable_disable")) == 3)
    assert bench.commands("enable_disable")[-1][0] == "evse_manager_2/evse"
    station = {"request": {"operational_status": "Inoperative"}}
    assert await bench.bus.call("ocpp_generic", "change_availability", station) == {"status": "Accepted"}
    await bench.wait_for_status(0, "Unavailable")
