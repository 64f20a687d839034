"""Signatures of ISO 15118-2: XML signatures over EXI (7.9.2.4), made and verified.

Each signed element goes by its Id into a Reference with the SHA-256 of its EXI fragment; SignedInfo, as an EXI fragment
of the schema of XML signatures, is signed by ECDSA with SHA-256 on secp256r1; the signature is r and s, 32 octets each.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from .exi import ExiError
from .exi_grammar import Tree, child, children, octets, text
from .exi_messages import fragment, signed_info_fragment

CANONICAL_EXI = "http://www.w3.org/TR/canonical-exi/"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
COORDINATE = 32
ECDSA = ec.ECDSA(hashes.SHA256())


class SignatureError(ValueError):
    """A signature that is missing or does not hold; the message says why."""


def sign(elements: dict[str, Tree], key: ec.EllipticCurvePrivateKey) -> Tree:
    """The content of Signature over `elements`: content by name, each with an Id."""
    signed_info: Tree = [
        ("CanonicalizationMethod", [("@Algorithm", CANONICAL_EXI)]),
        ("SignatureMethod", [("@Algorithm", ECDSA_SHA256)]),
        *(("Reference", _reference(name, content)) for name, content in elements.items()),
    ]
    numbers = decode_dss_signature(key.sign(signed_info_fragment(signed_info), ECDSA))
    value = b"".join(number.to_bytes(COORDINATE, "big") for number in numbers)
    return [("SignedInfo", signed_info), ("SignatureValue", [("#", value)])]


def _reference(name: str, content: Tree) -> Tree:
    return [
        ("@URI", f"#{text(content, key='@Id')}"),
        ("Transforms", [("Transform", [("@Algorithm", CANONICAL_EXI)])]),
        ("DigestMethod", [("@Algorithm", SHA256)]),
        ("DigestValue", [("#", _digest(name, content))]),
    ]


def _digest(name: str, content: Tree) -> bytes:
    return hashlib.sha256(fragment(name, content)).digest()


def verify(signature: Tree, elements: dict[str, Tree], key: ec.EllipticCurvePublicKey) -> None:
    """`signature` covers each of `elements`, and is one of `key`. Errors: SignatureError."""
    try:
        signed_info = child(signature, "SignedInfo")
        _check_algorithm(signed_info, "CanonicalizationMethod", CANONICAL_EXI)
        _check_algorithm(signed_info, "SignatureMethod", ECDSA_SHA256)
        for name, content in elements.items():
            _verify_digest(signed_info, name, content)
        _verify_value(signed_info, octets(signature, "SignatureValue"), key)
    except ExiError as error:
        raise SignatureError(f"it cannot be read: {error}") from error


def _check_algorithm(content: Tree, name: str, expected: str) -> None:
    algorithm = text(content, name, key="@Algorithm")
    if algorithm != expected:
        raise SignatureError(f"{name} is {algorithm}, ISO 15118-2 knows {expected}")


def _verify_digest(signed_info: Tree, name: str, content: Tree) -> None:
    """Exactly one reference names the element, and its digest is that of the element."""
    uri = f"#{text(content, key='@Id')}"
    references = [found for found in children(signed_info, "Reference") if text(found, key="@URI") == uri]
    if len(references) != 1 or uri == "#":
        raise SignatureError(f"{name} (Id {uri[1:]!r}) has {len(references)} references, 1 is due")
    (reference,) = references
    _check_algorithm(reference, "DigestMethod", SHA256)
    for transform in children(child(reference, "Transforms"), "Transform"):
        _check_algorithm([("Transform", transform)], "Transform", CANONICAL_EXI)
    if octets(reference, "DigestValue") != _digest(name, content):
        raise SignatureError(f"the digest of {name} is not that of its reference {uri}")


def _verify_value(signed_info: Tree, value: bytes, key: ec.EllipticCurvePublicKey) -> None:
    if len(value) != 2 * COORDINATE:
        raise SignatureError(f"SignatureValue has {len(value)} octets, {2 * COORDINATE} are due")
    r, s = (int.from_bytes(half, "big") for half in (value[:COORDINATE], value[COORDINATE:]))
    for tables in (False, True):  # some encode with string tables all the same
        try:
            key.verify(encode_dss_signature(r, s), signed_info_fragment(signed_info, tables=tables), ECDSA)
        except InvalidSignature:
            continue
        return
    raise SignatureError("SignatureValue is not one of the certificate that is to have signed")
