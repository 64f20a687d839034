"""How a module is started: the look-up of its program, its arguments and its environment, row by row of bus 2.5."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everest.manager import programs
from everest.manager.model import Manifest, ModuleConfig
from everest.manager.settings import BrokerAddress, Settings
from tests.everest.manager.house import House

MODULE = ModuleConfig("one", "Demo")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.write("libexec/everest/modules/Demo/manifest.yaml", "description: Demo\n")
    return house


def folder(house: House) -> Path:
    return house.layout.modules_dir / "Demo"


def manifest(house: House) -> Manifest:
    return Manifest("Demo", {}, {}, {}, {}, folder(house))


def settings(house: House, **changes: Any) -> Settings:
    return dataclasses.replace(Settings(house.layout, BrokerAddress("broker", 4711)), **changes)


def program(house: House, **changes: Any) -> programs.Program:
    return programs.program_of(MODULE, manifest(house), settings(house, **changes))


def environment(house: House, base: dict[str, str], **changes: Any) -> dict[str, str]:
    """What `base` becomes for the module."""
    return programs.environment_of(MODULE, program(house), settings(house, **changes), base)


def test_the_native_program_comes_before_node_and_node_before_python(house: House) -> None:
    here = folder(house)
    (here / "module.py").touch()
    assert program(house).argv == [sys.executable, str(here / "module.py")]
    (here / "index.js").touch()
    assert program(house).argv == ["node", "--unhandled-rejections=strict", str(here / "index.js")]
    (here / "Demo").touch()
    found = program(house)
    assert (found.argv[0], found.executable) == ("one:Demo", str(here / "Demo"))


def test_a_native_program_gets_broker_or_socket_and_an_empty_prefix_as_an_argument(house: House) -> None:
    (folder(house) / "Demo").touch()
    common = [
        *("one:Demo", "--prefix", str(house.root), "--module", "one"),
        *("--log_config", str(house.root / "etc/everest/default_logging.cfg")),
        *("--mqtt_everest_prefix", "everest/", "--mqtt_external_prefix", ""),
    ]
    assert program(house).argv == [*common, "--mqtt_broker_host", "broker", "--mqtt_broker_port", "4711"]
    socket = BrokerAddress(socket_path="/run/broker")
    assert program(house, broker=socket).argv == [*common, "--mqtt_broker_socket_path", "/run/broker"]
    assert environment(house, {"PATH": "/bin"}) == {"PATH": "/bin"}, "no EV_* for native modules"


@pytest.mark.parametrize("name", ["module.py", "index.js"])
def test_scripts_are_started_by_their_real_path(house: House, name: str) -> None:
    real = house.write(f"elsewhere/{name}", "")
    (folder(house) / name).symlink_to(real)
    assert program(house).argv[-1] == str(real)


def test_what_the_managers_environment_says_wins_but_for_the_forced_ones(house: House) -> None:
    (folder(house) / "module.py").touch()
    plain = environment(house, {})
    assert plain == {
        "EV_MODULE": "one",
        "EV_PREFIX": str(house.root),
        "EV_LOG_CONF_FILE": str(house.root / "etc/everest/default_logging.cfg"),
        "EV_MQTT_EVEREST_PREFIX": "everest/",
        "EV_MQTT_EXTERNAL_PREFIX": "",
        "EV_MQTT_BROKER_HOST": "broker",
        "EV_MQTT_BROKER_PORT": "4711",
    }
    stale = dict.fromkeys([*plain, "EV_VALIDATE_SCHEMA"], "stale")
    assert environment(house, stale, validate_schema=True) == {**stale, "EV_MODULE": "one", "EV_VALIDATE_SCHEMA": "1"}
    assert environment(house, stale)["EV_VALIDATE_SCHEMA"] == "stale", "only set when validation is on"
    assert environment(house, {}, broker=BrokerAddress(socket_path="/run/broker")).keys() == (
        plain.keys() - {"EV_MQTT_BROKER_HOST", "EV_MQTT_BROKER_PORT"} | {"EV_MQTT_BROKER_SOCKET_PATH"}
    )


def test_the_binding_stands_before_what_the_python_path_says(house: House) -> None:
    (folder(house) / "module.py").touch()
    binding = house.root / "lib" / "everest" / "everestpy"
    assert "PYTHONPATH" not in environment(house, {})
    binding.mkdir(parents=True)
    assert environment(house, {})["PYTHONPATH"] == str(binding)
    assert environment(house, {"PYTHONPATH": "/a:/b"})["PYTHONPATH"] == f"{binding}:/a:/b"
    assert program(house).argv[0] == "python3", "EVerest's own binding: EVerest's own interpreter"


def test_node_gets_its_path_unless_there_is_one(house: House) -> None:
    (folder(house) / "index.js").touch()
    assert "NODE_PATH" not in environment(house, {})
    modules = house.root / "lib" / "everest" / "node_modules"
    modules.mkdir(parents=True)
    assert environment(house, {})["NODE_PATH"] == str(modules)
    assert environment(house, {"NODE_PATH": "/mine"})["NODE_PATH"] == "/mine"
    assert "PYTHONPATH" not in environment(house, {})


def test_a_venv_beside_the_real_script_is_used_as_if_activated(house: House) -> None:
    real = house.write("elsewhere/module.py", "")
    (folder(house) / "module.py").symlink_to(real)
    python = house.write("elsewhere/.venv/bin/python3", "")
    assert program(house).argv == [str(python), str(real)]
    found = environment(house, {"PYTHONHOME": "/home", "PATH": "/bin"})
    venv = python.parents[1]
    assert (found["VIRTUAL_ENV"], found["VIRTUAL_ENV_PROMPT"]) == (str(venv), "venv")
    assert found["PATH"] == f"{venv}/bin:/bin"
    assert "PYTHONHOME" not in found


def test_the_line_for_a_standalone_module_goes_to_the_folder_of_its_files_first(house: House, tmp_path: Path) -> None:
    script = folder(house) / "module.py"
    script.write_text("import os; print(os.getcwd(), os.environ['EV_MODULE'])\n")
    state = tmp_path / "my state"
    state.mkdir()
    line = programs.by_hand(MODULE, manifest(house), settings(house), state)
    assert line.startswith(f"cd '{state}' && ")
    run = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout == f"{state} one\n"


def test_without_a_working_directory_of_modules_the_line_goes_nowhere(house: House) -> None:
    (folder(house) / "module.py").touch()
    assert not programs.by_hand(MODULE, manifest(house), settings(house)).startswith("cd ")
