"""`everest-manager scenario` is found by its entry point, as any package may add a sub-command."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from everest.manager import cli, paths


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points as pyproject.toml declares them, whatever is installed."""
    root = paths.checkout_root()
    assert root is not None
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    points = EntryPoints(
        EntryPoint(name, value, cli.COMMANDS) for name, value in project["entry-points"][cli.COMMANDS].items()
    )

    def entry_points(**wanted: Any) -> EntryPoints:
        return points.select(**wanted)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


@pytest.mark.usefixtures("declared")
def test_the_manager_finds_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenario", "--check", "plug_first"]) == 0
    assert cli.main(["scenario", "nowhere"]) == 1
    assert "there is no scenario nowhere" in capsys.readouterr().err


@pytest.mark.usefixtures("declared")
def test_other_words_are_no_commands() -> None:
    assert cli.extra_command(["--check"]) is None
    assert cli.extra_command(["nonsense"]) is None
    assert cli.extra_command([]) is None


def test_a_reader_who_has_seen_enough_ends_a_list_quietly() -> None:
    command = [sys.executable, "-c", "import sys; from everest.scenario.cli import main; sys.exit(main(['--list']))"]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")
