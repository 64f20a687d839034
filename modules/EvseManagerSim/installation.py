"""Certificate installation of ISO 15118-2 from the car's side: the signed request, and the contract in the answer.

`request` asks by the provisioning certificate; `contract_in` checks the answer (response code, signature of the
provisioning service) and decrypts the contract's key for the car (annex G). No files and no bus are here: contract.py
keeps what comes of it, hlc.py carries the messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.x509.oid import NameOID

from .exi import ExiError
from .exi_grammar import Tree, child, children, octets, text
from .exi_messages import MAX_ROOT_IDS, read_message, write_message
from .exi_signature import SignatureError, sign, verify

REQUEST_ID = "id1"
SIGNED = ("ContractSignatureCertChain", "ContractSignatureEncryptedPrivateKey", "DHpublickey", "eMAID")
"""Elements of the answer that its signature covers."""
CURVE = ec.SECP256R1
IV, KEY = 16, 32
"""Octets of the initialization vector and of a private key: what is sent encrypted."""
OTHER_INFO = b"\x01UV"
"""Of the key derivation: algorithm, party U, party V."""


class InstallationError(ValueError):
    """No contract can be had by this answer; the message says why."""


@dataclass(frozen=True)
class Signer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class RootId:
    """Names a root certificate that the car knows."""

    issuer: str
    serial: int


@dataclass(frozen=True)
class Delivered:
    """A contract that came: chain (leaf first) and the leaf's key; `service`: the chain of who signed the answer."""

    chain: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey
    service: tuple[x509.Certificate, ...]


def session_id(name: str) -> bytes:
    """Eight octets, as the EVSE would give them to the car for the session `name`; not all of them zero."""
    return hashlib.sha256(name.encode()).digest()[:8]


def request(session: bytes, car: Signer, roots: Sequence[RootId]) -> bytes:
    """CertificateInstallationReq as EXI, signed by the car's key. roots: 1 to 20. Errors: ValueError."""
    if not 1 <= len(roots) <= MAX_ROOT_IDS:
        raise ValueError(f"a certificate installation request names 1 to {MAX_ROOT_IDS} root certificates")
    if car.key.curve.name != CURVE.name:
        raise ValueError(f"the provisioning key is on {car.key.curve.name}, ISO 15118-2 wants {CURVE.name}")
    if car.key.public_key() != car.certificate.public_key():
        raise ValueError("the provisioning key is not that of the provisioning certificate")
    body: Tree = [
        ("@Id", REQUEST_ID),
        ("OEMProvisioningCert", [("#", car.certificate.public_bytes(serialization.Encoding.DER))]),
        ("ListOfRootCertificateIDs", [("RootCertificateID", _root_id(root)) for root in roots]),
    ]
    signature = sign({"CertificateInstallationReq": body}, car.key)
    header: Tree = [("SessionID", [("#", session)]), ("Signature", signature)]
    return write_message([("Header", header), ("Body", [("CertificateInstallationReq", body)])])


def _root_id(root: RootId) -> Tree:
    return [("X509IssuerName", [("#", root.issuer)]), ("X509SerialNumber", [("#", root.serial)])]


def contract_in(answer: bytes, key: ec.EllipticCurvePrivateKey) -> Delivered:
    """The contract in a CertificateInstallationRes (EXI) for the car with that provisioning key.

    Errors: InstallationError for what cannot be decoded, a response code that is not OK, a signature that does not
    hold, a key that cannot be decrypted or is not that of the contract.
    """
    try:
        message = read_message(answer)
        body = child(message, "Body", "CertificateInstallationRes")
    except ExiError as error:
        raise InstallationError(f"the answer is no CertificateInstallationRes in EXI: {error}") from error
    code = text(body, "ResponseCode")
    if not code.startswith("OK"):
        raise InstallationError(f"the answer's ResponseCode is {code}")
    service = _chain(body, "SAProvisioningCertificateChain")
    _check_signature(message, body, service[0])
    chain = _chain(body, "ContractSignatureCertChain")
    _check_emaid(text(body, "eMAID"), chain[0])
    contract_key = _decrypt(body, key)
    if contract_key.public_key() != chain[0].public_key():
        raise InstallationError("the contract's private key, as decrypted by the provisioning key, is not the leaf's")
    return Delivered(chain, contract_key, service)


def _check_signature(message: Tree, body: Tree, signer: x509.Certificate) -> None:
    try:
        signature = child(message, "Header", "Signature")
    except ExiError:
        raise InstallationError("the answer has no signature") from None
    key = signer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InstallationError("the leaf of SAProvisioningCertificateChain has no EC key")
    try:
        verify(signature, {name: child(body, name) for name in SIGNED}, key)
    except SignatureError as error:
        raise InstallationError(f"the signature of the answer is refused: {error}") from error


def _chain(body: Tree, name: str) -> tuple[x509.Certificate, ...]:
    """Leaf first."""
    content = child(body, name)
    found = [octets(content, "Certificate")]
    for above in children(content, "SubCertificates"):
        found += [octets(certificate) for certificate in children(above, "Certificate")]
    return tuple(_certificate(der, f"{name}, certificate {number}") for number, der in enumerate(found, 1))


def _certificate(der: bytes, where: str) -> x509.Certificate:
    """Parsed as far as it is used, so that nothing surprises later."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key(), certificate.subject, certificate.issuer, certificate.not_valid_after_utc
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise InstallationError(f"{where}: {error}") from error
    return certificate


def _check_emaid(emaid: str, leaf: x509.Certificate) -> None:
    """The EVSE goes by the common name (station 4.1 step 4)."""
    names = [str(name.value) for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if [_plain(name) for name in names] != [_plain(emaid)]:
        raise InstallationError(
            f"the answer's eMAID is {emaid!r}, the common name of its contract {', '.join(names)!r}"
        )


def _plain(emaid: str) -> str:
    return emaid.replace("-", "").upper()


def _decrypt(body: Tree, key: ec.EllipticCurvePrivateKey) -> ec.EllipticCurvePrivateKey:
    encrypted = octets(body, "ContractSignatureEncryptedPrivateKey")
    if len(encrypted) != IV + KEY:
        raise InstallationError(f"ContractSignatureEncryptedPrivateKey has {len(encrypted)} octets, {IV + KEY} are due")
    try:
        other = ec.EllipticCurvePublicKey.from_encoded_point(CURVE(), octets(body, "DHpublickey"))
        decryptor = Cipher(algorithms.AES(session_key(key, other)), modes.CBC(encrypted[:IV])).decryptor()
        number = int.from_bytes(decryptor.update(encrypted[IV:]) + decryptor.finalize(), "big")
        return ec.derive_private_key(number, CURVE())
    except ValueError as error:
        raise InstallationError(f"the contract's private key cannot be decrypted: {error}") from error


def session_key(key: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey) -> bytes:
    """AES key that both sides of the exchange come to (ISO 15118-2 annex G: ECDH, concatenation KDF, 128 bit)."""
    shared = key.exchange(ec.ECDH(), other)
    return ConcatKDFHash(hashes.SHA256(), 16, OTHER_INFO).derive(shared)
