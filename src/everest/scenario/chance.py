"""The scenario's own chance: what `choose` picks, the same for the same seed. The one file here that draws lots.

A range is written `5 min .. 2 h` or `3 .. 9`.
"""

from __future__ import annotations

import random
import re
from typing import Any

from everest.scenario.matching import seconds

RANGE = re.compile(r"(.+?)\s*\.\.\s*(.+)")


def bounds(text: Any) -> tuple[float, float] | None:
    """Both ends of a range of times or numbers; None if it is none."""
    found = RANGE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    low, high = (seconds(float(end) if end.replace(".", "", 1).isdecimal() else end) for end in found.groups())
    return (low, high) if low is not None and high is not None and low <= high else None


class Chance:
    """One per run of a scenario."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"scenario {seed}")

    def pick(self, among: Any) -> Any:
        """One item of a list, or something between the ends of a range: whole where both ends are whole numbers."""
        if isinstance(among, list):
            return self._random.choice(among)
        found = bounds(among)
        assert found is not None
        low, high = found
        if low.is_integer() and high.is_integer():
            return self._random.randint(int(low), int(high))
        return round(self._random.uniform(low, high), 3)

    def content(self, size: int) -> bytes:
        """Bytes for a file."""
        return self._random.randbytes(size)
