"""`EvseSecurity`: the commands of the evse_security contract over files (station 6).

Lives here: the paths, the lock, and what each command is made of. Everything is read from disk on each command; one
lock for all of them. Commands answer with the contract's statuses and never raise, whatever the files or the arguments
hold.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import csr, ocsp, rehash, signature, sources, store, x509
from evse_security import types as t
from evse_security.bundle import CaBundle
from evse_security.errors import ConfigurationError, FormatError, StorageError
from evse_security.files import Names, write
from evse_security.leaves import Leaf, LeafStore
from evse_security.verify import verify_chain

log = logging.getLogger(__name__)

ANCHORS = {
    t.LeafCertificateType.CSMS: t.CaCertificateType.CSMS,
    t.LeafCertificateType.V2G: t.CaCertificateType.V2G,
    t.LeafCertificateType.MF: t.CaCertificateType.MF,
    t.LeafCertificateType.MO: t.CaCertificateType.MO,
}
"""Leaf type -> the bundle that vouches for it (station 6.4)."""

AS_INSTALL_RESULT = {
    t.CertificateValidationResult.Valid: t.InstallCertificateResult.Accepted,
    t.CertificateValidationResult.Expired: t.InstallCertificateResult.Expired,
    t.CertificateValidationResult.InvalidSignature: t.InstallCertificateResult.InvalidSignature,
    t.CertificateValidationResult.InvalidLeafSignature: t.InstallCertificateResult.InvalidSignature,
    t.CertificateValidationResult.IssuerNotFound: t.InstallCertificateResult.NoRootCertificateInstalled,
    t.CertificateValidationResult.InvalidChain: t.InstallCertificateResult.InvalidCertificateChain,
    t.CertificateValidationResult.Unknown: t.InstallCertificateResult.InvalidFormat,
}
"""Station 6.4, last column."""

ROOT_TYPES = {
    t.CertificateType.V2GRootCertificate: t.CaCertificateType.V2G,
    t.CertificateType.MORootCertificate: t.CaCertificateType.MO,
    t.CertificateType.CSMSRootCertificate: t.CaCertificateType.CSMS,
    t.CertificateType.MFRootCertificate: t.CaCertificateType.MF,
}


@dataclass(frozen=True)
class Directories:
    """Where certificates and keys lie; the keys are EVerest's (station 6.1). Relative ones are taken below `base`."""

    base: Path
    csms_ca_bundle: str = "ca/csms/CSMS_ROOT_CA.pem"
    mf_ca_bundle: str = "ca/mf/MF_ROOT_CA.pem"
    mo_ca_bundle: str = "ca/mo/MO_ROOT_CA.pem"
    v2g_ca_bundle: str = "ca/v2g/V2G_ROOT_CA.pem"
    csms_leaf_cert_directory: str = "client/csms"
    csms_leaf_key_directory: str = "client/csms"
    secc_leaf_cert_directory: str = "client/cso"
    secc_leaf_key_directory: str = "client/cso"

    def path(self, key: str) -> Path:
        """The absolute path of a configuration key."""
        return (self.base / str(getattr(self, key))).absolute()


class EvseSecurity:
    """One certificate store. Blocking; may be called from several threads."""

    def __init__(
        self,
        directories: Directories,
        *,
        private_key_password: str | None = None,
        now: Callable[[], datetime] = sources.now,
        random_number: Callable[[], int] = sources.random_number,
    ) -> None:
        """Makes missing files and folders. Errors: `ConfigurationError`."""
        self._now = now
        self._names = Names(now, random_number)
        self._lock = threading.RLock()
        self._pending_keys: dict[Path, datetime] = {}
        self._password = private_key_password or None
        self._bundles = {
            type: CaBundle(type, directories.path(f"{type.value.lower()}_ca_bundle"), self._names)
            for type in t.CaCertificateType
        }
        self._leaves = {
            type: LeafStore(
                type,
                directories.path(f"{folder}_leaf_cert_directory"),
                directories.path(f"{folder}_leaf_key_directory"),
                self._password,
                self._names,
            )
            for type, folder in ((t.LeafCertificateType.CSMS, "csms"), (t.LeafCertificateType.V2G, "secc"))
        }
        self._prepare()

    def _prepare(self) -> None:
        taken = {bundle.path for bundle in self._bundles.values()}
        for leaves in self._leaves.values():
            for path in (leaves.certificate_folder, leaves.key_folder):
                if path in taken or path.is_file():
                    kind = "a CA bundle" if path in taken else "a file"
                    raise ConfigurationError(f"{path}: leaf directory of {leaves.type} is {kind}; name a directory")
        try:
            for bundle in self._bundles.values():
                bundle.create()
            for leaves in self._leaves.values():
                leaves.certificate_folder.mkdir(parents=True, exist_ok=True)
                leaves.key_folder.mkdir(parents=True, exist_ok=True)
        except (OSError, StorageError) as error:
            raise ConfigurationError(f"certificate directories cannot be made: {error}") from error

    @property
    def _paths(self) -> list[Path]:
        folders = [p for leaves in self._leaves.values() for p in (leaves.certificate_folder, leaves.key_folder)]
        return [*(bundle.path for bundle in self._bundles.values()), *folders]

    def _roots(self, type: t.LeafCertificateType) -> list[Certificate]:
        return self._bundles[ANCHORS[type]].certificates()

    # ------------------------------------------------------------------------------------------------- CA certificates

    def install_ca_certificate(
        self, certificate: str, certificate_type: t.CaCertificateType
    ) -> t.InstallCertificateResult:
        """Add one certificate to a bundle (station 6.2)."""
        with self._lock:
            if store.is_full(self._paths):
                return t.InstallCertificateResult.CertificateStoreMaxLengthExceeded
            try:
                found = x509.read_pem(certificate)
            except FormatError as error:
                log.warning("CA certificate refused: %s", error)
                return t.InstallCertificateResult.InvalidFormat
            if len(found) != 1:
                return t.InstallCertificateResult.InvalidFormat
            if not x509.is_valid_at(found[0], self._now()):
                return t.InstallCertificateResult.Expired
            try:
                self._bundles[certificate_type].install(found[0])
            except StorageError as error:
                log.error("CA certificate not installed: %s", error)
                return t.InstallCertificateResult.WriteError
            return t.InstallCertificateResult.Accepted

    def is_ca_certificate_installed(self, certificate_type: t.CaCertificateType) -> bool:
        """Whether the bundle has a valid self-signed certificate."""
        with self._lock:
            return bool(self._bundles[certificate_type].roots(self._now()))

    def get_verify_file(self, certificate_type: t.CaCertificateType) -> str:
        """The CA file, or the first file with a valid root in a folder; "" if there is no certificate."""
        with self._lock:
            bundle = self._bundles[certificate_type]
            for path, certificates in bundle.by_file().items():
                if certificates and (not bundle.is_folder or self._has_valid_root(certificates)):
                    return str(path)
            return ""

    def _has_valid_root(self, certificates: Sequence[Certificate]) -> bool:
        return any(x509.is_self_signed(c) and x509.is_valid_at(c, self._now()) for c in certificates)

    def get_verify_location(self, certificate_type: t.CaCertificateType) -> str:
        """The CA file or folder (with OpenSSL's hash links); "" if there is no certificate."""
        with self._lock:
            bundle = self._bundles[certificate_type]
            by_file = bundle.by_file()
            if not any(by_file.values()):
                return ""
            if bundle.is_folder:
                try:
                    rehash.link(bundle.path, by_file)
                except OSError as error:
                    log.error("%s: hash links cannot be made: %s", bundle.path, error)
            return str(bundle.path)

    # ------------------------------------------------------------------------------------------------- deleting

    def delete_certificate(
        self, certificate_hash_data: t.CertificateHashData
    ) -> tuple[t.DeleteCertificateResult, list[t.CaCertificateType], list[t.LeafCertificateType]]:
        """Delete from the bundles, else from the V2G leaves; with the types something was deleted of (station 6.2)."""
        with self._lock:
            try:
                types = self._delete_from_bundles(certificate_hash_data)
                if types:
                    return t.DeleteCertificateResult.Accepted, types, []
                return self._delete_leaf(certificate_hash_data)
            except StorageError as error:
                log.error("certificate not deleted: %s", error)
                return t.DeleteCertificateResult.Failed, [], []

    def _delete_from_bundles(self, wanted: t.CertificateHashData) -> list[t.CaCertificateType]:
        types = []
        for bundle in self._bundles.values():
            pool = bundle.certificates()
            hit = next((c for c in pool if _has_hash(c, pool, wanted)), None)
            if hit is not None:
                bundle.remove([hit, *x509.descendants(hit, pool)])
                types.append(bundle.type)
        return types

    def _delete_leaf(
        self, wanted: t.CertificateHashData
    ) -> tuple[t.DeleteCertificateResult, list[t.CaCertificateType], list[t.LeafCertificateType]]:
        for type in (t.LeafCertificateType.V2G, t.LeafCertificateType.CSMS):
            roots = self._roots(type)
            for leaf in self._leaves[type].leaves():
                pool = [*leaf.certificates, *roots]
                if not any(_has_hash(c, pool, wanted) for c in leaf.certificates):
                    continue
                if type is t.LeafCertificateType.CSMS:
                    return t.DeleteCertificateResult.Failed, [], []
                store.remove_leaf(self._leaves[type], leaf, roots)
                return t.DeleteCertificateResult.Accepted, [], [type]
        return t.DeleteCertificateResult.NotFound, [], []

    # ------------------------------------------------------------------------------------------------- verification

    def verify_certificate(
        self, certificate_chain: str, certificate_types: Sequence[t.LeafCertificateType]
    ) -> t.CertificateValidationResult:
        """Station 6.4."""
        with self._lock:
            try:
                chain = x509.read_pem(certificate_chain)
            except FormatError as error:
                log.warning("certificate chain cannot be read: %s", error)
                return t.CertificateValidationResult.Unknown
            return verify_chain(chain, self._anchors(certificate_types), self._now())

    def _anchors(self, types: Sequence[t.LeafCertificateType]) -> list[Certificate]:
        """All certificates of the bundles; a bundle without a valid root is passed over."""
        bundles = [self._bundles[ANCHORS[type]] for type in dict.fromkeys(types)]
        return [c for bundle in bundles if bundle.roots(self._now()) for c in bundle.certificates()]

    def verify_file_signature(self, file_path: str, signing_certificate: str, signature_base64: str) -> bool:
        """See `evse_security.verify_file_signature`."""
        return signature.verify_file_signature(Path(file_path), signing_certificate, signature_base64)

    # ------------------------------------------------------------------------------------------------- leaves

    def update_leaf_certificate(
        self, certificate_chain: str, certificate_type: t.LeafCertificateType
    ) -> t.InstallCertificateResult:
        """Station 6.5, its checks in its order."""
        with self._lock:
            if store.is_full(self._paths):
                return t.InstallCertificateResult.CertificateStoreMaxLengthExceeded
            leaves = self._leaves.get(certificate_type)
            if leaves is None:
                return t.InstallCertificateResult.WriteError
            try:
                chain = x509.read_pem(certificate_chain)
            except FormatError as error:
                log.warning("leaf certificate refused: %s", error)
                return t.InstallCertificateResult.InvalidFormat
            if not chain:
                return t.InstallCertificateResult.InvalidFormat
            verdict = AS_INSTALL_RESULT[verify_chain(chain, self._anchors([certificate_type]), self._now())]
            if verdict is not t.InstallCertificateResult.Accepted:
                return verdict
            return self._install_leaf(leaves, chain, certificate_chain)

    def _install_leaf(self, leaves: LeafStore, chain: list[Certificate], text: str) -> t.InstallCertificateResult:
        key = leaves.key_for(chain[0])
        if key is None:
            log.error("leaf certificate refused: no private key fits it")
            return t.InstallCertificateResult.WriteError
        try:
            leaves.install(chain, text)
        except StorageError as error:
            log.error("leaf certificate not installed: %s", error)
            return t.InstallCertificateResult.WriteError
        self._pending_keys.pop(key, None)
        return t.InstallCertificateResult.Accepted

    def generate_certificate_signing_request(
        self,
        certificate_type: t.LeafCertificateType,
        country: str,
        organization: str,
        common: str,
        use_tpm: bool = False,
    ) -> t.GetCertificateSignRequestResult:
        """Station 6.6. There is no TPM: `use_tpm` gets KeyGenError."""
        status = t.GetCertificateSignRequestStatus
        leaves = self._leaves.get(certificate_type)
        if leaves is None:
            return t.GetCertificateSignRequestResult(status=status.InvalidRequestedType)
        if use_tpm:
            log.error("certificate signing request refused: keys in a TPM are not supported")
            return t.GetCertificateSignRequestResult(status=status.KeyGenError)
        with self._lock:
            key = csr.new_key()
            try:
                text = csr.signing_request(key, country=country, organization=organization, common=common)
            except ValueError as error:
                log.error("certificate signing request not made: %s", error)
                return t.GetCertificateSignRequestResult(status=status.GenerationError)
            path = leaves.fresh_key_path()
            try:
                write(path, csr.key_pem(key, self._password), mode=0o600)
            except StorageError as error:
                log.error("key not stored: %s", error)
                return t.GetCertificateSignRequestResult(status=status.KeyGenError)
            self._pending_keys[path] = self._now()
            return t.GetCertificateSignRequestResult(status=status.Accepted, csr=text)

    # ------------------------------------------------------------------------------------------------- information

    def get_leaf_certificate_info(
        self,
        certificate_type: t.LeafCertificateType,
        encoding: t.EncodingFormat = t.EncodingFormat.PEM,
        include_ocsp: bool = False,
    ) -> t.GetCertificateInfoResult:
        """The newest valid leaf with key (station 6.7; `ocsp` is returned, DEPARTURE V1). `encoding` is ignored."""
        with self._lock:
            status, usable = self._usable(certificate_type)
            if not usable:
                return t.GetCertificateInfoResult(status=status)
            leaf, key = usable[0]
            return t.GetCertificateInfoResult(status=status, info=self._info(certificate_type, leaf, key, include_ocsp))

    def get_all_valid_certificates_info(
        self,
        certificate_type: t.LeafCertificateType,
        encoding: t.EncodingFormat = t.EncodingFormat.PEM,
        include_ocsp: bool = False,
    ) -> t.GetCertificateFullInfoResult:
        """The newest usable leaf under each root, with the root's PEM text."""
        with self._lock:
            status, usable = self._usable(certificate_type)
            by_root: dict[Certificate, t.CertificateInfo] = {}
            for leaf, key in usable:
                above = x509.issuers_upwards(leaf.certificate, [*leaf.certificates, *self._roots(certificate_type)])
                if above and above[-1] in self._roots(certificate_type) and above[-1] not in by_root:
                    root = x509.to_pem(above[-1])
                    by_root[above[-1]] = self._info(certificate_type, leaf, key, include_ocsp, root)
            if usable and not by_root:
                status = t.GetCertificateInfoStatus.NotFoundValid
            return t.GetCertificateFullInfoResult(status=status, info=list(by_root.values()))

    def _usable(self, type: t.LeafCertificateType) -> tuple[t.GetCertificateInfoStatus, list[tuple[Leaf, Path]]]:
        """Why there is no usable leaf, or Accepted with the valid leaves that have a key, newest first."""
        status = t.GetCertificateInfoStatus
        leaves = self._leaves.get(type)
        if leaves is None:
            return status.Rejected, []
        if not leaves.leaves():
            return status.NotFound, []
        valid = leaves.valid(self._now())
        if not valid:
            return status.NotFoundValid, []
        usable = [(leaf, key) for leaf in valid if (key := leaves.key_of(leaf)) is not None]
        return (status.Accepted if usable else status.PrivateKeyNotFound), usable

    def _info(
        self, type: t.LeafCertificateType, leaf: Leaf, key: Path, include_ocsp: bool, root: str | None = None
    ) -> t.CertificateInfo:
        return t.CertificateInfo(
            key=str(key),
            certificate_root=root,
            certificate=None if leaf.chain is None else str(leaf.chain),
            certificate_single=None if leaf.single is None else str(leaf.single),
            certificate_count=len(leaf.certificates),
            password=self._password,
            ocsp=self._ocsp_of(type, leaf) if include_ocsp else None,
        )

    def _ocsp_of(self, type: t.LeafCertificateType, leaf: Leaf) -> list[t.CertificateOCSP]:
        pool = [*leaf.certificates, *self._roots(type)]
        cache = ocsp.OcspCache(leaf.paths[0], self._names)
        found = []
        for certificate in leaf.certificates:
            data = x509.hash_in(certificate, pool)
            if data is not None:
                path = cache.path_of(data)
                found.append(t.CertificateOCSP(hash=data, ocsp_path=None if path is None else str(path)))
        return found

    def get_leaf_expiry_days_count(self, certificate_type: t.LeafCertificateType) -> int:
        """Whole days until the newest usable leaf expires; 0 if there is none."""
        with self._lock:
            _, usable = self._usable(certificate_type)
            if not usable:
                return 0
            return max(0, (usable[0][0].certificate.not_valid_after_utc - self._now()).days)

    def get_installed_certificates(
        self, certificate_types: Sequence[t.CertificateType]
    ) -> t.GetInstalledCertificatesResult:
        """Root types in the order asked, then the V2G chain (station 6.2)."""
        with self._lock:
            chains = [chain for type in dict.fromkeys(certificate_types) for chain in self._installed_roots(type)]
            if t.CertificateType.V2GCertificateChain in certificate_types:
                chains += self._installed_v2g_chains()
            status = t.GetInstalledCertificatesStatus
            return t.GetInstalledCertificatesResult(
                status=status.Accepted if chains else status.NotFound, certificate_hash_data_chain=chains
            )

    def _installed_roots(self, type: t.CertificateType) -> list[t.CertificateHashDataChain]:
        if type not in ROOT_TYPES:
            return []
        bundle = self._bundles[ROOT_TYPES[type]]
        pool = bundle.certificates()
        return [
            _hash_chain(type, x509.hash_data(root, root), x509.descendants(root, pool), pool) for root in bundle.roots()
        ]

    def _installed_v2g_chains(self) -> list[t.CertificateHashDataChain]:
        chains = []
        for leaf, _ in self._usable(t.LeafCertificateType.V2G)[1]:
            pool = [*leaf.certificates, *self._roots(t.LeafCertificateType.V2G)]
            data = x509.hash_in(leaf.certificate, pool)
            above = [c for c in x509.issuers_upwards(leaf.certificate, pool) if not x509.is_self_signed(c)]
            if data is not None:
                chains.append(_hash_chain(t.CertificateType.V2GCertificateChain, data, above, pool))
        return chains

    # ------------------------------------------------------------------------------------------------- OCSP

    def get_v2g_ocsp_request_data(self) -> t.OCSPRequestDataList:
        """What to ask for every SECC leaf with key that is not expired, and its sub CAs."""
        with self._lock:
            leaves = self._leaves[t.LeafCertificateType.V2G]
            roots = self._roots(t.LeafCertificateType.V2G)
            found: list[t.OCSPRequestData] = []
            for leaf in leaves.valid(self._now(), future=True):
                if leaves.key_of(leaf) is not None:
                    pool = [*leaf.certificates, *roots]
                    path = [leaf.certificate, *x509.issuers_upwards(leaf.certificate, pool)]
                    found += ocsp.request_data(path, pool)
            return t.OCSPRequestDataList(ocsp_request_data_list=list(dict.fromkeys(found)))

    def get_mo_ocsp_request_data(self, certificate_chain: str) -> t.OCSPRequestDataList:
        """The same for a contract chain; empty unless a valid V2G or MO root covers the whole of it."""
        with self._lock:
            empty = t.OCSPRequestDataList(ocsp_request_data_list=[])
            try:
                chain = x509.read_pem(certificate_chain)
            except FormatError:
                return empty
            roots = [
                root
                for type in (t.CaCertificateType.V2G, t.CaCertificateType.MO)
                for root in self._bundles[type].roots(self._now())
            ]
            pool = [*chain, *self._roots(t.LeafCertificateType.V2G), *self._roots(t.LeafCertificateType.MO)]
            if not chain or not all(_leads_to(c, pool, roots) for c in chain):
                return empty
            return t.OCSPRequestDataList(ocsp_request_data_list=ocsp.request_data(chain, pool))

    def update_ocsp_cache(self, certificate_hash_data: t.CertificateHashData, ocsp_response: str) -> None:
        """Keep the response beside every certificate of the V2G bundle and the SECC leaves that it is for."""
        with self._lock:
            by_file = self._bundles[t.CaCertificateType.V2G].by_file()
            roots = self._roots(t.LeafCertificateType.V2G)
            for leaf in self._leaves[t.LeafCertificateType.V2G].leaves():
                by_file.update({path: list(leaf.certificates) for path in leaf.paths})
            folders: set[Path] = set()
            for path, certificates in by_file.items():
                pool = [*certificates, *roots]
                if any(_has_hash(c, pool, certificate_hash_data) for c in certificates) and path.parent not in folders:
                    folders.add(path.parent)
                    self._store_ocsp(path, certificate_hash_data, ocsp_response)
            if not folders:
                log.warning("OCSP response for a certificate that is not here is not kept")

    def _store_ocsp(self, path: Path, data: t.CertificateHashData, response: str) -> None:
        try:
            ocsp.OcspCache(path, self._names).store(data, response)
        except StorageError as error:
            log.error("OCSP response not stored: %s", error)

    # ------------------------------------------------------------------------------------------------- garbage

    def collect_garbage(self) -> None:
        """To be called every 20 minutes; does nothing unless the store is full (station 6.8)."""
        with self._lock:
            if not store.is_full(self._paths):
                return
            try:
                pool: list[Certificate] = [c for bundle in self._bundles.values() for c in bundle.certificates()]
                places = store.bundle_files(self._bundles.values())
                for leaves in self._leaves.values():
                    store.collect_leaves(leaves, self._now(), self._pending_keys)
                    for leaf in leaves.leaves():
                        pool.extend(leaf.certificates)
                    places.append(leaves.certificate_folder / "any")
                store.collect_ocsp(places, list(dict.fromkeys(pool)), self._names)
            except StorageError as error:
                log.error("garbage collection ended early: %s", error)


def _has_hash(certificate: Certificate, pool: Sequence[Certificate], wanted: t.CertificateHashData) -> bool:
    if f"{certificate.serial_number:x}" != wanted.serial_number.lower().lstrip("0"):
        return False
    data = x509.hash_in(certificate, pool)
    return data is not None and x509.same_hash(data, wanted)


def _leads_to(certificate: Certificate, pool: Sequence[Certificate], roots: Sequence[Certificate]) -> bool:
    path = [certificate, *x509.issuers_upwards(certificate, pool)]
    return path[-1] in roots


def _hash_chain(
    type: t.CertificateType,
    data: t.CertificateHashData,
    children: Sequence[Certificate],
    pool: Sequence[Certificate],
) -> t.CertificateHashDataChain:
    hashes = [hashed for child in children if (hashed := x509.hash_in(child, pool)) is not None]
    return t.CertificateHashDataChain(
        certificate_type=type, certificate_hash_data=data, child_certificate_hash_data=hashes or None
    )
