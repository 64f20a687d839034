"""Messages of the Security Whitepaper edition 3 (libocpp 4.8), which every 1.6 station here speaks.

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ocpp16.messages.base import CiString50, CiString255, Integer, Request, Response, Timestamp, Type
from ocpp16.messages.remote_trigger import MessageTrigger, TriggerMessageStatus


class CertificateSignedStatusEnumType(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class CertificateStatusEnumType(StrEnum):
    """Of InstallCertificate."""

    Accepted = "Accepted"
    Failed = "Failed"
    Rejected = "Rejected"


class CertificateUseEnumType(StrEnum):
    CentralSystemRootCertificate = "CentralSystemRootCertificate"
    ManufacturerRootCertificate = "ManufacturerRootCertificate"


class DeleteCertificateStatusEnumType(StrEnum):
    Accepted = "Accepted"
    Failed = "Failed"
    NotFound = "NotFound"


class FirmwareStatusEnumType(StrEnum):
    """Of SignedFirmwareStatusNotification."""

    Downloaded = "Downloaded"
    DownloadFailed = "DownloadFailed"
    Downloading = "Downloading"
    DownloadScheduled = "DownloadScheduled"
    DownloadPaused = "DownloadPaused"
    Idle = "Idle"
    InstallationFailed = "InstallationFailed"
    Installing = "Installing"
    Installed = "Installed"
    InstallRebooting = "InstallRebooting"
    InstallScheduled = "InstallScheduled"
    InstallVerificationFailed = "InstallVerificationFailed"
    InvalidSignature = "InvalidSignature"
    SignatureVerified = "SignatureVerified"


class GenericStatusEnumType(StrEnum):
    """Of SignCertificate."""

    Accepted = "Accepted"
    Rejected = "Rejected"


class GetInstalledCertificateStatusEnumType(StrEnum):
    Accepted = "Accepted"
    NotFound = "NotFound"


class HashAlgorithmEnumType(StrEnum):
    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"


class LogEnumType(StrEnum):
    DiagnosticsLog = "DiagnosticsLog"
    SecurityLog = "SecurityLog"


class LogStatusEnumType(StrEnum):
    """Of GetLog."""

    Accepted = "Accepted"
    Rejected = "Rejected"
    AcceptedCanceled = "AcceptedCanceled"


class UpdateFirmwareStatusEnumType(StrEnum):
    """Of SignedUpdateFirmware."""

    Accepted = "Accepted"
    Rejected = "Rejected"
    AcceptedCanceled = "AcceptedCanceled"
    InvalidCertificate = "InvalidCertificate"
    RevokedCertificate = "RevokedCertificate"


class UploadLogStatusEnumType(StrEnum):
    """Of LogStatusNotification."""

    BadMessage = "BadMessage"
    Idle = "Idle"
    NotSupportedOperation = "NotSupportedOperation"
    PermissionDenied = "PermissionDenied"
    Uploaded = "Uploaded"
    UploadFailure = "UploadFailure"
    Uploading = "Uploading"


class CertificateHashDataType(Type):
    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Annotated[str, Meta(max_length=128)]
    issuer_key_hash: Annotated[str, Meta(max_length=128)]
    serial_number: Annotated[str, Meta(max_length=40)]


class FirmwareType(Type):
    """`signing_certificate` in PEM, `signature` in base64."""

    location: Annotated[str, Meta(max_length=512)]
    retrieve_date_time: Timestamp
    signing_certificate: Annotated[str, Meta(max_length=5500)]
    signature: Annotated[str, Meta(max_length=800)]
    install_date_time: Timestamp | None = None

    def __post_init__(self) -> None:
        self._settle("retrieve_date_time", "install_date_time")


class LogParametersType(Type):
    remote_location: Annotated[str, Meta(max_length=512)]
    oldest_timestamp: Timestamp | None = None
    latest_timestamp: Timestamp | None = None

    def __post_init__(self) -> None:
        self._settle("oldest_timestamp", "latest_timestamp")


# --- initiated by the station ----------------------------------------------------------------------------------------


class LogStatusNotificationRequest(Request):
    status: UploadLogStatusEnumType
    request_id: Integer | None = None


class LogStatusNotificationResponse(Response):
    pass


class SecurityEventNotificationRequest(Request):
    type: CiString50
    timestamp: Timestamp
    tech_info: CiString255 | None = None

    def __post_init__(self) -> None:
        self._settle("timestamp")


class SecurityEventNotificationResponse(Response):
    pass


class SignCertificateRequest(Request):
    """`csr` in PEM."""

    csr: Annotated[str, Meta(max_length=5500)]


class SignCertificateResponse(Response):
    status: GenericStatusEnumType


class SignedFirmwareStatusNotificationRequest(Request):
    status: FirmwareStatusEnumType
    request_id: Integer | None = None


class SignedFirmwareStatusNotificationResponse(Response):
    pass


# --- initiated by the CSMS -------------------------------------------------------------------------------------------


class CertificateSignedRequest(Request):
    """`certificate_chain` in PEM, leaf first."""

    certificate_chain: Annotated[str, Meta(max_length=10000)]


class CertificateSignedResponse(Response):
    status: CertificateSignedStatusEnumType


class DeleteCertificateRequest(Request):
    certificate_hash_data: CertificateHashDataType


class DeleteCertificateResponse(Response):
    status: DeleteCertificateStatusEnumType


class ExtendedTriggerMessageRequest(Request):
    requested_message: MessageTrigger
    connector_id: Integer | None = None


class ExtendedTriggerMessageResponse(Response):
    status: TriggerMessageStatus


class GetInstalledCertificateIdsRequest(Request):
    certificate_type: CertificateUseEnumType


class GetInstalledCertificateIdsResponse(Response):
    status: GetInstalledCertificateStatusEnumType
    certificate_hash_data: Annotated[tuple[CertificateHashDataType, ...], Meta(min_length=1)] | None = None


class GetLogRequest(Request):
    """`retry_interval` in seconds."""

    log: LogParametersType
    log_type: LogEnumType
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None


class GetLogResponse(Response):
    status: LogStatusEnumType
    filename: CiString255 | None = None


class InstallCertificateRequest(Request):
    """`certificate` in PEM."""

    certificate_type: CertificateUseEnumType
    certificate: Annotated[str, Meta(max_length=5500)]


class InstallCertificateResponse(Response):
    status: CertificateStatusEnumType


class SignedUpdateFirmwareRequest(Request):
    """`retry_interval` in seconds."""

    request_id: Integer
    firmware: FirmwareType
    retries: Integer | None = None
    retry_interval: Integer | None = None


class SignedUpdateFirmwareResponse(Response):
    status: UpdateFirmwareStatusEnumType
