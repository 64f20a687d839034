"""A scenario is played on the modules of an EVerest prefix, with a configuration as EVerest's testers write them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from everest.manager import install, paths
from everest.manager.errors import BootError, ConfigError
from everest.scenario import cli, reading
from everest.scenario.run import NOWHERE
from everest.scenario.stack import changed, parameter

SCENARIO = """\
scenario: On EvseManager
seed: 42
station: {config: sil.yaml}
steps:
  - {car: plug}
  - {event: AuthRequired}
  - {card: ME}
  - {expect: StartTransaction}
  - {wait: 10 min}
  - {car: unplug}
  - {expect: StopTransaction, with: {meterStop: "> 1000"}}
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laid out prefix; nobody may change it."""
    folder = tmp_path_factory.mktemp("laid") / "prefix"
    assert install.main(["--prefix", str(folder)]) == 0
    return folder


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A scenario beside its configuration, which names its EVSEs' module as EVerest does."""
    ours = paths.resolve().default_config.read_text(encoding="utf-8")
    (tmp_path / "sil.yaml").write_text(ours.replace("module: EvseManagerSim", "module: EvseManager"), encoding="utf-8")
    file = tmp_path / "on_evse_manager.yaml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


def test_the_manager_of_a_prefix_plays_on_its_own_modules(prefix: Path, scenario: Path, tmp_path: Path) -> None:
    command = [str(prefix / "bin" / "manager"), "scenario", "--virtual", str(scenario)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "PASSED On EvseManager (7 steps)" in done.stdout


def test_the_command_plays_on_the_prefix_that_is_named(
    prefix: Path, scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(prefix.parent)
    assert cli.main(["--virtual", "--prefix", prefix.name, str(scenario)]) == 0
    assert "PASSED On EvseManager (7 steps)" in capsys.readouterr().out


def test_without_a_prefix_the_module_is_not_there(scenario: Path) -> None:
    with pytest.raises(ConfigError, match='there is no module "EvseManager"'):
        cli.main(["--check", str(scenario)])


def test_a_configuration_of_the_prefix_is_found_by_its_name(
    prefix: Path, scenario: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path_factory.mktemp("own") / "prefix"
    install.main(["--prefix", str(other)])
    scenario.with_name("sil.yaml").rename(other / "etc" / "everest" / "config-sil-mine.yaml")
    scenario.write_text(SCENARIO.replace("sil.yaml", "config-sil-mine"), encoding="utf-8")
    assert cli.main(["--check", "--prefix", str(other), str(scenario)]) == 0
    with pytest.raises(ConfigError, match="config-sil-mine"):
        cli.main(["--check", "--prefix", str(prefix), str(scenario)])


def test_the_seed_reaches_the_simulated_evse_whatever_its_name(prefix: Path, scenario: Path, tmp_path: Path) -> None:
    stack, mistakes = changed(reading.load(scenario), tmp_path, NOWHERE, prefix)
    assert mistakes == []
    assert parameter(stack, "evse_manager_1", "noise_seed") == 42


def test_a_prefix_that_is_not_there_is_named(scenario: Path) -> None:
    with pytest.raises(BootError, match="prefix /nowhere is not a directory"):
        cli.main(["--check", "--prefix", "/nowhere", str(scenario)])
