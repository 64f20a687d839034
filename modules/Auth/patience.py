"""Peers that do not answer keep nobody waiting for long: what was begun goes on behind the scenes (station 1.10, 8.10).

Lives here: `in_time`, for one call, and `Line`, for calls to one peer that have to keep their order.
May not be imported here: anything of this module but `timers` (for `Spawn`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from .timers import Spawn

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds. An EVSE answers a command at once, its events follow (station 8.10)."""
_T = TypeVar("_T")


async def in_time(spawn: Spawn, name: str, call: Coroutine[Any, Any, _T], fallback: _T) -> _T:
    """The answer, or `fallback` where it takes too long; the call itself goes on."""
    calling: asyncio.Task[_T] = spawn(call, name=name)
    done, _ = await asyncio.wait([calling], timeout=PATIENCE)
    if done:
        return calling.result()
    log.error("%s: no answer for %g s, not waited for any longer", name, PATIENCE)
    return fallback


class Line:
    """Calls to one peer, one at a time, in the order of `ask`. `recovered` is called when a silent peer has answered.

    While the peer is silent, nobody waits for it: calls queue up behind the open one, or are not made at all.
    """

    def __init__(self, spawn: Spawn, recovered: Callable[[], None] = lambda: None) -> None:
        self._spawn = spawn
        self._recovered = recovered
        self._last: asyncio.Task[Any] | None = None
        self.silent = False

    async def ask(
        self,
        name: str,
        call: Callable[[], Awaitable[_T]],
        fallback: _T,
        *,
        skip: bool = False,
        late: Callable[[_T], Awaitable[None]] | None = None,
    ) -> _T:
        """The answer in time, else `fallback`. `skip`: not asked at all while the peer is silent. `late`: told an
        answer that came too late, before the next call is made.
        """
        if self.silent and skip:
            log.warning("%s: not asked, an earlier question is still open", name)
            return fallback
        given_up = asyncio.Event()
        asking = self._last = self._spawn(self._turn(self._last, call, given_up, late), name=name)
        done, _ = await asyncio.wait([asking], timeout=0 if self.silent else PATIENCE)
        if done:
            answer: _T = asking.result()
            return answer
        if not self.silent:
            log.error("%s: no answer for %g s, not waited for any longer", name, PATIENCE)
        self.silent = True
        given_up.set()
        return fallback

    async def _turn(
        self,
        before: asyncio.Task[Any] | None,
        call: Callable[[], Awaitable[_T]],
        given_up: asyncio.Event,
        late: Callable[[_T], Awaitable[None]] | None,
    ) -> _T:
        if before is not None:
            await asyncio.wait([before])
        answer = await call()
        if given_up.is_set() and late is not None:
            await late(answer)
        if self.silent and self._last is asyncio.current_task():
            self.silent = False
            self._recovered()
        return answer
