"""The folder of transfers: what a killed process leaves goes at the next start, what a running one needs stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.System import workspace as workspace_module
from modules.System.workspace import Workspace

SOURCE = Path(__file__).parents[3] / "modules/System"
OTHER = """
import sys, time
from pathlib import Path
from workspace import Workspace
path = Workspace(sys.argv[1], Path(sys.argv[2])).path("firmware-1")
path.write_text("half")
print(path, flush=True)
time.sleep(60)
"""


class Process:
    """Another process in the middle of a transfer."""

    def __init__(self, owner: str, base: Path) -> None:
        command = [sys.executable, "-c", OTHER, owner, str(base)]
        self._process = subprocess.Popen(command, cwd=SOURCE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.path = Path(self._process.stdout.readline().strip())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=10)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Process]:
    process = Process("station", tmp_path)
    yield process
    process.kill()


def test_what_a_killed_process_left_is_found_at_the_next_start(other: Process, tmp_path: Path) -> None:
    other.kill()
    workspace = Workspace("station", tmp_path)
    assert workspace.leftovers() == [other.path]
    assert workspace.path("firmware-1") == other.path


def test_what_a_running_process_needs_is_nobodys_leftover(other: Process, tmp_path: Path) -> None:
    workspace = Workspace("station", tmp_path)
    assert workspace.leftovers() == []
    assert workspace.path("firmware-1") != other.path
    workspace.close()
    assert other.path.read_text() == "half"


def test_what_another_station_left_is_its_own(other: Process, tmp_path: Path) -> None:
    other.kill()
    workspace = Workspace("another station", tmp_path)
    assert workspace.leftovers() == []
    workspace.path("firmware-2").write_text("")
    assert other.path.exists()


def test_of_two_instances_that_were_killed_one_clears_up_after_both(other: Process, tmp_path: Path) -> None:
    second = Process("station", tmp_path)
    second.kill()
    assert second.path.parent != other.path.parent
    other.kill()
    assert Workspace("station", tmp_path).leftovers() == [other.path]
    assert not second.path.parent.exists()


def test_files_beside_the_folders_are_not_touched(tmp_path: Path) -> None:
    """Other programs, a real EVerest among them, have files of such names there."""
    foreign = [tmp_path / "firmware-2026-01-05T10:00:00.000Zabcdef", tmp_path / "everest-System-0123"]
    for path in foreign:
        path.write_text("")
    with_files = Workspace("station", tmp_path)
    with_files.path("x").write_text("")
    with_files._locked = None  # as if it had been killed; the lock goes with its descriptor
    assert Workspace("station", tmp_path).leftovers() == []
    assert all(path.exists() for path in foreign)


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    workspace = Workspace("station", tmp_path)
    assert workspace.leftovers() == []
    workspace.close()
    assert list(tmp_path.iterdir()) == []


def test_an_end_takes_the_folder_with_it_unless_something_is_kept(tmp_path: Path) -> None:
    workspace = Workspace("station", tmp_path)
    kept = workspace.path("firmware-1")
    kept.write_text("half")
    workspace.close()
    assert kept.exists()
    workspace = Workspace("station", tmp_path)
    assert workspace.path("firmware-1") == kept
    kept.unlink()
    workspace.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_looks_into_the_folder(tmp_path: Path) -> None:
    folder = Workspace("station", tmp_path).path("x").parent
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_somebody_else_put_there_is_passed_over(tmp_path: Path) -> None:
    """In a directory for everybody, a link of that name could lead what is fetched elsewhere."""
    trap = tmp_path / "trap"
    trap.mkdir()
    workspace = Workspace("station", tmp_path)
    first = workspace.path("x").parent
    workspace.close()
    first.symlink_to(trap)
    assert Workspace("station", tmp_path).path("x").parent not in (first, trap)


def test_a_folder_of_another_user_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Workspace("station", tmp_path)
    folder = first.path("x").parent
    first.close()
    folder.mkdir()
    user = os.getuid()
    other = Workspace("station", tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert other.path("x").parent != folder
    assert Workspace("station", tmp_path)._name != first._name


def test_a_directory_that_cannot_be_written_is_told_where_the_file_is_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace("station", tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        workspace.path("x").open("wb")
    assert "no folder for transfers" in caplog.text
    assert workspace.leftovers() == []
    (tmp_path / "gone").mkdir()
    workspace.path("x").write_text("")


def test_more_instances_than_there_are_folders_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workspace_module, "MOST_INSTANCES", 1)
    first, second = Workspace("station", tmp_path), Workspace("station", tmp_path)
    first.path("x").write_text("")
    with pytest.raises(FileNotFoundError):
        second.path("x").open("rb")
    assert caplog.messages == [f"no folder for transfers: 1 of them are in use in {tmp_path}"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="where the open files can be counted")
def test_looking_for_a_folder_leaves_nothing_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    first = Workspace("station", tmp_path)
    first.path("x").write_text("")
    before = open_files()
    second = Workspace("station", tmp_path)
    second.path("x").write_text("")
    third = Workspace("station", tmp_path)
    third.leftovers()
    third.close()
    second.close()
    assert open_files() == before
