"""The status fifo itself: lines, changes of state, and a reader who goes away (bus 2.7)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from everest.manager.fifo import Event, State, StatusFifo


@pytest.fixture
def path(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_lines_end_with_a_newline_and_a_state_is_written_when_it_changes(path: Path) -> None:
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fifo = StatusFifo(path)
    fifo.enter(State.Initializing)
    fifo.enter(State.Initializing)
    fifo.event(Event.CrashRecoveryAttempt, "1/3")
    fifo.event(Event.CrashRecoveryAttempt, "1/3")
    fifo.close()
    expected = b"MANAGER_INITIALIZING\nCRASH_RECOVERY_ATTEMPT:1/3\nCRASH_RECOVERY_ATTEMPT:1/3\n"
    assert os.read(reader, 1000) == expected
    os.close(reader)


def test_a_reader_who_goes_away_silences_it_for_good(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fifo = StatusFifo(path)
    os.close(reader)
    fifo.enter(State.Initializing)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fifo.enter(State.Running)
    assert os.read(reader, 1000) == b""
    assert fifo.state is State.Running
    os.close(reader)
    assert capfd.readouterr() == ("", "")


def test_a_reader_who_never_reads_does_not_stop_the_manager(path: Path) -> None:
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fifo = StatusFifo(path)
    for _ in range(10_000):
        fifo.event(Event.SigintReceived)
    os.close(reader)
    fifo.close()
