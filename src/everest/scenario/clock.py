"""The wall clock of scenarios: in virtual time it starts where the file says and runs with the event loop.

May not be imported here: anything of this project.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class LoopClock:
    """A wall clock that starts at `start` and runs with the running event loop."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """Aware, UTC."""
        return self._start + timedelta(seconds=asyncio.get_running_loop().time() - self._began)


def wall_clock() -> datetime:
    """The time now, for scenarios in real time; the one place of this package that asks for it."""
    return datetime.now(UTC)
