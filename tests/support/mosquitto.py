"""A private mosquitto for tests, shared by all suites: own configuration, free port, ended by its pid.

Use the fixture `mosquitto` (in tests/conftest.py or imported) or the context manager `running_mosquitto`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

EXECUTABLE = shutil.which("mosquitto")

needs_mosquitto = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not on PATH"),
]
"""For `pytestmark`: the tests of a file need the broker."""

CONFIGURATION = """\
persistence false
set_tcp_nodelay true
max_inflight_messages 1000
max_queued_messages 100000
allow_anonymous true
listener {port} 127.0.0.1
"""


@dataclass
class Mosquitto:
    """A running broker."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    socket_path: Path | None = None
    host: str = "127.0.0.1"

    def stop(self) -> None:
        """End it, as a crash would as far as clients can tell."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.socket_path is not None:
            shutil.rmtree(self.socket_path.parent, ignore_errors=True)


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_mosquitto(folder: Path, *, unix_socket: bool = False, defaults: bool = False) -> Mosquitto:
    """Start a broker with its files in `folder`; `defaults`: with the limits of an unconfigured broker."""
    assert EXECUTABLE is not None, "mosquitto is not on PATH"
    for _ in range(5):
        port = free_port()
        text = CONFIGURATION.format(port=port)
        if defaults:
            text = f"allow_anonymous true\nlistener {port} 127.0.0.1\n"
        path = _open_folder() / "mosquitto.sock" if unix_socket else None
        if path is not None:
            text += f"listener 0 {path}\n"
        config = folder / f"mosquitto-{port}.conf"
        config.write_text(text)
        log = folder / f"mosquitto-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen([EXECUTABLE, "-c", str(config)], stdout=output, stderr=output)
        broker = Mosquitto(port, process, log, path)
        if _answers(broker):
            return broker
        broker.stop()
    raise RuntimeError(f"mosquitto did not start; see {folder}")


def _open_folder() -> Path:
    """A folder that mosquitto can write to after it has dropped root's privileges, with a short path for the socket."""
    folder = Path(tempfile.mkdtemp(prefix="mosquitto-"))
    folder.chmod(0o777)
    return folder


def _answers(broker: Mosquitto, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and broker.process.poll() is None:
        try:
            with socket.create_connection((broker.host, broker.port), timeout=1):
                pass
            if broker.socket_path is not None:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(broker.socket_path))
            return True
        except OSError:
            time.sleep(0.01)
    return False


@contextmanager
def running_mosquitto(folder: Path, *, unix_socket: bool = False, defaults: bool = False) -> Iterator[Mosquitto]:
    """A broker for the length of a block."""
    broker = start_mosquitto(folder, unix_socket=unix_socket, defaults=defaults)
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of its own for one test."""
    with running_mosquitto(tmp_path) as broker:
        yield broker
