"""Which sampled values a reading yields for configured measurands. Pure: no clock, no timers, no queue.

Owns: `EXPANSION`, the table of libocpp 3.7.2 (measurand -> unit, location, phases, source), the rule that keeps
reported energy below any later meterStop, and the filter of transactionData (libocpp 3.5.5).
May import: messages, measurement, configuration.measurands. Must not import: metering, dispatcher.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ocpp16.configuration.measurands import Wanted
from ocpp16.measurement import Measurement, PhaseValues
from ocpp16.messages import (
    Location,
    Measurand,
    MeterValue,
    Phase,
    ReadingContext,
    SampledValue,
    UnitOfMeasure,
    ValueFormat,
)


class Reading(NamedTuple):
    """Everything that can be sampled of a connector; offered values are whole A and W (libocpp 2.5)."""

    measurement: Measurement
    current_offered: float = 0.0
    power_offered: float = 0.0


class Source(NamedTuple):
    """Where the values of a measurand come from. `total` picks the value without phase out of `quantity`."""

    quantity: Callable[[Measurement], PhaseValues | None]
    total: str | None
    phases: tuple[Phase, ...]
    unit: UnitOfMeasure | None
    location: Location | None = None


_THREE = (Phase.L1, Phase.L2, Phase.L3)

EXPANSION: Mapping[Measurand, Source] = {
    Measurand.Energy_Active_Import_Register: Source(
        lambda m: m.power_meter.energy_Wh_import, "total", _THREE, UnitOfMeasure.Wh, Location.Outlet
    ),
    Measurand.Energy_Active_Export_Register: Source(
        lambda m: m.power_meter.energy_Wh_export, "total", _THREE, UnitOfMeasure.Wh
    ),
    Measurand.Power_Active_Import: Source(
        lambda m: m.power_meter.power_W, "total", _THREE, UnitOfMeasure.W, Location.Outlet
    ),
    Measurand.Power_Reactive_Import: Source(lambda m: m.power_meter.VAR, "total", _THREE, UnitOfMeasure.var),
    Measurand.Voltage: Source(lambda m: m.power_meter.voltage_V, "DC", _THREE, UnitOfMeasure.V, Location.Outlet),
    Measurand.Current_Import: Source(
        lambda m: m.power_meter.current_A, "DC", (*_THREE, Phase.N), UnitOfMeasure.A, Location.Outlet
    ),
    # No total in the meter: L1 stands for the grid (DEPARTURE 23).
    Measurand.Frequency: Source(lambda m: m.power_meter.frequency_Hz, "L1", _THREE, None),
}
"""Measurands that the power meter supplies. What is neither here nor in `_sensors` is accepted and never reported."""


def whole_wh(energy: float) -> int:
    """Energy in whole Wh, halves up: how meterStart and meterStop are rounded. Growing energy never shrinks by it."""
    return math.floor(energy + 0.5)


def reportable(energy: float) -> float:
    """The import register as a MeterValue may show it: never above what a stop at this very reading would report,
    for a CSMS that finds meterStop below a MeterValue refuses the bill."""
    return min(energy, float(whole_wh(energy)))


def sampled_values(wanted: Iterable[Wanted], reading: Reading, context: ReadingContext) -> tuple[SampledValue, ...]:
    """The values of a reading for the wanted measurands, in their order: total first, then phases; none twice."""
    items = tuple(wanted)
    kept = (item for item in items if item.phase is None or Wanted(item.measurand) not in items)
    return tuple(value for item in kept for value in _expand(item, reading, context))


def _expand(item: Wanted, reading: Reading, context: ReadingContext) -> Iterator[SampledValue]:
    source = EXPANSION.get(item.measurand)
    if source is None:
        if item.phase is None:
            yield from _sensors(item.measurand, reading, context)
        return
    quantity = source.quantity(reading.measurement)
    if quantity is None:
        return
    value = _sampler(item.measurand, source.unit, source.location, context)
    if item.phase is None and source.total is not None:
        total = getattr(quantity, source.total)
        if total is not None:
            yield value(_limited(item.measurand, total), None)
    for phase in source.phases if item.phase is None else (item.phase,):
        number = getattr(quantity, phase.value, None)
        if number is not None and phase in source.phases:
            yield value(number, phase)


def _limited(measurand: Measurand, total: float) -> float:
    return reportable(total) if measurand is Measurand.Energy_Active_Import_Register else total


def _sensors(measurand: Measurand, reading: Reading, context: ReadingContext) -> Iterator[SampledValue]:
    """Measurands that do not come from the power meter."""
    measurement = reading.measurement
    match measurand:
        case Measurand.Current_Offered:
            yield _sampler(measurand, UnitOfMeasure.A, Location.Outlet, context)(reading.current_offered, None)
        case Measurand.Power_Offered:
            yield _sampler(measurand, UnitOfMeasure.W, Location.Outlet, context)(reading.power_offered, None)
        case Measurand.SoC if measurement.soc_Percent is not None:
            place = location_of(measurement.soc_Percent.location) or Location.EV
            yield _sampler(measurand, UnitOfMeasure.Percent, place, context)(measurement.soc_Percent.value, None)
        case Measurand.RPM if measurement.rpm is not None:
            place = location_of(measurement.rpm.location) or Location.EV
            yield _sampler(measurand, None, place, context)(measurement.rpm.value, None)
        case Measurand.Temperature:
            for sensor in measurement.temperature_C:
                value = _sampler(measurand, UnitOfMeasure.Celsius, location_of(sensor.location), context)
                yield value(sensor.value, None)


def location_of(name: str | None) -> Location | None:
    """The OCPP location of that name; None for any other place."""
    return next((location for location in Location if location.value == name), None)


def _sampler(
    measurand: Measurand, unit: UnitOfMeasure | None, location: Location | None, context: ReadingContext
) -> Callable[[float, Phase | None], SampledValue]:
    def value(number: float, phase: Phase | None) -> SampledValue:
        return SampledValue(
            value=f"{number:.2f}",
            context=context,
            format=ValueFormat.Raw,
            measurand=measurand,
            phase=phase,
            unit=unit,
            location=location,
        )

    return value


def signed_value(data: str, context: ReadingContext, timestamp: datetime) -> MeterValue:
    """A signed reading (libocpp 3.7.3): the signed text, its format and context, and nothing else."""
    sampled = SampledValue(value=data, context=context, format=ValueFormat.SignedData)
    return MeterValue(timestamp=timestamp, sampled_value=(sampled,))


def energy_of(value: MeterValue) -> float | None:
    """The import register of a meter value, its total; None if it has none."""
    for sampled in value.sampled_value:
        if sampled.measurand is Measurand.Energy_Active_Import_Register and sampled.phase is None:
            return float(sampled.value)
    return None


def has_signed(values: Iterable[MeterValue], context: ReadingContext) -> bool:
    """Whether there is a signed value of this context."""
    return any(
        sampled.format is ValueFormat.SignedData and sampled.context is context
        for value in values
        for sampled in value.sampled_value
    )


def transaction_data(
    recorded: Sequence[MeterValue], sampled: Sequence[Wanted], aligned: Sequence[Wanted]
) -> tuple[MeterValue, ...]:
    """The recorded values that go into StopTransaction.req (libocpp 3.5.5, DEPARTURE 19), in time order.

    Sample.Clock is filtered by StopTxnAlignedData, everything else by StopTxnSampledData; signed values always stay,
    and take the place of unsigned values of the context Transaction.Begin or Transaction.End.
    """
    signed = {c for c in (ReadingContext.Transaction_Begin, ReadingContext.Transaction_End) if has_signed(recorded, c)}

    def kept(value: SampledValue) -> bool:
        if value.measurand is None:
            return True
        if value.context in signed:
            return False
        wanted = aligned if value.context is ReadingContext.Sample_Clock else sampled
        return any(
            item.measurand is value.measurand and (item.phase is None or item.phase is value.phase) for item in wanted
        )

    filtered = ((value, tuple(filter(kept, value.sampled_value))) for value in recorded)
    return tuple(msgspec.structs.replace(value, sampled_value=values) for value, values in filtered if values)


def thinned(values: tuple[MeterValue, ...]) -> tuple[MeterValue, ...]:
    """Every second element less, first and last kept (libocpp 3.5.4)."""
    return tuple(value for index, value in enumerate(values) if index % 2 == 0 or index == len(values) - 1)
