"""Draws docs/reference/requirements.md out of tools/requirements.table: requirement, code, and the test that holds it.

    python tools/requirements.py            writes the page
    python tools/requirements.py --check    only says what is wrong; status 1 if anything is, or the page is old

It fails on an empty cell, on a file or name that does not exist, and on a DEPARTURE of this version without a row.
Must not import: anything of the project.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "tools" / "requirements.table"
PAGE = ROOT / "docs" / "reference" / "requirements.md"

CODE_ROOTS = (ROOT / "src" / "ocpp16", ROOT)
TEST_ROOTS = (ROOT / "tests" / "ocpp16", ROOT / "tests")

DEPARTURES = frozenset({*range(1, 30), 35, 36, 37, 39, 46, 47, 48, 49, 50, 51, 52})
"""Those that concern what this version has; the others belong to smart charging, certificates, pricing."""

HEAD = """\
<!-- Drawn from tools/requirements.table by `python tools/requirements.py`; do not edit. -->

# Requirements

What the station has to do, where it is done, and which test fails if it is not. OCPP 1.6 means edition 2 of the
specification, OCPP-J its JSON transport, Security the security whitepaper (edition 3), libocpp a section of the
behaviour of the reference implementation, DEPARTURE a place where this station decides otherwise on purpose. Code is
below `src/ocpp16`, tests are below `tests/ocpp16`, unless the path says otherwise.
"""


class Row(NamedTuple):
    line: int
    section: str
    source: str
    requirement: str
    code: tuple[str, ...]
    tests: tuple[str, ...]


class Broken(Exception):
    """What is wrong with the table, one sentence a line."""


def read(text: str) -> list[Row]:
    """The rows of the table. Raises Broken for a row without its four cells."""
    rows, faults, section = [], [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("== "):
            section = line[3:].strip()
        elif line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != 4 or not all(cells) or not section:
                faults.append(f"line {number}: a row is `source | requirement | code | tests`, none of them empty")
            else:
                rows.append(Row(number, section, cells[0], cells[1], _names(cells[2]), _names(cells[3])))
    if faults:
        raise Broken("\n".join(faults))
    return rows


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split(","))


def check(rows: list[Row], departures: frozenset[int] = DEPARTURES) -> None:
    """Raises Broken if a name does not exist, a test is none, or a departure has no row."""
    faults = [f"line {row.line}: {fault}" for row in rows for fault in _faults(row)]
    found = {int(number) for row in rows for number in re.findall(r"DEPARTURE (\d+)", row.source)}
    faults += [f"DEPARTURE {number} has no row" for number in sorted(departures - found)]
    if faults:
        raise Broken("\n".join(faults))


def _faults(row: Row) -> Iterator[str]:
    for name in row.code:
        if not exists(name, CODE_ROOTS):
            yield f"there is no code {name!r}"
    for name in row.tests:
        if not name.partition(":")[2].startswith("test_"):
            yield f"{name!r} is no test"
        elif not exists(name, TEST_ROOTS):
            yield f"there is no test {name!r}"


def exists(name: str, roots: tuple[Path, ...]) -> bool:
    """Whether `file:name` or `file:Class.name` is defined below one of the roots."""
    file, colon, definition = name.partition(":")
    return bool(colon and definition) and any(definition in definitions(root / file) for root in roots)


@cache
def definitions(file: Path) -> frozenset[str]:
    """Functions, classes, and their methods; nothing for a file that is not there."""
    if not file.is_file():
        return frozenset()
    return frozenset(_definitions(ast.parse(file.read_text(encoding="utf-8")).body, ""))


def _definitions(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + statement.name
        if isinstance(statement, ast.ClassDef):
            yield from _definitions(statement.body, f"{prefix}{statement.name}.")


def page(rows: list[Row]) -> str:
    """The page in Markdown."""
    lines = [HEAD]
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"## {section}", "", "| Source | Requirement | Code | Tests |", "| --- | --- | --- | --- |"]
        lines += [_line(row) for row in rows if row.section == section]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    code, tests = ("<br>".join(f"`{name}`" for name in names) for names in (row.code, row.tests))
    return f"| {row.source} | {row.requirement.replace('<', '&lt;')} | {code} | {tests} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw docs/reference/requirements.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not the present one")
    only_check = parser.parse_args(arguments).check
    try:
        rows = read(TABLE.read_text(encoding="utf-8"))
        check(rows)
    except Broken as broken:
        print(f"{TABLE.relative_to(ROOT)}:\n{broken}", file=sys.stderr)  # noqa: T201
        return 1
    text = page(rows)
    if not only_check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE.relative_to(ROOT)} is old: run python tools/requirements.py", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
