"""The two bases that generated contract classes stand on, and the tables they carry.

Lives here: `Command`, `Implementation` (provider side), `Client` (requirer side) and the hooks that generated code in
`everest.contracts.interfaces` calls. The generator (`everest.codegen`) writes subclasses of these two and nothing else,
so the names and signatures below are the whole seam between generated code and runtime.
May not be imported here: everest.contracts, everest.framework, everest.manager.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from everest.runtime.error_state import Error, Severity, StateMonitor
from everest.runtime.errors import ApiError

if TYPE_CHECKING:
    from everest.runtime import model
    from everest.runtime.connection import Connection
    from everest.runtime.module import Module
    from everest.runtime.provider import Provider

VariableHandler: TypeAlias = Callable[[Any], Awaitable[None] | None]
ErrorHandler: TypeAlias = Callable[[Error], Awaitable[None] | None]


class Command(NamedTuple):
    """Python types of one command: what msgspec decodes the arguments and the result into.

    `arguments` maps argument name -> type in the order of the interface file; all are mandatory on the wire (bus 6.4).
    None stands for a contract that is known at run time only: whatever comes is passed on as plain JSON values.
    `result` is the type of `retval`; None for a command without a result (`"retval": null`).
    """

    arguments: Mapping[str, Any] | None
    result: Any


class Contract:
    """The tables that both generated classes of an interface share; generated as literals.

    `errors` lists the declared error types as `namespace/Name`.
    """

    interface: ClassVar[str]
    commands: ClassVar[Mapping[str, Command]]
    variables: ClassVar[Mapping[str, Any]]
    errors: ClassVar[tuple[str, ...]]


class Implementation(Contract, ABC):
    """What a provider implements: one abstract async method per command, `publish_<variable>` per variable.

    The runtime calls the method named like the command with the decoded arguments as keywords.
    """

    _bound: Provider | None = None

    @property
    def _provider(self) -> Provider:
        if self._bound is None:
            raise ApiError(f"{type(self).__name__} is used before Module.provide() has put it on the bus")
        return self._bound

    @property
    def module(self) -> Module:
        """The module that provides this implementation; known from `Module.provide` on."""
        return self._provider.context.module

    @property
    def implementation_id(self) -> str:
        """The name under which the module provides it."""
        return self._provider.implementation_id

    @property
    def mapping(self) -> model.Mapping | None:
        """Mapping of the implementation, or else of the module (bus 4.3)."""
        return self._provider.mapping

    @property
    def errors_active(self) -> StateMonitor:
        """Questions about the errors this implementation has raised."""
        return self._provider.errors.monitor

    def raise_error(
        self,
        type: str,
        *,
        sub_type: str = "",
        message: str = "",
        severity: Severity = Severity.Low,
        description: str | None = None,
        vendor_id: str = "everest",
    ) -> Error:
        """Raise an error of a declared type (`namespace/Name`); origin, time and id are filled in (bus 4.3).

        Returns the error. An undeclared type is logged and not sent; one that is active already is not sent again.
        """
        return self._provider.raise_error(type, sub_type, message, severity, description, vendor_id)

    def clear_error(self, type: str, sub_type: str = "") -> None:
        """Clear exactly this error; nothing happens when it is not active."""
        self._provider.clear_error(type, sub_type)

    def clear_all_errors(self, type: str | None = None) -> None:
        """Clear all errors of this implementation, or all of one type; one message each."""
        self._provider.clear_all_errors(type)

    def is_error_active(self, type: str, sub_type: str = "") -> bool:
        """Whether this implementation has such an error active."""
        return self.errors_active.is_error_active(type, sub_type)

    def _learn(self, interface: str, definition: model.InterfaceDefinition) -> None:
        """The runtime tells which interface it stands for; generated classes know."""

    def _handler(self, command: str) -> Callable[..., Awaitable[Any]]:
        """What is called, with the arguments as keywords, when `command` comes in."""
        handler: Callable[..., Awaitable[Any]] = getattr(self, command)
        return handler

    def _publish(self, variable: str, value: Any) -> None:
        """Queue `value` for the variable's topic, in program order; called by the generated `publish_<variable>`.

        Errors: ApiError when the value does not have the declared type; nothing is sent then.
        """
        self._provider.publish(variable, value)


class Client(Contract):
    """What a requirer holds per connection: one async method per command, `on_<variable>` per variable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def module_id(self) -> str:
        """The module at the other end."""
        return self._connection.fulfillment.module_id

    @property
    def implementation_id(self) -> str:
        """The implementation at the other end."""
        return self._connection.fulfillment.implementation_id

    @property
    def mapping(self) -> model.Mapping | None:
        """Mapping of the implementation at the other end, or else of its module."""
        return self._connection.fulfillment.mapping

    @property
    def errors_active(self) -> StateMonitor | None:
        """Questions about the peer's errors; None when the manifest says `ignore.errors: true`."""
        return self._connection.monitor

    def on_error(self, raised: ErrorHandler, cleared: ErrorHandler, *, type: str | None = None) -> None:
        """Have errors of the requirement's interface reported, all of them or those of one type.

        Errors: ApiError when the manifest ignores them, or the type is not declared in the interface.
        """
        self._connection.on_error(raised, cleared, type)

    async def _call(self, command: str, arguments: Mapping[str, Any], result: Any) -> Any:
        """Call `command` at the provider; `arguments` are typed values, the reply is decoded into the type `result`.

        Errors: subclasses of `everest.runtime.CommandError`; ApiError when an argument does not have its declared type.
        """
        return await self._connection.call(self, command, arguments, result)

    def _subscribe(self, variable: str, type: Any, handler: VariableHandler) -> None:
        """Have `handler` called with every value of `variable`, decoded into `type`; handlers may be plain or async."""
        self._connection.subscribe(self, variable, type, handler)
