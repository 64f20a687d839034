"""Python names for what the contract files call by JSON names: pure functions, no state.

Lives here: class names of interfaces and nested types, enum members, field names. Names stay as they are wherever
Python allows it (`energy_Wh_import`, `MREC6UnderVoltage`): there is no second vocabulary.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable

_NO_WORD = re.compile(r"\W", re.ASCII)


def camel(name: str) -> str:
    """Return CamelCase: `ocpp_1_6_charge_point` -> `Ocpp16ChargePoint`, `board_support_AC` -> `BoardSupportAC`."""
    parts = _NO_WORD.sub("_", name).split("_")
    return "".join(part[0].upper() + part[1:] for part in parts if part)


def is_name(name: str) -> bool:
    """Tell whether `name` can stand in Python code as it is."""
    return name.isidentifier() and not keyword.iskeyword(name)


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """Return a Python name for `name` that is no keyword and not in `taken`: itself if possible."""
    result = _NO_WORD.sub("_", name) or "_"
    if result[0].isdigit():
        result = f"_{result}"
    while keyword.iskeyword(result) or result in taken:
        result += "_"
    return result


_ENUM_RESERVED = frozenset(dir(str)) | {"name", "value", "mro"}


def enum_members(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return (member name, value) for every value of a string enum, in order, names unique.

    `None` becomes `None_`, `4G` becomes `_4G`; names of methods that every str has (`count`, `title`) get a `_`, too.
    """
    members: list[tuple[str, str]] = []
    taken = set(_ENUM_RESERVED)
    for value in values:
        name = identifier(value, taken)
        taken.add(name)
        members.append((name, value))
    return members
