"""What is known of one configuration key: its type, bounds, access and effect, as a typed object.

The table of all keys is `keys.py`; reading text from the CSMS is `checks.py`.
May import: the standard library. Must not import: anything of ocpp16.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypedDict, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Kind(StrEnum):
    """The JSON type of a value, as JSON Schema names it; `TEXTS` is an array of strings."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "string"
    TEXTS = "array"
    OBJECT = "object"


class Access(StrEnum):
    """From the view of the CSMS (libocpp 1.5)."""

    RO = "RO"
    RW = "RW"
    WO = "WO"


class Effect(StrEnum):
    """When a new value becomes active (libocpp 1.5)."""

    NONE = "-"
    IMMEDIATE = "immediate"
    RESTART = "restart"
    REBOOT_REQUIRED = "RebootRequired"
    RECONNECT = "reconnect"
    NEXT_CONNECT_CYCLE = "next connect cycle"
    NEXT_CSR = "next CSR"
    NEXT_RESET = "next reset"
    NEXT_SWITCH = "next switch"
    FIRST_USE = "first use"


class Facts(TypedDict, total=False):
    """The optional facts of a row, see `Key`."""

    required: bool
    default: Any
    absent: Any
    bounds: tuple[int | None, int | None]
    length: tuple[int | None, int | None]
    unit: str
    separator: str
    meaning: str


@dataclass(frozen=True, slots=True, eq=False)
class Key(Generic[T_co]):
    """One row. `configuration[key]` is a T: the value if present, else the default, else `absent`."""

    section: str
    name: str
    kind: Kind
    access: Access = Access.RO
    effect: Effect = Effect.NONE
    required: bool = False
    """Must stand in its section (a default counts)."""
    default: Any = None
    """Written into the section if the key is missing there; None: the key stays absent."""
    absent: Any = None
    """What is read while the key, or its whole section, is absent. The key is then unknown to the CSMS."""
    bounds: tuple[int | None, int | None] = (None, None)
    """Least and greatest integer or number."""
    length: tuple[int | None, int | None] = (None, None)
    """Least and greatest number of characters of a text."""
    unit: str = ""
    separator: str = ","
    """Between the items of `TEXTS` in GetConfiguration."""
    parse: Callable[[str], Any] | None = None
    """Turns a text into what `configuration[key]` gives."""
    meaning: str = ""

    def read(self, stored: Any) -> T_co:
        """The typed value of a stored JSON value (None: absent)."""
        if stored is None:
            stored = self.default if self.default is not None else self.absent
        match self.kind:
            case Kind.INTEGER if isinstance(stored, float):
                value: Any = int(stored)
            case Kind.NUMBER if stored is not None:
                value = float(stored)
            case Kind.TEXTS if stored is not None:
                value = tuple(stored)
            case Kind.TEXT if stored is not None and self.parse is not None:
                value = self.parse(stored)
            case _:
                value = stored
        typed: T_co = value
        return typed

    def text(self, stored: Any) -> str:
        """The stored JSON value as GetConfiguration shows it. Numbers lose a fraction (DEPARTURE 6)."""
        match stored:
            case bool():
                return "true" if stored else "false"
            case int() | float():
                return str(int(stored))
            case list() | tuple():
                return self.separator.join(stored)
            case dict():
                return json.dumps(stored, indent=2, ensure_ascii=False)
        return str(stored)
