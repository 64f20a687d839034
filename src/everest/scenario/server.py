"""The central system on a websocket, for scenarios in real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from everest.scenario.csms import CentralSystem, Refused


class SocketLine:
    """One websocket; frames leave in order."""

    def __init__(self, websocket: ServerConnection) -> None:
        self._websocket = websocket
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()

    def deliver(self, text: str) -> None:
        self._frames.put_nowait(text)

    def close(self) -> None:
        self._frames.put_nowait(None)
        self._websocket.transport.abort()

    async def write(self) -> None:
        while (text := await self._frames.get()) is not None:
            await self._websocket.send(text)


@asynccontextmanager
async def serving(csms: CentralSystem) -> AsyncIterator[str]:
    """Serve on a free port of 127.0.0.1; yields the URL that stations dial."""

    def gate(connection: ServerConnection, _request: Request) -> Response | None:
        try:
            csms.check()
        except Refused as refused:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{refused}\n")
        return None

    async def station(websocket: ServerConnection) -> None:
        line = SocketLine(websocket)
        csms.opened(line)
        writer = asyncio.create_task(line.write(), name="csms writer")
        try:
            with contextlib.suppress(ConnectionClosed):
                async for text in websocket:
                    csms.heard(line, text if isinstance(text, str) else text.decode("utf-8", "replace"))
        finally:
            csms.closed(line)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    protocols = [Subprotocol("ocpp1.6")]
    async with serve(station, "127.0.0.1", 0, subprotocols=protocols, process_request=gate, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/"
