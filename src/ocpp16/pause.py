"""When own CALLs wait: after a reconnect (libocpp 3.8.4), and while a CALL of the CSMS is being answered (3.8.2).

May import: asyncio only, for its clock.
"""

from __future__ import annotations

import asyncio

LONGEST_HOLD = 10.0
"""Seconds that CALLs of the CSMS keep own CALLs back: a flood of them, or a callback that itself asks the CSMS, must
not silence the station."""


class Pause:
    """Own CALLs may be sent when `seconds` is 0."""

    def __init__(self) -> None:
        self._resume_at = 0.0
        self._held = 0
        self._held_until = 0.0

    @property
    def seconds(self) -> float:
        """How long the pause still is, if nothing ends it earlier."""
        until = max(self._resume_at, self._held_until if self._held else 0.0)
        return max(0.0, until - asyncio.get_running_loop().time())

    def resume_in(self, seconds: float) -> None:
        """The connection is new."""
        self._resume_at = asyncio.get_running_loop().time() + seconds

    def hold(self) -> None:
        """A CALL of the CSMS waits for its answer."""
        if not self._held:
            self._held_until = asyncio.get_running_loop().time() + LONGEST_HOLD
        self._held += 1

    def release(self) -> None:
        self._held = max(0, self._held - 1)
