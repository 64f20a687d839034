"""The simulated power meter (station 3.4): its energy is the integral of the power it shows.

Pure: `set_load` and `advance` take the nominal time of a monotonic clock in seconds, `reading` gives a Powermeter of
the present values. Noise is drawn once per reading and held until the next, so that energy and published power add up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.temperature import Temperature
from everest.contracts.types.units import Current, Energy, Frequency, Power, Voltage

from .chance import Noise

PHASES = ("L1", "L2", "L3")
EXPORT = "export"
"""Name of the export register in the store; only a DC car gives energy back, so it has no phases."""
AMBIENT_C = 25.0
HOTTEST_C = 90.0
"""No connector gets hotter, whatever the car draws."""
HIGHEST_WH = 1e12
"""What a register may have been stored with, per phase; none of a station gets there."""


@dataclass(frozen=True)
class MeterConfig:
    """Configuration of the simulator that the meter uses (station 3.1)."""

    meter_id: str = "YETI_POWERMETER"
    nominal_voltage_V: float = 230.0
    nominal_frequency_Hz: float = 50.0
    send_on_transaction_start: bool = True
    blob_start: str = "test start value"
    blob_stop: str = "test stop value"


class Meter:
    """Register and measured values of one EVSE."""

    def __init__(self, config: MeterConfig, noise: Noise, now: float) -> None:
        self.config = config
        self._noise = noise
        self._at = now
        self._energy_Wh = dict.fromkeys(PHASES, 0.0)
        self.exported_Wh = 0.0
        self._amps = 0.0
        self._phases = 3
        self._voltage_factor = self._current_factor = self._frequency_factor = 1.0

    # --- the register ---

    def register(self) -> dict[str, float]:
        """The import register in Wh per phase, and what was exported, for the store."""
        return {**self._energy_Wh, EXPORT: self.exported_Wh}

    def restore(self, register: Mapping[str, Any]) -> None:
        """Take a stored register over; ValueError if it is none."""
        try:
            values = {name: float(register.get(name, 0.0)) for name in (*PHASES, EXPORT)}
        except OverflowError as error:
            raise ValueError(f"not a register in Wh: {error}") from None
        wrong = [name for name, value in values.items() if not 0.0 <= value <= HIGHEST_WH]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} not 0 to {HIGHEST_WH:g} Wh")
        self.exported_Wh = values.pop(EXPORT)
        self._energy_Wh = values

    def reset(self) -> None:
        """Counters to 0 (at plug in, config reset_powermeter_on_session_start)."""
        self._energy_Wh = dict.fromkeys(PHASES, 0.0)
        self.exported_Wh = 0.0

    @property
    def total_Wh(self) -> float:
        return math.fsum(self._energy_Wh.values())

    # --- measuring ---

    def set_load(self, now: float, amps: float, phases: int) -> None:
        """From `now` on the car draws `amps` on each of `phases` phases; negative: it gives them back."""
        self.advance(now)
        self._amps, self._phases = amps, phases

    def advance(self, now: float) -> None:
        """Integrate up to `now`; time never runs backwards."""
        hours = max(0.0, now - self._at) / 3600.0
        self._at = max(self._at, now)
        for phase in self._active():
            energy = self.power_W() * hours
            self._energy_Wh[phase] += max(energy, 0.0)
            self.exported_Wh += max(-energy, 0.0)

    def currents(self) -> dict[str, float]:
        """Measured current per phase in A."""
        return {phase: self._current() if phase in self._active() else 0.0 for phase in PHASES}

    def power_W(self) -> float:
        """Measured power of one active phase."""
        return self._voltage(self._current()) * self._current()

    def reading(self, now: float, timestamp: str) -> Powermeter:
        """Integrate up to `now`, draw new noise and show the present values; energies in whole Wh, power in whole W."""
        self.advance(now)
        self._draw_noise()
        currents = self.currents()
        powers = {phase: float(round(self._voltage(amps) * amps)) for phase, amps in currents.items()}
        frequency = _round(self.config.nominal_frequency_Hz * self._frequency_factor)
        return Powermeter(
            timestamp=timestamp,
            meter_id=self.config.meter_id,
            phase_seq_error=False,
            energy_Wh_import=Energy(total=float(math.floor(self.total_Wh + 1e-9)), **self._whole_Wh()),
            energy_Wh_export=Energy(total=0.0, L1=0.0, L2=0.0, L3=0.0),
            power_W=Power(total=math.fsum(powers.values()), **powers),
            voltage_V=Voltage(**{phase: _round(self._voltage(amps)) for phase, amps in currents.items()}),
            current_A=Current(**{phase: _round(amps) for phase, amps in currents.items()}, N=_round(self._neutral())),
            frequency_Hz=Frequency(L1=frequency, L2=frequency, L3=frequency),
            temperatures=[
                Temperature(
                    temperature=_round(self.temperature_C()), identification="Powermeter", location="Powermeter"
                )
            ],
        )

    def temperature_C(self) -> float:
        """A plausible temperature that follows the current: some 90 °C at 32 A, and no more."""
        return min(AMBIENT_C + 2.0 * abs(self._current()), HOTTEST_C)

    def _whole_Wh(self) -> dict[str, float]:
        return {phase: float(math.floor(value + 1e-9)) for phase, value in self._energy_Wh.items()}

    def _active(self) -> tuple[str, ...]:
        return PHASES[: self._phases] if self._amps != 0.0 else ()

    def _current(self) -> float:
        return self._amps * self._current_factor

    def _voltage(self, amps: float) -> float:
        return max(0.0, self.config.nominal_voltage_V * self._voltage_factor - 0.5 * amps)

    def _neutral(self) -> float:
        return 0.0125 * self._current() if self._phases == 3 else self._current()

    def _draw_noise(self) -> None:
        self._voltage_factor = self._noise.factor(0.01)
        self._current_factor = self._noise.factor(0.01)
        self._frequency_factor = self._noise.factor(0.0025)


def highest_current(reading: Powermeter) -> float:
    """The highest current of a conductor, the neutral aside, of a reading in A; 0 where it has none."""
    shown = reading.current_A
    phases = () if shown is None else (shown.DC, shown.L1, shown.L2, shown.L3)
    return max((abs(amps) for amps in phases if amps is not None), default=0.0)


def _round(value: float) -> float:
    return round(value, 3)
