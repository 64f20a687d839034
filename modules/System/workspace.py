"""The folder of this module's transfers, and what a killed process left there.

Lives here: `Workspace`. Its folder carries the name of its owner (user, working directory, module id) and is locked as
long as the process lives, however that ends. So at the next start everything in an unlocked folder of the same owner
is a leftover, and a second instance that runs beside this one has a folder of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)
MOST_INSTANCES = 100


class Workspace:
    """`owner`: whatever tells this module from others on the machine. `base`: where the folder is made; None means the
    temporary directory."""

    def __init__(self, owner: str, base: Path | None = None) -> None:
        digest = hashlib.sha256(f"{os.getuid()} {owner}".encode(errors="surrogatepass")).hexdigest()[:12]
        self.base = base or Path(tempfile.gettempdir())
        self._name = f"everest-System-{digest}"
        self._locked: tuple[Path, int] | None = None

    def path(self, name: str) -> Path:
        """A file in the folder, which is made if need be. Where it cannot be made, opening the file tells why."""
        if self._locked is None:
            self._locked = self._claim()
        return (self._locked[0] if self._locked is not None else self.base / self._name) / name

    def leftovers(self) -> list[Path]:
        """The files that earlier lives left. The folder of one is taken over, further ones are deleted."""
        if not any(self.base.glob(f"{self._name}-*")):
            return []
        own = self.path("leftover").parent
        for folder in self.base.glob(f"{self._name}-*"):
            descriptor = None if folder == own else _lock(folder)
            if descriptor is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)
        return list(own.iterdir()) if own.is_dir() else []

    def _claim(self) -> tuple[Path, int] | None:
        for number in range(MOST_INSTANCES):
            folder = self.base / f"{self._name}-{number}"
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                log.error("no folder for transfers: %s", error)
                return None
            descriptor = _lock(folder)
            if descriptor is not None:
                return folder, descriptor
        log.error("no folder for transfers: %d of them are in use in %s", MOST_INSTANCES, self.base)
        return None

    def close(self) -> None:
        """Let go of the folder; it goes too, if nothing in it is kept for the next life."""
        if self._locked is not None:
            folder, descriptor = self._locked
            with contextlib.suppress(OSError):
                folder.rmdir()
            os.close(descriptor)
            self._locked = None


def writable(folder: Path) -> Path | None:
    """The folder, which is made if need be; None: files cannot be made in it."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) else None


def _lock(folder: Path) -> int | None:
    """The lock on a folder of this user, as an open descriptor; None: somebody has it, or it is none of ours."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(descriptor), folder.lstat()
        if mine.st_uid == os.getuid() and (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
