"""The process of the warm parent, startable before anything heavy is imported (design, section 3).

`early_warm_parent` lets it import its libraries while the manager imports its own and reads its configuration;
nursery.py takes it over. Keep the imports here light: no asyncio, no jsonschema, no everest.runtime.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from everest.manager import warm
from everest.manager.identity import child_setup
from everest.manager.paths import Layout
from everest.manager.programs import python_interpreter, warm_environment

WARM_SYSTEM = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")
_PADDING = 4096


class WarmParent:
    """The process. It starts at once to import what all modules need."""

    def __init__(self, environment: Mapping[str, str], setup: Callable[[], None]) -> None:
        """Start it. Raises OSError or SubprocessError."""
        self.socket, theirs = socket.socketpair()
        with theirs:
            code = f"from everest.manager.warm import main; main({theirs.fileno()})"
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, "everest-manager: warm parent".ljust(_PADDING)],
                env={**environment, warm.PADDING: " " * _PADDING},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                preexec_fn=setup,
            )
        self.socket.setblocking(False)

    def close(self) -> None:
        """End it if it has not ended, and wait for it. It has no children then: the nursery is closed, or never was."""
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def early_warm_parent(layout: Layout, environment: Mapping[str, str]) -> Iterator[WarmParent | None]:
    """A warm parent for the length of the block.

    None where there is none to be had, or modules run with another interpreter than the manager.
    """
    parent = None
    if WARM_SYSTEM and python_interpreter(layout) == sys.executable:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            parent = WarmParent(warm_environment(layout, environment), child_setup(os.getpid()))
    try:
        yield parent
    finally:
        if parent is not None:
            parent.close()
