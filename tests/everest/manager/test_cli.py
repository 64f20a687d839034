"""The command line of the manager: exit statuses, one clear line per mistake, quiet standard output (bus 2.6, 2.8)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from everest.manager import cli, start
from tests.everest.manager.house import DEMO, House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("MQTT_SERVER_PORT", "1")
    monkeypatch.setenv("MQTT_SERVER_ADDRESS", "127.0.0.1")
    house = House(tmp_path / "prefix")
    house.manifest("Demo", DEMO)
    house.config("active_modules: {one: {module: Demo}}\n")
    return house


def manage(house: House, *words: str) -> int:
    return cli.main(["--prefix", str(house.root), *words])


def usage_error(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(words))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",), ("run", "--help")])
def test_help_and_version_print_and_succeed(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(*words) == 0
    assert "everest-manager" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--chek",), "unrecognized arguments: --chek"),
        (("--retain",), "unrecognized arguments: --retain"),
        (("--check",), "--check needs --config"),
        (("--config", "a", "--conf", "b"), "--config and --conf are the same flag; use --config"),
        (("--db", "here.db"), "--db here.db is not a full path"),
        (("--db",), "argument --db: expected one argument"),
        (("--reset-from-yaml", "--db", "/tmp/x"), "--reset-from-yaml needs --config"),
        (("--dialect", "C"), "argument --dialect: invalid choice: 'C'"),
        (("run", "--nonsense"), "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_usage_is_one_line_and_status_1(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(*words) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert complaint in output.err and len(output.err.splitlines()) == 1


def test_check_accepts_a_fine_config_without_a_broker(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage(house, "--check", "--config", "config") == 0
    assert manage(house, "--check", "--conf", str(house.root / "etc/everest/config.yaml")) == 0
    assert capsys.readouterr().out == ""


def test_check_reports_every_problem_and_ends_with_status_1(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.config("active_modules:\n  one: {module: Demi}\n  two: {module: Demo, standalone: maybe}\n")
    assert manage(house, "--check", "--config", "config") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "everest-manager: 2 problems found"
    assert "Demi" in lines[1] + lines[2] and "standalone" in lines[1] + lines[2]
    assert not any("Traceback" in line for line in lines)


def test_check_takes_a_config_without_modules_but_a_start_does_not(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house.config("settings: {}\n")
    assert manage(house, "--check", "--config", "config") == 0
    capsys.readouterr()
    assert manage(house, "--config", "config") == 1
    assert f"everest-manager: {config} has no modules; list some under active_modules\n" in capsys.readouterr().err


def test_a_missing_config_is_named(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage(house, "--config", "nope") == 1
    assert capsys.readouterr().err == (
        f"everest-manager: there is no config file nope nor {house.root}/etc/everest/nope.yaml; say --config FILE\n"
    )


def test_a_missing_prefix_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--prefix", str(tmp_path / "nope")]) == 1
    assert capsys.readouterr().err == (
        f"everest-manager: prefix {tmp_path}/nope is not a directory; say --prefix with an EVerest installation\n"
    )


def test_a_broker_nobody_runs_is_one_line(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage(house, "--config", "config") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "broker" in line]
    assert line.startswith("everest-manager: cannot connect to the MQTT broker at 127.0.0.1:1")


def test_a_fifo_nobody_reads_or_that_is_none_is_status_1(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert manage(house, "--status-fifo", str(tmp_path / "fifo")) == 1
    assert "open it for reading first" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert manage(house, "--status-fifo", str(tmp_path / "file")) == 1
    assert "is not a fifo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("active_modules: {one: {module: Demo}}\n", b"MANAGER_INITIALIZING\n"),
        ("active_modules: {one: {module: Demi}}\n", b"MANAGER_INITIALIZING\n"),
    ],
)
def test_check_says_initializing_on_the_fifo(house: House, tmp_path: Path, config: str, expected: bytes) -> None:
    house.config(config)
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    manage(house, "--check", "--config", "config", "--status-fifo", str(tmp_path / "fifo"))
    assert os.read(reader, 1000) == expected
    os.close(reader)


def test_a_config_without_modules_says_exiting_on_the_fifo(house: House, tmp_path: Path) -> None:
    house.config("active_modules: {}\n")
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert manage(house, "--config", "config", "--status-fifo", str(tmp_path / "fifo")) == 1
    assert os.read(reader, 1000) == b"MANAGER_INITIALIZING\nMANAGER_EXITING\n"
    os.close(reader)


def test_dump_writes_the_configuration_and_the_manifests(house: House, tmp_path: Path) -> None:
    assert manage(house, "--check", "--config", "config", "--dump", str(tmp_path)) == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["one"]["module_name"] == "Demo"
    assert config["one"]["configuration_parameters"] == {"!module": [], "main": []}
    assert json.loads((tmp_path / "Demo.json").read_text())["provides"]["main"]["interface"] == "demo"


def test_dump_is_json_with_an_indent_of_four(house: House, tmp_path: Path) -> None:
    assert manage(house, "--check", "--config", "config", "--dump", str(tmp_path)) == 0
    assert (tmp_path / "config.json").read_text().startswith('{\n    "one": {\n        "')


def test_a_dump_without_check_goes_on_to_start(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage(house, "--config", "config", "--dump", str(tmp_path)) == 1
    assert "cannot connect to the MQTT broker" in capsys.readouterr().err
    assert (tmp_path / "config.json").is_file()


def test_the_prefix_of_the_command_line_is_the_one_that_counts(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage(house, "--check", "--config", "config", "--mqtt_everest_prefix", "mine#") == 1
    assert "mqtt_everest_prefix is 'mine#/'" in capsys.readouterr().err


def test_dump_needs_an_existing_directory(house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage(house, "--check", "--config", "config", "--dump", str(tmp_path / "nope")) == 1
    assert "the directory must exist" in capsys.readouterr().err


def test_dumpmanifests_writes_all_manifests_and_exits(house: House, tmp_path: Path) -> None:
    house.manifest("Unused", "enable_telemetry: true\n")
    assert manage(house, "--dumpmanifests", str(tmp_path)) == 0
    assert json.loads((tmp_path / "Unused.yaml").read_text())["enable_telemetry"] is True
    assert (tmp_path / "Demo.yaml").is_file()


def test_dumpmanifests_reports_broken_manifests(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house.manifest("Broken", "nonsense: 1\n")
    assert manage(house, "--dumpmanifests", str(tmp_path)) == 1
    assert "Broken/manifest.yaml:3: nonsense: unknown key" in capsys.readouterr().err


def test_warnings_are_printed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    config = house.config("active_modules:\n  one: {module: Demo}\n  one: {module: Demo}\n")
    assert manage(house, "--check", "--config", "config") == 0
    assert f"{config}:3: key 'one' is there twice (first in line 2); the last counts\n" in capsys.readouterr().err


def test_standalone_takes_several_values_and_repetitions() -> None:
    arguments = cli.parse(["--standalone", "a", "b", "-s", "c", "--ignore", "d", "--dontvalidateschema"])
    assert (arguments.standalone, arguments.ignore) == (["a", "b", "c"], ["d"])


def test_a_number_that_is_none_in_the_port_variable_is_ignored_with_a_warning(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MQTT_SERVER_PORT", "many")
    assert manage(house, "--check", "--config", "config") == 0
    assert "MQTT_SERVER_PORT is 'many', not a number: ignored\n" in capsys.readouterr().err


def test_ctrl_c_before_the_command_line_is_read_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    assert start.main(["--help"]) == 1
