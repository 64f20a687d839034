"""The owner of the charge point's background tasks: named, awaited, none of them outlives its owner.

A task that fails is logged with its name and traceback; it never takes its siblings with it, because a charging
station that loses its heartbeat must still deliver its transactions. May import: nothing of this package.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class TaskOwner:
    """Spawns tasks and ends all of them on `close`."""

    def __init__(self, name: str, *, timer_fired: Callable[[str], None] | None = None) -> None:
        self._name = name
        self.timer_fired = timer_fired
        """Told the name of each timer of this owner whose wait is over."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start `coroutine` as a task named `<owner>.<name>`; after `close` it is not started but ended at once."""
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self._name}.{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if self._closed:
            task.cancel()
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.error("The task %s ended with an error", task.get_name(), exc_info=error)

    def names(self) -> list[str]:
        """The tasks that run now, for tests and for logs."""
        return sorted(task.get_name() for task in self._tasks)

    async def close(self) -> None:
        """Cancel all tasks but the calling one and wait until they have ended."""
        self._closed = True
        current = asyncio.current_task()
        while pending := [task for task in self._tasks if task is not current]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending)


class Timer:
    """One named task at a time: starting it again replaces the earlier one."""

    def __init__(self, tasks: TaskOwner, name: str) -> None:
        self._tasks = tasks
        self._name = name
        self._task: asyncio.Task[Any] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.stop()
        self._task = self._tasks.spawn(coroutine, name=self._name)

    async def wait(self, seconds: float) -> None:
        """Sleep inside the task; its end is the firing of the timer."""
        await asyncio.sleep(seconds)
        self.fired()

    def fired(self) -> None:
        """Tell the owner's listener that the wait is over."""
        if self._tasks.timer_fired is not None:
            self._tasks.timer_fired(self._name)

    def stop(self) -> None:
        """End the task. When the task itself calls this, it goes on to its own end."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
