"""Which sampled values a reading yields (libocpp 3.7.2), and how energy is reported."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp16 import Measurement, PhaseValues, Powermeter, Rpm, SocReading, Temperature
from ocpp16.configuration import parse_measurands
from ocpp16.messages import ReadingContext
from ocpp16.meter_values import Reading, reportable, sampled_values, thinned, whole_wh

T0 = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Measurement(
    power_meter=Powermeter(
        timestamp=T0,
        energy_Wh_import=PhaseValues(total=6000, L1=2000, L2=2000, L3=2000),
        energy_Wh_export=PhaseValues(total=5),
        power_W=PhaseValues(total=11000, L1=3666.667),
        voltage_V=PhaseValues(L1=230.1, L2=230.2, L3=230.3),
        VAR=PhaseValues(total=3),
        current_A=PhaseValues(L1=16, L2=16, L3=16, N=0.5),
        frequency_Hz=PhaseValues(L1=50.02),
    ),
    soc_Percent=SocReading(value=42),
    temperature_C=(Temperature(value=20, location="Body"), Temperature(value=30, location="inside")),
    rpm=Rpm(value=100),
)


def rows(measurands: str, measurement: Measurement = FULL) -> list[str]:
    reading = Reading(measurement, current_offered=16, power_offered=11040)
    values = sampled_values(parse_measurands(measurands), reading, ReadingContext.Sample_Periodic)
    assert all(v.context == "Sample.Periodic" and v.format == "Raw" for v in values)
    return [" ".join(str(part) for part in (v.value, v.phase, v.unit, v.location) if part is not None) for v in values]


@pytest.mark.parametrize(
    ("measurand", "expected"),
    [
        (
            "Energy.Active.Import.Register",
            ["6000.00 Wh Outlet", "2000.00 L1 Wh Outlet", "2000.00 L2 Wh Outlet", "2000.00 L3 Wh Outlet"],
        ),
        ("Energy.Active.Export.Register", ["5.00 Wh"]),
        ("Power.Active.Import", ["11000.00 W Outlet", "3666.67 L1 W Outlet"]),
        ("Power.Reactive.Import", ["3.00 var"]),
        ("Voltage", ["230.10 L1 V Outlet", "230.20 L2 V Outlet", "230.30 L3 V Outlet"]),
        ("Current.Import", ["16.00 L1 A Outlet", "16.00 L2 A Outlet", "16.00 L3 A Outlet", "0.50 N A Outlet"]),
        ("Frequency", ["50.02", "50.02 L1"]),
        ("Current.Offered", ["16.00 A Outlet"]),
        ("Power.Offered", ["11040.00 W Outlet"]),
        ("SoC", ["42.00 Percent EV"]),
        ("Temperature", ["20.00 Celsius Body", "30.00 Celsius"]),
        ("RPM", ["100.00 EV"]),
        ("Power.Factor", []),
        ("Voltage.L2", ["230.20 L2 V Outlet"]),
        ("Voltage.L2,Frequency,Frequency.L1", ["230.20 L2 V Outlet", "50.02", "50.02 L1"]),
        ("Power.Active.Import.L2", []),
        ("SoC,Voltage.L1,SoC", ["42.00 Percent EV", "230.10 L1 V Outlet"]),
        ("", []),
    ],
)
def test_each_measurand_yields_its_total_and_the_phases_that_are_there(measurand: str, expected: list[str]) -> None:
    assert rows(measurand) == expected


def test_a_dc_meter_has_totals_of_voltage_and_current() -> None:
    meter = Powermeter(
        timestamp=T0,
        energy_Wh_import=PhaseValues(total=1),
        voltage_V=PhaseValues(DC=400),
        current_A=PhaseValues(DC=100),
    )
    assert rows("Voltage,Current.Import", Measurement(power_meter=meter)) == ["400.00 V Outlet", "100.00 A Outlet"]


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_reported_register_is_never_above_the_stop_of_any_later_reading(first: float, second: float) -> None:
    earlier, later = sorted((first, second))
    assert float(f"{reportable(earlier):.2f}") <= whole_wh(later)
    assert whole_wh(earlier) <= whole_wh(later)
    assert earlier - reportable(earlier) <= 0.5


@pytest.mark.parametrize(("energy", "whole"), [(0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3)])
def test_energy_is_rounded_half_up(energy: float, whole: int) -> None:
    assert whole_wh(energy) == whole


def test_thinning_takes_every_second_value_and_keeps_the_first_and_the_last() -> None:
    assert thinned((0, 1, 2, 3, 4, 5)) == (0, 2, 4, 5)  # type: ignore[arg-type, comparison-overlap]
