"""What a child process is made before it runs its program: user, capabilities, signals, parent-death signal (bus 2.5).

`Identity` is looked up by the manager, with clear errors; `child_setup` applies it between fork and exec, from the main
thread: a parent-death signal belongs to the thread that forked. No processes are started here.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everest.manager.errors import BootError

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522

CAPABILITIES = (  # noqa: SIM905
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
).split()
"""Names as of libcap without `cap_`; the index is the kernel's number."""


@dataclass(frozen=True, slots=True)
class User:
    """A user to switch to, with all groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom and with which ambient capabilities (numbers) a module runs."""

    user: User | None = None
    capabilities: tuple[int, ...] = ()


def user_of(name: str) -> User | None:
    """The user of `settings.run_as_user`; None when there is none to switch to. Raises BootError."""
    if not name:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise BootError(f'settings.run_as_user: there is no user "{name}"') from error
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise BootError(f'settings.run_as_user: only root can run modules as "{name}"')
    return User(name, entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))


def capabilities_of(module: str, names: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the capabilities that can be granted; a warning for those that this process has not itself.

    Raises BootError for names that no kernel knows.
    """
    wanted = {}
    for name in names:
        short = name.lower().removeprefix("cap_")
        if short not in CAPABILITIES:
            raise BootError(f"module {module}: there is no capability {name!r}; names are like cap_net_raw")
        wanted[name] = CAPABILITIES.index(short)
    permitted = permitted_capabilities()
    missing = [name for name, number in wanted.items() if not permitted >> number & 1]
    if missing:
        text = "module %s asks for the capabilities %s: not granted, run the manager with them"
        logger.warning(text, module, ", ".join(missing))
    return tuple(number for name, number in wanted.items() if name not in missing)


def permitted_capabilities() -> int:
    """Bit mask of what this process may give away; 0 where the system has no capabilities."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def become(user: User) -> None:
    """Switch this process for good: groups, group, user. Nothing to do for a process that is this user already."""
    if os.geteuid() == user.uid:
        return
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)


def can_write(user: User, folder: Path) -> bool:
    """Whether a process of that user could create files in a folder; asked of such a process. Root only."""
    words = ["test", "-w", str(folder), "-a", "-x", str(folder)]
    identity: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": user.groups}
    return subprocess.run(words, check=False, **identity).returncode == 0


def child_setup(manager_pid: int, identity: Identity = Identity()) -> Callable[[], None]:
    """What a child does between fork and exec: change its identity, die with the manager, ignore Ctrl-C (bus 2.5)."""
    libc = _libc()

    def setup() -> None:
        if libc is not None and identity.capabilities:
            libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        if identity.user is not None:
            become(identity.user)
        if libc is not None:
            if identity.capabilities:
                _raise_ambient(libc, identity)
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != manager_pid:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})

    return setup


def _libc() -> ctypes.CDLL | None:
    """The C library on Linux; other systems have neither parent-death signals nor capabilities."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError):
        return ctypes.CDLL(None, use_errno=True)
    return None


def _raise_ambient(libc: ctypes.CDLL, identity: Identity) -> None:
    """Make the capabilities inheritable and ambient; after a change of user they are all there is. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable of 0..31, then of 32..63
    _checked(libc.capget(header, data))
    for half in (0, 1):
        wanted = sum(1 << (number - 32 * half) for number in identity.capabilities if number // 32 == half)
        if identity.user is not None:
            data[3 * half] = data[3 * half + 1] = wanted
        data[3 * half + 2] |= wanted
    _checked(libc.capset(header, data))
    for number in identity.capabilities:
        _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
