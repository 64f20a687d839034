"""The System module with a played store and a played network."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from everest.runtime import Clock
from everest.runtime.testing import ModuleBench

MODULE = Path(__file__).parents[3] / "modules/System"
START = datetime(2026, 1, 5, 10, tzinfo=UTC)


class LoopClock:
    """A wall clock that runs with the loop, from 2026-01-05T10:00:00Z."""

    def __init__(self) -> None:
        self._origin: float | None = None

    def now(self) -> datetime:
        time = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = time
        return START + timedelta(seconds=time - self._origin)


def at(seconds: float) -> str:
    """The time of `LoopClock` so many seconds after its start."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class PlayedTransfer:
    """Takes `duration` seconds per transfer; the first `failures` fail. What is downloaded is `content`."""

    def __init__(self, content: bytes = b"firmware", duration: float = 3.0) -> None:
        self.content = content
        self.duration = duration
        self.failures = 0
        self.downloads: list[str] = []
        self.uploads: list[tuple[str, bytes]] = []
        self.targets: list[Path] = []
        self.sources: list[Path] = []

    async def _pass(self) -> None:
        await asyncio.sleep(self.duration)
        if self.failures:
            self.failures -= 1
            raise self.error("the server is gone")

    error: Any = RuntimeError

    async def download(self, location: str, target: Path) -> None:
        self.downloads.append(location)
        self.targets.append(target)
        await self._pass()
        target.write_bytes(self.content)

    async def upload(self, source: Path, target: str) -> None:
        self.sources.append(source)
        self.uploads.append((target, source.read_bytes()))
        await self._pass()


class System(ModuleBench):
    """`transfer` stands in for the network; `stored` is the store's content."""

    def __init__(
        self, *, store: bool = True, transfer: PlayedTransfer | None = None, clock: Clock | None = None, **config: Any
    ) -> None:
        connections = {"store": ["store/main"]} if store else {}
        super().__init__(
            MODULE,
            module_id="system",
            config=config,
            connections=connections,
            clock=clock or LoopClock(),
            global_ready=False,
        )
        self.transfer = transfer or PlayedTransfer()
        self.stored: dict[str, Any] = {}
        self.answer("store/main", "load", lambda args: self.stored.get(args["key"]))
        self.answer("store/main", "exists", lambda args: args["key"] in self.stored)
        self.answer("store/main", "store", lambda args: self.stored.update({args["key"]: args["value"]}))
        self.answer("store/main", "delete", lambda args: self.stored.pop(args["key"], None) and None)
        self.timeline: list[tuple[float, str]] = []

    async def __aenter__(self) -> System:
        await super().__aenter__()
        network = sys.modules[type(self.module).__module__.rpartition(".")[0] + ".transfer"]
        self.transfer.error = network.TransferError
        self.network = self.host.transfer
        self.host.transfer = self.transfer
        self._clock.now()
        self._start = asyncio.get_running_loop().time()
        self.make_ready()
        return self

    @property
    def host(self) -> Any:
        """The module's `Host`, with what a test may replace."""
        return self.module.host  # type: ignore[attr-defined]

    async def follow(self, variable: str, seconds: float) -> list[tuple[float, str]]:
        """The statuses of the next so many seconds with the time each came, counted from the start of the bench."""
        field = "firmware_update_status" if variable.startswith("firmware") else "log_status"
        seen: list[tuple[float, str]] = []
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                value = await self.next("main", variable, timeout=left)
            except TimeoutError:
                break
            now = asyncio.get_running_loop().time() - self._start
            seen.append((round(now, 1), value[field]))
        return seen

    async def update(self, **request: Any) -> str:
        """update_firmware."""
        result: str = await self.call("main", "update_firmware", {"firmware_update_request": request})
        return result

    async def upload(self, **request: Any) -> dict[str, str]:
        """upload_logs."""
        result: dict[str, str] = await self.call("main", "upload_logs", {"upload_logs_request": request})
        return result
