"""OCSP: what to ask, and the cache of answers beside the certificates (station 6.1, 6.2).

Lives here: request data of a chain, `OcspCache`. `<random>_ocsp.der` holds the response text exactly as it came,
`<random>_ocsp.hash` the hash data it belongs to, one value per line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import files, x509
from evse_security.types import CertificateHashData, HashAlgorithm, OCSPRequestData


def request_data(certificates: Iterable[Certificate], pool: Sequence[Certificate]) -> list[OCSPRequestData]:
    """What to ask for these certificates; those without responder or without issuer in `pool` are passed over."""
    found = []
    for certificate in certificates:
        url, data = x509.responder_url(certificate), x509.hash_in(certificate, pool)
        if url is not None and data is not None and not x509.is_self_signed(certificate):
            found.append(OCSPRequestData(certificate_hash_data=data, responder_url=url))
    return list(dict.fromkeys(found))


class OcspCache:
    """The `ocsp` folder beside a certificate file."""

    def __init__(self, certificate_file: Path, names: files.Names) -> None:
        self.folder = certificate_file.parent / files.OCSP_FOLDER
        self._names = names

    def entries(self) -> dict[Path, CertificateHashData]:
        """Every response file with what it belongs to; a broken pair is passed over."""
        found = {}
        for path in sorted(self.folder.glob("*_ocsp.hash")) if self.folder.is_dir() else []:
            data = _read_hash(path)
            response = path.with_suffix(".der")
            if data is not None and response.is_file():
                found[response] = data
        return found

    def path_of(self, data: CertificateHashData) -> Path | None:
        """The response for this certificate."""
        return next((path for path, known in self.entries().items() if x509.same_hash(known, data)), None)

    def store(self, data: CertificateHashData, response: str) -> None:
        """Keep or replace a response. Errors: `StorageError`."""
        path = self.path_of(data) or self.folder / f"{self._names.fresh()}_ocsp.der"
        lines = (data.hash_algorithm, data.issuer_name_hash, data.issuer_key_hash, data.serial_number)
        files.write(path, response.encode())
        files.write(path.with_suffix(".hash"), "".join(f"{line}\n" for line in lines).encode())

    def remove(self, data: CertificateHashData) -> None:
        """Forget a response. Errors: `StorageError`."""
        path = self.path_of(data)
        if path is not None:
            files.remove(path)
            files.remove(path.with_suffix(".hash"))


def _read_hash(path: Path) -> CertificateHashData | None:
    try:
        algorithm, name, key, serial = path.read_text().split()
        known = HashAlgorithm(algorithm)
    except (OSError, ValueError):
        return None
    return CertificateHashData(hash_algorithm=known, issuer_name_hash=name, issuer_key_hash=key, serial_number=serial)
