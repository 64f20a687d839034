"""The messages of ISO 15118-2 that install a contract, as tables for exi_grammar.py, and what is signed of them.

Facts of the schemas urn:iso:15118:2:2013:MsgDef and http://www.w3.org/2000/09/xmldsig#: order of elements, numbers of
the root element and of the elements of a fragment. Checked against another codec (tests: exi_vectors.json). What no
certificate installation carries (KeyInfo, other bodies, extensions of XML signatures) is named, not understood.
"""

from __future__ import annotations

from .exi import HEADER, BitReader, BitWriter, ExiError
from .exi_grammar import ANY, Kind, Part, Tree, Type, characters, many, maybe, one, read_element, write_element

SCHEMA_VERSION = "urn:iso:15118:2:2013:MsgDef"
MAX_MESSAGE = 16384
"""Octets of a message that is read; the bus carries 5600 characters of base64 (station 4.3)."""
MAX_ROOT_IDS = 20

RESPONSE_CODES = (
    "OK",
    "OK_NewSessionEstablished",
    "OK_OldSessionJoined",
    "OK_CertificateExpiresSoon",
    "FAILED",
    "FAILED_SequenceError",
    "FAILED_ServiceIDInvalid",
    "FAILED_UnknownSession",
    "FAILED_ServiceSelectionInvalid",
    "FAILED_PaymentSelectionInvalid",
    "FAILED_CertificateExpired",
    "FAILED_SignatureError",
    "FAILED_NoCertificateAvailable",
    "FAILED_CertChainError",
    "FAILED_ChallengeInvalid",
    "FAILED_ContractCanceled",
    "FAILED_WrongChargeParameter",
    "FAILED_PowerDeliveryNotApplied",
    "FAILED_TariffSelectionInvalid",
    "FAILED_ChargingProfileInvalid",
    "FAILED_MeteringSignatureNotValid",
    "FAILED_NoChargeServiceSelected",
    "FAILED_WrongEnergyTransferMode",
    "FAILED_ContactorError",
    "FAILED_CertificateNotAllowedAtThisEVSE",
    "FAILED_CertificateRevoked",
)
FAULT_CODES = ("ParsingError", "NoTLSRootCertificatAvailable", "UnknownError")

# --- XML signatures

ID = maybe("@Id", Kind.TEXT)
REQUIRED_ID = one("@Id", Kind.TEXT)
ALGORITHM = one("@Algorithm", Kind.TEXT)
EXTENSIONS = many(ANY, None, least=0)
BINARY = characters(Kind.BINARY)
TRANSFORM = Type((ALGORITHM, Part((("XPath", None), (ANY, None)), 0, None)), mixed=True)
REFERENCE = Type(
    (
        ID,
        maybe("@Type", Kind.TEXT),
        maybe("@URI", Kind.TEXT),
        maybe("Transforms", Type((many("Transform", TRANSFORM),))),
        one("DigestMethod", Type((ALGORITHM, EXTENSIONS), mixed=True)),
        one("DigestValue", BINARY),
    )
)
SIGNED_INFO = Type(
    (
        ID,
        one("CanonicalizationMethod", Type((ALGORITHM, EXTENSIONS), mixed=True)),
        one("SignatureMethod", Type((ALGORITHM, maybe("HMACOutputLength", None), EXTENSIONS), mixed=True)),
        many("Reference", REFERENCE),
    )
)
SIGNATURE = Type(
    (
        ID,
        one("SignedInfo", SIGNED_INFO),
        one("SignatureValue", characters(Kind.BINARY, ID)),
        maybe("KeyInfo", None),
        many("Object", None, least=0),
    )
)
ISSUER_SERIAL = Type((one("X509IssuerName", characters(Kind.TEXT)), one("X509SerialNumber", characters(Kind.INTEGER))))

# --- ISO 15118-2

DATA_TYPES, MSG_BODY = "urn:iso:15118:2:2013:MsgDataTypes", "urn:iso:15118:2:2013:MsgBody"
CERTIFICATE_CHAIN = Type(
    (
        ID,
        one("Certificate", BINARY),
        maybe("SubCertificates", Type((many("Certificate", BINARY, most=4),))),
    ),
    space=DATA_TYPES,
)
SIGNED_BINARY = characters(Kind.BINARY, REQUIRED_ID, space=DATA_TYPES)
SIGNED_TEXT = characters(Kind.TEXT, REQUIRED_ID, space=DATA_TYPES)
ROOT_IDS = Type((many("RootCertificateID", ISSUER_SERIAL, most=MAX_ROOT_IDS),))
INSTALLATION_REQ = Type(
    (REQUIRED_ID, one("OEMProvisioningCert", BINARY), one("ListOfRootCertificateIDs", ROOT_IDS)), space=MSG_BODY
)
INSTALLATION_RES = Type(
    (
        one("ResponseCode", characters(RESPONSE_CODES)),
        one("SAProvisioningCertificateChain", CERTIFICATE_CHAIN),
        one("ContractSignatureCertChain", CERTIFICATE_CHAIN),
        one("ContractSignatureEncryptedPrivateKey", SIGNED_BINARY),
        one("DHpublickey", SIGNED_BINARY),
        one("eMAID", SIGNED_TEXT),
    )
)
BODIES: tuple[tuple[str, Type | None], ...] = (
    ("AuthorizationReq", None),
    ("AuthorizationRes", None),
    ("BodyElement", None),
    ("CableCheckReq", None),
    ("CableCheckRes", None),
    ("CertificateInstallationReq", INSTALLATION_REQ),
    ("CertificateInstallationRes", INSTALLATION_RES),
    ("CertificateUpdateReq", None),
    ("CertificateUpdateRes", None),
    ("ChargeParameterDiscoveryReq", None),
    ("ChargeParameterDiscoveryRes", None),
    ("ChargingStatusReq", None),
    ("ChargingStatusRes", None),
    ("CurrentDemandReq", None),
    ("CurrentDemandRes", None),
    ("MeteringReceiptReq", None),
    ("MeteringReceiptRes", None),
    ("PaymentDetailsReq", None),
    ("PaymentDetailsRes", None),
    ("PaymentServiceSelectionReq", None),
    ("PaymentServiceSelectionRes", None),
    ("PowerDeliveryReq", None),
    ("PowerDeliveryRes", None),
    ("PreChargeReq", None),
    ("PreChargeRes", None),
    ("ServiceDetailReq", None),
    ("ServiceDetailRes", None),
    ("ServiceDiscoveryReq", None),
    ("ServiceDiscoveryRes", None),
    ("SessionSetupReq", None),
    ("SessionSetupRes", None),
    ("SessionStopReq", None),
    ("SessionStopRes", None),
    ("WeldingDetectionReq", None),
    ("WeldingDetectionRes", None),
)
NOTIFICATION = Type((one("FaultCode", characters(FAULT_CODES)), maybe("FaultMsg", characters(Kind.TEXT))))
MESSAGE_HEADER = Type((one("SessionID", BINARY), maybe("Notification", NOTIFICATION), maybe("Signature", SIGNATURE)))
V2G_MESSAGE = Type((one("Header", MESSAGE_HEADER), one("Body", Type((Part(BODIES, least=0),)))))
ROOT = (76, 7)
"""V2G_Message among the global elements of all schemas, and the bits of such a number."""


def write_message(content: Tree, *, tables: bool = False) -> bytes:
    """A V2G_Message; `tables`: with string tables. Errors: ExiError for a content that the schema has not."""
    bits = BitWriter(tables=tables)
    bits.number(HEADER, 8)
    bits.number(*ROOT)
    write_element(bits, V2G_MESSAGE, "V2G_Message", content)
    return bits.octets()


def read_message(data: bytes) -> Tree:
    """The content of a V2G_Message. Errors: ExiError."""
    if len(data) > MAX_MESSAGE:
        raise ExiError(f"it has {len(data)} octets, {MAX_MESSAGE} are allowed")
    bits = BitReader(data)
    if bits.number(8) != HEADER:
        raise ExiError(f"it begins with {data[:4].hex()}, EXI of ISO 15118 with {HEADER:02x}")
    root = bits.number(ROOT[1])
    if root != ROOT[0]:
        raise ExiError(f"its root is element {root}, V2G_Message of {SCHEMA_VERSION} is {ROOT[0]}")
    return read_element(bits, V2G_MESSAGE, "V2G_Message")


# --- fragments: what digests and signatures are made of

FRAGMENTS = {
    "CertificateInstallationReq": (15, INSTALLATION_REQ),
    "ContractSignatureCertChain": (33, CERTIFICATE_CHAIN),
    "ContractSignatureEncryptedPrivateKey": (34, SIGNED_BINARY),
    "DHpublickey": (45, SIGNED_BINARY),
    "SAProvisioningCertificateChain": (166, CERTIFICATE_CHAIN),
}
FRAGMENT_EMAID = 236
END_OF_FRAGMENT = 244
FRAGMENT_BITS = 8
"""243 elements of all schemas by name, any other, the end."""
RELAXED = {"@Id": (4, 9), "#": (256, 9), "/": (244, 8)}
"""eMAID has two types in the schema: any of its attributes and elements may stand in the fragment of this name."""
FRAGMENT_SIGNED_INFO, END_OF_SIGNATURE_FRAGMENT, SIGNATURE_FRAGMENT_BITS = 32, 46, 6
"""The same of the schema of XML signatures alone."""


def fragment(name: str, content: Tree) -> bytes:
    """The element `name` (of FRAGMENTS, or eMAID) as the fragment that its digest is made of."""
    bits = BitWriter()
    bits.number(HEADER, 8)
    if name == "eMAID":
        _write_emaid(bits, content)
    else:
        code, type = FRAGMENTS[name]
        bits.number(code, FRAGMENT_BITS)
        write_element(bits, type, name, content)
    bits.number(END_OF_FRAGMENT, FRAGMENT_BITS)
    return bits.octets()


def _write_emaid(bits: BitWriter, content: Tree) -> None:
    bits.number(FRAGMENT_EMAID, FRAGMENT_BITS)
    for name, value in content:
        bits.number(*RELAXED[name])
        bits.text(name, str(value))
    bits.number(*RELAXED["/"])


def signed_info_fragment(content: Tree, *, tables: bool = False) -> bytes:
    """SignedInfo as the fragment that the signature is made of; `tables`: with string tables."""
    bits = BitWriter(tables=tables)
    bits.number(HEADER, 8)
    bits.number(FRAGMENT_SIGNED_INFO, SIGNATURE_FRAGMENT_BITS)
    write_element(bits, SIGNED_INFO, "SignedInfo", content)
    bits.number(END_OF_SIGNATURE_FRAGMENT, SIGNATURE_FRAGMENT_BITS)
    return bits.octets()
