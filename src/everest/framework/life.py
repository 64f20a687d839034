"""A module's event loop in a background thread, and what happens when it ends.

Lives here: `LoopThread` (calls from any thread into a loop) and `Life` (one module on its loop: built, running,
crashed or disconnected). A crash ends the process with status 1, as bus 7.5 wants it.
May not be imported here: module.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NoReturn, TypeVar, cast

from everest.framework.bridge import Bridge
from everest.framework.session import Broker
from everest.framework.workers import Workers
from everest.runtime import ModuleContext, SystemClock
from everest.runtime.errors import EverestError
from everest.runtime.run import ModuleRun
from everest.runtime.wire import Dialect

logger = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_SECONDS = 5.0
"""How long a closing module may take to send what is queued."""


class LoopThread:
    """Runs `main` in an event loop in a daemon thread; `call` and `post` are for other threads."""

    def __init__(self, name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._main = main
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._closed = False
        self._waiting: set[Future[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Returns when the loop is there."""
        self._thread.start()
        self._open.wait()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._open.set()
            try:
                runner.run(self._main())
            finally:
                self._close()

    def _close(self) -> None:
        """Refuse further calls, fail those that wait."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_exception(self._gone())

    def _gone(self) -> RuntimeError:
        return RuntimeError(f"{self._name} is disconnected")

    @property
    def closed(self) -> bool:
        """Whether the loop has ended (or is about to)."""
        return self._closed

    def post(self, function: Callable[..., object], *args: object) -> bool:
        """Have `function` called on the loop, in the order of the posts; False when the loop has ended."""
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(function, *args)
            return not self._closed

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Run a plain or async function on the loop and wait for its result.

        Errors: those of the function; RuntimeError when the loop has ended or ends meanwhile.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise self._gone()
            self._waiting.add(future)
            self._loop.call_soon_threadsafe(self._begin, future, function, args)
        try:
            return future.result()
        finally:
            self._waiting.discard(future)

    def _begin(self, future: Future[Any], function: Callable[..., Any], args: tuple[object, ...]) -> None:
        task = self._loop.create_task(self._perform(future, function, args), name=f"{self._name} call")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _perform(future: Future[Any], function: Callable[..., Any], args: tuple[object, ...]) -> None:
        try:
            result = function(*args)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)

    def join(self, seconds: float) -> None:
        """Wait for the end; does nothing on the loop's own thread."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)


class Life:
    """One module from connecting to its end."""

    def __init__(self, broker: Broker, module_id: str) -> None:
        self._broker = broker
        self._id = module_id
        self._workers = Workers(module_id)
        self._built: Future[Bridge] = Future()
        self.thread = LoopThread(f"module {module_id}", self._main)

    def start(self) -> Bridge:
        """Connect and read everything the manager distributes. Errors: RuntimeError with the reason."""
        self.thread.start()
        return self._built.result()

    async def _main(self) -> None:
        try:
            run = ModuleRun(
                self._make,
                self._id,
                self._broker.transport(),
                self._broker.everest_prefix,
                self._broker.external_prefix,
                Dialect.B,
                SystemClock(),
                lambda module: None,
            )
            status = await run.run()
        except Exception:
            logger.critical("module %s ends: the binding itself failed", self._id, exc_info=True)
            _die(1)
        if self._built.done():
            if status:
                _die(status)
        else:
            self._built.set_exception(RuntimeError(str(run.failure or f"module {self._id} could not be started")))

    def _make(self, context: ModuleContext) -> Bridge:
        return Bridge(context, self._workers, self._built.set_result)

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Run a plain function on the module's loop. Errors: RuntimeError, whatever the runtime's own exception is."""
        return cast("T", self._call(function, args))

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: object) -> T:
        """Run an async function on the module's loop. Errors: as `call`."""
        return cast("T", self._call(function, args))

    def _call(self, function: Callable[..., object], args: tuple[object, ...]) -> object:
        try:
            return self.thread.call(function, *args)
        except EverestError as error:
            raise RuntimeError(str(error)) from error

    def close(self) -> None:
        """Send what is queued and disconnect; the script's handlers are not called any more."""
        with contextlib.suppress(RuntimeError):
            self.thread.post(self._built.result(0).close)
        self.thread.join(CLOSE_SECONDS)


def _die(status: int) -> NoReturn:
    """End the process from the loop's thread, whatever the script's threads are doing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)
