"""Why the station was started, kept in the store over the restart (station 5.5).

Lives here: `BootReasonStore`. A store that fails, or says nothing, is logged; a boot reason is not worth a reset that
does not happen, nor a start that waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from everest.contracts.interfaces.kvs import KvsClient
from everest.contracts.types.system import BootReason
from everest.runtime import CommandError

log = logging.getLogger(__name__)
KEY = "ocpp_boot_reason"
PATIENCE = 10.0
"""Seconds for one answer of the store."""
_T = TypeVar("_T")


class BootReasonStore:
    """`store` None: nothing is kept, the reason is always `PowerUp`."""

    def __init__(self, store: KvsClient | None) -> None:
        self._store = store

    async def firmware_updated(self) -> None:
        """The next start is a firmware update, whatever was stored before."""
        await self._write(BootReason.FirmwareUpdate, overwrite=True)

    async def reset_requested(self) -> None:
        """The next start is a remote reset, unless something else is known already."""
        await self._write(BootReason.RemoteReset, overwrite=False)

    async def _write(self, reason: BootReason, *, overwrite: bool) -> None:
        if self._store is None:
            return
        try:
            if overwrite or not await _in_time(self._store.exists(key=KEY)):
                await _in_time(self._store.store(key=KEY, value=reason.value))
        except (CommandError, TimeoutError) as error:
            log.error("boot reason %s not stored: %s: %s", reason.value, type(error).__name__, error)

    async def take(self) -> BootReason:
        """The stored reason, which is forgotten with this, or `PowerUp`."""
        if self._store is None:
            return BootReason.PowerUp
        try:
            value = await _in_time(self._store.load(key=KEY))
        except (CommandError, TimeoutError) as error:
            log.error("boot reason not loaded: %s: %s", type(error).__name__, error)
            return BootReason.PowerUp
        try:
            await _in_time(self._store.delete(key=KEY))
        except (CommandError, TimeoutError) as error:
            log.error("boot reason %r will be told again: %s: %s", value, type(error).__name__, error)
        if value is None:
            return BootReason.PowerUp
        try:
            return BootReason(value)
        except ValueError:
            log.error("boot reason %r in the store is none, taken as PowerUp", value)
            return BootReason.PowerUp


async def _in_time(call: Awaitable[_T]) -> _T:
    """Errors: also TimeoutError."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await call
    except TimeoutError:
        raise TimeoutError(f"no answer for {PATIENCE:g} s") from None
