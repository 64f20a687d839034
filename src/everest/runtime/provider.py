"""One provided implementation on the bus: serves its commands, publishes its variables, raises its errors.

Lives here: `Provider`. May not be imported here: contracts, manager.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from everest.runtime import wire
from everest.runtime.clock import new_uuid, timestamp
from everest.runtime.codec import PayloadError, decode, decode_arguments
from everest.runtime.contract_base import Command, Implementation
from everest.runtime.error_state import Error, Origin, ProviderErrors, Severity, State
from everest.runtime.errors import (
    ApiError,
    CommandError,
    HandlerException,
    MessageParsingError,
    SchemaValidationError,
    WireError,
)
from everest.runtime.model import Mapping
from everest.runtime.wire import Envelope, MessageType

if TYPE_CHECKING:
    from everest.runtime.context import ModuleContext

logger = logging.getLogger(__name__)

COMMANDS = frozenset({MessageType.Cmd})


class Provider:
    """Binds an `Implementation` to its id; made by `Module.provide`."""

    def __init__(self, context: ModuleContext, implementation_id: str, implementation: Implementation) -> None:
        self.context = context
        self.implementation_id = implementation_id
        self.implementation = implementation
        self.errors = ProviderErrors()
        self.mapping: Mapping | None = context.deployment.configuration.mappings.of(implementation_id)
        self._declared = self._check()
        implementation._bound = self

    def _check(self) -> dict[str, str]:
        """The implementation fits the manifest and its interface; returns declared error type -> description."""
        manifest = self.context.deployment.manifest
        if self.implementation_id not in manifest.provides:
            raise ApiError(f"{self._name} is provided, but the manifest does not declare it")
        if self.implementation_id in self.context.providers:
            raise ApiError(f"{self._name} is provided twice")
        declared = manifest.provides[self.implementation_id].interface
        self.implementation._learn(declared, self.context.deployment.interface(declared))
        if self.implementation.interface != declared:
            given = self.implementation.interface
            raise ApiError(f"{self._name} is provided with interface {given!r}, but the manifest says {declared!r}")
        definition = self.context.deployment.interface(declared)
        for command in definition.cmds:
            if command not in self.implementation.commands:
                raise ApiError(f"{self._name} does not implement the command {command!r} of interface {declared!r}")
        return definition.error_types or dict.fromkeys(self.implementation.errors, "No description found")

    @property
    def _name(self) -> str:
        return f"{self.context.module_id}->{self.implementation_id}"

    def serve(self) -> None:
        """Subscribe all commands of the interface."""
        for name, command in self.implementation.commands.items():
            topic = self.context.bus.topics.command(self.context.module_id, self.implementation_id, name)
            self.context.bus.listen(topic, COMMANDS, self._server(name, command), f"command {self._name}.{name}")

    def _server(self, name: str, command: Command) -> Callable[[Envelope], Awaitable[None]]:
        method = self.implementation._handler(name)

        async def serve(envelope: Envelope) -> None:
            try:
                request = wire.parse_command(envelope)
            except WireError as error:
                self.context.bus.deviations.warn(error.topic, error.reason)
                return
            await self._answer(name, command, method, request)

        return serve

    async def _answer(
        self, name: str, command: Command, method: Callable[..., Awaitable[Any]], request: wire.CommandRequest
    ) -> None:
        """Run the handler; every path sends exactly one reply (bus 3.2)."""
        try:
            arguments = self._arguments(name, command, request)
            result = await method(**arguments)
            reply = self._result(name, command, request, result)
        except CommandError as error:
            self._reply(name, request, wire.build_command_error(request.id, self.context.module_id, error))
            if isinstance(error, HandlerException):
                self._crash_unless_forwarded(error)
        except Exception as error:
            failure = HandlerException(str(error) or type(error).__name__)
            self._reply(name, request, wire.build_command_error(request.id, self.context.module_id, failure))
            self._crash_unless_forwarded(error)
        else:
            self._reply(name, request, reply)

    def _crash_unless_forwarded(self, error: Exception) -> None:
        """Bus 3.2: an unhandled handler exception ends the provider unless `forward_exceptions` is on."""
        if not self.context.deployment.settings.forward_exceptions:
            raise error
        logger.error("a command handler of %s failed: %r", self._name, error)

    def _arguments(self, name: str, command: Command, request: wire.CommandRequest) -> dict[str, Any]:
        """Errors: SchemaValidationError (strict mode), MessageParsingError (lenient mode)."""
        topic = self.context.bus.topics.command(self.context.module_id, self.implementation_id, name)
        try:
            if self.context.validator is not None:
                self.context.validator.check_arguments(self.implementation.interface, name, request.args)
            values = decode_arguments(name, command.arguments, request.args)
        except SchemaValidationError as error:
            self.context.bus.deviations.warn(topic, str(error))
            raise
        except PayloadError as error:
            self.context.bus.deviations.warn(topic, f"unusable arguments: {error}")
            raise MessageParsingError(f"arguments of {name}: {error}") from None
        if self.context.inspector is not None:
            self.context.inspector.arguments(topic, self.implementation.interface, name, request.args)
        return values

    def _result(self, name: str, command: Command, request: wire.CommandRequest, result: Any) -> bytes:
        """The reply's bytes. Errors: SchemaValidationError (strict mode), TypeError when the handler broke its type."""
        text = wire.encode(result)
        if self.context.validator is not None:
            try:
                self.context.validator.check_result(self.implementation.interface, name, text)
            except SchemaValidationError as error:
                logger.warning("%s.%s: %s", self._name, name, error)
                raise
        try:
            decode(text, command.result)
        except PayloadError as error:
            raise TypeError(f"the handler of {self._name}.{name} returned a wrong result: {error}") from None
        return wire.build_command_result(request.id, self.context.module_id, Raw(text))

    def _reply(self, name: str, request: wire.CommandRequest, payload: bytes) -> None:
        bus = self.context.bus
        topic = bus.topics.command_response(self.context.module_id, self.implementation_id, name, request.origin)
        bus.publish("command_result", topic, payload)

    def publish(self, variable: str, value: Any) -> None:
        """Publish a variable. Errors: ApiError when it is undeclared or its value has another type."""
        if variable not in self.implementation.variables:
            raise ApiError(f"interface {self.implementation.interface!r} has no variable {variable!r}")
        try:
            text = wire.encode(value)
            decode(text, self.implementation.variables[variable])
            if self.context.validator is not None:
                self.context.validator.check_variable(self.implementation.interface, variable, text)
        except (PayloadError, SchemaValidationError, TypeError, ValueError) as error:
            raise ApiError(f"{self._name}.{variable} cannot be published: {error}") from None
        topic = self.context.bus.topics.variable(self.context.module_id, self.implementation_id, variable)
        self.context.bus.publish("variable", topic, wire.build_var(Raw(text)))

    def raise_error(
        self, type: str, sub_type: str, message: str, severity: Severity, description: str | None, vendor_id: str
    ) -> Error:
        """See `Implementation.raise_error` (bus 4.3)."""
        error = Error(
            type=type,
            sub_type=sub_type,
            message=message,
            description=self.describe(type) if description is None else description,
            severity=severity,
            state=State.Active,
            origin=Origin(self.context.module_id, self.implementation_id, self.mapping),
            timestamp=timestamp(self.context.clock.now()),
            uuid=new_uuid(),
            vendor_id=vendor_id,
        )
        self.submit_error(error)
        return error

    def describe(self, type: str) -> str:
        """The declared description of an error type (bus 4.3)."""
        return self._declared.get(type, "No description found")

    def submit_error(self, error: Error) -> None:
        """Raise a complete error, unless its type is undeclared or it is active already."""
        if error.type not in self._declared:
            logger.error("%s raises %r, which its interface does not declare; ignored", self._name, error.type)
        elif not self.errors.add(error):
            logger.debug("%s raises %r again while it is active; ignored", self._name, error.type)
        else:
            self._send_error(error, cleared=False)

    def clear_error(self, type: str, sub_type: str) -> None:
        """See `Implementation.clear_error`."""
        error = self.errors.remove(type, sub_type)
        if error is None:
            logger.debug("%s clears %r, which is not active; ignored", self._name, type)
        else:
            self._send_error(error, cleared=True)

    def clear_all_errors(self, type: str | None) -> None:
        """See `Implementation.clear_all_errors`."""
        for error in self.errors.remove_all(type):
            self._send_error(error, cleared=True)

    def _send_error(self, error: Error, *, cleared: bool) -> None:
        topic = self.context.bus.topics.error(self.context.module_id, self.implementation_id, error.type)
        self.context.bus.publish("error", topic, wire.build_error(error, cleared=cleared))
