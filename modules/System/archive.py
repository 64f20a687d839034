"""The archive that a log upload sends: a gzipped tar with a description and the station's log files.

Lives here: `build`, blocking. The description says what was asked for, on which software and machine it was made, and
which files are there. Files last written before the requested window are left out; one written later may hold lines of
the window, so the end of the window leaves nothing out. Of a SecurityLog only the security logs are part. The files
live while they are read: one that cannot be opened is named in the description and left out, one that grows or shrinks
goes in with the size it had.
"""

from __future__ import annotations

import io
import json
import logging
import platform
import shutil
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

log = logging.getLogger(__name__)
SECURITY = "SecurityLog"
PACKAGE = "everest-ocpp16"


def build(
    target: Path,
    description: dict[str, Any],
    folder: Path | None,
    oldest: datetime | None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write the archive to `target`. `check` is called per block and may raise. Errors: `OSError`."""
    with tarfile.open(target, "w:gz", dereference=True) as archive:
        names, left_out = [], []
        for path in _files(folder, oldest, description.get("type")):
            name = f"logs/{path.relative_to(folder)}" if folder is not None else path.name
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # rotated away meanwhile
            except OSError as error:
                log.warning("log file left out: %s", error)
                left_out.append(name)
                continue
            with file:
                entry = archive.gettarinfo(arcname=name, fileobj=file)
                archive.addfile(entry, _Exactly(file, check))
            names.append(name)
        about = {**description, **_machine(target.parent), "files": names, "left_out": left_out}
        text = json.dumps(about, indent=2).encode()
        entry = tarfile.TarInfo("diagnostics.json")
        entry.size, entry.mtime = len(text), target.stat().st_mtime
        archive.addfile(entry, io.BytesIO(text))


def _machine(folder: Path) -> dict[str, Any]:
    """What somebody who reads the logs elsewhere asks first. `folder`: whose disk is looked at."""
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {
        "software": f"{PACKAGE} {version}",
        "python": platform.python_version(),
        "system": platform.platform(),
        "disk_free_bytes": shutil.disk_usage(folder).free,
    }


class _Exactly(io.RawIOBase):
    """A file that never ends early: what is missing reads as zeros, so that the archive stays whole."""

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        super().__init__()
        self._file = file
        self._check = check

    def read(self, size: int = -1, /) -> bytes:
        self._check()
        return self._file.read(size).ljust(size, b"\0")


def _files(folder: Path | None, oldest: datetime | None, type: str | None) -> Iterator[Path]:
    """The regular files of the folder that were written to after `oldest`."""
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or (type == SECURITY and "security" not in path.name):
            continue
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if oldest is None or written >= oldest.timestamp():
            yield path
