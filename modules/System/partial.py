"""Limits of a transfer, and a download that can be gone on with (station 5.2).

`Partial` is the file on disk: how much of it is there, and the validator (ETag, size and time ...) by which a server's
file is known to be still the one it was. Without an equal validator a download begins anew. Knows no protocol.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


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


Validators = dict[tuple[str, Path], str]
"""(location, file) -> validator of what is in the file; the caller keeps it between attempts."""


class Partial:
    """The target of one download attempt."""

    def __init__(self, path: Path, location: str, validators: Validators, max_bytes: int) -> None:
        self.path = path
        self._key = (location, path)
        self._validators = validators
        self._max_bytes = max_bytes

    @property
    def validator(self) -> str | None:
        """What the part on disk came from; None: there is none to go on with."""
        return self._validators.get(self._key) if self.size else None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def open(self, validator: str | None, *, resume: bool, size: int | None) -> BinaryIO:
        """The file, to be written on (resume) or anew. size: of the whole file where the server says.

        Errors: TransferError for more bytes than allowed; OSError.
        """
        self.check(size or 0)
        if validator:
            self._validators[self._key] = validator
        else:
            self._validators.pop(self._key, None)
        return self.path.open("ab" if resume else "wb")

    def check(self, size: int) -> None:
        """Errors: TransferError when `size` bytes are too many."""
        if size > self._max_bytes:
            raise TransferError(f"the file is larger than the {self._max_bytes} bytes that are allowed")

    def done(self) -> None:
        """The file is complete: nothing to go on with."""
        self._validators.pop(self._key, None)
