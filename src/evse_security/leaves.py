"""Leaf certificates of the station and their keys (station 6.1).

Lives here: `LeafStore`, one pair of folders. A folder holds any number of certificates; a file with more than one is a
chain, leaf first. Names mean nothing, except that the key is looked for beside the certificate first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate

from evse_security import files, x509
from evse_security.bundle import read_file
from evse_security.types import LeafCertificateType

log = logging.getLogger(__name__)
PREFIXES = {LeafCertificateType.CSMS: "CSMS_LEAF_", LeafCertificateType.V2G: "SECC_LEAF_"}
"""The leaf types that are the station's own, with the beginning of their file names."""


@dataclass(frozen=True)
class Leaf:
    """One leaf certificate: the file with it alone, the file with its chain, the chain's certificates (leaf first)."""

    certificate: Certificate
    single: Path | None
    chain: Path | None
    certificates: tuple[Certificate, ...]

    @property
    def paths(self) -> list[Path]:
        """Its files."""
        return [path for path in (self.single, self.chain) if path is not None]


def public_key_of(path: Path, password: str | None) -> bytes | None:
    """The public key (SPKI) of a key file; None if it cannot be read, with this password or without."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    for candidate in (password.encode() if password else None, None):
        try:
            return x509.spki(load_pem_private_key(data, candidate).public_key())
        except (ValueError, TypeError):
            continue
        except UnsupportedAlgorithm as error:
            log.warning("%s: key cannot be used: %s", path, error)
            return None
    return None


class LeafStore:
    """The leaves of one type. `password` opens the keys; keys without one are taken as well."""

    def __init__(
        self, type: LeafCertificateType, certificates: Path, keys: Path, password: str | None, names: files.Names
    ) -> None:
        self.type = type
        self.certificate_folder = certificates
        self.key_folder = keys
        self.password = password
        self.names = names

    def leaves(self) -> list[Leaf]:
        """Every leaf with its files, newest (latest not-after) first."""
        found: dict[Certificate, Leaf] = {}
        for path in files.certificate_files(self.certificate_folder):
            certificates = read_file(path)
            if certificates:
                leaf = found.get(certificates[0])
                found[certificates[0]] = _joined(leaf, path, certificates)
        return sorted(found.values(), key=lambda leaf: leaf.certificate.not_valid_after_utc, reverse=True)

    def valid(self, now: datetime, *, future: bool = False) -> list[Leaf]:
        """The leaves valid now (and with `future` those not yet valid), newest first."""
        fits: Callable[[Certificate], bool]
        fits = (lambda c: not x509.is_expired(c, now)) if future else (lambda c: x509.is_valid_at(c, now))
        return [leaf for leaf in self.leaves() if fits(leaf.certificate)]

    def key_of(self, leaf: Leaf) -> Path | None:
        """The key file: beside the certificate by name, else any below the key folder whose public key fits."""
        beside = [path.with_suffix(suffix) for path in leaf.paths for suffix in files.KEY_SUFFIXES]
        return self.key_for(leaf.certificate, beside)

    def key_for(self, certificate: Certificate, first: list[Path] | None = None) -> Path | None:
        """The key file of a certificate; `first` are looked at first."""
        wanted = x509.key_of(certificate)
        if wanted is None:
            return None
        for path in dict.fromkeys([*(first or []), *files.key_files(self.key_folder)]):
            if public_key_of(path, self.password) == wanted:
                return path
        return None

    def install(self, certificates: list[Certificate], text: str) -> None:
        """Write the leaf, and with more than one certificate the chain as given. Errors: `StorageError`."""
        name = self.names.fresh()
        prefix = PREFIXES[self.type]
        single = self.certificate_folder / f"{prefix}{name}{files.CERTIFICATE_SUFFIX}"
        files.write(single, x509.to_pem(certificates[0]).encode())
        if len(certificates) > 1:
            chain = self.certificate_folder / f"CPO_CERT_{prefix}CHAIN_{name}{files.CERTIFICATE_SUFFIX}"
            files.write(chain, text.encode())

    def fresh_key_path(self) -> Path:
        """A new name for a key."""
        return self.key_folder / f"{PREFIXES[self.type]}{self.names.fresh()}.key"


def _joined(leaf: Leaf | None, path: Path, certificates: list[Certificate]) -> Leaf:
    """The leaf with one more of its files."""
    single = leaf.single if leaf is not None else None
    chain = leaf.chain if leaf is not None else None
    if len(certificates) == 1:
        known = leaf.certificates if leaf is not None else tuple(certificates)
        return Leaf(certificates[0], path, chain, known)
    return Leaf(certificates[0], single, path, tuple(certificates))
