"""What may accompany `everest-manager run`: the seam between the manager and, for one, the demo CSMS and its narrative.

Companions are found by the entry point group `everest.manager.run`; the manager imports none by name. Here: the
protocol they fulfil and the context they get.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from everest.manager.model import MODULE_SCOPE, ModuleConfig, Stack
from everest.manager.parameters import with_parameter
from everest.manager.settings import BrokerAddress
from everest.runtime import Transport

logger = logging.getLogger(__name__)

GROUP = "everest.manager.run"


@dataclass(slots=True)
class RunContext:
    """What a companion may know and change. One object for the whole run."""

    arguments: argparse.Namespace
    """The command line, with what `add_arguments` added."""
    stack: Stack
    """The checked configuration; changed through `set_parameter`, until the modules start."""
    state_dir: Path
    mqtt_address: BrokerAddress | None
    """Where modules and tools reach the broker; None on the in-memory bus."""
    transport: Callable[[], Transport]
    """A new, unconnected bus connection; both kinds of bus."""
    environment: dict[str, str]
    """Environment of the modules; change it in `prepare`."""
    stack_failed: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Done when the stack has failed, with the reason. `play` is cancelled right after."""

    @property
    def everest_prefix(self) -> str:
        return self.stack.settings.everest_prefix

    @property
    def external_prefix(self) -> str:
        return self.stack.settings.external_prefix

    @property
    def module_ids(self) -> list[str]:
        return list(self.stack.modules)

    def modules_named(self, name: str) -> list[ModuleConfig]:
        """All modules of one kind: `modules_named("OCPP")`."""
        return self.stack.modules_named(name)

    def set_parameter(self, module_id: str, name: str, value: Any, scope: str = MODULE_SCOPE) -> None:
        """Set a configuration parameter in memory, for this run, before the modules start.

        Raises BootError for an unknown parameter or a value the manifest does not allow.
        """
        self.stack = with_parameter(self.stack, module_id, name, value, scope)


@runtime_checkable
class Companion(Protocol):
    """Accompanies a run. Made without arguments; the methods are called in this order."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add options to `everest-manager run`."""
        ...

    async def prepare(self, context: RunContext) -> None:
        """Before the modules start, with the broker up: start a CSMS, change environment or parameters."""
        ...

    async def play(self, context: RunContext) -> int:
        """After global ready. Returning ends the stack, with this exit status. Cancelled when the stack ends first.

        A companion with nothing to play waits: `await asyncio.Event().wait()`.
        """
        ...

    async def close(self) -> None:
        """After the modules have ended; always called, also when `prepare` failed half-way."""
        ...


def find(group: Iterable[EntryPoint] | None = None) -> list[Companion]:
    """All installed companions. One that cannot be imported is left out, with a line that says why."""
    found: list[Companion] = []
    for entry in entry_points(group=GROUP) if group is None else group:
        try:
            made = entry.load()()
        except ImportError as error:
            logger.warning("%s is not there: %s", entry.name, error)
            continue
        found.append(made)
    return found
