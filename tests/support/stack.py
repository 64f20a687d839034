"""A whole station of real processes for end-to-end tests: manager, modules, bus client; the broker is the test's.

`Station` starts `python -m everest.manager` as a user does, reads its status fifo, drives the car and the card reader
by EVerest's external topics and records every bus message. It ends only processes that it started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import aiomqtt
import yaml

from everest.demo.commands import Publish, parse
from tests.support.ocpp_configuration import ocpp_configuration

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 40.0


def station_config(folder: Path, csms_url: str, **changes: Any) -> Path:
    """Write the default stack with a quick OCPP configuration into `folder` and return its path.

    `changes` are OCPP configuration values by key.
    """
    stack = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))
    path_of_keys = write_ocpp_configuration(folder, csms_url, **changes)
    stack["active_modules"]["ocpp"]["config_module"]["ChargePointConfigPath"] = path_of_keys
    path = folder / "stack.yaml"
    path.write_text(yaml.safe_dump(stack), encoding="utf-8")
    return path


def write_ocpp_configuration(folder: Path, csms_url: str, **changes: Any) -> str:
    """Write the quick OCPP configuration into `folder` and return its path; see `station_config`."""
    quick = {
        "CentralSystemURI": csms_url,
        "MeterValueSampleInterval": 1,
        "RetryBackoffWaitMinimum": 1,
        "RetryBackoffRandomRange": 0,
        "TransactionMessageRetryInterval": 1,
    }
    path = folder / "ocpp.json"
    path.write_text(json.dumps(ocpp_configuration({**quick, **changes})), encoding="utf-8")
    return str(path)


class Bus:
    """A client on the broker of the station: publishes external topics, records everything."""

    def __init__(self, port: int) -> None:
        self._client = aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5)
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self.messages: list[tuple[str, str]] = []

    async def __aenter__(self) -> Bus:
        await self._client.__aenter__()
        await self._client.subscribe("#", qos=2)
        self._reader = asyncio.create_task(self._read(), name="bus reader")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def _read(self) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in self._client.messages:
                payload = message.payload
                text = payload.decode() if isinstance(payload, bytes) else str(payload)
                async with self._changed:
                    self.messages.append((str(message.topic), text))
                    self._changed.notify_all()

    async def publish(self, topic: str, payload: str) -> None:
        await self._client.publish(topic, payload, qos=2)

    async def do(self, line: str) -> None:
        """A command of the demo prompt, such as `plug 1`."""
        command = parse(line, evses=2)
        assert isinstance(command, Publish)
        await self.publish(command.topic, command.payload)

    def values(self, variable: str, *, module: str = "") -> list[Any]:
        """All values of a variable published so far, of every module or of one."""
        found = []
        for topic, payload in self.messages:
            if topic.endswith(f"/var/{variable}") and (not module or f"/modules/{module}/" in topic):
                found.append(json.loads(payload)["data"]["data"])
        return found

    def events(self, kind: str, *, module: str = "") -> list[dict[str, Any]]:
        return [event for event in self.values("session_event", module=module) if event["event"] == kind]

    async def wait_for(self, condition: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
        """Wait until `condition()` is true, looking at every message."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (result := condition()):
                    await self._changed.wait()
                return result
        except TimeoutError:
            seen = [event["event"] for event in self.values("session_event")]
            raise TimeoutError(f"not seen on the bus within {seconds} s: {what}; session events: {seen}") from None

    async def wait_for_event(self, kind: str, *, module: str = "evse_manager_1", count: int = 1) -> dict[str, Any]:
        """The `count`-th session event of this kind."""
        await self.wait_for(lambda: len(self.events(kind, module=module)) >= count, what=f"{count} x {kind}")
        return self.events(kind, module=module)[count - 1]


class Station:
    """The manager and its modules. `async with Station(config, port) as station:` waits until all are started."""

    def __init__(self, config: Path, port: int, *arguments: str, wait: bool = True) -> None:
        self.folder = config.parent
        self._config = config
        self._port = port
        self._arguments = arguments
        self._wait = wait
        self._process: asyncio.subprocess.Process | None = None
        self._fifo: Path
        self.status_lines: list[str] = []
        self.log = self.folder / "manager.log"
        self._status_reader: asyncio.Task[None] | None = None
        self._status_changed = asyncio.Condition()

    async def __aenter__(self) -> Station:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("EV_")},
            "MQTT_SERVER_ADDRESS": "127.0.0.1",
            "MQTT_SERVER_PORT": str(self._port),
        }

    @property
    def command(self) -> list[str]:
        """The manager and where its configuration is."""
        return [sys.executable, "-m", "everest.manager", "--config", str(self._config)]

    @property
    def cwd(self) -> Path:
        return self.folder

    def standard_output(self, log: IO[bytes]) -> IO[bytes] | int:
        """Where the manager's standard output goes: into its log, too."""
        return log

    async def start(self) -> None:
        self._fifo = self.folder / "status.fifo"
        self._fifo.unlink(missing_ok=True)
        os.mkfifo(self._fifo)
        descriptor = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.status_lines.clear()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command, "--status-fifo", str(self._fifo), *self._arguments,
                cwd=self.cwd, env=self.environment, stdout=self.standard_output(log), stderr=log,
            )  # fmt: skip
        self._status_reader = asyncio.create_task(self._read_status(descriptor), name="status fifo")
        if self._wait:
            await self.wait_for_status("ALL_MODULES_STARTED")

    async def _read_status(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(descriptor, readable.set)
        rest = b""
        try:
            while True:
                await readable.wait()
                readable.clear()
                with contextlib.suppress(BlockingIOError):
                    chunk = os.read(descriptor, 4096)
                    if not chunk:
                        if self._process is not None and self._process.returncode is not None:
                            return
                        await asyncio.sleep(0.02)
                        readable.set()
                    rest += chunk
                *lines, rest = rest.split(b"\n")
                async with self._status_changed:
                    self.status_lines += [line.decode() for line in lines]
                    self._status_changed.notify_all()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def wait_for_status(self, line: str, *, count: int = 1, seconds: float = START_SECONDS) -> None:
        """Wait for the `count`-th such line of the status fifo; a manager that ends first fails the test."""
        assert self._process is not None
        ended = asyncio.create_task(self._process.wait())
        seen = asyncio.create_task(self._status_count(line, count))
        done, pending = await asyncio.wait({ended, seen}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if seen not in done:
            raise AssertionError(f"no {line} (x{count}); got {self.status_lines}\n{self.log_text()}")

    async def _status_count(self, line: str, count: int) -> None:
        async with self._status_changed:
            await self._status_changed.wait_for(lambda: self.status_lines.count(line) >= count)

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def module_pids(self) -> dict[str, int]:
        """The processes of the modules by module id: descendants of the manager with EV_MODULE in their environment."""
        return dict(module_processes(self.pid))

    def kill_module(self, module_id: str) -> None:
        os.kill(self.module_pids()[module_id], signal.SIGKILL)

    async def wait_for_exit(self, *, seconds: float = 20) -> int:
        assert self._process is not None
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def stop(self) -> int:
        """SIGINT, as Ctrl-C; the exit status. A manager that does not end is killed, with its modules."""
        if self._process is None:
            return 0
        pids = [self.pid, *self.module_pids().values()] if self._process.returncode is None else []
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        try:
            status = await self.wait_for_exit()
        except TimeoutError:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"the manager did not end\n{self.log_text()}") from None
        finally:
            if self._status_reader is not None:
                self._status_reader.cancel()
                await asyncio.gather(self._status_reader, return_exceptions=True)
        return status


def module_processes(manager: int) -> Iterator[tuple[str, int]]:
    """(module id, pid) of every descendant of a process that is a module."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                stat = (entry / "stat").read_text()
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    waiting = [manager]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            with contextlib.suppress(OSError):
                environment = (Path("/proc") / str(child) / "environ").read_bytes().split(b"\0")
                for variable in environment:
                    if variable.startswith(b"EV_MODULE="):
                        yield variable.partition(b"=")[2].decode(), child
