"""Blocking work in a worker thread that ends soon when its flow is cancelled.

A thread cannot be cancelled, so the work asks `Cut.check` now and then, and `Cut` shuts the sockets it waits on. The
flow goes on only when the thread has ended: what a new attempt writes is never touched by an old one.
May not be imported here: the flows, everest.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class CutShort(Exception):
    """The flow that wanted the work is gone."""


class Cut:
    """Tells a thread to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._done = False

    def check(self) -> None:
        """Errors: `CutShort`."""
        if self._done:
            raise CutShort

    def hold(self, line: socket.socket) -> None:
        """Shut this socket when the time comes; what waits on it wakes up. Errors: `CutShort` if it has come."""
        with self._lock:
            self._sockets.append(line)
        if self._done:
            self.now()
            raise CutShort

    def now(self) -> None:
        """End the thread at its next block."""
        with self._lock:
            self._done = True
            for line in self._sockets:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(line, socket.SHUT_RDWR)


async def in_thread(work: Callable[[Cut], _T]) -> _T:
    """Run `work`; when this is cancelled, cut it short and wait until it has ended."""
    cut = Cut()
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, context.run, work, cut)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cut.now()
        await asyncio.wait([running])
        running.exception()  # how it ended matters to nobody any more
        raise
