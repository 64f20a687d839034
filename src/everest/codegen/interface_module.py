"""Writes `everest/contracts/interfaces/<name>.py`: the two classes of an interface and its literal tables (bus 6.4).

What the classes look like is fixed by `everest.runtime.contract_base`; here is only text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from everest.codegen.expressions import BUILTINS, Scope, docstring
from everest.codegen.names import camel, is_name
from everest.codegen.sources import Contracts, error
from everest.codegen.types_module import module_head
from everest.runtime.contract_base import Client, Implementation

_RESERVED = (
    frozenset(dir(Implementation))
    | frozenset(dir(Client))
    | BUILTINS
    | {"interface", "commands", "variables", "errors", "module", "mapping", "module_id", "implementation_id"}
)


@dataclass(frozen=True)
class _Command:
    name: str
    description: str
    arguments: dict[str, str]
    result: str  # "None" for a command without result


@dataclass(frozen=True)
class _Variable:
    name: str
    description: str
    type: str


@dataclass(frozen=True)
class _Interface:
    name: str
    description: str
    commands: list[_Command] = field(default_factory=list)
    variables: list[_Variable] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def render_interface(contracts: Contracts, name: str) -> str:
    """Return the source text of the module for `interfaces/<name>.yaml`."""
    document = contracts.interfaces[name]
    scope = Scope(contracts, document, None)
    interface = _read(scope, name, contracts.error_types(document))
    head, tables = _head(scope, interface), _tables(interface)
    parts = [head, *scope.classes.values(), tables, _implementation(interface), _client(interface)]
    return "\n\n\n".join(part.rstrip() for part in parts) + "\n"


def _read(scope: Scope, name: str, errors: list[str]) -> _Interface:
    data = scope.document.data
    commands = [_command(scope, key, entry or {}) for key, entry in (data.get("cmds") or {}).items()]
    variables = [_variable(scope, key, entry) for key, entry in (data.get("vars") or {}).items()]
    interface = _Interface(name, str(data.get("description", name)), commands, variables, errors)
    _refuse_collisions(scope, interface)
    return interface


def _command(scope: Scope, name: str, entry: dict[str, Any]) -> _Command:
    arguments: dict[str, str] = {}
    for key, schema in (entry.get("arguments") or {}).items():
        path = ("cmds", name, "arguments", key)
        if not is_name(key) or key == "self" or key.startswith("_"):
            raise error(scope.document, path, "this argument name cannot be a Python parameter")
        arguments[key] = scope.expression(schema, camel(name) + camel(key), path)
    result = "None"
    if entry.get("result") is not None:
        result = scope.expression(entry["result"], f"{camel(name)}Result", ("cmds", name, "result"))
    return _Command(name, str(entry.get("description", "")), arguments, result)


def _variable(scope: Scope, name: str, schema: Any) -> _Variable:
    expression = scope.expression(schema, camel(name), ("vars", name))
    return _Variable(name, str(schema.get("description", "")), expression)


def _refuse_collisions(scope: Scope, interface: _Interface) -> None:
    """Commands and variables become methods: none may hide another or a name of the base classes."""
    methods = {f"publish_{one.name}" for one in interface.variables} | {f"on_{one.name}" for one in interface.variables}
    for one in interface.variables:
        if not is_name(f"on_{one.name}") or {f"on_{one.name}", f"publish_{one.name}"} & _RESERVED:
            raise error(scope.document, ("vars", one.name), "this name cannot be part of a Python method name")
    for command in interface.commands:
        if not is_name(command.name) or command.name.startswith("_") or command.name in _RESERVED | methods:
            raise error(scope.document, ("cmds", command.name), "this name cannot be a Python method here")


def _head(scope: Scope, interface: _Interface) -> str:
    handlers = ["Awaitable", "Callable"] if interface.variables else []
    typing = sorted({"Any"} | ({"Literal"} & scope.uses))
    standard = ["import enum"] if "enum" in scope.uses else []
    standard += ["from abc import abstractmethod"] if interface.commands else []
    standard.append(f"from collections.abc import {', '.join([*handlers, 'Mapping'])}")
    standard.append(f"from typing import {', '.join(typing)}")
    base = ["from everest.runtime.contract_base import Client, Command, Implementation"]
    return module_head(interface.description, f"interfaces/{interface.name}.yaml", scope, standard, base)


def _tables(interface: _Interface) -> str:
    lines = [*_table("COMMANDS", "Command", [_command_row(one) for one in interface.commands])]
    lines += _table("VARIABLES", "Any", [f'    "{one.name}": {one.type},' for one in interface.variables])
    errors = [f'    "{one}",' for one in interface.errors]
    lines += ["ERRORS: tuple[str, ...] = (", *errors, ")"] if errors else ["ERRORS: tuple[str, ...] = ()"]
    return "\n".join(lines)


def _table(name: str, kind: str, rows: list[str]) -> list[str]:
    head = f"{name}: Mapping[str, {kind}] = "
    return [head + "{", *rows, "}"] if rows else [head + "{}"]


def _command_row(command: _Command) -> str:
    arguments = ", ".join(f'"{name}": {kind}' for name, kind in command.arguments.items())
    return f'    "{command.name}": Command({{{arguments}}}, {command.result}),'


def _class(interface: _Interface, side: str, description: str) -> list[str]:
    return [
        f"class {camel(interface.name)}{side}({side}):",
        *docstring(description, 4),
        f'    interface = "{interface.name}"',
        "    commands = COMMANDS",
        "    variables = VARIABLES",
        "    errors = ERRORS",
    ]


def _implementation(interface: _Interface) -> str:
    lines = _class(interface, "Implementation", f"{interface.description.rstrip('.')}: what a provider implements.")
    for command in interface.commands:
        lines += ["", "    @abstractmethod", _signature(command), *docstring(command.description, 8, one_line=True)]
        if not command.description:
            lines.append("        ...")
    for variable in interface.variables:
        lines += ["", f"    def publish_{variable.name}(self, value: {variable.type}) -> None:"]
        lines += docstring(variable.description, 8, one_line=True)
        lines.append(f'        self._publish("{variable.name}", value)')
    return "\n".join(lines)


def _client(interface: _Interface) -> str:
    lines = _class(interface, "Client", f"{interface.description.rstrip('.')}: what a requirer holds per connection.")
    for command in interface.commands:
        lines += ["", _signature(command), *docstring(command.description, 8, one_line=True)]
        arguments = ", ".join(f'"{name}": {name}' for name in command.arguments)
        call = f'await self._call("{command.name}", {{{arguments}}}, {command.result})'
        if command.result == "None":
            lines.append(f"        {call}")
        else:
            lines += [f"        _reply: {command.result} = {call}", "        return _reply"]
    for variable in interface.variables:
        handler = f"Callable[[{variable.type}], Awaitable[None] | None]"
        lines += ["", f"    def on_{variable.name}(self, handler: {handler}) -> None:"]
        lines += docstring(variable.description, 8, one_line=True)
        lines.append(f'        self._subscribe("{variable.name}", {variable.type}, handler)')
    return "\n".join(lines)


def _signature(command: _Command) -> str:
    arguments = [f"{name}: {kind}" for name, kind in command.arguments.items()]
    one_line = f"    async def {command.name}({', '.join(['self', *arguments])}) -> {command.result}:"
    if len(one_line) <= 120:
        return one_line
    inner = "".join(f"        {argument},\n" for argument in ["self", *arguments])
    return f"    async def {command.name}(\n{inner}    ) -> {command.result}:"
