"""The stack of a scenario, in this process on an in-memory bus; it can be switched off and on.

Lives here: `Station`: configuration for the scenario, start, power loss, the supervisor's second start after a Reset.
A module that reaches beyond the bus brings a `scenario.py` beside its code, with

    attach(module, surroundings)     before it is ready: `surroundings.clock`, `.csms` (dial), `.seed` replace the
                                     clock, the websocket and chance

May not be imported here: modules by name, ocpp16.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everest.manager import config, paths
from everest.manager.bus import ManagerBus
from everest.manager.companion import RunContext
from everest.manager.errors import BootError
from everest.manager.fifo import StatusFifo
from everest.manager.inprocess import TaskLauncher
from everest.manager.lifecycle import Lifecycle
from everest.manager.model import MODULE_SCOPE, Stack
from everest.runtime import Clock, MemoryBroker, Module
from everest.scenario.csms import MemoryDialer
from everest.scenario.model import Scenario
from everest.scenario.watch import Watch

SETTLE_S = 2.0
"""Seconds after global ready in which the modules finish their own start."""
OCPP_CONFIG = "ocpp-scenario.json"


@dataclass(frozen=True)
class Surroundings:
    """What a module's `scenario.py` is given."""

    clock: Clock
    csms: MemoryDialer
    seed: int


class Station:
    """`url`: where the central system is; `dialer` takes its place in virtual time."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        watch: Watch,
        *,
        url: str,
        clock: Clock | None = None,
        dialer: MemoryDialer | None = None,
    ) -> None:
        self._scenario = scenario
        self._folder = folder
        self._watch = watch
        self._clock = clock
        self._dialer = dialer
        self._lives = 0
        self._stack = self._configured(url)
        self.broker = MemoryBroker()
        self._launcher: TaskLauncher | None = None
        self._lifecycle: Lifecycle | None = None
        self._life: asyncio.Task[int] | None = None

    # --- configuration -----------------------------------------------------------------------------------------------

    def _configured(self, url: str) -> Stack:
        """The stack with the scenario's parameters. Raises ManagerError."""
        layout = paths.resolve()
        named = self._scenario.station.config
        beside = None if named is None else self._scenario.file.parent / named
        chosen = str(beside) if beside is not None and beside.is_file() else named
        file = paths.find_config(layout, chosen)
        stack = config.load(file, config.LoadOptions(layout, {}, state_dir=self._folder))
        context = RunContext(None, stack, self._folder, None, MemoryBroker().transport, {})  # type: ignore[arg-type]
        for module in context.modules_named("OCPP"):
            found = self._ocpp_config(layout, str(_parameter(context.stack, module.id, "ChargePointConfigPath")), url)
            context.set_parameter(module.id, "ChargePointConfigPath", str(found))
        for module in context.modules_named("EvseManagerSim"):
            context.set_parameter(module.id, "noise_seed", self._scenario.seed)
        for module_id, parameters in self._scenario.station.modules.items():
            self._set(context, module_id, parameters)
        return context.stack

    def _set(self, context: RunContext, module_id: str, parameters: dict[str, Any]) -> None:
        try:
            for name, value in parameters.items():
                if isinstance(value, dict):
                    for inner, one in value.items():
                        context.set_parameter(module_id, inner, one, name)
                else:
                    context.set_parameter(module_id, name, value)
        except BootError as error:
            raise BootError(f"{self._scenario.file}: station.modules.{module_id}: {error}") from error

    def _ocpp_config(self, layout: paths.Layout, name: str, url: str) -> Path:
        """The OCPP configuration with the scenario's keys, written to the scenario's folder."""
        candidates = [Path(name), layout.configs_dir / name, layout.data_dir / "modules" / "OCPP" / name]
        base = next((path for path in candidates if path.is_file()), None)
        if base is None:
            raise BootError(
                f"ChargePointConfigPath {name!r} names no file; looked for {', '.join(map(str, candidates))}"
            )
        keys: dict[str, dict[str, Any]] = json.loads(base.read_text(encoding="utf-8"))
        for key, value in {"CentralSystemURI": url, **self._scenario.station.ocpp}.items():
            self._put(keys, key, value)
        path = self._folder / OCPP_CONFIG
        path.write_text(json.dumps(keys, indent=2), encoding="utf-8")
        return path

    def _put(self, keys: dict[str, dict[str, Any]], key: str, value: Any) -> None:
        if isinstance(value, dict):
            keys.setdefault(key, {}).update(value)
            return
        for section in keys.values():
            if isinstance(section, dict) and key in section:
                section[key] = value
                return
        raise BootError(
            f"{self._scenario.file}: station.ocpp.{key}: the configuration of the stack has no such key; "
            "name its section, too: `Core: {" + key + ": ...}`"
        )

    @property
    def evses(self) -> dict[int, str]:
        """Module id of each EVSE by its `connector_id`."""
        modules = self._stack.modules.values()
        numbers = {module.id: _parameter(self._stack, module.id, "connector_id") for module in modules}
        return {int(number): module_id for module_id, number in numbers.items() if number is not None}

    @property
    def token_topic(self) -> str:
        """Where cards are shown."""
        for module in self._stack.modules.values():
            if module.name == "DummyTokenProviderManual":
                topic = _parameter(self._stack, module.id, "mqtt_topic", "main")
                return str(topic or f"everest_api/{module.id}/cmd/provide")
        raise BootError(
            f"{self._scenario.file}: the stack has no DummyTokenProviderManual that cards could be shown to"
        )

    # --- on and off --------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._life is not None and not self._life.done()

    async def start(self, limit: float = 120.0) -> None:
        """Start all modules and let them settle. Raises BootError when they do not get ready."""
        self.broker = MemoryBroker()
        self._watch.listen(self.broker)
        self._lives += 1
        settings = self._stack.settings
        self._launcher = TaskLauncher(settings, self.broker.transport, clock=self._clock, created=self._attach)
        bus = ManagerBus(self.broker.transport(), settings.everest_prefix)
        lifecycle = self._lifecycle = Lifecycle(self._stack, bus, self._launcher, fifo=StatusFifo())
        self._life = asyncio.create_task(lifecycle.run(), name="station")
        self._life.add_done_callback(lambda _: self._watch.news())
        ready = await self._watch_start(lifecycle.started, limit)
        if not ready:
            raise BootError("the station did not start; its log says why")
        await asyncio.sleep(SETTLE_S)

    async def _watch_start(self, started: asyncio.Event, limit: float) -> bool:
        assert self._life is not None
        waiting = asyncio.create_task(started.wait(), name="station started")
        await asyncio.wait([waiting, self._life], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return started.is_set()

    def _attach(self, module: Module) -> None:
        if self._dialer is None or self._clock is None:
            return
        name = f"{type(module).__module__.rpartition('.')[0]}.scenario"
        try:
            hook: Callable[[Module, Surroundings], None] = importlib.import_module(name).attach
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            return
        hook(module, Surroundings(self._clock, self._dialer, self._scenario.seed * 1000 + self._lives))

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


def _parameter(stack: Stack, module_id: str, name: str, scope: str = MODULE_SCOPE) -> Any:
    entries = stack.modules[module_id].parameters.get(scope, ())
    return next((entry.value for entry in entries if entry.name == name), None)
