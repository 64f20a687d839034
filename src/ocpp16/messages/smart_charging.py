"""Messages of the profile SmartCharging (OCPP 1.6 §5.5, §5.7, §5.16).

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum

from ocpp16.messages.base import Integer, Request, Response, Timestamp
from ocpp16.messages.charging_profile import ChargingProfile, ChargingSchedule
from ocpp16.messages.types import ChargingProfilePurposeType, ChargingRateUnitType


class ChargingProfileStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    NotSupported = "NotSupported"


class ClearChargingProfileStatus(StrEnum):
    Accepted = "Accepted"
    Unknown = "Unknown"


class GetCompositeScheduleStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class ClearChargingProfileRequest(Request):
    id: Integer | None = None
    connector_id: Integer | None = None
    charging_profile_purpose: ChargingProfilePurposeType | None = None
    stack_level: Integer | None = None


class ClearChargingProfileResponse(Response):
    status: ClearChargingProfileStatus


class GetCompositeScheduleRequest(Request):
    """`duration` in seconds."""

    connector_id: Integer
    duration: Integer
    charging_rate_unit: ChargingRateUnitType | None = None


class GetCompositeScheduleResponse(Response):
    status: GetCompositeScheduleStatus
    connector_id: Integer | None = None
    schedule_start: Timestamp | None = None
    charging_schedule: ChargingSchedule | None = None

    def __post_init__(self) -> None:
        self._settle("schedule_start")


class SetChargingProfileRequest(Request):
    connector_id: Integer
    cs_charging_profiles: ChargingProfile


class SetChargingProfileResponse(Response):
    status: ChargingProfileStatus
