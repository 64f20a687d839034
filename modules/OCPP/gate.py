"""Holds what the EVSEs and the system tell until the charge point has started, and drops it while that is stopped
(libocpp 9.2); one after the other, in the order of its arrival.

Handlers of different topics run side by side. What an EVSE says by session events and by errors belongs together all
the same: it goes through one gate, in the order in which it was said. May not be imported here: the core.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

Event = Callable[[], Awaitable[object]]


class Gate:
    """Closed: events wait. Open: they are carried out. Shut: they are dropped, as while OCPP is stopped by command."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._open = asyncio.Event()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._shut = False

    def pass_through(self, event: Event) -> None:
        """Have `event` carried out after those before it, or drop it."""
        if not self._shut:
            self._waiting.append(event)
            self._idle.clear()
            self._news.set()

    async def open(self) -> None:
        """Let everything through from now on; returns when what has waited has been carried out."""
        self._shut = False
        self._open.set()
        await self._idle.wait()

    def shut(self) -> None:
        """Drop everything from now on."""
        self._shut = True

    async def run(self) -> None:
        """Carry events out, for ever. An error of one goes on to the caller."""
        while True:
            await self._open.wait()
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._waiting.popleft()()
            self._idle.set()


class Gates:
    """A gate for each EVSE (`evse`; 0: errors that belong to none) and one for the system's transfers (`system`)."""

    def __init__(self, evses: int) -> None:
        self._by_evse = {evse_id: Gate() for evse_id in range(evses + 1)}
        self.system = Gate()

    def evse(self, evse_id: int) -> Gate:
        return self._by_evse.get(evse_id, self._by_evse[0])

    def __iter__(self) -> Iterator[Gate]:
        return iter([*self._by_evse.values(), self.system])

    async def open(self) -> None:
        """Open all, one after the other."""
        for gate in self:
            await gate.open()

    def shut(self) -> None:
        for gate in self:
            gate.shut()
