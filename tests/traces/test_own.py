"""The recordings of our own station (record_own.py), replayed into its modules: they still say what they said then."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.trace import jump_loop, records
from everest.trace.replay import replay

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "modules"
CONFIG = {"OCPP": {"ChargePointConfigPath": str(HERE / "own" / "ocpp.json")}}
RECORDINGS = sorted(path.name.partition(".")[0] for path in (HERE / "own").glob("*.jsonl.gz"))


@pytest.mark.parametrize("module", ["Auth", "OCPP", "System"])
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_module_says_what_it_said(name: str, module: str, tmp_path: Path) -> None:
    trace = records.load(HERE / "own" / f"{name}.jsonl.gz")
    replayed = jump_loop.run(replay(trace, MODULES / module, tmp_path, config=CONFIG.get(module)))
    assert replayed.failure is None
    found = replayed.compare()
    assert found.differences == []
    assert found.compared >= 1


def test_every_scenario_is_recorded() -> None:
    assert RECORDINGS == [
        "boot",
        "change_availability",
        "configuration",
        "faults",
        "firmware_logs",
        "offline_session",
        "remote_start_stop",
        "reservation",
        "reset",
        "rfid_session",
    ]
