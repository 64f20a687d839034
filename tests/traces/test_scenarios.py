"""The recordings of the scenarios (record_scenarios.py): there is one of each, and replayed into the modules of today
it gives the same conversation. That their meters add up is seen to by tests/everest/trace/test_energy.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.scenario import reading
from everest.scenario.stack import OCPP_CONFIG, configured
from everest.trace import differences, jump_loop, records
from everest.trace.replay import replay
from tests.traces.record_scenarios import RECORDINGS, SCENARIOS

MODULES = Path(__file__).parents[2] / "modules"
RULES = differences.load(RECORDINGS / "differences.yaml")
CSMS = "ws://csms.invalid/"


def recording(scenario: Path) -> Path:
    return RECORDINGS / f"{scenario.stem}.jsonl.gz"


def test_every_scenario_is_recorded_and_nothing_else() -> None:
    assert sorted(RECORDINGS.glob("*.jsonl.gz")) == [recording(scenario) for scenario in SCENARIOS]


@pytest.mark.parametrize("module", ["Auth", "OCPP", "System"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_module_says_what_it_said(scenario: Path, module: str, tmp_path: Path) -> None:
    configured(reading.load(scenario), tmp_path, CSMS)
    config = {"ChargePointConfigPath": str(tmp_path / OCPP_CONFIG)} if module == "OCPP" else None
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    replayed = jump_loop.run(replay(records.load(recording(scenario)), MODULES / module, scratch, config=config))
    assert replayed.failure is None
    found = replayed.compare([rule for rule in RULES if rule.concerns(scenario.stem, module)])
    assert found.differences == []
    assert found.compared >= 1
