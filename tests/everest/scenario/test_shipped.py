"""Every scenario that ships passes in virtual time; what the station says in it fits the official schemas."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from ocpp.messages import Call, validate_payload

from everest.manager import paths
from everest.scenario import reading
from everest.scenario.csms import Frame
from everest.scenario.run import play

FILES = sorted((paths.resolve().data_dir / "scenarios").glob("*.yaml"))


def told(outcome: Any) -> list[str]:
    return [outcome.failure, *(f"{v.step.file.name}:{v.step.line}: {v.problem}" for v in outcome.verdicts if v.problem)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_scenario_passes_and_every_call_fits_its_schema(file: Path, tmp_path: Path) -> None:
    frames: list[Frame] = []
    outcome = play(reading.load(file), tmp_path, virtual=True, frames=frames)
    assert outcome.passed, told(outcome)
    calls = [frame for frame in frames if frame.action is not None]
    assert calls
    asyncio.run(fit_their_schemas(calls))


async def fit_their_schemas(calls: list[Frame]) -> None:
    for frame in calls:
        await validate_payload(Call(frame.message[1], frame.message[2], frame.message[3]), "1.6")


def test_each_everyday_situation_has_its_scenario() -> None:
    assert {file.stem for file in FILES} >= {
        "plug_first", "card_first", "stop_by_card", "unplug_while_charging", "remote_start_stop", "refused_card",
        "offline_session", "connection_lost", "pause_by_ev", "pause_by_evse", "fault_while_charging",
        "reservation_used", "reservation_expires", "availability_scheduled", "reset_soft", "reset_hard", "power_loss",
        "two_cars", "plug_in_timeout", "unlock",
    }  # fmt: skip


def test_the_same_seed_says_the_same_messages_again(tmp_path: Path) -> None:
    scenario = reading.load(next(file for file in FILES if file.stem == "stop_by_card"))
    said = []
    for number in ("one", "two"):
        folder = tmp_path / number
        folder.mkdir()
        frames: list[Frame] = []
        assert play(scenario, folder, virtual=True, frames=frames).passed
        said.append([frame.message for frame in frames])
    assert said[0] == said[1]


CASE = re.compile(r"TC_(\d{3}(?:_\d)?)_CS")
ROW = re.compile(r"\| (?:(\d{3}(?:_\d)?) \| )?([^|]+) \| `(\w+)` \|")


def test_the_page_names_each_certification_scenario_with_its_case_and_title() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    rows = {(row[1] or "", row[2], row[3]) for row in map(ROW.fullmatch, page.splitlines()) if row}
    told = {(case, file) for case, _, file in rows}
    titles = {(title, file) for _, title, file in rows}
    shipped = {file.stem: reading.load(file) for file in FILES}
    assert {file for _, file in told} >= {name for name in shipped if name.startswith("cert_")}
    assert {file for _, file in told} <= shipped.keys()
    for name, scenario in shipped.items():
        cases = CASE.findall(f"{scenario.name} {scenario.description}")
        assert {case for case, file in told if file == name} - {""} == set(cases)
        if name.startswith("cert_"):
            assert (scenario.name.rpartition("_CS: ")[2], name) in titles
