"""Errors of the bus as StatusNotification fields (libocpp 9.6), held against a recording of a real station."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from everest.runtime import Error, Origin, Severity, State
from modules.OCPP.errors import MREC, error_info
from ocpp16.connector import cut
from ocpp16.messages import ChargePointErrorCode
from tests.support.traces import bus, ocpp

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def error(kind: str, **fields: Any) -> Error:
    values: dict[str, Any] = {
        "type": kind,
        "sub_type": "",
        "severity": Severity.High,
        "state": State.Active,
        "timestamp": "2026-03-01T12:00:00.123Z",
        "uuid": "5e7a3f64-0c3c-4c0a-9a53-3f1d0c6ad8c1",
        "message": "message",
        "description": "description",
        "vendor_id": "everest",
        "origin": Origin(module_id="bsp", implementation_id="board_support"),
        **fields,
    }
    return Error(**values)


@pytest.mark.parametrize("name", sorted(MREC))
def test_minimum_required_errors_are_no_faults_and_have_the_codes_of_the_table(name: str) -> None:
    info = error_info(error(name), now=NOW)
    assert (info.error_code, info.vendor_error_code) == MREC[name]
    assert info.vendor_id == "https://chargex.inl.gov"
    assert info.info is None
    assert not info.is_fault


def test_only_inoperative_is_a_fault() -> None:
    inoperative = error("evse_manager/Inoperative", message="evse_board_support/DiodeFault", vendor_id="EVerest")
    info = error_info(inoperative, now=NOW)
    assert info.is_fault
    assert info.error_code is ChargePointErrorCode.OtherError
    assert info.info == "caused_by:evse_board_support/DiodeFault"
    assert (info.vendor_id, info.vendor_error_code) == ("EVerest", "description")


def test_a_silent_power_meter_has_its_own_code_and_nothing_else() -> None:
    info = error_info(error("powermeter/CommunicationFault"), now=NOW)
    assert info.error_code is ChargePointErrorCode.PowerMeterFailure
    assert (info.info, info.vendor_id, info.vendor_error_code, info.is_fault) == (None, None, None, False)


def test_any_other_error_tells_origin_message_and_type_with_sub_type() -> None:
    info = error_info(error("evse_board_support/DiodeFault"), now=NOW)
    assert info.info == "bsp->board_support"
    assert info.vendor_id == "message"
    assert info.vendor_error_code == "DiodeFault/"
    assert error_info(error("a/B", sub_type="c"), now=NOW).vendor_error_code == "B/c"


def test_an_unreadable_time_becomes_now() -> None:
    assert error_info(error("a/B", timestamp=""), now=NOW).timestamp == NOW
    assert error_info(error("a/B", timestamp="2026-03-01T12:00:00.123Z"), now=NOW).timestamp.microsecond == 123000


def test_every_error_of_the_recording_is_reported_with_the_fields_the_original_sent() -> None:
    sent = [
        {key: frame[3].get(key) for key in ("errorCode", "info", "vendorId", "vendorErrorCode")}
        for frame in (record.json() for record in ocpp("faults") if record.dir == "cp->csms")
        if frame[0] == 2 and frame[2] == "StatusNotification"
    ]
    raised = [message.json()["data"] for message in bus("faults") if '"RaiseError"' in message.payload]
    assert raised
    for data in raised:
        origin = Origin(module_id=data["origin"]["module_id"], implementation_id=data["origin"]["implementation_id"])
        names = ("sub_type", "message", "description", "vendor_id", "timestamp", "uuid")
        info = error_info(error(data["type"], **{name: data[name] for name in names}, origin=origin), now=NOW)
        fields = {
            "errorCode": info.error_code.value,
            "info": cut(info.info, 50),
            "vendorId": cut(info.vendor_id, 255),
            "vendorErrorCode": cut(info.vendor_error_code, 50),
        }
        assert fields in sent, data["type"]
