"""docs/command-line.md: every command on the page is run, in the order of the page, and ends with status 0."""

from __future__ import annotations

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from ocpp16.cli.main import main
from ocpp16.store.sqlite import SqliteStore
from tests.ocpp16.cli.test_queue import CHANGES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMANDS = [
    line.removeprefix("$ ") for block in re.findall(r"```console\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page names."""
    shutil.copy(ROOT / "config" / "ocpp" / "config-sil.json", tmp_path / "config.json")
    store = SqliteStore(tmp_path / "cp001.db")
    await store.open()
    await store.apply(CHANGES)
    await store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("help\nend\n"))
    return tmp_path


def test_every_command_of_the_page_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) > 12
    shown = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    for number, command in enumerate(COMMANDS):
        name, *arguments = shlex.split(command)
        assert name == "ocpp16"
        assert main(arguments) == 0, command
        if number == 0:
            assert capsys.readouterr().out == shown[0]
