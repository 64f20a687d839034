"""Real transfers over http and ftp on loopback (station 5.2, 9.9)."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from modules.System.transfer import Limits, NetworkTransfer, TransferError

CONTENT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


class Handler(BaseHTTPRequestHandler):
    """Serves /file, wants user:pass at /secret, redirects /moved, takes PUT, and fails elsewhere."""

    received: dict[str, bytes]

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(b"user:p@ss").decode()
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
        elif self.path == "/file" or (self.path == "/secret" and self.headers["Authorization"] == wanted):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            self.send_error(404)

    def do_PUT(self) -> None:
        if self.path.startswith("/readonly"):
            self.send_error(403)
            return
        self.received[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def http() -> Iterator[str]:
    Handler.received = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An ftp server without TLS for user:12345; its address and its folder."""
    root = tmp_path / "ftp"
    (root / "in").mkdir(parents=True)
    (root / "firmware.pnx").write_bytes(CONTENT)

    class Session(FTPHandler):  # type: ignore[misc]
        authorizer = DummyAuthorizer()
        auth_failed_timeout = 0

    Session.authorizer.add_user("user", "12345", str(root), perm="elradfmw")
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), Session, ioloop=loop)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{server.address[1]}", root
    ended.set()
    thread.join()
    server.close_all()


# --- http


@pytest.mark.parametrize("path", ["/file", "/moved", "/file#fragment"])
async def test_a_file_is_fetched_over_http(http: str, tmp_path: Path, path: str) -> None:
    await NetworkTransfer().download(f"http://{http}{path}", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == CONTENT


async def test_credentials_come_from_the_location(http: str, tmp_path: Path) -> None:
    await NetworkTransfer().download(f"http://user:p%40ss@{http}/secret", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == CONTENT


async def test_an_http_error_is_a_failure(http: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="404"):
        await NetworkTransfer().download(f"http://{http}/nowhere", tmp_path / "got")
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises(TransferError, match="403"):
        await NetworkTransfer().upload(source, f"http://{http}/readonly/file")


async def test_a_file_is_put_over_http(http: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    await NetworkTransfer().upload(source, f"http://{http}/logs/name")
    assert Handler.received == {"/logs/name": CONTENT}


# --- ftp


async def test_a_file_is_fetched_over_ftp_although_tls_is_refused(ftp: tuple[str, Path], tmp_path: Path) -> None:
    await NetworkTransfer().download(f"ftp://user:12345@{ftp[0]}/firmware.pnx", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == CONTENT


async def test_a_file_is_put_over_ftp(ftp: tuple[str, Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    await NetworkTransfer().upload(source, f"ftp://user:12345@{ftp[0]}/in/logs.tar.gz")
    assert (ftp[1] / "in/logs.tar.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["user:12345@{}/nowhere", "user:wrong@{}/firmware.pnx"])
async def test_what_the_ftp_server_refuses_is_a_failure(ftp: tuple[str, Path], tmp_path: Path, place: str) -> None:
    with pytest.raises(TransferError, match="error_perm"):
        await NetworkTransfer().download("ftp://" + place.format(ftp[0]), tmp_path / "got")


# --- what cannot be reached


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/file",
        "ftp://127.0.0.1:1/file",
        "http://no-such-host.invalid/file",
        "gopher://host/file",
        "http://",
        "http://[broken/file",
        "http://host:port/file",
        "",
    ],
)
async def test_a_location_that_leads_nowhere_is_a_failure_and_no_more(location: str, tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(TransferError):
            await NetworkTransfer().download(location, tmp_path / "got")


async def test_a_transfer_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransferError, match=r"not done within 0.05 s"):
            await NetworkTransfer(Limits(deadline=0.05)).download(f"http://127.0.0.1:{port}/file", tmp_path / "got")
