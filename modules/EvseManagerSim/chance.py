"""The only file of this module with randomness: session ids, measurement noise and random delays.

Session ids must differ between runs (os.urandom by uuid4/secrets); noise and delays are seeded so that a run can be
repeated.
"""

from __future__ import annotations

import base64
import random
import secrets
import uuid


def session_id(kind: str) -> str:
    """A new session id. kind is the config `session_id_type` (station 2.3):

    UUID: 36 characters lower case; UUID_BASE64: 22 characters; SHORT_BASE64: 16 characters (12 random bytes).
    """
    if kind == "UUID_BASE64":
        return base64.b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if kind == "SHORT_BASE64":
        return base64.b64encode(secrets.token_bytes(12)).decode()
    return str(uuid.uuid4())


class Noise:
    """Factors around 1, repeatable by seed."""

    def __init__(self, seed: int, *, enabled: bool = True) -> None:
        self._random = random.Random(seed)
        self._enabled = enabled

    def factor(self, spread: float) -> float:
        """A factor within 1 +- spread; exactly 1 when noise is off."""
        return 1.0 + self._random.uniform(-spread, spread) if self._enabled else 1.0


class Dice:
    """Whole numbers, repeatable by seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def seconds(self, longest: int) -> int:
        """0 to `longest`, each as likely as the others."""
        return self._random.randint(0, max(0, longest))
