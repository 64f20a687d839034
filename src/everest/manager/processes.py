"""Modules as processes: starting, watching, ending them (bus 2.5, 2.8).

`ProcessLauncher` is a `lifecycle.Launcher`. Python modules that stand on our runtime come out of a warm parent
(nursery.py) where the system allows; every other program is exec'd by the manager. Each dies with its parent, is
watched, and is ended by its pid. What is started how: programs.py; as whom: identity.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from everest.manager.early import WARM_SYSTEM, WarmParent
from everest.manager.errors import BootError
from everest.manager.exits import describe, wait_for_exit
from everest.manager.identity import Identity, capabilities_of, child_setup, user_of
from everest.manager.lifecycle import ModuleExited
from everest.manager.model import Manifest, ModuleConfig
from everest.manager.nursery import Infant, Nursery
from everest.manager.programs import (
    Program,
    can_be_forked,
    environment_of,
    program_of,
    warm_environment,
)
from everest.manager.settings import Settings
from everest.runtime.run import BROKER_WATCHED

logger = logging.getLogger(__name__)

_WORTH_IT = 2
"""From so many modules on a warm parent pays."""

OnExit = Callable[[ModuleExited], None]


@dataclass(slots=True)
class _Plan:
    """A prepared module."""

    module: ModuleConfig
    program: Program
    identity: Identity
    warm: bool
    on_exit: OnExit | None = None


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
    warm: bool = WARM_SYSTEM
    """Fork Python modules from a warm parent."""
    early: WarmParent | None = None
    """One that was started ahead, by the caller, who also ends it in any case."""
    _plans: dict[str, _Plan] = field(default_factory=dict)
    _children: dict[str, _Child] = field(default_factory=dict)
    _nursery: Nursery | None = None

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None:
        """Find the module's program and identity. Raises BootError when there is none."""
        program = program_of(module, manifest, self.settings)
        capabilities = capabilities_of(module.id, module.capabilities or ())
        identity = Identity(user_of(self.settings.run_as_user), capabilities)
        forked = self.warm and not capabilities and can_be_forked(program)
        self._plans[module.id] = _Plan(module, program, identity, forked)

    def start(self, module: ModuleConfig, on_exit: OnExit) -> None:
        """Start a prepared module; returns when exec has succeeded, or a warm parent has the order.

        Raises BootError when exec has not succeeded.
        """
        plan = self._plans[module.id]
        plan.on_exit = on_exit
        self._dismiss_early_parent()
        nursery = self._warm_parent() if plan.warm else None
        if nursery is None:
            self._execute(plan, on_exit)
        else:
            self._order(nursery, plan, on_exit)

    # --- out of the warm parent ---

    def _warm_parent(self) -> Nursery | None:
        """The nursery of this start; None when it does not pay or cannot be opened."""
        if self._nursery is not None and self._nursery.usable:
            return self._nursery
        plans = [plan for plan in self._plans.values() if plan.warm]
        if not self.warm or len(plans) < _WORTH_IT:
            return None
        parent, self.early = self.early, None
        try:
            if parent is None:
                environment = warm_environment(self.settings.layout, self.base_environment)
                parent = WarmParent(environment, child_setup(os.getpid(), plans[0].identity))
        except (OSError, subprocess.SubprocessError) as error:
            logger.warning("Python modules are started one by one: no warm parent, %s", error)
            self.warm = False
            return None
        scripts = list(dict.fromkeys(plan.program.argv[1] for plan in plans))
        self._nursery = Nursery(parent, scripts, self._without_warm_parent)
        return self._nursery

    def _dismiss_early_parent(self) -> None:
        """End the warm parent that was started ahead if it is not what these modules need."""
        plans = [plan for plan in self._plans.values() if plan.warm]
        if self.early is not None and (len(plans) < _WORTH_IT or plans[0].identity != Identity()):
            self.early.close()
            self.early = None

    def _order(self, nursery: Nursery, plan: _Plan, on_exit: OnExit) -> None:
        module = plan.module
        environment = self._environment(plan)
        order = {
            "script": plan.program.argv[1],
            "environment": environment,
            "cwd": None if self.cwd is None else str(self.cwd),
        }
        nursery.start(
            module.id,
            Infant(
                order,
                started=lambda pid: logger.info("started %s, pid %d", module.printable, pid),
                ended=lambda status, reason: on_exit(ModuleExited(module.id, status, reason)),
            ),
        )

    def _without_warm_parent(self, module_ids: list[str]) -> None:
        """The warm parent could not be used: exec what was ordered of it."""
        self.warm = False
        for module_id in module_ids:
            plan = self._plans[module_id]
            assert plan.on_exit is not None
            try:
                self._execute(plan, plan.on_exit)
            except BootError as error:
                plan.on_exit(ModuleExited(module_id, 1, str(error)))

    def _environment(self, plan: _Plan) -> dict[str, str]:
        """What the module finds (bus 2.5), and for Python ones that the manager tells when the broker is lost."""
        environment = environment_of(plan.module, plan.program, self.settings, self.base_environment)
        return environment | ({BROKER_WATCHED: str(self.settings.broker)} if plan.program.kind == "python" else {})

    # --- by exec ---

    def _execute(self, plan: _Plan, on_exit: OnExit) -> None:
        module, program = plan.module, plan.program
        environment = self._environment(plan)
        argv = _resolved(program.argv, program.executable, environment)
        try:
            process = subprocess.Popen(
                argv,
                executable=program.executable,
                env=environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                preexec_fn=child_setup(os.getpid(), plan.identity),
            )
        except (OSError, subprocess.SubprocessError) as error:
            name = program.executable or argv[0]
            raise BootError(f"module {module.id} cannot be started: {name}: {error}") from error
        child = self._children[module.id] = _Child(module, process)
        child.watcher = asyncio.create_task(self._watch(child, on_exit), name=f"watch {module.id}")
        logger.info("started %s, pid %d", module.printable, process.pid)

    async def _watch(self, child: _Child, on_exit: OnExit) -> None:
        status = await wait_for_exit(child.process)
        self._children.pop(child.module.id, None)
        on_exit(ModuleExited(child.module.id, status, describe(status)))

    # --- the end ---

    def alive(self) -> list[str]:
        return [*self._children, *(self._nursery.alive() if self._nursery is not None else ())]

    def terminate(self) -> None:
        self._signal_all(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: signal.Signals) -> None:
        for child in list(self._children.values()):
            child.process.send_signal(number)
        if self._nursery is not None:
            self._nursery.signal(number)

    async def close(self) -> None:
        """Kill what is left and wait until it is gone."""
        self.kill()
        watchers = [child.watcher for child in self._children.values() if child.watcher is not None]
        await asyncio.gather(*watchers)
        if self._nursery is not None:
            await self._nursery.close()


def _resolved(argv: list[str], executable: str | None, environment: Mapping[str, str]) -> list[str]:
    """argv with its program looked up in the child's own PATH."""
    if executable is not None or os.sep in argv[0]:
        return argv
    return [shutil.which(argv[0], path=environment.get("PATH")) or argv[0], *argv[1:]]
