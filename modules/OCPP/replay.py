"""What the OCPP module needs to be replayed by `everest-trace`: scratch files, a central system out of a trace.

Not used while it runs in a stack. The world's side is told by the protocols below, so nothing of the tool is imported.
"""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any, Protocol

from ocpp16.connection.options import ConnectionOptions
from ocpp16.errors import ConnectionLost
from ocpp16.ports import Clock, Connection

from .ocpp import OCPP


class Line(Protocol):
    """The recorded central system's end of a connection."""

    @property
    def closed(self) -> bool: ...

    def send(self, text: str) -> None: ...

    async def receive(self) -> str | None: ...

    def close(self) -> None: ...


class CentralSystem(Protocol):
    async def dial(self) -> Line: ...


class World(Protocol):
    @property
    def clock(self) -> Clock: ...

    @property
    def csms(self) -> CentralSystem: ...


def configure(parameters: dict[str, Any], folder: Path) -> None:
    """Databases, logs and the overlay live in the scratch folder; the external websocket control stays as recorded."""
    parameters["UserConfigPath"] = str(folder / "user_config.json")
    parameters["DatabasePath"] = str(folder / "database")
    parameters["MessageLogPath"] = str(folder / "logs")


def attach(module: OCPP, world: World) -> None:
    """Put the recording in place of clock, chance and websocket."""

    async def dial(_options: ConnectionOptions) -> Connection:
        return LineConnection(await world.csms.dial())

    module.replaced = {"clock": world.clock, "randomness": _Repeatable(), "dialer": dial}


class LineConnection:
    """`ocpp16.ports.Connection` over a recorded line; pings are always answered."""

    subprotocol: str | None = "ocpp1.6"

    def __init__(self, line: Line) -> None:
        self._line = line

    async def send(self, frame: str) -> None:
        self._check()
        self._line.send(frame)

    async def receive(self) -> str | bytes:
        frame = await self._line.receive()
        if frame is None:
            raise ConnectionLost("the recorded connection is closed")
        return frame

    async def ping(self, payload: bytes) -> None:
        self._check()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._line.close()

    def abort(self) -> None:
        self._line.close()

    def _check(self) -> None:
        if self._line.closed:
            raise ConnectionLost("the recorded connection is closed")


class _Repeatable:
    """The same ids and numbers in every replay (`ocpp16.ports.Randomness`)."""

    def __init__(self) -> None:
        self._random = random.Random(16)

    def message_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def internal_transaction_id(self) -> int:
        return self._random.randint(-(2**31), -1)

    def whole_seconds(self, upper: int) -> int:
        return 0
