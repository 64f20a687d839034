"""What the interfaces and types of the bus allow, in the form of schemas.py: the types that are named are put in.

Lives here: `Face` (one implementation of a module: its variables, commands and errors), `faces` of a stack, `Types`
(the type files of an installation). Which of it steps name is in names.py.
May not be imported here: modules, their generated contracts (a stack may have interfaces of its own).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from everest.manager.model import Stack
from everest.runtime.yaml_file import YamlError, load
from everest.scenario.schemas import Schema

ANYTHING: Schema = {}


@dataclass(frozen=True)
class Command:
    """`result` is None where nothing comes back. All arguments are needed (bus 3.4)."""

    arguments: Mapping[str, Schema]
    result: Schema | None


@dataclass(frozen=True)
class Face:
    """One implementation as the bus sees it."""

    variables: Mapping[str, Schema]
    commands: Mapping[str, Command]
    errors: frozenset[str]
    """`namespace/Name`."""


@dataclass
class Types:
    """The type files of a folder, read as they are needed. A type that is not there allows anything: whoever checks
    contracts says so."""

    folder: Path
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)
    _files: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def resolved(self, schema: Any) -> Any:
        """With the types in place of their names (`$ref`), beside which nothing counts. A type may hold itself."""
        if isinstance(schema, Mapping):
            if isinstance(name := schema.get("$ref"), str):
                return self._named(name)
            return {key: self.resolved(item) for key, item in schema.items()}
        return [self.resolved(item) for item in schema] if isinstance(schema, list) else schema

    def _named(self, name: str) -> dict[str, Any]:
        """`/evse_manager#/SessionEvent`."""
        if name not in self._resolved:
            found = self._resolved[name] = {}
            file, _, type_name = name.partition("#/")
            found.update(self.resolved(self._file(file).get(type_name, ANYTHING)))
        return self._resolved[name]

    def _file(self, name: str) -> Mapping[str, Any]:
        if name not in self._files:
            try:
                data = load(self.folder / f"{name.removeprefix('/')}.yaml").data
            except YamlError:
                data = None
            self._files[name] = (data.get("types") if isinstance(data, dict) else None) or {}
        return self._files[name]


types_of = cache(Types)
"""Of a folder, read once."""


def faces(stack: Stack) -> dict[str, dict[str, Face]]:
    """Module id -> implementation id -> what it is on the bus."""
    types = types_of(stack.settings.layout.types_dir)
    return {
        module.id: {
            name: _face(types, stack.interfaces[provided.interface])
            for name, provided in stack.manifests[module.name].provides.items()
            if provided.interface in stack.interfaces
        }
        for module in stack.modules.values()
    }


def _face(types: Types, interface: Mapping[str, Any]) -> Face:
    """Of an interface in its distributed form (bus 6.4)."""
    return Face(
        variables={name: types.resolved(schema) for name, schema in interface["vars"].items()},
        commands={
            name: Command(
                {argument: types.resolved(schema) for argument, schema in command["arguments"].items()},
                None if command["result"].get("type") == "null" else types.resolved(command["result"]),
            )
            for name, command in interface["cmds"].items()
        },
        errors=frozenset(
            f"{namespace}/{error}" for namespace, declared in interface.get("errors", {}).items() for error in declared
        ),
    )
