"""`everest-manager run`: broker choice, state directory, companions, and the end of all that was started."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everest.manager import broker, companion, paths, run, state
from everest.manager.companion import Companion, RunContext
from everest.manager.errors import BootError, BrokerError
from everest.manager.settings import BrokerAddress, Settings
from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess, is_gone, wait_until
from tests.support.mosquitto import needs_mosquitto

BEATING = """
from everest.runtime import Implementation, Module


class Thing(Module):
    def __init__(self, context):
        super().__init__(context)
        self.main = Main()
        self.provide("main", self.main)

    async def ready(self):
        open("beaten", "a").close()
        self.mqtt_publish("beat", str(self.config["rate"]))


class Main(Implementation):
    interface = "demo"
    commands = {}
    variables = {"beat": int}
    errors = ()
"""
RATE = "config: {rate: {type: integer, description: Beats, default: 60, minimum: 1}}\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    here = Path.cwd()
    house = House(tmp_path / "prefix")
    house.module("Demo", DEMO + RATE, BEATING)
    house.config("active_modules: {one: {module: Demo}, two: {module: Demo}}\n", "default")
    yield house
    os.chdir(here)


class Listener:
    """A tiny companion: makes the modules beat faster, hears them on the external topic, ends with a status."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.calls: list[str] = []
        self.heard: list[str] = []
        self.context: RunContext | None = None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rate", type=int, default=90)

    async def prepare(self, context: RunContext) -> None:
        self.calls.append("prepare")
        self.context = context
        context.set_parameter("two", "rate", context.arguments.rate)
        self._transport = context.transport()
        await self._transport.connect()
        await self._transport.subscribe(f"{context.external_prefix}beat")

    async def play(self, context: RunContext) -> int:
        self.calls.append("play")
        async for message in self._transport.messages():
            self.heard.append(message.payload.decode())
            if len(self.heard) == 2:
                break
        return self.status

    async def close(self) -> None:
        self.calls.append("close")
        await self._transport.close()


class Waiter(Listener):
    """A companion that plays for ever."""

    async def play(self, context: RunContext) -> int:
        self.calls.append("play")
        try:
            await asyncio.Event().wait()
        finally:
            self.calls.append("cancelled")
        return 0


def words(house: House, *more: str) -> list[str]:
    return ["--prefix", str(house.root), "--state-dir", str(house.root.parent / "state"), *more]


# --- in process ---


@pytest.mark.parametrize("status", [0, 5])
def test_a_companion_prepares_plays_and_decides_the_exit_status(house: House, status: int) -> None:
    listener = Listener(status)
    assert isinstance(listener, Companion)
    assert run.main(words(house, "--in-process", "--rate", "120"), [listener]) == status
    assert listener.calls == ["prepare", "play", "close"]
    assert sorted(listener.heard) == ["120", "60"]
    assert listener.context is not None
    assert listener.context.module_ids == ["one", "two"]
    assert listener.context.mqtt_address is None


def test_modules_in_process_write_into_the_state_directory(house: House) -> None:
    before = {path for path in house.root.rglob("*") if "__pycache__" not in path.parts}
    run.main(words(house, "--in-process"), [Listener()])
    assert (house.root.parent / "state" / "beaten").exists()
    assert {path for path in house.root.rglob("*") if "__pycache__" not in path.parts} == before


def test_without_mosquitto_everything_runs_in_process_and_one_line_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    listener = Listener()
    assert run.main(words(house), [listener]) == 0
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "mosquitto" in line]
    assert line == (
        "everest-manager: no mosquitto found, so all modules run in this process; "
        f"for processes: {broker.install_line()}"
    )


def test_a_module_that_crashes_in_process_ends_the_stack_with_status_1(house: House) -> None:
    house.module("Crash", DEMO, BEATING.replace('open("beaten", "a").close()', 'raise ValueError("broken beat")'))
    house.config("active_modules: {one: {module: Demo}, two: {module: Crash}}\n", "default")
    waiter = Patient()
    assert run.main(words(house, "--in-process"), [waiter]) == 1
    assert waiter.calls == ["prepare", "play", "cancelled", "close"]
    assert waiter.context is not None and waiter.context.stack_failed.done()


class Patient(Waiter):
    async def prepare(self, context: RunContext) -> None:
        self.calls.append("prepare")
        self.context = context

    async def close(self) -> None:
        self.calls.append("close")


def test_a_signal_ends_an_in_process_run_with_status_0(house: House) -> None:
    waiter = Patient()

    class Signalled(Patient):
        async def play(self, context: RunContext) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return await waiter.play(context)

    assert run.main(words(house, "--in-process"), [Signalled()]) == 0
    assert waiter.calls == ["play", "cancelled"]


def test_a_companion_that_fails_to_prepare_is_closed_and_named(house: House) -> None:
    class Refusing(Patient):
        async def prepare(self, context: RunContext) -> None:
            context.set_parameter("one", "rate", 0)

    refusing = Refusing()
    with pytest.raises(BootError, match="one/!module/rate: 0 is less than the minimum of 1"):
        run.main(words(house, "--in-process"), [refusing])
    assert refusing.calls == ["close"]


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_a_broker_that_a_companion_does_not_reach_is_named_with_what_to_do(
    house: House, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("MQTT_SERVER_ADDRESS", host)
    monkeypatch.setenv("MQTT_SERVER_PORT", "1")
    with pytest.raises(BrokerError, match=f"at {host}:1: .*; start a broker there, or name another one"):
        run.main(words(house), [Listener()])


def test_a_signal_during_preparation_just_cleans_up(house: House) -> None:
    class Slow(Patient):
        async def prepare(self, context: RunContext) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    slow = Slow()
    assert run.main(words(house, "--in-process"), [slow]) == 0
    assert slow.calls == ["close"]


def test_a_companion_that_breaks_in_play_is_not_hidden(house: House) -> None:
    class Broken(Patient):
        async def play(self, context: RunContext) -> int:
            raise LookupError("lost the script")

    broken = Broken()
    with pytest.raises(LookupError, match="lost the script"):
        run.main(words(house, "--in-process"), [broken])
    assert broken.calls == ["prepare", "close"]


def test_run_time_changes_are_kept_in_the_state_directory_and_win(house: House) -> None:
    for place, rate in (("etc/everest/user-config/default.yaml", 70), ("../state/user-config/default.yaml", 80)):
        house.write(place, json.dumps({"active_modules": {"one": {"config_module": {"rate": rate}}}}))
    listener = Listener()
    assert run.main(words(house, "--in-process"), [listener]) == 0
    assert sorted(listener.heard) == ["80", "90"]
    assert listener.context is not None
    assert listener.context.stack.user_config == house.root.parent / "state/user-config/default.yaml"


def test_standalone_modules_need_a_broker(house: House) -> None:
    with pytest.raises(BootError, match=r"standalone modules \(one\) need a broker; (apt|brew) install mosquitto"):
        run.main(words(house, "--in-process", "--standalone", "one"), [])


def test_a_module_that_is_no_runtime_module_cannot_run_in_process(house: House) -> None:
    folder = house.manifest("Script", "").parent
    (folder / "module.py").write_text("pass\n")
    house.config("active_modules: {script: {module: Script}}\n", "default")
    with pytest.raises(BootError, match="module script:Script cannot run in the manager's process"):
        run.main(words(house, "--in-process"), [])


# --- choices ---


@pytest.mark.parametrize(
    ("configured", "mosquitto", "in_process", "choice"),
    [
        (False, "/usr/sbin/mosquitto", False, "private"),
        (False, None, False, "in-memory"),
        (True, "/usr/sbin/mosquitto", False, "configured"),
        (True, None, False, "configured"),
        (True, "/usr/sbin/mosquitto", True, "in-memory"),
        (False, "/usr/sbin/mosquitto", True, "in-memory"),
    ],
)
def test_the_broker_is_configured_or_private_or_in_memory(
    house: House, configured: bool, mosquitto: str | None, in_process: bool, choice: str
) -> None:
    settings = Settings(house.layout, broker_configured=configured)
    assert broker.choose(settings, mosquitto, in_process=in_process) == choice


def test_mosquitto_is_looked_for_beyond_a_users_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(broker, "_SYSTEM_PLACES", (str(tmp_path),))
    assert broker.find_mosquitto({"PATH": "/nowhere"}) == str(program)
    monkeypatch.setattr(broker, "_SYSTEM_PLACES", ())
    assert broker.find_mosquitto({"PATH": "/nowhere"}) is None
    assert broker.find_mosquitto({"PATH": str(tmp_path)}) == str(program)


def test_the_state_directory_has_a_place_per_configuration(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    nothing = argparse.Namespace(state_dir=None)
    default, mine = house.layout.default_config, house.config("active_modules: {}\n", "mine")
    assert run.state_dir(nothing, default, house.layout) == tmp_path / "xdg/everest/default"
    assert run.state_dir(nothing, mine, house.layout) == tmp_path / "xdg/everest/mine"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run.state_dir(nothing, mine, house.layout) == tmp_path / "home/.local/state/everest/mine"
    chosen = argparse.Namespace(state_dir=tmp_path / "chosen")
    assert run.state_dir(chosen, mine, house.layout) == tmp_path / "chosen"


def test_stale_variables_of_another_stack_do_not_reach_the_modules() -> None:
    environment = {"EV_MODULE": "x", "EV_MQTT_BROKER_PORT": "1", "EV_PREFIX": "/x", "PATH": "/bin", "EV_OWN": "kept"}
    assert run.clean_environment(environment) == {"PATH": "/bin", "EV_OWN": "kept"}


class _Entry:
    def __init__(self, name: str, outcome: Any) -> None:
        self.name = name
        self._outcome = outcome

    def load(self) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def test_a_companion_that_cannot_be_imported_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    entries: Any = [_Entry("demo", ImportError("No module named 'ocpp'")), _Entry("mine", Patient)]
    (found,) = companion.find(entries)
    assert isinstance(found, Patient)
    assert "demo is not there: No module named 'ocpp'" in caplog.text


# --- with a private mosquitto ---


def private_broker(process: ManagerProcess) -> tuple[int, int]:
    """(port, pid) of the broker that a run has started."""
    process.wait_for_text("started a private broker")
    found = re.search(r"standalone modules reach it at 127\.0\.0\.1:(\d+)", process.stderr)
    assert found is not None
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()
    for pid in children:
        if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto":
            return int(found[1]), int(pid)
    raise AssertionError(f"no mosquitto among {children}")


ALONE = """
import sys
from everest.manager import cli, companion
companion.find = lambda: []
sys.exit(cli.main(sys.argv[1:]))
"""
"""`everest-manager` without any companion, whatever is installed."""


@pytest.mark.stack
class TestPrivateBroker:
    pytestmark = needs_mosquitto

    def process(self, house: House, *more: str) -> ManagerProcess:
        return ManagerProcess(house.root.parent, "run", *words(house, *more), command=(sys.executable, "-c", ALONE))

    def test_a_run_brings_its_broker_and_takes_it_away_again(self, house: House) -> None:
        with self.process(house) as process:
            process.wait_for_line("ALL_MODULES_STARTED")
            _, broker_pid = private_broker(process)
            modules = process.pids()
            wait_until((house.root.parent / "state" / "beaten").exists, "the modules' working directory")
            process.signal()
            assert process.ended() == 0
            assert all(is_gone(pid) for pid in (broker_pid, *modules.values()))

    def test_the_line_for_a_standalone_module_begins_in_the_state_directory(self, house: House) -> None:
        with self.process(house, "--standalone", "two") as process:
            process.wait_for_text("is started by hand: ")
            line = process.stderr.split("is started by hand: ")[1]
            assert line.startswith(f"cd {house.root.parent / 'state'} && EV_PREFIX=")

    def test_a_broker_that_dies_ends_the_run_with_one_line(self, house: House) -> None:
        with self.process(house) as process:
            process.wait_for_line("ALL_MODULES_STARTED")
            _, broker_pid = private_broker(process)
            os.kill(broker_pid, signal.SIGKILL)
            assert process.ended() == 1
            assert all(is_gone(pid) for pid in process.pids().values())
            lost = [line for line in process.stderr.splitlines() if "lost the connection" in line]
            assert lost == process.complaints[-1:], "the manager says it for everybody"
            assert "CRIT" not in process.stderr

    def test_a_killed_run_leaves_nothing_behind(self, house: House) -> None:
        with self.process(house) as process:
            process.wait_for_line("ALL_MODULES_STARTED")
            pids = (private_broker(process)[1], *process.pids().values())
            process.signal(signal.SIGKILL)
            process.ended()
            wait_until(lambda: all(is_gone(pid) for pid in pids), "everybody's end")

    def test_a_module_that_dies_ends_broker_and_run(self, house: House) -> None:
        with self.process(house) as process:
            process.wait_for_line("ALL_MODULES_STARTED")
            _, broker_pid = private_broker(process)
            os.kill(process.pids()["one"], signal.SIGKILL)
            assert process.ended() == 1
            assert is_gone(broker_pid) and is_gone(process.pids()["two"])


@pytest.mark.mosquitto
async def test_a_private_mosquitto_is_reachable_and_gone_afterwards() -> None:
    program = broker.find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not on PATH")
    private = broker.PrivateMosquitto(program)
    async with private as address:
        assert isinstance(address, BrokerAddress)
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.close()
        pid = private.pid
    assert pid is not None and is_gone(pid)


async def test_a_mosquitto_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\necho 'Error: no mood' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(BootError, match="does not start: Error: no mood"):
        async with broker.PrivateMosquitto(str(program)):
            pass


# --- where things are ---


def test_this_checkout_finds_its_own_contracts_and_modules() -> None:
    layout = paths.resolve()
    assert layout.kind == "checkout"
    assert (layout.interfaces_dir / "empty.yaml").is_file()
    assert layout.default_config.name == "manifest.yaml"
    paths.check(layout)


def test_usr_has_its_configuration_in_etc(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    assert paths.of_prefix(Path("/usr")).configs_dir == Path("/etc/everest")
    assert paths.of_prefix(Path("/usr")).logging_config_file == Path("/etc/everest/default_logging.cfg")
    layout = paths.of_prefix(tmp_path / "usr")
    assert layout.configs_dir == tmp_path / "etc/everest"
    assert layout.logging_config_file == tmp_path / "usr/etc/everest/default_logging.cfg"


def test_an_installed_package_uses_the_prefix_it_carries(tmp_path: Path) -> None:
    assert paths.checkout_root(tmp_path / "site-packages" / "everest" / "manager") is None
    (tmp_path / "prefix").mkdir()
    layout = paths.of_wheel(tmp_path / "prefix")
    assert layout.modules_dir == tmp_path / "prefix/libexec/everest/modules"
    assert layout.default_config == tmp_path / "prefix/etc/everest/default.yaml"
    assert layout.logging_config_file.is_file() and layout.schemas_dir.is_dir()


def test_a_foreign_pyproject_above_is_not_our_checkout(tmp_path: Path) -> None:
    package = tmp_path / "src" / "everest" / "manager"
    package.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "something-else"\n')
    assert paths.checkout_root(package) is None
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{paths.PROJECT}"\n')
    assert paths.checkout_root(package) == tmp_path


def test_two_runs_do_not_share_a_state_directory(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    class Twin(Listener):
        async def prepare(self, context: RunContext) -> None:
            self.second = await asyncio.to_thread(second_run)
            await super().prepare(context)

    def second_run() -> tuple[int, str]:
        command = [sys.executable, "-m", "everest.manager", "run", *words(house, "--in-process")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    twin = Twin()
    assert run.main(words(house, "--in-process"), [twin]) == 0
    status, errors = twin.second
    assert status == 1
    assert f"is in use by another everest-manager run (pid {os.getpid()})" in errors
    assert "Traceback" not in errors


def test_a_killed_run_leaves_its_state_directory_free(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom everest.manager.state import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(BootError, match=f"pid {holder.pid}"), state.locked(tmp_path):
            raise AssertionError
        holder.kill()
        holder.wait()
    with state.locked(tmp_path):
        assert (tmp_path / state.LOCK_FILE).read_text() == f"{os.getpid()}\n"
