"""Signatures over files, as firmware updates carry them (station 5.3, 6.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from evse_security import x509
from evse_security.errors import FormatError

log = logging.getLogger(__name__)


def verify_file_signature(path: Path, signing_certificate: str, signature: str) -> bool:
    """Whether the base64 `signature` (SHA-256; RSA PKCS#1 v1.5 or ECDSA) over the file is the certificate's.

    Neither validity nor chain of the certificate are looked at. Any problem is False, and logged.
    """
    try:
        certificates = x509.read_pem(signing_certificate)
        if not certificates:
            raise FormatError("no certificate in the text")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        _check(certificates[0].public_key(), base64.b64decode("".join(signature.split()), validate=True), digest)
    except (InvalidSignature, UnsupportedAlgorithm, FormatError, OSError, binascii.Error, ValueError) as error:
        log.warning("%s: signature not verified: %s", path, error or type(error).__name__)
        return False
    return True


def _check(key: object, signature: bytes, digest: bytes) -> None:
    """Errors: `InvalidSignature`; `ValueError` for other kinds of keys."""
    algorithm = Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, digest, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, digest, ec.ECDSA(algorithm))
    else:
        raise ValueError(f"keys of type {type(key).__name__} are not supported")
