"""The manager's side of the warm parent: orders out, reports in, and what to do when it fails (design, section 3).

A `Nursery` has one warm parent (warm.py) and knows its children by pidfd, so that a signal never meets a stranger and
an end is noticed even when the warm parent is gone. processes.py decides which modules come here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from everest.manager.early import WarmParent
from everest.manager.exits import describe, wait_for_exit, wait_for_pidfd

logger = logging.getLogger(__name__)

_ORPHANS_S = 5.0
"""Modules whose warm parent died have got SIGTERM from the kernel; so long they may take to end by it."""


@dataclass(slots=True)
class Infant:
    """One ordered module; started once it has a pidfd."""

    order: dict[str, Any]
    started: Callable[[int], None]
    ended: Callable[[int, str], None]
    pidfd: int | None = None
    waiting_signal: int | None = None


class Nursery:
    """One warm parent and its children."""

    def __init__(self, parent: WarmParent, scripts: Sequence[str], unfit: Callable[[list[str]], None]) -> None:
        """Take over a warm parent; it imports what `scripts` need before it serves orders.

        `unfit(module ids)` is called when the warm parent cannot be used: nothing of these has been started.
        """
        self._unfit = unfit
        self._process, self._socket = parent.process, parent.socket
        self._infants: dict[str, Infant] = {}
        self._outgoing = json.dumps({"preload": list(scripts)}).encode() + b"\n"
        self._incoming = b""
        self._descriptors: list[int] = []
        self._ready = False
        self._closing = False
        self.usable = True
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        self._watcher = asyncio.create_task(self._watch(), name="watch the warm parent")
        self._write()
        logger.debug("the warm parent of the Python modules has pid %d", self._process.pid)

    def start(self, module_id: str, infant: Infant) -> None:
        """Order a module; `infant.started` and `infant.ended` tell how it goes."""
        self._infants[module_id] = infant
        self._outgoing += json.dumps({"id": module_id, **infant.order}).encode() + b"\n"
        self._write()

    def alive(self) -> list[str]:
        return list(self._infants)

    def signal(self, number: int) -> None:
        """Send a signal to all children; to those that are about to start, as soon as they have."""
        for infant in self._infants.values():
            if infant.pidfd is None:
                infant.waiting_signal = number
            else:
                _send(infant.pidfd, number)

    async def close(self) -> None:
        """Kill the children that are left, end the warm parent, and wait for it."""
        self._closing = True
        self.signal(signal.SIGKILL)
        while self._infants and not self._watcher.done():
            await asyncio.wait([self._watcher], timeout=0.01)
        self._hang_up()
        done, _ = await asyncio.wait([self._watcher], timeout=2)
        if not done:
            self._process.kill()
        await self._watcher

    # --- the socket ---

    def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing)
                self._outgoing = self._outgoing[sent:]
        except BlockingIOError:
            loop.add_writer(self._socket, self._write)
            return
        except OSError:
            self._outgoing = b""
        loop.remove_writer(self._socket)

    def _read(self) -> bool:
        """Take one piece of the reports; False at their end. A `started` is the n-th with the n-th descriptor."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 65536, 8)
        except BlockingIOError:
            return True
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._hang_up()
            return False
        self._descriptors += descriptors
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            self._report(json.loads(line))
        return True

    def _hang_up(self) -> None:
        if self._socket.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()

    def _report(self, report: dict[str, Any]) -> None:
        match report:
            case {"ready": True}:
                self._ready = True
            case {"unfit": reason}:
                self._give_up(reason)
            case {"started": module_id, "pid": pid}:
                infant = self._infants[module_id]
                infant.pidfd = self._descriptors.pop(0)
                infant.started(pid)
                if infant.waiting_signal is not None:
                    _send(infant.pidfd, infant.waiting_signal)
            case {"ended": module_id, "status": status}:
                infant = self._infants.pop(module_id)
                if infant.pidfd is not None:
                    os.close(infant.pidfd)
                infant.ended(status, describe(status))

    # --- when the warm parent ends ---

    async def _watch(self) -> None:
        status = await wait_for_exit(self._process)
        self.usable = False
        while self._socket.fileno() >= 0 and self._read():
            pass
        if not self._ready:
            self._give_up(f"it ended ({describe(status)})")
        elif self._infants or not self._closing:
            await self._orphaned(describe(status))

    def _give_up(self, reason: str) -> None:
        """The warm parent never became ready: what was ordered is somebody else's now."""
        self.usable = False
        waiting = list(self._infants)
        self._infants.clear()
        if waiting and not self._closing:
            logger.warning("Python modules are started one by one: the warm parent cannot be used, %s", reason)
            self._unfit(waiting)

    async def _orphaned(self, how: str) -> None:
        """The warm parent is gone, and the kernel has sent SIGTERM to its children: wait for each, kill the deaf."""
        told_to = how == describe(-signal.SIGTERM)  # by somebody who ends a whole process group, us included
        level = logging.WARNING if told_to else logging.CRITICAL
        logger.log(level, "the warm parent of the Python modules ended by itself (%s)", how)
        orphans = [asyncio.create_task(self._orphan(module_id, how)) for module_id in list(self._infants)]
        if not orphans:
            return
        _, deaf = await asyncio.wait(orphans, timeout=_ORPHANS_S)
        if deaf:
            self.signal(signal.SIGKILL)
            await asyncio.wait(deaf)

    async def _orphan(self, module_id: str, how: str) -> None:
        infant = self._infants[module_id]
        if infant.pidfd is not None:
            await wait_for_pidfd(os.dup(infant.pidfd))
            os.close(infant.pidfd)
        del self._infants[module_id]
        infant.ended(-signal.SIGTERM, f"its warm parent was lost: {how}")


def _send(pidfd: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        """It has ended; the report is on its way."""
