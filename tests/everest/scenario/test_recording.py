"""`everest-manager scenario --record`: what comes out is a trace that can be shown and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.manager.errors import BootError
from everest.scenario.cli import main
from everest.trace import cli as trace
from everest.trace.records import BusMessage, Frame, load
from tests.support.mosquitto import EXECUTABLE

SHORT = """
scenario: A power loss
steps:
  - expect: BootNotification
  - car: plug
  - expect: StatusNotification
    with: {connectorId: 1, status: Preparing}
  - power: "off"
  - wait: 1 h
  - power: "on"
  - expect: BootNotification
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return path


def test_a_recording_in_virtual_time_replays_as_it_was_also_over_a_power_loss(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recordings"
    assert main([str(scenario), "--virtual", "--record", str(folder)]) == 0
    records = load(folder / "short.jsonl.gz")
    assert records[-1].t - records[0].t > 3600
    starts = [r for r in records if isinstance(r, BusMessage) and r.topic == "everest/module_names" and r.payload]
    assert len(starts) == 2
    words = ["replay", str(folder / "short.jsonl.gz")]
    config = f"ChargePointConfigPath={folder / 'short.ocpp.json'}"
    assert trace.main([*words, "--into", "OCPP", "--set", config]) == 0
    assert trace.main([*words, "--into", "Auth"]) == 0
    assert capsys.readouterr().out.count("equal: ") == 2


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_what_passes_a_broker_is_recorded_too(scenario: Path, tmp_path: Path) -> None:
    scenario.write_text(SHORT.partition("  - power")[0])
    assert main([str(scenario), "--processes", "--record", str(tmp_path)]) == 0
    records = load(tmp_path / "short.jsonl.gz")
    assert any(isinstance(r, BusMessage) and r.topic.endswith("/var/session_event") for r in records)
    assert any(isinstance(r, Frame) and "BootNotification" in r.text for r in records)


def test_a_place_that_cannot_be_written_is_named(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BootError, match=r"--record .*file: .*name another folder"):
        main([str(scenario), "--virtual", "--record", str(tmp_path / "file")])
