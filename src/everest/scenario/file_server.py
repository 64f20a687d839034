"""The files of a scenario over http on 127.0.0.1, for scenarios in real time: GET and PUT, a connection for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from everest.scenario.files import Files, NoTransfer

MAX_UPLOAD = 100_000_000
ANSWERS = {200: "OK", 201: "Created", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


@asynccontextmanager
async def serving(files: Files) -> AsyncIterator[str]:
    """Serve on a free port; yields the URL of the folder, without a slash at the end."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await _answer(files, reader, writer)
                await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _answer(files: Files, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = head[0].split(" ")
    lengths = [line.partition(":")[2].strip() for line in head if line.lower().startswith("content-length:")]
    if len(words) != 3 or words[0] not in ("GET", "PUT"):
        _say(writer, 400, b"")
    elif words[0] == "GET":
        try:
            _say(writer, 200, files.get(words[1]))
        except NoTransfer as refusal:
            _refuse(files, writer, refusal.args[1])
    elif not lengths or not lengths[0].isdecimal() or int(lengths[0]) > MAX_UPLOAD:
        _say(writer, 400, b"")
    else:
        content = await reader.readexactly(int(lengths[0]))
        try:
            files.put(words[1], content)
            _say(writer, 201, b"")
        except NoTransfer:
            _say(writer, 403, b"")


def _refuse(files: Files, writer: asyncio.StreamWriter, part: bytes) -> None:
    """Either no such file, or less than was promised."""
    if part:
        _say(writer, 200, part, length=len(files.content))
    else:
        _say(writer, 404, b"")


def _say(writer: asyncio.StreamWriter, status: int, body: bytes, *, length: int | None = None) -> None:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} {ANSWERS[status]}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
