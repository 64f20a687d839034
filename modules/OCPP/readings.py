"""What the EVSEs measure and offer: the latest of each, for the core's connectors (libocpp 9.4).

What comes before the core is there is kept and handed over then (libocpp 12.24). How a reading of the bus becomes
one of the core is in meter.py.
"""

from __future__ import annotations

from everest.contracts.types.energy import EnforcedLimits
from everest.contracts.types.evse_manager import EVInfo
from everest.contracts.types.powermeter import Powermeter
from everest.runtime import Clock
from ocpp16 import ChargePoint

from .connectors import ConnectorMap
from .meter import measurement, resting
from .sessions import EvseSessions


class Readings:
    """The latest readings by EVSE id."""

    def __init__(self, sessions: EvseSessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._target: tuple[ChargePoint, ConnectorMap] | None = None
        self._meters: dict[int, Powermeter] = {}
        self._soc: dict[int, float] = {}
        self._offered: dict[int, tuple[int | None, int | None]] = {}
        self._public_keys: dict[int, str] = {}

    async def hand_over(self, core: ChargePoint, connectors: ConnectorMap) -> None:
        """Give the core the latest of everything, and from now on each new one."""
        self._target = (core, connectors)
        for evse_id in list(self._meters):
            await self._tell_meter(evse_id)
        for evse_id in list(self._public_keys):
            await self._tell_public_key(evse_id)
        for evse_id in list(self._offered):
            await self._tell_offered(evse_id)

    def register_Wh(self, evse_id: int) -> float | None:
        """The imported energy of an EVSE's meter; None without a reading."""
        reading = self._meters.get(evse_id)
        return None if reading is None else reading.energy_Wh_import.total

    def power_W(self, evse_id: int) -> float:
        reading = self._meters.get(evse_id)
        return reading.power_W.total if reading is not None and reading.power_W is not None else 0.0

    def session_finished(self, evse_id: int) -> None:
        """The car goes, and its state of charge with it."""
        self._soc.pop(evse_id, None)

    # --- what the EVSEs publish --------------------------------------------------------------------------------------

    async def powermeter(self, evse_id: int, reading: Powermeter) -> None:
        self._meters[evse_id] = reading
        await self._tell_meter(evse_id)

    def ev_info(self, evse_id: int, info: EVInfo) -> None:
        if info.soc is not None:
            self._soc[evse_id] = info.soc

    async def enforced_limits(self, evse_id: int, limits: EnforcedLimits) -> None:
        """What the EVSE may draw now, for Current.Offered and Power.Offered, in whole A and W."""
        current = limits.limits_root_side.ac_max_current_A
        power = limits.limits_root_side.total_power_W
        self._offered[evse_id] = (
            None if current is None else int(current.value),
            None if power is None else int(power.value),
        )
        await self._tell_offered(evse_id)

    async def public_key(self, evse_id: int, key: str) -> None:
        self._public_keys[evse_id] = key
        await self._tell_public_key(evse_id)

    # --- to the core -------------------------------------------------------------------------------------------------

    async def _tell_meter(self, evse_id: int) -> None:
        """The connector in use has what flows and the car; the others of its EVSE rest."""
        if self._target is None:
            return
        core, connectors = self._target
        values = measurement(self._meters[evse_id], soc=self._soc.get(evse_id), now=self._clock.now())
        used = self._sessions.connector_in_use(evse_id)
        at_work = None if used is None else connectors.to_ocpp(evse_id, used)
        for connector in connectors.of_evse(evse_id):
            idle = at_work is not None and connector != at_work
            await core.on_meter_values(connector, resting(values) if idle else values)

    async def _tell_offered(self, evse_id: int) -> None:
        if self._target is None:
            return
        core, connectors = self._target
        current, power = self._offered[evse_id]
        for connector in connectors.of_evse(evse_id):
            if current is not None:
                await core.on_max_current_offered(connector, current)
            if power is not None:
                await core.on_max_power_offered(connector, power)

    async def _tell_public_key(self, evse_id: int) -> None:
        if self._target is None:
            return
        core, connectors = self._target
        for connector in connectors.of_evse(evse_id):
            await core.set_powermeter_public_key(connector, self._public_keys[evse_id])
