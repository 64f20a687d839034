"""The process of one module: environment in, exit status out.

Lives here: `launch`, which every module's `module.py` calls, and `Environment` (bus 2.5, 7.1). MQTT_SERVER_* is not
read: the manager has put its answer into EV_MQTT_*. May not be imported here: contracts, manager; aiomqtt only when
it is needed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as waiting
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar
from weakref import WeakSet

from everest.runtime import logs
from everest.runtime.errors import StartupError
from everest.runtime.run import run_module
from everest.runtime.transport import Transport

logger = logging.getLogger(__name__)

DEFAULT_PORT = 1883
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
THREAD_SECONDS = 2.0
"""How long an ending module waits for work in threads; less than the manager waits before it kills (bus 2.8)."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Environment:
    """What a Python module is told by its manager; prefixes as given (`run_module` appends the everest slash)."""

    module_id: str
    log_config: Path | None
    everest_prefix: str
    external_prefix: str
    socket_path: str | None
    host: str
    port: int

    @staticmethod
    def read(environ: Mapping[str, str]) -> Environment:
        """From EV_* variables. Errors: StartupError without EV_MODULE; an unusable port counts as 1883 (bus 7.1)."""
        module_id = environ.get("EV_MODULE", "")
        if not module_id:
            raise StartupError(
                "EV_MODULE is not set: start modules by a manager, or by hand with EV_MODULE=<module id of the "
                "configuration> and EV_MQTT_BROKER_HOST, EV_MQTT_BROKER_PORT"
            )
        log_config = environ.get("EV_LOG_CONF_FILE")
        return Environment(
            module_id=module_id,
            log_config=Path(log_config) if log_config else None,
            everest_prefix=environ.get("EV_MQTT_EVEREST_PREFIX", "everest"),
            external_prefix=environ.get("EV_MQTT_EXTERNAL_PREFIX", ""),
            socket_path=environ.get("EV_MQTT_BROKER_SOCKET_PATH") or None,
            host=environ.get("EV_MQTT_BROKER_HOST") or "localhost",
            port=_port(environ.get("EV_MQTT_BROKER_PORT", "")),
        )

    def transport(self) -> Transport:
        """The broker connection this environment asks for, not yet connected."""
        from everest.runtime.mqtt import MqttTransport

        return MqttTransport(self.host, self.port, socket_path=self.socket_path)


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    try:
        return int(text)
    except ValueError:
        print(f"EV_MQTT_BROKER_PORT={text!r} is no number; using {DEFAULT_PORT}", file=sys.stderr)  # noqa: T201
        return DEFAULT_PORT


def launch(file: str) -> NoReturn:
    """Run the module whose `module.py` is `file` until it ends; the process ends with its status.

    0: graceful shutdown. 1: crash, broker refused or lost, failed start; said in one line, with a traceback only for
    a crash. SIGTERM: the module ends in order without a word on the bus, then dies of that signal, as a native module
    does. SIGINT is blocked by the manager (bus 2.5) and stays so; a module started by hand takes it like SIGTERM.
    """
    folder = Path(file).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == folder:
        del sys.path[0]
    try:
        environment = Environment.read(os.environ)
    except StartupError as error:
        print(f"{folder.name}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    logs.configure(environment.module_id, environment.log_config)
    received: list[signal.Signals] = []
    threads = _Threads()
    try:
        status = asyncio.run(_main(folder, environment, received, threads))
    except asyncio.CancelledError:
        if not received:
            raise
        status = 1
    sys.stderr.flush()
    if received:
        _die_of(received[0])
    if threads.at_work:
        os._exit(status)  # the interpreter would wait for them
    sys.exit(status)


class _Threads(ThreadPoolExecutor):
    """The executor of the loop. Work in it cannot be interrupted (the look-up of a name takes half a minute where the
    name server is not reached), so the end waits only a while for it."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self._begun: WeakSet[Future[Any]] = WeakSet()

    @property
    def at_work(self) -> bool:
        """Whether something in it has not ended."""
        return any(not future.done() for future in self._begun)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = super().submit(fn, *args, **kwargs)
        self._begun.add(future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            waiting(list(self._begun), timeout=THREAD_SECONDS)


async def _main(
    folder: Path, environment: Environment, received: list[signal.Signals], threads: ThreadPoolExecutor
) -> int:
    """Run the module; the signals that end it are appended to `received`."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.set_default_executor(threads)

    def end(number: signal.Signals) -> None:
        if not received:
            received.append(number)
            task.cancel()

    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        return await run_module(
            folder,
            module_id=environment.module_id,
            transport=environment.transport(),
            prefix=environment.everest_prefix,
            external_prefix=environment.external_prefix,
        )
    finally:
        for number in ENDING_SIGNALS:  # one that meets the loop while it closes would leave a traceback
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)


def _die_of(number: signal.Signals) -> None:
    """End by the signal itself, so that the parent sees it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
