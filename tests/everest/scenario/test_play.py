"""Scenarios that must fail do fail, with the place and what came instead; the command ends with the right status."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from everest.manager.errors import BootError, ConfigError
from everest.scenario import reading
from everest.scenario.cli import main
from everest.scenario.model import Outcome
from everest.scenario.run import play


def played(tmp_path: Path, steps: str, head: str = "") -> Outcome:
    file = tmp_path / "played.yaml"
    file.write_text(f"scenario: S\n{head}steps:\n{steps}")
    folder = tmp_path / "state"
    folder.mkdir()
    return play(reading.load(file), folder, virtual=True)


def problem(outcome: Outcome) -> str:
    assert not outcome.passed
    return next(verdict.problem for verdict in outcome.verdicts if verdict.problem)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("  - {expect: StopTransaction, within: 5 s}\n", "no StopTransaction within 5 s; there was BootNotification"),
        ("  - {expect: BootNotification, with: {chargePointVendor: X}, within: 1 s}\n", "chargePointVendor is 'EV"),
        (
            "  - {expect: BootNotification}\n  - {expect: BootNotification, within: 1 s}\n",
            "nearest: another step had it already",
        ),
        ("  - {car: plug}\n  - {none: StatusNotification}\n", 'there was StatusNotification {"connectorId": 1'),
        (
            "  - {car: plug}\n  - {expect: BootNotification, within: 3 s}\n",
            "no BootNotification within 3 s; there was StatusNotification",
        ),
        (
            "  - {order: [StatusNotification, BootNotification], within: 3 s}\n",
            "no BootNotification after StatusNotification within 3 s; nearest: it came before",
        ),
        ("  - {car: plug}\n  - {event: ChargingStarted, within: 9 s}\n", "no event ChargingStarted that fits within"),
        ("  - {error: evse_manager/Inoperative, within: 1 s}\n", "no error evse_manager/Inoperative raised"),
        ("  - {variable: ocpp/main/is_connected, with: {value: false}, within: 1 s}\n", "there was True"),
        ("  - {csms: UnlockConnector, payload: {connectorId: 9}, answer: Unlocked}\n", "status is 'NotSupported'"),
        (
            "  - {choose: {n: [x]}}\n  - {csms: ChangeAvailability, payload: {connectorId: 1, type: $n}}\n",
            "was answered with CALLERROR",
        ),
        ("  - {network: offline}\n  - {csms: ClearCache, within: 5 s}\n", "ClearCache was not answered within 5 s"),
        ("  - {choose: {n: [7]}}\n  - {car: plug, connector: $n}\n", "there is no connector 7; there are: 1, 2"),
        ("  - {choose: {n: [X]}}\n  - {car: plug, connector: $n}\n", "'X' does not fit here; write a number"),
        ("  - {choose: {what: [fly away]}}\n  - {car: $what}\n", "the car does not do this"),
        ("  - {choose: {what: [Hiccups]}}\n  - {fault: $what}\n", "the station did not raise Hiccups"),
        ("  - {clear: PermanentFault}\n", "the station did not clear PermanentFault"),
        ("  - {power: 'off'}\n  - {car: plug}\n", "the station is off"),
        ("  - {restarts: true, within: 5 s}\n", "the station did not end within 5 s"),
    ],
)
def test_a_step_that_must_fail_says_what_came_instead(tmp_path: Path, steps: str, said: str) -> None:
    assert said in problem(played(tmp_path, steps))


def test_what_follows_a_failed_step_is_skipped(tmp_path: Path) -> None:
    outcome = played(tmp_path, "  - {expect: StopTransaction, within: 1 s}\n  - {wait: 1 h}\n")
    assert [(v.passed, v.skipped) for v in outcome.verdicts] == [(False, False), (False, True)]


def test_a_saved_field_is_used_by_later_steps(tmp_path: Path) -> None:
    steps = """\
  - {car: plug}
  - {card: ME}
  - {expect: MeterValues, save: {tx: transactionId}}
  - {csms: RemoteStopTransaction, payload: {transactionId: $tx}, answer: Accepted}
"""
    assert played(tmp_path, steps).passed


def test_a_station_that_cannot_be_configured_is_the_failure(tmp_path: Path) -> None:
    outcome = played(tmp_path, "  - {wait: 1 s}\n", "station: {ocpp: {NoSuchKey: 1}}\n")
    assert f"{tmp_path / 'played.yaml'}:2: station.ocpp.NoSuchKey" in outcome.failure
    assert not outcome.passed


def scenario_file(tmp_path: Path, step: str) -> str:
    file = tmp_path / "one.yaml"
    file.write_text(f"scenario: One\nsteps:\n  - {step}\n")
    return str(file)


@pytest.mark.parametrize(
    ("step", "status"), [("{expect: BootNotification}", 0), ("{expect: StopTransaction, within: 1 s}", 1)]
)
def test_the_command_ends_with_the_verdict_and_writes_junit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str, status: int
) -> None:
    junit = tmp_path / "junit.xml"
    assert main(["--virtual", "--junit", str(junit), scenario_file(tmp_path, step)]) == status
    assert f"{1 - status} of 1 scenarios passed" in capsys.readouterr().out
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", str(status))
    assert len(suite.findall("testcase/failure")) == status


def test_in_real_time_the_station_dials_a_websocket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([scenario_file(tmp_path, "{csms: ClearCache, answer: Accepted}")]) == 0
    assert "PASSED One" in capsys.readouterr().out


def test_the_shipped_scenarios_are_listed_and_played_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "plug_first" in capsys.readouterr().out
    assert main(["--check", "plug_first"]) == 0
    with pytest.raises(BootError, match="there is no scenario nowhere"):
        main(["nowhere"])


def test_messages_are_told_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = scenario_file(tmp_path, "{csms: ClearCache, answer: Accepted}")
    assert main(["--virtual", "--messages", file]) == 0
    said = capsys.readouterr().out
    assert "station > BootNotification {" in said
    assert "csms    > ClearCache {}" in said
    assert 'station = {"status": "Accepted"}' in said


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("scenario: A\nsteps:\n  - {crad: X}\n")
    (tmp_path / "b.yaml").write_text("scenario: B\nsteps:\n  - {wait: x}\n")
    with pytest.raises(ConfigError) as raised:
        main(["--check", str(tmp_path)])
    assert [problem.file.name for problem in raised.value.problems] == ["a.yaml", "b.yaml"]


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(BootError, match="there are no scenario files"):
        main([str(tmp_path)])


def test_the_check_knows_the_names_of_the_stack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='the station has no event "Sesion"'):
        main(["--check", scenario_file(tmp_path, "{event: Sesion}")])


def test_the_check_knows_the_commands_of_the_stack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='evse_manager_1/evse has no command "get_evs"; did you mean'):
        main(["--check", scenario_file(tmp_path, "{call: evse_manager_1/evse/get_evs}")])


def test_processes_have_no_virtual_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--virtual", "--processes", scenario_file(tmp_path, "{wait: 1 s}")])
    assert ended.value.code == 1
    assert "--processes" in capsys.readouterr().err


def test_a_failed_step_is_told_with_place_time_and_what_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = "{expect: StatusNotification, with: {connectorId: 1, status: Charging}, within: 1 s}"
    assert main(["--virtual", scenario_file(tmp_path, step)]) == 1
    said = capsys.readouterr().out
    assert "FAIL   1  0:00:02.0  expect StatusNotification connectorId=1 status=Charging" in said
    assert "one.yaml:3: no StatusNotification" in said
    assert "nearest: status is 'Available', expected 'Charging'" in said
    assert "FAILED One: step 1 at 0:00:03.0" in said
