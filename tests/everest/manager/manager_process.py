"""A manager as a process of its own, as people and test harnesses run it: status fifo, stderr, pids of its children.

Only what was started here is signalled, by pid.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 20.0


class ManagerProcess:
    """`python -m everest.manager ARGUMENTS`; use as a context manager."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "everest.manager"),
        cwd: Path | None = None,
    ) -> None:
        self.folder = folder
        self.fifo = folder / "status.fifo"
        os.mkfifo(self.fifo)
        self._reading = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._buffer = b""
        self.lines: list[str] = []
        self.log = folder / "stderr.txt"
        self._errors = self.log.open("wb")
        self._output = (folder / "stdout.txt").open("wb")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("EV_", "MQTT_"))}
        self.process = subprocess.Popen(
            [*command, *arguments, "--status-fifo", str(self.fifo)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env=clean | dict(environment or {}),
            cwd=cwd or folder,
        )

    def __enter__(self) -> ManagerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._reading)
        self._errors.close()
        self._output.close()

    @property
    def stderr(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def complaints(self) -> list[str]:
        """What the manager says without a log level: its last words."""
        return [line for line in self.stderr.splitlines() if line.startswith("everest-manager: ")]

    def pids(self) -> dict[str, int]:
        """Module id -> pid of the last start."""
        return {found[1]: int(found[2]) for found in re.finditer(r"started (\w+):\w+, pid (\d+)", self.stderr)}

    def wait_for_line(self, line: str, count: int = 1) -> None:
        """Wait until the fifo has said `line` `count` times."""
        deadline = time.monotonic() + PATIENCE
        while self.lines.count(line) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"no {line}; lines: {self.lines}; stderr:\n{self.stderr}"
            self._read(min(left, 0.5))
            ended = self.process.poll() is not None and not self._read(0)
            assert self.lines.count(line) >= count or not ended, f"ended early; {self.lines}\n{self.stderr}"

    def _read(self, timeout: float) -> bool:
        """Take what the fifo has; False when there was nothing."""
        if not select.select([self._reading], [], [], timeout)[0]:
            return False
        data = os.read(self._reading, 65536)
        *complete, self._buffer = (self._buffer + data).split(b"\n")
        self.lines += [line.decode() for line in complete]
        if not data:
            time.sleep(0.01)
        return bool(data)

    def wait_for_text(self, text: str) -> None:
        """Wait until stderr contains `text`."""
        wait_until(lambda: text in self.stderr, f"{text!r} on stderr")

    def signal(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end; the exit status. Standard output must have stayed quiet."""
        self.process.wait(PATIENCE)
        while self._read(0):
            pass
        assert (self.folder / "stdout.txt").read_bytes() == b""
        return self.process.returncode


def wait_until(condition: object, what: str = "", patience: float = PATIENCE) -> None:
    """Poll a condition that has no event of its own (another process's end, a file)."""
    assert callable(condition)
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Has the process ended? A zombie of a foreign parent counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
