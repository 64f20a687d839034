"""Waiting for the EVSEs to announce themselves, and noticing those that were running all the time.

An EVSE announces itself by `waiting_for_external_ready` true or `ready` true (libocpp 9.2 step 3). Neither is
retained, so a module that is started again beside running EVSEs would wait for ever. An EVSE that announces nothing
for `late_after` seconds but gives signs of life (enforced limits, session events) has not been restarted: its
sessions go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

log = logging.getLogger(__name__)

REMINDER_SECONDS = 30.0


class EvseStarts:
    """What each EVSE has announced. EVSEs are known by their position in the connections, from 1."""

    def __init__(self, evses: Iterable[int]) -> None:
        self._silent = set(evses)
        self._alive: set[int] = set()
        self._changed = asyncio.Event()

    def announced(self, evse: int, *, ready: bool) -> None:
        """`waiting_for_external_ready` true, or (with `ready`) `ready` true."""
        if ready and evse in self._silent:
            log.error("EVSE %d was ready before OCPP allowed it to start; it may have reported events already", evse)
        self._silent.discard(evse)
        self._changed.set()

    def sign_of_life(self, evse: int) -> None:
        """Something that only an EVSE sends that has started."""
        if evse in self._silent and evse not in self._alive:
            self._alive.add(evse)
            self._changed.set()

    async def wait(self, *, late_after: float) -> set[int]:
        """Wait for all EVSEs. Returns those that were running before this module (none in an ordinary start)."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + late_after
        reminder = loop.time() + REMINDER_SECONDS
        while self._silent:
            if loop.time() >= deadline and self._silent <= self._alive:
                log.warning("EVSE %s did not start with OCPP: taken as running all the time", _names(self._silent))
                return set(self._silent)
            if loop.time() >= reminder:
                log.warning("still waiting for EVSE %s to start", _names(self._silent))
                reminder += REMINDER_SECONDS
            next_look = min(reminder, deadline) if loop.time() < deadline else reminder
            self._changed.clear()
            try:
                async with asyncio.timeout_at(next_look):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return set()


def _names(evses: set[int]) -> str:
    return ", ".join(str(evse) for evse in sorted(evses))
