"""Chain checks like OpenSSL's default mode (station 6.4, 9.10)."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from evse_security import CaCertificateType, CertificateValidationResult, EvseSecurity, LeafCertificateType
from evse_security.verify import verify_chain
from tests.evse_security.pki import NOW, YEAR, Issued, Pki, issue

R = CertificateValidationResult


def verdict(chain: list[Issued], anchors: list[Issued]) -> CertificateValidationResult:
    return verify_chain([c.certificate for c in chain], [c.certificate for c in anchors], NOW)


def test_a_whole_chain_in_any_order_is_valid(pki: Pki) -> None:
    assert verdict([pki.leaf, pki.sub2, pki.sub1], [pki.root]) is R.Valid
    assert verdict([pki.leaf, pki.sub1, pki.sub2], [pki.root]) is R.Valid


def test_the_root_in_the_chain_is_ignored(pki: Pki) -> None:
    assert verdict([pki.leaf, pki.sub2, pki.sub1, pki.root], [pki.root]) is R.Valid
    assert verdict([pki.leaf, pki.sub2, pki.sub1, pki.root], [issue("other root")]) is R.IssuerNotFound


def test_intermediates_may_come_from_the_bundle(pki: Pki) -> None:
    assert verdict([pki.leaf], [pki.root, pki.sub1, pki.sub2]) is R.Valid


def test_a_missing_intermediate_or_root_is_issuer_not_found(pki: Pki) -> None:
    assert verdict([pki.leaf, pki.sub2], [pki.root]) is R.IssuerNotFound
    assert verdict([pki.leaf, pki.sub2, pki.sub1], []) is R.IssuerNotFound


def test_only_the_end_of_the_leaf_is_looked_at() -> None:
    old, future = {"start": NOW - 3 * YEAR, "end": NOW - YEAR}, {"start": NOW + YEAR, "end": NOW + 2 * YEAR}
    root = issue("root", **old)
    sub = issue("sub", root, **old)
    assert verdict([issue("leaf", sub, ca=False, **future), sub], [root]) is R.Valid
    assert verdict([issue("leaf", sub, ca=False, **old), sub], [root]) is R.Expired


def test_a_first_certificate_that_is_an_anchor_is_valid(pki: Pki) -> None:
    assert verdict([pki.root], [pki.root]) is R.Valid


def test_a_self_signed_stranger_is_an_invalid_chain(pki: Pki) -> None:
    assert verdict([issue("me")], [pki.root]) is R.InvalidChain


def test_a_forged_signature_is_found(pki: Pki) -> None:
    impostor = issue("V2G root")
    forged = issue("forged", impostor, ca=False)
    assert verdict([forged], [pki.root]) is R.InvalidSignature


def test_of_two_roots_with_one_name_the_right_one_is_found() -> None:
    old, new = issue("root"), issue("root")
    assert verdict([issue("leaf", new, ca=False)], [old, new]) is R.Valid


def test_a_leaf_cannot_issue(pki: Pki) -> None:
    child = issue("child", pki.leaf, ca=False)
    assert verdict([child, pki.leaf, pki.sub2, pki.sub1], [pki.root]) is R.InvalidChain


def test_a_certificate_that_may_not_sign_certificates_cannot_issue(pki: Pki) -> None:
    sub = issue("sub", pki.root, ca=None, key_cert_sign=False)
    assert verdict([issue("leaf", sub, ca=False), sub], [pki.root]) is R.InvalidChain


def test_basic_constraints_are_not_needed() -> None:
    root = issue("root", ca=None)
    sub = issue("sub", root, ca=None)
    assert verdict([issue("leaf", sub, ca=None), sub], [root]) is R.Valid


def test_the_path_length_counts_the_cas_below() -> None:
    root = issue("root", path_length=1)
    sub1 = issue("sub1", root)
    sub2 = issue("sub2", sub1)
    assert verdict([issue("leaf", sub1, ca=False), sub1], [root]) is R.Valid
    assert verdict([issue("leaf", sub2, ca=False), sub2, sub1], [root]) is R.InvalidChain


def test_an_unknown_critical_extension_is_not_passed_over(pki: Pki) -> None:
    strange = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    assert verdict([issue("leaf", pki.root, ca=False, critical=strange)], [pki.root]) is R.Unknown


def test_circles_end() -> None:
    key_a, key_b = issue("a"), issue("b")
    a = issue("a", key_b, key=key_a.key)
    b = issue("b", key_a, key=key_b.key)
    leaf = issue("leaf", a, ca=False)
    assert verdict([leaf, a, b], [issue("root")]) is R.IssuerNotFound


@pytest.mark.skipif(shutil.which("openssl") is None, reason="asks openssl for x509 v1 certificates")
def test_x509_v1_certificates_are_fine(tmp_path: Path) -> None:
    def run(*command: str) -> None:
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "none").write_text("")
    new = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out")
    for name in ("root", "sub", "leaf"):
        run(*new, f"{name}.key")
        run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
    run("x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-days", "9000", "-out", "root.pem")
    for name, ca in (("sub", "root"), ("leaf", "sub")):
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-set_serial", "5"),
            *("-days", "9000", "-out", f"{name}.pem"),
        )
    read: Callable[[str], x509.Certificate]
    read = lambda name: x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes())  # noqa: E731
    assert read("sub").version is x509.Version.v1
    assert verify_chain([read("leaf"), read("sub")], [read("root")], NOW) is R.Valid


def test_the_bundle_of_each_leaf_type_vouches_and_an_expired_root_does_not(store: EvseSecurity, pki: Pki) -> None:
    chain = pki.leaf.chain
    assert store.verify_certificate(chain, [LeafCertificateType.V2G]) is R.IssuerNotFound
    store.install_ca_certificate(pki.root.pem, CaCertificateType.V2G)
    assert store.verify_certificate(chain, [LeafCertificateType.V2G]) is R.Valid
    assert store.verify_certificate(chain, [LeafCertificateType.MO]) is R.IssuerNotFound
    assert store.verify_certificate(chain, [LeafCertificateType.MO, LeafCertificateType.V2G]) is R.Valid


def test_a_bundle_without_a_valid_root_is_passed_over(store: EvseSecurity, folder: Path) -> None:
    root = issue("root", end=NOW - YEAR, start=NOW - 2 * YEAR)
    (folder / "ca/v2g/V2G_ROOT_CA.pem").write_text(root.pem)
    leaf = issue("leaf", root, ca=False)
    assert store.verify_certificate(leaf.pem, [LeafCertificateType.V2G]) is R.IssuerNotFound


@pytest.mark.parametrize("text", ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_text_without_certificate_is_unknown(store: EvseSecurity, pki: Pki, text: str) -> None:
    store.install_ca_certificate(pki.root.pem, CaCertificateType.V2G)
    assert store.verify_certificate(text, [LeafCertificateType.V2G]) is R.Unknown
