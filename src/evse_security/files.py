"""Files: atomic writes, the names that are made up, what a folder holds (station 6.1).

Lives here: blocking helpers. A file is written whole or not at all: to `<path>$`, to disk, then renamed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from evse_security.errors import StorageError

CERTIFICATE_SUFFIX = ".pem"
KEY_SUFFIXES = (".key", ".tkey")
OCSP_FOLDER = "ocsp"


class Names:
    """`M<mm>_D<dd>_Y<yyyy>_H<HH>_M<MM>_S<SS>_i<counter>_r<random number>`, never the same twice."""

    def __init__(self, now: Callable[[], datetime], random_number: Callable[[], int]) -> None:
        self._now = now
        self._random_number = random_number
        self._counter = itertools.count()

    def fresh(self) -> str:
        """The next name."""
        moment = self._now().astimezone(UTC)
        return f"{moment:M%m_D%d_Y%Y_H%H_M%M_S%S}_i{next(self._counter)}_r{self._random_number()}"


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write atomically and durably. Errors: `StorageError`."""
    scratch = path.with_name(path.name + "$")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: {error}") from error


def remove(path: Path) -> None:
    """Remove the file, if it is there. Errors: `StorageError`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: {error}") from error


def certificate_files(folder: Path) -> list[Path]:
    """The `.pem` files of a folder, by name, not searched recursively; [] if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == CERTIFICATE_SUFFIX and path.is_file())


def key_files(folder: Path) -> list[Path]:
    """The key files below a folder, by name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix in KEY_SUFFIXES and path.is_file())


def all_files(path: Path) -> Iterator[Path]:
    """The file itself, or every file below the folder."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (found for found in path.rglob("*") if found.is_file())
