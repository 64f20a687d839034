"""Errors on the bus: the value, and the stores that decide what is new (bus 4).

Lives here: `Error`, `Severity`, `State`, `Origin`, `ErrorCondition`, `StateMonitor`, `ProviderErrors` (one
implementation), `ReceivedErrors` (one requirement connection, or the whole stack). No I/O: the stores return what is
to be sent or delivered.
May not be imported here: transports, modules, contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw

from everest.runtime.codec import decode
from everest.runtime.model import Mapping


class Severity(StrEnum):
    """How bad an error is; the strings of the wire."""

    Low = "Low"
    Medium = "Medium"
    High = "High"


class State(StrEnum):
    """Whether an error is there; receivers decide by it, not by the kind of message (bus 4.2)."""

    Active = "Active"
    ClearedByModule = "ClearedByModule"
    ClearedByReboot = "ClearedByReboot"


SEVERITIES = {item.value: item for item in Severity}
STATES = {item.value: item for item in State}


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The implementation an error belongs to."""

    module_id: str
    implementation_id: str
    mapping: Mapping | None = None


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """One error, with the ten fields of the wire (bus 4.2). `timestamp`: UTC, milliseconds, `Z`."""

    type: str
    sub_type: str
    message: str
    description: str
    severity: Severity
    state: State
    origin: Origin
    timestamp: str
    uuid: str
    vendor_id: str

    @property
    def active(self) -> bool:
        return self.state is State.Active

    @property
    def key(self) -> tuple[str, str]:
        """What makes an error unique within its implementation: type and sub type."""
        return self.type, self.sub_type


class _Received(msgspec.Struct):
    """An error as peers write it: severity and state may be strings we do not know."""

    type: str
    sub_type: str
    message: str
    description: str
    severity: str
    state: str
    origin: Origin
    timestamp: str
    uuid: str
    vendor_id: str


def read_error(payload: Raw | bytes) -> Error:
    """An error from its JSON; unknown severity is High, unknown state Active (bus 4.2). Errors: PayloadError."""
    received: _Received = decode(payload, _Received)
    values: dict[str, Any] = msgspec.structs.asdict(received)
    values["severity"] = SEVERITIES.get(received.severity, Severity.High)
    values["state"] = STATES.get(received.state, State.Active)
    return Error(**values)


@dataclass(frozen=True)
class ErrorCondition:
    """Satisfied when the activity of (type, sub_type) equals `active`."""

    type: str
    sub_type: str = ""
    active: bool = True


class StateMonitor:
    """Read-only questions about a set of active errors."""

    def __init__(self, active: Callable[[], Iterable[Error]]) -> None:
        self._active = active

    def is_error_active(self, type: str, sub_type: str = "") -> bool:
        """Whether such an error is active now."""
        return any(error.key == (type, sub_type) for error in self._active())

    def is_condition_satisfied(self, conditions: ErrorCondition | Iterable[ErrorCondition]) -> bool:
        """One condition, or all of several."""
        several = [conditions] if isinstance(conditions, ErrorCondition) else conditions
        return all(self.is_error_active(item.type, item.sub_type) == item.active for item in several)

    @property
    def active_errors(self) -> list[Error]:
        """The active errors, oldest first."""
        return list(self._active())


class ProviderErrors:
    """The errors one implementation has raised; unique by type and sub type (bus 4.3)."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str], Error] = {}
        self.monitor = StateMonitor(self._active.values)

    def add(self, error: Error) -> bool:
        """Remember a raised error; False when one of the same type and sub type is active already."""
        if error.key in self._active:
            return False
        self._active[error.key] = error
        return True

    def remove(self, type: str, sub_type: str) -> Error | None:
        """Forget an error; returns the stored one as it is to be sent, or None when it was not active."""
        error = self._active.pop((type, sub_type), None)
        return None if error is None else msgspec.structs.replace(error, state=State.ClearedByModule)

    def remove_all(self, type: str | None = None) -> list[Error]:
        """Forget all errors, or all of one type with any sub type; returns what is to be sent."""
        keys = [key for key in self._active if type is None or key[0] == type]
        return [error for key in keys if (error := self.remove(*key)) is not None]


class ReceivedErrors:
    """The errors of others: of one connection of a requirement, or of the whole stack (bus 4.3)."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str, str, str], Error] = {}
        self.monitor = StateMonitor(self._active.values)

    def accept(self, error: Error) -> bool:
        """Note a received error; False when it says nothing new (raised twice, cleared but not active)."""
        key = (*error.key, error.origin.module_id, error.origin.implementation_id)
        if error.active:
            if key in self._active:
                return False
            self._active[key] = error
            return True
        return self._active.pop(key, None) is not None
