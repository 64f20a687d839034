"""In-memory stand-ins for the outside of the charge point: time, chance, a websocket.

`VirtualClock` ties the wall clock to the event loop's (virtual) time; `SeededRandomness` repeats itself;
`MemoryConnection.pair()` are the two ends of an open websocket.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from ocpp16.errors import ConnectionLost
from ocpp16.system_clock import SystemRandomness

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class VirtualClock:
    """A wall clock that runs with the event loop. `set` puts it forward or back, as a CSMS or a person does."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._loop_start: float | None = None

    def now(self) -> datetime:
        time = asyncio.get_running_loop().time()
        if self._loop_start is None:
            self._loop_start = time
        return self._start + timedelta(seconds=time - self._loop_start)

    def set(self, now: datetime) -> None:
        self._start = now
        self._loop_start = asyncio.get_running_loop().time()


class SeededRandomness(SystemRandomness):
    """The same ids and numbers in every run."""

    def __init__(self, seed: int = 16) -> None:
        super().__init__(seed)


class MemoryConnection:
    """One end of an open websocket (`ocpp16.ports.Connection`). Pings are answered while `answers_pings` is True."""

    def __init__(self) -> None:
        self.subprotocol: str | None = "ocpp1.6"
        self.answers_pings = True
        self.pings: list[bytes] = []
        self.close_code: int | None = None
        self.other: MemoryConnection = self
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()

    @classmethod
    def pair(cls) -> tuple[MemoryConnection, MemoryConnection]:
        """The station's end and the central system's end."""
        station, central = cls(), cls()
        station.other, central.other = central, station
        return station, central

    @property
    def is_open(self) -> bool:
        return not self._gone.is_set()

    async def send(self, frame: str | bytes) -> None:
        if self._gone.is_set():
            raise ConnectionLost("the connection is closed")
        self.other._frames.put_nowait(frame)

    async def receive(self) -> str | bytes:
        """The next frame. What arrived before the end is still delivered."""
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)
            raise ConnectionLost("the connection is closed")
        return frame

    async def ping(self, payload: bytes) -> None:
        self.pings.append(payload)
        if not self.answers_pings:
            await self._gone.wait()
        if self._gone.is_set():
            raise ConnectionLost("the connection is closed")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code = self.other.close_code = code
        self.abort()

    def abort(self) -> None:
        for end in (self, self.other):
            if not end._gone.is_set():
                end._gone.set()
                end._frames.put_nowait(None)
