"""The recordings of a real EVerest, replayed into our modules: they say what its modules said.

What differs stands in differences.yaml, by name and with its reason; a difference that no longer occurs fails here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.trace import differences, jump_loop, records
from everest.trace.compare import Comparison
from everest.trace.replay import replay
from tests.support.traces import names

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "modules"
RULES = differences.load(HERE / "differences.yaml")
CONFIG = {"OCPP": {"ChargePointConfigPath": str(HERE / "everest" / "peer-sil.json")}}


def compared(name: str, module: str, scratch: Path) -> Comparison:
    trace = records.load(HERE / "everest" / f"{name}.jsonl.gz")
    scratch.mkdir()
    replayed = jump_loop.run(replay(trace, MODULES / module, scratch, config=CONFIG.get(module)))
    assert replayed.failure is None
    return replayed.compare([rule for rule in RULES if rule.concerns(name, module)])


@pytest.mark.parametrize("module", ["Auth", "OCPP", "System"])
def test_a_module_says_what_the_original_said_and_every_accepted_difference_still_occurs(
    module: str, tmp_path: Path
) -> None:
    found = {name: compared(name, module, tmp_path / name) for name in names()}
    assert {name: result.differences for name, result in found.items() if not result.equal} == {}
    assert all(result.compared >= 2 for result in found.values())
    assert sum(result.compared for result in found.values()) > 40
    used = set().union(*(result.used for result in found.values()))
    assert {rule.name for rule in RULES if rule.module == module} - used == set()


def test_every_accepted_difference_names_its_module() -> None:
    assert {rule.module for rule in RULES} <= {"Auth", "OCPP", "System"}
