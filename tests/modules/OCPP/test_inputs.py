"""What EVSEs and the system tell, as the core's events and what the central system hears of them (libocpp 9.3, 9.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.contracts.types.evse_manager import StopTransactionReason
from everest.demo.csms import CentralSystem
from modules.OCPP.events import STOP_REASONS
from ocpp16.messages import Reason
from tests.support.ocpp_bench import TIME, OcppBench, meter, token

ENERGY = "Energy.Active.Import.Register"


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


@pytest.fixture
async def bench(tmp_path: Path, csms: CentralSystem) -> AsyncIterator[OcppBench]:
    async with OcppBench(tmp_path, csms) as running:
        yield running


async def triggered(csms: CentralSystem, connector: int = 1) -> list[dict[str, Any]]:
    """The sampled values of a triggered MeterValues.req."""
    before = len(csms.calls("MeterValues"))
    answer = await csms.call(call.TriggerMessage(requested_message="MeterValues", connector_id=connector))
    assert answer.status == "Accepted"
    await csms.wait_for(lambda: len(csms.calls("MeterValues")) > before, what="MeterValues")
    values: list[dict[str, Any]] = csms.calls("MeterValues")[before]["meterValue"][0]["sampledValue"]
    return values


def test_stop_reasons_have_their_name_in_ocpp_or_are_other() -> None:
    same = {"EmergencyStop", "EVDisconnected", "HardReset", "Local", "PowerLoss", "Reboot", "Remote", "SoftReset"}
    same |= {"UnlockCommand", "DeAuthorized"}
    assert {
        reason.value: Reason(reason.value) if reason.value in same else Reason.Other for reason in StopTransactionReason
    } == {reason.value: STOP_REASONS[reason] for reason in StopTransactionReason}


async def test_a_transaction_that_ends_without_a_reason_ends_by_other(bench: OcppBench, csms: CentralSystem) -> None:
    bench.start_transaction()
    bench.event("TransactionFinished", transaction_finished={"meter_value": meter(7)})
    stop = await csms.wait_for_call("StopTransaction")
    assert (stop["reason"], stop["meterStop"], "idTag" in stop) == ("Other", 7, False)


async def test_each_state_of_a_session_is_told(bench: OcppBench, csms: CentralSystem) -> None:
    bench.start_transaction()
    state = {"charging_state_changed_event": {"meter_value": meter(0)}}
    bench.event("ChargingStarted", **state)
    await bench.wait_for_status(1, "Charging")
    bench.event("ChargingPausedEVSE", charging_paused_evse={"reasons": ["UserPause"]}, **state)
    paused = await bench.wait_for_status(1, "SuspendedEVSE")
    bench.event("ChargingStarted", **state)
    await csms.wait_for(lambda: bench.statuses(1)[-1] == "Charging")
    bench.event("SwitchingPhases")
    await csms.wait_for(lambda: bench.statuses(1)[-1] == "SuspendedEVSE")
    switching = csms.calls("StatusNotification")[-1]
    assert ("info" in paused, switching["info"]) == (False, "SwitchingPhases")


async def test_events_that_mean_nothing_to_ocpp_change_nothing(bench: OcppBench, csms: CentralSystem) -> None:
    for event in ("Authorized", "Deauthorized", "AuthRequired", "PrepareCharging", "StoppingCharging"):
        bench.event(event)
    bench.event("ChargingFinished")
    bench.event("SessionStarted", session_started={"reason": "Authorized", "meter_value": meter(0)})
    preparing = await bench.wait_for_status(1, "Preparing")
    assert preparing["info"] == "Authorized"
    assert bench.statuses(1) == ["Available", "Preparing"]


async def test_a_plug_in_timeout_and_a_reservation_are_told(bench: OcppBench, csms: CentralSystem) -> None:
    bench.event("ReservationStart", evse=2, session="")
    await bench.wait_for_status(2, "Reserved")
    bench.event("ReservationEnd", evse=2, session="")
    await csms.wait_for(lambda: bench.statuses(2)[-1] == "Available")
    bench.event("SessionStarted", session_started={"reason": "Authorized", "meter_value": meter(0)})
    bench.event("PluginTimeout")
    finishing = await bench.wait_for_status(1, "Finishing")
    assert finishing["info"] == "ConnectionTimeout"


async def test_reservation_and_signed_values_of_a_transaction_are_told(bench: OcppBench, csms: CentralSystem) -> None:
    def signed(text: str) -> dict[str, Any]:
        return {"signed_meter_data": text, "signing_method": "", "encoding_method": "OCMF", "timestamp": TIME}

    details = {"id_tag": token(), "meter_value": meter(0), "reservation_id": 0, "signed_meter_value": signed("BEGIN")}
    bench.event("TransactionStarted", transaction_started=details)
    start = await csms.wait_for_call("StartTransaction")
    begin = await csms.wait_for_call("MeterValues")
    end = {"meter_value": meter(9), "reason": "Local", "signed_meter_value": signed("END")}
    bench.event("TransactionFinished", transaction_finished=end)
    stop = await csms.wait_for_call("StopTransaction")
    assert start["reservationId"] == 0
    assert begin["meterValue"][0]["sampledValue"][0]["value"] == "BEGIN"
    data = [s for value in stop["transactionData"] for s in value["sampledValue"] if s["format"] == "SignedData"]
    assert [(s["value"], s["context"]) for s in data] == [("BEGIN", "Transaction.Begin"), ("END", "Transaction.End")]


async def test_a_signed_begin_that_comes_with_the_end_is_told_too(bench: OcppBench, csms: CentralSystem) -> None:
    bench.start_transaction()
    signed = {"signed_meter_data": "BEGIN", "signing_method": "", "encoding_method": "OCMF"}
    end = {"meter_value": meter(9), "reason": "Local", "start_signed_meter_value": signed}
    bench.event("TransactionFinished", transaction_finished=end)
    stop = await csms.wait_for_call("StopTransaction")
    data = [s for value in stop["transactionData"] for s in value["sampledValue"] if s["format"] == "SignedData"]
    assert [(s["value"], s["context"]) for s in data] == [("BEGIN", "Transaction.Begin")]


async def test_all_quantities_of_a_reading_reach_the_central_system(tmp_path: Path, csms: CentralSystem) -> None:
    wanted = f"{ENERGY},Energy.Active.Export.Register,Power.Active.Import,Voltage,Current.Import,Frequency"
    keys = {
        "SupportedMeasurands": f"{wanted},Temperature,SoC,Current.Offered,Power.Offered",
        "MeterValuesSampledData": f"{wanted},Temperature,SoC,Current.Offered,Power.Offered",
    }
    reading = {
        "timestamp": "2026-03-01T12:00:05.000Z",
        "energy_Wh_import": {"total": 1000.0, "L1": 400.0},
        "energy_Wh_export": {"total": 2.0},
        "power_W": {"total": 7000.0, "L1": 3000.0},
        "voltage_V": {"L1": 230.0, "L2": 231.0},
        "current_A": {"L1": 16.0, "L3": 15.0, "N": 1.0},
        "frequency_Hz": {"L1": 50.0},
        "temperatures": [{"temperature": 40.0, "location": "Body"}, {"temperature": 41.0}],
    }
    async with OcppBench(tmp_path, csms, keys=keys) as bench:
        limits = {"ac_max_current_A": {"value": 31.9, "source": "x"}, "total_power_W": {"value": 7360.9, "source": "x"}}
        enforced = {"uuid": "b", "valid_for": 10, "schedule": [], "limits_root_side": limits}
        bench.bus.publish("evse_manager_1/evse", "enforced_limits", enforced)
        bench.bus.publish("evse_manager_1/evse", "ev_info", {"soc": 55.0})
        bench.bus.publish("evse_manager_1/evse", "powermeter", reading)
        await csms.call(call.ClearCache())
        values = await triggered(csms)
    told = [(s["measurand"], s.get("phase"), s["value"]) for s in values]
    assert told == [
        (ENERGY, None, "1000.00"),
        (ENERGY, "L1", "400.00"),
        ("Energy.Active.Export.Register", None, "2.00"),
        ("Power.Active.Import", None, "7000.00"),
        ("Power.Active.Import", "L1", "3000.00"),
        ("Voltage", "L1", "230.00"),
        ("Voltage", "L2", "231.00"),
        ("Current.Import", "L1", "16.00"),
        ("Current.Import", "L3", "15.00"),
        ("Current.Import", "N", "1.00"),
        ("Frequency", None, "50.00"),
        ("Frequency", "L1", "50.00"),
        ("Temperature", None, "40.00"),
        ("Temperature", None, "41.00"),
        ("SoC", None, "55.00"),
        ("Current.Offered", None, "31.00"),
        ("Power.Offered", None, "7360.00"),
    ]


async def test_the_state_of_charge_goes_with_the_car(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, keys={"MeterValuesSampledData": f"{ENERGY},SoC"}) as bench:
        bench.event("SessionStarted", session_started={"reason": "EVConnected", "meter_value": meter(0)})
        bench.bus.publish("evse_manager_1/evse", "ev_info", {"soc": 55.0})
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(1))
        await bench.wait_for_status(1, "Preparing")
        assert [s["measurand"] for s in await triggered(csms)] == [ENERGY, "SoC"]
        bench.event("SessionFinished", session_finished={"meter_value": meter(1)})
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(1))
        await csms.call(call.ClearCache())
        assert [s["measurand"] for s in await triggered(csms)] == [ENERGY]


async def test_readings_keys_and_limits_from_before_the_start_are_not_lost(tmp_path: Path, csms: CentralSystem) -> None:
    keys = {"MeterValuesSampledData": f"{ENERGY},Current.Offered"}
    async with OcppBench(tmp_path, csms, keys=keys, announce=False) as bench:
        limits = {"limits_root_side": {"ac_max_current_A": {"value": 20, "source": "x"}}}
        enforced = {"uuid": "b", "valid_for": 10, "schedule": [], **limits}
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(1234))
        bench.bus.publish("evse_manager_1/evse", "powermeter_public_key_ocmf", "KEY")
        bench.bus.publish("evse_manager_1/evse", "enforced_limits", enforced)
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        await bench.wait_for_status(2, "Available")
        values = await triggered(csms)
        answer = await csms.call(call.GetConfiguration(key=["MeterPublicKey1"]))
    assert [s["value"] for s in values] == ["1234.00", "20.00"]
    assert answer.configuration_key[0]["value"] == "KEY"


async def test_the_identity_of_the_station_comes_from_its_module(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(
        tmp_path, csms, connections={"charger_information": ["identity/main"]}, announce=False
    ) as bench:
        identity = {
            "vendor": "V",
            "model": "M",
            "chargepoint_serial": "CP",
            "chargebox_serial": "CB",
            "firmware_version": "F",
        }
        bench.answer("identity/main", "get_charger_information", identity)
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        boot = await csms.wait_for_call("BootNotification")
    names = ("chargePointVendor", "chargePointModel", "chargePointSerialNumber", "chargeBoxSerialNumber")
    assert [boot[name] for name in (*names, "firmwareVersion")] == ["V", "M", "CP", "CB", "F"]


@pytest.mark.parametrize(
    ("request_id", "status", "action", "told"),
    [
        (-1, "Uploading", "DiagnosticsStatusNotification", "Uploading"),
        (-1, "UploadFailure", "DiagnosticsStatusNotification", "UploadFailed"),
        (-1, "BadMessage", "DiagnosticsStatusNotification", "UploadFailed"),
        (-1, "NotSupportedOperation", "DiagnosticsStatusNotification", "UploadFailed"),
        (-1, "PermissionDenied", "DiagnosticsStatusNotification", "UploadFailed"),
        (4, "BadMessage", "LogStatusNotification", "BadMessage"),
        (4, "Uploaded", "LogStatusNotification", "Uploaded"),
    ],
)
async def test_the_progress_of_an_upload_is_told_in_the_words_of_its_request(
    bench: OcppBench, csms: CentralSystem, request_id: int, status: str, action: str, told: str
) -> None:
    cancelled = {"log_status": "AcceptedCanceled", "request_id": request_id}
    bench.bus.publish("system/main", "log_status", cancelled)
    bench.bus.publish("system/main", "log_status", {"log_status": status, "request_id": request_id})
    assert (await csms.wait_for_call(action))["status"] == told
    assert len(csms.calls(action)) == 1
    assert csms.call_errors == []


async def test_the_progress_of_a_signed_update_is_told_with_its_request_id(
    bench: OcppBench, csms: CentralSystem
) -> None:
    bench.bus.publish(
        "system/main", "firmware_update_status", {"firmware_update_status": "Downloading", "request_id": 8}
    )
    told = await csms.wait_for_call("SignedFirmwareStatusNotification")
    assert told == {"status": "Downloading", "requestId": 8}
