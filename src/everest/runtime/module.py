"""The base class of every module, and what module authors may ask the runtime for.

Lives here: `Module`. Its subclass provides implementations and takes connections in its constructor.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import MappingProxyType
from typing import Any, TypeVar

from everest.runtime import wire
from everest.runtime.bus import ExternalHandler
from everest.runtime.clock import Clock
from everest.runtime.context import ModuleContext
from everest.runtime.contract_base import Client, ErrorHandler, Implementation
from everest.runtime.errors import ApiError
from everest.runtime.model import ConfigEntries, ModuleInfo
from everest.runtime.provider import Provider

C = TypeVar("C", bound=Client)
T = TypeVar("T")


class Module:
    """One EVerest module. Subclass it, name the subclass `module_class` in the package, override what you need.

    Life: constructor (provide, take connections, register handlers), `init`, then everybody is told that the module
    is ready; when all modules are, `ready` runs in a task of its own. Handlers may be plain or async functions;
    messages of one topic come one at a time and in order, those of different topics in parallel (bus 7.5). An
    exception that escapes a handler, `init`, `ready` or a spawned task ends the module with a non-zero status (bus
    7.5).
    """

    info: ModuleInfo
    config: ConfigEntries
    clock: Clock

    def __init__(self, context: ModuleContext) -> None:
        self._context = context
        context.module = self
        self.info = context.deployment.info
        self.config = context.deployment.configuration.module
        self.clock = context.clock

    # --- life, to be overridden --------------------------------------------------------------------------------------

    async def init(self) -> None:
        """Prepare; runs before the module reports ready. Commands of other modules may be called, if they are up."""

    async def ready(self) -> None:
        """Begin the work; runs once, in its own task, when all modules of the stack are ready."""

    async def shutdown(self) -> None:
        """Let go of what you hold; runs on a graceful shutdown and before any other orderly end."""

    # --- configuration -----------------------------------------------------------------------------------------------

    def implementation_config(self, implementation_id: str) -> ConfigEntries:
        """Parameters of one provided implementation, defaults applied. Errors: ApiError for an undeclared one."""
        if implementation_id not in self._context.deployment.manifest.provides:
            raise ApiError(f"module {self.info.id} provides no implementation {implementation_id!r}")
        return self._context.deployment.configuration.implementations.get(implementation_id, MappingProxyType({}))

    # --- provides and requires ---------------------------------------------------------------------------------------

    def provide(self, implementation_id: str, implementation: Implementation) -> None:
        """Put an implementation on the bus under an id of the manifest's `provides`. Errors: ApiError."""
        self._context.providers[implementation_id] = Provider(self._context, implementation_id, implementation)

    def connections(self, requirement_id: str, client: type[C]) -> list[C]:
        """A client per connection of a requirement, in config order. Errors: ApiError (undeclared, other interface)."""
        connections = self._context.connected(requirement_id)
        for connection in connections:
            connection.check_client(client)
        return [client(connection) for connection in connections]

    def connection(self, requirement_id: str, client: type[C]) -> C:
        """The client of a requirement that has exactly one connection. Errors: ApiError when it has not."""
        found = self.connections(requirement_id, client)
        if len(found) != 1:
            raise ApiError(
                f"module {self.info.id} needs exactly one connection of {requirement_id!r}, the configuration has "
                f"{len(found)}"
            )
        return found[0]

    def optional_connection(self, requirement_id: str, client: type[C]) -> C | None:
        """The client of a requirement that has one connection or none. Errors: ApiError when it has more."""
        return self.connection(requirement_id, client) if self._context.connected(requirement_id) else None

    # --- external MQTT and errors of the stack -----------------------------------------------------------------------

    def mqtt_publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish text on an external topic; the external prefix is put in front as it is (bus 5)."""
        bus = self._context.bus
        kind = wire.DELIVERY["external"]
        dialect_a = bus.dialect is wire.Dialect.A
        bus.send(
            bus.external_prefix + topic,
            payload.encode(),
            qos=0 if dialect_a else kind.qos,
            retain=retain and not dialect_a,
        )

    def mqtt_subscribe(self, topic: str, handler: ExternalHandler) -> None:
        """Have `handler(topic, payload)` called; `topic` may hold wildcards, the topic handed over keeps the prefix.

        All external handlers of a module run strictly one after the other (bus 7.5).
        """
        self._context.bus.listen_external(topic, handler)

    def subscribe_global_errors(self, raised: ErrorHandler, cleared: ErrorHandler) -> None:
        """Follow all errors of the stack. Errors: ApiError unless the manifest says `enable_global_errors: true`."""
        if self._context.global_errors is None:
            raise ApiError(f"module {self.info.id}: the manifest does not say enable_global_errors: true")
        self._context.global_errors.listener.add(raised, cleared)

    # --- tasks and the end -------------------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """A task that the module owns: it is cancelled at the end, and an exception that escapes it ends the module."""
        return self._context.bus.start(coroutine, name=f"{self.info.id} {name}")

    def request_exit(self, status: int = 0) -> None:
        """End this module in an orderly way.

        `shutdown` runs, what is queued is sent, the process exits with `status`.
        """
        self._context.request_exit(status)
