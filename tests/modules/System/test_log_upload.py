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


async def test_the_archive_holds_a_description_and_the_logs_of_the_window(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "deep").mkdir(parents=True)
    for name, age in (("new.log", 0), ("deep/newer.log", 0), ("old.log", 7200)):
        (logs / name).write_text(name)
        os.utime(logs / name, times=(START.timestamp() - age,) * 2)
    (logs / "link").symlink_to("/etc/hostname")
    async with System(LogPath=str(logs)) as system:
        await system.upload(location=LOCATION, type="DiagnosticsLog", oldest_timestamp=at(-3600))
        await asyncio.sleep(10)
        [(_, content)] = system.transfer.uploads
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        assert sorted(archive.getnames()) == ["diagnostics.json", "logs/deep/newer.log", "logs/new.log"]
        described: dict[str, Any] = json.load(archive.extractfile("diagnostics.json"))  # type: ignore[arg-type]
    assert (described["station"], described["type"]) == ("system", "DiagnosticsLog")


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
