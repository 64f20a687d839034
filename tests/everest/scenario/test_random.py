"""Scenarios by chance, several things at one moment: what was recorded in virtual time replays as it was, meters add
up, and the central system has every transaction from its start to its end."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from everest.manager import paths
from everest.scenario import reading
from everest.scenario.csms import Frame
from everest.scenario.run import play
from everest.scenario.stack import OCPP_CONFIG
from everest.trace import energy, jump_loop
from everest.trace.records import BusMessage, Trace
from everest.trace.replay import replay

MODULES = paths.resolve().data_dir / "modules"
CARDS = ("ANNA", "BEN", "BAD")
OCPP = {"ClockAlignedDataInterval": 5, "MeterValueSampleInterval": 5, "HeartbeatInterval": 5}
HEAD = {"station": {"ocpp": OCPP}, "csms": {"tags": {"BAD": "Invalid"}}}


def story(seed: int) -> list[dict[str, Any]]:
    """Steps that a tester could have written; half of them follow the one before at once."""
    chance = random.Random(f"story {seed}")
    plugged: set[int] = set()
    steps: list[dict[str, Any]] = []

    def either() -> dict[str, Any]:
        number = chance.randint(1, 2)
        card = chance.choice(CARDS)
        if chance.random() < 0.4:
            away = number in plugged
            (plugged.discard if away else plugged.add)(number)
            return {"car": "unplug" if away else "plug", "connector": number}
        return chance.choice(
            [
                {"card": card},
                {"card": card, "connector": number},
                {"csms": "RemoteStartTransaction", "payload": {"idTag": card, "connectorId": number}},
                {"csms": "RemoteStopTransaction", "payload": {"transactionId": number}},
                {"csms": "TriggerMessage", "payload": {"requestedMessage": "StatusNotification"}},
                {"csms": "ChangeAvailability", "payload": {"connectorId": number, "type": "Operative"}},
                {"network": {"late": "500 ms"}},
            ]
        )

    for _ in range(chance.randint(8, 14)):
        steps.append(either())
        if chance.random() < 0.5:
            steps.append({"wait": chance.choice(["100 ms", "400 ms", "2.9 s", "5 s"])})
    return [*steps, *({"car": "unplug", "connector": number} for number in plugged), {"wait": "20 s"}]


def recorded(seed: int, folder: Path) -> tuple[Trace, list[Frame]]:
    file = folder / "story.yaml"
    file.write_text(yaml.safe_dump({"scenario": f"By chance {seed}", **HEAD, "steps": story(seed)}))
    trace: Trace = []
    frames: list[Frame] = []
    outcome = play(reading.load(file), folder, virtual=True, write=trace.append, frames=frames)
    assert outcome.passed, [verdict.problem for verdict in outcome.verdicts if verdict.problem]
    return trace, frames


@pytest.mark.parametrize("seed", [3, 9])
def test_a_story_by_chance_replays_as_it_was_and_loses_nothing(seed: int, tmp_path: Path) -> None:
    trace, frames = recorded(seed, tmp_path)
    for name in ("Auth", "OCPP"):
        scratch = tmp_path / name
        scratch.mkdir()
        config = {"ChargePointConfigPath": str(tmp_path / OCPP_CONFIG)} if name == "OCPP" else None
        replayed = jump_loop.run(replay(trace, MODULES / name, scratch, config=config))
        assert replayed.failure is None
        assert replayed.compare().differences == []
    readings = [(record.t, record.topic, record.text) for record in trace if isinstance(record, BusMessage)]
    assert all(found.holds is not False for found in energy.check(readings))
    begun = sum(
        topic.endswith("/session_event") and '"event":"TransactionStarted"' in text for _, topic, text in readings
    )
    assert begun > 0
    assert balance(frames) == (begun, begun)


def balance(frames: list[Frame]) -> tuple[int, int]:
    """How many transactions the central system has heard begin and end; each with the meter and the id that it has."""
    ids = {
        frame.message[1]: frame.message[2]["transactionId"]
        for frame in frames
        if not frame.sent and frame.message[0] == 3 and "transactionId" in frame.message[2]
    }
    begun = {ids[frame.message[1]]: frame.payload for frame in frames if frame.action == "StartTransaction"}
    ended = {frame.payload["transactionId"]: frame.payload for frame in frames if frame.action == "StopTransaction"}
    assert begun.keys() == ended.keys()
    assert all(ended[number]["meterStop"] >= begun[number]["meterStart"] for number in begun)
    assert all(ended[number]["timestamp"] >= begun[number]["timestamp"] for number in begun)
    return len(begun), len(ended)


def test_a_run_repeats_itself_to_the_turn(tmp_path: Path) -> None:
    runs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        trace, _ = recorded(3, tmp_path / name)
        runs.append([(record.t, getattr(record, "topic", ""), record.turn) for record in trace])
    assert runs[0] == runs[1]
