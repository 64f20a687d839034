"""Uploads that break off: gone on with over ftp, ftps and sftp, sent again over http, never onto a stranger's file."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path

import pytest
import trustme

from modules.System.partial import Sent, Upload
from modules.System.transfer import Limits, NetworkTransfer, TransferError
from tests.modules.System import servers
from tests.modules.System.servers import CONTENT, Served

HALF = len(CONTENT) // 2
FTP = ("ftp", "ftps")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Limits]:
    """A server's context for 127.0.0.1, and limits that trust its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, Limits(ca_file=tmp_path / "ca.pem")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def serving(scheme: str, served: Served, context: ssl.SSLContext) -> contextlib.AbstractAsyncContextManager[Served]:
    return servers.ftp(served, context, implicit=scheme == "ftps")


def place(scheme: str, served: Served) -> str:
    return f"{scheme}://user:12345@127.0.0.1:{served.port}/in/logs"


def stored(served: Served) -> list[str]:
    """The ftp commands that stored something."""
    return [str(line).partition(" ")[0] for line in served.asked if str(line).startswith(("STOR", "APPE"))]


@pytest.mark.parametrize("scheme", FTP)
async def test_a_broken_upload_goes_on_where_it_stopped(
    scheme: str, tls: tuple[ssl.SSLContext, Limits], source: Path
) -> None:
    async with serving(scheme, Served(take=[HALF, HALF // 2]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        for there in (HALF, HALF + HALF // 2):
            with pytest.raises(TransferError):
                await network.upload(source, place(scheme, served))
            assert len(served.received["in/logs"]) == there
        await network.upload(source, place(scheme, served))
        assert served.received["in/logs"] == CONTENT
        assert stored(served) == ["STOR", "APPE", "APPE"]


async def test_a_server_that_does_not_append_gets_all_of_it_again(
    tls: tuple[ssl.SSLContext, Limits], source: Path
) -> None:
    async with serving("ftp", Served(take=[HALF], refuses=frozenset({"APPE"})), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT
        assert stored(served) == ["STOR", "APPE", "STOR"]


async def test_a_server_that_tells_no_sizes_gets_all_of_it_again(
    tls: tuple[ssl.SSLContext, Limits], source: Path
) -> None:
    async with serving("ftp", Served(take=[HALF], refuses=frozenset({"SIZE"})), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT
        assert stored(served) == ["STOR", "STOR"]


async def test_a_file_that_stood_there_before_is_written_over(tls: tuple[ssl.SSLContext, Limits], source: Path) -> None:
    async with serving("ftp", Served(take=[HALF], received={"in/logs": b"old"}), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT
        assert stored(served) == ["STOR", "STOR"]


async def test_a_source_that_was_made_anew_is_sent_anew(tls: tuple[ssl.SSLContext, Limits], source: Path) -> None:
    async with serving("ftp", Served(take=[HALF]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        source.write_bytes(CONTENT[::-1])
        os.utime(source, (1, 1))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT[::-1]
        assert stored(served) == ["STOR", "STOR"]


async def test_what_arrived_is_not_sent_again_when_only_the_last_word_was_lost(
    tls: tuple[ssl.SSLContext, Limits], source: Path
) -> None:
    async with serving("ftp", Served(take=[len(CONTENT)]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT


async def test_a_server_that_lost_some_of_it_is_a_failure_and_the_next_attempt_begins_anew(
    tls: tuple[ssl.SSLContext, Limits], source: Path
) -> None:
    async with serving("ftp", Served(loses=[1]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        with pytest.raises(TransferError, match=f"the server has {len(CONTENT) - 1} of {len(CONTENT)} bytes"):
            await network.upload(source, place("ftp", served))
        await network.upload(source, place("ftp", served))
        assert served.received["in/logs"] == CONTENT


async def test_what_is_gone_from_disk_is_forgotten(tls: tuple[ssl.SSLContext, Limits], source: Path) -> None:
    async with serving("ftp", Served(take=[HALF]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        other = source.with_name("other")
        other.write_bytes(b"logs")
        with pytest.raises(TransferError):
            await network.upload(source, place("ftp", served))
        assert len(network._sent) == 1
        source.unlink()
        with pytest.raises(TransferError):
            await network.upload(other, "nowhere://")
        assert len(network._sent) == 0


async def test_an_sftp_upload_goes_on_where_it_stopped(tmp_path: Path, source: Path) -> None:
    root, hosts = tmp_path / "root", tmp_path / "known_hosts"
    root.mkdir()
    async with servers.sftp(root, hosts) as port:
        network = NetworkTransfer(Limits(known_hosts=hosts))
        location = f"sftp://user:12345@127.0.0.1:{port}/logs"
        with pytest.raises(TransferError, match="SFTPFailure"), servers.full_after(HALF):
            await network.upload(source, location)
        there = (root / "logs").stat().st_size
        assert 0 < there <= HALF
        (root / "logs").write_bytes(b"\0" * there)
        await network.upload(source, location)
        assert (root / "logs").read_bytes() == b"\0" * there + CONTENT[there:]  # only the rest was sent
        await network.upload(source, location)
        assert (root / "logs").read_bytes() == CONTENT  # a file that stood there before is written over


async def test_an_http_upload_is_sent_again_whole(tmp_path: Path, source: Path) -> None:
    async with servers.http(Served(take=[HALF])) as served:
        network = NetworkTransfer()
        with pytest.raises(TransferError):
            await network.upload(source, f"http://127.0.0.1:{served.port}/in/logs")
        assert served.received == {}
        await network.upload(source, f"http://127.0.0.1:{served.port}/in/logs")
        assert served.received == {"/in/logs": CONTENT}


@pytest.mark.parametrize(
    ("before", "sent", "there", "begin"),
    [
        (None, 3, 3, 3),  # all of it arrived
        (None, 3, 2, 2),  # the rest was lost on the way
        (None, 3, 4, 0),  # somebody else has written there
        (None, 3, None, 0),  # the server does not tell
        (None, 0, 0, 0),
        (5, 3, 3, 0),  # a file of somebody else stood there: it is not to be mixed with ours
        (None, 10, 10, 10),  # only the last word was missing
    ],
)
def test_only_what_earlier_attempts_sent_is_gone_on_with(
    before: int | None, sent: int, there: int | None, begin: int, tmp_path: Path
) -> None:
    (tmp_path / "logs").write_bytes(b"0123456789")
    known: Sent = {}
    first = Upload(tmp_path / "logs", "ftp://host/logs", known)
    assert first.begin(before) == 0
    first.passes(sent)
    assert Upload(tmp_path / "logs", "ftp://host/logs", known).begin(there) == begin
    assert Upload(tmp_path / "logs", "ftp://host/other", known).begin(there) == 0


def test_an_upload_that_arrived_in_part_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(b"0123456789")
    known: Sent = {}
    upload = Upload(tmp_path / "logs", "ftp://host/logs", known)
    upload.begin(None)
    upload.passes(10)
    with pytest.raises(TransferError, match=r"^the server has 9 of 10 bytes; the next attempt begins anew$"):
        upload.arrived(9)
    assert known == {}
    upload.arrived(None)  # the server does not tell: its word has to do
