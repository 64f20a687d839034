"""A firmware update outlives a restart: its plan waits on, its download goes on, its end is always told (station 5.2,
5.3; OCPP 1.6 §4.5). A played download takes 3 s; each life is a `System` on the same folder, the clock runs on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.modules.System.bench import LoopClock, PlayedTransfer, System, at
from tests.modules.System.test_firmware import LOCATION, METADATA, signed, unsigned

pytestmark = pytest.mark.looptime


class Machine:
    """What stays when the station is switched off."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.clock = LoopClock()
        self.transfer = PlayedTransfer()
        self.stored: dict[str, Any] = {}

    @contextlib.asynccontextmanager
    async def life(self, **config: Any) -> AsyncIterator[System]:
        config = {"StatePath": str(self.state), **config}
        system = System(transfer=self.transfer, clock=self.clock, **config)
        system.stored = self.stored
        async with system:
            yield system

    @property
    def plan(self) -> Any:
        """What is kept; None: nothing."""
        file = self.state / "firmware_update_system.json"
        return json.loads(file.read_text()) if file.exists() else None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "state")


async def statuses(system: System, seconds: float) -> list[tuple[float, str]]:
    """Statuses with the seconds since this life began."""
    return await system.follow("firmware_update_status", seconds)


def names(seen: list[tuple[float, str]]) -> list[str]:
    return [name for _, name in seen]


# --- plans


async def test_an_unsigned_plan_waits_on_without_a_status(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
        await asyncio.sleep(30)
    async with machine.life() as system:
        assert await statuses(system, 100) == [
            (70, "Downloading"), (75, "Downloaded"), (77, "Installing"), (79, "Installed"),
        ]  # fmt: skip
        assert system.transfer.downloads == [LOCATION]
        assert machine.plan is None
    async with machine.life() as system:
        assert await statuses(system, 100) == []


async def test_a_signed_plan_says_again_that_it_waits_and_goes_its_way(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**signed(retrieve_timestamp=at(100), install_timestamp=at(300)))
        await asyncio.sleep(30)
    async with machine.life(ResetAfterUpdate=False) as system:
        assert await statuses(system, 300) == [
            (0, "DownloadScheduled"),
            (72, "Downloading"),
            (79, "Downloaded"),
            (79, "SignatureVerified"),
            (79, "InstallScheduled"),
            (270, "Installing"),
            (272, "Installed"),
        ]
        assert {status["request_id"] for status in system.published("main", "firmware_update_status")} == {7}
        assert machine.stored == {"ocpp_boot_reason": "FirmwareUpdate"}
        assert machine.plan is None


async def test_a_plan_whose_time_came_while_the_station_was_off_begins_at_once(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**signed(retrieve_timestamp=at(100)))
    await asyncio.sleep(1000)
    async with machine.life() as system:
        assert (await statuses(system, 10))[:2] == [(2, "Downloading"), (9, "Downloaded")]


async def test_a_plan_holds_what_was_asked_and_nobody_else_reads_it(machine: Machine) -> None:
    async with machine.life() as system:
        request = signed(retrieve_timestamp=at(100), retries=4, retry_interval_s=9)
        await system.update(**request)
        assert machine.plan["request"] == request
        [file] = (entry for entry in machine.state.iterdir() if entry.is_file())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_replaced_plan_does_not_come_back(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
        await system.update(**signed(request_id=8, retrieve_timestamp=at(200)))
    async with machine.life(ResetAfterUpdate=False) as system:
        seen = await statuses(system, 300)
        assert names(seen)[:2] == ["DownloadScheduled", "Downloading"]
        assert {status["request_id"] for status in system.published("main", "firmware_update_status")} == {8}


async def test_an_update_that_comes_before_the_old_one_is_read_replaces_it(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100), location="http://old/"))
    async with machine.life() as system:
        await asyncio.sleep(1)
        await system.update(**unsigned(location="http://new/"))
        await system.module.firmware.restore([])  # type: ignore[attr-defined]
        await asyncio.sleep(200)
        assert system.transfer.downloads == ["http://new/"]


async def test_a_planned_update_of_an_earlier_life_is_replaced_like_any_other(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**signed(retrieve_timestamp=at(100)))
    async with machine.life() as system:
        await asyncio.sleep(1)
        assert await system.update(**unsigned(location="http://new/")) == "Accepted"
        assert names(await statuses(system, 50))[1:] == ["Downloading", "Downloaded", "Installing", "Installed"]
        await asyncio.sleep(100)
        assert system.transfer.downloads == ["http://new/"]


async def test_without_a_folder_nothing_outlives_a_restart(machine: Machine) -> None:
    async with machine.life(StatePath="") as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
    async with machine.life(StatePath="") as system:
        assert await statuses(system, 200) == []


async def test_a_clock_that_is_set_right_after_the_start_is_followed(machine: Machine) -> None:
    async with machine.life(ResetAfterUpdate=False) as system:
        await system.update(**signed(retrieve_timestamp=at(86400)))
        assert names(await statuses(system, 10)) == ["DownloadScheduled"]
        machine.clock._origin = asyncio.get_running_loop().time() - 86399
        seen = await statuses(system, 65)
        assert seen[0] == (62, "Downloading")


# --- downloads


async def test_a_download_that_was_cut_off_is_made_again(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned())
        assert names(await statuses(system, 2)) == ["Downloading"]
    async with machine.life() as system:
        assert await statuses(system, 20) == [
            (0, "Downloading"),
            (5, "Downloaded"),
            (7, "Installing"),
            (9, "Installed"),
        ]
        first, second = machine.transfer.targets
        assert first == second
        assert not second.exists()


async def test_a_signed_download_that_was_cut_off_is_made_again(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**signed())
        assert names(await statuses(system, 5)) == ["Downloading"]
    async with machine.life() as system:
        assert await system.ended(timeout=60) == 0
        told = [status["firmware_update_status"] for status in system.published("main", "firmware_update_status")]
        assert told == [
            *("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"),
            "InstallRebooting",
        ]
    assert machine.stored == {"ocpp_boot_reason": "FirmwareUpdate"}
    assert machine.plan is None


async def test_a_download_that_ends_the_station_again_and_again_fails(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    async with machine.life() as system:
        await system.update(**signed())
        await asyncio.sleep(3)
    for _ in range(5):
        async with machine.life() as system:
            assert names(await statuses(system, 3)) == ["Downloading"]
    async with machine.life() as system:
        assert await statuses(system, 100) == [(0, "DownloadFailed")]
        assert machine.plan is None
        assert "firmware update 7: the station ended too often while it was downloaded" in caplog.text
        assert await system.update(**signed()) == "Accepted"


async def test_waiting_is_no_restart_too_many(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**signed(retrieve_timestamp=at(100), install_timestamp=at(1000)))
    for _ in range(10):
        async with machine.life() as system:
            assert names(await statuses(system, 5)) == ["DownloadScheduled"]
    async with machine.life() as system:
        assert names(await statuses(system, 300))[-1] == "InstallScheduled"
    for _ in range(10):
        async with machine.life() as system:
            assert names(await statuses(system, 5)) == ["SignatureVerified", "InstallScheduled"]


# --- verified files


async def test_a_verified_file_is_checked_again_and_waits_on(machine: Machine) -> None:
    machine.transfer.content = METADATA
    async with machine.life() as system:
        await system.update(**signed(METADATA, install_timestamp=at(300)))
        await asyncio.sleep(100)
        assert machine.transfer.targets[0].exists()
    assert machine.transfer.targets[0].exists()
    async with machine.life(ResetAfterUpdate=False) as system:
        assert await statuses(system, 300) == [
            (0, "SignatureVerified"), (0, "InstallScheduled"), (200, "Installing"), (202, "Installed"),
        ]  # fmt: skip
        first = system.published("main", "firmware_update_status")[0]
        assert first["firmware_update_metadata"] == {"disable_connectors_during_install": False}
        assert len(machine.transfer.downloads) == 1
    assert not machine.transfer.targets[0].exists()


@pytest.mark.parametrize("harm", ["gone", "changed"])
async def test_a_verified_file_that_is_not_that_any_more_is_fetched_again(machine: Machine, harm: str) -> None:
    async with machine.life() as system:
        await system.update(**signed(install_timestamp=at(300)))
        await asyncio.sleep(100)
    file = machine.transfer.targets[0]
    file.unlink() if harm == "gone" else file.write_bytes(b"firmwar")
    async with machine.life(ResetAfterUpdate=False) as system:
        assert names(await statuses(system, 300)) == [
            *("Downloading", "Downloaded", "SignatureVerified", "InstallScheduled", "Installing", "Installed"),
        ]


# --- installations


@pytest.mark.parametrize("disables", [True, False])
async def test_an_unsigned_installation_that_was_cut_off_has_failed(machine: Machine, disables: bool) -> None:
    location = f"{LOCATION}#disable_connectors_during_install={str(disables).lower()}"
    async with machine.life() as system:
        await system.update(**unsigned(location=location))
        assert names(await statuses(system, 8))[-1] == "Installing"
    async with machine.life() as system:
        assert await statuses(system, 100) == [(0, "InstallationFailed")]
        [status] = system.published("main", "firmware_update_status")
        assert status["firmware_update_metadata"] == {"disable_connectors_during_install": disables}
        assert machine.stored == {}
        assert machine.plan is None
        assert not machine.transfer.targets[0].exists()


async def test_a_signed_installation_that_was_cut_off_has_failed(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    async with machine.life() as system:
        await system.update(**signed())
        assert names(await statuses(system, 10))[-1] == "Installing"
    async with machine.life() as system:
        assert await statuses(system, 100) == [(0, "InstallationFailed")]
        assert system.published("main", "firmware_update_status")[0]["request_id"] == 7
    assert "firmware update 7: the station ended while it was installed" in caplog.text


async def test_an_installation_that_was_done_but_not_told_to_its_end_is_told(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned())
        await asyncio.sleep(10)
    assert machine.stored == {}
    async with machine.life() as system:
        assert await statuses(system, 100) == [(0, "Installed")]
        assert machine.stored == {"ocpp_boot_reason": "FirmwareUpdate"}
        assert machine.plan is None


async def test_the_reset_after_an_update_leaves_nothing_to_tell(machine: Machine) -> None:
    async with machine.life(ResetDelay=60) as system:
        await system.update(**signed())
        assert names(await statuses(system, 30))[-1] == "InstallRebooting"
    async with machine.life() as system:
        assert await statuses(system, 100) == []


@pytest.mark.parametrize("failing", [{"failures": 9}, {"content": b""}])
async def test_an_update_that_failed_does_not_come_back(machine: Machine, failing: dict[str, Any]) -> None:
    for name, value in failing.items():
        setattr(machine.transfer, name, value)
    async with machine.life() as system:
        await system.update(**unsigned())
        assert names(await statuses(system, 30))[-1].endswith("Failed")
        assert machine.plan is None
    async with machine.life() as system:
        assert await statuses(system, 100) == []


async def test_while_an_installed_update_is_written_down_no_other_begins(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned())
        await asyncio.sleep(10)
        assert await system.update(**unsigned()) == "Rejected"
        assert await system.update(**signed()) == "Rejected"


# --- the file


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b'{"phase": "planned", "file": "firmware-1"}',
        b'{"request": {"request_id": 1, "location": "x"}, "phase": "dancing", "file": "firmware-1"}',
        b'{"request": {"request_id": 1, "location": "x"}, "phase": "verified", "file": "firmware-/../../x"}',
        b'{"request": {"request_id": 1, "location": "x"}, "phase": "verified", "file": "/etc/passwd"}',
    ],
)
async def test_a_file_that_is_none_is_put_aside(
    machine: Machine, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    machine.state.mkdir()
    file = machine.state / "firmware_update_system.json"
    file.write_bytes(content)
    async with machine.life() as system:
        assert await statuses(system, 10) == []
        assert "no firmware update can be read there" in caplog.text
        assert [path.name for path in machine.state.iterdir()] == ["firmware_update_system.json.broken"]
        assert await system.update(**unsigned()) == "Accepted"


async def test_a_folder_that_cannot_be_written_hinders_no_update(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.state.write_text("a file")
    async with machine.life() as system:
        await system.update(**unsigned())
        assert names(await statuses(system, 20))[-1] == "Installed"
    assert "does not outlive a restart" in caplog.text


async def test_what_another_writing_left_half_done_does_not_hinder_the_next(machine: Machine) -> None:
    machine.state.mkdir()
    (machine.state / "firmware_update_system.json.new").write_text("half")
    async with machine.life() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
        assert [path.name for path in machine.state.iterdir() if path.is_file()] == ["firmware_update_system.json"]


async def test_an_update_in_the_last_moment_ends_nothing(machine: Machine) -> None:
    async with machine.life() as system:
        await asyncio.sleep(1)
        await system.module.shutdown()
        assert await system.update(**unsigned()) == "Accepted"
        assert machine.plan is None


async def test_two_modules_keep_their_updates_apart(machine: Machine) -> None:
    async with machine.life() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
    (machine.state / "firmware_update_system.json").rename(machine.state / "firmware_update_other.json")
    async with machine.life() as system:
        assert await statuses(system, 200) == []


# --- the temporary directory


async def test_what_an_earlier_life_left_is_cleared_but_for_what_is_gone_on_with(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with machine.life() as system:
        await system.update(**signed(install_timestamp=at(300)))
        await asyncio.sleep(100)
    file = machine.transfer.targets[0]
    for name in ("firmware-old", "firmware-old.origin", "diagnostics-old", "diagnostics-old.part"):
        (file.parent / name).write_text("left")
    file.with_name(f"{file.name}.origin").write_text("kept")
    async with machine.life():
        await asyncio.sleep(1)
        assert sorted(file.parent.iterdir()) == [file, file.with_name(f"{file.name}.origin")]
        assert f"a file of an earlier life is deleted: {file.parent / 'firmware-old'}" in caplog.messages


async def test_an_orderly_end_leaves_nothing_in_the_temporary_directory(temporary: Path) -> None:
    async with System() as system:
        await system.update(**unsigned())
        await system.upload(location=LOCATION)
        await asyncio.sleep(2.5)
        assert [path.exists() for path in system.transfer.targets + system.transfer.sources] == [False, True]
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


async def test_a_temporary_directory_that_is_gone_is_a_failed_download(temporary: Path) -> None:
    shutil.rmtree(temporary)
    assert tempfile.gettempdir() == str(temporary)
    async with System() as system:
        system.host.transfer = system.network
        await system.update(**unsigned(location="http://127.0.0.1:1/"))
        assert names(await statuses(system, 10)) == ["Downloading", "DownloadFailed"]
