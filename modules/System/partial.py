"""Limits of a transfer, and what can be gone on with when an attempt breaks off (station 5.2, 5.4).

`Partial` is the target of a download: how much of it is on disk, and the validator (ETag, size and time ...) by which a
server's file is known to be still the one it was. `Upload` is the source of an upload: how much of it earlier attempts
sent. Both only tell from where to go on; the protocols know how. Knows no protocol.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class TransferError(Exception):
    """A transfer failed; the text says why."""


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes. `deadline`: one attempt as a whole; `idle`: without a byte. `ca_file`: trust this one only."""

    deadline: float = 3600.0
    connect: float = 20.0
    idle: float = 60.0
    max_bytes: int = 4 * 1024**3
    ca_file: Path | None = None
    known_hosts: Path | None = None

    def tls(self) -> ssl.SSLContext:
        """Errors: OSError for a file that is none."""
        return ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))


def discard(path: Path) -> None:
    """Delete a download, and what is remembered of it."""
    for file in files_of(path):
        file.unlink(missing_ok=True)


def files_of(path: Path) -> tuple[Path, Path]:
    """A download, and what is remembered of it."""
    return path, _origin(path)


def _origin(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin")


def _boot_id() -> str:
    """Tells one life of the machine from another; where the system does not, one process from another."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return f"process {os.getpid()}"


class Partial:
    """The target of one download attempt.

    Where its bytes come from stands in a small file beside it, so that another process can go on, too. It is for one
    life of the machine: of what was written before a power cut, nobody knows how much reached the disk.
    """

    def __init__(self, path: Path, location: str, max_bytes: int) -> None:
        self.path = path
        self._location = hashlib.sha256(location.encode(errors="surrogatepass")).hexdigest()
        self._max_bytes = max_bytes

    @property
    def validator(self) -> str | None:
        """What the part on disk came from; None: there is none to go on with."""
        if not self.size:
            return None
        try:
            boot, location, validator = json.loads(_origin(self.path).read_bytes())
        except (OSError, ValueError):
            return None
        return str(validator) if (boot, location) == (_boot_id(), self._location) else None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def open(self, validator: str | None, *, resume: bool, size: int | None) -> BinaryIO:
        """The file, to be written on (resume) or anew. size: of the whole file where the server says.

        Errors: TransferError for more bytes than allowed; OSError.
        """
        self.check(size or 0)
        file = self.path.open("ab" if resume else "wb")  # first: no bytes are ever taken for those of another file
        try:
            self._remember(validator)
        except OSError:
            file.close()
            raise
        return file

    def _remember(self, validator: str | None) -> None:
        if validator:
            _origin(self.path).write_text(json.dumps([_boot_id(), self._location, validator]))
        else:
            self.done()

    def check(self, size: int) -> None:
        """Errors: TransferError when `size` bytes are too many."""
        if size > self._max_bytes:
            raise TransferError(f"the file is larger than the {self._max_bytes} bytes that are allowed")

    def is_whole(self, size: int | None) -> None:
        """Errors: TransferError when the server's file has another `size` (None: it did not tell)."""
        if size is not None and self.size != size:
            raise TransferError(f"the server sent {self.size} of {size} bytes")

    def done(self) -> None:
        """The file is complete: nothing to go on with."""
        _origin(self.path).unlink(missing_ok=True)


@dataclass(frozen=True)
class Sending:
    """One file on its way to one target. Another size or time is another file."""

    target: str
    source: Path
    size: int
    modified: int


Sent = dict[Sending, int | None]
"""How many bytes earlier attempts sent; None: a file of someone else stood at the target before the first one."""


class Upload:
    """The source of one upload attempt. Errors: OSError."""

    def __init__(self, source: Path, target: str, sent: Sent) -> None:
        found = source.stat()
        self.source = source
        self.size = found.st_size
        self._key = Sending(target, source, found.st_size, found.st_mtime_ns)
        self._sent = sent

    def begin(self, there: int | None) -> int:
        """The byte to go on from. `there`: size of the file at the target; None: there is none, or nobody can tell.

        Only what earlier attempts sent is gone on with: a file that stood there before is written over.
        """
        if self._key not in self._sent:
            self._sent[self._key] = 0 if there is None else None
            return 0
        sent = self._sent[self._key]
        return there if there is not None and sent is not None and there <= min(sent, self.size) else 0

    def passes(self, position: int) -> None:
        """So much of the file is handed over now; a server never has more, though the handing over may fail."""
        sent = self._sent.get(self._key)
        if sent is not None:
            self._sent[self._key] = max(sent, position)

    def arrived(self, there: int | None) -> None:
        """The attempt is over; `there`: what the target has now. Errors: TransferError if that is not all of it."""
        self._sent.pop(self._key, None)
        if there is not None and there != self.size:
            raise TransferError(f"the server has {there} of {self.size} bytes; the next attempt begins anew")
