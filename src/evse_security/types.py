"""The shapes of the evse_security contract, by their names there; JSON names are the attribute names (station 6.2).

Lives here: enums and structs, no behaviour. The twin of `types/evse_security.yaml`, kept apart because this package
knows no bus.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class LeafCertificateType(StrEnum):
    CSMS = "CSMS"
    V2G = "V2G"
    MF = "MF"
    MO = "MO"


class CaCertificateType(StrEnum):
    V2G = "V2G"
    MO = "MO"
    CSMS = "CSMS"
    MF = "MF"


class CertificateType(StrEnum):
    V2GRootCertificate = "V2GRootCertificate"
    MORootCertificate = "MORootCertificate"
    CSMSRootCertificate = "CSMSRootCertificate"
    V2GCertificateChain = "V2GCertificateChain"
    MFRootCertificate = "MFRootCertificate"


class EncodingFormat(StrEnum):
    DER = "DER"
    PEM = "PEM"


class HashAlgorithm(StrEnum):
    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"


class InstallCertificateResult(StrEnum):
    InvalidSignature = "InvalidSignature"
    InvalidCertificateChain = "InvalidCertificateChain"
    InvalidFormat = "InvalidFormat"
    InvalidCommonName = "InvalidCommonName"
    NoRootCertificateInstalled = "NoRootCertificateInstalled"
    Expired = "Expired"
    CertificateStoreMaxLengthExceeded = "CertificateStoreMaxLengthExceeded"
    WriteError = "WriteError"
    Accepted = "Accepted"


class DeleteCertificateResult(StrEnum):
    Accepted = "Accepted"
    Failed = "Failed"
    NotFound = "NotFound"


class CertificateValidationResult(StrEnum):
    Valid = "Valid"
    Expired = "Expired"
    InvalidSignature = "InvalidSignature"
    IssuerNotFound = "IssuerNotFound"
    InvalidLeafSignature = "InvalidLeafSignature"
    InvalidChain = "InvalidChain"
    Unknown = "Unknown"


class GetInstalledCertificatesStatus(StrEnum):
    Accepted = "Accepted"
    NotFound = "NotFound"


class GetCertificateSignRequestStatus(StrEnum):
    Accepted = "Accepted"
    InvalidRequestedType = "InvalidRequestedType"
    KeyGenError = "KeyGenError"
    GenerationError = "GenerationError"


class GetCertificateInfoStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    NotFound = "NotFound"
    NotFoundValid = "NotFoundValid"
    PrivateKeyNotFound = "PrivateKeyNotFound"


class _Shape(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Immutable; absent optional fields stay absent in JSON."""


class CertificateHashData(_Shape, kw_only=True, frozen=True):
    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class CertificateHashDataChain(_Shape, kw_only=True, frozen=True):
    certificate_type: CertificateType
    certificate_hash_data: CertificateHashData
    child_certificate_hash_data: list[CertificateHashData] | None = None


class GetInstalledCertificatesResult(_Shape, kw_only=True, frozen=True):
    status: GetInstalledCertificatesStatus
    certificate_hash_data_chain: list[CertificateHashDataChain]


class OCSPRequestData(_Shape, kw_only=True, frozen=True):
    certificate_hash_data: CertificateHashData | None = None
    responder_url: str | None = None


class OCSPRequestDataList(_Shape, kw_only=True, frozen=True):
    ocsp_request_data_list: list[OCSPRequestData]


class GetCertificateSignRequestResult(_Shape, kw_only=True, frozen=True):
    status: GetCertificateSignRequestStatus
    csr: str | None = None


class CertificateOCSP(_Shape, kw_only=True, frozen=True):
    hash: CertificateHashData
    ocsp_path: str | None = None


class CertificateInfo(_Shape, kw_only=True, frozen=True):
    key: str
    certificate_root: str | None = None
    certificate: str | None = None
    certificate_single: str | None = None
    certificate_count: int
    password: str | None = None
    ocsp: list[CertificateOCSP] | None = None


class GetCertificateInfoResult(_Shape, kw_only=True, frozen=True):
    status: GetCertificateInfoStatus
    info: CertificateInfo | None = None


class GetCertificateFullInfoResult(_Shape, kw_only=True, frozen=True):
    status: GetCertificateInfoStatus
    info: list[CertificateInfo]
