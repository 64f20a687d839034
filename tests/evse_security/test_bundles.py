"""CA bundles: installing, deleting, listing, where to find them (station 6.1, 6.2, 6.3)."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evse_security import (
    CaCertificateType,
    CertificateType,
    ConfigurationError,
    DeleteCertificateResult,
    EvseSecurity,
    GetInstalledCertificatesStatus,
    InstallCertificateResult,
)
from evse_security import store as limits
from evse_security.x509 import hash_data, read_pem
from tests.evse_security.conftest import Store
from tests.evse_security.pki import NOW, YEAR, Pki, issue

CSMS, V2G, MO, MF = CaCertificateType.CSMS, CaCertificateType.V2G, CaCertificateType.MO, CaCertificateType.MF
R = InstallCertificateResult


def test_missing_files_and_folders_are_made_empty(store: EvseSecurity, folder: Path) -> None:
    for name in ("csms/CSMS", "mf/MF", "mo/MO", "v2g/V2G"):
        assert (folder / f"ca/{name}_ROOT_CA.pem").read_text() == ""
    assert (folder / "client/csms").is_dir()
    assert (folder / "client/cso").is_dir()
    assert not any(store.is_ca_certificate_installed(type) for type in CaCertificateType)


def test_a_leaf_path_that_is_a_file_or_a_bundle_is_refused_by_name(make_store: Store, folder: Path) -> None:
    folder.mkdir()
    (folder / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file: leaf directory of CSMS is a file; name a directory"):
        make_store(csms_leaf_cert_directory="file")
    with pytest.raises(ConfigurationError, match="is a CA bundle"):
        make_store(secc_leaf_key_directory="ca/x", v2g_ca_bundle="ca/x")


def test_an_installed_root_is_there_and_on_disk(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    assert store.install_ca_certificate(pki.root.pem, CSMS) is R.Accepted
    assert store.is_ca_certificate_installed(CSMS)
    assert not store.is_ca_certificate_installed(V2G)
    assert (folder / "ca/csms/CSMS_ROOT_CA.pem").read_text() == pki.root.pem
    assert not list((folder / "ca/csms").glob("*$"))


def test_an_identical_certificate_is_replaced_and_another_one_added(
    store: EvseSecurity, pki: Pki, folder: Path
) -> None:
    other = issue("other")
    for certificate in (pki.root, other, pki.root):
        assert store.install_ca_certificate(certificate.pem, CSMS) is R.Accepted
    assert len(read_pem((folder / "ca/csms/CSMS_ROOT_CA.pem").read_bytes())) == 2


def test_files_put_there_by_hand_are_seen_at_once(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    (folder / "ca/mo/MO_ROOT_CA.pem").write_text(pki.root.pem)
    assert store.is_ca_certificate_installed(MO)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_invalid_format(store: EvseSecurity, text: str) -> None:
    assert store.install_ca_certificate(text, CSMS) is R.InvalidFormat


def test_two_certificates_at_once_are_invalid_format(store: EvseSecurity, pki: Pki) -> None:
    assert store.install_ca_certificate(pki.root.pem + pki.sub1.pem, CSMS) is R.InvalidFormat


def test_a_certificate_that_is_not_valid_now_is_expired(store: EvseSecurity) -> None:
    assert store.install_ca_certificate(issue("old", end=NOW - YEAR / 2).pem, CSMS) is R.Expired
    assert store.install_ca_certificate(issue("new", start=NOW + YEAR / 2).pem, CSMS) is R.Expired


def test_a_bundle_that_cannot_be_written_is_a_write_error(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    (folder / "ca/csms/CSMS_ROOT_CA.pem$").mkdir()
    assert store.install_ca_certificate(pki.root.pem, CSMS) is R.WriteError


def test_a_bundle_with_an_unreadable_part_is_not_written_over(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    bundle = folder / "ca/v2g/V2G_ROOT_CA.pem"
    damaged = pki.root.pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundle.write_text(damaged)
    assert store.install_ca_certificate(issue("another").pem, V2G) is R.WriteError
    assert bundle.read_text() == damaged


def test_a_full_store_takes_no_more(store: EvseSecurity, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 3)
    assert store.install_ca_certificate(pki.root.pem, CSMS) is R.CertificateStoreMaxLengthExceeded
    monkeypatch.setattr(limits, "MAX_FILES", 2000)
    assert store.install_ca_certificate(pki.root.pem, CSMS) is R.Accepted
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    assert store.install_ca_certificate(pki.sub1.pem, CSMS) is R.CertificateStoreMaxLengthExceeded


def test_a_bundle_may_be_a_folder(make_store: Store, folder: Path, pki: Pki) -> None:
    store = make_store(v2g_ca_bundle="ca/v2g")
    assert store.install_ca_certificate(pki.root.pem, V2G) is R.Accepted
    [path] = (folder / "ca/v2g").iterdir()
    assert path.name == "V2G_ROOT_M01_D05_Y2026_H10_M00_S00_i0_r7.pem"
    store.install_ca_certificate(pki.sub1.pem, V2G)
    store.install_ca_certificate(pki.root.pem, V2G)
    assert len(list((folder / "ca/v2g").iterdir())) == 2
    assert store.get_verify_file(V2G).startswith(str(folder / "ca/v2g/V2G_ROOT_"))


def test_a_broken_file_in_a_folder_spoils_only_itself(make_store: Store, folder: Path, pki: Pki) -> None:
    (folder / "ca/v2g").mkdir(parents=True)
    (folder / "ca/v2g/broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")
    (folder / "ca/v2g/good.pem").write_text(pki.root.pem)
    assert make_store(v2g_ca_bundle="ca/v2g").is_ca_certificate_installed(V2G)


# --- where they are


def test_verify_file_and_location_are_the_bundle_or_nothing(store: EvseSecurity, folder: Path, pki: Pki) -> None:
    assert (store.get_verify_file(CSMS), store.get_verify_location(CSMS)) == ("", "")
    store.install_ca_certificate(pki.root.pem, CSMS)
    expected = str(folder / "ca/csms/CSMS_ROOT_CA.pem")
    assert (store.get_verify_file(CSMS), store.get_verify_location(CSMS)) == (expected, expected)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="compares with openssl")
def test_hash_links_are_those_of_openssl(make_store: Store, folder: Path, pki: Pki) -> None:
    store = make_store(v2g_ca_bundle="ca/v2g")
    odd = issue("  Ünïcode   and MIXED  case ")
    for certificate in (pki.root, odd):
        store.install_ca_certificate(certificate.pem, V2G)
    assert store.get_verify_location(V2G) == str(folder / "ca/v2g")
    for path in (folder / "ca/v2g").glob("*.pem"):
        command = ["openssl", "x509", "-subject_hash", "-noout", "-in", str(path)]
        wanted = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert os.readlink(folder / "ca/v2g" / f"{wanted}.0") == path.name
    store.get_verify_location(V2G)
    assert len(list((folder / "ca/v2g").glob("*.0"))) == 2


# --- hash data


def test_hash_links_leave_what_is_somebody_elses(make_store: Store, folder: Path, pki: Pki) -> None:
    bundle = folder / "v2g"
    store = make_store(v2g_ca_bundle="v2g")
    (folder / "elsewhere").write_text(pki.root.pem)
    (bundle / "rootca01.pem").symlink_to(folder / "elsewhere")
    assert store.get_verify_location(V2G) == str(bundle)
    [link] = [path for path in bundle.iterdir() if path.name.endswith(".0")]
    link.unlink()
    link.write_text("a file of this name")
    assert store.get_verify_location(V2G) == str(bundle)
    assert link.read_text() == "a file of this name"
    assert link.with_suffix(".1").resolve() == folder / "elsewhere"
    assert (bundle / "rootca01.pem").is_symlink()


def test_hash_data_are_taken_from_the_issuer(pki: Pki) -> None:
    data = hash_data(pki.sub1.certificate, pki.root.certificate)
    point = pki.root.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert data.hash_algorithm == "SHA256"
    assert data.issuer_key_hash == hashlib.sha256(point).hexdigest()
    assert data.issuer_name_hash == hashlib.sha256(pki.root.certificate.subject.public_bytes()).hexdigest()
    assert data.serial_number == f"{pki.sub1.certificate.serial_number:x}"


# --- listing and deleting


def test_installed_roots_are_listed_with_their_descendants_top_down(store: EvseSecurity, pki: Pki) -> None:
    asked = [CertificateType.MORootCertificate, CertificateType.V2GRootCertificate]
    assert store.get_installed_certificates(asked).status is GetInstalledCertificatesStatus.NotFound
    other = issue("other")
    for certificate, type in ((pki.sub2, V2G), (pki.sub1, V2G), (pki.root, V2G), (other, MO)):
        store.install_ca_certificate(certificate.pem, type)
    result = store.get_installed_certificates(asked)
    assert result.status is GetInstalledCertificatesStatus.Accepted
    first, second = result.certificate_hash_data_chain
    assert first.certificate_type is CertificateType.MORootCertificate
    assert first.certificate_hash_data == hash_data(other.certificate, other.certificate)
    assert first.child_certificate_hash_data is None
    assert second.certificate_hash_data == hash_data(pki.root.certificate, pki.root.certificate)
    assert second.child_certificate_hash_data == [
        hash_data(pki.sub1.certificate, pki.root.certificate),
        hash_data(pki.sub2.certificate, pki.sub1.certificate),
    ]


def test_deleting_a_root_takes_what_it_issued_and_nothing_else(store: EvseSecurity, pki: Pki) -> None:
    other = issue("other")
    for certificate in (pki.root, pki.sub1, pki.sub2, other):
        store.install_ca_certificate(certificate.pem, V2G)
    result, cas, leaves = store.delete_certificate(hash_data(pki.sub1.certificate, pki.root.certificate))
    assert (result, cas, leaves) == (DeleteCertificateResult.Accepted, [V2G], [])
    [first, second] = store.get_installed_certificates([CertificateType.V2GRootCertificate]).certificate_hash_data_chain
    assert {first.certificate_hash_data, second.certificate_hash_data} == {
        hash_data(pki.root.certificate, pki.root.certificate),
        hash_data(other.certificate, other.certificate),
    }
    assert first.child_certificate_hash_data is second.child_certificate_hash_data is None


def test_deleting_compares_without_regard_to_case_and_leading_zeros(store: EvseSecurity) -> None:
    root = issue("root", serial=0xABCDEF)
    store.install_ca_certificate(root.pem, V2G)
    data = hash_data(root.certificate, root.certificate)
    shouted = msgspec.structs.replace(data, serial_number="00ABCDEF", issuer_key_hash=data.issuer_key_hash.upper())
    assert store.delete_certificate(shouted)[0] is DeleteCertificateResult.Accepted
    assert not store.is_ca_certificate_installed(V2G)


def test_deleting_what_is_not_there_is_not_found(store: EvseSecurity, pki: Pki) -> None:
    data = hash_data(pki.root.certificate, pki.root.certificate)
    assert store.delete_certificate(data)[0] is DeleteCertificateResult.NotFound


def test_a_certificate_that_cannot_be_deleted_is_failed(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    store.install_ca_certificate(pki.root.pem, V2G)
    (folder / "ca/v2g/V2G_ROOT_CA.pem$").mkdir()
    data = hash_data(pki.root.certificate, pki.root.certificate)
    assert store.delete_certificate(data)[0] is DeleteCertificateResult.Failed
    assert store.is_ca_certificate_installed(V2G)
