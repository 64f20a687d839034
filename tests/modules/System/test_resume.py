"""Transfers over real https, ftps and sftp: broken off and gone on with, bounded, only to trusted servers (9.9)."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from modules.System import partial
from modules.System.partial import Partial
from modules.System.transfer import Limits, NetworkTransfer, TransferError
from tests.modules.System import servers
from tests.modules.System.servers import CONTENT, Served

HALF = len(CONTENT) // 2


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


def serving(scheme: str, served: Served, context: ssl.SSLContext) -> contextlib.AbstractAsyncContextManager[Served]:
    if scheme in ("http", "https"):
        return servers.http(served, context if scheme == "https" else None)
    return servers.ftp(served, context, implicit=scheme == "ftps")


def resumed(served: Served, scheme: str) -> list[Any]:
    """What a resumed download asked for: Range headers, or REST commands."""
    if scheme.startswith("http"):
        return [asked for asked in served.asked if asked is not None]
    return [line for line in served.asked if line.startswith("REST")]


def comes_from(part: Path, location: str, validator: str) -> None:
    """What lies at `part` was fetched by an attempt before."""
    content = part.read_bytes()
    with Partial(part, location, len(content)).open(validator, resume=False, size=None) as file:
        file.write(content)


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "ftps"])
async def test_a_file_goes_both_ways(scheme: str, tls: tuple[ssl.SSLContext, Limits], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    async with serving(scheme, Served(), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        await network.download(f"{scheme}://user:12345@127.0.0.1:{served.port}/firmware", tmp_path / "got")
        await network.upload(source, f"{scheme}://user:12345@127.0.0.1:{served.port}/in/logs")
        assert (tmp_path / "got").read_bytes() == CONTENT
        assert [name.lstrip("/") for name in served.received] == ["in/logs"]
        assert list(served.received.values()) == [CONTENT]


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "ftps"])
async def test_a_broken_download_goes_on_where_it_stopped(
    scheme: str, tls: tuple[ssl.SSLContext, Limits], tmp_path: Path
) -> None:
    target = tmp_path / "got"
    async with serving(scheme, Served(break_after=[HALF]), tls[0]) as served:
        network = NetworkTransfer(tls[1])
        location = f"{scheme}://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError):
            await network.download(location, target)
        there = target.stat().st_size
        assert 0 < there <= HALF
        await network.download(location, target)
        assert target.read_bytes() == CONTENT
        assert served.sent[1:] in ([], [len(CONTENT) - there])
        assert resumed(served, scheme) == [f"bytes={there}-" if scheme.startswith("http") else f"REST {there}"]


@pytest.mark.parametrize("change", [{"etag": '"v2"'}, {"etag": None}, {"etag": 'W/"v1"'}, {"ranges": False}])
async def test_a_file_that_may_have_changed_is_fetched_anew(change: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "got"
    weak = {name: value for name, value in change.items() if value is None or str(value).startswith("W/")}
    async with servers.http(replace(Served(break_after=[HALF]), **weak)) as served:
        network = NetworkTransfer()
        location = f"http://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError):
            await network.download(location, target)
        for name, value in change.items():
            setattr(served, name, value)
        served.content = CONTENT[::-1]
        await network.download(location, target)
        assert target.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
async def test_a_time_will_do_where_there_is_no_strong_etag(etag: str | None, tmp_path: Path) -> None:
    target = tmp_path / "got"
    served = Served(break_after=[HALF], etag=etag, modified="Mon, 05 Jan 2026 10:00:00 GMT")
    async with servers.http(served):
        network = NetworkTransfer()
        location = f"http://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError):
            await network.download(location, target)
        there = target.stat().st_size
        await network.download(location, target)
        assert target.read_bytes() == CONTENT
        assert served.asked == [None, f"bytes={there}-"]


async def test_a_part_outlasts_an_attempt_that_brought_nothing(tmp_path: Path) -> None:
    target = tmp_path / "got"
    async with servers.http(Served(break_after=[HALF])) as served:
        network = NetworkTransfer()
        location = f"http://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError):
            await network.download(location, target)
        served.busy = 1
        with pytest.raises(TransferError, match="503 Busy"):
            await network.download(location, target)
        await network.download(location, target)
        assert target.read_bytes() == CONTENT
        assert served.asked[1] == served.asked[2] is not None


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {"mdtm": "20260105100001"}),
        ({}, {"content": CONTENT[::-1] + b"more"}),
        ({}, {"refuses": frozenset({"AUTH", "MDTM"})}),
        ({}, {"refuses": frozenset({"AUTH", "SIZE"})}),
        ({"refuses": frozenset({"AUTH", "MDTM"})}, {}),
    ],
)
async def test_a_file_that_may_have_changed_on_an_ftp_server_is_fetched_anew(
    first: dict[str, Any], then: dict[str, Any], tmp_path: Path, tls: tuple[ssl.SSLContext, Limits]
) -> None:
    target = tmp_path / "got"
    served = Served(break_after=[HALF], **{"refuses": frozenset({"AUTH"}), **first})
    async with servers.ftp(served, tls[0], implicit=False):
        network = NetworkTransfer()
        location = f"ftp://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError, match="the server sent"):
            await network.download(location, target)
        assert target.stat().st_size == HALF
        for name, value in {"content": CONTENT[::-1], **then}.items():
            setattr(served, name, value)
        await network.download(location, target)
        assert target.read_bytes() == served.content
        assert resumed(served, "ftp") == []


async def test_a_validator_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    target = tmp_path / "got"
    async with servers.http(Served(break_after=[HALF, HALF // 2])) as served:
        network = NetworkTransfer()
        location = f"http://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError):
            await network.download(location, target)
        served.etag, served.content = None, CONTENT[::-1]
        with pytest.raises(TransferError):
            await network.download(location, target)
        served.etag, served.content = servers.ETAG, CONTENT
        await network.download(location, target)
        assert target.read_bytes() == CONTENT


async def test_a_part_that_the_server_does_not_take_up_is_given_up(tmp_path: Path) -> None:
    target = tmp_path / "got"
    async with servers.http(Served(break_after=[HALF], refuses_ranges=True)) as served:
        network = NetworkTransfer()
        location = f"http://127.0.0.1:{served.port}/firmware"
        for message in ("RemoteProtocolError", "416"):
            with pytest.raises(TransferError, match=message):
                await network.download(location, target)
        await network.download(location, target)
        assert target.read_bytes() == CONTENT


async def test_a_body_without_a_length_is_bounded_too(tmp_path: Path) -> None:
    async with servers.http(Served(tells_length=False)) as served:
        location = f"http://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError, match="larger than"):
            await NetworkTransfer(Limits(max_bytes=HALF)).download(location, tmp_path / "got")
        assert (tmp_path / "got").stat().st_size <= HALF
        await NetworkTransfer().download(location, tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == CONTENT


@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
async def test_an_ftp_server_that_tells_no_size_is_bounded_too(
    scheme: str, tls: tuple[ssl.SSLContext, Limits], tmp_path: Path
) -> None:
    async with serving(scheme, Served(refuses=frozenset({"SIZE"})), tls[0]) as served:
        location = f"{scheme}://127.0.0.1:{served.port}/firmware"
        with pytest.raises(TransferError, match="larger than"):
            await NetworkTransfer(replace(tls[1], max_bytes=HALF)).download(location, tmp_path / "got")
        assert (tmp_path / "got").stat().st_size <= HALF
        await NetworkTransfer(tls[1]).download(location, tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == CONTENT


async def test_another_network_transfer_does_not_go_on_with_a_strangers_part(tmp_path: Path) -> None:
    target = tmp_path / "got"
    target.write_bytes(b"left over")
    async with servers.http(Served()) as served:
        await NetworkTransfer().download(f"http://127.0.0.1:{served.port}/firmware", target)
        assert target.read_bytes() == CONTENT
        assert served.asked == [None]


@pytest.mark.parametrize("scheme", ["http", "ftps"])
async def test_a_file_that_is_too_large_is_refused_before_it_is_there(
    scheme: str, tls: tuple[ssl.SSLContext, Limits], tmp_path: Path
) -> None:
    target = tmp_path / "got"
    async with serving(scheme, Served(), tls[0]) as served:
        network = NetworkTransfer(replace(tls[1], max_bytes=len(CONTENT) - 1))
        with pytest.raises(TransferError, match="larger than"):
            await network.download(f"{scheme}://127.0.0.1:{served.port}/firmware", target)
        assert not target.exists()
        await NetworkTransfer(replace(tls[1], max_bytes=len(CONTENT))).download(
            f"{scheme}://127.0.0.1:{served.port}/firmware", target
        )


@pytest.mark.parametrize("scheme", ["https", "ftp", "ftps"])
async def test_a_server_of_an_unknown_authority_gets_and_gives_nothing(
    scheme: str, tls: tuple[ssl.SSLContext, Limits], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"secret")
    async with serving(scheme, Served(), tls[0]) as served:
        for move in (NetworkTransfer().download, lambda location, path: NetworkTransfer().upload(path, location)):
            with pytest.raises(TransferError, match="CERTIFICATE_VERIFY_FAILED"):
                await move(f"{scheme}://user:12345@127.0.0.1:{served.port}/x", source)
        assert served.received == {}
        assert not any(str(line).startswith("PASS") for line in served.asked)


# --- sftp


async def test_a_file_goes_both_ways_over_sftp_and_goes_on_after_a_break(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "firmware").write_bytes(CONTENT)
    source, target, hosts = tmp_path / "source", tmp_path / "got", tmp_path / "known_hosts"
    source.write_bytes(CONTENT)
    async with servers.sftp(root, hosts) as port:
        network = NetworkTransfer(Limits(known_hosts=hosts))
        location = f"sftp://user:12345@127.0.0.1:{port}/firmware"
        found = (root / "firmware").stat()
        target.write_bytes(CONTENT[:HALF])
        comes_from(target, location, f"{found.st_size} {int(found.st_mtime)}")
        (root / "firmware").write_bytes(b"\0" * HALF + CONTENT[HALF:])
        os.utime(root / "firmware", (found.st_atime, int(found.st_mtime)))
        await network.download(location, target)
        assert target.read_bytes() == CONTENT  # only the second half was fetched
        target.write_bytes(CONTENT[:HALF])
        comes_from(target, location, "another file")
        await network.download(location, target)
        assert target.read_bytes() == (root / "firmware").read_bytes()
        await network.upload(source, f"sftp://user:12345@127.0.0.1:{port}/logs.tar.gz")
        assert (root / "logs.tar.gz").read_bytes() == CONTENT
        for bad in (f"sftp://user:wrong@127.0.0.1:{port}/firmware", f"sftp://user:12345@127.0.0.1:{port}/nowhere"):
            with pytest.raises(TransferError):
                await network.download(bad, target)


async def test_an_sftp_server_with_another_host_key_is_not_trusted(tmp_path: Path) -> None:
    hosts, other = tmp_path / "known_hosts", tmp_path / "other"
    async with servers.sftp(tmp_path, hosts) as port, servers.sftp(tmp_path, other):
        hosts.write_text(hosts.read_text().split(" ")[0] + " " + other.read_text().split(" ", 1)[1])
        with pytest.raises(TransferError, match="HostKey"):
            await NetworkTransfer(Limits(known_hosts=hosts)).download(
                f"sftp://user:12345@127.0.0.1:{port}/x", tmp_path / "got"
            )


async def test_an_sftp_server_that_sends_more_than_it_told_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncssh

    def understating(server: Any, path: bytes) -> Any:
        return asyncssh.SFTPAttrs(size=10, mtime=1)

    (tmp_path / "firmware").write_bytes(CONTENT)
    hosts = tmp_path / "known_hosts"
    async with servers.sftp(tmp_path, hosts) as port:
        monkeypatch.setattr(asyncssh.SFTPServer, "stat", understating)
        location = f"sftp://user:12345@127.0.0.1:{port}/firmware"
        with pytest.raises(TransferError, match="larger than"):
            await NetworkTransfer(Limits(known_hosts=hosts, max_bytes=HALF)).download(location, tmp_path / "got")
        assert (tmp_path / "got").stat().st_size <= HALF
        with pytest.raises(TransferError, match=f"the server sent {len(CONTENT)} of 10 bytes"):
            await NetworkTransfer(Limits(known_hosts=hosts)).download(location, tmp_path / "got")


async def test_sftp_without_its_package_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(TransferError, match="asyncssh"):
        await NetworkTransfer().download("sftp://user@127.0.0.1/x", tmp_path / "got")


# --- what is remembered of a part


def test_the_limits_are_those_that_the_documentation_tells() -> None:
    assert (Limits().connect, Limits().idle, Limits().deadline) == (20, 60, 3600)


async def test_nothing_is_remembered_of_a_file_that_is_whole(tmp_path: Path) -> None:
    async with servers.http(Served()) as served:
        await NetworkTransfer().download(f"http://127.0.0.1:{served.port}/firmware", tmp_path / "got")
        assert list(tmp_path.iterdir()) == [tmp_path / "got"]


async def test_what_cannot_be_remembered_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "got.origin").mkdir()
    async with servers.http(Served()) as served:
        with pytest.raises(TransferError, match="IsADirectoryError"):
            await NetworkTransfer().download(f"http://127.0.0.1:{served.port}/firmware", tmp_path / "got")


def part(tmp_path: Path, location: str = "http://host/firmware") -> Partial:
    return Partial(tmp_path / "got", location, 100)


def test_a_part_is_known_to_the_next_process_by_its_location(tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(b"half")
    comes_from(tmp_path / "got", "http://host/firmware", '"v1"')
    assert part(tmp_path).validator == '"v1"'
    assert part(tmp_path, "http://host/other").validator is None
    assert "host" not in (tmp_path / "got.origin").read_text()  # a location may hold a password


def test_a_part_without_bytes_is_none(tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(b"")
    comes_from(tmp_path / "got", "http://host/firmware", '"v1"')
    assert part(tmp_path).validator is None


@pytest.mark.parametrize("origin", ["", "[", "no json"])
def test_a_memory_that_was_half_written_is_none(tmp_path: Path, origin: str) -> None:
    (tmp_path / "got").write_bytes(b"half")
    (tmp_path / "got.origin").write_text(origin)
    assert part(tmp_path).validator is None


def test_a_part_without_a_validator_makes_an_older_memory_void(tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(b"half")
    comes_from(tmp_path / "got", "http://host/firmware", '"v1"')
    with part(tmp_path).open(None, resume=False, size=None) as file:
        file.write(b"other")
    assert part(tmp_path).validator is None


def test_a_part_is_written_on_or_anew(tmp_path: Path) -> None:
    for resume, content in ((False, b"a"), (True, b"ab"), (False, b"b")):
        with part(tmp_path).open("v", resume=resume, size=None) as file:
            file.write(content[-1:])
        assert (tmp_path / "got").read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="where the machine tells its life")
def test_the_machine_tells_one_life_from_another() -> None:
    assert len(partial.BOOT_ID.read_text()) > 30


def test_where_the_machine_does_not_tell_its_life_a_part_is_for_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "BOOT_ID", tmp_path / "nowhere")
    (tmp_path / "got").write_bytes(b"half")
    comes_from(tmp_path / "got", "http://host/firmware", '"v1"')
    assert part(tmp_path).validator == '"v1"'
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert part(tmp_path).validator is None


# --- locations and their failures


async def test_a_download_without_a_scheme_is_http(tmp_path: Path) -> None:
    async with servers.http(Served()) as served:
        await NetworkTransfer().download(f"127.0.0.1:{served.port}/firmware", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == CONTENT


async def test_an_upload_without_a_scheme_is_https(tls: tuple[ssl.SSLContext, Limits], tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(b"logs")
    async with servers.http(Served(), tls[0]) as served:
        await NetworkTransfer(tls[1]).upload(tmp_path / "logs", f"127.0.0.1:{served.port}/in/logs")
        assert served.received == {"/in/logs": b"logs"}


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("gopher://host/file", "scheme 'gopher' is not supported, use http, https, ftp, ftps, sftp"),
        ("http://", "it names no host"),
    ],
)
async def test_a_failure_names_the_place_and_the_reason(location: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError) as failure:
        await NetworkTransfer().download(location, tmp_path / "got")
    assert str(failure.value) == f"{location!r}: {reason}"
