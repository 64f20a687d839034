"""The page of requirements is the present one, and its generation fails where a requirement is held by nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = "OCPP 1.6 §1 | to be there | connector.py:step | test_connector.py:test_texts_are_cut_to_their_fields"


@pytest.fixture(scope="module")
def requirements() -> ModuleType:
    spec = importlib.util.spec_from_file_location("requirements_tool", ROOT / "tools" / "requirements.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_drawn_from_the_table(requirements: ModuleType) -> None:
    assert requirements.main(["--check"]) == 0, "run: python tools/requirements.py"


def test_every_departure_of_this_version_and_every_section_has_its_rows(requirements: ModuleType) -> None:
    rows = requirements.read(requirements.TABLE.read_text(encoding="utf-8"))
    requirements.check(rows)
    assert len(rows) > 150
    sources = " ".join(row.source for row in rows)
    for section in (*(f"libocpp 3.{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16)), "libocpp 12."):
        assert section in sources


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (ROW.replace("connector.py:step", ""), "none of them empty"),
        (ROW.replace("to be there", ""), "none of them empty"),
        (ROW.rpartition("|")[0], "none of them empty"),
        (ROW.replace("connector.py:step", "connector.py:leap"), "there is no code 'connector.py:leap'"),
        (ROW.replace("connector.py:step", "conductor.py:step"), "there is no code 'conductor.py:step'"),
        (ROW.replace("connector.py:step", "connector.py:Connector.leap"), "there is no code"),
        (ROW.replace("test_texts_are_cut", "test_texts_are_glued"), "there is no test"),
        (ROW.replace("test_texts_are_cut_to_their_fields", "cells"), "is no test"),
    ],
)
def test_a_row_that_holds_nothing_is_refused(requirements: ModuleType, row: str, fault: str) -> None:
    with pytest.raises(requirements.Broken, match=fault):
        requirements.check(requirements.read(f"== Section\n{row}\n"), frozenset())


def test_a_departure_without_a_row_is_refused(requirements: ModuleType) -> None:
    rows = requirements.read(f"== Section\n{ROW}\n")
    requirements.check(rows, frozenset())
    with pytest.raises(requirements.Broken, match="DEPARTURE 7 has no row"):
        requirements.check(rows, frozenset({7}))
