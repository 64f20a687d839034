"""Certificate installation: the signed request, and every answer that delivers a contract or does not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as some

from modules.EvseManagerSim.exi_grammar import Tree, child, children, octets, text
from modules.EvseManagerSim.exi_messages import fragment, read_message, signed_info_fragment, write_message
from modules.EvseManagerSim.exi_signature import ECDSA, SignatureError, verify
from modules.EvseManagerSim.installation import (
    InstallationError,
    RootId,
    Signer,
    contract_in,
    request,
    session_id,
)
from tests.modules.EvseManagerSim.exi_samples import message
from tests.support.mobility_operator import MobilityOperator, der, issue

CAR = issue("OEM000000000001", ca=False)
OPERATOR = MobilityOperator()
REQUEST = request(bytes(range(1, 9)), CAR, [RootId("CN=V2G root", 5)])
ANSWER = OPERATOR.answer(REQUEST)


# --- the request


def test_the_request_names_car_roots_and_session() -> None:
    found = read_message(REQUEST)
    body = child(found, "Body", "CertificateInstallationReq")
    assert octets(found, "Header", "SessionID") == bytes(range(1, 9))
    assert octets(body, "OEMProvisioningCert") == der(CAR)
    (root,) = children(child(body, "ListOfRootCertificateIDs"), "RootCertificateID")
    assert (text(root, "X509IssuerName"), child(root, "X509SerialNumber")) == ("CN=V2G root", [("#", 5)])


def test_the_request_is_signed_by_the_key_of_the_provisioning_certificate() -> None:
    found = read_message(REQUEST)
    signature = child(found, "Header", "Signature")
    signed_info = child(signature, "SignedInfo")
    assert text(signed_info, "CanonicalizationMethod", key="@Algorithm") == "http://www.w3.org/TR/canonical-exi/"
    (reference,) = children(signed_info, "Reference")
    assert text(reference, key="@URI") == "#id1"
    value = octets(signature, "SignatureValue")
    assert len(value) == 64
    der_value = encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))
    CAR.key.public_key().verify(der_value, signed_info_fragment(signed_info), ECDSA)
    with pytest.raises(InvalidSignature):
        OPERATOR.service.key.public_key().verify(der_value, signed_info_fragment(signed_info), ECDSA)


def test_a_changed_request_is_refused_by_who_checks_it() -> None:
    found = read_message(REQUEST)
    body = child(found, "Body", "CertificateInstallationReq")
    signature = child(found, "Header", "Signature")
    verify(signature, {"CertificateInstallationReq": body}, CAR.key.public_key())
    body[0] = ("@Id", "id2")
    with pytest.raises(SignatureError, match="has 0 references"):
        verify(signature, {"CertificateInstallationReq": body}, CAR.key.public_key())


@pytest.mark.parametrize("count", [0, 21])
def test_a_request_names_one_to_twenty_roots(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        request(bytes(8), CAR, [RootId("CN=R", 1)] * count)


def test_a_provisioning_key_on_another_curve_is_named() -> None:
    car = issue("OEM000000000001", ca=False, key=ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(ValueError, match="provisioning key is on secp384r1, ISO 15118-2 wants secp256r1"):
        request(bytes(8), car, [RootId("CN=R", 1)])
    with pytest.raises(InstallationError, match="cannot be decrypted"):
        contract_in(ANSWER, car.key)


def test_a_provisioning_key_of_another_certificate_is_named() -> None:
    with pytest.raises(ValueError, match="not that of the provisioning certificate"):
        request(bytes(8), Signer(CAR.certificate, OPERATOR.service.key), [RootId("CN=R", 1)])


def test_each_session_has_a_number_of_its_own() -> None:
    assert len(session_id("a")) == 8
    assert len({session_id("a"), session_id("b"), bytes(8)}) == 3


# --- an answer that delivers


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("code", ["OK", "OK_CertificateExpiresSoon"])
def test_an_answer_delivers_the_contract_and_its_key(code: str, tables: bool) -> None:
    found = contract_in(OPERATOR.answer(REQUEST, code=code, tables=tables), CAR.key)
    assert found.chain == (OPERATOR.contract.certificate, OPERATOR.mo_ca.certificate)
    assert found.key.private_numbers() == OPERATOR.contract.key.private_numbers()
    assert found.service == (OPERATOR.service.certificate, OPERATOR.service_ca.certificate)


def test_an_answer_of_another_implementation_is_taken() -> None:
    data = json.loads(Path(__file__).with_name("exi_vectors.json").read_text())["installation"]
    key = ec.derive_private_key(int(data["provisioning_key"], 16), ec.SECP256R1())
    answer = bytes.fromhex(data["answer"])
    found = contract_in(answer, key)
    assert f"CN={data['emaid']}" in found.chain[0].subject.rfc4514_string()
    assert found.key.public_key() == found.chain[0].public_key()
    assert write_message(read_message(answer)) == answer


# --- answers that do not


def put(name: str, place: str, value: Any) -> Callable[[dict[str, Tree]], None]:
    """Changes the characters or an attribute of an element of the answer."""

    def change(elements: dict[str, Tree]) -> None:
        elements[name] = [(key, value if key == place else old) for key, old in elements[name]]

    return change


def with_chain(name: str, *certificates: bytes, id: str = "id1") -> Callable[[dict[str, Tree]], None]:
    def change(elements: dict[str, Tree]) -> None:
        leaf, *above = certificates
        subs: Tree = [("SubCertificates", [("Certificate", [("#", one)]) for one in above])] if above else []
        elements[name] = [("@Id", id), ("Certificate", [("#", leaf)]), *subs]

    return change


def refused(what: str, **how: Any) -> None:
    with pytest.raises(InstallationError, match=what):
        contract_in(OPERATOR.answer(REQUEST, **how), CAR.key)


@pytest.mark.parametrize("code", ["FAILED", "FAILED_NoCertificateAvailable", "FAILED_CertificateRevoked"])
def test_a_response_code_that_is_not_ok_is_named(code: str) -> None:
    refused(f"ResponseCode is {code}$", code=code)


def test_an_answer_without_signature_is_refused() -> None:
    refused("the answer has no signature", signed=False)


def test_a_signature_of_somebody_else_is_refused() -> None:
    refused("SignatureValue is not one of the certificate", sign_by=OPERATOR.mo_ca)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("eMAID", "#", "DE8BBCB3C4D5E6G"),
        ("DHpublickey", "#", b"\x04" + bytes(64)),
        ("ContractSignatureEncryptedPrivateKey", "#", bytes(48)),
        ("ContractSignatureCertChain", "Certificate", [("#", der(OPERATOR.mo_ca))]),
    ],
)
def test_an_element_that_was_changed_after_it_was_signed_is_refused(name: str, place: str, value: Any) -> None:
    refused(f"the digest of {name} is not that of its reference #id", after=put(name, place, value))


def test_two_elements_of_one_id_are_refused() -> None:
    refused("has 2 references, 1 is due", spoil=put("DHpublickey", "@Id", "id1"))


def test_an_element_without_id_is_refused() -> None:
    spoil = with_chain("ContractSignatureCertChain", der(OPERATOR.contract), id="")
    refused("ContractSignatureCertChain .* references, 1 is due", spoil=spoil)


def test_a_contract_that_is_not_the_emaid_s_is_refused() -> None:
    refused(
        "eMAID is 'DE8BBCB3C4D5E6G', the common name .* 'DE8BBCB3C4D5E6F'", spoil=put("eMAID", "#", "DE8BBCB3C4D5E6G")
    )


def test_hyphens_and_case_of_an_emaid_do_not_count() -> None:
    operator = MobilityOperator("DE-8BB-CB3C4D5E6-F")
    spoil = put("eMAID", "#", "de8bbcb3c4d5e6f")
    assert contract_in(operator.answer(REQUEST, spoil=spoil), CAR.key).chain[0] == operator.contract.certificate


def test_a_key_for_another_car_is_refused() -> None:
    with pytest.raises(InstallationError, match=r"is not the leaf's|cannot be decrypted"):
        contract_in(ANSWER, issue("other car").key)


@pytest.mark.parametrize("length", [0, 16, 32, 47, 64])
def test_an_encrypted_key_of_another_length_is_refused(length: int) -> None:
    name = "ContractSignatureEncryptedPrivateKey"
    refused(f"{name} has {length} octets, 48 are due", spoil=put(name, "#", bytes(length)))


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x04" + b"\xff" * 64, bytes(65)])
def test_a_point_that_is_not_on_the_curve_is_refused(point: bytes) -> None:
    refused("private key cannot be decrypted", spoil=put("DHpublickey", "#", point))


@pytest.mark.parametrize("certificate", [b"", b"\x30\x03\x02\x01\x00", der(CAR)[:-1], bytes(800)])
@pytest.mark.parametrize("name", ["ContractSignatureCertChain", "SAProvisioningCertificateChain"])
@pytest.mark.parametrize("place", [1, 2])
def test_octets_that_are_no_certificate_are_named(name: str, certificate: bytes, place: int) -> None:
    good = der(OPERATOR.service if name.startswith("SA") else OPERATOR.contract)
    certificates = (certificate,) if place == 1 else (good, certificate)
    refused(f"{name}, certificate {place}: ", spoil=with_chain(name, *certificates))


def test_a_signer_whose_key_is_of_another_kind_is_refused() -> None:
    refused("has no EC key", spoil=with_chain("SAProvisioningCertificateChain", der_of_ed25519()))


def der_of_ed25519() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    name = OPERATOR.contract.certificate.subject
    template = OPERATOR.contract.certificate
    return (
        x509.CertificateBuilder(
            name, name, key.public_key(), 5, template.not_valid_before_utc, template.not_valid_after_utc
        )
        .sign(key, None)
        .public_bytes(serialization.Encoding.DER)
    )


# --- what a signature must say


def signed(change: Callable[[Tree], None]) -> bytes:
    """ANSWER with its header's signature changed."""
    found = read_message(ANSWER)
    change(child(found, "Header", "Signature"))
    return write_message(found)


def algorithm(*path: str) -> Callable[[Tree], None]:
    def change(signature: Tree) -> None:
        child(signature, "SignedInfo", *path)[0] = ("@Algorithm", "urn:other")

    return change


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (("CanonicalizationMethod",), "CanonicalizationMethod is urn:other"),
        (("SignatureMethod",), "SignatureMethod is urn:other"),
        (("Reference", "DigestMethod"), "DigestMethod is urn:other"),
        (("Reference", "Transforms", "Transform"), "Transform is urn:other"),
    ],
)
def test_an_algorithm_that_iso_15118_does_not_know_is_named(path: tuple[str, ...], what: str) -> None:
    with pytest.raises(InstallationError, match=what):
        contract_in(signed(algorithm(*path)), CAR.key)


@pytest.mark.parametrize(("value", "what"), [(b"", "has 0 octets"), (bytes(64), "not one of"), (b"\xff" * 65, "65")])
def test_a_signature_value_that_is_none_is_refused(value: bytes, what: str) -> None:
    def change(signature: Tree) -> None:
        child(signature, "SignatureValue")[-1] = ("#", value)

    with pytest.raises(InstallationError, match=what):
        contract_in(signed(change), CAR.key)


def test_what_was_signed_counts_and_not_only_its_digests() -> None:
    """Digests of other elements, set after the signature."""
    found = read_message(ANSWER)
    body = child(found, "Body", "CertificateInstallationRes")
    emaid = child(body, "eMAID")
    emaid[0] = ("@Id", "other")
    reference = children(child(found, "Header", "Signature", "SignedInfo"), "Reference")[-1]
    reference[0] = ("@URI", "#other")
    reference[-1] = ("DigestValue", [("#", hashlib.sha256(fragment("eMAID", emaid)).digest())])
    with pytest.raises(InstallationError, match="SignatureValue is not one of"):
        contract_in(write_message(found), CAR.key)


# --- what is no answer at all


@pytest.mark.parametrize("percent", range(100))
def test_an_answer_that_is_cut_off_is_refused(percent: int) -> None:
    with pytest.raises(InstallationError, match="no CertificateInstallationRes in EXI"):
        contract_in(ANSWER[: len(ANSWER) * percent // 100], CAR.key)


def test_a_request_is_no_answer() -> None:
    with pytest.raises(InstallationError, match="CertificateInstallationRes"):
        contract_in(REQUEST, CAR.key)


def test_an_empty_body_is_no_answer() -> None:
    empty: Tree = [*message("x", [])[:1], ("Body", [])]
    with pytest.raises(InstallationError, match="CertificateInstallationRes"):
        contract_in(write_message(empty), CAR.key)


@given(some.data())
def test_a_flipped_bit_is_refused_or_meant_nothing(data: some.DataObject) -> None:
    """Not signed are: session, which OK it is, certificates above the signer, what fills the last octet."""
    changed = bytearray(ANSWER)
    for _ in range(data.draw(some.integers(1, 3))):
        place = data.draw(some.integers(0, 8 * len(ANSWER) - 1))
        changed[place // 8] ^= 1 << place % 8
    try:
        found = contract_in(bytes(changed), CAR.key)
    except InstallationError as error:
        assert str(error)
    else:
        assert found.chain[0] == OPERATOR.contract.certificate
        assert found.key.private_numbers() == OPERATOR.contract.key.private_numbers()


@given(some.binary(max_size=600), some.integers(0, len(ANSWER)))
def test_octets_of_any_kind_are_refused(octets: bytes, at: int) -> None:
    with pytest.raises(InstallationError):
        contract_in(octets, CAR.key)
    with pytest.raises(InstallationError):
        contract_in(ANSWER[: at // 2] + octets, CAR.key)
