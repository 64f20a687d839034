"""What the store tells: leaf information, installed certificates, OCSP requests (station 6.2, 6.7).

Lives here: `CertificateQueries`, the commands that change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import ocsp, x509
from evse_security import types as t
from evse_security.certificates import CertificateStore
from evse_security.errors import FormatError
from evse_security.leaves import Leaf

ROOT_TYPES = {
    t.CertificateType.V2GRootCertificate: t.CaCertificateType.V2G,
    t.CertificateType.MORootCertificate: t.CaCertificateType.MO,
    t.CertificateType.CSMSRootCertificate: t.CaCertificateType.CSMS,
    t.CertificateType.MFRootCertificate: t.CaCertificateType.MF,
}


class CertificateQueries(CertificateStore):
    """The commands that only read."""

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
