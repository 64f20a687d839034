"""One-shot timers by key on the loop's clock. An action that has begun is not cancelled by `stop`.

That matters: the connection timer withdraws the authorization, the EVSE answers with Deauthorized while the command is
still open, and Deauthorized stops the timer (station 1.6).
May not be imported here: anything of this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Protocol


class Spawn(Protocol):
    """`Module.spawn`: run a coroutine as an owned, named task."""

    def __call__(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]: ...


Action = Callable[[], Awaitable[None]]


class Timers:
    """Keyed timers; starting a running one starts it anew."""

    def __init__(self, spawn: Spawn, name: str) -> None:
        self._spawn = spawn
        self._name = name
        self._running: dict[Hashable, asyncio.TimerHandle] = {}

    def start(self, key: Hashable, delay: float, action: Action) -> None:
        """Call `action` once in `delay` seconds, in a task of its own."""
        self.stop(key)
        self._running[key] = asyncio.get_running_loop().call_later(delay, self._fire, key, action)

    def _fire(self, key: Hashable, action: Action) -> None:
        self._running.pop(key, None)
        self._spawn(_run(action), name=f"{self._name} {key}")

    def stop(self, key: Hashable) -> None:
        """Stop the timer, if it has not fired yet."""
        handle = self._running.pop(key, None)
        if handle is not None:
            handle.cancel()

    def stop_all(self) -> None:
        """Stop every timer."""
        for key in list(self._running):
            self.stop(key)


async def _run(action: Action) -> None:
    await action()
