"""What the System module needs to be replayed by `everest-trace`: a network whose transfers end as they ended then.

Not used while it runs in a stack. A trace does not hold transfers, but the statuses they led to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from . import firmware, log_upload, plan
from .system import System
from .transfer import TransferError

DOWNLOADS = {"Downloaded": True, "DownloadFailed": False}
CONTENT = b"what was downloaded is in no trace"
UPLOADS = {"Uploaded": True, "UploadFailure": False}


class Clock(Protocol):
    def now(self) -> datetime: ...


class World(Protocol):
    @property
    def clock(self) -> Clock: ...

    def said(self, channel: str) -> list[tuple[float, Any]]:
        """`(time, value)` of what the original published."""
        ...


class Outcome(NamedTuple):
    """How one transfer ended, when it had begun (Unix time), and how many seconds it took: without the pauses that
    System makes itself."""

    began: float
    seconds: float
    succeeded: bool
    content: bytes = CONTENT


def attach(module: System, world: World) -> None:
    """Put the recorded network in place of the real one."""
    downloads = outcomes(
        world.said("var main/firmware_update_status"), "firmware_update_status", "Downloading", DOWNLOADS, pauses_around
    )
    uploads = outcomes(
        world.said("var main/log_status"), "log_status", "Uploading", UPLOADS, lambda _: log_upload.PAUSE
    )
    module.host.transfer = RecordedTransfer(world.clock, downloads, uploads)


def pauses_around(status: Any) -> float:
    """Seconds of pause between `Downloading` and the end of a download: one more in a signed update (station 5.3)."""
    return firmware.PAUSE if status["request_id"] == plan.UNSIGNED else 2 * firmware.PAUSE


def outcomes(
    said: list[tuple[float, Any]], member: str, begin: str, ends: dict[str, bool], pauses: Callable[[Any], float]
) -> list[Outcome]:
    """The transfers that a row of statuses tells of; one without an end lasts for ever.

    `pauses`: of a status, the seconds between `begin` and the end that are none of the network's.
    """
    found: list[Outcome] = []
    began: float | None = None
    for t, value in said:
        if value[member] == begin:
            if began is not None:
                found.append(Outcome(began, float("inf"), False))
            began = t
        elif value[member] in ends and began is not None:
            found.append(Outcome(began, max(0.0, t - began - pauses(value)), ends[value[member]]))
            began = None
        elif value[member] == "InstallationFailed" and found:
            found[-1] = found[-1]._replace(content=b"")
    return found


class RecordedTransfer:
    """Each transfer ends as the next one of the recording did (`transfer.Transfer`)."""

    def __init__(self, clock: Clock, downloads: list[Outcome], uploads: list[Outcome]) -> None:
        self._clock = clock
        self._downloads = downloads
        self._uploads = uploads

    async def download(self, location: str, target: Path) -> None:
        content = await self._pass(self._downloads, location)
        await asyncio.get_running_loop().run_in_executor(None, target.write_bytes, content)

    async def upload(self, source: Path, target: str) -> None:
        await self._pass(self._uploads, target)

    async def _pass(self, outcomes: list[Outcome], location: str) -> bytes:
        if not outcomes:
            raise TransferError(f"the recording tells of no further transfer ({location})")
        outcome = outcomes.pop(0)
        while outcome.seconds == float("inf") and outcomes and outcomes[0].began <= self._clock.now().timestamp():
            outcome = outcomes.pop(0)  # the one before was cut short before it could begin
        if outcome.seconds == float("inf"):
            await asyncio.Event().wait()
        await asyncio.sleep(outcome.seconds)
        if not outcome.succeeded:
            raise TransferError(f"failed in the recording, too ({location})")
        return outcome.content
