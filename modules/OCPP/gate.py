"""Holds events back until the charge point has started, then lets them through in order (libocpp 9.2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Event = Callable[[], Awaitable[object]]


class Gate:
    """Closed: events wait. Open: they run at once. Shut: they are dropped, as while OCPP is stopped by command."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._open = False
        self._shut = False
        self._draining = asyncio.Lock()

    async def pass_through(self, event: Event) -> None:
        """Run `event` now, keep it until `open`, or drop it."""
        if self._shut:
            return
        if not self._open:
            self._waiting.append(event)
            return
        await event()

    async def open(self) -> None:
        """Run what has waited, in order, then let everything through. What comes meanwhile waits in line."""
        async with self._draining:
            while self._waiting:
                await self._waiting[0]()
                self._waiting.popleft()
            self._open, self._shut = True, False

    def shut(self) -> None:
        """Drop everything from now on."""
        self._shut = True
