"""CA bundles: one PEM file with many certificates, or a folder of PEM files (station 6.1).

Lives here: `CaBundle`. Read from disk on each call; a file that cannot be read counts as empty and is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import files, x509
from evse_security.errors import FormatError, StorageError
from evse_security.types import CaCertificateType

log = logging.getLogger(__name__)


def read_file(path: Path) -> list[Certificate]:
    """The certificates of a file; [] if it is missing or cannot be read, which is logged."""
    try:
        return _read_whole(path)
    except (OSError, FormatError) as error:
        log.error("%s: certificates cannot be read: %s", path, error)
        return []


def _read_whole(path: Path) -> list[Certificate]:
    """The certificates of a file; [] if it is missing. Errors: `OSError`, `FormatError`."""
    try:
        return x509.read_pem(path.read_bytes())
    except FileNotFoundError:
        return []


class CaBundle:
    """The trust anchors of one type. `path` without `.pem` at its end is a folder."""

    def __init__(self, type: CaCertificateType, path: Path, names: files.Names) -> None:
        self.type = type
        self.path = path
        self._names = names

    @property
    def is_folder(self) -> bool:
        """Whether the bundle is a folder of files."""
        return self.path.is_dir() or (not self.path.exists() and self.path.suffix != files.CERTIFICATE_SUFFIX)

    def create(self) -> None:
        """Make the file or folder empty if it is missing. Errors: `StorageError`."""
        if self.path.exists():
            return
        try:
            if self.is_folder:
                self.path.mkdir(parents=True)
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch()
        except OSError as error:
            raise StorageError(f"{self.path}: {error}") from error

    def files(self) -> list[Path]:
        """The files the certificates lie in."""
        return files.certificate_files(self.path) if self.is_folder else [self.path]

    def by_file(self) -> dict[Path, list[Certificate]]:
        """Every file with its certificates."""
        return {path: read_file(path) for path in self.files()}

    def certificates(self) -> list[Certificate]:
        """All certificates, each once."""
        return list(dict.fromkeys(c for certificates in self.by_file().values() for c in certificates))

    def roots(self, now: datetime | None = None) -> list[Certificate]:
        """The self-signed ones; with `now` those valid at that time."""
        roots = [c for c in self.certificates() if x509.is_self_signed(c)]
        return roots if now is None else [c for c in roots if x509.is_valid_at(c, now)]

    def install(self, certificate: Certificate) -> None:
        """Add a certificate; an identical one is replaced. A file that cannot be read is not written over.

        Errors: `StorageError`.
        """
        if self.is_folder:
            self._remove_from_files({certificate})
            name = f"{self.type.value}_ROOT_{self._names.fresh()}{files.CERTIFICATE_SUFFIX}"
            _write(self.path / name, [certificate])
        else:
            try:
                present = _read_whole(self.path)
            except (OSError, FormatError) as error:
                raise StorageError(
                    f"{self.path}: repair or remove it, its certificates cannot be read: {error}"
                ) from error
            _write(self.path, [c for c in present if c != certificate] + [certificate])

    def remove(self, certificates: Iterable[Certificate]) -> None:
        """Take certificates out. Errors: `StorageError`."""
        self._remove_from_files(set(certificates))

    def _remove_from_files(self, gone: set[Certificate]) -> None:
        for path, present in self.by_file().items():
            kept = [certificate for certificate in present if certificate not in gone]
            if len(kept) == len(present):
                continue
            if kept or not self.is_folder:
                _write(path, kept)
            else:
                files.remove(path)


def _write(path: Path, certificates: Iterable[Certificate]) -> None:
    files.write(path, "".join(x509.to_pem(certificate) for certificate in certificates).encode())
