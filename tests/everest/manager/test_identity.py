"""As whom modules run: another user, ambient capabilities, and what the system does not allow (bus 2.5)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from everest.manager import identity
from everest.manager.errors import BootError
from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess, wait_until
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

NET_RAW, SYS_TIME = 13, 25
USER = "nobody"


def may(*capabilities: int) -> bool:
    """Can this test process give these away?"""
    permitted = identity.permitted_capabilities()
    return os.geteuid() == 0 and all(permitted >> number & 1 for number in capabilities)


needs_root = pytest.mark.skipif(not may(6, 7, 8, NET_RAW), reason="needs root with cap_net_raw")


@pytest.fixture
def house() -> Iterator[House]:
    """A prefix that every user can read, and write its outcome into."""
    folder = Path(tempfile.mkdtemp(prefix="everest-identity-"))
    folder.chmod(0o777)
    house = House(folder / "prefix")
    program = house.manifest("Who", DEMO).parent / "Who"
    outcome = folder / "outcome"
    program.write_text(
        f"#!/bin/sh\n(id -u; id -G; grep CapAmb /proc/self/status; grep SigBlk /proc/self/status) > {outcome}.new\n"
        f"mv {outcome}.new {outcome}\nexec sleep 60\n"
    )
    program.chmod(0o755)
    yield house
    shutil.rmtree(folder)


def outcome(house: House, broker: Mosquitto, config: str) -> tuple[list[str], str]:
    """What the module found itself to be, and the manager's log."""
    house.config(config, "default")
    folder = house.root.parent
    environment = {"MQTT_SERVER_ADDRESS": broker.host, "MQTT_SERVER_PORT": str(broker.port)}
    with ManagerProcess(folder, "--prefix", str(house.root), environment=environment) as process:
        wait_until((folder / "outcome").exists, "the module's outcome")
        process.wait_for_text("started who:Who")
        if "run_as_user" in config:
            process.wait_for_text(f"going on as user {USER}")
            assert Path(f"/proc/{process.process.pid}").stat().st_uid in (0, pwd.getpwnam(USER).pw_uid)
            status = Path(f"/proc/{process.process.pid}/status").read_text()
            assert f"Uid:\t{pwd.getpwnam(USER).pw_uid}\t" in status
        process.signal()
        assert process.ended() == 0
        return (folder / "outcome").read_text().splitlines(), process.stderr


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
@needs_root
def test_modules_and_manager_run_as_another_user_with_its_groups(house: House, mosquitto: Mosquitto) -> None:
    config = f"settings: {{run_as_user: {USER}}}\nactive_modules: {{who: {{module: Who}}}}\n"
    (uid, groups, capabilities, _), _ = outcome(house, mosquitto, config)
    entry = pwd.getpwnam(USER)
    assert int(uid) == entry.pw_uid
    assert {int(group) for group in groups.split()} == set(os.getgrouplist(USER, entry.pw_gid))
    assert int(capabilities.split()[1], 16) == 0


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
@needs_root
@pytest.mark.parametrize("user", [f"settings: {{run_as_user: {USER}}}\n", ""])
def test_capabilities_are_ambient_whoever_the_module_runs_as(house: House, mosquitto: Mosquitto, user: str) -> None:
    config = f"{user}active_modules: {{who: {{module: Who, capabilities: [cap_net_raw]}}}}\n"
    (uid, _, capabilities, _), log = outcome(house, mosquitto, config)
    assert int(uid) == (pwd.getpwnam(USER).pw_uid if user else 0)
    assert int(capabilities.split()[1], 16) == 1 << NET_RAW
    assert "not granted" not in log


@needs_root
def test_the_warm_parent_is_the_user_its_modules_are() -> None:
    """By `child_setup`, which execs it: the death signal is set after the change of user, which would clear it."""
    user = identity.user_of(USER)
    assert user is not None
    code = (
        "import ctypes, os; signal = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(signal), 0, 0, 0);"
        "print(os.getuid(), signal.value)"
    )
    setup = identity.child_setup(os.getpid(), identity.Identity(user))
    interpreter = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if interpreter is None:
        pytest.skip("no interpreter that every user may run")
    done = subprocess.run([interpreter, "-c", code], preexec_fn=setup, cwd="/", capture_output=True, text=True)
    assert done.stdout.split() == [str(user.uid), "15"], done.stderr


def test_capabilities_that_cannot_be_granted_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(identity, "permitted_capabilities", lambda: 1 << NET_RAW)
    assert identity.capabilities_of("one", ["cap_net_raw", "CAP_SYS_TIME"]) == (NET_RAW,)
    assert "module one asks for the capabilities CAP_SYS_TIME: not granted" in caplog.text
    with pytest.raises(BootError, match="module one: there is no capability 'cap_flying'"):
        identity.capabilities_of("one", ["cap_flying"])


def test_capability_numbers_are_the_kernels() -> None:
    assert [identity.CAPABILITIES.index(name) for name in ("chown", "net_raw", "sys_time", "bpf")] == [0, 13, 25, 39]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_permitted_is_read_from_the_system() -> None:
    assert (identity.permitted_capabilities() != 0) is (os.geteuid() == 0)


def test_a_user_that_is_not_there_or_may_not_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BootError, match='there is no user "nobody_here"'):
        identity.user_of("nobody_here")
    assert identity.user_of("") is None
    assert identity.user_of(pwd.getpwuid(os.geteuid()).pw_name) is None, "already there"
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(BootError, match='only root can run modules as "nobody"'):
        identity.user_of(USER)


OPEN_TO_ALL = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
"""An interpreter that every user may run, where the one of this test is private."""
OURS = os.pathsep.join([str(Path(identity.__file__).parents[2]), sysconfig.get_path("purelib")])
NO_COMPANIONS = """
import sys
from everest.manager import cli, companion
companion.find = lambda: []
sys.exit(cli.main())
"""


def run_for_all(house: House, *words: str, **environment: str) -> ManagerProcess:
    """`everest-manager run`, without companions, by an interpreter that `nobody` may go on with."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if OPEN_TO_ALL is None or subprocess.run([OPEN_TO_ALL, "-c", same], check=False).returncode:
        pytest.skip("no interpreter of this version that every user may run")
    house.module("Uid", DEMO, WRITES_UID)
    house.config(f"settings: {{run_as_user: {USER}}}\nactive_modules: {{one: {{module: Uid}}}}\n", "default")
    return ManagerProcess(
        house.root.parent,
        *("run", "--prefix", str(house.root), *words),
        environment={"PYTHONPATH": OURS, **environment},
        command=[OPEN_TO_ALL, "-c", NO_COMPANIONS],
    )


WRITES_UID = """
import os
from everest.runtime import Implementation, Module


class Thing(Module):
    def __init__(self, context):
        super().__init__(context)
        self.provide("main", Main())

    async def ready(self):
        with open("uid", "w") as file:
            file.write(str(os.getuid()))


class Main(Implementation):
    interface = "demo"
    commands = {}
    variables = {"beat": int}
    errors = ()
"""


@pytest.mark.stack
@needs_root
def test_in_process_modules_run_as_the_user_and_in_a_state_directory_of_theirs(house: House) -> None:
    state = house.root.parent / "state"
    with run_for_all(house, "--in-process", "--state-dir", str(state)) as process:
        wait_until((state / "uid").exists, "the module's file")
        process.signal()
        assert process.ended() == 0
    assert (state / "uid").read_text() == str(pwd.getpwnam(USER).pw_uid)
    assert state.stat().st_uid == pwd.getpwnam(USER).pw_uid


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
@needs_root
@pytest.mark.parametrize("own_broker", [False, True])
def test_run_goes_on_as_the_user_unless_it_has_a_broker_to_end(
    house: House, mosquitto: Mosquitto, own_broker: bool
) -> None:
    configured = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    state = house.root.parent / "state"
    with run_for_all(house, "--state-dir", str(state), **({} if own_broker else configured)) as process:
        wait_until((state / "uid").exists, "the module's file")
        status = Path(f"/proc/{process.process.pid}/status").read_text()
        assert (f"Uid:\t{0 if own_broker else pwd.getpwnam(USER).pw_uid}\t") in status
        process.signal()
        assert process.ended() == 0


@pytest.mark.stack
@needs_root
def test_a_state_directory_that_the_user_cannot_write_is_refused(house: House) -> None:
    state = house.root.parent / "state"
    state.mkdir()
    (state / "of_somebody_else").touch()
    with run_for_all(house, "--in-process", "--state-dir", str(state)) as process:
        assert process.ended() == 1
        (line,) = process.complaints
        assert f"state directory {state}: user {USER} of settings.run_as_user cannot write there" in line
