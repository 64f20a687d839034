"""The warm parent: forked modules are as good as started ones, its own end is the stack's end (design, section 3)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everest.manager import start, warm
from everest.manager.processes import WARM_SYSTEM
from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess, is_gone, wait_until
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

pytestmark = [
    pytest.mark.stack,
    *needs_mosquitto,
    pytest.mark.skipif(not WARM_SYSTEM, reason="this system starts modules one by one"),
]

TELLING = """
import gc, json, logging, os, resource, signal, sys, threading
from pathlib import Path
from everest.runtime import Implementation, Module


def kind_of(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").partition(":[")[0]
    except FileNotFoundError:
        return ""


class Thing(Module):
    def __init__(self, context):
        super().__init__(context)
        self.provide("main", Main())

    async def ready(self):
        data = {
            "environment": dict(os.environ), "argv": sys.argv, "orig_argv": sys.orig_argv, "cwd": os.getcwd(),
            "main": sys.modules["__main__"].__file__, "name": sys.modules["__main__"].__name__,
            "path": sys.path, "gc": gc.isenabled(), "threads": threading.active_count(),
            "mask": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
            "parent": os.getppid(), "level": logging.getLogger().level,
            "cmdline": Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode().split("\\0"),
            "environ": sorted(set(Path("/proc/self/environ").read_bytes().decode().split("\\0")) - {""}),
            "descriptors": sorted(kind for kind in map(kind_of, os.listdir("/proc/self/fd")) if kind),
        }
        path = Path(f"told-{self.info.id}")
        path.with_suffix(".new").write_text(json.dumps(data))
        path.with_suffix(".new").rename(path)


class Main(Implementation):
    interface = "demo"
    commands = {}
    variables = {}
    errors = ()
"""

PLAIN_AND_WARM = [pytest.param(["--no-warm-parent"], id="plain"), pytest.param([], id="warm")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.module("Demo", DEMO)
    house.config("active_modules: {one: {module: Demo}, two: {module: Demo}}\n", "default")
    return house


def manager(house: House, broker: Mosquitto, *arguments: str, folder: Path | None = None) -> ManagerProcess:
    address = {"MQTT_SERVER_ADDRESS": broker.host, "MQTT_SERVER_PORT": str(broker.port)}
    return ManagerProcess(
        folder or house.root.parent, "--prefix", str(house.root), *arguments, environment=address | {"OWN": "kept"}
    )


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def told(house: House, broker: Mosquitto, folder: Path, flags: list[str]) -> dict[str, Any]:
    """What module `one` says about its process."""
    folder.mkdir()
    with manager(house, broker, *flags, folder=folder) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        wait_until((folder / "told-one").exists, "the module's tale")
        pid = process.pids()["one"]
        data: dict[str, Any] = json.loads((folder / "told-one").read_text(encoding="utf-8"))
        data["child of the manager"] = data.pop("parent") == process.process.pid
        assert is_gone(pid) is False
        process.signal()
        assert process.ended() == 0
    return data


def test_a_forked_module_finds_what_a_started_one_finds(house: House, mosquitto: Mosquitto, tmp_path: Path) -> None:
    house.module("Demo", DEMO, TELLING)
    plain = told(house, mosquitto, tmp_path / "plain", ["--no-warm-parent"])
    forked = told(house, mosquitto, tmp_path / "warm", [])
    assert plain.pop("child of the manager") and not forked.pop("child of the manager")
    for data, folder in ((plain, tmp_path / "plain"), (forked, tmp_path / "warm")):
        assert data.pop("cwd") == str(folder)
        data["descriptors"] = [kind for kind in data["descriptors"] if not kind.startswith(("/tmp", "/proc"))]
    plain.pop("environ")
    seen = forked.pop("environ")
    assert {f"{key}={value}" for key, value in forked["environment"].items()} == set(seen)
    assert "EV_MODULE=one" in seen and "OWN=kept" in seen
    assert forked == plain


def test_a_python_path_of_the_environment_stands_where_it_stands(house: House, mosquitto: Mosquitto) -> None:
    folder = house.module("Demo", DEMO, "import odd\n" + TELLING)
    (house.root / "odd.py").write_text("value = 1\n", encoding="utf-8")
    address = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    environment = address | {"PYTHONPATH": str(house.root)}
    with ManagerProcess(house.root.parent, "--prefix", str(house.root), environment=environment) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        assert folder.is_dir()


def test_children_are_forked_from_one_parent_which_ends_with_the_stack(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        (parent,) = {parent_of(pid) for pid in pids.values()}
        assert parent != process.process.pid and parent_of(parent) == process.process.pid
        process.signal()
        assert process.ended() == 0
        assert [pid for pid in (parent, *pids.values()) if os.path.exists(f"/proc/{pid}")] == []


@pytest.mark.parametrize("flags", PLAIN_AND_WARM)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(7)", "exit status 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "killed by SIGABRT"),
        ("raise ValueError('broken')", "exit status 1"),
        ("", "exit status 0"),
        ("import sys, threading; threading.Timer(0.1, lambda: None).start(); sys.exit(3)", "exit status 3"),
        ("import atexit, os; atexit.register(os._exit, 9)", "exit status 9"),
    ],
)
def test_exit_codes_and_signals_are_those_of_a_started_process(
    house: House, mosquitto: Mosquitto, flags: list[str], code: str, reason: str
) -> None:
    folder = house.module("Ends", DEMO)
    (folder / "module.py").write_text(f"import everest.runtime\n{code}\n", encoding="utf-8")
    house.config("active_modules: {ends: {module: Ends}, one: {module: Demo}}\n", "default")
    with manager(house, mosquitto, *flags) as process:
        assert process.ended() == 1
        assert f"module ends:Ends ended by itself ({reason})" in process.stderr
        if "ValueError" in code:
            assert "ValueError: broken" in process.stderr and str(folder / "module.py") in process.stderr


def test_a_module_that_is_killed_takes_the_stack_with_it(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        os.kill(pids["two"], signal.SIGKILL)
        assert process.ended() == 1
        assert "module two:Demo ended by itself (killed by SIGKILL)" in process.stderr
        assert all(is_gone(pid) for pid in pids.values())


def test_the_death_of_the_warm_parent_ends_the_stack_clearly(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        os.kill(parent_of(pids["one"]), signal.SIGKILL)
        assert process.ended() == 1
        assert "the warm parent of the Python modules ended by itself (killed by SIGKILL)" in process.stderr
        assert "its warm parent was lost: killed by SIGKILL" in process.stderr
        assert "Traceback" not in process.stderr
        wait_until(lambda: all(is_gone(pid) for pid in pids.values()), "the modules' end")
        assert process.lines[-1] == "MANAGER_EXITING"


def test_a_lost_warm_parent_is_recovered_like_any_crash(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto, "--recover-module-crashes") as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        before = process.pids()
        os.kill(parent_of(before["one"]), signal.SIGKILL)
        process.wait_for_line("ALL_MODULES_STARTED", 2)
        after = process.pids()
        assert set(after.values()).isdisjoint(before.values())
        process.signal()
        assert process.ended() == 0


def test_a_killed_manager_takes_warm_parent_and_modules_with_it(house: House, mosquitto: Mosquitto) -> None:
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pids = process.pids()
        pids["parent"] = parent_of(pids["one"])
        process.signal(signal.SIGKILL)
        process.ended()
        wait_until(lambda: all(is_gone(pid) for pid in pids.values()), "the end of all")


def test_a_deaf_forked_module_is_killed_by_a_second_signal(house: House, mosquitto: Mosquitto) -> None:
    folder = house.module("Deaf", DEMO)
    (folder / "module.py").write_text(
        "import signal\nimport everest.runtime\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nPath('deaf').touch()\nwhile True: signal.pause()\n",
        encoding="utf-8",
    )
    house.config("active_modules: {deaf: {module: Deaf}, one: {module: Demo}}\n", "default")
    with manager(house, mosquitto) as process:
        wait_until((process.folder / "deaf").exists, "the deaf module")
        process.signal()
        process.wait_for_line("MANAGER_FORCE_TERMINATING")
        process.signal()
        assert process.ended() == 1
        wait_until(lambda: is_gone(process.pids()["deaf"]), "the deaf module's end")


def test_a_library_with_threads_makes_modules_start_one_by_one(house: House, mosquitto: Mosquitto) -> None:
    folder = house.module("Demo", DEMO, "import threaded\n" + TELLING)
    (house.root / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n", encoding="utf-8"
    )
    address = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    environment = address | {"PYTHONPATH": str(house.root)}
    with ManagerProcess(house.root.parent, "--prefix", str(house.root), environment=environment) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        assert "the warm parent cannot be used, an imported library has started 1 thread(s)" in process.stderr
        assert {parent_of(pid) for pid in process.pids().values()} == {process.process.pid}
        assert folder.is_dir()


def test_a_module_with_its_own_environment_or_no_runtime_is_started_the_ordinary_way(
    house: House, mosquitto: Mosquitto
) -> None:
    own = house.module("Own", DEMO)
    (own / ".venv" / "bin").mkdir(parents=True)
    (own / ".venv" / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    (own / ".venv" / "bin" / "python3").chmod(0o755)
    house.config("active_modules: {one: {module: Demo}, own: {module: Own}, two: {module: Demo}}\n", "default")
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        parents = {name: parent_of(pid) for name, pid in process.pids().items()}
        assert parents["own"] == process.process.pid
        assert parents["one"] == parents["two"] != process.process.pid


def test_imports_of_a_file_are_read_without_running_it(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text(
        "import a.b, c\nfrom d.e import F\nfrom everest.contracts.interfaces import auth, Client\n"
        "from . import near\nif True:\n    import hidden\nraise SystemExit\n",
        encoding="utf-8",
    )
    expected = ["a.b", "c", "d.e", "everest.contracts.interfaces", "everest.contracts.interfaces.auth"]
    assert list(warm.imports_of(file)) == expected
    file.write_text("this is no Python", encoding="utf-8")
    assert list(warm.imports_of(file)) == []


def test_what_cannot_be_imported_ahead_is_left_to_its_module(house: House, mosquitto: Mosquitto) -> None:
    house.module("Broken", DEMO, "import there_is_no_such_library\n" + TELLING)
    house.config("active_modules: {broken: {module: Broken}, one: {module: Demo}}\n", "default")
    with manager(house, mosquitto) as process:
        assert process.ended() == 1
        assert "module broken:Broken ended by itself (exit status 1)" in process.stderr
        assert "No module named 'there_is_no_such_library'" in process.stderr


def test_orders_larger_than_a_socket_takes_at_once_arrive(house: House, mosquitto: Mosquitto) -> None:
    house.config(f"active_modules: {{{', '.join(f'm{n}: {{module: Demo}}' for n in range(4))}}}\n", "default")
    address = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    environment = address | {f"BIG{number}": "x" * 100_000 for number in range(3)}
    with ManagerProcess(house.root.parent, "--prefix", str(house.root), environment=environment) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        environ = Path(f"/proc/{process.pids()['m3']}/environ").read_bytes().split(b"\0")
        assert b"EV_MODULE=m3" in environ and b"BIG2=" + b"x" * 100_000 in environ
        process.signal()
        assert process.ended() == 0


def children_of(pid: int) -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_child(entry, pid)}


def is_child(entry: Path, pid: int) -> bool:
    try:
        return int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == pid
    except (OSError, ValueError):
        return False


def test_a_warm_parent_that_is_of_no_use_does_not_stay(house: House, mosquitto: Mosquitto) -> None:
    house.config("active_modules: {one: {module: Demo}}\n", "default")
    with manager(house, mosquitto) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        assert children_of(process.process.pid) == set(process.pids().values())
        process.signal()
        assert process.ended() == 0


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ([], True),
        (["run"], True),
        (["--config", "x", "--prefix={house}"], True),
        (["--check", "--config", "x"], False),
        (["run", "--in-process"], False),
        (["--no-warm-parent"], False),
        (["--into-idle"], False),
        (["install", "--prefix", "x"], False),
        (["new", "X"], False),
        (["scenario", "X"], False),
        (["--prefix", "/nowhere/at/all"], False),
    ],
)
def test_a_warm_parent_is_started_ahead_only_if_modules_may_be(house: House, words: list[str], starts: bool) -> None:
    layout = start.starting_layout([word.format(house=house.root) for word in words], None)
    assert (layout is not None) is starts


def test_what_is_imported_before_the_warm_parent_is_started_is_light() -> None:
    code = (
        "import sys, everest.manager.start; "
        "print([name for name in ('asyncio', 'jsonschema', 'yaml', 'everest.runtime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
