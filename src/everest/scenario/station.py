"""The station of a scenario; it can be switched off and on.

Lives here: `Station`: start, power loss, the supervisor's second start after a Reset; `StationLog`, its last words;
`Attaching`: what virtual time needs. The bus is in bus.py, the configuration in stack.py.
A module that reaches beyond the bus brings a `scenario.py` beside its code, with

    attach(module, surroundings)     before it is ready: `surroundings.clock`, `.csms` (dial), `.files`, `.seed`
                                     replace the clock, the websocket, the file server and chance

May not be imported here: modules by name, ocpp16.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from everest.manager.bus import ManagerBus
from everest.manager.errors import BootError
from everest.manager.fifo import StatusFifo
from everest.manager.lifecycle import Launcher, Lifecycle
from everest.manager.model import Stack
from everest.runtime import Clock, Module
from everest.runtime.logs import module_label
from everest.scenario.bus import Bus
from everest.scenario.csms import MemoryDialer
from everest.scenario.files import Files
from everest.scenario.stack import evses, parameter
from everest.scenario.watch import Watch

SETTLE_S = 2.0
"""Seconds after global ready in which the modules finish their own start."""


@dataclass(frozen=True)
class Surroundings:
    """What a module's `scenario.py` is given."""

    clock: Clock
    csms: MemoryDialer
    files: Files
    seed: int


class Station:
    """On a bus, with its modules as that bus has them."""

    def __init__(self, stack: Stack, bus: Bus, watch: Watch) -> None:
        self._stack = stack
        self._bus = bus
        self._watch = watch
        self._launcher: Launcher | None = None
        self._lifecycle: Lifecycle | None = None
        self._life: asyncio.Task[int] | None = None

    @property
    def evses(self) -> dict[int, str]:
        """Module id of each EVSE by its `connector_id`."""
        return evses(self._stack)

    @property
    def token_topic(self) -> str:
        """Where cards are shown."""
        for module in self._stack.modules.values():
            if module.name == "DummyTokenProviderManual":
                topic = parameter(self._stack, module.id, "mqtt_topic", "main")
                return str(topic or f"everest_api/{module.id}/cmd/provide")
        raise BootError("the stack has no DummyTokenProviderManual that cards could be shown to")

    @property
    def running(self) -> bool:
        return self._life is not None and not self._life.done()

    def publish(self, topic: str, payload: str) -> None:
        """On the external MQTT."""
        self._bus.publish(topic, payload.encode())

    async def start(self, limit: float = 120.0) -> None:
        """Start all modules and let them settle. Raises BootError when they do not get ready."""
        self._bus.renew()
        settings = self._stack.settings
        self._launcher = self._bus.launcher(settings)
        bus = ManagerBus(self._bus.transport(), settings.everest_prefix)
        lifecycle = self._lifecycle = Lifecycle(self._stack, bus, self._launcher, fifo=StatusFifo())
        self._life = asyncio.create_task(lifecycle.run(), name="station")
        self._life.add_done_callback(lambda _: self._watch.news())
        if not await self._watch_start(lifecycle.started, limit):
            raise BootError("the station did not start")
        await asyncio.sleep(SETTLE_S)

    async def _watch_start(self, started: asyncio.Event, limit: float) -> bool:
        assert self._life is not None
        waiting = asyncio.create_task(started.wait(), name="station started")
        await asyncio.wait([waiting, self._life], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return started.is_set()

    async def cut(self) -> None:
        """A power loss: nobody says goodbye."""
        if self._launcher is not None:
            self._launcher.kill()
        await self._over()

    async def stop(self) -> None:
        """End the stack in order."""
        if self._lifecycle is not None:
            self._lifecycle.stop()
        await self._over()

    async def _over(self) -> None:
        if self._life is not None:
            await asyncio.gather(self._life, return_exceptions=True)


class Attaching:
    """Gives each module in virtual time its surroundings, those of its n-th start."""

    def __init__(self, surroundings: Callable[[int], Surroundings]) -> None:
        self._surroundings = surroundings
        self._seen: dict[str, int] = {}

    def __call__(self, module: Module) -> None:
        """The module is new and not yet initialised."""
        life = self._seen[module.info.id] = self._seen.get(module.info.id, 0) + 1
        name = f"{type(module).__module__.rpartition('.')[0]}.scenario"
        try:
            hook: Callable[[Module, Surroundings], None] = importlib.import_module(name).attach
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            return
        hook(module, self._surroundings(life))


class StationLog(logging.Handler):
    """Keeps the last errors that the station logged, for whoever wonders why a step failed. A context manager."""

    KEPT = 5

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: deque[str] = deque(maxlen=self.KEPT)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        who = module_label.get() or record.name
        reason = f": {record.exc_info[1]}" if record.exc_info and record.exc_info[1] is not None else ""
        self.lines.append(f"{who}: {record.getMessage()}{reason}".replace("\n", " "))
        self.count += 1

    def since(self, count: int) -> list[str]:
        """What came after there were `count` lines."""
        new = self.count - count
        return list(self.lines)[-new:] if new > 0 else []

    def __enter__(self) -> StationLog:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
