"""Takes readings of the simulated meter: stored first, then published, then available to session events.

So no event ever carries a higher register than was published before it, and after a kill the register is not below
anything that was seen. Async shell around meter.py; knows the bus only as a `publish` function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from logging import getLogger

from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.units import Energy
from everest.runtime import Clock

from .commands import shown
from .meter import Meter
from .register import Register

log = getLogger(__name__)


def no_reading() -> Powermeter:
    """What events carry before the first reading (station 2.3)."""
    return Powermeter(timestamp="", energy_Wh_import=Energy(total=0.0))


def whole_seconds(moment: datetime) -> str:
    """The time of a reading: UTC without decimals (station 3.4)."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


class Metering:
    """The readings of one EVSE."""

    def __init__(
        self, meter: Meter, register: Register, key: str, clock: Clock, publish: Callable[[Powermeter], None]
    ) -> None:
        self.meter = meter
        self.latest = no_reading()
        self._register = register
        self._key = key
        self._clock = clock
        self._publish = publish
        self._stored: tuple[Energy, Energy | None] | None = None
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Take the register over from before the restart."""
        stored = await self._register.load(self._key)
        if stored is None:
            return
        try:
            self.meter.restore(stored)
        except (AttributeError, TypeError, ValueError) as error:
            log.error("the stored meter register %s is unusable (%s); starting at 0", self._key, shown(str(error)))

    async def take(self, *, reset: bool = False) -> Powermeter:
        """A fresh reading, published. reset: the register is set to 0 before (plug in; DEPARTURE S2)."""
        async with self._lock:
            if reset:
                self.meter.reset()
            now = asyncio.get_running_loop().time()
            reading = self.meter.reading(now, whole_seconds(self._clock.now()))
            registers = (reading.energy_Wh_import, reading.energy_Wh_export)
            if registers != self._stored:
                await self._register.store(self._key, self.meter.register())
                self._stored = registers
            self.latest = reading
            self._publish(reading)
            return reading
