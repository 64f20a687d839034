"""As whom modules run: another user, ambient capabilities, and what the system does not allow (bus 2.5)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
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
