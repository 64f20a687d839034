"""The module on the bus, on the event loop's side: an everest.runtime module made of blocking callbacks.

Lives here: `Bridge`. Its commands, variables and errors come from the distributed interface definitions at run time;
every callback of the script runs in a thread (bus 7.5), so it may block and call back into the binding.
May not be imported here: everest.contracts, everest.manager.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from everest.framework import error as errors
from everest.framework.values import to_json
from everest.framework.workers import Workers, run_in_thread
from everest.runtime import Client, Command, Error, Implementation, Module, ModuleContext
from everest.runtime.config_access import ConfigAccess, Verdict
from everest.runtime.connection import Connection
from everest.runtime.errors import ApiError
from everest.runtime.model import InterfaceDefinition
from everest.runtime.provider import Provider

logger = logging.getLogger(__name__)

CommandHandler: TypeAlias = Callable[[dict[str, Any]], Any]
ErrorCallback: TypeAlias = Callable[[errors.Error], None]
ChangeCallback: TypeAlias = Callable[[str], dict[str, str]]


class Bridge(Module):
    """One module of a script. All methods run on the event loop.

    `built` is called once the script may go on; the module reports ready when it has said `init_done`.
    """

    def __init__(self, context: ModuleContext, workers: Workers, built: Callable[[Bridge], None]) -> None:
        super().__init__(context)
        self.context = context
        self._workers = workers
        self._built = built
        self._init_done = asyncio.Event()
        self._on_ready: Callable[[], None] | None = None
        self._on_shutdown: Callable[[], None] | None = None
        self._closing = False
        self.config_access = ConfigAccess(context.bus)
        self._implementations = {name: self._provide(name) for name in context.deployment.manifest.provides}
        self._clients = {
            (requirement, connection.fulfillment.index): dictionary_client(connection)
            for requirement, connections in context.connections.items()
            for connection in connections
        }

    def _provide(self, implementation_id: str) -> DictionaryImplementation:
        interface = self.context.deployment.manifest.provides[implementation_id].interface
        definition = self.context.deployment.interface(interface)
        implementation = dictionary_implementation(interface, definition, self._workers)
        self.provide(implementation_id, implementation)
        return implementation

    # --- life --------------------------------------------------------------------------------------------------------

    async def init(self) -> None:
        self._built(self)
        await self._init_done.wait()

    async def ready(self) -> None:
        if self._on_ready is not None:
            await run_in_thread(f"{self.info.id} ready", self._on_ready)

    async def shutdown(self) -> None:
        if self._closing:
            return
        if self._on_shutdown is None:
            logger.warning("module %s has no shutdown handler; it is disconnected all the same", self.info.id)
            return
        await run_in_thread(f"{self.info.id} external", self._on_shutdown)

    def init_done(self, on_ready: Callable[[], None] | None) -> None:
        """Errors: ApiError naming the commands without a handler."""
        missing = [
            f"{name}.{command}"
            for name, implementation in self._implementations.items()
            for command in implementation.missing()
        ]
        if missing:
            raise ApiError(f"module {self.info.id} has no handler for {', '.join(sorted(missing))}")
        if self._init_done.is_set():
            logger.warning("module %s says init_done again", self.info.id)
        self._on_ready = on_ready
        self._init_done.set()

    def set_shutdown_handler(self, callback: Callable[[], None]) -> None:
        self._on_shutdown = callback

    def close(self) -> None:
        """Disconnect without calling the script."""
        self._closing = True
        self.request_exit(0)

    # --- provided ----------------------------------------------------------------------------------------------------

    def implement(self, implementation_id: str, command: str, handler: CommandHandler) -> None:
        """Errors: ApiError for an unknown implementation or command, or a second handler."""
        if implementation_id not in self._implementations:
            raise self._unknown_implementation(implementation_id)
        self._implementations[implementation_id].implement(command, handler)

    def provider(self, implementation_id: str) -> Provider:
        """Errors: ApiError for an implementation that the manifest does not declare."""
        provider = self.context.providers.get(implementation_id)
        if provider is None:
            raise self._unknown_implementation(implementation_id)
        return provider

    def _unknown_implementation(self, implementation_id: str) -> ApiError:
        return ApiError(f"module {self.info.id} provides no implementation {implementation_id!r}")

    # --- required ----------------------------------------------------------------------------------------------------

    def client(self, requirement_id: str, index: int) -> DictionaryClient:
        """Errors: ApiError for a connection of another module."""
        client = self._clients.get((requirement_id, index))
        if client is None:
            raise ApiError(f"module {self.info.id} has no connection {requirement_id}[{index}]")
        return client

    async def subscribe_variable(self, client: DictionaryClient, name: str, callback: Callable[[Any], None]) -> None:
        """Have `callback(value)` called; returns when the broker has confirmed. Errors: ApiError when undeclared."""

        async def hear(value: Any) -> None:
            await self._workers.run(lambda: callback(value))

        client._subscribe(name, Any, hear)
        await self.context.bus.settled()

    def subscribe_error(
        self, client: DictionaryClient, type: str | None, raised: ErrorCallback, cleared: ErrorCallback
    ) -> None:
        """Have errors of one type, or of all declared types, reported. An undeclared type is logged and ignored."""

        def reporter(callback: ErrorCallback) -> Callable[[Error], Awaitable[None]]:
            async def report(error: Error) -> None:
                await self._workers.run(lambda: callback(errors.received(error)))

            return report

        if type is not None and type not in client.errors:
            logger.error("module %s: interface %r declares no error %r; ignored", self.info.id, client.interface, type)
            return
        client.on_error(reporter(raised), reporter(cleared), type=type)

    # --- configuration -----------------------------------------------------------------------------------------------

    async def decide_config_change(self, scope: str, parameter: str, callback: ChangeCallback) -> None:
        """Have `callback(new value)` decide about changes; returns when the broker has confirmed."""

        async def decide(value: str) -> Verdict:
            answer = await self._workers.run(lambda: callback(value))
            status, reason = answer.get("status"), answer.get("reason", "")
            return Verdict(str(status), str(reason))

        self.config_access.on_change(scope, parameter, decide)
        await self.context.bus.settled()


class DictionaryImplementation(Implementation):
    """A provided implementation whose handlers take and return plain values; made by `dictionary_implementation`."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        loop = asyncio.get_running_loop()
        self._handlers: dict[str, asyncio.Future[CommandHandler]] = {
            command: loop.create_future() for command in self.commands
        }

    def implement(self, command: str, handler: CommandHandler) -> None:
        """Errors: ApiError for an unknown command or a second handler."""
        waiting = self._handlers.get(command)
        place = f"{self.module.info.id}->{self.implementation_id}"
        if waiting is None:
            raise ApiError(f"interface {self.interface!r} of {place} has no command {command!r}")
        if waiting.done():
            raise ApiError(f"command {command!r} of {place} has a handler already")
        waiting.set_result(handler)

    def missing(self) -> list[str]:
        """Commands without a handler."""
        return [command for command, waiting in self._handlers.items() if not waiting.done()]

    def _handler(self, command: str) -> Callable[..., Awaitable[Any]]:
        """A call that comes before its handler is there waits for it."""

        async def serve(**arguments: Any) -> Any:
            handler = await asyncio.shield(self._handlers[command])
            return await self._workers.run(lambda: to_json(handler(arguments)))

        return serve


def dictionary_implementation(
    interface: str, definition: InterfaceDefinition, workers: Workers
) -> DictionaryImplementation:
    """An implementation of an interface that is known at run time only."""
    made = type("DictionaryImplementation", (DictionaryImplementation,), _tables(interface, definition))
    return cast("DictionaryImplementation", made(workers))


class DictionaryClient(Client):
    """One connection, in plain values; made by `dictionary_client`."""

    async def call(self, command: str, args: dict[str, Any]) -> Any:
        """Call a command with JSON values.

        Errors: ApiError for an unknown command, or (strict mode) wrong arguments; CommandError from the provider.
        """
        if command not in self.commands:
            raise ApiError(f"{self._connection.place}: interface {self.interface!r} has no command {command!r}")
        self._check_names(command, args)
        return await self._call(command, args, Any)

    def _check_names(self, command: str, args: dict[str, Any]) -> None:
        """Bus 3.4: with `validate_schema`, exactly the declared arguments."""
        if self._connection.context.validator is None:
            return
        definition = self._connection.context.deployment.interface(self.interface).cmds[command]
        extra = sorted(set(args) - set(definition.arguments))
        if extra:
            raise ApiError(f"{self._connection.place}: {command} has no argument {', '.join(extra)}")


def dictionary_client(connection: Connection) -> DictionaryClient:
    """A client for a connection whose interface is known at run time only."""
    definition = connection.context.deployment.interface(connection.interface)
    made = type("DictionaryClient", (DictionaryClient,), _tables(connection.interface, definition))
    return cast("DictionaryClient", made(connection))


def _tables(interface: str, definition: InterfaceDefinition) -> dict[str, Any]:
    """The class attributes of `contract_base.Contract`."""
    return {
        "interface": interface,
        "commands": {command: Command(None, Any) for command in definition.cmds},
        "variables": dict.fromkeys(definition.vars, Any),
        "errors": tuple(definition.error_types),
    }
