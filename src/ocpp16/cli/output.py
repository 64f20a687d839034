"""What the commands print: tables as wide as the terminal, or as wide as they need where the output is no terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocpp16.messages import format_timestamp

_WIDE = 400


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table without lines; `empty` is said where there is no row."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(Text(text(cell)) for cell in row))
    if shown.row_count:
        _print(shown)
    else:
        line(empty)


def pairs(rows: Iterable[tuple[str, object]]) -> None:
    """Names with their values."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        shown.add_row(Text(name, style="bold"), Text(text(value)))
    _print(shown)


def _print(shown: Table) -> None:
    """A pipe gets lines that are not wrapped and have no blanks at their end."""
    if sys.stdout.isatty():
        Console(highlight=False).print(shown)
        return
    console = Console(highlight=False, width=_WIDE)
    with console.capture() as captured:
        console.print(shown)
    for row in captured.get().splitlines():
        line(row.rstrip())


def line(what: str) -> None:
    print(what)  # noqa: T201


def as_json(value: Any) -> None:
    line(json.dumps(value, indent=2, ensure_ascii=False))


def text(value: object) -> str:
    """`-` for what is not there; times as OCPP writes them."""
    if value is None:
        return "-"
    return format_timestamp(value) if isinstance(value, datetime) else str(value)
