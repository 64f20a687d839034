"""Certificates with one byte changed, wherever it is signed: each command still answers with a status it may have."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evse_security import (
    CaCertificateType,
    CertificateType,
    CertificateValidationResult,
    Directories,
    EncodingFormat,
    EvseSecurity,
    InstallCertificateResult,
    LeafCertificateType,
    verify_file_signature,
)
from tests.evse_security.pki import NOW, Issued, issue

V2G = LeafCertificateType.V2G


def variants(issued: Issued, mask: int) -> list[str]:
    """The certificate's PEM text with the bits of `mask` turned over in turn in each byte of what is signed."""
    whole = issued.certificate.public_bytes(Encoding.DER)
    found = []
    signed = issued.certificate.tbs_certificate_bytes
    for place in range(whole.index(signed) + len(signed)):
        changed = whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :]
        body = base64.encodebytes(changed).decode()
        found.append(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    return found


@pytest.fixture
def store(tmp_path: Path) -> EvseSecurity:
    return EvseSecurity(Directories(tmp_path), now=lambda: NOW)


@pytest.mark.parametrize("mask", [0x01, 0x10])
def test_no_broken_leaf_is_taken_and_none_raises(mask: int, store: EvseSecurity, tmp_path: Path) -> None:
    root = issue("root")
    leaf = issue("leaf", root, ca=False, ocsp="http://responder/leaf")
    store.install_ca_certificate(root.pem, CaCertificateType.V2G)
    for text in variants(leaf, mask):
        assert store.verify_certificate(text, [V2G]) is not CertificateValidationResult.Valid
        assert store.update_leaf_certificate(text, V2G) is not InstallCertificateResult.Accepted
        assert store.get_mo_ocsp_request_data(text).ocsp_request_data_list == []
        assert verify_file_signature(tmp_path / "no file", text, "AAAA") is False


@pytest.mark.parametrize("mask", [0x01, 0x10])
def test_what_is_asked_of_a_store_with_broken_files_is_answered(mask: int, store: EvseSecurity, tmp_path: Path) -> None:
    root = issue("root")
    leaf = issue("leaf", root, ca=False, ocsp="http://responder/leaf")
    (tmp_path / "client/cso/leaf.key").write_bytes(leaf.key_pem())
    for broken_root, broken_leaf in list(zip(variants(root, mask), variants(leaf, mask), strict=False))[::2]:
        (tmp_path / "ca/v2g/V2G_ROOT_CA.pem").write_text(broken_root)
        (tmp_path / "client/cso/leaf.pem").write_text(broken_leaf)
        store.get_installed_certificates(list(CertificateType))
        store.get_v2g_ocsp_request_data()
        store.get_leaf_certificate_info(V2G, EncodingFormat.PEM, True)
        store.is_ca_certificate_installed(CaCertificateType.V2G)
        store.get_verify_file(CaCertificateType.V2G)
        store.collect_garbage()


def test_a_signature_with_a_key_of_an_unknown_curve_is_none(tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    firmware.write_bytes(b"x")
    whole = issue("signer").certificate.public_bytes(Encoding.DER)
    prime256v1, unknown = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030105")
    body = base64.encodebytes(whole.replace(prime256v1, unknown)).decode()
    text = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    assert verify_file_signature(firmware, text, "AAAA") is False
