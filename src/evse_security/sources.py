"""The one place where time and chance come from; both are injected into `EvseSecurity`."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def now() -> datetime:
    """The time now: aware, UTC."""
    return datetime.now(UTC)


def random_number() -> int:
    """A random number for file names."""
    return secrets.randbelow(2**31)
