"""Certificates and keys of a charging station on files: the engine behind the `evse_security` contract (station 6).

    security.py   EvseSecurity: one method per command, one lock, files read on each call
    queries.py    its commands that only tell           certificates.py  its ground: paths, bundles, leaves
    bundle.py     CA bundles          leaves.py   leaf certificates and their keys      store.py   limits, garbage
    verify.py     chain checks        csr.py      keys and signing requests             ocsp.py    request data, cache
    x509.py       parsing, hashes     signature.py  file signatures                     files.py   atomic writes, names
    types.py      the contract's shapes               rehash.py   OpenSSL's hash links    sources.py time and chance

Blocking; call it from a worker thread. Knows neither bus nor OCPP: nothing of `everest` or `ocpp16` may be imported
here.
"""

from evse_security.certificates import Directories
from evse_security.errors import ConfigurationError, EvseSecurityError
from evse_security.security import EvseSecurity
from evse_security.signature import verify_file_signature
from evse_security.types import (
    CaCertificateType,
    CertificateHashData,
    CertificateHashDataChain,
    CertificateInfo,
    CertificateOCSP,
    CertificateType,
    CertificateValidationResult,
    DeleteCertificateResult,
    EncodingFormat,
    GetCertificateFullInfoResult,
    GetCertificateInfoResult,
    GetCertificateInfoStatus,
    GetCertificateSignRequestResult,
    GetCertificateSignRequestStatus,
    GetInstalledCertificatesResult,
    GetInstalledCertificatesStatus,
    HashAlgorithm,
    InstallCertificateResult,
    LeafCertificateType,
    OCSPRequestData,
    OCSPRequestDataList,
)

__all__ = [
    "CaCertificateType",
    "CertificateHashData",
    "CertificateHashDataChain",
    "CertificateInfo",
    "CertificateOCSP",
    "CertificateType",
    "CertificateValidationResult",
    "ConfigurationError",
    "DeleteCertificateResult",
    "Directories",
    "EncodingFormat",
    "EvseSecurity",
    "EvseSecurityError",
    "GetCertificateFullInfoResult",
    "GetCertificateInfoResult",
    "GetCertificateInfoStatus",
    "GetCertificateSignRequestResult",
    "GetCertificateSignRequestStatus",
    "GetInstalledCertificatesResult",
    "GetInstalledCertificatesStatus",
    "HashAlgorithm",
    "InstallCertificateResult",
    "LeafCertificateType",
    "OCSPRequestData",
    "OCSPRequestDataList",
    "verify_file_signature",
]
