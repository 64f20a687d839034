"""`everest-trace` as people use it: what it prints and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from everest.trace import BusMessage, Frame, TimerFired, cli, load, save
from everest.trace.records import Trace
from tests.support.mosquitto import EXECUTABLE, running_mosquitto

TRACES = Path(__file__).parents[2] / "traces"
BOOT = TRACES / "own" / "boot.jsonl.gz"
SESSION = TRACES / "own" / "rfid_session.jsonl.gz"
CONFIG = f"ChargePointConfigPath={TRACES / 'own' / 'ocpp.json'}"


def test_a_replay_that_says_the_same_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(SESSION), "--into", "Auth"]) == 0
    assert "equal: " in capsys.readouterr().out


def test_a_replay_says_nothing_but_its_result() -> None:
    words = ["replay", str(SESSION), "--into", "OCPP", "--set", CONFIG]
    command = [sys.executable, "-m", "everest.trace", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("equal: ")


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
    assert cli.main(words) == 0
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
        (["replay", str(BOOT), "--into", "Auth", "--set", "x=3"], "Auth has no parameter x; it has connection_timeout"),
        (["replay", str(BOOT), "--into", "Auth", "--set", "connection_timeout=soon"], "has to be of type integer"),
        (["replay", str(BOOT), "--into", "Auth", "--save", "/missing/x.jsonl"], "/missing/x.jsonl: cannot be written"),
        (["replay", str(BOOT), "--into", "Auth", "--save", "/dev/full"], "/dev/full: cannot be written: No space"),
        (["show", str(BOOT), "--module", "nobody"], "the trace holds no module nobody; it holds auth"),
        (["diff", str(BOOT), str(BOOT), "--module", "nobody"], "neither trace holds a module nobody; they hold auth"),
        (["diff", "/dev/null", "/dev/null"], "nothing to compare"),
        (["replay", "/dev/null", "--into", "Auth"], "the trace holds no module Auth; it holds none"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("everest-trace: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["show", "x", "--grep", "("],
        ["show", "x", "--width", "0"],
        ["record", "x", "--port", "0"],
        ["record", "x", "--seconds", "-1"],
        ["record", "x", "--seconds", "nan"],
        ["record", "x", "--until-topic", "a/#/b"],
        ["record", "x", "--until-topic", "a/b+"],
        ["replay", "x", "--into", "Auth", "--until", "0"],
    ],
)
def test_a_value_of_no_use_is_told_with_its_flag(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert f"error: argument {words[-2]}: " in capsys.readouterr().err


def test_a_port_of_no_use_in_the_environment_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_SERVER_PORT", "soon")
    assert cli.environment_port() == 1883
    monkeypatch.setenv("MQTT_SERVER_PORT", "1884")
    assert cli.environment_port() == 1884


def test_a_parameter_is_set_in_the_type_of_the_manifest() -> None:
    folder = cli.module_folder(Path("OCPP"))
    assert cli.setting("ChargePointConfigPath=1", folder) == ("ChargePointConfigPath", "1")
    assert cli.setting("MessageLogPath=a=b", folder) == ("MessageLogPath", "a=b")
    assert cli.setting("connection_timeout=5", cli.module_folder(Path("Auth"))) == ("connection_timeout", 5)


WITHOUT_START = [
    BusMessage(number, "everest/modules/meter/impl/main/var/power", b'{"msg_type":"Var","data":{"data":%d}}' % number)
    for number in range(3)
]


def test_recordings_without_the_start_of_the_modules_are_compared_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.jsonl", list(WITHOUT_START))
    save(tmp_path / "b.jsonl", list(WITHOUT_START[:2]))
    assert cli.main(["diff", str(tmp_path / "a.jsonl"), str(tmp_path / "a.jsonl")]) == 0
    assert cli.main(["diff", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]) == 1
    assert "meter: var main/power" in capsys.readouterr().out


MALFORMED = [
    ("auth/metadata", "[1]"),
    ("auth/metadata", '{"data":{"module":"Auth","provides":3}}'),
    ("auth/metadata", '{"data":{"module":"Auth","provides":{"main":3}}}'),
    ("auth/response", "[1]"),
    ("auth/response", '{"data":{"response":{"type":"Module","data":{}}}}'),
    ("auth/impl/main/cmd/a", '{"data":{"origin":"auth"}}'),
    ("auth/impl/main/cmd/a", '{"data":[]}'),
    ("y/impl/main/cmd/a", '{"data":{"origin":"auth"}}'),
    ("y/impl/main/cmd/a/response/auth", '{"data":{}}'),
    ("auth/impl/main/cmd/a/response/y", '{"data":{"data":{"error":"oops"}}}'),
    ("auth/impl/main/cmd/a/response/y", "5"),
    ("auth/impl/main/var/a", "garbage"),
    ("auth/impl/main/var/a", "[" * 100_000),
    ("auth/impl/main/error/a/B", '{"data":"x"}'),
]
FRAMES = ["[2,{},[],9]", '[2,[1],"A",9]', "[3,{},[],9]", "[9,9,9]", '[2,"1","StatusNotification",{}]', '[3,"1"]', "["]


@pytest.mark.parametrize("command", ["show", "diff", "replay"])
def test_malformed_messages_in_a_recording_disturb_nothing(command: str, tmp_path: Path) -> None:
    """Bus 1.5: a recording of a bus on which they passed is still good for the rest."""
    good = load(SESSION)
    good = [record for record in good if record.t < good[0].t + 1]
    broken: Trace = [
        *(BusMessage(good[-1].t, f"everest/modules/{topic}", text.encode()) for topic, text in MALFORMED),
        *(Frame(good[-1].t, way, text, "ocpp") for way in ("cp->csms", "csms->cp") for text in FRAMES),
    ]
    save(tmp_path / "broken.jsonl", [*broken, *good, *broken])
    words = {
        "show": ["show", str(tmp_path / "broken.jsonl")],
        "diff": ["diff", str(tmp_path / "broken.jsonl"), str(tmp_path / "broken.jsonl")],
        "replay": ["replay", str(tmp_path / "broken.jsonl"), "--into", "Auth", "--module", "auth"],
    }[command]
    assert cli.main(words) == (1 if command == "replay" else 0)


def test_a_recording_that_exists_is_kept_when_there_is_no_broker(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("kept")
    assert cli.main(["record", str(tmp_path / "t.jsonl"), "--port", "1"]) == 2
    assert (tmp_path / "t.jsonl").read_text() == "kept"


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


def test_timers_are_compared_by_name_where_the_recording_holds_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = load(SESSION)
    timers = [record for record in trace if isinstance(record, TimerFired)]
    assert timers
    save(tmp_path / "renamed.jsonl", [r if r is not timers[0] else replace(r, timer="another[1]") for r in trace])
    words = ["--into", "OCPP", "--set", CONFIG]
    assert cli.main(["replay", str(SESSION), *words]) == 0
    assert cli.main(["replay", str(tmp_path / "renamed.jsonl"), *words]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert '  -"another[1]"' in lines
    assert '  +"meter_last[<id>]"' in lines
    save(tmp_path / "none.jsonl", [record for record in trace if not isinstance(record, TimerFired)])
    assert cli.main(["replay", str(tmp_path / "none.jsonl"), *words]) == 0


def test_two_recordings_are_compared_by_timers_where_both_hold_them(tmp_path: Path) -> None:
    trace = load(SESSION)
    timers = [record for record in trace if isinstance(record, TimerFired)]
    save(tmp_path / "fewer.jsonl", [record for record in trace if record is not timers[-1]])
    save(tmp_path / "none.jsonl", [record for record in trace if not isinstance(record, TimerFired)])
    assert cli.main(["diff", str(SESSION), str(tmp_path / "fewer.jsonl")]) == 1
    assert cli.main(["diff", str(SESSION), str(tmp_path / "none.jsonl")]) == 0


def test_ctrl_c_ends_a_replay_without_a_traceback() -> None:
    words = ["-u", "-m", "everest.trace", "replay", str(SESSION), "--into", "OCPP", "--set", CONFIG]
    with subprocess.Popen(
        [sys.executable, *words, "--real-time", "--verbose"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert "Traceback" not in rest


@pytest.mark.mosquitto
@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not on PATH")
def test_a_recorder_that_loses_its_broker_keeps_what_it_has(tmp_path: Path) -> None:
    words = [sys.executable, "-u", "-m", "everest.trace", "record", str(tmp_path / "t.jsonl.gz")]
    with ExitStack() as stack:
        with running_mosquitto(tmp_path) as broker:
            where = ["--host", broker.host, "--port", str(broker.port)]
            process = stack.enter_context(
                subprocess.Popen([*words, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            assert process.stdout is not None
            assert process.stdout.readline().startswith("recording ")
        out, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "0 records in" in out
    assert error.count("\n") == 1
    assert "the broker at" in error
    assert load(tmp_path / "t.jsonl.gz") == []
