"""Markdown tables, and the line at the head of every generated page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Drawn from the tables by `python -m ocpp16.documentation`; do not edit. -->\n\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in the cells are escaped, None is a dash."""
    lines = [columns, ["---"] * len(columns), *([cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: object) -> str:
    text = "–" if value is None or value == "" else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def code(value: object) -> str:
    """The value in code style; an empty cell for none."""
    return "" if value is None or value == "" else f"`{value}`"
