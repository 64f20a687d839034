"""Leaf certificates: CSR, update, information, OCSP, garbage (station 6.1, 6.2, 6.5 to 6.8)."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from evse_security import (
    CaCertificateType,
    CertificateType,
    DeleteCertificateResult,
    EncodingFormat,
    EvseSecurity,
    GetCertificateInfoStatus,
    GetCertificateSignRequestStatus,
    InstallCertificateResult,
    LeafCertificateType,
    verify_file_signature,
)
from evse_security import store as limits
from evse_security.x509 import hash_data
from tests.evse_security import pki as made
from tests.evse_security.conftest import Store
from tests.evse_security.pki import NOW, YEAR, Issued, Pki, issue

CSMS, V2G, MF, MO = (
    LeafCertificateType.CSMS,
    LeafCertificateType.V2G,
    LeafCertificateType.MF,
    LeafCertificateType.MO,
)
R, G, S = InstallCertificateResult, GetCertificateInfoStatus, GetCertificateSignRequestStatus
PEM = EncodingFormat.PEM


def key_in(folder: Path, issued: Issued, name: str = "some.key", password: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(issued.key_pem(password))
    return folder / name


@pytest.fixture
def secc(store: EvseSecurity, pki: Pki, folder: Path) -> EvseSecurity:
    """A store with the V2G root, and the PKI's leaf installed with its chain and key."""
    store.install_ca_certificate(pki.root.pem, CaCertificateType.V2G)
    key_in(folder / "client/cso", pki.leaf)
    assert store.update_leaf_certificate(pki.leaf.chain, V2G) is R.Accepted
    return store


# --- CSR


def test_a_signing_request_has_the_parts_of_the_reference(store: EvseSecurity, folder: Path) -> None:
    result = store.generate_certificate_signing_request(CSMS, "DE", "Operator", "CP001")
    assert result.status is S.Accepted
    assert result.csr is not None
    csr = x509.load_pem_x509_csr(result.csr.encode())
    assert csr.is_signature_valid
    assert [(a.rfc4514_attribute_name, a.value) for a in csr.subject] == [
        ("C", "DE"),
        ("O", "Operator"),
        ("CN", "CP001"),
        ("DC", "CPO"),
    ]
    usage = csr.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_agreement) == (False, True, True)
    constraints = csr.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert len(csr.extensions) == 2
    assert isinstance(csr.signature_hash_algorithm, hashes.SHA256)
    [path] = (folder / "client/csms").iterdir()
    assert path.name == "CSMS_LEAF_M01_D05_Y2026_H10_M00_S00_i0_r7.key"
    assert path.stat().st_mode & 0o777 == 0o600
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == csr.public_key()


def test_a_password_encrypts_the_key(make_store: Store, folder: Path) -> None:
    store = make_store("123456")
    assert store.generate_certificate_signing_request(V2G, "DE", "Operator", "CP001").status is S.Accepted
    [path] = (folder / "client/cso").iterdir()
    assert b"ENCRYPTED" in path.read_bytes()
    load_pem_private_key(path.read_bytes(), b"123456")


@pytest.mark.parametrize(
    ("type", "country", "tpm", "status"),
    [
        (MF, "DE", False, S.InvalidRequestedType),
        (MO, "DE", False, S.InvalidRequestedType),
        (CSMS, "Germany", False, S.GenerationError),
        (CSMS, "DE", True, S.KeyGenError),
    ],
)
def test_a_signing_request_that_cannot_be_made(
    store: EvseSecurity, folder: Path, type: LeafCertificateType, country: str, tpm: bool, status: S
) -> None:
    result = store.generate_certificate_signing_request(type, country, "Operator", "CP001", tpm)
    assert (result.status, result.csr) == (status, None)
    assert list((folder / "client/csms").iterdir()) == []


def test_a_key_that_cannot_be_locked_is_not_made(make_store: Store, folder: Path) -> None:
    store = make_store(password="x" * 2000)
    answer = store.generate_certificate_signing_request(CSMS, "DE", "Operator", "station")
    assert (answer.status, answer.csr) == (S.KeyGenError, None)
    assert list((folder / "client/csms").iterdir()) == []


def test_the_answer_to_a_signing_request_becomes_the_leaf(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    store.install_ca_certificate(pki.root.pem, CaCertificateType.CSMS)
    text = store.generate_certificate_signing_request(CSMS, "DE", "Operator", "CP001").csr
    assert text is not None
    csr = x509.load_pem_x509_csr(text.encode())
    answer = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(pki.root.certificate.subject)
        .public_key(csr.public_key())
        .serial_number(1)
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + timedelta(days=30, hours=5))
        .sign(pki.root.key, hashes.SHA256())
    )
    issued = Issued(answer, pki.root.key)
    assert store.update_leaf_certificate(issued.pem, CSMS) is R.Accepted
    info = store.get_leaf_certificate_info(CSMS, PEM, False).info
    assert info is not None
    assert info.key == str(next((folder / "client/csms").glob("*.key")))
    assert info.certificate is None
    assert Path(info.certificate_single or "").read_text() == issued.pem
    assert (info.certificate_count, info.password) == (1, None)
    assert store.get_leaf_expiry_days_count(CSMS) == 30


# --- update


def test_a_chain_is_written_as_leaf_and_as_given(secc: EvseSecurity, pki: Pki, folder: Path) -> None:
    info = secc.get_leaf_certificate_info(V2G, PEM, False).info
    assert info is not None
    assert Path(info.certificate or "").name.startswith("CPO_CERT_SECC_LEAF_CHAIN_M01_D05_Y2026_")
    assert Path(info.certificate or "").read_text() == pki.leaf.chain
    assert Path(info.certificate_single or "").name.startswith("SECC_LEAF_M01_D05_Y2026_")
    assert Path(info.certificate_single or "").read_text() == pki.leaf.pem
    assert info.certificate_count == 3
    assert info.key == str(folder / "client/cso/some.key")


def test_updates_are_refused_in_the_reference_s_order(
    store: EvseSecurity, pki: Pki, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.update_leaf_certificate("", MO) is R.WriteError
    assert store.update_leaf_certificate("", V2G) is R.InvalidFormat
    assert store.update_leaf_certificate(pki.leaf.chain, V2G) is R.NoRootCertificateInstalled
    store.install_ca_certificate(pki.root.pem, CaCertificateType.V2G)
    expired = issue("leaf", pki.root, ca=False, end=NOW - timedelta(days=1))
    assert store.update_leaf_certificate(expired.pem, V2G) is R.Expired
    forged = issue("leaf", issue("V2G root"), ca=False)
    assert store.update_leaf_certificate(forged.pem, V2G) is R.InvalidSignature
    assert store.update_leaf_certificate(issue("me").pem, V2G) is R.InvalidCertificateChain
    assert store.update_leaf_certificate(pki.leaf.chain, V2G) is R.WriteError
    key_in(folder / "client/cso", pki.leaf)
    (folder / "client/cso").chmod(0o755)
    monkeypatch.setattr(limits, "MAX_FILES", 1)
    assert store.update_leaf_certificate(pki.leaf.chain, V2G) is R.CertificateStoreMaxLengthExceeded
    monkeypatch.setattr(limits, "MAX_FILES", 2000)
    assert store.update_leaf_certificate(pki.leaf.chain, V2G) is R.Accepted


# --- information


def test_why_there_is_no_leaf(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    def status() -> GetCertificateInfoStatus:
        result = store.get_leaf_certificate_info(CSMS, PEM, False)
        assert (result.info is not None) == (result.status is G.Accepted)
        return result.status

    place = folder / "client/csms"
    assert store.get_leaf_certificate_info(MO, PEM, False).status is G.Rejected
    assert status() is G.NotFound
    (place / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")
    assert status() is G.NotFound
    (place / "old.pem").write_text(issue("old", pki.root, end=NOW - timedelta(days=1)).pem)
    assert status() is G.NotFoundValid
    (place / "leaf.pem").write_text(pki.leaf.pem)
    assert status() is G.PrivateKeyNotFound
    assert store.get_leaf_expiry_days_count(CSMS) == 0
    key_in(place / "deep", pki.leaf)
    assert status() is G.Accepted


def test_the_newest_valid_leaf_with_a_key_is_taken(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    place = folder / "client/csms"
    short = issue("short", pki.root, ca=False, end=NOW + timedelta(days=10))
    long = issue("long", pki.root, ca=False, end=NOW + timedelta(days=20))
    keyless = issue("keyless", pki.root, ca=False, end=NOW + timedelta(days=30))
    for name, leaf in (("a", short), ("b", long), ("c", keyless)):
        (place / f"{name}.pem").write_text(leaf.pem)
    key_in(place, short, "a.key")
    key_in(place, long, "elsewhere.key")
    info = store.get_leaf_certificate_info(CSMS, PEM, False).info
    assert info is not None
    assert info.certificate_single == str(place / "b.pem")
    assert info.key == str(place / "elsewhere.key")
    assert store.get_leaf_expiry_days_count(CSMS) == 20


@pytest.mark.parametrize(("password", "found"), [("123456", True), (None, True), ("wrong", False)])
def test_keys_open_with_the_password_or_have_none(
    make_store: Store, pki: Pki, folder: Path, password: str | None, found: bool
) -> None:
    store = make_store("123456")
    (folder / "client/csms/leaf.pem").write_text(pki.leaf.pem)
    key_in(folder / "client/csms", pki.leaf, "leaf.key", password)
    result = store.get_leaf_certificate_info(CSMS, PEM, False)
    assert result.status is (G.Accepted if found else G.PrivateKeyNotFound)
    assert result.info is None or result.info.password == "123456"


def test_a_key_beside_the_certificate_that_does_not_fit_is_not_taken(
    store: EvseSecurity, pki: Pki, folder: Path
) -> None:
    (folder / "client/csms/leaf.pem").write_text(pki.leaf.pem)
    key_in(folder / "client/csms", pki.root, "leaf.key")
    assert store.get_leaf_certificate_info(CSMS, PEM, False).status is G.PrivateKeyNotFound


def test_there_is_one_leaf_per_root(secc: EvseSecurity, pki: Pki, folder: Path) -> None:
    other = issue("other root")
    secc.install_ca_certificate(other.pem, CaCertificateType.V2G)
    leaf = issue("other leaf", other, ca=False, end=NOW + timedelta(days=5))
    older = issue("older leaf", other, ca=False, end=NOW + timedelta(days=3))
    for name, made_leaf in (("x", leaf), ("y", older)):
        (folder / f"client/cso/{name}.pem").write_text(made_leaf.pem)
        key_in(folder / "client/cso", made_leaf, f"{name}.key")
    result = secc.get_all_valid_certificates_info(V2G, PEM, False)
    assert result.status is G.Accepted
    assert [info.certificate_root for info in result.info] == [pki.root.pem, other.pem]
    assert result.info[1].certificate_single == str(folder / "client/cso/x.pem")


def test_the_v2g_chain_is_listed_leaf_first_without_its_root(secc: EvseSecurity, pki: Pki) -> None:
    [chain] = secc.get_installed_certificates([CertificateType.V2GCertificateChain]).certificate_hash_data_chain
    assert chain.certificate_hash_data == hash_data(pki.leaf.certificate, pki.sub2.certificate)
    assert chain.child_certificate_hash_data == [
        hash_data(pki.sub2.certificate, pki.sub1.certificate),
        hash_data(pki.sub1.certificate, pki.root.certificate),
    ]


# --- deleting


def test_a_v2g_leaf_is_deleted_with_key_and_ocsp_data(secc: EvseSecurity, pki: Pki, folder: Path) -> None:
    data = hash_data(pki.leaf.certificate, pki.sub2.certificate)
    secc.update_ocsp_cache(data, "cmVzcG9uc2U=")
    result = secc.delete_certificate(data)
    assert result == (DeleteCertificateResult.Accepted, [], [V2G])
    assert [path for path in (folder / "client/cso").rglob("*") if path.is_file()] == []


def test_a_csms_leaf_is_never_deleted(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    store.install_ca_certificate(pki.root.pem, CaCertificateType.CSMS)
    (folder / "client/csms/leaf.pem").write_text(pki.leaf.chain)
    result = store.delete_certificate(hash_data(pki.leaf.certificate, pki.sub2.certificate))
    assert result == (DeleteCertificateResult.Failed, [], [])
    assert (folder / "client/csms/leaf.pem").exists()


# --- OCSP


def test_ocsp_is_asked_for_the_leaf_and_its_sub_cas(secc: EvseSecurity, pki: Pki) -> None:
    asked = secc.get_v2g_ocsp_request_data().ocsp_request_data_list
    assert [entry.responder_url for entry in asked] == [f"http://ocsp.example/{n}" for n in ("leaf", "sub2", "sub1")]
    assert asked[0].certificate_hash_data == hash_data(pki.leaf.certificate, pki.sub2.certificate)


def test_ocsp_is_not_asked_without_key_or_responder(store: EvseSecurity, pki: Pki, folder: Path) -> None:
    (folder / "client/cso/leaf.pem").write_text(pki.leaf.chain)
    assert store.get_v2g_ocsp_request_data().ocsp_request_data_list == []
    silent = issue("silent", pki.root, ca=False)
    (folder / "client/cso/leaf.pem").write_text(silent.pem)
    key_in(folder / "client/cso", silent)
    store.install_ca_certificate(pki.root.pem, CaCertificateType.V2G)
    assert store.get_v2g_ocsp_request_data().ocsp_request_data_list == []


def test_a_contract_chain_is_asked_for_only_if_a_root_covers_all_of_it(store: EvseSecurity, pki: Pki) -> None:
    assert store.get_mo_ocsp_request_data(pki.leaf.chain).ocsp_request_data_list == []
    store.install_ca_certificate(pki.root.pem, CaCertificateType.MO)
    assert len(store.get_mo_ocsp_request_data(pki.leaf.chain).ocsp_request_data_list) == 3
    assert store.get_mo_ocsp_request_data(pki.leaf.pem + pki.sub1.pem).ocsp_request_data_list == []
    assert store.get_mo_ocsp_request_data("nonsense").ocsp_request_data_list == []


def test_an_ocsp_response_is_kept_as_it_came_and_found_again(secc: EvseSecurity, pki: Pki, folder: Path) -> None:
    """DEPARTURE V1: the cached responses are part of the answer."""
    data = hash_data(pki.sub2.certificate, pki.sub1.certificate)
    secc.update_ocsp_cache(data, "Zmlyc3Q=")
    secc.update_ocsp_cache(data, "c2Vjb25k")
    [response] = (folder / "client/cso/ocsp").glob("*_ocsp.der")
    assert response.read_text() == "c2Vjb25k"
    assert response.with_suffix(".hash").read_text().splitlines() == [
        "SHA256",
        data.issuer_name_hash,
        data.issuer_key_hash,
        data.serial_number,
    ]
    info = secc.get_leaf_certificate_info(V2G, PEM, True).info
    assert info is not None
    assert info.ocsp is not None
    assert [entry.ocsp_path for entry in info.ocsp] == [None, str(response), None]
    assert info.ocsp[0].hash == hash_data(pki.leaf.certificate, pki.sub2.certificate)


def test_an_ocsp_response_for_a_stranger_is_not_kept(secc: EvseSecurity, folder: Path) -> None:
    stranger = issue("stranger")
    secc.update_ocsp_cache(hash_data(stranger.certificate, stranger.certificate), "Zmlyc3Q=")
    assert list(folder.rglob("*_ocsp.der")) == []


# --- garbage


def test_nothing_is_collected_while_there_is_room(secc: EvseSecurity, folder: Path) -> None:
    secc.generate_certificate_signing_request(V2G, "DE", "O", "CN")
    before = sorted(folder.rglob("*"))
    secc.collect_garbage()
    assert sorted(folder.rglob("*")) == before


def test_in_a_full_store_expired_chains_beyond_ten_and_old_keys_go(
    folder: Path, make_store: Store, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    place = folder / "client/cso"
    for n in range(12):
        old = issue(f"old {n}", pki.root, ca=False, end=NOW - timedelta(days=n + 1))
        (place / f"old{n}.pem").write_text(old.pem + pki.root.pem)
        key_in(place, old, f"old{n}.key")
    store.generate_certificate_signing_request(V2G, "DE", "O", "CN")
    monkeypatch.setattr(limits, "MAX_FILES", 1)
    store.collect_garbage()
    assert {path.name for path in place.glob("*.pem")} == {f"old{n}.pem" for n in range(10)}
    assert len(list(place.glob("*.key"))) == 11
    monkeypatch.setattr(store, "_now", lambda: made.NOW + timedelta(seconds=3600))
    store.collect_garbage()
    assert {path.name for path in place.glob("*.key")} == {f"old{n}.key" for n in range(10)}


# --- file signatures


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_file_signature_is_verified(tmp_path: Path, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    signer = issue("signer", key=key, end=NOW - YEAR / 2)
    path = tmp_path / "firmware"
    path.write_bytes(b"firmware" * 100_000)
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(path.read_bytes(), padding.PKCS1v15(), hashes.SHA256())
    else:
        raw = key.sign(path.read_bytes(), ec.ECDSA(hashes.SHA256()))
    signature = base64.b64encode(raw).decode()
    assert verify_file_signature(path, signer.pem, signature)
    assert verify_file_signature(path, signer.pem, signature[:20] + "\n" + signature[20:])
    assert not verify_file_signature(path, issue("other").pem, signature)
    path.write_bytes(b"tampered")
    assert not verify_file_signature(path, signer.pem, signature)


def test_whatever_is_wrong_with_a_file_signature_it_is_false(tmp_path: Path, pki: Pki) -> None:
    path = tmp_path / "firmware"
    assert not verify_file_signature(path, pki.root.pem, "AAAA")
    path.write_bytes(b"x")
    assert not verify_file_signature(path, "", "AAAA")
    assert not verify_file_signature(path, pki.root.pem, "not base64!")
    key = ed25519.Ed25519PrivateKey.generate()
    name = pki.root.certificate.subject
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + YEAR)
        .sign(key, None)
    )
    odd = Issued(certificate, pki.root.key)
    assert not verify_file_signature(path, odd.pem, base64.b64encode(key.sign(b"x")).decode())
