"""Looking on: who wants to see every frame, every connection and every named timer of a charge point.

For recorders and tests; nothing a charge point does depends on it. May import: nothing of this package.
"""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """All methods are called in the event loop, as it happens; they must be quick and must not raise."""

    def connection(self, connected: bool) -> None:
        """The websocket is open, or it is gone."""
        ...

    def frame(self, frame: str | bytes, *, sent: bool) -> None:
        """A frame that left the station or came in, before it is parsed."""
        ...

    def timer(self, name: str) -> None:
        """A wait is over: `heartbeat`, `boot_retry`, `clock_aligned`, `sampling[<session>]`, ..."""
        ...


class NobodyLooks:
    """The observer of a charge point without one."""

    def connection(self, connected: bool) -> None: ...

    def frame(self, frame: str | bytes, *, sent: bool) -> None: ...

    def timer(self, name: str) -> None: ...
