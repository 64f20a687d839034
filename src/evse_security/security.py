"""`EvseSecurity`: the commands of the evse_security contract over files (station 6).

Lives here: the commands that verify, install, delete and make. Those that only tell are in `queries.py`, the ground of
both in `certificates.py`. Everything is read from disk on each command; one lock for all of them. Commands answer with
the contract's statuses and never raise, whatever the files or the arguments hold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import csr, ocsp, rehash, signature, store, x509
from evse_security import types as t
from evse_security.certificates import ANCHORS
from evse_security.errors import FormatError, StorageError
from evse_security.files import write
from evse_security.leaves import LeafStore
from evse_security.queries import CertificateQueries
from evse_security.verify import verify_chain

log = logging.getLogger(__name__)

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


class EvseSecurity(CertificateQueries):
    """One certificate store. Blocking; may be called from several threads."""

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
            except (StorageError, ValueError) as error:  # ValueError: a password that no key can be locked with
                log.error("key not stored: %s", error)
                return t.GetCertificateSignRequestResult(status=status.KeyGenError)
            self._pending_keys[path] = self._now()
            return t.GetCertificateSignRequestResult(status=status.Accepted, csr=text)

    # ------------------------------------------------------------------------------------------------- upkeep

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
