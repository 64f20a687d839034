"""Certificates as values: reading, validity, who issued whom, hash data (station 6.3). No files.

Lives here: small functions over `cryptography.x509`. Contract chains are no web PKI: nothing here asks for SAN or EKU.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from evse_security.errors import FormatError
from evse_security.types import CertificateHashData, HashAlgorithm

MALFORMED = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What `cryptography` raises for content that is none; not all of it is a `ValueError`."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def read_pem(text: str | bytes) -> list[Certificate]:
    """All certificates of a PEM text, in order; [] if it has none. Errors: `FormatError` if one cannot be read."""
    data = text.encode("utf-8", errors="replace") if isinstance(text, str) else text
    try:
        return [_whole(x509.load_pem_x509_certificate(block)) for block in _PEM.findall(data)]
    except MALFORMED as error:
        raise FormatError(f"{error}") from error


def _whole(certificate: Certificate) -> Certificate:
    """The certificate, with the parts read that everything here asks for: they are parsed when asked only.

    Extensions are not among them: who asks for one has a rule for broken ones.
    """
    _ = certificate.subject, certificate.issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate


def to_pem(certificate: Certificate) -> str:
    """The PEM text, with a final newline."""
    return certificate.public_bytes(Encoding.PEM).decode()


def is_expired(certificate: Certificate, now: datetime) -> bool:
    """Whether its not-after has passed."""
    return certificate.not_valid_after_utc < now


def is_valid_at(certificate: Certificate, now: datetime) -> bool:
    """Whether it is valid now: neither expired nor of the future."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's name fits and its key made the signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_self_signed(certificate: Certificate) -> bool:
    """Whether it is its own issuer, by name and by signature."""
    return certificate.subject == certificate.issuer and is_signed_by(certificate, certificate)


def issuer_of(certificate: Certificate, pool: Iterable[Certificate]) -> Certificate | None:
    """The issuer among `pool`; itself if it is self-signed."""
    if is_self_signed(certificate):
        return certificate
    named = (other for other in pool if other.subject == certificate.issuer and other != certificate)
    return next((other for other in named if is_signed_by(certificate, other)), None)


def issuers_upwards(certificate: Certificate, pool: Sequence[Certificate]) -> list[Certificate]:
    """The issuers of a certificate, nearest first, up to a self-signed one or to where the pool ends."""
    path: list[Certificate] = []
    current = certificate
    while not is_self_signed(current):
        issuer = issuer_of(current, pool)
        if issuer is None or issuer in path:
            break
        path.append(issuer)
        current = issuer
    return path


def descendants(root: Certificate, pool: Sequence[Certificate]) -> list[Certificate]:
    """Everything in `pool` that `root` issued, directly or not; top down."""
    found: list[Certificate] = []
    layer = [root]
    while layer:
        layer = [c for c in pool if c != root and c not in found and any(is_signed_by(c, above) for above in layer)]
        found.extend(layer)
    return found


def key_of(certificate: Certificate) -> bytes | None:
    """Its public key as `spki`; None for kinds of keys that cannot be handled."""
    try:
        return spki(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def spki(key: PublicKeyTypes) -> bytes:
    """The SubjectPublicKeyInfo of a public key, by which keys are compared."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _content(der: bytes, start: int) -> tuple[int, int]:
    """(begin, end) of the content of the DER element at `start`."""
    length = der[start + 1]
    if length < 0x80:
        return start + 2, start + 2 + length
    size = length & 0x7F
    begin = start + 2 + size
    return begin, begin + int.from_bytes(der[start + 2 : begin], "big")


def public_key_bits(certificate: Certificate) -> bytes:
    """The BIT STRING of the public key without tag, length and unused-bits byte."""
    der = spki(certificate.public_key())
    outer, _ = _content(der, 0)
    _, algorithm_end = _content(der, outer)
    begin, end = _content(der, algorithm_end)
    return der[begin + 1 : end]


def hash_data(certificate: Certificate, issuer: Certificate) -> CertificateHashData:
    """Station 6.3: SHA-256 of the issuer's name and key bits, serial number in lower case hex."""
    return CertificateHashData(
        hash_algorithm=HashAlgorithm.SHA256,
        issuer_name_hash=hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(),
        issuer_key_hash=hashlib.sha256(public_key_bits(issuer)).hexdigest(),
        serial_number=f"{certificate.serial_number:x}",
    )


def hash_in(certificate: Certificate, pool: Iterable[Certificate]) -> CertificateHashData | None:
    """The hash data with the issuer looked up in `pool`; None if the issuer is not there (or its key is of no known
    kind).
    """
    issuer = issuer_of(certificate, pool)
    return None if issuer is None or key_of(issuer) is None else hash_data(certificate, issuer)


def same_hash(one: CertificateHashData, other: CertificateHashData) -> bool:
    """Equal without regard to case and to leading zeros of the serial number."""

    def normal(data: CertificateHashData) -> tuple[str, str, str, str]:
        serial = data.serial_number.lower().lstrip("0")
        return data.hash_algorithm, data.issuer_name_hash.lower(), data.issuer_key_hash.lower(), serial

    return normal(one) == normal(other)


def responder_url(certificate: Certificate) -> str | None:
    """The first OCSP responder of the authority information access."""
    try:
        access = certificate.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_INFORMATION_ACCESS).value
    except (x509.ExtensionNotFound, *MALFORMED):
        return None
    assert isinstance(access, x509.AuthorityInformationAccess)
    for description in access:
        if description.access_method == AuthorityInformationAccessOID.OCSP:
            location = description.access_location
            return location.value if isinstance(location, x509.UniformResourceIdentifier) else None
    return None
