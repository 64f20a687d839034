"""The bus that a station is played on: in memory with modules as tasks, or a broker with modules as processes.

Lives here: the port `Bus`, `MemoryBus` (a new one for each start of the station), `BrokerBus` (a mosquitto of our own
for the whole scenario), `recorded`. Who plays looks on (`Watch`) and publishes; it is no module.
May not be imported here: the player.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from everest.manager import broker, cli
from everest.manager.errors import BootError
from everest.manager.inprocess import TaskLauncher
from everest.manager.lifecycle import Launcher
from everest.manager.processes import ProcessLauncher
from everest.manager.run import clean_environment
from everest.manager.settings import BrokerAddress, Settings
from everest.runtime import Clock, MemoryBroker, Module, SystemClock, Transport
from everest.runtime.errors import BrokerLost
from everest.scenario.watch import Watch
from everest.trace import record
from everest.trace.records import Record

log = logging.getLogger(__name__)

QUIET = "[Core]\nDisableLogging=true\n"
QUIET_FILE = "quiet.cfg"


class Bus(Protocol):
    """One bus. A station is started on it several times, one after the other."""

    def renew(self) -> None:
        """Before each start of the station."""
        ...

    def transport(self) -> Transport: ...

    def launcher(self, settings: Settings) -> Launcher: ...

    def publish(self, topic: str, payload: bytes) -> None: ...


class MemoryBus:
    """In this process. `write` takes the records of a recording, of all starts."""

    def __init__(
        self,
        watch: Watch,
        clock: Clock | None,
        created: Callable[[Module], None],
        write: Callable[[Record], None] | None = None,
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._created = created
        self._write = write
        self._recording = ExitStack()
        self._broker = MemoryBroker()

    def renew(self) -> None:
        self.close()
        self._broker = MemoryBroker()
        self._broker.watch(lambda message: self._watch.take(message.topic, message.payload))
        if self._write is not None:
            clock = self._clock or SystemClock()
            self._recording.enter_context(
                record.watch(self._broker, self._write, clock=lambda: clock.now().timestamp())
            )

    def close(self) -> None:
        """End the recording."""
        self._recording.close()

    def transport(self) -> Transport:
        return self._broker.transport()

    def launcher(self, settings: Settings) -> Launcher:
        return TaskLauncher(settings, self._broker.transport, clock=self._clock, created=self._created)

    def publish(self, topic: str, payload: bytes) -> None:
        self._broker.publish(topic, payload)


class BrokerBus:
    """Over mosquitto; `settings` name it. Modules work in `folder`."""

    def __init__(self, settings: Settings, folder: Path, *, quiet: bool) -> None:
        self._settings = settings
        self._folder = folder
        self._environment = clean_environment(os.environ)
        self._own = cli.mqtt_transport(settings)
        if quiet:
            (folder / QUIET_FILE).write_text(QUIET, encoding="utf-8")
            self._environment["EV_LOG_CONF_FILE"] = str(folder / QUIET_FILE)

    def renew(self) -> None:
        """The broker stays."""

    def transport(self) -> Transport:
        return cli.mqtt_transport(self._settings)

    def launcher(self, settings: Settings) -> Launcher:
        return ProcessLauncher(settings, self._environment, self._folder)

    def publish(self, topic: str, payload: bytes) -> None:
        self._own.publish(topic, payload)

    @asynccontextmanager
    async def watched(self, watch: Watch) -> AsyncIterator[None]:
        """Everything that modules say goes to `watch` meanwhile."""
        await self._own.connect()
        await self._own.subscribe(f"{self._settings.everest_prefix}modules/#")

        async def listen() -> None:
            try:
                async for message in self._own.messages():
                    watch.take(message.topic, message.payload)
            except BrokerLost as error:  # the station has lost it, too, and ends
                log.error("the bus is no longer watched: %s", error)

        listening = asyncio.create_task(listen(), name="scenario watches the bus")
        try:
            yield
        finally:
            await self._own.close()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


@asynccontextmanager
async def recorded(settings: Settings, write: Callable[[Record], None]) -> AsyncIterator[None]:
    """What passes the broker of these settings goes to `write` meanwhile. Raises BootError without that broker."""
    address = settings.broker
    broker = record.Broker(address.host, address.port, address.socket_path, settings.external_prefix)
    started = asyncio.Event()
    recording = asyncio.create_task(record.record(broker, write, started=started.set), name="scenario is recorded")
    begun = asyncio.create_task(started.wait(), name="recording begins")
    try:
        await asyncio.wait([recording, begun], return_when=asyncio.FIRST_COMPLETED)
        if recording.done():
            raise BootError(f"nothing can be recorded: {recording.exception()}")
        yield
    finally:
        begun.cancel()
        recording.cancel()
        await asyncio.gather(recording, begun, return_exceptions=True)


@asynccontextmanager
async def mosquitto() -> AsyncIterator[BrokerAddress]:
    """A broker of our own. Raises BootError where there is none."""
    program = broker.find_mosquitto()
    if program is None:
        raise BootError(f"--processes needs mosquitto; {broker.install_line()}")
    async with broker.PrivateMosquitto(program) as address:
        yield address
