"""Readings of the bus as readings of the core (libocpp 9.4). Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from everest.contracts.types.powermeter import Powermeter as BusPowermeter
from ocpp16 import Measurement, PhaseValues, Powermeter, SocReading, Temperature

from .times import parse_time


def measurement(reading: BusPowermeter, *, soc: float | None, now: datetime) -> Measurement:
    """A Powermeter value of the bus with the last known state of charge (percent). An unreadable time becomes `now`."""
    temperatures = tuple(
        Temperature(value=sensor.temperature, location=sensor.location) for sensor in reading.temperatures or ()
    )
    return Measurement(
        power_meter=Powermeter(
            timestamp=parse_time(reading.timestamp) or now,
            energy_Wh_import=_phases(reading.energy_Wh_import) or PhaseValues(total=0.0),
            energy_Wh_export=_phases(reading.energy_Wh_export),
            power_W=_phases(reading.power_W),
            voltage_V=_phases(reading.voltage_V),
            VAR=_phases(reading.VAR),
            current_A=_phases(reading.current_A),
            frequency_Hz=_phases(reading.frequency_Hz),
        ),
        soc_Percent=None if soc is None else SocReading(value=soc),
        temperature_C=temperatures,
    )


def resting(values: Measurement) -> Measurement:
    """The reading of an EVSE for those of its connectors that another one's session leaves idle.

    The register, voltage, frequency and temperatures are theirs too; what flows, and the car, are not.
    """
    still = replace(values.power_meter, power_W=None, current_A=None, VAR=None)
    return replace(values, power_meter=still, soc_Percent=None)


def _phases(values: Any) -> PhaseValues | None:
    """The quantities of the bus have some of total, DC, L1, L2, L3 and N as attributes; the core has all of them."""
    if values is None:
        return None
    present = {name: getattr(values, name, None) for name in ("total", "DC", "L1", "L2", "L3", "N")}
    return PhaseValues(**present)
