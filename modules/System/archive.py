"""The archive that a log upload sends: a gzipped tar with a description and the station's log files.

Lives here: `build`, blocking. Files last written before the requested window are left out; one written later may hold
lines of the window, so the end of the window leaves nothing out.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any


def build(target: Path, description: dict[str, Any], folder: Path | None, oldest: datetime | None) -> None:
    """Write the archive to `target`. Errors: `OSError`."""
    with tarfile.open(target, "w:gz") as archive:
        names = []
        for path in _files(folder, oldest):
            name = f"logs/{path.relative_to(folder)}" if folder is not None else path.name
            try:
                archive.add(path, name, recursive=False)
            except FileNotFoundError:
                continue  # rotated away meanwhile
            names.append(name)
        text = json.dumps({**description, "files": names}, indent=2).encode()
        entry = tarfile.TarInfo("diagnostics.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))


def _files(folder: Path | None, oldest: datetime | None) -> Iterator[Path]:
    """The regular files of the folder that were written to after `oldest`."""
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if oldest is None or written >= oldest.timestamp():
            yield path
