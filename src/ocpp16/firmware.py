"""Firmware updates, diagnostics and logs: what is asked of the integrator, and what is told of its progress.

Owns: the last status of each kind, and the installation gate that empties the station first (libocpp 3.15, DEPARTURE
36, 50). Downloads, uploads and signatures are not here. May import: context, availability, transactions.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import msgspec

from ocpp16.availability import Availability
from ocpp16.connector import cut
from ocpp16.context import Context
from ocpp16.messages import (
    AvailabilityType,
    DiagnosticsStatus,
    DiagnosticsStatusNotificationRequest,
    FirmwareStatus,
    FirmwareStatusEnumType,
    FirmwareStatusNotificationRequest,
    GetDiagnosticsRequest,
    GetDiagnosticsResponse,
    GetLogRequest,
    GetLogResponse,
    LogStatusEnumType,
    LogStatusNotificationRequest,
    Request,
    SignedFirmwareStatusNotificationRequest,
    UpdateFirmwareRequest,
    UpdateFirmwareResponse,
    UploadLogStatusEnumType,
)
from ocpp16.router import NotSupported, Reply
from ocpp16.security_events import SecurityEvents
from ocpp16.transactions import Transaction, Transactions

UNSIGNED = -1
"""Request id of GetDiagnostics and UpdateFirmware, which have none."""

DIAGNOSTICS_NAMES = {
    "UploadFailure": "UploadFailed",
    "BadMessage": "UploadFailed",
    "NotSupportedOperation": "UploadFailed",
    "PermissionDenied": "UploadFailed",
}
"""Log statuses that DiagnosticsStatusNotification spells or sees otherwise (DEPARTURE 50)."""

_F = FirmwareStatusEnumType
GATE = frozenset({_F.Downloaded, _F.SignatureVerified})
"""An installation waits: the station is emptied for it. `Downloaded` counts for unsigned updates only."""
GATE_CANCELLED = frozenset(
    {_F.DownloadFailed, _F.InstallationFailed, _F.InstallVerificationFailed, _F.InvalidSignature}
)
MOST_EARLY = 20
"""Statuses from before the first Accepted that are told after it."""
INSTALLATION_OVER = frozenset({_F.InstallationFailed, _F.Installed, _F.InstallVerificationFailed})
"""Connectors that are wanted Operative are enabled again."""
ENDED = INSTALLATION_OVER | {_F.InvalidSignature, _F.DownloadFailed}
"""The remembered status goes back to Idle."""


def _member(kind: type[StrEnum], name: str) -> StrEnum | None:
    return kind(name) if name in kind.__members__.values() else None


class Firmware:
    """UpdateFirmware, GetDiagnostics, GetLog and their status notifications."""

    def __init__(
        self,
        context: Context,
        availability: Availability,
        transactions: Transactions,
        security_events: SecurityEvents,
    ) -> None:
        self._context = context
        self._availability = availability
        self._transactions = transactions
        self._security_events = security_events
        self._diagnostics = DiagnosticsStatus.Idle
        self._log: tuple[UploadLogStatusEnumType, int | None] = (UploadLogStatusEnumType.Idle, None)
        self._firmware = FirmwareStatus.Idle
        self._signed: tuple[FirmwareStatusEnumType, int | None] = (_F.Idle, None)
        self._pending = False
        self._told_unavailable = False
        self._accepted = False
        self._early: deque[Request] = deque(maxlen=MOST_EARLY)
        transactions.on_acknowledged.append(self._transaction_acknowledged)

    # --- requests ----------------------------------------------------------------------------------------------------

    async def get_diagnostics(self, request: GetDiagnosticsRequest) -> Reply:
        """The file name of the upload; empty answer where there is nothing to upload (or nobody to do it)."""
        rejected = GetLogResponse(status=LogStatusEnumType.Rejected)
        answer = await self._context.callbacks.ask("upload_diagnostics", request, default=rejected)
        return Reply(GetDiagnosticsResponse(file_name=cut(answer.filename, 255)))

    async def get_log(self, request: GetLogRequest) -> Reply:
        rejected = GetLogResponse(status=LogStatusEnumType.Rejected)
        answer = await self._context.callbacks.ask("upload_logs", request, default=rejected)
        return Reply(msgspec.structs.replace(answer, filename=cut(answer.filename, 255)))

    async def update_firmware(self, request: UpdateFirmwareRequest) -> Reply:
        """UpdateFirmware.conf cannot refuse: a station that nobody can update says NotSupported."""
        if not self._context.callbacks.has("update_firmware"):
            raise NotSupported
        await self._context.callbacks.ask("update_firmware", request, default=None)
        return Reply(UpdateFirmwareResponse())

    # --- logs and diagnostics ----------------------------------------------------------------------------------------

    async def log_status(self, request_id: int, status: str) -> None:
        """`on_log_status_notification`: request id -1 stands for diagnostics."""
        if request_id == UNSIGNED:
            known = _member(DiagnosticsStatus, DIAGNOSTICS_NAMES.get(status, status))
            if isinstance(known, DiagnosticsStatus):
                await self._send(DiagnosticsStatusNotificationRequest(status=known))
                self._diagnostics = known if known is DiagnosticsStatus.Uploading else DiagnosticsStatus.Idle
                return
        else:
            logged = _member(UploadLogStatusEnumType, status)
            if isinstance(logged, UploadLogStatusEnumType):
                await self._send(LogStatusNotificationRequest(status=logged, request_id=request_id))
                uploading = logged is UploadLogStatusEnumType.Uploading
                self._log = (logged if uploading else UploadLogStatusEnumType.Idle, request_id)
                return
        self._context.log.info("Log status %r has no counterpart in OCPP 1.6: not sent", status)

    async def trigger_diagnostics(self) -> None:
        await self._send(DiagnosticsStatusNotificationRequest(status=self._diagnostics), triggered=True)

    async def trigger_log(self) -> None:
        status, request_id = self._log
        await self._send(LogStatusNotificationRequest(status=status, request_id=request_id), triggered=True)

    # --- firmware ----------------------------------------------------------------------------------------------------

    async def firmware_status(self, request_id: int, status: str, *, disable_connectors: bool) -> None:
        """`on_firmware_update_status_notification`: request id -1 stands for an unsigned update."""
        known = _member(FirmwareStatusEnumType, status)
        if not isinstance(known, FirmwareStatusEnumType):
            self._context.log.warning("Firmware status %r is none of OCPP 1.6: not sent", status)
            return
        if request_id == UNSIGNED:
            await self._unsigned(known)
        else:
            await self._signed_status(known, request_id)
        await self._side_effects(known, signed=request_id != UNSIGNED, disable_connectors=disable_connectors)

    async def _unsigned(self, status: FirmwareStatusEnumType) -> None:
        plain = _member(FirmwareStatus, status)
        if not isinstance(plain, FirmwareStatus):
            self._context.log.info("Firmware status %s exists for signed updates only: not sent", status)
            return
        await self._tell(FirmwareStatusNotificationRequest(status=plain))
        self._firmware = FirmwareStatus.Idle if status in ENDED else plain

    async def _signed_status(self, status: FirmwareStatusEnumType, request_id: int) -> None:
        await self._tell(SignedFirmwareStatusNotificationRequest(status=status, request_id=request_id))
        self._signed = (_F.Idle if status in ENDED else status, request_id)
        if status is _F.InvalidSignature:
            await self._security_events.raise_event("InvalidFirmwareSignature", critical=True)

    async def _tell(self, request: Request) -> None:
        """Before the first Accepted a status is that of an update which a restart cut off: the CSMS waits for its end,
        so what may not go yet is kept for `accepted`. Later it goes the way of every message (libocpp 3.8.1)."""
        if self._early:
            self._early.append(request)  # in their order
        elif await self._context.tell(request) is None and not self._accepted:
            self._early.append(request)

    async def accepted(self) -> None:
        """The CSMS has accepted the station for the first time since its start."""
        self._accepted = True
        while self._early:
            await self._send(self._early[0])
            self._early.popleft()

    async def trigger_firmware(self) -> None:
        await self._send(FirmwareStatusNotificationRequest(status=self._firmware), triggered=True)

    async def trigger_signed_firmware(self) -> None:
        status, request_id = self._signed
        request_id = None if status is _F.Idle else request_id
        await self._send(SignedFirmwareStatusNotificationRequest(status=status, request_id=request_id), triggered=True)

    # --- the installation gate --------------------------------------------------------------------------------------

    async def _side_effects(self, status: FirmwareStatusEnumType, *, signed: bool, disable_connectors: bool) -> None:
        gate = _F.SignatureVerified if signed else _F.Downloaded
        if status is gate and disable_connectors:
            self._told_unavailable = self._told_unavailable and self._pending
            self._pending = True
            await self._empty_station()
        if status in GATE_CANCELLED:
            self._pending = False
        if status in INSTALLATION_OVER:
            self._pending = False
            await self._availability.enable_again()

    async def _empty_station(self) -> None:
        """Idle connectors are disabled, the others when they are free; then the installation is let go, once."""
        for connector in self._context.connectors:
            if self._transactions.active(connector) is not None:
                self._availability.schedule(connector, AvailabilityType.Inoperative)
            elif not self._availability.being_disabled(connector):
                await self._availability.disable_now(connector)
        if not self._transactions.all_active() and not self._told_unavailable:
            self._told_unavailable = True
            await self._context.callbacks.ask("all_connectors_unavailable", default=None)

    def _transaction_acknowledged(self, transaction: Transaction) -> None:
        if self._pending:
            self._context.tasks.spawn(self._empty_station(), name="empty_station")

    async def _send(self, request: Request, *, triggered: bool = False) -> None:
        await self._context.tell(request, before_accepted=triggered)
