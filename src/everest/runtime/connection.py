"""One connection of a requirement: calls the provider's commands, hears its variables, follows its errors.

Lives here: `Connection`, made by the runtime for every connection of the configuration, and `ErrorListener`.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from everest.runtime import wire
from everest.runtime.codec import PayloadError, decode
from everest.runtime.contract_base import Client, ErrorHandler, VariableHandler
from everest.runtime.error_state import Error, ReceivedErrors, StateMonitor, read_error
from everest.runtime.errors import ApiError, MessageParsingError, SchemaValidationError, WireError
from everest.runtime.model import Fulfillment
from everest.runtime.wire import Envelope, MessageType

if TYPE_CHECKING:
    from everest.runtime.context import ModuleContext

logger = logging.getLogger(__name__)

VARIABLES = frozenset({MessageType.Var})
ERRORS = frozenset({MessageType.RaiseError, MessageType.ClearError})


class ErrorListener:
    """A store of received errors and the callbacks that follow it (bus 4.3)."""

    def __init__(self, context: ModuleContext, declared: Iterable[str], place: str) -> None:
        self._context = context
        self._place = place
        self.declared = frozenset(declared)
        self.errors = ReceivedErrors()
        self._followed: set[str] = set()
        self._callbacks: list[tuple[str | None, ErrorHandler, ErrorHandler]] = []

    def follow(self, topic_filter: str) -> None:
        """Subscribe one error topic (or a filter of them); once."""
        if topic_filter in self._followed:
            return
        self._followed.add(topic_filter)
        self._context.bus.listen(topic_filter, ERRORS, self._received, f"error handler of {self._place}")

    def add(self, raised: ErrorHandler, cleared: ErrorHandler, type: str | None = None) -> None:
        """Have accepted events reported. Errors: ApiError for a type that is not declared."""
        if type is not None and type not in self.declared:
            raise ApiError(f"{self._place}: the interface declares no error {type!r}")
        self._callbacks.append((type, raised, cleared))

    async def _received(self, envelope: Envelope) -> None:
        try:
            error = read_error(envelope.data)
        except PayloadError as problem:
            self._context.bus.deviations.warn(envelope.topic, f"unusable {envelope.name}: {problem}")
            return
        if error.type not in self.declared:
            self._context.bus.deviations.warn(envelope.topic, f"undeclared error type {error.type[:80]!r}")
        elif self.errors.accept(error):
            await self._report(error)
        else:
            logger.debug("%s: %s of %s says nothing new", self._place, envelope.name, error.type)

    async def _report(self, error: Error) -> None:
        for type, raised, cleared in list(self._callbacks):
            if type is None or type == error.type:
                waiting = raised(error) if error.active else cleared(error)
                if waiting is not None:
                    await waiting


class Connection:
    """See the module docstring; shared by all clients of one (requirement, index)."""

    def __init__(self, context: ModuleContext, fulfillment: Fulfillment) -> None:
        self.context = context
        self.fulfillment = fulfillment
        requirement = context.deployment.manifest.requires[fulfillment.requirement_id]
        self.interface = requirement.interface
        self._errors: ErrorListener | None = None
        if not requirement.ignores_errors:
            declared = context.deployment.interface(self.interface).error_types
            self._errors = ErrorListener(context, declared, self.place)

    @property
    def place(self) -> str:
        """How messages name this connection."""
        target = self.fulfillment
        return f"{target.requirement_id}[{target.index}] ({target.module_id}->{target.implementation_id})"

    @property
    def monitor(self) -> StateMonitor | None:
        return None if self._errors is None else self._errors.errors.monitor

    def follow_errors(self) -> None:
        """Subscribe every declared error of the requirement's interface."""
        if self._errors is None:
            return
        target = self.fulfillment
        for error_type in sorted(self._errors.declared):
            self._errors.follow(self.context.bus.topics.error(target.module_id, target.implementation_id, error_type))

    def check_client(self, client: type[Client]) -> None:
        """The client's class fits the requirement (`DictClient` fits any). Errors: ApiError."""
        if client.interface not in ("", self.interface):
            raise ApiError(
                f"requirement {self.fulfillment.requirement_id!r} of module {self.context.module_id} has interface "
                f"{self.interface!r}; {client.__name__} is for {client.interface!r}"
            )
        if self._errors is not None and self.interface not in self.context.deployment.interfaces:
            self._errors.declared |= frozenset(client.errors)
            self.follow_errors()

    def on_error(self, raised: ErrorHandler, cleared: ErrorHandler, type: str | None) -> None:
        """See `Client.on_error`."""
        if self._errors is None:
            raise ApiError(f"{self.place}: the manifest ignores the errors of this requirement")
        self._errors.add(raised, cleared, type)

    async def call(self, client: Client, command: str, arguments: Mapping[str, Any], result: Any) -> Any:
        """Call a command with typed arguments; see `Client._call`."""
        declared = client.commands[command].arguments
        try:
            encoded = {name: Raw(wire.encode(value)) for name, value in arguments.items()}
            if declared is not None:
                for name, value in encoded.items():
                    decode(value, declared[name])
        except (PayloadError, TypeError, ValueError) as error:
            raise ApiError(f"{self.place}: {command} cannot be called: {error}") from None
        if self.context.validator is not None:
            self._check_arguments(command, encoded)
        target = self.fulfillment
        retval = await self.context.bus.call(target.module_id, target.implementation_id, command, encoded)
        if result is None:
            return None
        try:
            value = decode(retval, result)
        except PayloadError as error:
            raise MessageParsingError(f"{self.place}: result of {command}: {error}") from None
        if self.context.inspector is not None:
            topic = self.context.bus.topics.command(target.module_id, target.implementation_id, command)
            self.context.inspector.result(topic, self.interface, command, retval)
        return value

    def _check_arguments(self, command: str, encoded: Mapping[str, Raw]) -> None:
        assert self.context.validator is not None
        try:
            self.context.validator.check_arguments(self.interface, command, Raw(wire.encode(dict(encoded))))
        except SchemaValidationError as error:
            raise ApiError(f"{self.place}: {command} cannot be called: {error}") from None

    def subscribe(self, client: Client, variable: str, type: Any, handler: VariableHandler) -> None:
        """Hear a variable; see `Client._subscribe`. Errors: ApiError for an undeclared one."""
        if variable not in client.variables:
            raise ApiError(f"{self.place}: interface {client.interface!r} has no variable {variable!r}")
        target = self.fulfillment
        topic = self.context.bus.topics.variable(target.module_id, target.implementation_id, variable)
        place = f"handler {getattr(handler, '__qualname__', handler)} of {variable} from {self.place}"
        self.context.bus.listen(topic, VARIABLES, self._hearer(variable, type, handler), place)

    def _hearer(
        self, variable: str, type: Any, handler: VariableHandler
    ) -> Callable[[Envelope], Awaitable[None] | None]:
        def hear(envelope: Envelope) -> Awaitable[None] | None:
            try:
                text = wire.parse_var(envelope)
                if self.context.validator is not None:
                    self.context.validator.check_variable(self.interface, variable, text)
                value = decode(text, type)
            except (WireError, PayloadError, SchemaValidationError) as error:
                reason = error.reason if isinstance(error, WireError) else str(error)
                self.context.bus.deviations.warn(envelope.topic, f"value dropped: {reason}")
                return None
            if self.context.inspector is not None:
                self.context.inspector.variable(envelope.topic, self.interface, variable, text)
            waiting = handler(value)
            return waiting if inspect.isawaitable(waiting) else None

        return hear
