"""The real clock, real ids and real chance: the one file of the package with `datetime.now`, `uuid` and `random`.

Everything else gets them through the ports `Clock` and `Randomness`, so that tests can replace them.
"""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime

SMALLEST_INTERNAL_ID = -(2**31)


class SystemClock:
    """The wall clock of the machine (`ocpp16.ports.Clock`)."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemRandomness:
    """Ids and chance from the operating system's generator (`ocpp16.ports.Randomness`); repeatable with a `seed`."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    def message_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def internal_transaction_id(self) -> int:
        return self._random.randint(SMALLEST_INTERNAL_ID, -1)

    def whole_seconds(self, upper: int) -> int:
        return self._random.randint(0, max(0, upper))
