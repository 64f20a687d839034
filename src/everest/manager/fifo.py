"""The status fifo and the manager's states (bus 2.7).

`State` and `Event` are the lines; `StatusFifo` writes them, or nothing when no fifo was named. After a failed write it
is silent for good.
"""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from pathlib import Path

from everest.manager.errors import BootError


class State(StrEnum):
    """States of the manager; one line each, written on change."""

    Initializing = "MANAGER_INITIALIZING"
    StartingModules = "MANAGER_STARTING_MODULES"
    Running = "MANAGER_RUNNING"
    CrashShutdownInProgress = "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS"
    ShutdownRequested = "MANAGER_SHUTDOWN_REQUESTED"
    ForceTerminating = "MANAGER_FORCE_TERMINATING"
    ShutdownFinalizing = "MANAGER_SHUTDOWN_FINALIZING"
    Idle = "MANAGER_IDLE"
    Exiting = "MANAGER_EXITING"


class Event(StrEnum):
    """Lines that are no state."""

    AllModulesStarted = "ALL_MODULES_STARTED"
    WaitingForStandaloneModules = "WAITING_FOR_STANDALONE_MODULES"
    SigintReceived = "SIGINT_RECEIVED"
    AllModulesStoppedClean = "ALL_MODULES_STOPPED_CLEAN"
    ForceShutdownTimeout = "FORCE_SHUTDOWN_TIMEOUT"
    CrashRecoveryAttempt = "CRASH_RECOVERY_ATTEMPT"
    CrashRecoveryExhausted = "CRASH_RECOVERY_EXHAUSTED"


class StatusFifo:
    """Writes status lines; `state` is the last state written."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the fifo write-only and non-blocking. Raises BootError when it is none or nobody reads it."""
        self._descriptor: int | None = None if path is None else _open(path)
        self.state: State | None = None

    def enter(self, state: State) -> None:
        """Write a state line if the state changes."""
        if state is not self.state:
            self.state = state
            self._write(state.value)

    def event(self, event: Event, detail: str = "") -> None:
        self._write(f"{event.value}:{detail}" if detail else event.value)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, line: str) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, f"{line}\n".encode())
        except OSError:
            self.close()


def _open(path: Path) -> int:
    try:
        if not stat.S_ISFIFO(path.stat().st_mode):
            raise BootError(f"status fifo {path} is not a fifo; make one with mkfifo")
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise BootError(f"status fifo {path} cannot be opened: {error.strerror}; open it for reading first") from error
