"""Regular ticks without drift, in real and in virtual time. May import asyncio only."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

MAX_CATCH_UP = 8
"""So many ticks late are made up for; after a longer hole (a suspended process) the missed ones are left out."""


async def ticks(period_s: float) -> AsyncIterator[float]:
    """Yield the nominal time of each tick (the loop's clock, seconds), the first one at once."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    number = 0
    while True:
        yield start + number * period_s
        number += 1
        behind = math.floor((loop.time() - start) / period_s) - number
        if behind > MAX_CATCH_UP:
            number += behind
        await asyncio.sleep(max(0.0, start + number * period_s - loop.time()))
