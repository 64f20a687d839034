"""Modules as processes: finding the program, its environment, starting, watching, ending (bus 2.5, 2.8).

`program_of` and `environment_of` are pure tables of bus 2.5. `ProcessLauncher` is a `lifecycle.Launcher`: every
process it starts dies with the manager (parent-death signal), is watched, and is ended by its pid. Processes are
started from the main thread: a parent-death signal belongs to the thread that forked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everest.manager.errors import BootError
from everest.manager.lifecycle import ModuleExited
from everest.manager.model import Manifest, ModuleConfig
from everest.manager.settings import Settings

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Program:
    """How a module is started. `executable` None: argv[0] is the program."""

    kind: str
    argv: list[str]
    executable: str | None = None
    venv: Path | None = None


def program_of(module: ModuleConfig, manifest: Manifest, settings: Settings) -> Program:
    """The first hit of bus 2.5: native binary, `index.js`, `module.py`. Raises BootError when there is none."""
    if manifest.directory is None:
        raise BootError(
            f"module {module.id} is a {module.name} and has no program; start it with --standalone {module.id}"
        )
    native, node, python = (manifest.directory / name for name in (module.name, "index.js", "module.py"))
    if native.is_file():
        return Program("native", [module.printable, *_native_arguments(module, settings)], str(native))
    if node.is_file():
        return Program("node", ["node", "--unhandled-rejections=strict", str(node.resolve())])
    if python.is_file():
        script = python.resolve()
        venv = script.parent / ".venv"
        if (venv / "bin" / "python3").is_file():
            return Program("python", [str(venv / "bin" / "python3"), str(script)], venv=venv)
        return Program("python", [python_interpreter(settings), str(script)])
    raise BootError(
        f"module {module.id}: no program in {manifest.directory}; it needs {module.name}, index.js or module.py, "
        f"or say --standalone {module.id}"
    )


def python_interpreter(settings: Settings) -> str:
    """`python3` where EVerest's own binding is installed; otherwise the interpreter that runs this manager.

    Modules that stand on `everest.runtime` need the environment it is installed in.
    """
    return "python3" if settings.layout.python_binding_dirs else sys.executable


def _native_arguments(module: ModuleConfig, settings: Settings) -> list[str]:
    broker = settings.broker
    address = (
        ["--mqtt_broker_socket_path", broker.socket_path]
        if broker.socket_path is not None
        else ["--mqtt_broker_host", broker.host, "--mqtt_broker_port", str(broker.port)]
    )
    return [
        *("--prefix", str(settings.layout.prefix)),
        *("--module", module.id),
        *("--log_config", str(settings.layout.logging_config_file)),
        *("--mqtt_everest_prefix", settings.everest_prefix),
        *("--mqtt_external_prefix", settings.external_prefix),
        *address,
    ]


def environment_of(
    module: ModuleConfig, program: Program, settings: Settings, base: Mapping[str, str]
) -> dict[str, str]:
    """Environment of the process (bus 2.5): values of `base` win, but for the forced ones."""
    environment = dict(base)
    if program.kind == "native":
        return environment
    broker = settings.broker
    defaults = {
        "EV_PREFIX": str(settings.layout.prefix),
        "EV_LOG_CONF_FILE": str(settings.layout.logging_config_file),
        "EV_MQTT_EVEREST_PREFIX": settings.everest_prefix,
        "EV_MQTT_EXTERNAL_PREFIX": settings.external_prefix,
    }
    if broker.socket_path is not None:
        defaults["EV_MQTT_BROKER_SOCKET_PATH"] = broker.socket_path
    else:
        defaults |= {"EV_MQTT_BROKER_HOST": broker.host, "EV_MQTT_BROKER_PORT": str(broker.port)}
    node_modules = settings.layout.node_modules_dir
    if program.kind == "node" and node_modules is not None:
        defaults["NODE_PATH"] = str(node_modules)
    environment = {**defaults, **environment, "EV_MODULE": module.id}
    if settings.validate_schema:
        environment["EV_VALIDATE_SCHEMA"] = "1"
    if program.kind == "python":
        _python_environment(environment, program, settings)
    return environment


def _python_environment(environment: dict[str, str], program: Program, settings: Settings) -> None:
    parts = [str(path) for path in settings.layout.python_binding_dirs]
    if environment.get("PYTHONPATH"):
        parts.append(environment["PYTHONPATH"])
    if parts:
        environment["PYTHONPATH"] = os.pathsep.join(parts)
    if program.venv is not None:
        environment["VIRTUAL_ENV"] = str(program.venv)
        environment["VIRTUAL_ENV_PROMPT"] = "venv"
        environment.pop("PYTHONHOME", None)
        environment["PATH"] = os.pathsep.join([str(program.venv / "bin"), environment.get("PATH", os.defpath)])


def by_hand(module: ModuleConfig, manifest: Manifest, settings: Settings) -> str:
    """The shell line that starts a standalone module against this broker; empty when it has no program here."""
    try:
        program = program_of(module, manifest, settings)
    except BootError:
        return ""
    own = environment_of(module, program, settings, {})
    words = [f"{name}={shlex.quote(value)}" for name, value in own.items() if name not in ("PATH", "NODE_PATH")]
    argv = [program.executable, *program.argv[1:]] if program.executable is not None else program.argv
    return " ".join([*words, *map(shlex.quote, argv)])


@dataclass(slots=True)
class _Child:
    module: ModuleConfig
    process: subprocess.Popen[bytes]
    watcher: asyncio.Task[None] | None = None


@dataclass(slots=True)
class ProcessLauncher:
    """Starts and ends module processes; reports each exit once through `on_exit`."""

    settings: Settings
    base_environment: Mapping[str, str]
    cwd: Path | None = None
    """Working directory of the modules; None: the manager's own."""
    _children: dict[str, _Child] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None:
        """Find the module's program. Raises BootError when there is none."""
        self._programs[module.id] = program_of(module, manifest, self.settings)
        if module.capabilities:
            logger.warning(
                "module %s asks for the capabilities %s: not granted, run the manager with them",
                module.id,
                ", ".join(module.capabilities),
            )

    def start(self, module: ModuleConfig, on_exit: Callable[[ModuleExited], None]) -> None:
        """Start a prepared module; returns when exec has succeeded. Raises BootError when it has not."""
        program = self._programs[module.id]
        environment = environment_of(module, program, self.settings, self.base_environment)
        argv = _resolved(program.argv, program.executable, environment)
        try:
            process = subprocess.Popen(
                argv,
                executable=program.executable,
                env=environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                preexec_fn=child_setup(os.getpid()),
                **_user(self.settings.run_as_user),
            )
        except (OSError, subprocess.SubprocessError) as error:
            name = program.executable or argv[0]
            raise BootError(f"module {module.id} cannot be started: {name}: {error}") from error
        child = self._children[module.id] = _Child(module, process)
        child.watcher = asyncio.create_task(self._watch(child, on_exit), name=f"watch {module.id}")
        logger.info("started %s, pid %d", module.printable, process.pid)

    async def _watch(self, child: _Child, on_exit: Callable[[ModuleExited], None]) -> None:
        status = await wait_for_exit(child.process)
        self._children.pop(child.module.id, None)
        on_exit(ModuleExited(child.module.id, status, describe(status)))

    def alive(self) -> list[str]:
        return list(self._children)

    def terminate(self) -> None:
        self._signal_all(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: signal.Signals) -> None:
        for child in list(self._children.values()):
            child.process.send_signal(number)

    async def close(self) -> None:
        """Kill what is left and wait until it is gone."""
        self.kill()
        watchers = [child.watcher for child in self._children.values() if child.watcher is not None]
        await asyncio.gather(*watchers)


def describe(status: int) -> str:
    """An exit status for people: `exit status 3`, `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


async def wait_for_exit(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a child, without polling: by pidfd on Linux, by a thread elsewhere."""
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            descriptor = None
        if descriptor is not None:
            loop = asyncio.get_running_loop()
            gone = asyncio.Event()
            loop.add_reader(descriptor, gone.set)
            try:
                await gone.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
            return process.wait()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="wait") as executor:
        return await asyncio.get_running_loop().run_in_executor(executor, process.wait)


def _resolved(argv: list[str], executable: str | None, environment: Mapping[str, str]) -> list[str]:
    """argv with its program looked up in the child's own PATH."""
    if executable is not None or os.sep in argv[0]:
        return argv
    return [shutil.which(argv[0], path=environment.get("PATH")) or argv[0], *argv[1:]]


def child_setup(manager_pid: int) -> Callable[[], None]:
    """What a child does between fork and exec: die with the manager, ignore Ctrl-C, listen to SIGTERM (bus 2.5)."""
    set_death_signal = death_signal_setter()

    def setup() -> None:
        if set_death_signal is not None:
            set_death_signal()
            if os.getppid() != manager_pid:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})

    return setup


def death_signal_setter() -> Callable[[], object] | None:
    """A call that asks the kernel for SIGTERM when the parent dies; None where the system has none."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return None


def _user(name: str) -> dict[str, Any]:
    """Popen arguments that switch to `settings.run_as_user` with its groups."""
    if not name:
        return {}
    import grp
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise BootError(f'settings.run_as_user: there is no user "{name}"') from error
    if os.geteuid() != 0 and entry.pw_uid != os.geteuid():
        raise BootError(f'settings.run_as_user: only root can run modules as "{name}"')
    if os.geteuid() != 0:
        return {}
    groups = [group.gr_gid for group in grp.getgrall() if name in group.gr_mem]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [*groups, entry.pw_gid]}
