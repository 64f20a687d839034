"""Errors of the bus as StatusNotification fields (libocpp 9.6). Pure: a literal table and one function."""

from __future__ import annotations

from datetime import datetime

from everest.runtime import Error
from ocpp16 import ErrorInfo
from ocpp16.messages import ChargePointErrorCode

from .times import parse_time

CHARGEX = "https://chargex.inl.gov"
"""vendorId of the minimum required error codes (MREC)."""

MREC: dict[str, tuple[ChargePointErrorCode, str]] = {
    "connector_lock/MREC1ConnectorLockFailure": (ChargePointErrorCode.ConnectorLockFailure, "CX001"),
    "evse_board_support/MREC2GroundFailure": (ChargePointErrorCode.GroundFailure, "CX002"),
    "ac_rcd/MREC2GroundFailure": (ChargePointErrorCode.GroundFailure, "CX002"),
    "evse_board_support/MREC3HighTemperature": (ChargePointErrorCode.HighTemperature, "CX003"),
    "evse_board_support/MREC4OverCurrentFailure": (ChargePointErrorCode.OverCurrentFailure, "CX004"),
    "evse_manager/MREC4OverCurrentFailure": (ChargePointErrorCode.OverCurrentFailure, "CX004"),
    "evse_board_support/MREC5OverVoltage": (ChargePointErrorCode.OverVoltage, "CX005"),
    "evse_manager/MREC5OverVoltage": (ChargePointErrorCode.OverVoltage, "CX005"),
    "evse_board_support/MREC6UnderVoltage": (ChargePointErrorCode.UnderVoltage, "CX006"),
    "evse_board_support/MREC8EmergencyStop": (ChargePointErrorCode.OtherError, "CX008"),
    "evse_board_support/MREC10InvalidVehicleMode": (ChargePointErrorCode.OtherError, "CX010"),
    "evse_manager/MREC11CableCheckFault": (ChargePointErrorCode.OtherError, "CX011"),
    "evse_board_support/MREC14PilotFault": (ChargePointErrorCode.OtherError, "CX014"),
    "evse_board_support/MREC15PowerLoss": (ChargePointErrorCode.OtherError, "CX015"),
    "evse_board_support/MREC17EVSEContactorFault": (ChargePointErrorCode.OtherError, "CX017"),
    "evse_board_support/MREC18CableOverTempDerate": (ChargePointErrorCode.OtherError, "CX018"),
    "evse_board_support/MREC19CableOverTempStop": (ChargePointErrorCode.OtherError, "CX019"),
    "evse_board_support/MREC20PartialInsertion": (ChargePointErrorCode.OtherError, "CX020"),
    "evse_manager/MREC22ResistanceFault": (ChargePointErrorCode.OtherError, "CX022"),
    "evse_board_support/MREC23ProximityFault": (ChargePointErrorCode.OtherError, "CX023"),
    "evse_board_support/MREC24ConnectorVoltageHigh": (ChargePointErrorCode.OtherError, "CX024"),
    "evse_board_support/MREC25BrokenLatch": (ChargePointErrorCode.OtherError, "CX025"),
    "evse_board_support/MREC26CutCable": (ChargePointErrorCode.OtherError, "CX026"),
}


def error_info(error: Error, *, now: datetime) -> ErrorInfo:
    """The StatusNotification fields of an error. Too long texts are left to the core, which cuts them.

    The first rule that fits counts: an MREC error, a power meter that does not answer, an inoperative EVSE (the only
    one that makes a connector Faulted), any other error.
    """
    code, is_fault, info, vendor_id, vendor_error_code = _fields(error)
    return ErrorInfo(
        uuid=error.uuid,
        error_code=code,
        is_fault=is_fault,
        info=info,
        vendor_id=vendor_id,
        vendor_error_code=vendor_error_code,
        timestamp=parse_time(error.timestamp) or now,
    )


def _fields(error: Error) -> tuple[ChargePointErrorCode, bool, str | None, str | None, str | None]:
    for name, (code, vendor_error_code) in MREC.items():
        if name in error.type:
            return code, False, None, CHARGEX, vendor_error_code
    if error.type == "powermeter/CommunicationFault":
        return ChargePointErrorCode.PowerMeterFailure, False, None, None, None
    if error.type == "evse_manager/Inoperative":
        info = f"caused_by:{error.message}"
        return ChargePointErrorCode.OtherError, True, info, error.vendor_id, error.description
    origin = f"{error.origin.module_id}->{error.origin.implementation_id}"
    vendor_error_code = f"{error.type.partition('/')[2]}/{error.sub_type}"
    return ChargePointErrorCode.OtherError, False, origin, error.message, vendor_error_code
