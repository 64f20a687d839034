"""How a module is started: which program, with which arguments and environment (bus 2.5). Tables and look-ups only.

`program_of` finds the program, `environment_of` puts its environment together, `by_hand` writes both as a shell line.
Processes: processes.py.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from everest.manager.errors import BootError
from everest.manager.model import Manifest, ModuleConfig
from everest.manager.paths import Layout
from everest.manager.settings import Settings
from everest.manager.warm import imports_of

INTERPRETER_FILE = "everest-ocpp16-python"
"""Beside the binding of a prefix that `install` has laid out: the interpreter that has our packages."""


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
        return Program("python", [python_interpreter(settings.layout), str(script)])
    raise BootError(
        f"module {module.id}: no program in {manifest.directory}; it needs {module.name}, index.js or module.py, "
        f"or say --standalone {module.id}"
    )


def can_be_forked(program: Program) -> bool:
    """May a warm parent run it: a script for our own interpreter that stands on our runtime or drop-in binding?"""
    if program.kind != "python" or program.venv is not None or program.argv[0] != sys.executable:
        return False
    ours = ("everest.runtime", "everest.framework")
    return any(name.startswith(ours) for name in imports_of(Path(program.argv[1])))


def python_interpreter(layout: Layout) -> str:
    """`python3` where EVerest's own binding is installed; otherwise the interpreter that runs this manager.

    Modules that stand on `everest.runtime` need the environment it is installed in; a prefix of `install` names it.
    """
    for directory in layout.python_binding_dirs:
        try:
            return (directory / INTERPRETER_FILE).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return "python3"
    return sys.executable


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


def warm_environment(layout: Layout, base: Mapping[str, str]) -> dict[str, str]:
    """Environment of a warm parent: what an interpreter reads at its start. Each child gets its own besides."""
    environment = dict(base)
    environment.pop("EV_MODULE", None)
    _python_path(environment, layout)
    return environment


def _python_path(environment: dict[str, str], layout: Layout) -> None:
    parts = [str(path) for path in layout.python_binding_dirs]
    if environment.get("PYTHONPATH"):
        parts.append(environment["PYTHONPATH"])
    if parts:
        environment["PYTHONPATH"] = os.pathsep.join(parts)


def _python_environment(environment: dict[str, str], program: Program, settings: Settings) -> None:
    _python_path(environment, settings.layout)
    if program.venv is not None:
        environment["VIRTUAL_ENV"] = str(program.venv)
        environment["VIRTUAL_ENV_PROMPT"] = "venv"
        environment.pop("PYTHONHOME", None)
        environment["PATH"] = os.pathsep.join([str(program.venv / "bin"), environment.get("PATH", os.defpath)])


def by_hand(module: ModuleConfig, manifest: Manifest, settings: Settings, folder: Path | None = None) -> str:
    """The shell line that starts a standalone module against this broker; empty when it has no program here.

    `folder` is the working directory that modules of this stack have: the line begins by going there, so that a
    module's files (the open transactions of OCPP among them) are the same ones, wherever the line is pasted.
    """
    try:
        program = program_of(module, manifest, settings)
    except BootError:
        return ""
    own = environment_of(module, program, settings, {})
    words = [f"{name}={shlex.quote(value)}" for name, value in own.items() if name not in ("PATH", "NODE_PATH")]
    argv = [program.executable, *program.argv[1:]] if program.executable is not None else program.argv
    line = " ".join([*words, *map(shlex.quote, argv)])
    return line if folder is None else f"cd {shlex.quote(str(folder))} && {line}"
