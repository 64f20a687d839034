"""The simulated meter on the DC side: one voltage, one current (station 2.9 as far as it goes for DC).

A `Meter` that measures what the car's battery takes; register, noise and times are those of meter.py. Pure.
"""

from __future__ import annotations

import math

from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.temperature import Temperature
from everest.contracts.types.units import Current, Energy, Power, Voltage

from .chance import Noise
from .meter import AMBIENT_C, Meter, MeterConfig

WARM_A, WARMEST_BY_C = 200.0, 60.0
"""At so many A the cable is half as much warmer than its surroundings as it can get: it is cooled the more."""
CONDUCTOR = "L1"
"""The register has phases; all DC energy is kept in the first."""


class DcMeter(Meter):
    """`volts` is set with the load."""

    def __init__(self, config: MeterConfig, noise: Noise, now: float) -> None:
        super().__init__(config, noise, now)
        self.volts = 0.0

    def set_dc_load(self, now: float, amps: float, volts: float) -> None:
        """From `now` on the car draws `amps` at `volts`; negative: it gives them back."""
        self.set_load(now, amps, 1)
        self.volts = volts

    def temperature_C(self) -> float:
        """Rises with the square of the current at first: 30 °C at 61 A, 55 at 200 A, 67 at 300 A, never 85."""
        load = (self._current() / WARM_A) ** 2
        return AMBIENT_C + WARMEST_BY_C * load / (1.0 + load)

    def _voltage(self, amps: float) -> float:
        return self.volts * self._voltage_factor

    def reading(self, now: float, timestamp: str) -> Powermeter:
        """As `Meter.reading`, in DC terms."""
        self.advance(now)
        self._draw_noise()
        amps = self.currents()[CONDUCTOR]
        temperature = Temperature(
            temperature=round(self.temperature_C(), 3), identification="Powermeter", location="Powermeter"
        )
        return Powermeter(
            timestamp=timestamp,
            meter_id=self.config.meter_id,
            energy_Wh_import=Energy(total=float(math.floor(self.total_Wh + 1e-9))),
            energy_Wh_export=Energy(total=float(math.floor(self.exported_Wh + 1e-9))),
            power_W=Power(total=float(round(self._voltage(amps) * amps))),
            voltage_V=Voltage(DC=round(self._voltage(amps), 3)),
            current_A=Current(DC=round(amps, 3)),
            temperatures=[temperature],
        )
