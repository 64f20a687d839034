"""Real servers on loopback for transfers: http(s) with Range, ftp, ftps, sftp. Each is an async context manager.

Every server serves `content`, keeps what is uploaded in `received`, and can be told to break a download off.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

CONTENT = bytes(range(256)) * 4000
ETAG = '"v1"'


@dataclass
class Served:
    """What a server has and saw. `break_after`: so many bytes of the next downloads are sent, then the line drops."""

    content: bytes = CONTENT
    etag: str | None = ETAG
    modified: str | None = None
    """Last-Modified (http)."""
    busy: int = 0
    """So many of the next downloads are answered with 503 (http)."""
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    received: dict[str, bytes] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    tells_length: bool = True
    refuses_ranges: bool = False
    take: list[int] = field(default_factory=list)
    """So many bytes of the next uploads are taken, then the line drops."""
    stalls: int = 0
    """So many of the next downloads send nothing after their head (or what `break_after` says) and stay open."""
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    loses: list[int] = field(default_factory=list)
    """So many bytes of the next uploads are not kept (ftp)."""
    refuses: frozenset[str] = frozenset()
    """ftp commands this server does not know."""
    mute: frozenset[str] = frozenset()
    """ftp commands this server does not answer."""
    first_word: str = "150 now"
    """What is said before a transfer (ftp)."""
    last_word: str = "226 done"
    """What is said after a transfer (ftp)."""
    reused: list[bool] = field(default_factory=list)
    """Of each data connection: whether it took up a TLS session (ftp)."""
    mdtm: str = "20260105100000"
    """When the file was written (ftp)."""
    rude: bool = False
    """ftp: drops the line instead of saying good bye, and ends TLS without a word."""
    sent: list[int] = field(default_factory=list)
    """How much of each body was meant to be sent (http)."""
    port: int = 0


@contextlib.asynccontextmanager
async def http(served: Served, context: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """GET any path, with Range and If-Range; PUT any path."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n")[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            if method == "PUT":
                if served.take:
                    await reader.readexactly(served.take.pop(0))
                    writer.transport.abort()
                    return
                served.received[path] = await reader.readexactly(int(headers["content-length"]))
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                _answer(served, headers, writer)
            await writer.drain()
            if served.stalls and method == "GET":
                served.stalls -= 1
                served.stalled.set()
                await reader.read()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        served.port = server.sockets[0].getsockname()[1]
        yield served


def _answer(served: Served, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    served.asked.append(headers.get("range"))
    if served.refuses_ranges and "range" in headers:
        writer.write(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    if served.busy:
        served.busy -= 1
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    begin = 0
    known = [validator.lower() for validator in (served.etag, served.modified) if validator is not None]
    if served.ranges and "range" in headers and headers.get("if-range") in known:
        begin = int(headers["range"].removeprefix("bytes=").rstrip("-"))
    body = served.content[begin:]
    served.sent.append(len(body))
    lines = ["HTTP/1.1 206 Partial Content" if begin else "HTTP/1.1 200 OK"]
    if served.tells_length:
        lines.append(f"Content-Length: {len(body)}")
    if begin:
        lines.append(f"Content-Range: bytes {begin}-{len(served.content) - 1}/{len(served.content)}")
    if served.etag is not None:
        lines.append(f"ETag: {served.etag}")
    if served.modified is not None:
        lines.append(f"Last-Modified: {served.modified}")
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    whole = b"" if served.stalls else body
    writer.write(body[: served.break_after.pop(0)] if served.break_after else whole)


@contextlib.asynccontextmanager
async def ftp(served: Served, context: ssl.SSLContext, *, implicit: bool) -> AsyncIterator[Served]:
    """A small ftp server that speaks TLS: from the first byte (implicit), or after AUTH TLS."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await _FtpSession(served, context, reader, writer).run()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context if implicit else None) as server:
        served.port = server.sockets[0].getsockname()[1]
        yield served


class _FtpSession:
    def __init__(self, served: Served, context: ssl.SSLContext, reader: Any, writer: Any) -> None:
        self.served, self.context, self.reader, self.writer = served, context, reader, writer
        self.rest = 0
        self.protected = False
        self.data: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue()

    async def run(self) -> None:
        self.say("220 here")
        while line := (await self.reader.readline()).decode().strip():
            name, _, argument = line.partition(" ")
            self.served.asked.append(line)
            if await self.command(name.upper(), argument):
                return

    async def command(self, name: str, argument: str) -> bool:
        if name in self.served.mute:
            return False
        if name in self.served.refuses:
            self.say("502 no")
            return False
        if name == "QUIT" and self.served.rude:
            return True
        plain = {"USER": "331 password", "PASS": "230 in", "PBSZ": "200 ok", "PROT": "200 ok", "TYPE": "200 ok"}
        if name == "PROT":
            self.protected = argument == "P"
        if name == "AUTH":
            self.say("234 go")
            await self.writer.drain()
            await self.writer.start_tls(self.context)
        elif name == "PASV":
            data_tls = self.context if self.protected else None
            self.server = await asyncio.start_server(self.connected, "127.0.0.1", 0, ssl=data_tls)
            port = self.server.sockets[0].getsockname()[1]
            self.say(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")
        elif name == "SIZE":
            size = self.size(argument)
            self.say("550 no such file" if size is None else f"213 {size}")
        elif name == "MDTM":
            self.say(f"213 {self.served.mdtm}")
        elif name == "REST":
            self.rest = int(argument)
            self.say("350 ok")
        elif name in ("RETR", "STOR", "APPE"):
            await self.transfer(name, argument)
        elif name == "QUIT":
            self.say("221 bye")
            return True
        else:
            self.say(plain.get(name, "502 no"))
        return False

    def size(self, path: str) -> int | None:
        if path in self.served.received:
            return len(self.served.received[path])
        return None if path.startswith("in/") else len(self.served.content)

    async def transfer(self, name: str, path: str) -> None:
        self.say(self.served.first_word)
        reader, writer = await self.data.get()
        if self.served.stalls:
            await self.reader.read()
        if name != "RETR":
            await self.take(name, path, reader, writer)
        else:
            body, self.rest = self.served.content[self.rest :], 0
            writer.write(body[: self.served.break_after.pop(0)] if self.served.break_after else body)
            await writer.drain()
        if self.served.rude:
            writer.transport.abort()
        writer.close()
        self.server.close()
        self.say(self.served.last_word)

    async def take(self, name: str, path: str, reader: Any, writer: Any) -> None:
        """STOR or APPE; breaks off in the middle if so told."""
        before = self.served.received.get(path, b"") if name == "APPE" else b""
        self.served.received[path] = before
        if self.served.take:
            self.served.received[path] += await reader.readexactly(self.served.take.pop(0))
            writer.transport.abort()
            raise ConnectionError("broken off as told")
        self.served.received[path] += await reader.read()
        if self.served.loses:
            self.served.received[path] = self.served.received[path][: -self.served.loses.pop(0)]

    async def connected(self, reader: Any, writer: Any) -> None:
        tls = writer.get_extra_info("ssl_object")
        if tls is not None:
            self.served.reused.append(tls.session_reused)
        self.data.put_nowait((reader, writer))
        await writer.wait_closed()

    def say(self, line: str) -> None:
        self.writer.write(line.encode() + b"\r\n")


@contextlib.asynccontextmanager
async def sftp(root: Path, known_hosts: Path) -> AsyncIterator[int]:
    """An sftp server for user:12345 on the folder `root`; its host key goes into `known_hosts`. Yields the port."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("user", "12345")

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(root).encode())

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=Server, sftp_factory=Files, process_factory=None
    )
    port = server.get_port()
    public = key.export_public_key().decode().strip()
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    try:
        yield port
    finally:
        server.close()
        await server.wait_closed()


@contextlib.contextmanager
def full_after(size: int) -> Iterator[None]:
    """Every sftp server's disk is full when a file has this size."""
    import asyncssh

    write = asyncssh.SFTPServer.write

    def limited(server: Any, file: Any, offset: int, data: bytes) -> Any:
        if offset + len(data) > size:
            raise asyncssh.SFTPFailure("disk full")
        return write(server, file, offset, data)

    with mock.patch.object(asyncssh.SFTPServer, "write", limited):
        yield
