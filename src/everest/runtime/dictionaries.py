"""Implementations and clients of interfaces that no code was generated for: JSON values in, JSON values out.

Lives here: `DictImplementation`, `DictClient`. What they know of their interface is what the manager distributes: names
and JSON types count always; with `validate_schema` jsonschema-rs checks the rest (bus 3.4).
May not be imported here: everest.contracts, everest.framework, everest.manager.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from everest.runtime.connection import Connection
from everest.runtime.contract_base import Client, Command, Implementation, VariableHandler
from everest.runtime.errors import ApiError
from everest.runtime.model import CommandDefinition, InterfaceDefinition

CommandHandler: TypeAlias = Callable[[dict[str, Any]], Any]

JSON_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}
"""`type` of a schema -> what a value is decoded into; any other (several types, none) takes what comes."""


def _type(schema: Any) -> Any:
    name = schema.get("type") if isinstance(schema, dict) else None
    return JSON_TYPES.get(name, Any) if isinstance(name, str) else Any


def _result(schema: Mapping[str, Any] | None) -> Any:
    return None if schema is None or schema.get("type", "null") == "null" else _type(schema)


def _command(definition: CommandDefinition) -> Command:
    return Command({name: _type(schema) for name, schema in definition.arguments.items()}, _result(definition.result))


def tables(interface: str, definition: InterfaceDefinition) -> dict[str, Any]:
    """What generated classes carry as class attributes (`contract_base.Contract`)."""
    return {
        "interface": interface,
        "commands": {
            name: Command(
                {argument: _type(schema) for argument, schema in item.arguments.items()}, _result(item.result)
            )
            for name, item in definition.cmds.items()
        },
        "variables": {name: _type(schema) for name, schema in definition.vars.items()},
        "errors": tuple(definition.error_types),
    }


class DictImplementation(Implementation):
    """An implementation of whatever interface the manifest names for its id.

    Its commands are functions given by `implement`, or methods of a subclass, named like the command, which take the
    arguments as keywords. A command without either fails the start of the module.
    """

    interface = ""
    commands: Mapping[str, Command] = {}  # type: ignore[misc]
    variables: Mapping[str, Any] = {}  # type: ignore[misc]
    errors: tuple[str, ...] = ()  # type: ignore[misc]

    def __init__(self, **handlers: CommandHandler) -> None:
        self._handlers = dict(handlers)

    def implement(self, command: str, handler: CommandHandler) -> None:
        """Have `handler(args)`, plain or async, answer a command with a JSON value.

        To be said in the module's constructor; a later word for the same command replaces the first.
        """
        self._handlers[command] = handler

    def publish(self, variable: str, value: Any) -> None:
        """Publish a JSON value. Errors: ApiError for an undeclared variable or a value of another type."""
        self._publish(variable, value)

    def _learn(self, interface: str, definition: InterfaceDefinition) -> None:
        self.__dict__.update(tables(interface, definition))

    def _handler(self, command: str) -> Callable[..., Awaitable[Any]]:
        method = None if hasattr(DictImplementation, command) else getattr(self, command, None)
        if method is None and command not in self._handlers:
            raise ApiError(f"{self.module.info.id}->{self.implementation_id}: command {command!r} has no handler")

        async def serve(**arguments: Any) -> Any:
            given = self._handlers.get(command)
            result = given(arguments) if given is not None else method(**arguments)  # type: ignore[misc]
            return await result if inspect.isawaitable(result) else result

        return serve


class DictClient(Client):
    """A connection of any interface: `Module.connection("store", DictClient)`."""

    interface = ""
    commands: Mapping[str, Command] = {}  # type: ignore[misc]
    variables: Mapping[str, Any] = {}  # type: ignore[misc]
    errors: tuple[str, ...] = ()  # type: ignore[misc]

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        definition = connection.context.deployment.interface(connection.interface)
        self.__dict__.update(tables(connection.interface, definition))

    async def call(self, command: str, args: Mapping[str, Any] | None = None) -> Any:
        """Call a command with JSON values; returns its result, None where it has none.

        Errors: ApiError for an unknown command, or arguments that are not exactly those declared; `CommandError`
        subclasses from the provider.
        """
        arguments = args or {}
        declared = self.commands.get(command)
        if declared is None:
            raise ApiError(f"{self._connection.place}: interface {self.interface!r} has no command {command!r}")
        wrong = set(arguments).symmetric_difference(declared.arguments or {})
        if wrong:
            raise ApiError(f"{self._connection.place}: {command} has other arguments: {', '.join(sorted(wrong))}")
        return await self._call(command, arguments, declared.result)

    def subscribe(self, variable: str, handler: VariableHandler) -> None:
        """Have `handler(value)` called with every value. Errors: ApiError for an undeclared variable."""
        self._subscribe(variable, self.variables.get(variable, Any), handler)
