"""The command line of the manager: EVerest's flags, exactly (bus 2.6), and `run` (run.py).

No abbreviations; wrong usage ends with status 1. Log and mistakes go to stderr; stdout carries only what was asked for
(`--help`, `--version`).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from everest.manager import config, distribution, identity, manifests, paths, slots
from everest.manager.bus import ManagerBus
from everest.manager.early import WARM_SYSTEM, WarmParent
from everest.manager.errors import BootError, ManagerError
from everest.manager.fifo import State, StatusFifo
from everest.manager.lifecycle import Lifecycle, LifecycleOptions, report
from everest.manager.model import Stack
from everest.manager.processes import ProcessLauncher
from everest.manager.programs import by_hand
from everest.manager.settings import Settings
from everest.manager.signals import stop_signals
from everest.manager.slots import Slot
from everest.runtime import Dialect, logs
from everest.runtime.mqtt import MqttTransport

logger = logging.getLogger(__name__)

COMMANDS = "everest.manager.commands"
TAKING_PREFIX = (["run"], ["scenario"])
"""Sub-commands that know `--prefix` themselves, and are told the one that is compiled in."""

DIALECT = "wire dialect: B (default) of current EVerest, A of 2026.02 and older"
NO_WARM_PARENT = "start each Python module by itself instead of forking it from one warm parent"


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, and with exit status 1 for wrong usage."""

    def __init__(self, prog: str, **texts: Any) -> None:
        super().__init__(prog, allow_abbrev=False, **texts)

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}; see {self.prog} --help\n")


@dataclass(slots=True)
class Arguments:
    """The flags of bus 2.6, typed."""

    prefix: Path | None = None
    config: str | None = None
    conf: str | None = None
    check: bool = False
    dump: Path | None = None
    dumpmanifests: Path | None = None
    standalone: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    dontvalidateschema: bool = False
    status_fifo: Path | None = None
    retain_topics: bool = False
    recover_module_crashes: bool = False
    graceful_shutdown: bool = False
    mqtt_everest_prefix: str | None = None
    dialect: Dialect = Dialect.B
    db: Path | None = None
    db_init: bool = False
    reset_from_yaml: bool = False
    into_idle: bool = False
    idle_on_failure: bool = False
    no_warm_parent: bool = False


def build_parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Starts the modules of an EVerest configuration and watches over them.",
        epilog=f'More: "{prog} run --help" (a whole station with a broker of its own), "{prog} install --help" '
        f'(an EVerest prefix), "{prog} new --help" (a new module).',
    )
    add = parser.add_argument
    add("--version", action="version", version=f"{prog} {version()}")
    add("--prefix", type=Path, metavar="DIR", help="EVerest installation (default: this installation)")
    add("--config", metavar="FILE", help="config file, or the name of one in <prefix>/etc/everest")
    add("--conf", metavar="FILE", help="deprecated, use --config")
    add("--check", action="store_true", help="check the config file and exit; needs --config")
    add("--dump", type=Path, metavar="DIR", help="write the checked configuration and manifests there as JSON")
    add("--dumpmanifests", type=Path, metavar="DIR", help="write all manifests there and exit")
    add("--standalone", "-s", nargs="+", action="extend", metavar="ID", help="modules that are started by hand")
    add("--ignore", nargs="+", action="extend", metavar="ID", help="modules that are neither started nor waited for")
    add("--dontvalidateschema", action="store_true", help="no effect; see settings.validate_schema")
    add("--status-fifo", type=Path, metavar="PATH", help="fifo for status lines; open it for reading first")
    add("--retain-topics", action="store_true", help="keep the metadata on the broker after the start")
    add("--recover-module-crashes", action="store_true", help="start all modules again after a crash, up to 3 times")
    add("--graceful-shutdown", action="store_true", help="ask modules over MQTT to end, SIGTERM 5 s later")
    add("--mqtt_everest_prefix", metavar="PREFIX", help="topic prefix; overrides the config")
    add("--dialect", choices=("A", "B"), help=DIALECT)
    add("--db", type=Path, metavar="FILE", help="configuration database (SQLite), full path; filled from --config once")
    add("--db-init", action="store_true", help="deprecated, no effect")
    add("--reset-from-yaml", action="store_true", help="fill the configuration database from --config again")
    add("--no-warm-parent", action="store_true", help=NO_WARM_PARENT)
    add("--into-idle", action="store_true", help="start no modules, wait")
    add("--idle-on-failure", action="store_true", help="without modules to start, wait instead of exiting")
    return parser


def version() -> str:
    return importlib.metadata.version(paths.PROJECT)


def main(arguments: Sequence[str] | None = None, *, prefix: str | None = None, parent: WarmParent | None = None) -> int:
    """The command line of `everest-manager` and `manager`. Returns the exit status (bus 2.8).

    `prefix` is what EVerest's manager has compiled in: the prefix if the command line names none. `parent` is a warm
    parent that start.py has started and will end.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = extra_command(words)
    if prefix is not None and words[:1] in TAKING_PREFIX:
        words = [*words[:1], "--prefix", prefix, *words[1:]]
    elif prefix is not None and command is None and words[:1] not in (["install"], ["new"]):
        words = ["--prefix", prefix, *words]
    set_up_logging()
    try:
        if words[:1] == ["run"]:
            from everest.manager.run import main as run_main

            return run_main(words[1:], parent=parent)
        if words[:1] == ["install"]:
            from everest.manager.install import main as install_main

            return install_main(words[1:])
        if words[:1] == ["new"]:
            from everest.manager.new import main as new_main

            return new_main(words[1:])
        if command is not None:
            return command(words[1:])
        return manage(parse(words), parent)
    except ManagerError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        return 1


def extra_command(words: Sequence[str]) -> Callable[[list[str]], int] | None:
    """A sub-command that a package adds by the entry point group `everest.manager.commands`; None if there is none.

    The entry point names a function that takes the words after the sub-command and returns the exit status.
    """
    if not words or words[0].startswith("-"):
        return None
    for entry in importlib.metadata.entry_points(group=COMMANDS, name=words[0]):
        command: Callable[[list[str]], int] = entry.load()
        return command
    return None


def set_up_logging(log_config: Path | None = None) -> None:
    """Log lines to stderr, filtered as the logging config says; stdout belongs to whoever reads it (bus 2.6)."""
    logs.configure("manager", log_config)


def parse(words: Sequence[str]) -> Arguments:
    parser = build_parser("everest-manager")
    values = {key: value for key, value in vars(parser.parse_args(words)).items() if value is not None}
    if "dialect" in values:
        values["dialect"] = Dialect[values["dialect"]]
    arguments = Arguments(**values)
    if arguments.config is not None and arguments.conf is not None:
        parser.error("--config and --conf are the same flag; use --config")
    if arguments.conf is not None:
        logger.warning("--conf is deprecated, use --config")
        arguments.config = arguments.conf
    if arguments.check and arguments.config is None:
        parser.error("--check needs --config")
    if arguments.db_init:
        logger.warning("--db-init is deprecated and has no effect")
    if arguments.graceful_shutdown and arguments.dialect is Dialect.A:
        logger.warning("--graceful-shutdown has no effect in dialect A, which has no shutdown message")
    _check_database_flags(parser, arguments)
    return arguments


def _check_database_flags(parser: Parser, arguments: Arguments) -> None:
    if arguments.db is not None and not arguments.db.is_absolute():
        parser.error(f"--db {arguments.db} is not a full path")
    if arguments.reset_from_yaml and arguments.config is None:
        parser.error("--reset-from-yaml needs --config")
    if arguments.reset_from_yaml and arguments.db is None:
        logger.warning("--reset-from-yaml has no effect without --db")


def manage(arguments: Arguments, parent: WarmParent | None = None) -> int:
    """Do what the flags say. Raises ManagerError."""
    layout = paths.resolve(arguments.prefix)
    if arguments.dumpmanifests is not None:
        dump_manifests(layout, arguments.dumpmanifests)
        return 0
    fifo = StatusFifo(arguments.status_fifo)
    fifo.enter(State.Initializing)
    try:
        return _manage(arguments, layout, fifo, parent)
    finally:
        fifo.close()


def _manage(arguments: Arguments, layout: paths.Layout, fifo: StatusFifo, parent: WarmParent | None) -> int:
    options = config.LoadOptions(
        layout,
        os.environ,
        arguments.mqtt_everest_prefix,
        tuple(arguments.standalone),
        dialect=arguments.dialect,
    )
    database = None if arguments.check else arguments.db
    no_yaml = database is not None and arguments.config is None
    config_file = None if no_yaml else paths.find_config(layout, arguments.config)
    stack, slot = slots.choose(database, config_file, options, reset=arguments.reset_from_yaml)
    return _with_stack(arguments, stack, slot, fifo, parent)


def _with_stack(arguments: Arguments, stack: Stack, slot: Slot, fifo: StatusFifo, parent: WarmParent | None) -> int:
    """What comes after a configuration without mistakes."""
    warn(stack)
    set_up_logging(stack.settings.layout.logging_config_file)
    if arguments.dump is not None:
        dump(stack, arguments.dump)
    if arguments.check:
        logger.info("%s is fine", stack.config_file)
        return 0
    flow = LifecycleOptions(
        ignore=frozenset(arguments.ignore),
        retain_topics=arguments.retain_topics,
        recover_module_crashes=arguments.recover_module_crashes,
        graceful_shutdown=arguments.graceful_shutdown,
        into_idle=arguments.into_idle,
        idle_on_failure=arguments.idle_on_failure,
    )
    if not stack.modules and not (flow.into_idle or flow.idle_on_failure):
        fifo.enter(State.Exiting)
        config.require_modules(stack)
    return asyncio.run(serve(stack, slot, flow, fifo, arguments, parent))


def warn(stack: Stack) -> None:
    """Log what the checks have to say about a configuration that is no mistake."""
    for warning in stack.warnings:
        logger.warning("%s", warning)


def tell_standalone(
    stack: Stack, ignored: Collection[str], tell: Callable[[str], None], folder: Path | None = None
) -> None:
    """Say how each standalone module is started by hand; in `folder`, if modules have a working directory."""
    for module in stack.modules.values():
        if module.standalone and module.id not in ignored:
            line = by_hand(module, stack.manifests[module.name], stack.settings, folder)
            tell(f"module {module.printable} is started by hand{': ' if line else ''}{line}")


async def serve(
    stack: Stack,
    slot: Slot,
    flow: LifecycleOptions,
    fifo: StatusFifo,
    arguments: Arguments,
    parent: WarmParent | None = None,
) -> int:
    """Run the stack over the configured broker until it ends."""
    settings = stack.settings
    bus = ManagerBus(mqtt_transport(settings), settings.everest_prefix, dialect=arguments.dialect)
    warm = WARM_SYSTEM and not arguments.no_warm_parent
    launcher = ProcessLauncher(settings, os.environ, warm=warm, early=parent)
    lifecycle = Lifecycle(stack, bus, launcher, fifo=fifo, options=flow, slot=slot, spawned=lambda: drop_to(settings))
    tell_standalone(stack, flow.ignore, logger.info)
    with stop_signals(lifecycle.interrupt, launcher.kill):
        return await lifecycle.run()


def drop_to(settings: Settings) -> None:
    """With `run_as_user` the manager, too, becomes that user once the modules are spawned (bus 2.5)."""
    user = identity.user_of(settings.run_as_user)
    if user is not None:
        identity.become(user)
        logger.info("going on as user %s", user.name)


def mqtt_transport(settings: Settings) -> MqttTransport:
    """The manager's connection to the broker of the settings."""
    broker = settings.broker
    return MqttTransport(host=broker.host, port=broker.port, socket_path=broker.socket_path)


def dump(stack: Stack, directory: Path) -> None:
    """`config.json` and one `<Module>.json` per manifest in use (bus 2.6)."""
    configs = {module.id: distribution.module_config(module) for module in stack.modules.values()}
    _write_json(directory, "config.json", configs)
    for name, manifest in stack.manifests.items():
        _write_json(directory, f"{name}.json", manifest.distributed)


def dump_manifests(layout: paths.Layout, directory: Path) -> None:
    """Every manifest of the modules directory as `<Module>.yaml` (JSON text). Raises ConfigError for broken ones."""
    for name, data in manifests.load_all(layout.modules_dir).items():
        _write_json(directory, f"{name}.yaml", data)


def _write_json(directory: Path, name: str, data: object) -> None:
    try:
        (directory / name).write_text(json.dumps(data, indent=4) + "\n", encoding="utf-8")
    except OSError as error:
        raise BootError(f"{directory / name} cannot be written: {error.strerror}; the directory must exist") from error
