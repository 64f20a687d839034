"""The simulated car's contract: real certificates, made once, kept, and valid to who has the root (station 4.2, 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evse_security import verify
from evse_security import x509 as values
from evse_security.types import CertificateValidationResult
from modules.EvseManagerSim.contract import ContractError, Wallet, read_contract
from modules.EvseManagerSim.installation import request
from tests.support.mobility_operator import MobilityOperator

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
EMAID = "DE-8AA-CA2B3C4D5-N"
URL = "http://ocsp.example/mo"


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet(tmp_path / "pki", URL)


def root(wallet: Wallet) -> x509.Certificate:
    return x509.load_pem_x509_certificate(wallet.root_file.read_bytes())


def test_a_contract_is_valid_to_who_has_the_root_and_to_nobody_else(wallet: Wallet, tmp_path: Path) -> None:
    contract = wallet.install(EMAID, NOW)
    assert verify.verify_chain(contract.chain, [root(wallet)], NOW) is CertificateValidationResult.Valid
    other = Wallet(tmp_path / "other", URL)
    other.authority(NOW)
    assert verify.verify_chain(contract.chain, [root(other)], NOW) is not CertificateValidationResult.Valid


def test_the_emaid_is_the_common_name_without_hyphens_and_the_chain_never_has_the_root(wallet: Wallet) -> None:
    contract = wallet.install(EMAID, NOW)
    assert contract.emaid == "DE8AACA2B3C4D5N"
    assert len(contract.chain) == 3
    assert root(wallet) not in contract.chain
    assert contract.pem.count("BEGIN CERTIFICATE") == 3
    assert len(contract.pem) <= 5500


def test_every_certificate_of_the_chain_names_the_ocsp_responder(wallet: Wallet) -> None:
    contract = wallet.install(EMAID, NOW)
    assert [values.responder_url(certificate) for certificate in contract.chain] == [URL] * 3
    silent = Wallet(wallet.root_file.parent.parent / "silent", "").install(EMAID, NOW)
    assert [values.responder_url(certificate) for certificate in silent.chain] == [None] * 3


@pytest.mark.parametrize("emaid", ["X" * 37, "X" * 65, "--", ""])
def test_an_emaid_that_no_token_can_carry_gets_no_contract(wallet: Wallet, emaid: str) -> None:
    with pytest.raises(ContractError, match="can be made"):
        wallet.install(emaid, NOW)


def test_authority_and_contract_are_kept_until_the_contract_has_expired(wallet: Wallet, tmp_path: Path) -> None:
    assert wallet.contract(EMAID, NOW) is None
    made = wallet.install(EMAID, NOW)
    again = Wallet(tmp_path / "pki", URL)
    assert again.contract(EMAID, NOW + timedelta(days=700)) == made
    assert again.contract(EMAID, NOW + timedelta(days=800)) is None
    assert again.install("X", NOW).chain[1:] == made.chain[1:]


def test_who_comes_second_takes_the_authority_that_is_there(wallet: Wallet) -> None:
    first = wallet.authority(NOW)
    wallet._make(NOW)  # what a second process does that did not see the folder yet
    assert [signer.certificate for signer in wallet.authority(NOW)] == [signer.certificate for signer in first]
    assert [path.name for path in wallet.root_file.parent.parent.iterdir()] == ["pki"]


def test_private_keys_are_for_the_owner_alone(wallet: Wallet) -> None:
    wallet.install(EMAID, NOW)
    keys = list(wallet.root_file.parent.rglob("*.key"))
    assert len(keys) == 5
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_a_chain_of_one_s_own_is_read_without_its_root(wallet: Wallet, tmp_path: Path) -> None:
    contract = wallet.install(EMAID, NOW)
    path = tmp_path / "mine.pem"
    path.write_text(contract.pem + wallet.root_file.read_text())
    assert read_contract(path) == contract


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_chain_that_is_none_names_its_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.pem"
    path.write_text(text)
    with pytest.raises(ContractError, match=r"mine\.pem"):
        read_contract(path)


def test_a_chain_that_is_too_long_for_a_token_is_refused(wallet: Wallet, tmp_path: Path) -> None:
    path = tmp_path / "long.pem"
    path.write_text(wallet.install(EMAID, NOW).pem * 3)
    with pytest.raises(ContractError, match="5500 are allowed"):
        read_contract(path)


def test_a_broken_authority_says_what_to_do(wallet: Wallet) -> None:
    wallet.authority(NOW)
    (wallet.root_file.parent / "mo_sub_ca1.key").write_text("nonsense")
    with pytest.raises(ContractError, match="remove the folder"):
        wallet.install(EMAID, NOW)


# --- contracts that a CSMS delivers


def answer(wallet: Wallet, operator: MobilityOperator, **how: Any) -> bytes:
    car, roots = wallet.provisioning(NOW)
    return operator.answer(request(bytes(8), car, roots), **how)


def test_a_delivered_contract_is_kept_for_the_car_with_its_key(wallet: Wallet, tmp_path: Path) -> None:
    operator = MobilityOperator()
    wallet.install(EMAID, NOW)
    contract = wallet.accept(EMAID, answer(wallet, operator), NOW)
    assert contract.emaid == operator.emaid
    assert contract.chain == (operator.contract.certificate, operator.mo_ca.certificate)
    assert Wallet(tmp_path / "pki", URL).contract(EMAID, NOW) == contract
    kept = serialization.load_pem_private_key((tmp_path / "pki/contracts" / f"{EMAID}.key").read_bytes(), None)
    assert kept.public_key() == operator.contract.key.public_key()
    assert verify.verify_chain(contract.chain, [operator.mo_root.certificate], NOW) is CertificateValidationResult.Valid


def test_a_root_that_was_delivered_too_does_not_go_into_a_token(wallet: Wallet) -> None:
    operator = MobilityOperator()
    operator.mo_ca = operator.mo_root
    assert wallet.accept(EMAID, answer(wallet, operator), NOW).chain == (operator.contract.certificate,)


def test_what_cannot_be_accepted_leaves_the_contract_that_was_there(wallet: Wallet) -> None:
    before = wallet.install(EMAID, NOW)
    with pytest.raises(ContractError, match="ResponseCode is FAILED"):
        wallet.accept(EMAID, answer(wallet, MobilityOperator(), code="FAILED"), NOW)
    assert wallet.contract(EMAID, NOW) == before


def test_a_contract_that_has_expired_already_is_not_taken(wallet: Wallet) -> None:
    operator = MobilityOperator()
    delivered = answer(wallet, operator)
    with pytest.raises(ContractError, match=f"contract {operator.emaid} of the answer has expired"):
        wallet.accept(EMAID, delivered, NOW + timedelta(days=400))
    assert wallet.contract(EMAID, NOW) is None


def test_a_provisioning_certificate_that_cannot_be_read_is_named(wallet: Wallet) -> None:
    wallet.authority(NOW)
    (wallet.root_file.parent / "oem_provisioning.key").write_text("nonsense")
    with pytest.raises(ContractError, match="pki/oem_provisioning: "):
        wallet.provisioning(NOW)


def test_with_v2g_roots_the_car_asks_by_them_and_takes_answers_below_them_alone(wallet: Wallet) -> None:
    operator, other = MobilityOperator(), MobilityOperator()
    _, (root_id,) = wallet.provisioning(NOW)
    assert root_id.serial == root(wallet).serial_number  # without a file of theirs
    path = wallet.root_file.with_name("v2g_root.pem")
    path.write_bytes(operator.v2g_root.certificate.public_bytes(serialization.Encoding.PEM))
    _, (root_id,) = wallet.provisioning(NOW)
    assert (root_id.issuer, root_id.serial) == ("CN=V2G root", operator.v2g_root.certificate.serial_number)
    assert wallet.accept(EMAID, answer(wallet, operator), NOW).emaid == operator.emaid
    with pytest.raises(ContractError, match=r"CN=Provisioning service, which .* not valid by v2g_root\.pem: "):
        wallet.accept(EMAID, answer(wallet, other), NOW)
    path.write_text("nonsense")
    with pytest.raises(ContractError, match=r"v2g_root\.pem"):
        wallet.provisioning(NOW)
