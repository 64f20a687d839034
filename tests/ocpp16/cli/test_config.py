"""`ocpp16 config`: what is shown, what is written, what is refused, and with which status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocpp16.cli.config import EFFECTS
from ocpp16.cli.main import main
from ocpp16.configuration import Configuration, Effect, Source, keys
from ocpp16.configuration.schemas import SHIPPED
from tests.support.configurations import document as minimal


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(minimal()))
    return file


@pytest.fixture
def user(tmp_path: Path) -> Path:
    return tmp_path / "user_config.json"


def rows(text: str) -> dict[str, str]:
    return {line[:11].strip(): line[11:].strip() for line in text.splitlines() if line}


def test_explain_says_value_default_origin_and_what_a_change_would_do(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "explain", "retrybackoffwaitminimum", "--config", str(base)]) == 0
    shown = rows(capsys.readouterr().out)
    assert shown["Key"] == "Internal.RetryBackoffWaitMinimum"
    assert (shown["Value"], shown["Default"], shown["Set by"], shown["Set at"]) == ("3", "3", "default", "-")
    assert shown["By the CSMS"] == "written to the user config, then it counts from the next reconnect on"


async def test_explain_names_the_csms_and_the_time_of_its_change(
    base: Path, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await Configuration.load(base, user_config=user).change("HeartbeatInterval", "71")
    assert main(["config", "explain", "HeartbeatInterval", "--config", str(base), "--user-config", str(user)]) == 0
    shown = rows(capsys.readouterr().out)
    assert shown["Value"] == "71"
    assert shown["Set by"] == f"CSMS ({user})"
    assert shown["Set at"].startswith("20") and shown["Set at"].endswith("Z")


def test_explain_tells_how_a_value_would_be_answered_and_writes_nothing(
    base: Path, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain = ["config", "explain", "HeartbeatInterval", "--config", str(base), "--user-config", str(user), "--to"]
    assert main([*explain, "12"]) == main([*explain, "soon"]) == 0
    out = capsys.readouterr().out
    assert "HeartbeatInterval = 12: Accepted" in out and "HeartbeatInterval = soon: Rejected" in out
    assert not user.exists()


def test_a_key_that_no_file_sets_and_a_read_only_key_say_so(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "explain", "MinimumStatusDuration", "--config", str(base)])
    assert rows(capsys.readouterr().out)["By the CSMS"] == "NotSupported while no file sets the key"
    main(["config", "explain", "ChargePointId", "--config", str(base)])
    assert rows(capsys.readouterr().out)["By the CSMS"] == "Rejected: read-only"


def test_a_key_of_a_profile_that_is_not_active_and_one_that_the_schema_file_opens_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = minimal()
    content["LocalAuthListManagement"] = {
        "LocalAuthListEnabled": True,
        "LocalAuthListMaxLength": 1,
        "SendLocalListMaxLength": 1,
    }
    file = tmp_path / "inactive.json"
    file.write_text(json.dumps(content))
    main(["config", "explain", "LocalAuthListEnabled", "--config", str(file), "--to", "false"])
    out = capsys.readouterr().out
    assert "NotSupported: the feature profile LocalAuthListManagement is not active" in out
    assert "LocalAuthListEnabled = false: NotSupported" in out
    schemas = tmp_path / "schemas"
    shutil.copytree(SHIPPED, schemas)
    internal = json.loads((schemas / "Internal.json").read_text())
    internal["properties"]["CentralSystemURI"]["readOnly"] = False
    (schemas / "Internal.json").write_text(json.dumps(internal))
    main(["config", "explain", "CentralSystemURI", "--config", str(file), "--profile-schemas", str(schemas)])
    assert "written to the user config" in rows(capsys.readouterr().out)["By the CSMS"]


def test_the_authorization_key_is_never_shown(base: Path, user: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = ["--config", str(base), "--user-config", str(user)]
    assert main(["config", "set", "AuthorizationKey", "0123456789abcdef", *files]) == 0
    assert main(["config", "explain", "AuthorizationKey", *files]) == 0
    assert main(["config", "list", *files]) == 0
    assert main(["config", "get", "AuthorizationKey", *files]) == 1
    captured = capfd.readouterr()
    assert "0123456789abcdef" not in captured.out + captured.err
    assert Configuration.load(base, user_config=user)[keys.AuthorizationKey] == "0123456789abcdef"


def test_an_unknown_key_is_an_error_that_offers_the_nearest_one(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "get", "HeartbeatIntervall", "--config", str(base)]) == 1
    assert capsys.readouterr().err == (
        "error: HeartbeatIntervall is no key of this configuration; did you mean HeartbeatInterval?\n"
    )


def test_list_shows_all_visible_keys_or_only_those_that_were_set(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["config", "list", "--config", str(base)])
    everything = capsys.readouterr().out.splitlines()
    main(["config", "list", "--changed", "--config", str(base)])
    changed = capsys.readouterr().out.splitlines()
    assert any(line.startswith("RetryBackoffWaitMinimum") for line in everything)
    assert not any(line.startswith("RetryBackoffWaitMinimum") for line in changed)
    assert any(line.startswith("HeartbeatInterval") and " file " in line for line in changed)


def test_set_writes_the_user_config_as_the_user_and_get_reads_it(
    base: Path, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = base.read_bytes()
    files = ["--config", str(base), "--user-config", str(user)]
    assert main(["config", "set", "HeartbeatInterval", "44", *files]) == 0
    assert main(["config", "set", "ChargePointModel", "M2", *files]) == 0
    assert json.loads(user.read_text()) == {"Core": {"HeartbeatInterval": 44}, "Internal": {"ChargePointModel": "M2"}}
    capsys.readouterr()
    assert main(["config", "get", "chargepointmodel", *files]) == 0
    assert capsys.readouterr().out == "M2\n"
    origin = Configuration.load(base, user_config=user).origin(keys.HeartbeatInterval)
    assert origin.source is Source.USER and origin.time is not None
    assert base.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("HeartbeatInterval", "soon", "HeartbeatInterval is not changed: Rejected"),
        ("NumberOfConnectors", "many", "Core.NumberOfConnectors: no whole number"),
        ("SupportedFeatureProfiles", "Cores", "unknown feature profile 'Cores'"),
    ],
)
def test_a_value_with_which_nothing_would_start_is_not_written(
    base: Path, user: Path, capsys: pytest.CaptureFixture[str], key: str, value: str, problem: str
) -> None:
    user.write_text("{}")
    assert main(["config", "set", key, value, "--config", str(base), "--user-config", str(user)]) == 1
    assert problem in capsys.readouterr().err
    assert user.read_text() == "{}"


def test_set_without_a_user_config_is_refused(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "set", "HeartbeatInterval", "4", "--config", str(base)]) == 1
    assert "--user-config" in capsys.readouterr().err


def test_check_names_file_key_and_fix_of_every_error(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(base)]) == 0
    document = minimal()
    document["Core"] |= {"HeartbeatInterval": "often", "Hearbeat": 1}
    base.write_text(json.dumps(document))
    capsys.readouterr()
    assert main(["config", "check", str(base)]) == 1
    problems = capsys.readouterr().err
    assert f"{base}: Core.HeartbeatInterval" in problems and "must be an integer" in problems
    assert "Hearbeat" in problems
    base.write_text("{")
    assert main(["config", "check", str(base)]) == 1
    assert f"{base}, line 1" in capsys.readouterr().err


def test_every_effect_is_put_into_words() -> None:
    assert set(EFFECTS) == set(Effect)


def test_the_command_line_is_checked_with_status_2_and_warnings_go_to_stderr(base: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ocpp16.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    wrong = run("config", "explain", "HeartbeatInterval")
    assert wrong.returncode == 2 and "--config" in wrong.stderr
    document = minimal()
    document["Core"] |= {"MeterValuesSampledData": "Voltage,SoC", "MeterValuesSampledDataMaxLength": 1}
    base.write_text(json.dumps(document))
    checked = run("config", "check", str(base))
    assert checked.returncode == 0
    assert f"WARNING: {base}: Core.MeterValuesSampledData: 2 items, but MeterValuesSampledDataMaxLength is 1" in (
        checked.stderr
    )
