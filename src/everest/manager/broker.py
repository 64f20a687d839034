"""The broker of `everest-manager run`: which one, and a private mosquitto when none is configured (issue text: broker).

`choose` decides: a configured broker, else mosquitto from PATH, else none (the in-memory bus). `PrivateMosquitto` runs
one on 127.0.0.1 with nothing kept on disk, and ends it by its pid. Without
`run`, `everest-manager` never starts a broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

from everest.manager.errors import BootError
from everest.manager.exits import wait_for_exit
from everest.manager.identity import child_setup
from everest.manager.settings import BrokerAddress, Settings

Choice = Literal["configured", "private", "in-memory"]

_SYSTEM_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin")
_START_S = 10.0
_TRIES = 5

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 1000
max_queued_messages 100000
log_dest stderr
log_type error
log_type warning
"""

KEEP_USER = "user root\n"
"""For root only: without it mosquitto changes its user, and Linux then forgets that it shall die with us."""


def choose(settings: Settings, mosquitto: str | None, *, in_process: bool) -> Choice:
    """Which bus `run` uses. `--in-process` wins, then a configured broker, then mosquitto."""
    if in_process:
        return "in-memory"
    if settings.broker_configured:
        return "configured"
    return "private" if mosquitto is not None else "in-memory"


def find_mosquitto(environment: Mapping[str, str] = os.environ) -> str | None:
    """The mosquitto program: PATH, then the places that are in root's PATH only."""
    path = environment.get("PATH", os.defpath)
    return shutil.which("mosquitto", path=path) or shutil.which("mosquitto", path=os.pathsep.join(_SYSTEM_PLACES))


def install_line(platform: str = sys.platform) -> str:
    """The command that installs mosquitto here."""
    return "brew install mosquitto" if platform == "darwin" else "apt install mosquitto"


class PrivateMosquitto:
    """One mosquitto of our own; `async with` gives its address and ends it at the end."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="everest-broker-")

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> BrokerAddress:
        """Start it and wait until it listens. Raises BootError with mosquitto's own words."""
        try:
            for _ in range(_TRIES):
                port = free_port()
                if await self._start(port):
                    return BrokerAddress("127.0.0.1", port)
            raise BootError(f"{self._program} does not start: {self._complaint()}")
        except BaseException:
            await self.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def kill(self) -> None:
        """End it at once, without waiting."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def close(self) -> None:
        """End it and wait until it is gone."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            exited = asyncio.ensure_future(wait_for_exit(process))
            done, _ = await asyncio.wait([exited], timeout=2)
            if not done:
                process.kill()
            await exited
        self._folder.cleanup()

    async def _start(self, port: int) -> bool:
        """Start on `port`; False when it ended again at once (the port was taken meanwhile)."""
        configuration = Path(self._folder.name) / "mosquitto.conf"
        text = CONFIGURATION.format(port=port) + (KEEP_USER if os.geteuid() == 0 else "")
        configuration.write_text(text, encoding="utf-8")
        with self._log().open("wb") as log:
            self._process = _spawn(self._program, configuration, log)
        deadline = asyncio.get_running_loop().time() + _START_S
        while asyncio.get_running_loop().time() < deadline:
            if self._process.poll() is not None:
                return False
            if await _listens(port):
                return True
            await asyncio.sleep(0.01)
        raise BootError(
            f"{self._program} does not listen on 127.0.0.1:{port} after {_START_S:g} s: {self._complaint()}"
        )

    def _log(self) -> Path:
        return Path(self._folder.name) / "mosquitto.log"

    def _complaint(self) -> str:
        lines = self._log().read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def _spawn(program: str, configuration: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start mosquitto so that it dies with us and does not hear Ctrl-C before the modules are ended."""
    try:
        return subprocess.Popen(
            [program, "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=child_setup(os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BootError(f"{program} cannot be started: {error}") from error


async def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
    return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
