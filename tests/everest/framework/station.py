"""A throwaway EVerest prefix with the modules of this folder, run by our manager, and a probe in the test's process.

The probe is EVerest's own way of testing: a standalone ProbeModule that the test plays with the binding itself.
"""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from everest.framework import Fulfillment, Module, RuntimeSession
from everest.runtime import Message
from tests.everest.manager.house import House
from tests.everest.manager.manager_process import ManagerProcess
from tests.support.mosquitto import Mosquitto

HERE = Path(__file__).resolve().parent
PATIENCE = 20.0

Config = dict[str, Any]


def to(module_id: str, implementation_id: str = "main") -> list[dict[str, str]]:
    """One connection, as a configuration writes it."""
    return [{"module_id": module_id, "implementation_id": implementation_id}]


class Station:
    """The prefix and its manager; `probe()` makes the probe and completes the start."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self.broker = broker
        self.house = House(folder / "prefix")
        share = self.house.root / "share" / "everest"
        shutil.copytree(HERE / "interfaces", share / "interfaces", dirs_exist_ok=True)
        shutil.copytree(HERE / "errors", share / "errors", dirs_exist_ok=True)
        modules = self.house.root / "libexec" / "everest" / "modules"
        shutil.copytree(HERE / "modules", modules, dirs_exist_ok=True)
        self.config_file = self.house.root / "etc" / "everest" / "config.yaml"

    @contextmanager
    def running(self, active_modules: Config, *arguments: str, **settings: Any) -> Iterator[ManagerProcess]:
        """The manager with this configuration; the probe is yet to come."""
        settings |= {"mqtt_broker_host": self.broker.host, "mqtt_broker_port": self.broker.port}
        text = yaml.safe_dump({"settings": settings, "active_modules": active_modules})
        self.config_file.write_text(text, encoding="utf-8")
        options = ("--prefix", str(self.house.root), "--config", str(self.config_file), *arguments)
        with ManagerProcess(self.folder, *options) as process:
            if "ProbeModule" in text and len(active_modules) > 1:
                process.wait_for_line("WAITING_FOR_STANDALONE_MODULES")
            yield process

    def session(self) -> RuntimeSession:
        return session_of(self.folder)

    def environment(self, module_id: str) -> dict[str, str]:
        """What the manager tells a Python module."""
        return {
            "EV_MODULE": module_id,
            "EV_LOG_CONF_FILE": str(self.house.root / "etc" / "everest" / "default_logging.cfg"),
            "EV_MQTT_EVEREST_PREFIX": "everest",
            "EV_MQTT_BROKER_HOST": self.broker.host,
            "EV_MQTT_BROKER_PORT": str(self.broker.port),
        }


def session_of(folder: Path) -> RuntimeSession:
    """The session of a test harness for the station in `folder`."""
    prefix = folder / "prefix"
    return RuntimeSession(str(prefix), str(prefix / "etc" / "everest" / "config.yaml"))


@contextmanager
def connected(session: RuntimeSession, module_id: str = "probe") -> Iterator[Module]:
    """A module of the test's own process; disconnected at the end, so that a dying broker does not end the tests."""
    module = Module(module_id, session)
    try:
        yield module
    finally:
        module._disconnect()


class Heard:
    """A callback that keeps what it was called with, in order."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()
        self.answer: Callable[[Any], Any] = lambda value: None

    def __call__(self, *values: Any) -> Any:
        value = values[0] if values else None
        self._queue.put(value)
        return self.answer(value)

    def next(self) -> Any:
        return self._queue.get(timeout=PATIENCE)

    def several(self, count: int) -> list[Any]:
        return [self.next() for _ in range(count)]

    @property
    def nothing(self) -> bool:
        return self._queue.empty()


def connection(module: Module, requirement: str) -> Fulfillment:
    return module.say_hello().connections[requirement][0]


def clean_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what a manager would set, plus `changes`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EV_", "MQTT_"))}
    return kept | dict(changes)


def shut_down(module: Module) -> None:
    """As if `<P>shutdown` had come to this module alone."""
    bus = module._context.bus
    module._life.thread.post(bus._route, Message(bus.topics.shutdown, b"true"))
