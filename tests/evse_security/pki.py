"""Certificates for tests, made on the spot: roots, sub CAs, leaves, with the oddities that the rules speak of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass
class Issued:
    """A certificate with its key and its issuers."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    above: tuple[Issued, ...] = ()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def chain(self) -> str:
        """The PEM text of the certificate and its issuers without the root."""
        return self.pem + "".join(issuer.pem for issuer in self.above[:-1])

    def key_pem(self, password: str | None = None) -> bytes:
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool | None = True,
    path_length: int | None = None,
    start: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    ocsp: str | None = None,
    serial: int | None = None,
    critical: x509.ExtensionType | None = None,
    key_cert_sign: bool | None = None,
) -> Issued:
    """Issue a certificate; `ca` None leaves basicConstraints out."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    if ocsp is not None:
        place = x509.UniformResourceIdentifier(ocsp)
        access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])
        builder = builder.add_extension(access, critical=False)
    if critical is not None:
        builder = builder.add_extension(critical, critical=True)
    if key_cert_sign is not None:
        usage = x509.KeyUsage(True, False, False, False, False, key_cert_sign, False, False, False)
        builder = builder.add_extension(usage, critical=True)
    signer = issuer.key if issuer else own
    return Issued(builder.sign(signer, hashes.SHA256()), own, (issuer, *issuer.above) if issuer else ())


@dataclass
class Pki:
    """A root, two sub CAs in a row, and a leaf under them."""

    root: Issued
    sub1: Issued
    sub2: Issued
    leaf: Issued

    @classmethod
    def make(cls, name: str = "V2G", **leaf: object) -> Pki:
        root = issue(f"{name} root")
        sub1 = issue(f"{name} sub 1", root, ocsp="http://ocsp.example/sub1")
        sub2 = issue(f"{name} sub 2", sub1, ocsp="http://ocsp.example/sub2")
        made = issue(f"{name} leaf", sub2, ca=False, ocsp="http://ocsp.example/leaf", **leaf)  # type: ignore[arg-type]
        return cls(root, sub1, sub2, made)
