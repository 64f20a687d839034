"""What outlives a restart of a firmware update: the request, how far it is, and the name of its file.

Lives here: `Plan`, and `Plans`, which keeps the one there is in a file. Not in the store: the calls of a module are
what others see of it, and the original makes none for this. A power cut in the middle of an update must not leave the
CSMS without an end of it (OCPP 1.6 §4.5): `firmware.py` goes on from it.
May not be imported here: the flows.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from everest.contracts.types.system import FirmwareUpdateRequest

log = logging.getLogger(__name__)
_T = TypeVar("_T")
UNSIGNED = -1
"""`request_id` of an unsigned update."""


class Phase(StrEnum):
    """Where an update is."""

    PLANNED = "planned"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    INSTALLING = "installing"
    INSTALLED = "installed"


class Plan(msgspec.Struct, kw_only=True):
    """One update. `restarts`: how often a start found its download unfinished."""

    request: FirmwareUpdateRequest
    phase: Phase
    file: Annotated[str, msgspec.Meta(pattern="^firmware-[^/]+$")]
    restarts: int = 0

    @property
    def signed(self) -> bool:
        return self.request.request_id != UNSIGNED


class Plans:
    """Keeps the one plan there is in the file `path`; None: nothing outlives a restart.

    Reading and writing happen one after the other in a thread. A file that cannot be used is told in the log: an update
    is not refused for it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")

    @property
    def durable(self) -> bool:
        return self._path is not None

    async def load(self) -> Plan | None:
        """The plan of an earlier life. One that cannot be read is told in the log, put aside as `.broken`, and none."""
        return await self._run(_load)

    async def keep(self, plan: Plan) -> None:
        """It is on the disk when this returns."""
        content = msgspec.json.encode(plan)
        await self._run(lambda path: _write(path, content))

    async def forget(self) -> None:
        """It has ended."""
        await self._run(lambda path: path.unlink(missing_ok=True))

    async def _run(self, work: Callable[[Path], _T]) -> _T | None:
        if self._path is None:
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work, self._path)
        except OSError as error:
            log.error("what there is of firmware updates does not outlive a restart: %s", error)
            return None

    def close(self) -> None:
        """What was begun is done first; nothing is written any more."""
        self._worker.shutdown()
        self._path = None


def _load(path: Path) -> Plan | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Plan)
    except msgspec.DecodeError as error:
        log.error("%s: no firmware update can be read there, it is put aside: %s", path, error)
        path.replace(path.with_name(f"{path.name}.broken"))
        return None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and for nobody else's eyes: a location may hold a password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    with open(scratch, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
