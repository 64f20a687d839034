"""Whole stacks: a real broker, a real manager process, real modules, and nothing left of them afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess, is_gone, wait_until
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto, running_mosquitto

__all__ = ["mosquitto"]

pytestmark = [pytest.mark.stack, *needs_mosquitto]

STARTED = ["MANAGER_INITIALIZING", "MANAGER_STARTING_MODULES", "MANAGER_RUNNING", "ALL_MODULES_STARTED"]

DUMP = """
import json, os, signal, sys, time
from pathlib import Path

blocked = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
data = {"environment": dict(os.environ), "argv": sys.argv, "executable": sys.executable, "blocked": blocked,
        "cwd": os.getcwd()}
path = Path(os.environ["DUMP"])
path.with_suffix(".new").write_text(json.dumps(data))
path.with_suffix(".new").rename(path)
signal.pause()
"""
"""A plain script as a module: writes down how it was started, and waits."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.module("Demo", DEMO)
    house.config("active_modules: {one: {module: Demo}, two: {module: Demo}}\n", "default")
    return house


def manager(house: House, broker: Mosquitto, *arguments: str, **environment: str) -> ManagerProcess:
    address = {"MQTT_SERVER_ADDRESS": broker.host, "MQTT_SERVER_PORT": str(broker.port)}
    folder = house.root.parent
    return ManagerProcess(folder, "--prefix", str(house.root), *arguments, environment=address | environment)


def test_a_stack_starts_runs_and_ends_with_its_processes(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        assert set(pids) == {"one", "two"} and not any(is_gone(pid) for pid in pids.values())
        process.signal()
        assert process.ended() == 0
        assert process.lines == [
            *STARTED,
            "SIGINT_RECEIVED",
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_FORCE_TERMINATING",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]
        assert all(is_gone(pid) for pid in pids.values())
        assert process.complaints == []


def test_a_graceful_stop_ends_all_modules_clean(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto, "--graceful-shutdown") as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        process.signal(signal.SIGTERM)
        assert process.ended() == 0
        assert process.lines[len(STARTED) :] == [
            "SIGINT_RECEIVED",
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_SHUTDOWN_FINALIZING",
            "ALL_MODULES_STOPPED_CLEAN",
            "MANAGER_EXITING",
        ]


def test_a_killed_module_takes_the_stack_with_it_in_one_line(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        os.kill(pids["one"], signal.SIGKILL)
        assert process.ended() == 1
        assert is_gone(pids["two"])
        assert process.lines[len(STARTED) :] == [
            "MANAGER_SHUTDOWN_REQUESTED",
            "MANAGER_CRASH_SHUTDOWN_IN_PROGRESS",
            "MANAGER_FORCE_TERMINATING",
            "MANAGER_SHUTDOWN_FINALIZING",
            "MANAGER_EXITING",
        ]
        critical = [line for line in process.stderr.splitlines() if "CRIT" in line]
        assert len(critical) == 1
        assert "module one:Demo ended by itself (killed by SIGKILL): stopping all modules" in critical[0]


def test_a_killed_module_is_started_again_with_recovery(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto, "--recover-module-crashes") as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        before = process.pids()
        os.kill(before["one"], signal.SIGKILL)
        process.wait_for_line("ALL_MODULES_STARTED", 2)
        after = process.pids()
        assert all(is_gone(pid) for pid in before.values())
        process.signal()
        assert process.ended() == 0
        assert all(is_gone(pid) for pid in after.values())
        assert "CRASH_RECOVERY_ATTEMPT:1/3" in process.lines


def test_a_lost_broker_ends_everything_with_one_line_and_status_1(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        mosquitto.stop()
        assert process.ended() == 1
        (complaint,) = process.complaints
        assert "lost the connection to the MQTT broker" in complaint
        assert "Traceback" not in process.stderr
        assert "ended by itself" not in process.stderr
        assert all(is_gone(pid) for pid in pids.values())


def test_a_port_nobody_answers_on_is_one_line_and_status_1(house: House, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    with manager(house, mosquitto) as process:
        assert process.ended() == 1
        (complaint,) = process.stderr.splitlines()
        assert complaint.startswith(f"everest-manager: cannot connect to the MQTT broker at 127.0.0.1:{mosquitto.port}")


def test_a_second_signal_ends_the_manager_at_once(house: House, mosquitto: Mosquitto) -> None:
    house.module("Deaf", "{}\n", "")
    folder = house.manifest("Deaf", "").parent
    (folder / "module.py").write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(end='', flush=True)\n"
        "from pathlib import Path\nPath('deaf').touch()\nwhile True: signal.pause()\n"
    )
    house.config("active_modules: {deaf: {module: Deaf}}\n", "default")
    with manager(house, mosquitto) as process:
        wait_until((process.folder / "deaf").exists, "the deaf module")
        process.signal()
        process.wait_for_line("MANAGER_FORCE_TERMINATING")
        process.signal()
        assert process.ended() == 1
        assert "MANAGER_EXITING" not in process.lines
        wait_until(lambda: is_gone(process.pids()["deaf"]), "the deaf module's end")


def test_modules_die_with_a_killed_manager(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        process.signal(signal.SIGKILL)
        process.ended()
        wait_until(lambda: all(is_gone(pid) for pid in pids.values()), "the modules' end")


def test_a_python_module_gets_the_environment_of_the_reference(house: House, mosquitto: Mosquitto) -> None:
    folder = house.manifest("Dump", "").parent
    (folder / "module.py").write_text(DUMP)
    house.config(
        "settings: {validate_schema: true, mqtt_external_prefix: ext_}\nactive_modules: {dumper: {module: Dump}}\n",
        "default",
    )
    dump = house.root.parent / "dump.json"
    stale = {"EV_MODULE": "stale", "EV_PREFIX": "/stale", "PYTHONPATH": "/somewhere"}
    with manager(house, mosquitto, "--mqtt_everest_prefix", "mine", DUMP=str(dump), **stale) as process:
        wait_until(dump.exists, "the dump")
        process.signal()
        assert process.ended() == 0
    data = json.loads(dump.read_text())
    environment = data["environment"]
    assert {key: value for key, value in environment.items() if key.startswith("EV_")} == {
        "EV_MODULE": "dumper",
        "EV_PREFIX": "/stale",
        "EV_LOG_CONF_FILE": str(house.root / "etc/everest/default_logging.cfg"),
        "EV_MQTT_EVEREST_PREFIX": "mine/",
        "EV_MQTT_EXTERNAL_PREFIX": "ext_",
        "EV_MQTT_BROKER_HOST": mosquitto.host,
        "EV_MQTT_BROKER_PORT": str(mosquitto.port),
        "EV_VALIDATE_SCHEMA": "1",
    }
    assert environment["PYTHONPATH"] == "/somewhere"
    assert data["argv"] == [str(folder / "module.py")]
    assert data["executable"] == sys.executable
    assert data["cwd"] == str(house.root.parent)
    assert signal.SIGINT in data["blocked"] and signal.SIGTERM not in data["blocked"]


def test_a_native_module_gets_its_arguments_in_order(house: House, mosquitto: Mosquitto) -> None:
    folder = house.manifest("Native", "").parent
    dump = house.root.parent / "arguments"
    program = folder / "Native"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {dump}.new\nmv {dump}.new {dump}\nexec sleep 60\n')
    program.chmod(0o755)
    (folder / "module.py").write_text("raise SystemExit(9)\n")
    house.config("active_modules: {native: {module: Native}}\n", "default")
    with manager(house, mosquitto) as process:
        wait_until(dump.exists, "the arguments")
        process.signal()
        assert process.ended() == 0
    assert dump.read_text().splitlines() == [
        *("--prefix", str(house.root)),
        *("--module", "native"),
        *("--log_config", str(house.root / "etc/everest/default_logging.cfg")),
        *("--mqtt_everest_prefix", "everest/"),
        *("--mqtt_external_prefix", ""),
        *("--mqtt_broker_host", mosquitto.host),
        *("--mqtt_broker_port", str(mosquitto.port)),
    ]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_node_module_is_started_by_node_before_python(house: House, mosquitto: Mosquitto) -> None:
    folder = house.manifest("Script", "").parent
    dump = house.root.parent / "dump.json"
    (folder / "index.js").write_text(
        "const fs = require('fs');\n"
        "fs.writeFileSync(process.env.DUMP + '.new', JSON.stringify([process.env.EV_MODULE, process.execArgv]));\n"
        "fs.renameSync(process.env.DUMP + '.new', process.env.DUMP);\n"
        "setInterval(() => {}, 1000);\n"
    )
    (folder / "module.py").write_text("raise SystemExit(9)\n")
    house.config("active_modules: {script: {module: Script}}\n", "default")
    with manager(house, mosquitto, DUMP=str(dump)) as process:
        wait_until(dump.exists, "the dump")
        process.signal()
        assert process.ended() == 0
    assert json.loads(dump.read_text()) == ["script", ["--unhandled-rejections=strict"]]


def test_an_unknown_user_to_run_as_is_named(house: House, mosquitto: Mosquitto) -> None:
    house.config("settings: {run_as_user: nobody_here}\nactive_modules: {one: {module: Demo}}\n", "default")
    with manager(house, mosquitto) as process:
        assert process.ended() == 1
        assert process.complaints == ['everest-manager: settings.run_as_user: there is no user "nobody_here"']


def test_a_program_that_cannot_be_executed_stops_the_start(house: House, mosquitto: Mosquitto) -> None:
    folder = house.manifest("Zombie", "").parent
    (folder / "Zombie").write_text("no program")
    house.config("active_modules: {alive: {module: Demo}, zombie: {module: Zombie}}\n", "default")
    with manager(house, mosquitto) as process:
        assert process.ended() == 1
        (complaint,) = process.complaints
        assert complaint.startswith("everest-manager: module zombie cannot be started: ")
        assert is_gone(process.pids()["alive"])


def test_a_module_without_program_is_named_with_the_fix(house: House, mosquitto: Mosquitto) -> None:
    house.manifest("Hollow", "")
    house.config("active_modules: {alive: {module: Demo}, hollow: {module: Hollow}}\n", "default")
    with manager(house, mosquitto) as process:
        assert process.ended() == 1
        (complaint,) = process.complaints
        assert "module hollow: no program in" in complaint and "--standalone hollow" in complaint
        assert process.pids() == {}


def test_a_standalone_module_joins_and_comes_back_under_retained_topics(house: House, mosquitto: Mosquitto) -> None:
    def start_two(manager: ManagerProcess) -> subprocess.Popen[bytes]:
        """As somebody does who copies the line that the manager prints."""
        (line,) = [line for line in manager.stderr.splitlines() if "module two:Demo is started by hand: " in line]
        command = line.split("is started by hand: ")[1]
        return subprocess.Popen(["sh", "-c", f"exec env {command}"], stderr=subprocess.DEVNULL)

    with manager(house, mosquitto, "--standalone", "two", "nobody", "--retain-topics") as process:
        process.wait_for_line("WAITING_FOR_STANDALONE_MODULES")
        assert set(process.pids()) == {"one"}
        for count in (1, 2):
            by_hand = start_two(process)
            process.wait_for_line("ALL_MODULES_STARTED", count)
            by_hand.kill()
            by_hand.wait()
        assert process.process.poll() is None
        process.signal()
        assert process.ended() == 0
        assert process.lines[:7] == [
            "MANAGER_INITIALIZING",
            "MANAGER_STARTING_MODULES",
            "WAITING_FOR_STANDALONE_MODULES",
            "MANAGER_RUNNING",
            "ALL_MODULES_STARTED",
            "ALL_MODULES_STARTED",
            "SIGINT_RECEIVED",
        ]


def test_a_stack_runs_over_a_unix_socket(house: House, tmp_path: Path) -> None:
    with running_mosquitto(tmp_path, unix_socket=True) as broker:
        house.config(
            f"settings: {{mqtt_broker_socket_path: {broker.socket_path}}}\nactive_modules: {{one: {{module: Demo}}}}\n",
            "default",
        )
        with ManagerProcess(tmp_path, "--prefix", str(house.root)) as process:
            process.wait_for_line("ALL_MODULES_STARTED")
            process.signal()
            assert process.ended() == 0


def test_a_venv_beside_the_module_is_used(house: House, mosquitto: Mosquitto) -> None:
    folder = house.manifest("Dump", "").parent
    (folder / "module.py").write_text(DUMP)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python3").symlink_to(sys.executable)
    house.config("active_modules: {dumper: {module: Dump}}\n", "default")
    dump = house.root.parent / "dump.json"
    with manager(house, mosquitto, DUMP=str(dump)) as process:
        wait_until(dump.exists, "the dump")
        process.signal()
        assert process.ended() == 0
    environment = json.loads(dump.read_text())["environment"]
    assert environment["VIRTUAL_ENV"] == str(folder / ".venv")
    assert environment["VIRTUAL_ENV_PROMPT"] == "venv"
    assert environment["PATH"].startswith(f"{folder / '.venv' / 'bin'}{os.pathsep}")
