"""Logging of what peers do wrong: each deviation once, by topic and reason.

Lives here: `OnceLog`. May not be imported here: anything of this project.
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 2000
"""Beyond this many different deviations the rest goes unlogged, so that a hostile peer cannot fill memory or disk."""


class OnceLog:
    """Warns once per (topic, reason)."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def warn(self, topic: str, reason: str, *, level: int = logging.WARNING) -> None:
        """Log `reason` for `topic` unless that was said before."""
        if (topic, reason) in self._seen or len(self._seen) >= MAX_REMEMBERED:
            return
        self._seen.add((topic, reason))
        logger.log(level, "%s: %s", topic, reason)
        if len(self._seen) == MAX_REMEMBERED:
            logger.warning("%d different deviations logged; further ones stay unlogged", MAX_REMEMBERED)
