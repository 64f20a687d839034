"""The flow of a firmware update, unsigned and signed, with the statuses of station 5.2 and 5.3 in their order.

Lives here: `FirmwareUpdater`. One update at a time; the phase it is in decides what a new request gets.
May not be imported here: the module class.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any

from everest.contracts.types.system import (
    FirmwareUpdateMetadata,
    FirmwareUpdateRequest,
    FirmwareUpdateStatus,
    FirmwareUpdateStatusEnum,
    UpdateFirmwareResponse,
)
from evse_security import verify_file_signature

from .firmware_file import metadata_of
from .host import Host
from .locations import disables_connectors
from .transfer import TransferError

log = logging.getLogger(__name__)
PAUSE = 2.0
"""Seconds between two statuses (station 5.2)."""
UNSIGNED = -1
"""`request_id` of an unsigned update."""


class Phase(Enum):
    """Where an update is."""

    PLANNED = auto()
    DOWNLOADING = auto()
    VERIFIED = auto()
    INSTALLING = auto()


ANSWERS: dict[tuple[bool, Phase | None], UpdateFirmwareResponse] = {
    (False, None): UpdateFirmwareResponse.Accepted,
    (False, Phase.PLANNED): UpdateFirmwareResponse.Accepted,
    (False, Phase.DOWNLOADING): UpdateFirmwareResponse.Rejected,
    (False, Phase.VERIFIED): UpdateFirmwareResponse.Rejected,
    (False, Phase.INSTALLING): UpdateFirmwareResponse.Rejected,
    (True, None): UpdateFirmwareResponse.Accepted,
    (True, Phase.PLANNED): UpdateFirmwareResponse.Accepted,
    (True, Phase.DOWNLOADING): UpdateFirmwareResponse.AcceptedCanceled,
    (True, Phase.VERIFIED): UpdateFirmwareResponse.Accepted,
    (True, Phase.INSTALLING): UpdateFirmwareResponse.Rejected,
}
"""(signed?, phase of the running update) -> answer (station 5.2, 5.3; DEPARTURE Y1: Rejected does nothing).

Only what is being downloaded counts as cancelled: a plan, and a file that waits for its installation, are replaced.
"""


class FirmwareUpdater:
    """`installed` is called when an update is installed, `reset` when it has to end with a reset."""

    def __init__(
        self,
        host: Host,
        publish: Callable[[FirmwareUpdateStatus], None],
        *,
        installed: Callable[[], Awaitable[None]],
        reset: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._host = host
        self._send = publish
        self._installed = installed
        self._reset = reset
        self._phase: Phase | None = None
        self._task: asyncio.Task[None] | None = None

    def update(self, request: FirmwareUpdateRequest) -> UpdateFirmwareResponse:
        """Start or plan an update; the answer is that of `ANSWERS`."""
        signed = request.request_id != UNSIGNED
        if signed and not (request.signing_certificate and request.signature):
            log.warning("firmware update %d rejected: it needs signing_certificate and signature", request.request_id)
            return UpdateFirmwareResponse.Rejected
        answer = ANSWERS[signed, self._phase]
        if answer is UpdateFirmwareResponse.Rejected:
            running = self._phase.name.lower() if self._phase is not None else "running"
            log.warning("firmware update %d rejected: one is %s already", request.request_id, running)
            return answer
        if self._task is not None:
            self._task.cancel()
        wait = self._host.seconds_until(request.retrieve_timestamp, "retrieve_timestamp")
        self._phase = Phase.PLANNED if wait > 0 else Phase.DOWNLOADING
        self._task = self._host.spawn(self._run(request, wait, signed=signed), name="firmware update")
        return answer

    async def _run(self, request: FirmwareUpdateRequest, wait: float, *, signed: bool) -> None:
        try:
            await (self._signed(request, wait) if signed else self._unsigned(request, wait))
        finally:
            if self._task is asyncio.current_task():
                self._task = self._phase = None

    def _publish(
        self,
        status: FirmwareUpdateStatusEnum,
        request: FirmwareUpdateRequest,
        metadata: FirmwareUpdateMetadata | None = None,
    ) -> None:
        self._send(
            FirmwareUpdateStatus(
                firmware_update_status=status, request_id=request.request_id, firmware_update_metadata=metadata
            )
        )

    # ------------------------------------------------------------------------------------------------- unsigned

    async def _unsigned(self, request: FirmwareUpdateRequest, wait: float) -> None:
        """Station 5.2. Every status carries the metadata of the location's fragment, if it has any."""
        disables = disables_connectors(request.location)
        metadata = None if disables is None else FirmwareUpdateMetadata(disable_connectors_during_install=disables)
        await asyncio.sleep(wait)
        self._phase = Phase.DOWNLOADING
        async with self._temporary_file() as path:
            if not await self._download(request, path, metadata, before=0):
                return
            await asyncio.sleep(PAUSE)
            self._phase = Phase.INSTALLING
            self._publish(FirmwareUpdateStatusEnum.Installing, request, metadata)
            await asyncio.sleep(PAUSE)
            if not self._is_firmware(path):
                self._publish(FirmwareUpdateStatusEnum.InstallationFailed, request, metadata)
                return
            self._publish(FirmwareUpdateStatusEnum.Installed, request, metadata)
        await asyncio.sleep(PAUSE)
        await self._installed()

    async def _download(
        self, request: FirmwareUpdateRequest, path: Path, metadata: FirmwareUpdateMetadata | None, *, before: float
    ) -> bool:
        """All attempts; `before` is the pause before each download. True if the file is there."""
        attempts, interval = self._host.retries(request.retries, request.retry_interval_s)
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(PAUSE + interval)
            self._publish(FirmwareUpdateStatusEnum.Downloading, request, metadata)
            await asyncio.sleep(before)
            downloaded = await self._fetch(request.location, path)
            await asyncio.sleep(PAUSE)
            if downloaded:
                self._publish(FirmwareUpdateStatusEnum.Downloaded, request, metadata)
                return True
            self._publish(FirmwareUpdateStatusEnum.DownloadFailed, request, metadata)
        return False

    async def _fetch(self, location: str, path: Path) -> bool:
        try:
            await self._host.transfer.download(location.partition("#")[0], path)
        except TransferError as error:
            log.error("firmware download failed: %s", error)
            return False
        return True

    @contextlib.asynccontextmanager
    async def _temporary_file(self) -> AsyncIterator[Path]:
        path = self._host.temporary_file("firmware")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------------------- signed

    async def _signed(self, request: FirmwareUpdateRequest, wait: float) -> None:
        """Station 5.3."""
        if wait > 0:
            self._publish(FirmwareUpdateStatusEnum.DownloadScheduled, request)
            await asyncio.sleep(wait)
        self._phase = Phase.DOWNLOADING
        await asyncio.sleep(PAUSE)
        async with self._temporary_file() as path:
            if not await self._download(request, path, None, before=PAUSE) or not await self._verified(request, path):
                return
            if not await self._install(request, path):
                return
        if self._reset is not None:
            self._publish(FirmwareUpdateStatusEnum.InstallRebooting, request)
            await self._installed()
            await self._reset()

    async def _verified(self, request: FirmwareUpdateRequest, path: Path) -> bool:
        """Signature and metadata; the certificate itself is the OCPP side's business."""
        arguments: tuple[Any, ...] = (path, request.signing_certificate or "", request.signature or "")
        if not await asyncio.to_thread(verify_file_signature, *arguments):
            self._publish(FirmwareUpdateStatusEnum.InvalidSignature, request)
            return False
        metadata = await asyncio.to_thread(metadata_of, path)
        self._publish(FirmwareUpdateStatusEnum.SignatureVerified, request, metadata)
        return True

    async def _install(self, request: FirmwareUpdateRequest, path: Path) -> bool:
        """False if it failed."""
        wait = self._host.seconds_until(request.install_timestamp, "install_timestamp")
        if wait > 0:
            self._phase = Phase.VERIFIED
            self._publish(FirmwareUpdateStatusEnum.InstallScheduled, request)
            await asyncio.sleep(wait)
        self._phase = Phase.INSTALLING
        self._publish(FirmwareUpdateStatusEnum.Installing, request)
        await asyncio.sleep(PAUSE)
        if not self._is_firmware(path):
            self._publish(FirmwareUpdateStatusEnum.InstallationFailed, request)
            return False
        self._publish(FirmwareUpdateStatusEnum.Installed, request)
        if self._reset is None:
            await self._installed()
        return True

    @staticmethod
    def _is_firmware(path: Path) -> bool:
        """A simulated station takes everything for firmware but an empty file; a signature does not make it one."""
        if path.stat().st_size:
            return True
        log.error("firmware installation failed: the file is empty")
        return False
