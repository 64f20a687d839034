"""The table of keys: against the reference where it is at hand, and in itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ocpp16.configuration import Access, Effect, Kind, keys
from tests.support.configurations import document

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "ocpp16-core.md"
ACCESS = {"RO": Access.RO, "RW": Access.RW, "WO": Access.WO}
TYPES = {"array of string": "array"}


def reference_rows() -> dict[str, dict[str, str]]:
    columns = ("name", "type", "constraint", "required", "default", "readonly", "access", "effect", "meaning")
    section, rows = "", {}
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"#### 1\.5\.\d+ Section `(\w+)`", line):
            section = match[1]
        elif line.startswith("## 1.6"):
            break
        elif section and line.startswith("| `"):
            row = dict(zip(columns, (cell.strip().strip("`") for cell in line.strip("|").split("|")), strict=True))
            rows[row["name"]] = row | {"section": section}
    return rows


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not at hand")
def test_the_table_says_what_the_reference_says() -> None:
    rows = reference_rows()
    assert keys.TABLE.keys() == rows.keys()
    for name, row in rows.items():
        key = keys.TABLE[name]
        default = None if row["default"] == "-" else json.loads(row["default"])
        assert (key.section, key.kind.value) == (row["section"], TYPES.get(row["type"], row["type"])), name
        assert key.required == (row["required"] == "yes"), name
        assert (list(key.default) if isinstance(key.default, tuple) else key.default) == default, name
        bounds = [key.bounds, key.length]
        for constraint in re.findall(r"(len)?(>=|<=)(\d+)", row["constraint"]):
            text, operator, number = constraint
            found = bounds[bool(text)][operator == "<="]
            assert (found or 0) == int(number), name
        writable = row["access"].startswith("RW") or "‡" in row["access"]
        assert key.access is (Access.RW if writable else ACCESS[row["access"][:2]]), name


def test_the_mismatches_of_access_are_resolved_as_declared() -> None:
    for key in (
        keys.RetryBackoffRepeatTimes,
        keys.RetryBackoffWaitMinimum,
        keys.VerifyCsmsAllowWildcards,
        keys.Language,
    ):
        assert key.access is Access.RW  # DEPARTURE 3


def test_there_are_130_keys_each_under_its_own_name_with_a_meaning() -> None:
    assert len(keys.TABLE) == 130
    for name, key in keys.TABLE.items():
        assert getattr(keys, name) is key
        assert key.name == name
        assert len(key.meaning) > 5


def test_only_the_central_system_uri_needs_a_reboot() -> None:
    assert [key.name for key in keys.TABLE.values() if key.effect is Effect.REBOOT_REQUIRED] == ["CentralSystemURI"]


def test_every_key_reads_as_a_value_of_its_kind_or_none_when_absent() -> None:
    python: dict[Kind, type | tuple[type, ...]] = {
        Kind.BOOLEAN: bool,
        Kind.INTEGER: int,
        Kind.NUMBER: float,
        Kind.TEXT: (str, tuple),
        Kind.TEXTS: tuple,
        Kind.OBJECT: dict,
    }
    required = {name for section in document().values() for name in section}
    for key in keys.TABLE.values():
        value: Any = key.read(None) if key.name not in required else None
        assert value is None or isinstance(value, python[key.kind]), key.name
