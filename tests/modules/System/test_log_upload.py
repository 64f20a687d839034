"""Log uploads: statuses in order and at their times, the name, the archive (station 5.4, 9.9)."""

import asyncio
import io
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from modules.System import locations
from modules.System.archive import build
from modules.System.workspace import Workspace
from tests.modules.System.bench import START, System, at

pytestmark = pytest.mark.looptime
LOCATION = "ftp://user:12345@127.0.0.1:48549"
NAME = re.compile(r"diagnostics-2026-01-05T10:00:\d\d\.\d{3}Z[A-Za-z0-9]{6}")


async def test_an_upload_goes_through_its_statuses() -> None:
    async with System() as system:
        answer = await system.upload(location=LOCATION, request_id=3)
        assert answer["upload_logs_status"] == "Accepted"
        assert NAME.fullmatch(answer["file_name"])
        assert await system.follow("log_status", 30) == [(0, "Uploading"), (5, "Uploaded")]
        assert {status["request_id"] for status in system.published("main", "log_status")} == {3}
        [(target, _)] = system.transfer.uploads
        assert target == f"{LOCATION}/{answer['file_name']}"


async def test_without_a_request_id_the_statuses_carry_minus_one() -> None:
    async with System() as system:
        await system.upload(location=LOCATION)
        await asyncio.sleep(10)
        assert [status["request_id"] for status in system.published("main", "log_status")] == [-1, -1]


async def test_a_failed_upload_is_tried_again_as_often_as_asked() -> None:
    async with System() as system:
        system.transfer.failures = 1
        await system.upload(location=LOCATION, retries=3, retry_interval_s=10)
        assert await system.follow("log_status", 100) == [
            (0, "Uploading"),
            (5, "UploadFailure"),
            (15, "Uploading"),
            (20, "Uploaded"),
        ]


async def test_by_default_there_is_one_attempt() -> None:
    async with System() as system:
        system.transfer.failures = 9
        await system.upload(location=LOCATION)
        assert await system.follow("log_status", 100) == [(0, "Uploading"), (5, "UploadFailure")]


async def test_a_new_request_ends_the_running_one() -> None:
    async with System() as system:
        await system.upload(location=LOCATION, request_id=1)
        await asyncio.sleep(3)
        assert (await system.upload(location=LOCATION, request_id=2))["upload_logs_status"] == "AcceptedCanceled"
        await asyncio.sleep(30)
        told = [(status["request_id"], status["log_status"]) for status in system.published("main", "log_status")]
        assert told == [(1, "Uploading"), (1, "AcceptedCanceled"), (2, "Uploading"), (2, "Uploaded")]
        assert (await system.upload(location=LOCATION))["upload_logs_status"] == "Accepted"


async def test_of_three_requests_in_a_row_the_last_one_counts() -> None:
    async with System() as system:
        answers = []
        for request_id in (1, 2, 3):
            answers.append((await system.upload(location=LOCATION, request_id=request_id))["upload_logs_status"])
            await asyncio.sleep(3)
        await asyncio.sleep(30)
        assert answers == ["Accepted", "AcceptedCanceled", "AcceptedCanceled"]
        told = [(status["request_id"], status["log_status"]) for status in system.published("main", "log_status")]
        assert told == [(n, s) for n in (1, 2) for s in ("Uploading", "AcceptedCanceled")] + [
            (3, "Uploading"),
            (3, "Uploaded"),
        ]


async def test_the_archive_holds_a_description_and_the_logs_of_the_window(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "deep").mkdir(parents=True)
    for name, age in (("new.log", 0), ("deep/newer.log", 0), ("old.log", 7200)):
        (logs / name).write_text(name)
        os.utime(logs / name, times=(START.timestamp() - age,) * 2)
    (logs / "link").symlink_to("/etc/hostname")
    os.mkfifo(logs / "pipe")
    pipe = os.open(logs / "pipe", os.O_RDWR)  # else to open it would wait for ever
    async with System(LogPath=str(logs)) as system:
        await system.upload(location=LOCATION, type="DiagnosticsLog", oldest_timestamp=at(-3600))
        await asyncio.sleep(10)
        [(_, content)] = system.transfer.uploads
    os.close(pipe)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        assert sorted(archive.getnames()) == ["diagnostics.json", "logs/deep/newer.log", "logs/new.log"]
        described: dict[str, Any] = json.load(archive.extractfile("diagnostics.json"))  # type: ignore[arg-type]
        assert archive.getmember("diagnostics.json").mtime > 1e9  # not 1970
    assert (described["module"], described["type"]) == ("system", "DiagnosticsLog")
    assert described["oldest_timestamp"] == at(-3600)
    assert re.fullmatch(r"everest-ocpp16 [\d.]+\w*", described["software"])
    assert described["disk_free_bytes"] > 0
    assert {"python", "system", "created"} <= described.keys()


async def test_an_archive_without_a_window_holds_every_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "old.log").write_text("old")
    os.utime(tmp_path / "old.log", times=(0, 0))
    async with System(LogPath=str(tmp_path)) as system:
        for oldest in ({}, {"oldest_timestamp": "soon"}):
            await system.upload(location=LOCATION, **oldest)
            await asyncio.sleep(10)
    for _, content in system.transfer.uploads:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            assert "logs/old.log" in archive.getnames()
    assert caplog.messages == ["oldest_timestamp 'soon' is no time and taken as absent"]


async def test_of_a_security_log_only_the_security_logs_are_part(tmp_path: Path) -> None:
    for name in ("a.log", "a.security.log", "a.html"):
        (tmp_path / name).write_text(name)
    async with System(LogPath=str(tmp_path)) as system:
        await system.upload(location=LOCATION, type="SecurityLog", request_id=1)
        await asyncio.sleep(10)
        [(_, content)] = system.transfer.uploads
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        assert sorted(archive.getnames()) == ["diagnostics.json", "logs/a.security.log"]


async def test_all_attempts_send_the_same_archive_and_none_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("before")
    async with System(LogPath=str(tmp_path)) as system:
        system.transfer.failures = 2
        await system.upload(location=LOCATION, retries=3, retry_interval_s=10)
        await asyncio.sleep(6)
        (tmp_path / "a.log").write_text("after")
        await asyncio.sleep(60)
        contents = [content for _, content in system.transfer.uploads]
        assert len(contents) == 3
        assert len(set(contents)) == 1
        assert [status for _, status in await system.follow("log_status", 1)][-1] == "Uploaded"
        assert not any(source.exists() for source in system.transfer.sources)


async def test_an_archive_that_cannot_be_made_is_a_failure_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with System() as system:
        system.host.workspace = Workspace("test", tmp_path / "nowhere")
        await system.upload(location=LOCATION, retries=2, retry_interval_s=10)
        assert await system.follow("log_status", 11) == [(0, "Uploading"), (2, "UploadFailure")]
        (tmp_path / "nowhere").mkdir()
        assert [status for _, status in await system.follow("log_status", 20)] == ["Uploading", "Uploaded"]
        assert [list(folder.iterdir()) for folder in (tmp_path / "nowhere").iterdir()] == [[]]


async def test_an_archive_that_breaks_off_leaves_nothing_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, entry: tarfile.TarInfo, file: Any) -> None:
        raise OSError(28, "No space left on device")

    async with System() as system:
        system.host.workspace = Workspace("test", tmp_path)
        monkeypatch.setattr(tarfile.TarFile, "addfile", full)
        await system.upload(location=LOCATION)
        assert await system.follow("log_status", 30) == [(0, "Uploading"), (2, "UploadFailure")]
        monkeypatch.undo()
        assert [list(folder.iterdir()) for folder in tmp_path.iterdir()] == [[]]
        assert (await system.upload(location=LOCATION))["upload_logs_status"] == "Accepted"


async def test_a_cancelled_upload_leaves_no_archive() -> None:
    async with System() as system:
        await system.upload(location=LOCATION, request_id=1)
        await asyncio.sleep(3)
        await system.upload(location=LOCATION, request_id=2)
        await asyncio.sleep(1)
        assert [source.exists() for source in system.transfer.sources] == [False]


def test_a_log_file_that_cannot_be_read_is_named_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("a.log", "b.log"):
        (tmp_path / "logs" / name).write_text(name)
    really_open = Path.open

    def refusing(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == "a.log":
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refusing)
    build(tmp_path / "archive", {}, tmp_path / "logs", None)
    with tarfile.open(tmp_path / "archive") as archive:
        described = json.load(archive.extractfile("diagnostics.json"))  # type: ignore[arg-type]
    assert (described["files"], described["left_out"]) == (["logs/b.log"], ["logs/a.log"])


def test_an_archive_in_the_making_can_be_cut_short(tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def check() -> None:
        raise Cut

    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").write_text("a")
    with pytest.raises(Cut):
        build(tmp_path / "archive", {}, tmp_path / "logs", None, check=check)


def test_a_log_file_that_shrinks_while_it_is_read_does_not_spoil_the_archive(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    shrinking = tmp_path / "logs/a.log"
    shrinking.write_bytes(b"x" * 100_000)
    (tmp_path / "logs/b.log").write_text("b")
    build(tmp_path / "archive", {}, tmp_path / "logs", None, check=lambda: shrinking.write_bytes(b"rotated"))
    with tarfile.open(tmp_path / "archive") as archive:
        assert archive.getmember("logs/a.log").size == 100_000
        assert archive.extractfile("logs/b.log").read() == b"b"  # type: ignore[union-attr]


async def test_a_missing_log_folder_is_an_archive_without_logs(tmp_path: Path) -> None:
    async with System(LogPath=str(tmp_path / "nowhere")) as system:
        await system.upload(location=LOCATION)
        assert [status for _, status in await system.follow("log_status", 10)] == ["Uploading", "Uploaded"]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("ftp://host", "ftp://host/NAME"),
        ("ftp://host/", "ftp://host/NAME"),
        ("ftp://host/dir/", "ftp://host/dir/NAME"),
        ("https://host/put/here", "https://host/put/here"),
        ("https://host/dir/?token=1", "https://host/dir/NAME?token=1"),
        ("https://host?token=1", "https://host/NAME?token=1"),
        ("host/dir/", "host/dir/NAME"),
        ("host", "host/NAME"),
        ("ftp://host/dir/#fragment", "ftp://host/dir/NAME"),
    ],
)
def test_the_name_is_appended_where_the_location_has_none(location: str, target: str) -> None:
    assert locations.upload_target(location, "NAME") == target


@pytest.mark.parametrize(
    ("fragment", "value"),
    [
        ("", None),
        ("#a=b", None),
        ("#disable_connectors_during_install=true&x=1", True),
        ("#disable_connectors_during_install=False", False),
    ],
)
def test_the_fragment_may_say_whether_connectors_are_disabled(fragment: str, value: bool | None) -> None:
    assert locations.disables_connectors(f"http://host/file{fragment}") is value
