"""Messages of the profile Core (OCPP 1.6 §4, §5, §6), with the enumerations that only they use.

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ocpp16.messages.base import (
    CiString20,
    CiString25,
    CiString50,
    CiString255,
    CiString500,
    IdToken,
    Integer,
    Request,
    Response,
    Timestamp,
    Type,
)
from ocpp16.messages.charging_profile import ChargingProfile
from ocpp16.messages.types import IdTagInfo, MeterValue


class AvailabilityType(StrEnum):
    Inoperative = "Inoperative"
    Operative = "Operative"


class AvailabilityStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    Scheduled = "Scheduled"


class ChargePointErrorCode(StrEnum):
    ConnectorLockFailure = "ConnectorLockFailure"
    EVCommunicationError = "EVCommunicationError"
    GroundFailure = "GroundFailure"
    HighTemperature = "HighTemperature"
    InternalError = "InternalError"
    LocalListConflict = "LocalListConflict"
    NoError = "NoError"
    OtherError = "OtherError"
    OverCurrentFailure = "OverCurrentFailure"
    OverVoltage = "OverVoltage"
    PowerMeterFailure = "PowerMeterFailure"
    PowerSwitchFailure = "PowerSwitchFailure"
    ReaderFailure = "ReaderFailure"
    ResetFailure = "ResetFailure"
    UnderVoltage = "UnderVoltage"
    WeakSignal = "WeakSignal"


class ChargePointStatus(StrEnum):
    Available = "Available"
    Preparing = "Preparing"
    Charging = "Charging"
    SuspendedEVSE = "SuspendedEVSE"
    SuspendedEV = "SuspendedEV"
    Finishing = "Finishing"
    Reserved = "Reserved"
    Unavailable = "Unavailable"
    Faulted = "Faulted"


class ClearCacheStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class ConfigurationStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    RebootRequired = "RebootRequired"
    NotSupported = "NotSupported"


class DataTransferStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    UnknownMessageId = "UnknownMessageId"
    UnknownVendorId = "UnknownVendorId"


class Reason(StrEnum):
    """Why a transaction stopped. Absent in the message means Local."""

    DeAuthorized = "DeAuthorized"
    EmergencyStop = "EmergencyStop"
    EVDisconnected = "EVDisconnected"
    HardReset = "HardReset"
    Local = "Local"
    Other = "Other"
    PowerLoss = "PowerLoss"
    Reboot = "Reboot"
    Remote = "Remote"
    SoftReset = "SoftReset"
    UnlockCommand = "UnlockCommand"


class RegistrationStatus(StrEnum):
    Accepted = "Accepted"
    Pending = "Pending"
    Rejected = "Rejected"


class RemoteStartStopStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class ResetStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class ResetType(StrEnum):
    Hard = "Hard"
    Soft = "Soft"


class UnlockStatus(StrEnum):
    Unlocked = "Unlocked"
    UnlockFailed = "UnlockFailed"
    NotSupported = "NotSupported"


class KeyValue(Type):
    """OCPP 1.6 §7.29: one configuration key in GetConfiguration.conf."""

    key: CiString50
    readonly: bool
    value: CiString500 | None = None


# --- initiated by the station ----------------------------------------------------------------------------------------


class AuthorizeRequest(Request):
    id_tag: IdToken


class AuthorizeResponse(Response):
    id_tag_info: IdTagInfo


class BootNotificationRequest(Request):
    charge_point_vendor: CiString20
    charge_point_model: CiString20
    charge_point_serial_number: CiString25 | None = None
    charge_box_serial_number: CiString25 | None = None
    firmware_version: CiString50 | None = None
    iccid: CiString20 | None = None
    imsi: CiString20 | None = None
    meter_type: CiString25 | None = None
    meter_serial_number: CiString25 | None = None


class BootNotificationResponse(Response):
    """`interval` in seconds: heartbeat interval if Accepted, else the wait before the next BootNotification."""

    status: RegistrationStatus
    current_time: Timestamp
    interval: Integer

    def __post_init__(self) -> None:
        self._settle("current_time")


class HeartbeatRequest(Request):
    pass


class HeartbeatResponse(Response):
    current_time: Timestamp

    def __post_init__(self) -> None:
        self._settle("current_time")


class MeterValuesRequest(Request):
    connector_id: Integer
    meter_value: Annotated[tuple[MeterValue, ...], Meta(min_length=1)]
    transaction_id: Integer | None = None


class MeterValuesResponse(Response):
    pass


class StartTransactionRequest(Request):
    """`meter_start` in Wh."""

    connector_id: Integer
    id_tag: IdToken
    meter_start: Integer
    timestamp: Timestamp
    reservation_id: Integer | None = None

    def __post_init__(self) -> None:
        self._settle("timestamp")


class StartTransactionResponse(Response):
    id_tag_info: IdTagInfo
    transaction_id: Integer


class StatusNotificationRequest(Request):
    connector_id: Integer
    error_code: ChargePointErrorCode
    status: ChargePointStatus
    info: CiString50 | None = None
    timestamp: Timestamp | None = None
    vendor_id: CiString255 | None = None
    vendor_error_code: CiString50 | None = None

    def __post_init__(self) -> None:
        self._settle("timestamp")


class StatusNotificationResponse(Response):
    pass


class StopTransactionRequest(Request):
    """`meter_stop` in Wh."""

    meter_stop: Integer
    timestamp: Timestamp
    transaction_id: Integer
    id_tag: IdToken | None = None
    reason: Reason | None = None
    transaction_data: tuple[MeterValue, ...] | None = None

    def __post_init__(self) -> None:
        self._settle("timestamp")


class StopTransactionResponse(Response):
    id_tag_info: IdTagInfo | None = None


# --- initiated by the CSMS (DataTransfer by both) --------------------------------------------------------------------


class ChangeAvailabilityRequest(Request):
    connector_id: Integer
    type: AvailabilityType


class ChangeAvailabilityResponse(Response):
    status: AvailabilityStatus


class ChangeConfigurationRequest(Request):
    key: CiString50
    value: CiString500


class ChangeConfigurationResponse(Response):
    status: ConfigurationStatus


class ClearCacheRequest(Request):
    pass


class ClearCacheResponse(Response):
    status: ClearCacheStatus


class DataTransferRequest(Request):
    vendor_id: CiString255
    message_id: CiString50 | None = None
    data: str | None = None


class DataTransferResponse(Response):
    status: DataTransferStatus
    data: str | None = None


class GetConfigurationRequest(Request):
    key: tuple[CiString50, ...] | None = None


class GetConfigurationResponse(Response):
    configuration_key: tuple[KeyValue, ...] | None = None
    unknown_key: tuple[CiString50, ...] | None = None


class RemoteStartTransactionRequest(Request):
    id_tag: IdToken
    connector_id: Integer | None = None
    charging_profile: ChargingProfile | None = None


class RemoteStartTransactionResponse(Response):
    status: RemoteStartStopStatus


class RemoteStopTransactionRequest(Request):
    transaction_id: Integer


class RemoteStopTransactionResponse(Response):
    status: RemoteStartStopStatus


class ResetRequest(Request):
    type: ResetType


class ResetResponse(Response):
    status: ResetStatus


class UnlockConnectorRequest(Request):
    connector_id: Integer


class UnlockConnectorResponse(Response):
    status: UnlockStatus
