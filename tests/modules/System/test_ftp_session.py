"""The ftp connection by itself: what waits is bounded or cut, and the server's last word counts (station 9.9)."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import trustme

from modules.System import ftp_session
from modules.System.blocking import Cut, CutShort, in_thread
from modules.System.locations import parse
from modules.System.transfer import Limits, NetworkTransfer, TransferError
from tests.modules.System import servers
from tests.modules.System.servers import Served

NEVER = 600.0
"""Seconds nobody in this file waits."""


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, tmp_path / "ca.pem"


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that takes connections and says nothing."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_handshake_that_nobody_answers_is_cut_at_the_deadline(silent: int, tmp_path: Path) -> None:
    limits = Limits(connect=NEVER, idle=NEVER, deadline=0.3)
    async with asyncio.timeout(10):
        with pytest.raises(TransferError, match=r"not done within 0\.3 s"):
            await NetworkTransfer(limits).download(f"ftps://127.0.0.1:{silent}/file", tmp_path / "got")


async def test_after_the_login_each_answer_has_the_idle_time(tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    served = Served(refuses=frozenset({"AUTH"}), mute=frozenset({"SIZE"}))
    async with servers.ftp(served, tls[0], implicit=False):
        limits = Limits(connect=NEVER, idle=0.2, deadline=8)
        with pytest.raises(TransferError, match="TimeoutError"):
            await NetworkTransfer(limits).download(f"ftp://127.0.0.1:{served.port}/file", tmp_path / "got")


async def test_a_data_connection_has_the_idle_time_for_each_block(
    tls: tuple[ssl.SSLContext, Path], tmp_path: Path
) -> None:
    served = Served(refuses=frozenset({"AUTH"}), stalls=1)
    async with servers.ftp(served, tls[0], implicit=False):
        limits = Limits(connect=NEVER, idle=0.2, deadline=8)
        with pytest.raises(TransferError, match="TimeoutError"):
            await NetworkTransfer(limits).download(f"ftp://127.0.0.1:{served.port}/file", tmp_path / "got")


@pytest.mark.parametrize(
    ("location", "port"), [("ftp://host/x", 21), ("ftps://host/x", 990), ("ftp://host:5/x", 5), ("ftps://host:5/x", 5)]
)
def test_each_scheme_has_its_port(location: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ftp_session.Session(Limits(), Cut())
    dialed: list[tuple[str, int]] = []

    def dial(*place: Any) -> Any:
        dialed.append(place)
        raise OSError

    monkeypatch.setattr(session, "_dial", dial)
    with pytest.raises(OSError):
        session.begin(parse(location, default_scheme="ftp"))
    assert dialed == [("host", port)]


def address(port: int) -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))


async def test_of_several_addresses_the_first_that_answers_is_taken(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **more: [address(1), address(silent)])
    line = await asyncio.to_thread(ftp_session.Session(Limits(), Cut())._dial, "host", 21)
    assert line.getpeername()[1] == silent
    line.close()


def test_where_no_address_answers_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **more: [address(1), address(1)])
    with pytest.raises(ConnectionRefusedError):
        ftp_session.Session(Limits(), Cut())._dial("host", 21)


async def test_a_server_may_tell_of_the_data_connection_first(tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    served = Served(refuses=frozenset({"AUTH"}), first_word="200 connected\r\n150 now")
    async with servers.ftp(served, tls[0], implicit=False):
        await NetworkTransfer().download(f"ftp://127.0.0.1:{served.port}/file", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == served.content


async def test_an_answer_that_promises_no_data_is_a_failure(tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    served = Served(refuses=frozenset({"AUTH"}), first_word="350 what now")
    async with servers.ftp(served, tls[0], implicit=False):
        with pytest.raises(TransferError, match="350 what now"):
            await NetworkTransfer().download(f"ftp://127.0.0.1:{served.port}/file", tmp_path / "got")


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (["230 in", "never read"], "230 in"),
        (["230welcome", "never read"], "230welcome"),
        (["230-one", "two", "230-three", "2300", "230 end", "never read"], "230-one\ntwo\n230-three\n2300\n230 end"),
        (["230-one", "230", "never read"], "230-one\n230"),
    ],
)
def test_a_reply_ends_with_its_code_and_a_space(lines: list[str], reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ftp_session.Session(Limits(), Cut())
    said = iter(lines)
    monkeypatch.setattr(session, "getline", lambda: next(said))
    assert session.getmultiline() == reply


async def test_an_upload_has_arrived_when_the_server_says_so(tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(b"logs")
    served = Served(refuses=frozenset({"AUTH"}), last_word="552 over quota")
    async with servers.ftp(served, tls[0], implicit=False):
        with pytest.raises(TransferError, match="552 over quota"):
            await NetworkTransfer().upload(tmp_path / "logs", f"ftp://127.0.0.1:{served.port}/in/logs")


async def test_a_peer_that_does_not_end_tls_is_not_waited_for_long(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its bytes are there already: whether it says good bye matters to nobody."""
    monkeypatch.setattr(ftp_session, "GOODBYE", 0.1)
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def shake() -> None:
        with tls[0].wrap_socket(theirs, server_side=True):
            over.wait(10)

    peer = threading.Thread(target=shake)
    peer.start()
    try:
        context = ssl.create_default_context(cafile=tls[1])
        ours.settimeout(NEVER)
        with context.wrap_socket(ours, server_hostname="127.0.0.1") as line:
            ftp_session._part(line)
            assert line.gettimeout() == 0.1
    finally:
        over.set()
        peer.join()


# --- work that can be cut short


async def test_work_that_is_over_in_time_gives_its_result() -> None:
    assert await in_thread(lambda cut: cut.check() or 7) == 7


async def test_work_logs_under_the_name_of_its_module() -> None:
    """The runtime keeps it in the context of the flow."""
    label: ContextVar[str] = ContextVar("label", default="")
    label.set("system")
    assert await in_thread(lambda cut: label.get()) == "system"


async def test_work_that_fails_fails() -> None:
    def fail(cut: Cut) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await in_thread(fail)


async def test_cancelled_work_has_ended_before_the_flow_goes_on() -> None:
    """What a new attempt writes must not be touched by the old one."""
    begun, ended = threading.Event(), threading.Event()

    def work(cut: Cut) -> None:
        begun.set()
        try:
            while not ended.wait(0.01):
                cut.check()
        finally:
            ended.set()

    working = asyncio.create_task(in_thread(work), name="work")
    await asyncio.to_thread(begun.wait, 10)
    assert not ended.is_set()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert ended.is_set()


async def test_the_end_of_cancelled_work_is_nobodys_complaint() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    begun = threading.Event()

    def work(cut: Cut) -> None:
        begun.set()
        while True:
            cut.check()

    working = asyncio.create_task(in_thread(work), name="work")
    await asyncio.to_thread(begun.wait, 10)
    working.cancel()
    await asyncio.wait([working])
    del working
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


def test_a_socket_that_comes_after_the_cut_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        cut = Cut()
        cut.now()
        with pytest.raises(CutShort):
            cut.hold(ours)
        theirs.settimeout(5)
        assert theirs.recv(1) == b""


async def test_what_is_still_read_after_a_cut_is_never_taken_for_plain_text(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=tls[0]) as server:
        port = server.sockets[0].getsockname()[1]

        def work() -> str | None:
            context = ssl.create_default_context(cafile=tls[1])
            line = socket.create_connection(("127.0.0.1", port))
            with line, context.wrap_socket(line, server_hostname="127.0.0.1") as wrapped:
                cut = Cut()
                cut.hold(wrapped)
                cut.now()
                return wrapped.version()

        assert await asyncio.to_thread(work) is not None


def test_a_socket_that_is_closed_already_hinders_no_cut() -> None:
    gone, (ours, theirs) = socket.socket(), socket.socketpair()
    with ours, theirs:
        cut = Cut()
        cut.hold(gone)
        cut.hold(ours)
        gone.close()
        cut.now()
        theirs.settimeout(5)
        assert theirs.recv(1) == b""
