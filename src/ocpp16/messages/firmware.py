"""Messages of the profile FirmwareManagement (OCPP 1.6 §4.4, §4.5, §5.9, §5.19).

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum

from ocpp16.messages.base import CiString255, Integer, Request, Response, Timestamp


class DiagnosticsStatus(StrEnum):
    Idle = "Idle"
    Uploaded = "Uploaded"
    UploadFailed = "UploadFailed"
    Uploading = "Uploading"


class FirmwareStatus(StrEnum):
    Downloaded = "Downloaded"
    DownloadFailed = "DownloadFailed"
    Downloading = "Downloading"
    Idle = "Idle"
    InstallationFailed = "InstallationFailed"
    Installing = "Installing"
    Installed = "Installed"


class DiagnosticsStatusNotificationRequest(Request):
    status: DiagnosticsStatus


class DiagnosticsStatusNotificationResponse(Response):
    pass


class FirmwareStatusNotificationRequest(Request):
    status: FirmwareStatus


class FirmwareStatusNotificationResponse(Response):
    pass


class GetDiagnosticsRequest(Request):
    """`location` is a directory URI; `retry_interval` in seconds."""

    location: str
    retries: Integer | None = None
    retry_interval: Integer | None = None
    start_time: Timestamp | None = None
    stop_time: Timestamp | None = None

    def __post_init__(self) -> None:
        self._settle("start_time", "stop_time")


class GetDiagnosticsResponse(Response):
    file_name: CiString255 | None = None


class UpdateFirmwareRequest(Request):
    """`location` is a URI; `retry_interval` in seconds."""

    location: str
    retrieve_date: Timestamp
    retries: Integer | None = None
    retry_interval: Integer | None = None

    def __post_init__(self) -> None:
        self._settle("retrieve_date")


class UpdateFirmwareResponse(Response):
    pass
