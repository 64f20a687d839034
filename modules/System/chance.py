"""The one place of this module that makes things up: the random end of file names."""

from __future__ import annotations

import secrets
import string


def suffix() -> str:
    """Six random letters and digits."""
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(6))
