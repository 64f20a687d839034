"""The `error` sub-module of EVerest's binding (bus 7.3): errors as scripts make, raise and receive them.

Lives here: the public classes, and `sent`/`received` between them and the runtime's `Error`.
May not be imported here: the rest of the framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import IntEnum
from typing import Any, overload

from everest.runtime import clock, error_state
from everest.runtime.model import Mapping as StationMapping


class Severity(IntEnum):
    """How bad an error is."""

    Low = 0
    Medium = 1
    High = 2


class State(IntEnum):
    """Whether an error is there."""

    Active = 0
    ClearedByModule = 1
    ClearedByReboot = 2


Low, Medium, High = Severity
Active, ClearedByModule, ClearedByReboot = State


class UUID:
    """A random one, or the given text; `uuid` is the text."""

    @overload
    def __init__(self, /) -> None: ...
    @overload
    def __init__(self, uuid: str, /) -> None: ...
    def __init__(self, uuid: str | None = None, /) -> None:
        self.uuid = clock.new_uuid() if uuid is None else uuid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UUID) and self.uuid == other.uuid

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __str__(self) -> str:
        return self.uuid

    def __repr__(self) -> str:
        return f"UUID({self.uuid!r})"


class Mapping:
    """Where something sits: EVSE number and, where known, connector number."""

    def __init__(self, evse: int, connector: int | None = None) -> None:
        self.evse = evse
        self.connector = connector

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and (self.evse, self.connector) == (other.evse, other.connector)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Mapping({self.evse}, {self.connector})"


class ImplementationIdentifier:
    """The implementation an error belongs to."""

    def __init__(self, module_id: str, implementation_id: str, mapping: Mapping | None = None, /) -> None:
        self.module_id = module_id
        self.implementation_id = implementation_id
        self.mapping = mapping

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImplementationIdentifier) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ImplementationIdentifier({self.module_id!r}, {self.implementation_id!r}, {self.mapping!r})"


class Error:
    """One error; all attributes may be changed until it is raised. `timestamp` is an aware datetime in UTC."""

    def __init__(self) -> None:
        self.type = "NotValidType"
        self.sub_type = ""
        self.description = "no description provided"
        self.message = "no message provided"
        self.severity = Severity.Low
        self.origin = ImplementationIdentifier("no-module-id-provided", "no-implementation-id-provided", None)
        self.timestamp: datetime | str = clock.SystemClock().now()
        self.uuid = UUID()
        self.state = State.Active
        self._vendor_id = "everest"

    def __repr__(self) -> str:
        return f"<Error {self.type} {self.sub_type!r} {self.severity.name} {self.state.name}: {self.message}>"


class ErrorFactory:
    """Makes errors of one implementation: origin and description filled in (bus 4.3). From `get_error_factory`."""

    def __init__(self, origin: error_state.Origin, descriptions: Callable[[str], str], /) -> None:
        self._origin = origin
        self._description = descriptions

    @overload
    def create_error(self) -> Error: ...
    @overload
    def create_error(self, type: str, sub_type: str, message: str, /) -> Error: ...
    @overload
    def create_error(self, type: str, sub_type: str, message: str, severity: Severity, /) -> Error: ...
    @overload
    def create_error(self, type: str, sub_type: str, message: str, state: State, /) -> Error: ...
    @overload
    def create_error(self, type: str, sub_type: str, message: str, severity: Severity, state: State, /) -> Error: ...
    def create_error(self, *arguments: Any) -> Error:
        """An error of this implementation: nothing said, or type, sub type, message, then severity and/or state."""
        error = Error()
        error.origin = _identifier(self._origin)
        if not arguments:
            return error
        severity, state = _severity_and_state(arguments)
        error.type, error.sub_type, error.message = arguments[:3]
        error.description = self._description(error.type)
        error.severity, error.state = severity, state
        return error


def _severity_and_state(arguments: tuple[Any, ...]) -> tuple[Severity, State]:
    match arguments[3:]:
        case () if len(arguments) == 3:
            return Severity.Low, State.Active
        case (Severity() as severity,):
            return severity, State.Active
        case (State() as state,):
            return Severity.Low, state
        case (Severity() as severity, State() as state):
            return severity, state
    raise TypeError(
        "create_error takes (), (type, sub_type, message), or these and a Severity, a State, or a Severity and a State"
    )


class ErrorStateCondition:
    """Satisfied when the activity of (type, sub_type) equals `active`."""

    def __init__(self, type: str, sub_type: str, active: bool, /) -> None:
        self.type = type
        self.sub_type = sub_type
        self.active = active


class ErrorStateMonitor:
    """Questions about active errors, of an own implementation or of a connection; from `Module`."""

    def __init__(self, monitor: error_state.StateMonitor, ask: Callable[[Callable[[], bool]], bool], /) -> None:
        self._monitor = monitor
        self._ask = ask

    def is_error_active(self, type: str, sub_type: str, /) -> bool:
        """Whether such an error is active now."""
        return self._ask(lambda: self._monitor.is_error_active(type, sub_type))

    def is_condition_satisfied(self, condition: ErrorStateCondition | Iterable[ErrorStateCondition], /) -> bool:
        """One condition, or all of several."""
        several = [condition] if isinstance(condition, ErrorStateCondition) else condition
        asked = [error_state.ErrorCondition(item.type, item.sub_type, item.active) for item in several]
        return self._ask(lambda: self._monitor.is_condition_satisfied(asked))


# --- to and from the runtime -----------------------------------------------------------------------------------------


def sent(error: Error) -> error_state.Error:
    """What goes on the wire. Errors: TypeError when an attribute was set to something unsuitable."""
    for name in ("type", "sub_type", "description", "message"):
        if not isinstance(getattr(error, name), str):
            raise TypeError(f"{name} of an error is text, not {getattr(error, name)!r}")
    stamp, mapping = error.timestamp, error.origin.mapping
    return error_state.Error(
        type=error.type,
        sub_type=error.sub_type,
        message=error.message,
        description=error.description,
        severity=error_state.Severity[Severity(error.severity).name],
        state=error_state.State[State(error.state).name],
        origin=error_state.Origin(
            error.origin.module_id,
            error.origin.implementation_id,
            None if mapping is None else StationMapping(mapping.evse, mapping.connector),
        ),
        timestamp=stamp if isinstance(stamp, str) else clock.timestamp(stamp),
        uuid=error.uuid.uuid,
        vendor_id=error._vendor_id,
    )


def received(error: error_state.Error) -> Error:
    """A received error as callbacks get it; a timestamp that is none stays text."""
    result = Error()
    result.type, result.sub_type = error.type, error.sub_type
    result.description, result.message = error.description, error.message
    result.severity, result.state = Severity[error.severity.name], State[error.state.name]
    result.origin = _identifier(error.origin)
    try:
        result.timestamp = datetime.fromisoformat(error.timestamp)
    except ValueError:
        result.timestamp = error.timestamp
    result.uuid = UUID(error.uuid)
    result._vendor_id = error.vendor_id
    return result


def _identifier(origin: error_state.Origin) -> ImplementationIdentifier:
    mapping = None if origin.mapping is None else Mapping(origin.mapping.evse, origin.mapping.connector)
    return ImplementationIdentifier(origin.module_id, origin.implementation_id, mapping)
