"""Modules as tasks of the manager's own process, on the in-memory bus (design, section 3).

`TaskLauncher` is a `lifecycle.Launcher` over `everest.runtime.run_module`: same modules, same envelopes, same checks,
same rule that a module's end is the end of the stack. Modules written for EVerest's blocking Python binding, native and
Node modules need processes; `prepare` says so.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from everest.manager.errors import BootError
from everest.manager.lifecycle import ModuleExited
from everest.manager.model import Manifest, ModuleConfig
from everest.manager.settings import Settings
from everest.runtime import Clock, Module, Transport, run_module

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class TaskLauncher:
    """Runs each module as one named task on a transport of its own."""

    settings: Settings
    transport: Callable[[], Transport]
    clock: Clock | None = None
    created: Callable[[Module], None] = lambda _module: None
    """Called with each new instance, before its `init`."""
    _folders: dict[str, Path] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[int]] = field(default_factory=dict)

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None:
        """Find the module's folder. Raises BootError when it cannot run as a task."""
        folder = manifest.directory
        if folder is None or not (folder / "__init__.py").is_file():
            raise BootError(
                f"module {module.printable} cannot run in the manager's process: it is no everest.runtime module "
                f"({folder or 'it has no program'}); run the stack over a broker"
            )
        self._folders[module.id] = folder

    def start(self, module: ModuleConfig, on_exit: Callable[[ModuleExited], None]) -> None:
        task = asyncio.create_task(
            run_module(
                self._folders[module.id],
                module_id=module.id,
                transport=self.transport(),
                prefix=self.settings.everest_prefix,
                external_prefix=self.settings.external_prefix,
                clock=self.clock,
                created=self.created,
            ),
            name=module.printable,
        )
        self._tasks[module.id] = task
        task.add_done_callback(lambda done: self._ended(module.id, done, on_exit))

    def _ended(self, module_id: str, task: asyncio.Task[int], on_exit: Callable[[ModuleExited], None]) -> None:
        self._tasks.pop(module_id, None)
        if task.cancelled():
            on_exit(ModuleExited(module_id, -signal.SIGTERM, "ended on request"))
        elif (error := task.exception()) is not None:
            logger.critical("module %s failed", module_id, exc_info=error)
            on_exit(ModuleExited(module_id, 1, f"{type(error).__name__}: {error}"))
        else:
            on_exit(ModuleExited(module_id, task.result(), f"exit status {task.result()}"))

    def alive(self) -> list[str]:
        return list(self._tasks)

    def terminate(self) -> None:
        """Cancel every task: what SIGTERM is to a process (`run_module`)."""
        for task in list(self._tasks.values()):
            task.cancel()

    def kill(self) -> None:
        self.terminate()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self.terminate()
        if tasks:
            await asyncio.wait(tasks)
