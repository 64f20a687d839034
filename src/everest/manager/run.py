"""`everest-manager run`: a whole station in one command, with a broker of its own if none is configured.

    broker (configured | private mosquitto | in-memory) -> companions prepare -> modules -> companions play -> end

Everything started here is ended here, by pid, whatever happens. What is written goes to the state directory, which is
the working directory of the modules. Broker: broker.py; companions (the demo): companion.py.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from everest.manager import broker, cli, companion, config, identity, paths
from everest.manager.bus import ManagerBus
from everest.manager.companion import Companion, RunContext
from everest.manager.early import WARM_SYSTEM, WarmParent
from everest.manager.errors import BootError, BrokerError, ManagerError
from everest.manager.fifo import State, StatusFifo
from everest.manager.inprocess import TaskLauncher
from everest.manager.lifecycle import Launcher, Lifecycle, LifecycleOptions
from everest.manager.model import Stack
from everest.manager.processes import ProcessLauncher
from everest.manager.settings import BrokerAddress, Settings
from everest.manager.signals import stop_signals
from everest.manager.state import LOCK_FILE, locked
from everest.runtime import Dialect, MemoryBroker, Transport
from everest.runtime.errors import TransportError

logger = logging.getLogger(__name__)

STALE = ("EVEREST_BROKER_WATCHED", "EV_MODULE", "EV_PREFIX", "EV_LOG_CONF_FILE", "EV_VALIDATE_SCHEMA")
"""Left-overs of another stack in the caller's environment, beside EV_MQTT_*; `run` takes nothing from them."""


def build_parser(companions: Sequence[Companion]) -> cli.Parser:
    parser = cli.Parser(
        prog="everest-manager run",
        description="Runs a whole station: a broker if none is configured, and the modules of a configuration.",
    )
    add = parser.add_argument
    add("--prefix", type=Path, metavar="DIR", help="EVerest installation (default: this installation)")
    add("--config", metavar="FILE", help="config file or name of one (default: the default stack)")
    add("--state-dir", type=Path, metavar="DIR", help="where modules keep their files (default: below ~/.local/state)")
    add("--in-process", action="store_true", help="no broker: all modules in this process, on an in-memory bus")
    add("--standalone", "-s", nargs="+", action="extend", metavar="ID", help="modules that are started by hand")
    add("--ignore", nargs="+", action="extend", metavar="ID", help="modules that are neither started nor waited for")
    add("--status-fifo", type=Path, metavar="PATH", help="fifo for status lines; open it for reading first")
    add("--retain-topics", action="store_true", help="keep the metadata on the broker after the start")
    add("--recover-module-crashes", action="store_true", help="start all modules again after a crash, up to 3 times")
    add("--graceful-shutdown", action="store_true", help="ask modules over MQTT to end, SIGTERM 5 s later")
    add("--dialect", choices=("A", "B"), default="B", help=cli.DIALECT)
    add("--no-warm-parent", action="store_true", help=cli.NO_WARM_PARENT)
    for one in companions:
        one.add_arguments(parser)
    return parser


def main(
    words: Sequence[str], companions: Sequence[Companion] | None = None, *, parent: WarmParent | None = None
) -> int:
    """Returns the exit status: the companion's, 0 after a signal, 1 when the stack failed. Raises ManagerError."""
    found = companion.find() if companions is None else list(companions)
    arguments = build_parser(found).parse_args(words)
    return asyncio.run(Run(arguments, found, parent).run())


def state_dir(arguments: argparse.Namespace, config_file: Path, layout: paths.Layout) -> Path:
    """`--state-dir`, else `$XDG_STATE_HOME/everest/<config name>`, else below ~/.local/state. Created."""
    name = "default" if config_file == layout.default_config else config_file.stem
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    chosen: Path = arguments.state_dir or Path(home) / "everest" / name
    try:
        chosen.parent.mkdir(parents=True, exist_ok=True)
        chosen.mkdir(exist_ok=True)
    except OSError as error:
        raise BootError(f"state directory {chosen}: {error.strerror}; name another with --state-dir") from error
    return chosen.absolute()


def hand_over(state: Path, user: identity.User | None) -> None:
    """Let the user as whom modules run work in the state directory: an empty one becomes theirs. Raises BootError."""
    if user is None:
        return
    if not any(path.name != LOCK_FILE for path in state.iterdir()):
        for path in (state, state / LOCK_FILE):
            os.chown(path, user.uid, user.gid)
    if not identity.can_write(user, state):
        raise BootError(
            f"state directory {state}: user {user.name} of settings.run_as_user cannot write there; "
            "name another with --state-dir, or give it to that user"
        )


class Run:
    """One `everest-manager run`."""

    def __init__(
        self, arguments: argparse.Namespace, companions: Sequence[Companion], parent: WarmParent | None = None
    ) -> None:
        self._arguments = arguments
        self._companions = companions
        self._lifecycle: Lifecycle | None = None
        self._stopping = False
        self._kills: list[Callable[[], None]] = []
        self._task: asyncio.Task[int] | None = None
        self._parent = parent
        self._private = False
        """A broker of our own runs."""

    async def run(self) -> int:
        self._task = asyncio.create_task(self._run(), name="everest-manager run")
        with stop_signals(self._stop, self._kill_all):
            try:
                return await self._task
            except asyncio.CancelledError:
                if self._stopping:
                    return 0
                raise

    def _stop(self) -> None:
        """First signal: the stop flow; before the modules are there, just the clean-up."""
        self._stopping = True
        if self._lifecycle is not None:
            self._lifecycle.interrupt()
        elif self._task is not None:
            self._task.cancel()

    def _kill_all(self) -> None:
        for kill in self._kills:
            kill()

    async def _run(self) -> int:
        layout = paths.resolve(self._arguments.prefix)
        config_file = paths.find_config(layout, self._arguments.config)
        state = state_dir(self._arguments, config_file, layout)
        standalone = tuple(self._arguments.standalone or ())
        dialect = Dialect[self._arguments.dialect]
        options = config.LoadOptions(layout, os.environ, standalone=standalone, dialect=dialect, state_dir=state)
        fifo = StatusFifo(self._arguments.status_fifo)
        fifo.enter(State.Initializing)
        with contextlib.closing(fifo):
            async with AsyncExitStack() as things:
                things.enter_context(locked(state))
                stack = config.load(config_file, options)
                hand_over(state, identity.user_of(stack.settings.run_as_user))
                cli.warn(stack)
                config.require_modules(stack)
                stack, address, transport = await self._bus(stack, things)
                environment = clean_environment(os.environ)
                context = RunContext(self._arguments, stack, state, address, transport, environment)
                for one in self._companions:
                    things.push_async_callback(one.close)
                    await _prepare(one, context)
                return await self._modules(context, fifo)

    async def _bus(
        self, stack: Stack, things: AsyncExitStack
    ) -> tuple[Stack, BrokerAddress | None, Callable[[], Transport]]:
        """Settle the bus: the stack with its broker, the address (None in memory), and how to connect."""
        program = broker.find_mosquitto()
        choice = broker.choose(stack.settings, program, in_process=self._arguments.in_process)
        if choice == "in-memory":
            if not self._arguments.in_process:
                say(f"no mosquitto found, so all modules run in this process; for processes: {broker.install_line()}")
            return stack, None, MemoryBroker().transport
        settings = stack.settings
        if choice == "private":
            assert program is not None
            private = broker.PrivateMosquitto(program)
            self._kills.append(private.kill)
            self._private = True
            address = await things.enter_async_context(private)
            settings = dataclasses.replace(settings, broker=address)
            say(f"started a private broker, standalone modules reach it at {address}")
        else:
            say(f"using the configured broker at {settings.broker}")
        stack = dataclasses.replace(stack, settings=settings)
        return stack, settings.broker, lambda: cli.mqtt_transport(settings)

    async def _modules(self, context: RunContext, fifo: StatusFifo) -> int:
        log_config = context.environment.get("EV_LOG_CONF_FILE")
        cli.set_up_logging(Path(log_config) if log_config else context.stack.settings.layout.logging_config_file)
        launcher = self._launcher(context)
        self._kills.append(launcher.kill)
        arguments = self._arguments
        bus = ManagerBus(context.transport(), context.everest_prefix, dialect=Dialect[arguments.dialect])
        cli.tell_standalone(context.stack, arguments.ignore or (), say, context.state_dir)
        options = LifecycleOptions(
            ignore=frozenset(arguments.ignore or ()),
            retain_topics=arguments.retain_topics,
            recover_module_crashes=arguments.recover_module_crashes,
            graceful_shutdown=arguments.graceful_shutdown,
        )
        lifecycle = self._lifecycle = Lifecycle(
            context.stack, bus, launcher, fifo=fifo, options=options, spawned=lambda: self._drop(context.stack.settings)
        )
        async with _play(lifecycle, context, self._companions) as play:
            try:
                status = await lifecycle.run()
            except ManagerError as error:
                context.stack_failed.set_result(str(error))
                raise
            if status != 0:
                context.stack_failed.set_result("a module ended by itself")
            return play.result() if status == 0 and play.done() and not play.cancelled() else status

    def _drop(self, settings: Settings) -> None:
        """Go on as `run_as_user` (bus 2.5), unless a broker of our own has to be ended by who started it."""
        if not self._private:
            cli.drop_to(settings)

    def _launcher(self, context: RunContext) -> Launcher:
        stack = context.stack
        if context.mqtt_address is not None:
            warm = WARM_SYSTEM and not self._arguments.no_warm_parent
            return ProcessLauncher(
                stack.settings, context.environment, context.state_dir, warm=warm, early=self._parent
            )
        standalone = [module.id for module in stack.modules.values() if module.standalone]
        if standalone:
            raise BootError(f"standalone modules ({', '.join(standalone)}) need a broker; {broker.install_line()}")
        if self._parent is not None:
            self._parent.close()
        os.environ.update(context.environment)
        os.chdir(context.state_dir)
        cli.drop_to(stack.settings)
        return TaskLauncher(stack.settings, context.transport)


async def _prepare(one: Companion, context: RunContext) -> None:
    """Companions meet the broker before the manager does. Raises BrokerError when it is not there."""
    try:
        await one.prepare(context)
    except TransportError as error:
        raise BrokerError(f"{error}; start a broker there, or name another one") from error


@asynccontextmanager
async def _play(
    lifecycle: Lifecycle, context: RunContext, companions: Sequence[Companion]
) -> AsyncIterator[asyncio.Task[int]]:
    """Let the companions play while the block runs; what they return or raise ends the stack."""

    async def play() -> int:
        await lifecycle.started.wait()
        plays = [asyncio.create_task(one.play(context), name=f"play {type(one).__name__}") for one in companions]
        if not plays:
            await asyncio.Event().wait()
        try:
            done, _ = await asyncio.wait(plays, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for other in plays:
                other.cancel()
            await asyncio.gather(*plays, return_exceptions=True)

    task = asyncio.create_task(play(), name="companions")
    task.add_done_callback(lambda done: None if done.cancelled() else lifecycle.stop())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def clean_environment(environment: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """The environment without another stack's EV_* variables, which would win over ours (bus 2.5, caveat)."""
    return {key: value for key, value in environment.items() if key not in STALE and not key.startswith("EV_MQTT_")}


def say(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stderr.write(f"everest-manager: {text}\n")
    sys.stderr.flush()
