"""The simulated car's contract certificate and the authority behind it, real certificates on files (station 4.2).

`Wallet` keeps in one folder, which EVSEs may share: the mobility operator's root and two sub CAs (`mo_*.pem`), made
once; a car's provisioning certificate; and a contract per car, by its configured eMAID (`contracts/<eMAID>.pem`: leaf,
sub CA 2, sub CA 1), made here or delivered by a CSMS. Blocking, but small; time comes in. Who is to validate the
contracts made here installs `mo_root.pem` as MO root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from evse_security.types import CertificateValidationResult
from evse_security.verify import verify_chain

from .installation import RootId, Signer, contract_in

log = getLogger(__name__)

MAX_CHAIN = 5500
"""Characters that a token carries at most (station 4.2)."""
MAX_EMAID = 36
"""Characters of an id token."""
CA_YEARS, LEAF_YEARS = 20, 2
AUTHORITIES = ("mo_root", "mo_sub_ca1", "mo_sub_ca2")
"""Each issued the next."""
UNREADABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm)
"""What reading a certificate and its key may end with."""
V2G_ROOTS = "v2g_root.pem"
"""Roots that who signs the answer of a certificate installation must lead to; the user's, need not be there."""


class ContractError(ValueError):
    """A contract certificate that cannot be used; the message names file and reason."""


@dataclass(frozen=True)
class Contract:
    """A chain as the car sends it: leaf first, then sub CAs, never the root."""

    chain: tuple[x509.Certificate, ...]

    @property
    def emaid(self) -> str:
        """CN of the leaf without hyphens."""
        (name,) = self.chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value).replace("-", "")

    @property
    def pem(self) -> str:
        return "".join(_pem(certificate) for certificate in self.chain)


def read_contract(path: Path) -> Contract:
    """A chain of one's own: PEM, leaf first; self-signed ones after it are left out. Errors: ContractError."""
    try:
        return _usable(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: {error}") from error


def _usable(chain: Sequence[x509.Certificate]) -> Contract:
    """`chain` as a token can carry it. Errors: ValueError."""
    leaf, *others = chain
    contract = Contract((leaf, *(other for other in others if other.subject != other.issuer)))
    if len(leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)) != 1:
        raise ValueError("the first certificate has no common name, which would be the eMAID")
    if not 1 <= len(contract.emaid) <= MAX_EMAID:
        raise ValueError(f"the eMAID {contract.emaid!r} is not 1 to {MAX_EMAID} characters long")
    if len(contract.pem) > MAX_CHAIN:
        raise ValueError(f"the chain has {len(contract.pem)} characters, {MAX_CHAIN} are allowed")
    return contract


class Wallet:
    """Contracts and authority in `folder`. Errors of all methods: ContractError."""

    def __init__(self, folder: Path, ocsp_url: str) -> None:
        self._folder = folder
        self._ocsp_url = ocsp_url

    @property
    def root_file(self) -> Path:
        return self._folder / "mo_root.pem"

    def contract(self, emaid: str, now: datetime) -> Contract | None:
        """The contract that the car has; None without one, or if it has expired."""
        path = self._path(emaid)
        try:
            if not path.exists():
                return None
        except OSError as error:  # too long a name, for one
            raise ContractError(f"{path}: {error}") from error
        contract = read_contract(path)
        return contract if now < contract.chain[0].not_valid_after_utc else None

    def install(self, emaid: str, now: datetime) -> Contract:
        """Give the car a new contract, signed by the authority."""
        _, first, second = self.authority(now)
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            leaf = _issue(_name(emaid, "MO"), key, second, now, years=LEAF_YEARS, ca=None, ocsp_url=self._ocsp_url)
            contract = _usable((leaf, second.certificate, first.certificate))
        except ValueError as error:
            raise ContractError(f"no contract {emaid} can be made: {error}") from error
        self._keep(emaid, contract, key)
        log.info("the car has a new contract %s; its root is %s", contract.emaid, self.root_file)
        return contract

    def accept(self, emaid: str, answer: bytes, now: datetime) -> Contract:
        """The contract in a CertificateInstallationRes (EXI) takes the place of the car's own."""
        car, _ = self.provisioning(now)
        try:
            delivered = contract_in(answer, car.key)
            contract = _usable(delivered.chain)
        except ValueError as error:
            raise ContractError(str(error)) from error
        if now >= contract.chain[0].not_valid_after_utc:
            raise ContractError(f"the contract {contract.emaid} of the answer has expired")
        self._check_service(delivered.service, now)
        self._keep(emaid, contract, delivered.key)
        log.info("the contract %s was installed, signed by %s", contract.emaid, _subject(delivered.service[0]))
        return contract

    def _check_service(self, chain: Sequence[x509.Certificate], now: datetime) -> None:
        """Who signed an answer leads to one of the car's V2G roots, where it has any."""
        roots = self._v2g_roots()
        result = verify_chain(chain, roots, now) if roots else CertificateValidationResult.Valid
        if result is not CertificateValidationResult.Valid:
            what = f"{_subject(chain[0])}, which signed the answer, is not valid by {V2G_ROOTS}: {result}"
            raise ContractError(what)

    def _keep(self, emaid: str, contract: Contract, key: ec.EllipticCurvePrivateKey) -> None:
        try:
            self._path(emaid).parent.mkdir(parents=True, exist_ok=True)
            _write(self._path(emaid).with_suffix(".key"), _private(key))
            _write(self._path(emaid), contract.pem.encode())
        except OSError as error:
            raise ContractError(f"{self._path(emaid)} cannot be written: {error}") from error

    def authority(self, now: datetime) -> tuple[Signer, Signer, Signer]:
        """Root, sub CA 1, sub CA 2; made if they are not there yet."""
        try:
            if not self.root_file.exists():
                self._make(now)
            root, first, second = (self._load(name) for name in AUTHORITIES)
        except UNREADABLE as error:
            raise ContractError(f"{self._folder}: {error}; remove the folder to have a new one made") from error
        return root, first, second

    def provisioning(self, now: datetime) -> tuple[Signer, list[RootId]]:
        """What a car has to get a contract: its own certificate and key, and names of the roots that it knows."""
        root, _, _ = self.authority(now)
        try:
            car = self._load("oem_provisioning")
        except UNREADABLE as error:
            raise ContractError(f"{self._folder}/oem_provisioning: {error}") from error
        roots = self._v2g_roots() or [root.certificate]
        return car, [RootId(found.issuer.rfc4514_string(), found.serial_number) for found in roots]

    def _v2g_roots(self) -> list[x509.Certificate]:
        """What the user gave the car; none without a file."""
        path = self._folder / V2G_ROOTS
        try:
            return x509.load_pem_x509_certificates(path.read_bytes()) if path.exists() else []
        except (OSError, ValueError) as error:
            raise ContractError(f"{path}: {error}") from error

    def _path(self, emaid: str) -> Path:
        return self._folder / "contracts" / f"{emaid}.pem"

    def _load(self, name: str) -> Signer:
        key = serialization.load_pem_private_key((self._folder / f"{name}.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{name}.key is no EC key")
        return Signer(x509.load_pem_x509_certificate((self._folder / f"{name}.pem").read_bytes()), key)

    def _make(self, now: datetime) -> None:
        """All at once: a folder beside, then renamed; who comes second takes what is there."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{self._folder.name}-", dir=self._folder.parent))
        try:
            for name, signer in self._new_authority(now).items():
                _write(beside / f"{name}.pem", _pem(signer.certificate).encode())
                _write(beside / f"{name}.key", _private(signer.key))
            beside.rename(self._folder)
        except OSError:
            if not self.root_file.exists():
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _new_authority(self, now: datetime) -> dict[str, Signer]:
        made: dict[str, Signer] = {}
        issuer: Signer | None = None
        for below, name in zip((2, 1, 0), AUTHORITIES, strict=True):
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(f"Simulated {name.replace('_', ' ').upper()}", "MO")
            url = None if issuer is None else self._ocsp_url
            issuer = Signer(_issue(subject, key, issuer, now, years=CA_YEARS, ca=below, ocsp_url=url), key)
            made[name] = issuer
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("SIM00000000000001", "OEM")
        car = _issue(subject, key, made["mo_root"], now, years=CA_YEARS, ca=None, ocsp_url=None)
        return {**made, "oem_provisioning": Signer(car, key)}


def _name(common: str, domain: str) -> x509.Name:
    parts = (
        (NameOID.COMMON_NAME, common),
        (NameOID.ORGANIZATION_NAME, "Simulated mobility operator"),
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.DOMAIN_COMPONENT, domain),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _issue(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: Signer | None,
    now: datetime,
    *,
    years: int,
    ca: int | None,
    ocsp_url: str | None,
) -> x509.Certificate:
    """Profiles of ISO 15118-2 annex F. issuer None: self-signed; ca: how many CAs may stand below, None: a leaf."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca is not None, ca), critical=True)
        .add_extension(_usage(ca is not None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if ocsp_url:
        place = x509.UniformResourceIdentifier(ocsp_url)
        access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])
        builder = builder.add_extension(access, critical=False)
    return builder.sign(key if issuer is None else issuer.key, hashes.SHA256())


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """The whole file or none of it, for the owner alone if it is a key."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600 if path.suffix == ".key" else 0o644)
    beside.write_bytes(data)
    beside.replace(path)
