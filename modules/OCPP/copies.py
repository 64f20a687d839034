"""Which file a configuration is a copy of, for a person who has to correct it.

`everest-manager run --csms` gives the module a copy of the user's file with another CSMS, and writes the name of the
original beside it (`<copy>.copy-of`). May not be imported here: the core.
"""

from __future__ import annotations

from pathlib import Path


def with_origin(complaint: str, path: Path) -> str:
    """The complaint about `path`, with the file of which it is a copy, if it is one."""
    if str(path) not in complaint:
        return complaint
    try:
        origin = path.with_name(f"{path.name}.copy-of").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return complaint
    return f"{complaint} ({path.name} is made anew at each start from {origin}: correct it there)"
