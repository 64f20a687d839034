"""Messages and fragments of ISO 15118-2 as trees; exi_vectors.json has what another codec makes of them.

Composed here, with values that nobody uses: certificates and keys are only octets, signatures sign nothing.
"""

from __future__ import annotations

from modules.EvseManagerSim.exi_grammar import Tree

CANONICAL = "http://www.w3.org/TR/canonical-exi/"
SIGNATURE = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"


def some(count: int, first: int = 0) -> bytes:
    return bytes((first + 7 * place) % 256 for place in range(count))


def chain(*sub: bytes, id: str = "") -> Tree:
    content: Tree = [("@Id", id)] if id else []
    content.append(("Certificate", [("#", some(400, 1))]))
    if sub:
        content.append(("SubCertificates", [("Certificate", [("#", der)]) for der in sub]))
    return content


def root_id(issuer: str, serial: int) -> tuple[str, Tree]:
    return "RootCertificateID", [("X509IssuerName", [("#", issuer)]), ("X509SerialNumber", [("#", serial)])]


def reference(id: str) -> tuple[str, Tree]:
    return "Reference", [
        ("@URI", f"#{id}"),
        ("Transforms", [("Transform", [("@Algorithm", CANONICAL)])]),
        ("DigestMethod", [("@Algorithm", DIGEST)]),
        ("DigestValue", [("#", some(32, len(id)))]),
    ]


def signed_info(*ids: str) -> Tree:
    return [
        ("CanonicalizationMethod", [("@Algorithm", CANONICAL)]),
        ("SignatureMethod", [("@Algorithm", SIGNATURE)]),
        *map(reference, ids),
    ]


def signature(*ids: str) -> tuple[str, Tree]:
    return "Signature", [("SignedInfo", signed_info(*ids)), ("SignatureValue", [("#", some(64, 9))])]


def message(name: str, body: Tree, *header: tuple[str, Tree]) -> Tree:
    return [("Header", [("SessionID", [("#", b"ABCDEFGH")]), *header]), ("Body", [(name, body)])]


def request(*roots: tuple[str, Tree]) -> Tree:
    return [
        ("@Id", "id1"),
        ("OEMProvisioningCert", [("#", some(500))]),
        ("ListOfRootCertificateIDs", list(roots)),
    ]


def response(code: str, service: Tree, contract: Tree, emaid: str = "DE8BBCB3C4D5E6F") -> Tree:
    return [
        ("ResponseCode", [("#", code)]),
        ("SAProvisioningCertificateChain", service),
        ("ContractSignatureCertChain", contract),
        ("ContractSignatureEncryptedPrivateKey", ENCRYPTED_KEY),
        ("DHpublickey", DH_KEY),
        ("eMAID", [("@Id", "id4"), ("#", emaid)]),
    ]


ENCRYPTED_KEY: Tree = [("@Id", "id2"), ("#", some(48, 3))]
DH_KEY: Tree = [("@Id", "id3"), ("#", some(65, 4))]
FAULT: Tree = [("FaultCode", [("#", "UnknownError")]), ("FaultMsg", [("#", "nothing works")])]
REQUEST, RESPONSE = "CertificateInstallationReq", "CertificateInstallationRes"
ROOTS = [root_id("CN=V2G Root,O=Ä,C=DE", 2**150 + 12345), root_id("CN=V2G Root,O=Ä,C=DE", 5), root_id("CN=x", -3)]
WORD = "DE8BBCB3C4D5E6F"
FOUR = ("id1", "id2", "id3", "id4")

MESSAGES: dict[str, Tree] = {
    "request": message(REQUEST, request(*ROOTS)),
    "request with as many roots as can be": message(REQUEST, request(*(root_id(f"CN=R{n}", n) for n in range(20)))),
    "signed request": message(REQUEST, request(ROOTS[0]), signature("id1")),
    "response": message(RESPONSE, response("OK", chain(), chain(some(300), some(310), id="id1")), signature(*FOUR)),
    "response with chains as long as can be": message(
        RESPONSE,
        response("OK_CertificateExpiresSoon", chain(*[some(20)] * 4, id="a"), chain(*[some(30)] * 4, id="id1")),
    ),
    "failed response": message(
        RESPONSE, response("FAILED_CertificateRevoked", chain(), chain(), "DE8BBCB3C4D5E6"), ("Notification", FAULT)
    ),
    "response with one word in many places": message(
        RESPONSE,
        response("FAILED", chain(id=WORD), chain(id=WORD), WORD),
        ("Notification", [FAULT[0], ("FaultMsg", [("#", WORD)])]),
        ("Signature", [("@Id", WORD), *signature(WORD, WORD)[1]]),
    ),
    "failed response, signed": message(
        RESPONSE, response("FAILED", chain(), chain()), ("Notification", FAULT[:1]), signature("id1")
    ),
}
FRAGMENTS: dict[str, tuple[str, Tree]] = {
    "request as fragment": (REQUEST, request(*ROOTS)),
    "contract chain as fragment": ("ContractSignatureCertChain", chain(some(300), some(310), id="id1")),
    "chain without Id as fragment": ("ContractSignatureCertChain", chain()),
    "service chain as fragment": ("SAProvisioningCertificateChain", chain(some(3), id="id1")),
    "encrypted key as fragment": ("ContractSignatureEncryptedPrivateKey", ENCRYPTED_KEY),
    "DHpublickey as fragment": ("DHpublickey", DH_KEY),
    "eMAID as fragment": ("eMAID", [("@Id", "id4"), ("#", "DE8BBCB3C4D5E6F")]),
    "short eMAID as fragment": ("eMAID", [("@Id", "x"), ("#", "DE8BBCB3C4D5E6")]),
}
SIGNED_INFOS: dict[str, Tree] = {
    "SignedInfo as fragment": signed_info("id1"),
    "SignedInfo of four as fragment": signed_info(*FOUR),
}
WITH_TABLES = " with string tables"
"""Behind the name of a vector that was made with them: all messages and SignedInfos."""
