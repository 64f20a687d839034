"""A small mobility operator: answers certificate requests of cars as a backend behind a CSMS does (ISO 15118-2).

Real keys and certificates: a V2G root with the provisioning service below it, an MO root with a sub CA and contracts
below it. `answer` checks the request's signature and gives a signed CertificateInstallationRes in EXI; its arguments
spoil one thing each. The EXI itself is held to another codec by the vectors of tests/modules/EvseManagerSim.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

from modules.EvseManagerSim.exi_grammar import Tree, child, octets
from modules.EvseManagerSim.exi_messages import read_message, write_message
from modules.EvseManagerSim.exi_signature import sign, verify
from modules.EvseManagerSim.installation import SIGNED, Signer, session_key

EMAID = "DE8BBCB3C4D5E6F"
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def issue(name: str, issuer: Signer | None = None, *, ca: bool = True, key: object = None) -> Signer:
    """A certificate of a new key, or of `key`."""
    own = key if isinstance(key, ec.EllipticCurvePrivateKey) else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .sign(issuer.key if issuer else own, hashes.SHA256())
    )
    return Signer(certificate, own)


def der(signer: Signer) -> bytes:
    return signer.certificate.public_bytes(serialization.Encoding.DER)


def chain(*signers: Signer) -> Tree:
    """The content of a certificate chain, leaf first."""
    leaf, *above = signers
    content: Tree = [("Certificate", [("#", der(leaf))])]
    if above:
        content.append(("SubCertificates", [("Certificate", [("#", der(signer))]) for signer in above]))
    return content


class MobilityOperator:
    """One operator with one contract, `emaid`."""

    def __init__(self, emaid: str = EMAID) -> None:
        self.emaid = emaid
        self.v2g_root = issue("V2G root")
        self.service_ca = issue("Provisioning sub CA", self.v2g_root)
        self.service = issue("Provisioning service", self.service_ca, ca=False)
        self.mo_root = issue("MO root")
        self.mo_ca = issue("MO sub CA", self.mo_root)
        self.contract = issue(emaid, self.mo_ca, ca=False)

    def answer(
        self,
        request: bytes,
        *,
        code: str = "OK",
        spoil: Callable[[dict[str, Tree]], None] = lambda elements: None,
        after: Callable[[dict[str, Tree]], None] = lambda elements: None,
        sign_by: Signer | None = None,
        signed: bool = True,
        tables: bool = False,
    ) -> bytes:
        """The answer to `request`. spoil, after: change its elements before and after they are signed.

        Errors: SignatureError for a request that the car did not sign.
        """
        message = read_message(request)
        car = self._car(message)
        elements = self._elements(car)
        spoil(elements)
        header: Tree = [("SessionID", [("#", octets(message, "Header", "SessionID"))])]
        if signed:
            key = (sign_by or self.service).key
            header.append(("Signature", sign({name: elements[name] for name in SIGNED}, key)))
        after(elements)
        body: Tree = [("ResponseCode", [("#", code)]), *elements.items()]
        content: Tree = [("Header", header), ("Body", [("CertificateInstallationRes", body)])]
        return write_message(content, tables=tables)

    def _car(self, message: Tree) -> ec.EllipticCurvePublicKey:
        body = child(message, "Body", "CertificateInstallationReq")
        key = x509.load_der_x509_certificate(octets(body, "OEMProvisioningCert")).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        verify(child(message, "Header", "Signature"), {"CertificateInstallationReq": body}, key)
        return key

    def _elements(self, car: ec.EllipticCurvePublicKey) -> dict[str, Tree]:
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        iv = os.urandom(16)
        secret = self.contract.key.private_numbers().private_value.to_bytes(32, "big")
        encryptor = Cipher(algorithms.AES(session_key(ephemeral, car)), modes.CBC(iv)).encryptor()
        encrypted = iv + encryptor.update(secret) + encryptor.finalize()
        point = ephemeral.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {
            "SAProvisioningCertificateChain": chain(self.service, self.service_ca),
            "ContractSignatureCertChain": [("@Id", "id1"), *chain(self.contract, self.mo_ca)],
            "ContractSignatureEncryptedPrivateKey": [("@Id", "id2"), ("#", encrypted)],
            "DHpublickey": [("@Id", "id3"), ("#", point)],
            "eMAID": [("@Id", "id4"), ("#", self.emaid)],
        }
