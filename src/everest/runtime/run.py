"""The life of one module on one transport, from connecting to its exit status.

Lives here: `run_module`, used by `launch` (one module per process), the in-process manager and tests alike.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from everest.runtime import wire
from everest.runtime.bus import Bus
from everest.runtime.clock import Clock, SystemClock
from everest.runtime.connection import Connection
from everest.runtime.context import ModuleContext
from everest.runtime.errors import ApiError, BrokerLost, ModuleCrashed, Shutdown, StartupError, TransportError
from everest.runtime.global_errors import GlobalErrors
from everest.runtime.inspection import Inspector
from everest.runtime.loader import load_module_class
from everest.runtime.logs import module_label
from everest.runtime.model import Deployment
from everest.runtime.module import Module
from everest.runtime.startup import retrieve
from everest.runtime.topics import Topics, with_slash
from everest.runtime.transport import Transport
from everest.runtime.wire import Dialect

logger = logging.getLogger(__name__)

ModuleSource: TypeAlias = Callable[[ModuleContext], Module] | Path

REPORT_DEVIATIONS = "EV_REPORT_DEVIATIONS"
"""Environment variable; `0`: what peers send beyond their definitions is taken as ever, but not named in the log."""
BROKER_WATCHED = "EVEREST_BROKER_WATCHED"
"""Environment variable, set by our manager: the broker whose loss the manager tells, so that its modules need not."""
FAREWELL_TIMEOUT = 3.0
"""Seconds for `Module.shutdown` and for sending what is queued; the manager kills after 5 (bus 2.8)."""


async def run_module(
    module: ModuleSource,
    *,
    module_id: str,
    transport: Transport,
    prefix: str = "everest/",
    external_prefix: str = "",
    dialect: Dialect = Dialect.B,
    clock: Clock | None = None,
    created: Callable[[Module], None] = lambda module: None,
) -> int:
    """Run one module until it ends and return its exit status, as its process would have it.

    `module` is the module's class (or whatever makes the instance) or its folder (`modules/System`); `transport` is a
    fresh one, connected and closed here. Does everything a process does: connects, requests its configuration and
    metadata over the transport (bus 2.3), publishes metadata, runs `init`, reports ready, waits for global ready.
    `created` is called with the new instance.

    Returns 0 after a graceful shutdown, the status of `request_exit`, or 1 after a crash, a lost or refusing broker
    or a failed start; the reason is logged, nothing but cancellation is raised. Cancelling is what SIGTERM is to a
    process: `shutdown` runs (3 s at most), nothing is sent any more, the transport is closed.
    """
    run = ModuleRun(module, module_id, transport, prefix, external_prefix, dialect, clock or SystemClock(), created)
    return await run.run()


class ModuleRun:
    """State of one run; see `run_module`."""

    def __init__(
        self,
        source: ModuleSource,
        module_id: str,
        transport: Transport,
        prefix: str,
        external_prefix: str,
        dialect: Dialect,
        clock: Clock,
        created: Callable[[Module], None],
    ) -> None:
        self._source = source
        self._id = module_id
        self._clock = clock
        self._created = created
        self._transport = transport
        self.failure: BaseException | None = None
        self._module: Module | None = None
        self._outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reported_ready = False
        self._started = False
        self._ending = False
        self._quiet = False
        self._farewell: asyncio.Task[None] | None = None
        topics = Topics(with_slash(prefix))
        self._bus = Bus(
            transport, topics, module_id, external_prefix=external_prefix, dialect=dialect, failed=self._failed
        )

    async def run(self) -> int:
        """See `run_module`."""
        module_label.set(self._id)
        try:
            return await self._live()
        except asyncio.CancelledError:
            await self._end_quietly()
            raise
        finally:
            if not self._outcome.cancel() and not self._outcome.cancelled():
                self._outcome.exception()
            await self._bus.stop()
            await self._transport.close()

    async def _live(self) -> int:
        """Connect, start, wait for the end; every failure becomes a log entry and status 1."""
        try:
            await self._transport.connect()
            self._bus.start(self._bus.read(), name=f"{self._id} reader")
            self._bus.start(self._start(), name=f"{self._id} start")
            return await asyncio.shield(self._outcome)
        except ModuleCrashed as crash:
            self.failure = crash.__cause__
            logger.critical("module %s ends: %s", self._id, crash, exc_info=crash.__cause__)
            await self._within_limit("sending what is queued", self._bus.flush)
        except (TransportError, StartupError, ApiError) as error:
            self.failure = error
            level = logging.DEBUG if await self._told_by_the_manager(error) else logging.CRITICAL
            logger.log(level, "module %s ends: %s", self._id, error)
        return 1

    async def _told_by_the_manager(self, error: Exception) -> bool:
        """Whether the manager loses the same broker and says so. What this module alone has lost is its own to tell."""
        watched, transport = os.environ.get(BROKER_WATCHED), self._transport
        if not isinstance(error, BrokerLost) or watched != getattr(transport, "address", ""):
            return False
        gone: Callable[[], Awaitable[bool]] | None = getattr(transport, "broker_is_gone", None)
        return gone is not None and await gone()

    def _failed(self, error: BaseException, place: str) -> None:
        """A handler or task raised: the module ends, with the first failure as the reason."""
        if self._ending and _is_shutdown(error):
            logger.debug("module %s, while ending: %s: %r", self._id, place, error)
            return
        if self._outcome.done() or self._quiet:
            if not isinstance(error, TransportError):
                logger.error("module %s, while ending: %s: %r", self._id, place, error, exc_info=error)
            return
        clear = isinstance(error, TransportError | StartupError)
        if clear or (isinstance(error, ApiError) and not self._reported_ready):
            self._outcome.set_exception(error)
            return
        crash = ModuleCrashed(place)
        crash.__cause__ = error
        self._outcome.set_exception(crash)

    # --- start -------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Step 6 of bus 2.2."""
        deployment = await retrieve(self._bus)
        context = self._context(deployment)
        self._follow(context)
        await self._bus.settled()
        self._publish_metadata(deployment)
        module = self._create(context)
        context.check_provided()
        for provider in context.providers.values():
            provider.serve()
        await self._bus.settled()
        await module.init()
        await self._bus.settled()
        self._reported_ready = True
        self._bus.publish("module_ready", self._bus.topics.module_ready(self._id), wire.build_module_ready())

    def _context(self, deployment: Deployment) -> ModuleContext:
        context = ModuleContext(deployment, self._bus, self._clock, self._request_exit)
        if deployment.settings.validate_schema:
            from everest.runtime.validation import Validator

            context.validator = Validator(deployment.interfaces, deployment.types)
        elif os.environ.get(REPORT_DEVIATIONS) != "0":
            context.inspector = Inspector(deployment, self._bus.deviations)
        for requirement, fulfillments in deployment.configuration.connections.items():
            if requirement in deployment.manifest.requires:
                context.connections[requirement] = [Connection(context, item) for item in fulfillments]
        if deployment.manifest.enable_global_errors:
            context.global_errors = GlobalErrors(context)
        return context

    def _follow(self, context: ModuleContext) -> None:
        """Subscribe what every module hears: ready, shutdown, errors of connected requirements."""
        self._bus.on_global_ready = self._global_ready
        self._bus.on_shutdown = self._shutdown_requested
        self._bus.subscribe(self._bus.topics.global_ready)
        self._bus.subscribe(self._bus.topics.shutdown)
        for connections in context.connections.values():
            for connection in connections:
                connection.follow_errors()
        if context.global_errors is not None:
            context.global_errors.follow()

    def _publish_metadata(self, deployment: Deployment) -> None:
        provides = {name: item.interface for name, item in deployment.manifest.provides.items()}
        payload = wire.build_module_metadata(deployment.configuration.module_name, provides, dialect=self._bus.dialect)
        self._bus.publish("module_metadata", self._bus.topics.metadata(self._id), payload)

    def _create(self, context: ModuleContext) -> Module:
        source = self._source
        make = load_module_class(source) if isinstance(source, Path) else source
        try:
            self._module = make(context)
        except TypeError as error:
            if "abstract" not in str(error):
                raise
            raise StartupError(f"module {self._id} lacks commands of its interfaces: {error}") from error
        self._created(self._module)
        return self._module

    def _global_ready(self) -> None:
        if not self._reported_ready:
            logger.debug("global ready before this module reported ready; ignored")
        elif self._started:
            logger.warning("global ready again; this module is ready already")
        elif self._module is not None and not self._ending:
            self._started = True
            self._bus.start(self._module.ready(), name=f"{self._id} ready handler")

    # --- end ---------------------------------------------------------------------------------------------------------

    def _request_exit(self, status: int) -> None:
        self._end("exit requested", status)

    def _shutdown_requested(self) -> None:
        self._end("shutdown received", 0)

    def _end(self, why: str, status: int) -> None:
        if self._ending:
            return
        self._ending = True
        logger.info("module %s: %s", self._id, why)
        self._farewell = self._bus.start(self._end_orderly(status), name=f"{self._id} shutdown handler")

    async def _end_orderly(self, status: int) -> None:
        """Bus 2.4: the handler runs with commands still working, then calls fail, then the module disconnects."""
        if self._module is not None:
            await self._module.shutdown()
        self._bus.shut_down()
        await self._within_limit("sending what is queued", self._bus.flush)
        if not self._outcome.done():
            self._outcome.set_result(status)

    async def _end_quietly(self) -> None:
        """As SIGTERM ends a module: no further bus messages, the handler has a few seconds."""
        farewell, self._ending, self._quiet = self._farewell, True, True
        self._bus.mute()
        if farewell is not None:
            await self._within_limit("the shutdown handler", lambda: asyncio.wait_for(farewell, None))
        elif self._module is not None:
            await self._within_limit("the shutdown handler", self._module.shutdown)

    async def _within_limit(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        """Best effort at the end of a life: what fails is logged, the end goes on.

        In a task of its own: this one has been cancelled, and before Python 3.11.3 `asyncio.timeout` takes its own
        cancellation for that earlier one.
        """

        async def act() -> None:
            await action()

        task = asyncio.create_task(act(), name=f"{self._id} {what}")
        try:
            done, _ = await asyncio.wait({task}, timeout=FAREWELL_TIMEOUT)
        finally:
            task.cancel()
        if not done:
            logger.warning("module %s: %s took longer than %g s", self._id, what, FAREWELL_TIMEOUT)
            await asyncio.gather(task, return_exceptions=True)
        elif not task.cancelled() and (error := task.exception()) is not None:
            logger.error("module %s: %s failed: %r", self._id, what, error)


def _is_shutdown(error: BaseException) -> bool:
    """A call that failed because this module ends, as the handler that made it passes it on."""
    return isinstance(error, Shutdown) or isinstance(error.__cause__, Shutdown)
