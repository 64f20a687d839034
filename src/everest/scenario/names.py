"""What steps say about the bus of a stack, held against its modules and their interfaces: names, fields, values, types.

Lives here: `Names`. What an interface allows is in contracts.py, how a value is held against that in schemas.py.
May not be imported here: modules by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from everest.manager.model import Stack
from everest.manager.problems import one_of
from everest.runtime.errors import COMMAND_ERRORS
from everest.scenario import schemas
from everest.scenario.contracts import ANYTHING, Command, Face, faces
from everest.scenario.model import Mistake
from everest.scenario.schemas import Schema
from everest.scenario.stack import evses

EVENT = "session_event"
"""The variable that steps call an event, and in it the member with its name."""
OF_AN_EVSE = frozenset({"car", "evse", "fault", "clear"})
"""Steps that are about a connector also where they do not say which: then it is 1."""
RAW = "raw"
"""`arguments: {raw: ...}` are sent as they are."""
FAILURE: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string", "enum": list(COMMAND_ERRORS)}, "message": {"type": "string"}},
}
"""What a command that fails gives back (bus 3.2)."""
NOTHING: Schema = {"type": "object", "properties": {}}

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Names:
    """What steps may say about a stack."""

    connectors: Mapping[int, str]
    """Connector -> module id of its EVSE."""
    modules: Mapping[str, Mapping[str, Face]]
    """Module id -> implementation id -> what it is on the bus."""

    @classmethod
    def of(cls, stack: Stack) -> Names:
        return cls(evses(stack), faces(stack))

    def mistakes(self, kind: str, value: Any, options: Options) -> Iterator[Mistake]:
        """What of a step the stack has not. Value and options have the form that steps.py wants."""
        yield from self._connector(kind, options)
        if not isinstance(value, str) or value.startswith("$"):
            return
        match kind:
            case "variable":
                yield from self._variable(value, options)
            case "call":
                yield from self._call(value, options)
            case "event":
                yield from self._event(value, options)
            case "error":
                yield from self._error(value, options)

    def _connector(self, kind: str, options: Options) -> Iterator[Mistake]:
        number = options.get("connector", 1)
        said = "connector" in options
        if isinstance(number, int) and number not in self.connectors and (said or kind in OF_AN_EVSE):
            known = (
                f"there are: {', '.join(map(str, sorted(self.connectors)))}" if self.connectors else "there are none"
            )
            place, fix = ("connector", known) if said else (kind, f"write `connector: ...`; {known}")
            yield Mistake((place,), f"there is no connector {number}", fix)

    def _faces(self, options: Options) -> Iterator[Face]:
        """Of the EVSE that a step names, else of all modules."""
        module = self.connectors.get(options.get("connector", 0))
        for implementations in [self.modules[module]] if module is not None else self.modules.values():
            yield from implementations.values()

    # --- what modules say ------------------------------------------------------------------------------------------

    def _variable(self, place: str, options: Options) -> Iterator[Mistake]:
        module, implementation, name = place.split("/")
        face = self._face("variable", module, implementation)
        if isinstance(face, Mistake):
            yield face
        elif name not in face.variables:
            text = f'{module}/{implementation} has no variable "{name}"'
            yield Mistake(("variable",), text, one_of(face.variables, name))
        else:
            yield from _said(as_object(face.variables[name]), place, options)

    def _event(self, name: str, options: Options) -> Iterator[Mistake]:
        schema = next((face.variables[EVENT] for face in self._faces(options) if EVENT in face.variables), None)
        if schema is None:
            yield Mistake(("event",), "no module of the station has session events", "name another `station.config`")
            return
        known = schemas.properties(schema).get("event", {}).get("enum", ())
        if known and name not in known:
            yield Mistake(("event",), f'the station has no event "{name}"', one_of(known, name))
        yield from _said(schema, "a session event", options)

    def _error(self, name: str, options: Options) -> Iterator[Mistake]:
        known = {error for face in self._faces(options) for error in face.errors}
        if name not in known:
            who = self.connectors.get(options.get("connector", 0), "the station")
            yield Mistake(("error",), f'{who} has no error "{name}"', one_of(known, name))

    def _face(self, kind: str, module: str, implementation: str) -> Face | Mistake:
        implementations = self.modules.get(module)
        if implementations is None:
            return Mistake((kind,), f'the station has no module "{module}"', one_of(self.modules, module))
        face = implementations.get(implementation)
        text = f'{module} has no implementation "{implementation}"'
        return face or Mistake((kind,), text, one_of(implementations, implementation))

    # --- what is asked of them -------------------------------------------------------------------------------------

    def _call(self, place: str, options: Options) -> Iterator[Mistake]:
        module, implementation, name = place.split("/")
        face = self._face("call", module, implementation)
        if isinstance(face, Mistake):
            yield face
        elif name not in face.commands:
            text = f'{module}/{implementation} has no command "{name}"'
            yield Mistake(("call",), text, one_of(face.commands, name))
        else:
            yield from _arguments(face.commands[name], name, options.get("arguments", {}))
            yield from _result(face.commands[name], name, options)


def as_object(schema: Schema) -> Schema:
    """A value that is no object is called `value`; one that may or may not be an object can have any fields."""
    kind = schema.get("type", "object")
    if isinstance(kind, list) and "object" in kind:
        return ANYTHING
    return schema if kind == "object" else {"type": "object", "properties": {"value": schema}}


def _said(schema: Schema, name: str, options: Options) -> Iterator[Mistake]:
    yield from schemas.fits(schema, options.get("with", {}), ("with",), name)
    yield from schemas.saves(options, name, schema)


def _arguments(command: Command, name: str, told: Mapping[str, Any]) -> Iterator[Mistake]:
    if told.keys() == {RAW}:
        return
    for argument, value in told.items():
        if argument in command.arguments:
            yield from schemas.sent(command.arguments[argument], value, ("arguments", argument), argument)
        else:
            text = f'{name} has no argument "{argument}"'
            yield Mistake(("arguments", argument), text, one_of(command.arguments, argument))
    for argument in command.arguments:
        if argument not in told:
            yield Mistake(("arguments",), f'{name} needs the argument "{argument}"', f"write `{argument}: ...`")


def _result(command: Command, name: str, options: Options) -> Iterator[Mistake]:
    """What is expected to come back: a result, or `{error: ...}`."""
    expected = options.get("result")
    result = NOTHING if command.result is None else command.result
    if isinstance(expected, dict) and "error" in expected and not schemas.has(result, "error"):
        yield from schemas.fits(FAILURE, expected, ("result",), f"a failure of {name}")
        yield from schemas.saves(options, f"a failure of {name}", FAILURE)
        return
    if command.result is None:
        if expected is not None:
            yield Mistake(("result",), f"{name} gives nothing back", "remove it, or await `{error: ...}`")
    elif "result" in options:
        yield from schemas.fits(result, expected, ("result",), f"the result of {name}")
    yield from schemas.saves(options, f"the result of {name}", as_object(result))
