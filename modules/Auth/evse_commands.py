"""The commands Auth gives to EVSEs, by EVSE id. A command that fails is logged with its EVSE and never ends the flow.

An EVSE that does not answer keeps nobody waiting for long (`patience.py`). Reserving and releasing one EVSE keep their
order; what it takes too late is taken back.
May not be imported here: the rules (they know no bus).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from everest.contracts.interfaces.evse_manager import EvseManagerClient
from everest.contracts.types.authorization import ProvidedIdToken, ValidationResult
from everest.contracts.types.evse_manager import StopTransactionReason, StopTransactionRequest
from everest.runtime import CommandError

from .patience import Line, in_time
from .timers import Spawn

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class EvseCommands:
    """`clients` maps EVSE id to its EvseManager; ids never seen at get_evse are a programming error (KeyError).

    `on_recovered` is called when an EVSE that left a reservation command open has answered it.
    """

    def __init__(self, spawn: Spawn) -> None:
        self.clients: dict[int, EvseManagerClient] = {}
        self.on_recovered: Callable[[], None] = lambda: None
        self._spawn = spawn
        self._lines: dict[int, Line] = {}

    async def authorize_response(self, evse_id: int, token: ProvidedIdToken, result: ValidationResult) -> None:
        """Tell the EVSE what became of a token."""
        call = self.clients[evse_id].authorize_response(provided_token=token, validation_result=result)
        await self._in_time(evse_id, "authorize_response", call, None)

    async def withdraw_authorization(self, evse_id: int) -> None:
        """Take the authorization back."""
        await self._in_time(evse_id, "withdraw_authorization", self.clients[evse_id].withdraw_authorization(), None)

    async def stop_transaction(
        self, evse_id: int, reason: StopTransactionReason, token: ProvidedIdToken | None = None
    ) -> bool:
        """Stop the transaction; True if there was one."""
        call = self.clients[evse_id].stop_transaction(request=StopTransactionRequest(reason=reason, id_tag=token))
        return await self._in_time(evse_id, "stop_transaction", call, False)

    async def reserve(self, evse_id: int, reservation_id: int) -> bool:
        """Reserve the EVSE; -1 reserves it for global reservations (station 2.8). False also where it does not say."""

        async def take_back(taken: bool) -> None:
            if taken:
                log.warning("EVSE %d: reservation %d came too late and is taken back", evse_id, reservation_id)
                await self._cancel_reservation(evse_id)

        def reserve() -> Awaitable[bool]:
            return self._guarded(evse_id, "reserve", client.reserve(reservation_id=reservation_id), False)

        client = self.clients[evse_id]
        return await self._line(evse_id).ask(f"EVSE {evse_id}: reserve", reserve, False, skip=True, late=take_back)

    async def cancel_reservation(self, evse_id: int) -> None:
        """Release the EVSE."""
        name = f"EVSE {evse_id}: cancel_reservation"
        await self._line(evse_id).ask(name, lambda: self._cancel_reservation(evse_id), None)

    async def _cancel_reservation(self, evse_id: int) -> None:
        await self._guarded(evse_id, "cancel_reservation", self.clients[evse_id].cancel_reservation(), None)

    def _line(self, evse_id: int) -> Line:
        if evse_id not in self._lines:
            self._lines[evse_id] = Line(self._spawn, lambda: self.on_recovered())
        return self._lines[evse_id]

    async def _in_time(self, evse_id: int, command: str, call: Awaitable[_T], fallback: _T) -> _T:
        guarded = self._guarded(evse_id, command, call, fallback)
        return await in_time(self._spawn, f"EVSE {evse_id}: {command}", guarded, fallback)

    @staticmethod
    async def _guarded(evse_id: int, command: str, call: Awaitable[_T], fallback: _T) -> _T:
        try:
            return await call
        except CommandError as error:
            log.error("EVSE %d: %s failed: %s: %s", evse_id, command, type(error).__name__, error)
            return fallback
