"""The base class of every module, and what module authors may ask the runtime for.

Lives here: `Module`. Its subclass provides implementations and takes connections in its constructor.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from everest.runtime import telemetry, wire
from everest.runtime.bus import ExternalHandler
from everest.runtime.clock import Clock
from everest.runtime.config_access import Verdict
from everest.runtime.context import ModuleContext
from everest.runtime.contract_base import Client, ErrorHandler, Implementation
from everest.runtime.error_state import StateMonitor
from everest.runtime.errors import ApiError
from everest.runtime.model import ConfigEntries, ConfigValue, Mappings, ModuleInfo
from everest.runtime.own_config import ValueHandler
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
        self.config = context.config.values()
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
        return self._context.config.values(implementation_id)

    def on_config_change(self, implementation_id: str | None, parameter: str, handler: ValueHandler) -> None:
        """Be asked about new values of an own parameter that the manifest calls ReadWrite (bus 6.7).

        `implementation_id` None: a parameter of the module. `handler(value)`, plain or async, gets the value in its
        declared type and returns a `Verdict` (`Accepted`, `Rejected`, `RebootRequired`, and a reason) or None for
        accepted; an exception means rejected with its text. What was accepted is what `config` then shows. A
        parameter has one handler, the last one given. Errors: ApiError for an unknown parameter.
        """
        self._context.config.on_change(implementation_id, parameter, handler)

    async def get_config_value(
        self, module_id: str, parameter: str, implementation_id: str | None = None
    ) -> ConfigValue:
        """The present value of any module's parameter. Errors: ConfigAccessError (denied, unknown, no manager)."""
        return await self._context.config.get(module_id, parameter, implementation_id)

    async def set_config_value(
        self, module_id: str, parameter: str, value: ConfigValue, implementation_id: str | None = None
    ) -> Verdict:
        """Set any module's parameter; it is kept for the next start in any case but `Rejected`.

        Returns `Accepted` (in force), `RebootRequired` or `Rejected`, with a reason. Errors: ConfigAccessError.
        """
        return await self._context.config.set(module_id, parameter, value, implementation_id)

    async def get_all_config_values(self) -> dict[str, dict[str, dict[str, ConfigValue]]]:
        """Module id -> scope (`!module` or implementation id) -> parameter -> value, as far as this module may read.

        Errors: ConfigAccessError.
        """
        return await self._context.config.get_all()

    async def get_all_mappings(self) -> dict[str, Mappings | None]:
        """Module id -> its mapping, as far as this module may read. Errors: ConfigAccessError."""
        return await self._context.config.get_mappings()

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

    def mqtt_publish(self, topic: str, payload: str | float, *, retain: bool = False) -> None:
        """Publish text on an external topic; the external prefix is put in front as it is (bus 5).

        Booleans become `true` and `false`, integers decimal text, floats five decimals.
        """
        bus = self._context.bus
        kind = wire.DELIVERY["external"]
        dialect_a = bus.dialect is wire.Dialect.A
        bus.send(
            bus.external_prefix + topic,
            _external_text(payload).encode(),
            qos=0 if dialect_a else kind.qos,
            retain=retain and not dialect_a,
        )

    def mqtt_subscribe(self, topic: str, handler: ExternalHandler) -> Callable[[], None]:
        """Have `handler(topic, payload)` called; `topic` may hold wildcards, the topic handed over keeps the prefix.

        All external handlers of a module run strictly one after the other (bus 7.5). Returns what ends it.
        """
        return self._context.bus.listen_external(topic, handler)

    def telemetry(
        self, category: str, subcategory: str, data: Mapping[str, ConfigValue], *, type: str | None = None
    ) -> None:
        """Publish readings, where the stack has telemetry on and this module a telemetry id; else nothing happens.

        Time, `connector_id` (the telemetry id; reserved) and `type` (the sub category, unless given) are added (bus
        5).
        """
        context = self._context
        kind = subcategory if type is None else type
        telemetry.send(context.bus, context.deployment, self.clock.now(), category, subcategory, kind, data)

    def subscribe_global_errors(self, raised: ErrorHandler, cleared: ErrorHandler) -> None:
        """Follow all errors of the stack. Errors: ApiError unless the manifest says `enable_global_errors: true`."""
        if self._context.global_errors is None:
            raise ApiError(f"module {self.info.id}: the manifest does not say enable_global_errors: true")
        self._context.global_errors.listener.add(raised, cleared)

    @property
    def global_errors_active(self) -> StateMonitor | None:
        """Questions about all errors of the stack; None unless the manifest says `enable_global_errors: true`."""
        found = self._context.global_errors
        return None if found is None else found.listener.errors.monitor

    # --- tasks and the end -------------------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """A task that the module owns: it is cancelled at the end, and an exception that escapes it ends the module."""
        return self._context.bus.start(coroutine, name=f"{self.info.id} {name}")

    def request_exit(self, status: int = 0) -> None:
        """End this module in an orderly way.

        `shutdown` runs, what is queued is sent, the process exits with `status`.
        """
        self._context.request_exit(status)


def _external_text(value: str | float) -> str:
    """Bus 5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.5f}" if isinstance(value, float) else str(value)
