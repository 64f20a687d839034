"""The manufacturer of a scenario: a root, a signing certificate and the signature of a firmware file.

Keys follow from the seed. Blocking for milliseconds. May not be imported here: evse_security.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)


def names(seed: int, content: bytes) -> dict[str, str]:
    """`manufacturer_root`, `signing_certificate` (PEM) and `signature` (base64) of `content`."""
    root_key = ec.derive_private_key(2 * seed + 1_000_003, ec.SECP256R1())
    key = ec.derive_private_key(2 * seed + 1_000_004, ec.SECP256R1())
    root_name, name = _name("Scenario Manufacturer Root"), _name("Scenario Manufacturer Firmware")
    root = _certificate(root_name, root_name, root_key.public_key(), root_key, authority=True, number=1)
    leaf = _certificate(name, root_name, key.public_key(), root_key, authority=False, number=2)
    return {
        "manufacturer_root": _pem(root),
        "signing_certificate": _pem(leaf),
        "signature": base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode(),
    }


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    number: int,
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(number)
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
