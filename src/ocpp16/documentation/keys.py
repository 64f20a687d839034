"""docs/reference/configuration-keys.md: all configuration keys, from their table."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ocpp16.configuration import Access, Effect, Key, Kind, keys
from ocpp16.documentation.markdown import GENERATED, code, table

HEAD = """# Configuration keys

All keys of the JSON configuration by section. `ocpp16 config explain KEY --config FILE` shows the same for a
configuration of your own, with the present value and who set it.

- **Access** is from the view of the CSMS: RO answers ChangeConfiguration by Rejected, RW takes it, WO takes it and is
  never shown. A key that is neither required nor has a default exists for the CSMS only when a file sets it.
- **Takes effect** says when a new value counts. Changes in files count from the next start on.
- **Bounds** are of the number, or of the length of the text.

"""

COLUMNS = ("Key", "Type", "Bounds", "Unit", "Required", "Default", "Access", "Takes effect", "Meaning")


def page() -> str:
    """The whole page."""
    parts = [GENERATED + HEAD]
    for section, group in groupby(keys.TABLE.values(), key=lambda key: key.section):
        parts.append(f"## {section}\n\n{table(COLUMNS, map(row, group))}\n")
    parts.append(f"{len(keys.TABLE)} keys.\n")
    return "".join(parts)


def row(key: Key[Any]) -> tuple[str, ...]:
    """One key."""
    default = code(None if key.default is None else key.text(key.default) or '""')
    if not default and key.absent not in (None, "", ()):
        default = f"absent: {code(key.text(key.absent))}"
    return (
        code(key.name),
        key.kind,
        bounds(key),
        key.unit,
        "yes" if key.required else "",
        default,
        key.access,
        "" if key.effect is Effect.NONE else key.effect,
        key.meaning,
    )


def bounds(key: Key[Any]) -> str:
    """`0..100`, `>= 1`; of a text its length in characters. What the CSMS sends is never negative (libocpp 1.7)."""
    least, greatest = key.length if key.kind is Kind.TEXT else key.bounds
    unit = " characters" if key.kind is Kind.TEXT else ""
    if key.kind is Kind.INTEGER and least is None and key.access is not Access.RO:
        least = 0
    if least is None and greatest is None:
        return ""
    if greatest is None:
        return f"≥ {least}{unit}"
    return (f"≤ {greatest}" if least is None else f"{least}..{greatest}") + unit
