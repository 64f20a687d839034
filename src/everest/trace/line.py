"""A connection without a socket between a module and the central system that a recording or a scenario plays.

Lives here: `Line`; the module's side is `send`, `receive`, `close`, `closed`. May not be imported here: anything else.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol


class Far(Protocol):
    """The central system's end."""

    def heard(self, line: Any, text: str) -> None: ...
    def closed(self, line: Any) -> None: ...


class Line:
    """One open connection; `closed` once either side has ended it."""

    def __init__(self, csms: Far) -> None:
        self._csms = csms
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False

    def send(self, text: str) -> None:
        """A frame of the module."""
        self._csms.heard(self, text)

    async def receive(self) -> str | None:
        """The next frame for the module, None when the line is closed and all was received."""
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)
        return frame

    def deliver(self, text: str) -> None:
        if not self.closed:
            self._frames.put_nowait(text)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._frames.put_nowait(None)
            self._csms.closed(self)
