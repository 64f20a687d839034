"""Chain checks in the manner of OpenSSL's default, non-strict mode without a purpose (station 6.4, 9.10).

Lives here: one pure function. No SAN, EKU or basicConstraints is needed, X.509 v1 will do; but what says that it is no
CA, or that it may not sign certificates, issues nothing here. Only the leaf's not-after is looked at, no other time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509 as cx509
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtensionOID

from evse_security import x509
from evse_security.types import CertificateValidationResult

MAX_DEPTH = 100
HANDLED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)
"""Extensions that may be critical."""


def verify_chain(
    chain: Sequence[Certificate], anchors: Sequence[Certificate], now: datetime
) -> CertificateValidationResult:
    """Verify `chain` (leaf first, then untrusted intermediates in any order) against trust anchors.

    Self-signed certificates after the first are ignored; a first one that is an anchor is Valid.
    """
    if not chain:
        return CertificateValidationResult.Unknown
    if not anchors:
        return CertificateValidationResult.IssuerNotFound
    leaf = chain[0]
    if x509.is_expired(leaf, now):
        return CertificateValidationResult.Expired
    if leaf in anchors:
        return CertificateValidationResult.Valid
    if x509.is_self_signed(leaf):
        return CertificateValidationResult.InvalidChain
    pool = [c for c in chain[1:] if not x509.is_self_signed(c)]
    return _climb([leaf], pool, anchors)


def _climb(
    path: list[Certificate], pool: Sequence[Certificate], anchors: Sequence[Certificate]
) -> CertificateValidationResult:
    """Look for an issuer of the last of `path`, anchors first; the best failure found is returned."""
    current = path[-1]
    if len(path) > MAX_DEPTH:
        return CertificateValidationResult.InvalidChain
    if not _extensions_are_known(current):
        return CertificateValidationResult.Unknown
    named = [c for c in (*anchors, *pool) if c.subject == current.issuer and c not in path]
    failures = []
    for issuer in dict.fromkeys(named):
        if not x509.is_signed_by(current, issuer):
            failures.append(CertificateValidationResult.InvalidSignature)
        elif not _may_issue(issuer, below=len(path) - 1):
            failures.append(CertificateValidationResult.InvalidChain)
        elif issuer in anchors:
            return CertificateValidationResult.Valid
        else:
            result = _climb([*path, issuer], pool, anchors)
            if result is CertificateValidationResult.Valid:
                return result
            failures.append(result)
    return failures[0] if failures else CertificateValidationResult.IssuerNotFound


def _extensions_are_known(certificate: Certificate) -> bool:
    try:
        return all(extension.oid in HANDLED for extension in certificate.extensions if extension.critical)
    except x509.MALFORMED:
        return False


def _may_issue(issuer: Certificate, *, below: int) -> bool:
    """Whether basicConstraints and keyUsage, where present, let it issue with `below` CAs under it."""
    try:
        extensions = issuer.extensions
    except x509.MALFORMED:
        return False
    for extension in extensions:
        value = extension.value
        if isinstance(value, cx509.BasicConstraints):
            if not value.ca or (value.path_length is not None and below > value.path_length):
                return False
        elif isinstance(value, cx509.KeyUsage) and not value.key_cert_sign:
            return False
    return True
