"""What both transfer flows need of their module: the network, tasks, time, file names, retry defaults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from everest.runtime.clock import parse_timestamp, timestamp

from . import chance
from .transfer import Transfer
from .workspace import Workspace

log = logging.getLogger(__name__)
LONGEST_NAP = 60.0
"""Seconds without a look at the clock: after a start it may be set right by hours, or by years."""


class Spawn(Protocol):
    """`Module.spawn`."""

    def __call__(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]: ...


@dataclass
class Host:
    """Handed to the flows; `default_retries` is a number of attempts, `default_interval` seconds.

    `transfer` may be replaced: by the played network of a scenario, of a replay, of a test.
    """

    transfer: Transfer
    spawn: Spawn
    now: Callable[[], datetime]
    default_retries: float
    default_interval: float
    workspace: Workspace

    def moment(self, text: str | None, name: str) -> datetime | None:
        """The time a request gives as `name`; None where it gives none, and, with a word in the log, no real one."""
        moment = parse_timestamp(text)
        if moment is None and text:
            log.warning("%s %r is no time and taken as absent", name, text)
        return moment

    def seconds_until(self, text: str | None, name: str) -> float:
        """0 for none and for the past."""
        moment = self.moment(text, name)
        return 0.0 if moment is None else max(0.0, (moment - self.now()).total_seconds())

    async def until(self, text: str | None, name: str) -> None:
        """Wait for the time a request gives as `name`, by the clock on the wall."""
        while (left := self.seconds_until(text, name)) > 0:  # noqa: ASYNC110 (the clock on the wall tells nobody)
            await asyncio.sleep(min(left, LONGEST_NAP))

    def retries(self, retries: int | None, interval: int | None) -> tuple[int, float]:
        """(attempts in total, seconds between them)."""
        attempts = int(self.default_retries) if retries is None else retries
        return max(1, attempts), max(0.0, float(self.default_interval if interval is None else interval))

    def temporary_name(self, kind: str) -> str:
        """`<kind>-<T><6 random characters>` (station 5.2, 5.4)."""
        return f"{kind}-{timestamp(self.now())}{chance.suffix()}"
