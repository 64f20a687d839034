"""The reference pages are what the tables say: drawn again, compared, and counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ocpp16.actions import ACTIONS
from ocpp16.configuration import keys
from ocpp16.connector import CONNECTOR_ZERO, TRANSITIONS
from ocpp16.documentation import PAGES, states
from ocpp16.messages import ChargePointStatus

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_the_tables_say(name: str) -> None:
    committed = (REFERENCE / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "run: python -m ocpp16.documentation"


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows of a page."""
    lines = [line for line in PAGES[name]().splitlines() if line.startswith("|") and "---" not in line]
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]


def test_every_key_has_a_row_with_a_meaning() -> None:
    described = {row[0].strip("`"): row for row in rows("configuration-keys.md") if row[0] != "Key"}
    assert set(described) == set(keys.TABLE)
    assert all(len(row) == 9 and row[-1] not in ("", "–") for row in described.values())
    assert described["HeartbeatInterval"][2] == "≥ 0"
    assert described["OcspRequestInterval"][2:6] == ["≥ 86400", "s", "–", "`604800`"]
    assert described["AuthorizationKey"][6] == "WO"


def test_every_action_has_a_row() -> None:
    described = [row for row in rows("messages.md") if row[0] != "Action"]
    assert [row[0].strip("`") for row in described] == list(ACTIONS)
    assert len(described) == 39
    related = [row[0].strip("`") for row in described if row[3] == "yes"]
    assert related == ["MeterValues", "StartTransaction", "StopTransaction", "SecurityEventNotification"]


SPECIFICATION = """
A2 A3 A4 A5 A7 A8 A9
B1 B3 B4 B5 B6 B9
C1 C4 C5 C6 C8 C9
D1 D3 D5 D6 D8 D9
E1 E3 E4 E6 E8 E9
F1 F2 F8 F9
G1 G2 G8 G9
H1 H2 H3 H4 H5 H9
I1 I2 I3 I4 I5 I6 I7 I8
"""
"""The transitions of OCPP 1.6 §4.9, by their letters."""


def test_the_transitions_are_those_of_the_specification_and_one_of_our_own() -> None:
    listed = {line.split(" | ")[0].strip("| ") for line in states.listing(TRANSITIONS).splitlines()[2:]}
    assert listed == set(SPECIFICATION.split()) | {"E5"}


def test_the_diagram_shows_every_transition_of_the_table() -> None:
    for rules in (TRANSITIONS, CONNECTOR_ZERO):
        arrows = re.findall(r"(\w+) --> (\w+): (\w\d) (\w+)", states.diagram(rules))
        drawn = {(old, event, new) for old, new, _, event in arrows}
        assert drawn == {(old, event, new) for old, events in rules.items() for event, new in events.items()}


def test_the_letters_count_states_in_the_order_of_the_specification() -> None:
    status = ChargePointStatus
    assert states.letter(status.Available, status.Preparing) == "A2"
    assert states.letter(status.SuspendedEVSE, status.SuspendedEV) == "E4"
    assert states.letter(status.Faulted, status.Unavailable) == "I8"


def test_the_command_writes_all_pages(tmp_path: Path) -> None:
    import runpy
    import sys
    from unittest.mock import patch

    with patch.object(sys, "argv", ["documentation", str(tmp_path / "pages")]):
        runpy.run_module("ocpp16.documentation", run_name="__main__")
    assert {path.name for path in (tmp_path / "pages").iterdir()} == set(PAGES)
