"""`everest-trace` as people use it: what it prints and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from everest.trace import BusMessage, cli, load, save
from tests.support.mosquitto import EXECUTABLE, running_mosquitto

TRACES = Path(__file__).parents[2] / "traces"
BOOT = TRACES / "own" / "boot.jsonl.gz"
SESSION = TRACES / "own" / "rfid_session.jsonl.gz"
CONFIG = f"ChargePointConfigPath={TRACES / 'own' / 'ocpp.json'}"


def test_a_replay_that_says_the_same_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(SESSION), "--into", "Auth"]) == 0
    assert "equal: " in capsys.readouterr().out


def test_a_replay_that_says_something_else_shows_the_difference_and_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    altered = [
        replace(record, payload=record.payload.replace(b"UsedToStart", b"UsedToStop"))
        if isinstance(record, BusMessage) and record.topic.endswith("/var/token_validation_status")
        else record
        for record in load(SESSION)
    ]
    save(tmp_path / "altered.jsonl", altered)
    assert cli.main(["replay", str(tmp_path / "altered.jsonl"), "--into", "Auth"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "var main/token_validation_status"
    assert any(line.startswith("  -") and "UsedToStop" in line for line in lines)
    assert any(line.startswith("  +") and "UsedToStart" in line for line in lines)
    assert lines[-1] == "different in 1 channels (- recorded, + now)"


def test_the_frames_of_the_ocpp_module_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["replay", str(BOOT), "--into", "OCPP", "--set", CONFIG]
    accepted = ["--differences", str(TRACES / "own" / "differences.yaml")]
    assert cli.main([*words, *accepted]) == 0
    model = json.loads((TRACES / "own" / "ocpp.json").read_text())["Internal"]["ChargePointModel"]
    out = capsys.readouterr().out
    assert "equal: " in out
    assert model not in out


def test_another_configuration_is_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = json.loads((TRACES / "own" / "ocpp.json").read_text())
    configuration["Internal"]["ChargePointModel"] = "Another"
    (tmp_path / "ocpp.json").write_text(json.dumps(configuration))
    words = ["replay", str(BOOT), "--into", "OCPP", "--set", f"ChargePointConfigPath={tmp_path / 'ocpp.json'}"]
    assert cli.main(words) == 1
    assert '+["BootNotification", {"chargeBoxSerialNumber": "cp001", "chargePointModel": "Another"' in (
        capsys.readouterr().out
    )


def test_an_accepted_difference_that_no_longer_occurs_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = "- {name: old, reason: once, traces: [rfid_session], channel: 'var main/*', once: true}\n"
    (tmp_path / "list.yaml").write_text(rules)
    cli.main(["replay", str(SESSION), "--into", "Auth", "--differences", str(tmp_path / "list.yaml")])
    assert "no longer occurs: old" in capsys.readouterr().out


def test_a_replay_can_be_kept_as_a_trace_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(SESSION), "--into", "Auth", "--save", str(tmp_path / "again.jsonl.gz")]) == 0
    assert cli.main(["diff", str(SESSION), str(tmp_path / "again.jsonl.gz"), "--module", "auth"]) == 0
    assert capsys.readouterr().out.count("equal: ") == 2


def test_two_traces_are_compared_module_by_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diff", str(SESSION), str(SESSION)]) == 0
    assert cli.main(["diff", str(BOOT), str(SESSION)]) == 1
    assert "auth: var main/token_validation_status" in capsys.readouterr().out


def test_a_trace_is_shown_with_requests_beside_their_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(SESSION), "--ocpp", "--grep", "Authorize"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert 'Authorize {"idTag":"STOLEN"} ⇒ {"idTagInfo":{"status":"Blocked"}} (' in lines[0]


def test_a_trace_is_shown_for_one_module_with_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(SESSION), "--module", "auth"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("auth_validator.validate_token" in line and "from auth" in line for line in lines)
    assert any("main.token_validation_status" in line for line in lines)
    assert not any("powermeter" in line for line in lines)


def test_timers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(SESSION), "--grep", "sampling"]) == 0
    assert " timer " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "missing.jsonl"], "missing.jsonl: cannot be read"),
        (["replay", str(BOOT), "--into", "Nowhere"], "--into Nowhere: no folder of a module"),
        (["replay", str(BOOT), "--into", "Auth", "--module", "nobody"], "the trace holds no module nobody; it holds"),
        (["replay", str(BOOT), "--into", "OCPP", "--set", "x"], "--set x: NAME=VALUE is needed"),
        (["record", "/dev/null", "--port", "1"], "the broker at"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("everest-trace: ")
    assert said in error
    assert error.count("\n") == 1


def test_only_the_beginning_is_replayed_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["replay", str(SESSION), "--into", "Auth"])
    whole = int(capsys.readouterr().out.split()[1])
    assert cli.main(["replay", str(SESSION), "--into", "Auth", "--until", "1.5"]) == 0
    assert 0 < int(capsys.readouterr().out.split()[1]) < whole


@pytest.mark.mosquitto
@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not on PATH")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recording_in_order(tmp_path: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-u", "-m", "everest.trace", "record", str(tmp_path / "t.jsonl.gz")]
    with running_mosquitto(tmp_path) as broker:
        where = ["--host", broker.host, "--port", str(broker.port)]
        with subprocess.Popen([*words, *where], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("recording ")
            process.send_signal(number)
            assert process.wait(30) == 0
            assert "0 records in" in process.stdout.read()
    assert load(tmp_path / "t.jsonl.gz") == []
