"""What others may lower of a DC EVSE, and the warmth of its plug (station 2.1: dc_external_derate).

`PlugTemperature` is pure: it follows the square of the current with a lag, so that who derates by it has something to
see. `DcDerate` keeps the limits that were set and applies them to what the car could get.
"""

from __future__ import annotations

import math
from logging import getLogger

import msgspec

from everest.contracts.interfaces.dc_external_derate import DcExternalDerateImplementation
from everest.contracts.types.dc_external_derate import ExternalDerating

log = getLogger(__name__)

WARM_A, WARM_BY_C, LAG_S = 200.0, 40.0, 300.0
"""At so many A the plug gets so much warmer than its surroundings, two thirds of it after the lag."""
HOTTEST_BY_C = 125.0
"""Hotter it would not live."""


class PlugTemperature:
    """Temperature of the plug in °C."""

    def __init__(self, ambient_C: float) -> None:
        self.ambient_C = ambient_C
        self.value_C = ambient_C

    def step(self, amps: float, seconds: float) -> None:
        """`amps` flowed for `seconds`."""
        goal = self.ambient_C + min(WARM_BY_C * (amps / WARM_A) ** 2, HOTTEST_BY_C)
        self.value_C += (goal - self.value_C) * (1.0 - math.exp(-max(seconds, 0.0) / LAG_S))


class DcDerate(DcExternalDerateImplementation):
    """`dc_external_derate`: each call replaces the limits before it."""

    def __init__(self, *, dc: bool, bidirectional: bool) -> None:
        self._dc = dc
        self._bidirectional = bidirectional
        self.limits = ExternalDerating()

    async def set_external_derating(self, derate: ExternalDerating) -> None:
        negative = {name: value for name, value in msgspec.structs.asdict(derate).items() if (value or 0.0) < 0.0}
        if negative:
            log.error("set_external_derating refused: limits are not negative: %s", negative)
            return
        if not self._dc:
            log.warning("set_external_derating has no effect: this EVSE charges with AC (charge_mode)")
        elif not self._bidirectional and not (derate.max_import_current_A is derate.max_import_power_W is None):
            log.info("set_external_derating: limits of import have no effect: energy flows to the car only")
        self.limits = derate

    def to_car(self, watts: float, amps: float) -> tuple[float, float]:
        """What may flow to the car of `watts` and `amps`."""
        return _lowest(watts, self.limits.max_export_power_W), _lowest(amps, self.limits.max_export_current_A)

    def from_car(self, watts: float, amps: float) -> tuple[float, float]:
        """What may flow back from it."""
        return _lowest(watts, self.limits.max_import_power_W), _lowest(amps, self.limits.max_import_current_A)


def _lowest(value: float, limit: float | None) -> float:
    return value if limit is None else min(value, limit)
