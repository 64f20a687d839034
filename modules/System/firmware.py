"""The flow of a firmware update, unsigned and signed, with the statuses of station 5.2 and 5.3 in their order.

Lives here: `FirmwareUpdater`. One update at a time; the phase it is in decides what a new request gets, and what the
next start does with it when the station ends meanwhile: a plan waits on, a download goes on, a verified file is checked
again and waits on, an installation that was cut off has failed.
May not be imported here: the module class.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
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
from .partial import discard, files_of
from .plan import UNSIGNED, Phase, Plan, Plans
from .transfer import TransferError

log = logging.getLogger(__name__)
PAUSE = 2.0
"""Seconds between two statuses (station 5.2)."""
MOST_RESTARTS = 5
"""So often a start goes on with a download it finds unfinished: it may be the download that ends the station."""


ANSWERS: dict[tuple[bool, Phase | None], UpdateFirmwareResponse] = {
    (False, None): UpdateFirmwareResponse.Accepted,
    (False, Phase.PLANNED): UpdateFirmwareResponse.Accepted,
    (False, Phase.DOWNLOADING): UpdateFirmwareResponse.Rejected,
    (False, Phase.VERIFIED): UpdateFirmwareResponse.Rejected,
    (False, Phase.INSTALLING): UpdateFirmwareResponse.Rejected,
    (False, Phase.INSTALLED): UpdateFirmwareResponse.Rejected,
    (True, None): UpdateFirmwareResponse.Accepted,
    (True, Phase.PLANNED): UpdateFirmwareResponse.Accepted,
    (True, Phase.DOWNLOADING): UpdateFirmwareResponse.AcceptedCanceled,
    (True, Phase.VERIFIED): UpdateFirmwareResponse.Accepted,
    (True, Phase.INSTALLING): UpdateFirmwareResponse.Rejected,
    (True, Phase.INSTALLED): UpdateFirmwareResponse.Rejected,
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
        plans: Plans,
        installed: Callable[[], Awaitable[None]],
        reset: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._host = host
        self._send = publish
        self._plans = plans
        self._installed = installed
        self._reset = reset
        self._phase: Phase | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked = False

    async def update(self, request: FirmwareUpdateRequest) -> UpdateFirmwareResponse:
        """Start or plan an update; the answer is that of `ANSWERS`. What is accepted outlives a restart."""
        signed = request.request_id != UNSIGNED
        if signed and not (request.signing_certificate and request.signature):
            log.warning("firmware update %d rejected: it needs signing_certificate and signature", request.request_id)
            return UpdateFirmwareResponse.Rejected
        answer = ANSWERS[signed, self._phase]
        if answer is UpdateFirmwareResponse.Rejected:
            log.warning("firmware update %d rejected: one is %s already", request.request_id, self._phase)
            return answer
        self._asked = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        planned = self._host.seconds_until(request.retrieve_timestamp, "retrieve_timestamp") > 0
        self._phase = Phase.PLANNED if planned else Phase.DOWNLOADING
        plan = Plan(request=request, phase=self._phase, file=self._host.temporary_name("firmware"))
        await self._plans.keep(plan)
        self._begin(plan)
        return answer

    async def restore(self, leftovers: Sequence[Path]) -> None:
        """At the start: go on with the update of an earlier life, or tell its end; delete the other `leftovers`."""
        plan = await self._plans.load()
        if self._asked:
            plan = None  # there is a newer one
        for path in leftovers:
            if plan is None or path not in files_of(self._host.workspace.path(plan.file)):
                log.info("a file of an earlier life is deleted: %s", path)
                path.unlink(missing_ok=True)
        if plan is not None:
            log.info("firmware update %d of an earlier life was %s", plan.request.request_id, plan.phase)
            self._begin(plan, again=True)

    async def close(self) -> None:
        """Leave the update as it is: the station ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self, plan: Plan, *, again: bool = False) -> None:
        self._phase = plan.phase
        self._task = self._host.spawn(self._run(plan, again=again), name="firmware update")

    async def _run(self, plan: Plan, *, again: bool) -> None:
        path = self._host.workspace.path(plan.file)
        over = wants_reset = False
        try:
            if not again or await self._goes_on(plan):
                wants_reset = await (self._signed(plan, path) if plan.signed else self._unsigned(plan, path))
            await self._plans.forget()
            over = True
            if wants_reset and self._reset is not None:
                await self._reset()
        finally:
            current = self._task is asyncio.current_task()
            if over or not current or not self._plans.durable:
                discard(path)
            if current:
                self._task = self._phase = None

    async def _goes_on(self, plan: Plan) -> bool:
        """Whether an update of an earlier life is gone on with; if not, its end has been told."""
        request_id, metadata = plan.request.request_id, _metadata_of_location(plan)
        match plan.phase:
            case Phase.INSTALLED:
                self._publish(FirmwareUpdateStatusEnum.Installed, plan, metadata)
                await self._installed()
            case Phase.INSTALLING:
                log.error("firmware update %d: the station ended while it was installed", request_id)
                self._publish(FirmwareUpdateStatusEnum.InstallationFailed, plan, metadata)
            case Phase.DOWNLOADING if plan.restarts >= MOST_RESTARTS:
                log.error("firmware update %d: the station ended too often while it was downloaded", request_id)
                self._publish(FirmwareUpdateStatusEnum.DownloadFailed, plan, metadata)
            case Phase.DOWNLOADING:
                plan.restarts += 1
                await self._plans.keep(plan)
                return True
            case Phase.PLANNED | Phase.VERIFIED:
                return True
        return False

    async def _enter(self, plan: Plan, phase: Phase) -> None:
        """A phase begins: what is told from now on is true after a restart, too."""
        self._phase = phase
        if plan.phase is not phase:
            plan.phase = phase
            await self._plans.keep(plan)

    def _publish(
        self, status: FirmwareUpdateStatusEnum, plan: Plan, metadata: FirmwareUpdateMetadata | None = None
    ) -> None:
        request_id = plan.request.request_id
        self._send(
            FirmwareUpdateStatus(
                firmware_update_status=status, request_id=request_id, firmware_update_metadata=metadata
            )
        )

    # ------------------------------------------------------------------------------------------------- unsigned

    async def _unsigned(self, plan: Plan, path: Path) -> bool:
        """Station 5.2. Every status carries the metadata of the location's fragment, if it has any. No reset."""
        metadata = _metadata_of_location(plan)
        await self._retrieval(plan)
        if not await self._download(plan, path, metadata, before=0):
            return False
        await asyncio.sleep(PAUSE)
        if await self._install(plan, path, metadata):
            await asyncio.sleep(PAUSE)
            await self._installed()
        return False

    async def _retrieval(self, plan: Plan) -> None:
        """Wait for the time of a plan."""
        if plan.phase is Phase.PLANNED:
            await self._host.until(plan.request.retrieve_timestamp, "retrieve_timestamp")
        await self._enter(plan, Phase.DOWNLOADING)

    async def _download(
        self, plan: Plan, path: Path, metadata: FirmwareUpdateMetadata | None, *, before: float
    ) -> bool:
        """All attempts; `before` is the pause before each download. True if the file is there."""
        attempts, interval = self._host.retries(plan.request.retries, plan.request.retry_interval_s)
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(PAUSE + interval)
            self._publish(FirmwareUpdateStatusEnum.Downloading, plan, metadata)
            await asyncio.sleep(before)
            downloaded = await self._fetch(plan.request.location, path)
            await asyncio.sleep(PAUSE)
            if downloaded:
                self._publish(FirmwareUpdateStatusEnum.Downloaded, plan, metadata)
                return True
            self._publish(FirmwareUpdateStatusEnum.DownloadFailed, plan, metadata)
        return False

    async def _fetch(self, location: str, path: Path) -> bool:
        try:
            await self._host.transfer.download(location.partition("#")[0], path)
        except TransferError as error:
            log.error("firmware download failed: %s", error)
            return False
        return True

    async def _install(self, plan: Plan, path: Path, metadata: FirmwareUpdateMetadata | None = None) -> bool:
        """False if it failed."""
        await self._enter(plan, Phase.INSTALLING)
        self._publish(FirmwareUpdateStatusEnum.Installing, plan, metadata)
        await asyncio.sleep(PAUSE)
        if not self._is_firmware(path):
            self._publish(FirmwareUpdateStatusEnum.InstallationFailed, plan, metadata)
            return False
        await self._enter(plan, Phase.INSTALLED)
        self._publish(FirmwareUpdateStatusEnum.Installed, plan, metadata)
        return True

    # ------------------------------------------------------------------------------------------------- signed

    async def _signed(self, plan: Plan, path: Path) -> bool:
        """Station 5.3. True: a reset is to follow."""
        if not await self._is_there(plan, path) and not await self._obtain(plan, path):
            return False
        metadata = await asyncio.to_thread(metadata_of, path)
        self._publish(FirmwareUpdateStatusEnum.SignatureVerified, plan, metadata)
        if self._host.seconds_until(plan.request.install_timestamp, "install_timestamp") > 0:
            await self._enter(plan, Phase.VERIFIED)
            self._publish(FirmwareUpdateStatusEnum.InstallScheduled, plan)
            await self._host.until(plan.request.install_timestamp, "install_timestamp")
        if not await self._install(plan, path):
            return False
        if self._reset is not None:
            self._publish(FirmwareUpdateStatusEnum.InstallRebooting, plan)
        await self._installed()
        return True

    async def _is_there(self, plan: Plan, path: Path) -> bool:
        """Whether an earlier life has fetched the file: it is not trusted, but checked again."""
        if plan.phase is not Phase.VERIFIED:
            return False
        if await asyncio.to_thread(path.exists) and await self._is_verified(plan, path):
            return True
        log.warning("firmware update %d: the file is not there any more, it is fetched again", plan.request.request_id)
        discard(path)
        return False

    async def _obtain(self, plan: Plan, path: Path) -> bool:
        """Download and signature; False if one of them failed."""
        wait = self._host.seconds_until(plan.request.retrieve_timestamp, "retrieve_timestamp")
        if plan.phase is Phase.PLANNED and wait > 0:
            self._publish(FirmwareUpdateStatusEnum.DownloadScheduled, plan)
        await self._retrieval(plan)
        await asyncio.sleep(PAUSE)
        if not await self._download(plan, path, None, before=PAUSE):
            return False
        if await self._is_verified(plan, path):
            return True
        self._publish(FirmwareUpdateStatusEnum.InvalidSignature, plan)
        return False

    @staticmethod
    async def _is_verified(plan: Plan, path: Path) -> bool:
        """By the signature; the certificate itself is the OCPP side's business."""
        request = plan.request
        arguments: tuple[Any, ...] = (path, request.signing_certificate or "", request.signature or "")
        return await asyncio.to_thread(verify_file_signature, *arguments)

    @staticmethod
    def _is_firmware(path: Path) -> bool:
        """A simulated station takes everything for firmware but an empty file; a signature does not make it one."""
        if path.stat().st_size:
            return True
        log.error("firmware installation failed: the file is empty")
        return False


def _metadata_of_location(plan: Plan) -> FirmwareUpdateMetadata | None:
    """Of an unsigned update, what every status carries."""
    disables = None if plan.signed else disables_connectors(plan.request.location)
    return None if disables is None else FirmwareUpdateMetadata(disable_connectors_during_install=disables)
