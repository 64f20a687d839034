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


class PlugTemperature:
    """Temperature of the plug in °C."""

    def __init__(self, ambient_C: float) -> None:
        self.ambient_C = ambient_C
        self.value_C = ambient_C

    def step(self, amps: float, seconds: float) -> None:
        """`amps` flowed for `seconds`."""
        goal = self.ambient_C + WARM_BY_C * (amps / WARM_A) ** 2
        self.value_C += (goal - self.value_C) * (1.0 - math.exp(-max(seconds, 0.0) / LAG_S))


class DcDerate(DcExternalDerateImplementation):
    """`dc_external_derate`: each call replaces the limits before it."""

    def __init__(self, *, dc: bool) -> None:
        self._dc = dc
        self.limits = ExternalDerating()

    async def set_external_derating(self, derate: ExternalDerating) -> None:
        negative = {name: value for name, value in msgspec.structs.asdict(derate).items() if (value or 0.0) < 0.0}
        if negative:
            log.error("set_external_derating refused: limits are not negative: %s", negative)
            return
        if not self._dc:
            log.warning("set_external_derating has no effect: this EVSE charges with AC (charge_mode)")
        elif derate.max_import_current_A is not None or derate.max_import_power_W is not None:
            log.info("set_external_derating: limits of import have no effect: energy flows to the car only")
        self.limits = derate

    def current_A(self, amps: float) -> float:
        limit = self.limits.max_export_current_A
        return amps if limit is None else min(amps, limit)

    def power_W(self, watts: float) -> float:
        limit = self.limits.max_export_power_W
        return watts if limit is None else min(watts, limit)
