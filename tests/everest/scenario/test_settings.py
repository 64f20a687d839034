"""What is wrong with the station of a scenario is told with everything else that is wrong in the file, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.manager import cli
from everest.scenario import settings
from everest.scenario.run import examine


def told(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    folder = tmp_path / "scratch"
    folder.mkdir(exist_ok=True)
    _, problems = examine(file, folder)
    return [str(problem).removeprefix(f"{file}:") for problem in problems]


@pytest.mark.parametrize(
    ("station", "said"),
    [
        ("ocpp: {HeartbeatIntervl: 5}", "ocpp.HeartbeatIntervl: the configuration of the stack has no such key; did"),
        ("ocpp: {ISO15118PnCEnabled: true}", "ocpp.ISO15118PnCEnabled: the configuration of the stack has no such key; "
         "name its section, too: `PnC: {ISO15118PnCEnabled: ...}`"),
        ("ocpp: {Xyz: 5}", "ocpp.Xyz: the configuration of the stack has no such key; write it with its section"),
        ("ocpp: {HeartbeatInterval: often}", "ocpp.HeartbeatInterval: cannot be 'often'; write a whole number"),
        ("ocpp: {Core: {HeartbeatIntervl: 5}}", 'ocpp.Core.HeartbeatIntervl: Core has no key "HeartbeatIntervl"; did'),
        ("ocpp: {Security: {SecurityProfile: 4}}", "ocpp.Security.SecurityProfile: cannot be 4; write a whole number, "
         "at least 0, at most 3"),
        ("ocpp: {Security: {AuthorizationKey: short}}", "ocpp.Security.AuthorizationKey: does not fit (it is not"),
        ("modules: {aut: {}}", 'modules.aut: there is no module "aut"; did you mean "auth"?'),
        ("modules: {auth: {conection_timeout: 5}}", 'modules.auth.conection_timeout: auth has no parameter '
         '"conection_timeout"; did you mean "connection_timeout"?'),
        ("modules: {auth: {connection_timeout: '5'}}", 'modules.auth.connection_timeout: "5" is not of type integer'),
        ("modules: {auth: {main: {a: 1}}}", 'modules.auth.main.a: auth has no parameter "a"'),
        ("modules: {auth: {mian: {a: 1}}}", 'modules.auth.mian: auth has no implementation "mian"; did you mean'),
        ("config: nowhere", "config: there is no config file nowhere"),
    ],
)  # fmt: skip
def test_a_mistake_about_the_station_has_its_line_and_the_fix(tmp_path: Path, station: str, said: str) -> None:
    (found,) = told(tmp_path, f"scenario: S\nsteps: [{{wait: 1 s}}]\nstation:\n  {station}\n")
    assert found.startswith(f"4: station.{said}")


EVERYTHING = """\
scenario: S
sed: 1
station:
  ocpp: {HeartbeatInterval: often}
  modules:
    aut: {}
csms: 5
steps:
  - {car: plgu}
  - {car: plug, connector: 7}
  - {event: [1]}
  - {variable: ocpp/main/nothing}
"""


def test_mistakes_of_every_kind_are_told_in_one_run(tmp_path: Path) -> None:
    assert [line.split(":")[0] for line in told(tmp_path, EVERYTHING)] == ["2", "4", "6", "7", "9", "10", "11", "12"]


@pytest.mark.parametrize("flag", ["--check", "--virtual"])
def test_nothing_is_played_of_files_that_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    (tmp_path / "a.yaml").write_text("scenario: A\nsteps: [{car: plgu}]\n")
    (tmp_path / "b.yaml").write_text("scenario: B\nsteps: [{car: plug, connector: 5}]\n")
    assert cli.main(["scenario", flag, str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "a.yaml:2: steps[0].car: there is no car command" in err
    assert "b.yaml:2: steps[0].connector: there is no connector 5" in err
    assert out == ""


def test_keys_that_are_right_are_put_into_their_section() -> None:
    keys: dict[str, dict[str, Any]] = {"Core": {"HeartbeatInterval": 1}, "Internal": {}}
    given = {"HeartbeatInterval": 2, "Core": {"ConnectionTimeOut": 3}, "Custom": {"Mine": "x"}}
    assert settings.with_keys(keys, given) == (
        {"Core": {"HeartbeatInterval": 2, "ConnectionTimeOut": 3}, "Internal": {}, "Custom": {"Mine": "x"}},
        [],
    )
    assert keys == {"Core": {"HeartbeatInterval": 1}, "Internal": {}}
