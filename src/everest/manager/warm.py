"""The warm parent: a process that has imported the libraries and forks Python modules on order (design, section 3).

It is exec'd for this alone and keeps to itself: no event loop, no thread, no socket but the one to the manager, no
database. Orders and reports are JSON lines on that socket; with each `started` goes a pidfd of the child. The child
puts everything back to what a freshly started interpreter has, and runs the script as `__main__`.
Standard library only; everest.manager's other files must not be imported here. The manager's side: nursery.py.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ALWAYS = ("asyncio", "everest.runtime", "everest.runtime.mqtt", "everest.runtime.validation")
PADDING = "EVEREST_WARM_PADDING"
"""Room for the environment of a child where the kernel shows it (`/proc/<pid>/environ`)."""

_PR_SET_PDEATHSIG = 1
_STAT_ARG_START = 47
"""Index of arg_start in /proc/self/stat; arg_end, env_start and env_end follow."""


@dataclass(slots=True)
class Pristine:
    """What a fresh interpreter has and libraries may change; restored in each child."""

    path: list[str] = field(default_factory=lambda: list(sys.path))
    mask: set[Any] = field(default_factory=lambda: set(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    handlers: dict[int, Any] = field(
        default_factory=lambda: {number: signal.getsignal(number) for number in signal.valid_signals()}
    )

    def restore(self, script: Path) -> None:
        sys.path[:] = [str(script.parent), *self.path]
        for number, handler in self.handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        root = logging.getLogger()
        for entry in list(root.handlers):
            root.removeHandler(entry)
        root.setLevel(logging.WARNING)


def main(descriptor: int) -> None:
    """Import what every module needs, then serve orders until the manager closes the socket."""
    pristine = Pristine()
    gc.disable()
    preload([])
    manager = socket.socket(fileno=descriptor)
    order = _serve(manager)
    if order is not None:
        _become(order, pristine)


def _prepare(manager: socket.socket, scripts: list[str]) -> bool:
    """Import what `scripts` need; False when this process must not be forked then."""
    preload(Path(script) for script in scripts)
    if (reason := unfit(manager.fileno())) is not None:
        _tell(manager, {"unfit": reason})
        return False
    gc.collect()
    gc.freeze()
    _tell(manager, {"ready": True})
    return True


def unfit(descriptor: int) -> str | None:
    """Why this process must not be forked: a library that was imported has started or opened something."""
    tasks = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if tasks != 1:
        return f"an imported library has started {tasks - 1} thread(s)"
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) != descriptor:
            try:
                target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
            except FileNotFoundError:
                continue
            if target.startswith(("socket:", "pipe:")) or "eventpoll" in target:
                return f"an imported library has opened {target}"
    return None


# --- what is imported ---


def preload(scripts: Iterable[Path]) -> None:
    """Import what the folders of these scripts import at their top; what fails here will fail in its module."""
    wanted = dict.fromkeys(ALWAYS)
    for script in scripts:
        for file in sorted(script.parent.glob("*.py")):
            wanted.update(dict.fromkeys(imports_of(file)))
    for name in wanted:
        try:
            importlib.import_module(name)
        except Exception as error:
            logging.getLogger(__name__).debug("not imported ahead: %s: %s", name, error)


def imports_of(file: Path) -> Iterator[str]:
    """Names of the absolute imports at the top level of a Python file; submodules may be classes, too."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0 and statement.module is not None:
            yield statement.module
            if statement.module.startswith("everest."):
                yield from (f"{statement.module}.{alias.name}" for alias in statement.names if alias.name.islower())


# --- orders ---


def _serve(manager: socket.socket) -> dict[str, Any] | None:
    """Serve the manager. Returns in a new child, with its order; in the parent when the manager is gone, with None."""
    poll = select.poll()
    poll.register(manager, select.POLLIN)
    children: dict[int, tuple[str, int]] = {}
    """pidfd -> module id, pid"""
    buffer, parent = b"", os.getpid()
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                _reap(manager, descriptor, *children.pop(descriptor))
                continue
            data = manager.recv(65536)
            if not data:
                for pidfd in children:
                    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                return None
            *lines, buffer = (buffer + data).split(b"\n")
            for order in map(json.loads, lines):
                if "preload" in order:
                    if not _prepare(manager, order["preload"]):
                        return None
                    continue
                pid = os.fork()
                if pid == 0:
                    _leave_family(manager, parent)
                    return dict(order)
                pidfd = os.pidfd_open(pid)
                children[pidfd] = (order["id"], pid)
                poll.register(pidfd, select.POLLIN)
                _tell(manager, {"started": order["id"], "pid": pid}, [pidfd])


def _reap(manager: socket.socket, pidfd: int, module_id: str, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    _tell(manager, {"ended": module_id, "pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(manager: socket.socket, report: dict[str, Any], descriptors: list[int] | None = None) -> None:
    try:
        socket.send_fds(manager, [json.dumps(report).encode() + b"\n"], descriptors or [])
    except OSError:
        """The manager is gone; the end of file on the socket says so next."""


# --- the child ---


def _leave_family(manager: socket.socket, parent: int) -> None:
    """First thing in the child: SIGTERM when the warm parent ends, and nothing of its descriptors."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    manager.detach()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _become(order: dict[str, Any], pristine: Pristine) -> None:
    """Turn into the interpreter that would run `order["script"]`, and run it."""
    script = Path(order["script"])
    pristine.restore(script)
    os.environ.clear()
    os.environ.update(order["environment"])
    if order["cwd"] is not None:
        os.chdir(order["cwd"])
    sys.argv = [str(script)]
    sys.orig_argv = [sys.executable, str(script)]
    show_process(sys.orig_argv, order["environment"])
    gc.enable()
    namespace = sys.modules["__main__"].__dict__
    namespace.clear()
    namespace.update(__name__="__main__", __file__=str(script), __builtins__=__builtins__, __spec__=None, __doc__=None)
    exec(compile(script.read_bytes(), str(script), "exec", dont_inherit=True), namespace)


def show_process(argv: list[str], environment: dict[str, str]) -> None:
    """Write command line and environment where `ps` and `/proc` look for them, as far as there is room."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        places = [int(text) for text in fields[_STAT_ARG_START - 2 : _STAT_ARG_START + 2]]
    except (OSError, ValueError):
        return
    pairs = [f"{key}={value}" for key, value in environment.items()]
    for texts, start, end in ((argv, places[0], places[1]), (pairs, places[2], places[3])):
        data = b"".join(os.fsencode(text) + b"\0" for text in texts)
        if start > 0 and len(data) <= end - start:
            ctypes.memset(start, 0, end - start)
            ctypes.memmove(start, data, len(data))
