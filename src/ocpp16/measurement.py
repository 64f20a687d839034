"""What the integrator hands to `on_meter_values`: one reading of a connector's meter and sensors. Names are EVerest's.

All values are floats in the unit of their name (Wh, W, V, A, Hz). None: the meter does not supply it. No I/O here.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class PhaseValues(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity as a whole and per phase; `DC` and `N` only where they exist (voltage_V, current_A)."""

    total: float | None = None
    DC: float | None = None
    L1: float | None = None
    L2: float | None = None
    L3: float | None = None
    N: float | None = None


class Powermeter(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the meter; `timestamp` is the meter's own, aware."""

    timestamp: datetime
    energy_Wh_import: PhaseValues
    energy_Wh_export: PhaseValues | None = None
    power_W: PhaseValues | None = None
    voltage_V: PhaseValues | None = None
    VAR: PhaseValues | None = None
    current_A: PhaseValues | None = None
    frequency_Hz: PhaseValues | None = None


class SocReading(msgspec.Struct, frozen=True, kw_only=True):
    """State of charge in percent; `location` is an OCPP location, `EV` where absent."""

    value: float
    location: str | None = None


class Temperature(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor, in Celsius; a `location` that is no OCPP location is left out on the wire."""

    value: float
    location: str | None = None


class Rpm(msgspec.Struct, frozen=True, kw_only=True):
    value: float
    location: str | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """All readings of a connector at one time (libocpp 2.5)."""

    power_meter: Powermeter
    soc_Percent: SocReading | None = None
    temperature_C: tuple[Temperature, ...] = ()
    rpm: Rpm | None = None


class SignedMeterValue(msgspec.Struct, frozen=True, kw_only=True):
    """A signed reading (OCMF or alike) with its time, as `on_transaction_started/_stopped` take it."""

    signed_meter_data: str
    timestamp: datetime | None = None
