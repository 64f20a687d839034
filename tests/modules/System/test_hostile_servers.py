"""Servers and locations that mean no good: every one is a failed transfer in bounded time, none is more than that."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trustme

from modules.System.locations import shown
from modules.System.transfer import Limits, NetworkTransfer, TransferError
from tests.modules.System import servers
from tests.modules.System.servers import CONTENT, Served


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], "asyncio.Future[None] | object"]


@contextlib.asynccontextmanager
async def talking(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that talks as it likes; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)  # type: ignore[misc]
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def answering(*answers: str) -> tuple[Talk, list[str]]:
    """HTTP answers, one per connection (the last for ever), and the request lines with their credentials."""
    asked: list[str] = []
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields if ": " in field)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked.append(f"{line.rpartition(' ')[0]} {len(body)} {'authorization' in headers}")
        writer.write((left.pop(0) if len(left) > 1 else left[0]).encode())
        await writer.drain()

    return talk, asked


def reply(status: str, *fields: str, body: str = "") -> str:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "Connection: close", "", body])


LENGTH_0 = "Content-Length: 0"

# --- locations


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "ftps", "sftp"])
@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1:1/a%0d%0aDELE%20b",
        f"{'a' * 70}.example/file",
        "ex..ample/file",
        "127.0.0.1:99999/file",
        "[::1/file",
        "127.0.0.1:1/\ud800",
        "user:%00@127.0.0.1:1/file",
    ],
)
async def test_no_location_is_more_than_a_failed_transfer(
    scheme: str, place: str, tmp_path: Path, source: Path
) -> None:
    network = NetworkTransfer(Limits(deadline=10))
    with pytest.raises(TransferError):
        await network.download(f"{scheme}://{place}", tmp_path / "got")
    with pytest.raises(TransferError):
        await network.upload(source, f"{scheme}://{place}")


async def test_a_line_break_in_an_ftp_path_commands_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with servers.ftp(Served(refuses=frozenset({"AUTH"})), context, implicit=False) as served:
        with pytest.raises(TransferError, match="newline"):
            await NetworkTransfer().download(f"ftp://127.0.0.1:{served.port}/a%0d%0aDELE%20b", tmp_path / "got")
        assert not any(str(line).startswith("DELE") for line in served.asked)


async def test_a_password_is_not_told_to_the_log(tmp_path: Path) -> None:
    with pytest.raises(TransferError) as failure:
        await NetworkTransfer().download("http://user:secret@[broken/file", tmp_path / "got")
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://user:secret@host/dir/file?key=secret#x", "http://host/dir/file"),
        ("user:secret@host/file", "host/file"),
        ("ftp://user:sec#ret@host/file", "ftp://host/file"),
        ("http://host/a@b", "http://host/a@b"),
        ("", ""),
    ],
)
def test_a_location_stands_in_the_log_without_its_secrets(location: str, told: str) -> None:
    assert shown(location) == told


async def test_a_failure_names_the_place_and_the_reason_in_one_line_of_bounded_length(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"530-no\r\n" + b"530-really not\r\n" * 100 + b"530 so there\r\n")
        await reader.read()

    async with talking(talk) as port:
        with pytest.raises(TransferError) as failure:
            await NetworkTransfer(Limits(deadline=10)).download(f"ftp://u:secret@127.0.0.1:{port}/f", tmp_path / "got")
    text = str(failure.value)
    assert text.startswith(f"'ftp://127.0.0.1:{port}/f': error_perm: 530-no 530-really not")
    assert len(text) < 400
    async with talking(lambda reader, writer: reader.read()) as port:
        with pytest.raises(TransferError) as failure:
            await NetworkTransfer(Limits(idle=0.1)).download(f"http://127.0.0.1:{port}/f?key=1", tmp_path / "got")
    assert str(failure.value) == f"'http://127.0.0.1:{port}/f': ReadTimeout"


# --- http answers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply("500 Oh", LENGTH_0), "500"),
        (reply("404 No", LENGTH_0), "404"),
        (reply("204 Nothing"), "204"),
        (reply("206 Part", "Content-Length: 4", "Content-Range: bytes 0-3/9", body="abcd"), "4 of 9"),
        (reply("206 Part", "Content-Length: 4", body="abcd"), "another part"),
        (reply("200 OK", "Content-Length: 9", body="abcd"), "RemoteProtocolError"),
        (reply("200 OK", "Transfer-Encoding: chunked", body="ffff\r\nabcd"), "RemoteProtocolError"),
        (reply("200 OK", "Transfer-Encoding: chunked", body="nonsense\r\n"), "RemoteProtocolError"),
        ("220 this is no http server\r\n\r\n", "RemoteProtocolError"),
        ("", "RemoteProtocolError"),
        (reply("302 Round", "Location: /again", LENGTH_0), "redirections"),
        (reply("302 Off", "Location: gopher://elsewhere/", LENGTH_0), "UnsupportedProtocol"),
        (reply("302 Off", "Location: http://:port/", LENGTH_0), "RemoteProtocolError"),
    ],
)
async def test_an_answer_without_the_whole_file_is_a_failure(answer: str, reason: str, tmp_path: Path) -> None:
    talk, _ = answering(answer)
    async with talking(talk) as port:
        with pytest.raises(TransferError, match=reason):
            await NetworkTransfer(Limits(deadline=10)).download(f"http://127.0.0.1:{port}/file", tmp_path / "got")


@pytest.mark.parametrize("scheme", ["download", "upload"])
async def test_a_redirection_from_https_to_http_is_not_followed(scheme: str, tmp_path: Path, source: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    talk, asked = answering(reply("200 OK", LENGTH_0))
    async with talking(talk) as plain:
        away, _ = answering(reply("307 Away", f"Location: http://127.0.0.1:{plain}/", LENGTH_0))
        async with talking(away, context) as port:
            network, location = NetworkTransfer(Limits(ca_file=tmp_path / "ca.pem")), f"https://127.0.0.1:{port}/file"
            with pytest.raises(TransferError, match="from https to http"):
                await (
                    network.download(location, tmp_path / "got")
                    if scheme == "download"
                    else network.upload(source, location)
                )
        assert asked == []


async def test_after_a_part_that_was_not_asked_for_the_file_is_fetched_anew(tmp_path: Path) -> None:
    tag, ranges = 'ETag: "v1"', list[str]()
    answers = [
        reply("200 OK", "Content-Length: 9", tag, body="abcd"),
        reply("206 Part", "Content-Length: 4", "Content-Range: bytes 0-3/9", tag, body="abcd"),
        reply("200 OK", "Content-Length: 9", tag, body="abcdefghi"),
    ]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        ranges.extend(line for line in head.split("\r\n") if line.startswith("range"))
        writer.write(answers.pop(0).encode())
        await writer.drain()

    async with talking(talk) as port:
        network, location = NetworkTransfer(Limits(deadline=10)), f"http://127.0.0.1:{port}/file"
        for reason in ("RemoteProtocolError", "another part"):
            with pytest.raises(TransferError, match=reason):
                await network.download(location, tmp_path / "got")
        await network.download(location, tmp_path / "got")
    assert ranges == ["range: bytes=4-"]
    assert (tmp_path / "got").read_text() == "abcdefghi"


@pytest.mark.parametrize("total", ["9", "*"])
async def test_a_part_is_taken_whether_the_whole_size_is_told_or_not(total: str, tmp_path: Path) -> None:
    tag = 'ETag: "v1"'
    part = reply("206 Part", "Content-Length: 5", f"Content-Range: bytes 4-8/{total}", tag, body="efghi")
    talk, _ = answering(reply("200 OK", "Content-Length: 9", tag, body="abcd"), part)
    async with talking(talk) as port:
        network, location = NetworkTransfer(Limits(deadline=10)), f"http://127.0.0.1:{port}/file"
        with pytest.raises(TransferError):
            await network.download(location, tmp_path / "got")
        await network.download(location, tmp_path / "got")
    assert (tmp_path / "got").read_text() == "abcdefghi"


async def test_a_redirection_within_https_is_followed(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    talk, _ = answering(
        reply("302 Found", "Location: /there", LENGTH_0), reply("200 OK", "Content-Length: 1", body="x")
    )
    async with talking(talk, context) as port:
        network = NetworkTransfer(Limits(ca_file=tmp_path / "ca.pem"))
        await network.download(f"https://127.0.0.1:{port}/file", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"x"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Away", "308 Gone"])
async def test_an_upload_follows_its_redirection_with_the_file_and_without_the_password(
    status: str, source: Path
) -> None:
    talk, asked = answering(reply("201 Created", LENGTH_0))
    async with talking(talk) as other:
        first, sent = answering(
            reply(status, "Location: /second", LENGTH_0),
            reply(status, f"Location: http://127.0.0.1:{other}/third", LENGTH_0),
        )
        async with talking(first) as port:
            await NetworkTransfer().upload(source, f"http://user:12345@127.0.0.1:{port}/first")
        size = len(CONTENT)
        assert sent == [f"PUT /first {size} True", f"PUT /second {size} True"]
        assert asked == [f"PUT /third {size} False"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply("303 See", "Location: /elsewhere", LENGTH_0), "303"),
        (reply("307 Round", "Location: /again", LENGTH_0), "redirections"),
        (reply("302 Found", LENGTH_0), "302"),
        (reply("507 Full", LENGTH_0), "507"),
        ("", "RemoteProtocolError"),
    ],
)
async def test_an_upload_that_nobody_took_is_a_failure(answer: str, reason: str, source: Path) -> None:
    talk, _ = answering(answer)
    async with talking(talk) as port:
        with pytest.raises(TransferError, match=reason):
            await NetworkTransfer(Limits(deadline=10)).upload(source, f"http://127.0.0.1:{port}/file")


async def test_what_a_server_says_to_an_upload_is_not_read(source: Path) -> None:
    """An endless body would fill the memory."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(CONTENT))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()

    async with asyncio.timeout(10), talking(talk) as port:
        await NetworkTransfer(Limits(deadline=5)).upload(source, f"http://127.0.0.1:{port}/file")


async def test_what_a_server_says_to_a_redirection_is_not_read(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"GET /file " in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                writer.write(bytes(100_000))
                await writer.drain()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile")

    async with asyncio.timeout(10), talking(talk) as port:
        await NetworkTransfer(Limits(deadline=5)).download(f"http://127.0.0.1:{port}/file", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == b"file"


async def test_an_ftp_reply_without_an_end_is_a_failure(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220-and another thing\r\n" * 100)
            await writer.drain()

    async with asyncio.timeout(10), talking(talk) as port:
        with pytest.raises(TransferError, match="more than 1000 lines"):
            await NetworkTransfer(Limits(deadline=5)).download(f"ftp://127.0.0.1:{port}/file", tmp_path / "got")


async def test_an_ftp_reply_of_several_lines_is_understood(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-welcome\r\n220-to\r\n  us\r\n2200\r\n220 ready\r\n")
        await reader.readline()
        writer.write(b"500 no AUTH\r\n")
        await reader.readline()
        writer.write(b"530-nobody\r\n530 here\r\n")
        await reader.read()

    async with asyncio.timeout(10), talking(talk) as port:
        with pytest.raises(TransferError, match="530-nobody"):
            await NetworkTransfer(Limits(deadline=5)).download(f"ftp://127.0.0.1:{port}/file", tmp_path / "got")


# --- servers that take their time


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "ftps", "sftp"])
async def test_a_server_that_says_nothing_is_given_up(scheme: str, tmp_path: Path, source: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    limits = Limits(connect=0.2, idle=0.2)
    async with asyncio.timeout(10), talking(talk) as port:
        with pytest.raises(TransferError):
            await NetworkTransfer(limits).download(f"{scheme}://user@127.0.0.1:{port}/file", tmp_path / "got")
        with pytest.raises(TransferError):
            await NetworkTransfer(limits).upload(source, f"{scheme}://user@127.0.0.1:{port}/file")


async def test_a_server_that_trickles_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with asyncio.timeout(10), talking(talk) as port:
        with pytest.raises(TransferError, match=r"not done within 0.3 s"):
            await NetworkTransfer(Limits(deadline=0.3)).download(f"http://127.0.0.1:{port}/file", tmp_path / "got")


@pytest.mark.parametrize("stage", ["greeting", "data"])
async def test_a_cancelled_ftp_transfer_ends_its_thread_at_once(stage: str, tmp_path: Path) -> None:
    """Its idle limit is a minute; the station does not wait that long for its own end."""
    reached = asyncio.Event()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))

    async def data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if stage == "greeting":
            await data(reader, writer)
            return
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip():
            name = line.partition(" ")[0]
            port = f"227 passive (127,0,0,1,{silent >> 8},{silent & 255})"
            answers = {"USER": "230 in", "TYPE": "200 ok", "PASV": port, "RETR": "150 now", "EPSV": "502 no"}
            writer.write(answers.get(name, "502 no").encode() + b"\r\n")

    async with asyncio.timeout(10), talking(data) as silent, talking(talk) as port:
        transfer = asyncio.create_task(
            NetworkTransfer().download(f"ftp://127.0.0.1:{port}/file", tmp_path / "got"), name="transfer"
        )
        await reached.wait()
        transfer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await transfer
        await asyncio.get_running_loop().shutdown_default_executor()
    del transfer
    gc.collect()
    assert complaints == []


# --- ftp servers and their manners


@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
async def test_a_server_that_ends_without_a_word_has_done_its_work_all_the_same(
    scheme: str, tmp_path: Path, source: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with servers.ftp(Served(rude=True), context, implicit=scheme == "ftps") as served:
        network = NetworkTransfer(Limits(ca_file=tmp_path / "ca.pem"))
        await network.upload(source, f"{scheme}://127.0.0.1:{served.port}/in/logs")
        assert served.received == {"in/logs": CONTENT}


async def test_ftp_data_take_up_the_tls_session_of_their_control_connection(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with servers.ftp(Served(), context, implicit=False) as served:
        await NetworkTransfer(Limits(ca_file=tmp_path / "ca.pem")).download(
            f"ftp://127.0.0.1:{served.port}/firmware", tmp_path / "got"
        )
        assert served.reused == [True]


async def test_ftp_goes_on_in_the_clear_where_only_the_data_may_not_be_encrypted(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    limits = Limits(ca_file=tmp_path / "ca.pem")
    refusing = Served(refuses=frozenset({"PROT"}))
    async with servers.ftp(refusing, context, implicit=False) as served:
        await NetworkTransfer(limits).download(f"ftp://127.0.0.1:{served.port}/firmware", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == CONTENT
    async with servers.ftp(refusing, context, implicit=True) as served:
        with pytest.raises(TransferError, match="502"):
            await NetworkTransfer(limits).download(f"ftps://127.0.0.1:{served.port}/firmware", tmp_path / "got")


async def test_two_slashes_are_the_root_of_an_ftp_server(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with servers.ftp(Served(refuses=frozenset({"AUTH"})), context, implicit=False) as served:
        for path in ("/in", "//abs"):
            with contextlib.suppress(TransferError):
                await NetworkTransfer().download(f"ftp://127.0.0.1:{served.port}{path}", tmp_path / "got")
        assert [line for line in served.asked if str(line).startswith("RETR")] == ["RETR in", "RETR /abs"]


# --- our own disk


@pytest.mark.parametrize("scheme", ["http", "ftp"])
async def test_a_target_that_cannot_be_written_is_a_failure(scheme: str, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served = Served(refuses=frozenset({"AUTH"}))
    serving = servers.http(served) if scheme == "http" else servers.ftp(served, context, implicit=False)
    async with serving:
        with pytest.raises(TransferError, match="FileNotFoundError"):
            await NetworkTransfer().download(f"{scheme}://127.0.0.1:{served.port}/x", tmp_path / "no" / "got")
        (tmp_path / "full").symlink_to("/dev/full")
        with pytest.raises(TransferError, match="No space left"):
            await NetworkTransfer().download(f"{scheme}://127.0.0.1:{served.port}/x", tmp_path / "full")
