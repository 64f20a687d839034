"""One state directory belongs to one run: a lock that says who has it.

The lock is `flock` on a file in the directory, so it goes with the process that holds it, however that ends; the pid in
the file is for the message only. No import of the rest of the package but `errors`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everest.manager.errors import BootError

LOCK_FILE = ".everest-manager.lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the state directory for the length of the block. Raises BootError that names the holder's pid."""
    import fcntl

    path = directory / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BootError(f"{path} cannot be written: {error.strerror}; name another with --state-dir") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise BootError(
                f"state directory {directory} is in use by another everest-manager run (pid {holder or 'unknown'}); "
                "end that one, or name another with --state-dir"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
