"""The flow of a log upload, with the statuses of station 5.4 in their order.

Lives here: `LogUploader`. One upload at a time; a new request ends a running one, which reports AcceptedCanceled.
May not be imported here: the module class.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from everest.contracts.types.system import (
    LogStatus,
    LogStatusEnum,
    UploadLogsRequest,
    UploadLogsResponse,
    UploadLogsStatus,
)

from . import archive
from .blocking import in_thread
from .host import Host
from .locations import upload_target
from .transfer import TransferError

log = logging.getLogger(__name__)
PAUSE = 2.0
"""Seconds between `Uploading` and the transfer (station 5.4)."""
NO_REQUEST_ID = -1


class LogUploader:
    """`folder` None: the archive holds no log files."""

    def __init__(self, host: Host, publish: Callable[[LogStatus], None], *, folder: Path | None, module: str) -> None:
        self._host = host
        self._send = publish
        self._folder = folder
        self._module = module
        self._task: asyncio.Task[None] | None = None
        self._request_id = NO_REQUEST_ID

    def upload(self, request: UploadLogsRequest) -> UploadLogsResponse:
        """Start an upload; the answer names the file."""
        status = UploadLogsStatus.Accepted
        if self._task is not None:
            self._task.cancel()
            self._publish(LogStatusEnum.AcceptedCanceled)
            status = UploadLogsStatus.AcceptedCanceled
        self._request_id = NO_REQUEST_ID if request.request_id is None else request.request_id
        name = self._host.temporary_name("diagnostics")
        self._task = self._host.spawn(self._run(request, name), name="log upload")
        return UploadLogsResponse(upload_logs_status=status, file_name=name)

    async def close(self) -> None:
        """End an upload without a word: the station ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _publish(self, status: LogStatusEnum) -> None:
        self._send(LogStatus(log_status=status, request_id=self._request_id))

    async def _run(self, request: UploadLogsRequest, name: str) -> None:
        try:
            await self._attempts(request, name)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
            self._host.workspace.path(name).unlink(missing_ok=True)

    async def _attempts(self, request: UploadLogsRequest, name: str) -> None:
        target = upload_target(request.location, name)
        attempts, interval = self._host.retries(request.retries, request.retry_interval_s)
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(interval)
            self._publish(LogStatusEnum.Uploading)
            await asyncio.sleep(PAUSE)
            if await self._attempt(request, self._host.workspace.path(name), target):
                self._publish(LogStatusEnum.Uploaded)
                return
            self._publish(LogStatusEnum.UploadFailure)

    async def _attempt(self, request: UploadLogsRequest, path: Path, target: str) -> bool:
        """Build the archive, once for all attempts, so that one can go on where another broke off; send it."""
        try:
            if not await asyncio.to_thread(path.exists):
                await self._build(request, path)
            await self._host.transfer.upload(path, target)
        except (TransferError, OSError) as error:
            log.error("log upload failed: %s", error)
            return False
        return True

    async def _build(self, request: UploadLogsRequest, path: Path) -> None:
        """The archive gets its name when it is whole. Errors: OSError."""
        scratch = path.with_name(f"{path.name}.part")
        description = self._describe(request)
        oldest = self._host.moment(request.oldest_timestamp, "oldest_timestamp")
        try:
            await in_thread(lambda cut: archive.build(scratch, description, self._folder, oldest, cut.check))
            scratch.rename(path)
        finally:
            scratch.unlink(missing_ok=True)

    def _describe(self, request: UploadLogsRequest) -> dict[str, Any]:
        return {
            "module": self._module,
            "created": self._host.now().isoformat(),
            "type": request.type,
            "oldest_timestamp": request.oldest_timestamp,
            "latest_timestamp": request.latest_timestamp,
        }
