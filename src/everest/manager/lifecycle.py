"""The life of a stack: start, ready, run, crash, stop (bus 2.2, 2.4, 2.7, 2.8, 2.9).

`Lifecycle.run` is the manager's main flow and returns its exit status. It talks to the modules through a `Launcher`
(processes or tasks) and to the bus through `ManagerBus`. Broker start, command line and files are elsewhere.

    Initializing -> StartingModules -> Running -> ShutdownRequested [-> CrashShutdownInProgress]
        [-> ForceTerminating] -> ShutdownFinalizing -> Exiting | StartingModules (recovery) | Idle
    Initializing -> Idle -> Exiting
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from everest.manager.bus import ManagerBus
from everest.manager.configuration import ConfigurationService
from everest.manager.errors import BrokerError, ConfigError, ManagerError
from everest.manager.fifo import Event, State, StatusFifo
from everest.manager.model import Manifest, ModuleConfig, Stack
from everest.manager.slots import FileSlot, Slot
from everest.runtime import Dialect
from everest.runtime.errors import TransportError

logger = logging.getLogger(__name__)

GRACEFUL_S = 5.0
TERMINATE_S = 5.0
MAX_RECOVERIES = 3
BROKER_GRACE_S = 0.3
"""A module that notices the loss of the broker first is not blamed: so long the manager waits for its own notice."""


@dataclass(frozen=True, slots=True)
class ModuleExited:
    """A module ended. `status` as of subprocess: negative for signals; `reason` for people."""

    module_id: str
    status: int
    reason: str


class Launcher(Protocol):
    """Starts and ends modules: as processes (processes.py) or as tasks (inprocess.py)."""

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None:
        """Find out how the module is started. Raises BootError."""
        ...

    def start(self, module: ModuleConfig, on_exit: Callable[[ModuleExited], None]) -> None:
        """Start it. `on_exit` is called once when it ends. Raises BootError."""
        ...

    def alive(self) -> list[str]:
        """Ids of the modules that have not ended."""
        ...

    def terminate(self) -> None:
        """Ask all of them to end."""
        ...

    def kill(self) -> None:
        """End them."""
        ...

    async def close(self) -> None:
        """End whatever is left and wait for it."""
        ...


@dataclass(frozen=True, slots=True)
class LifecycleOptions:
    """Flags of bus 2.6 that change the flow."""

    ignore: frozenset[str] = frozenset()
    retain_topics: bool = False
    recover_module_crashes: bool = False
    graceful_shutdown: bool = False
    into_idle: bool = False
    idle_on_failure: bool = False


@dataclass(slots=True)
class _Round:
    """One start of all modules, up to their end."""

    stack: Stack
    service: ConfigurationService
    expected: frozenset[str]
    standalone: frozenset[str]
    ready: set[str] = field(default_factory=set)
    exits: list[ModuleExited] = field(default_factory=list)
    stopping: bool = False


class Lifecycle:
    """One manager life. `stop()` may be called at any time, also before `run`; `spawned` when all modules are."""

    def __init__(
        self,
        stack: Stack,
        bus: ManagerBus,
        launcher: Launcher,
        *,
        fifo: StatusFifo,
        options: LifecycleOptions = LifecycleOptions(),
        slot: Slot | None = None,
        spawned: Callable[[], None] = lambda: None,
    ) -> None:
        self._stack = stack
        self._bus = bus
        self._launcher = launcher
        self._fifo = fifo
        self._options = options
        self._slot = slot or FileSlot(stack)
        self._spawned = spawned
        self._stop = asyncio.Event()
        self._exit_seen = asyncio.Event()
        self._round: _Round | None = None
        self._serving: asyncio.Task[None] | None = None
        self.started = asyncio.Event()
        """Set when global ready has been published."""

    def interrupt(self) -> None:
        """First SIGINT or SIGTERM: the stop flow."""
        self._fifo.event(Event.SigintReceived)
        self.stop()

    def stop(self) -> None:
        """Request the stop flow."""
        self._stop.set()

    async def run(self) -> int:
        """Start the stack, keep it running, end it. Returns the exit status; raises ManagerError with the reason."""
        try:
            await self._connect()
            if self._options.into_idle or not self._stack.modules:
                return await self._idle()
            return await self._rounds()
        finally:
            if self._launcher.alive():
                self._launcher.terminate()
                await self._gone(TERMINATE_S)
            await self._launcher.close()
            await self._end_serving()

    async def _connect(self) -> None:
        try:
            await self._bus.connect()
        except TransportError as error:
            raise BrokerError(f"{error}; start a broker there, or name another one") from error
        self._serving = asyncio.create_task(self._bus.serve(), name="manager bus")

    async def _end_serving(self) -> None:
        await self._bus.close()
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=1)
            if not self._serving.done():
                self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _rounds(self) -> int:
        recoveries = 0
        while True:
            crash = await self._one_round()
            if crash is None:
                self._fifo.enter(State.Exiting)
                return 0
            if not self._options.recover_module_crashes or self._stop.is_set():
                break
            if recoveries == MAX_RECOVERIES:
                self._fifo.event(Event.CrashRecoveryExhausted)
                logger.critical("modules crashed again after %d recoveries: giving up", MAX_RECOVERIES)
                if self._options.idle_on_failure:
                    return await self._idle()
                break
            recoveries += 1
            self._fifo.event(Event.CrashRecoveryAttempt, f"{recoveries}/{MAX_RECOVERIES}")
            logger.warning("starting all modules again, recovery %d of %d", recoveries, MAX_RECOVERIES)
            if not self._renew():
                return await self._idle()
        self._fifo.enter(State.Exiting)
        return 1

    def _renew(self) -> bool:
        """Read the configuration again for a recovery. A broken one: False to idle, else raised with its problems."""
        try:
            self._stack = self._slot.reload()
        except ManagerError as error:
            if self._options.idle_on_failure:
                report(error)
                return False
            self._fifo.enter(State.Exiting)
            raise
        return True

    async def _idle(self) -> int:
        """Run no modules, answer configuration requests, and wait for a signal (bus 2.7, 2.9)."""
        service = self._service()
        service.at_rest = True
        self._bus.answer_with(service)
        self._fifo.enter(State.Idle)
        logger.info("idle: no modules are running")
        self._exit_seen.clear()
        await self._wait_for_end()
        self._fifo.enter(State.Exiting)
        return 0

    # --- one round ---

    async def _one_round(self) -> ModuleExited | None:
        """Start everything and wait for the end. None after an ordered stop, else the exit that ended it."""
        current = self._round = self._new_round()
        self._exit_seen.clear()
        self.started.clear()
        self._fifo.enter(State.StartingModules)
        await self._guarded(self._start(current))
        crashed = await self._wait_for_end()
        current.stopping = True
        current.service.running = False
        if crashed:
            return await self._crash(current)
        await self._guarded(self._ordered_stop(current))
        return None

    def _new_round(self) -> _Round:
        stack = self._stack
        expected = frozenset(stack.modules) - self._options.ignore
        standalone = frozenset(module_id for module_id in expected if stack.modules[module_id].standalone)
        return _Round(stack, self._service(), expected, standalone)

    def _service(self) -> ConfigurationService:
        return ConfigurationService(self._stack, self._bus.forward_set, self._slot, dialect=self._bus.dialect)

    async def _start(self, current: _Round) -> None:
        await self._bus.distribute(current.stack, current.service)
        await self._bus.expect_ready(sorted(current.expected), self._module_ready)
        spawned = [current.stack.modules[module_id] for module_id in sorted(current.expected - current.standalone)]
        for module in spawned:
            self._launcher.prepare(module, current.stack.manifests[module.name])
        for module in spawned:
            self._launcher.start(module, self._module_exited)
        self._spawned()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; the loss of the broker meanwhile ends it."""
        task = asyncio.create_task(work, name="manager step")
        assert self._serving is not None
        try:
            await asyncio.wait([task, self._serving], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self._raise_loss()
            await _translated(task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _raise_loss(self) -> None:
        assert self._serving is not None
        error = None if self._serving.cancelled() else self._serving.exception()
        if isinstance(error, TransportError):
            raise BrokerError(str(error)) from error
        if error is not None:
            raise error
        raise BrokerError("the connection to the broker was closed")

    async def _wait_for_end(self) -> bool:
        """Wait for a stop request (False), a module exit (True), or the loss of the broker (raised)."""
        assert self._serving is not None
        waits = [asyncio.create_task(event.wait()) for event in (self._stop, self._exit_seen)]
        try:
            await asyncio.wait([*waits, self._serving], return_when=asyncio.FIRST_COMPLETED)
            crashed = self._exit_seen.is_set() and not self._stop.is_set()
            if crashed:
                await asyncio.wait([self._serving], timeout=BROKER_GRACE_S)
            if self._serving.done():
                self._raise_loss()
            return crashed
        finally:
            for task in waits:
                task.cancel()

    def _module_exited(self, exited: ModuleExited) -> None:
        assert self._round is not None
        self._round.exits.append(exited)
        self._exit_seen.set()

    # --- ready ---

    def _module_ready(self, module_id: str) -> None:
        """A module reported ready: fifo lines and global ready in the order of bus 2.7."""
        current = self._round
        if current is None or current.stopping or self._stop.is_set():
            return
        current.ready.add(module_id)
        logger.info("module %s is ready (%d of %d)", module_id, len(current.ready), len(current.expected))
        if current.standalone and len(current.ready) == len(current.expected) - len(current.standalone):
            self._fifo.event(Event.WaitingForStandaloneModules)
            logger.info("waiting for standalone modules: %s", ", ".join(sorted(current.expected - current.ready)))
        if current.ready >= current.expected:
            self._all_ready(current)

    def _all_ready(self, current: _Round) -> None:
        if not self._options.retain_topics:
            self._bus.clear_metadata()
        self._fifo.enter(State.Running)
        current.service.running = True
        self._fifo.event(Event.AllModulesStarted)
        self._bus.publish_global_ready()
        logger.info("all modules are ready, the stack is running")
        self.started.set()

    # --- end ---

    async def _ordered_stop(self, current: _Round) -> None:
        """The stop flow of bus 2.8; exits of modules are part of it."""
        if not self._launcher.alive():
            return
        self._fifo.enter(State.ShutdownRequested)
        graceful = self._options.graceful_shutdown and self._bus.dialect is Dialect.B
        if graceful:
            self._bus.publish_shutdown()
            await self._gone(GRACEFUL_S)
        if self._launcher.alive():
            await self._force(timed_out=graceful)
        await self._finish(current, ordered=True)

    async def _crash(self, current: _Round) -> ModuleExited:
        first = current.exits[0]
        logger.critical(
            "module %s ended by itself (%s): stopping all modules",
            current.stack.modules[first.module_id].printable,
            first.reason,
        )
        self._fifo.enter(State.ShutdownRequested)
        self._fifo.enter(State.CrashShutdownInProgress)
        if self._launcher.alive():
            await self._guarded(self._force(timed_out=False))
        await self._guarded(self._finish(current, ordered=False))
        return first

    async def _force(self, *, timed_out: bool) -> None:
        self._fifo.enter(State.ForceTerminating)
        if timed_out:
            self._fifo.event(Event.ForceShutdownTimeout)
        self._launcher.terminate()
        if not await self._gone(TERMINATE_S):
            logger.warning("did not end in %g s, killed: %s", TERMINATE_S, ", ".join(self._launcher.alive()))
            self._launcher.kill()
            await self._gone(TERMINATE_S)

    async def _gone(self, timeout: float) -> bool:
        """Wait until no module is left; False after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._launcher.alive():
                    self._exit_seen.clear()
                    await self._exit_seen.wait()
        except TimeoutError:
            return not self._launcher.alive()
        return True

    async def _finish(self, current: _Round, *, ordered: bool) -> None:
        self._fifo.enter(State.ShutdownFinalizing)
        if ordered and all(exited.status == 0 for exited in current.exits):
            self._fifo.event(Event.AllModulesStoppedClean)
        self._bus.clear_metadata()
        await self._bus.flush()


async def _translated(task: Awaitable[None]) -> None:
    try:
        await task
    except TransportError as error:
        raise BrokerError(str(error)) from error


def report(error: ManagerError) -> None:
    """Say on stderr what ended the manager; config problems line by line."""
    if isinstance(error, ConfigError):
        count = len(error.problems)
        warnings = "".join(f"warning: {text}\n" for text in error.warnings)
        sys.stderr.write(f"everest-manager: {count} problem{'s' if count != 1 else ''} found\n{error}\n{warnings}")
    else:
        sys.stderr.write(f"everest-manager: {error}\n")
