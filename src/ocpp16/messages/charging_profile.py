"""Charging profiles and schedules: data types of SmartCharging, also carried by RemoteStartTransaction.

Must not import: anything of ocpp16 but `base` and `types`.
"""

from __future__ import annotations

import math

from ocpp16.messages.base import Integer, Timestamp, Type
from ocpp16.messages.types import (
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
    RecurrencyKindType,
)


def check_rate(name: str, rate: float | None) -> None:
    """ValueError unless `rate` is finite and has at most one decimal (OCPP 1.6 §7.13, §7.14).

    In code, because the schema's multipleOf 0.1 refuses 16.1 in binary floating point.
    """
    if rate is not None and not (math.isfinite(rate) and round(rate, 1) == rate):
        raise ValueError(f"{name} {rate} must have at most one decimal")


class ChargingSchedulePeriod(Type):
    """OCPP 1.6 §7.14. `start_period` in seconds from the schedule's start; `limit` in the unit of the schedule.

    ValueError for more than one decimal: whoever computes a limit rounds it.
    """

    start_period: Integer
    limit: float
    number_phases: Integer | None = None

    def __post_init__(self) -> None:
        check_rate("limit", self.limit)


class ChargingSchedule(Type):
    """OCPP 1.6 §7.13. `duration` in seconds."""

    charging_rate_unit: ChargingRateUnitType
    charging_schedule_period: tuple[ChargingSchedulePeriod, ...]
    duration: Integer | None = None
    start_schedule: Timestamp | None = None
    min_charging_rate: float | None = None

    def __post_init__(self) -> None:
        check_rate("minChargingRate", self.min_charging_rate)
        self._settle("start_schedule")


class ChargingProfile(Type):
    """OCPP 1.6 §7.8."""

    charging_profile_id: Integer
    stack_level: Integer
    charging_profile_purpose: ChargingProfilePurposeType
    charging_profile_kind: ChargingProfileKindType
    charging_schedule: ChargingSchedule
    transaction_id: Integer | None = None
    recurrency_kind: RecurrencyKindType | None = None
    valid_from: Timestamp | None = None
    valid_to: Timestamp | None = None

    def __post_init__(self) -> None:
        self._settle("valid_from", "valid_to")
