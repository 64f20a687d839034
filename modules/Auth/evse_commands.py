"""The commands Auth gives to EVSEs, by EVSE id. A command that fails is logged with its EVSE and never ends the flow.

May not be imported here: the rules (they know no bus).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

from everest.contracts.interfaces.evse_manager import EvseManagerClient
from everest.contracts.types.authorization import ProvidedIdToken, ValidationResult
from everest.contracts.types.evse_manager import StopTransactionReason, StopTransactionRequest
from everest.runtime import CommandError

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class EvseCommands:
    """`clients` maps EVSE id to its EvseManager; ids never seen at get_evse are a programming error (KeyError)."""

    def __init__(self) -> None:
        self.clients: dict[int, EvseManagerClient] = {}

    async def authorize_response(self, evse_id: int, token: ProvidedIdToken, result: ValidationResult) -> None:
        """Tell the EVSE what became of a token."""
        call = self.clients[evse_id].authorize_response(provided_token=token, validation_result=result)
        await self._guarded(evse_id, "authorize_response", call, None)

    async def withdraw_authorization(self, evse_id: int) -> None:
        """Take the authorization back."""
        await self._guarded(evse_id, "withdraw_authorization", self.clients[evse_id].withdraw_authorization(), None)

    async def stop_transaction(
        self, evse_id: int, reason: StopTransactionReason, token: ProvidedIdToken | None = None
    ) -> bool:
        """Stop the transaction; True if there was one."""
        call = self.clients[evse_id].stop_transaction(request=StopTransactionRequest(reason=reason, id_tag=token))
        return await self._guarded(evse_id, "stop_transaction", call, False)

    async def reserve(self, evse_id: int, reservation_id: int) -> bool:
        """Reserve the EVSE; -1 reserves it for global reservations (station 2.8)."""
        return await self._guarded(
            evse_id, "reserve", self.clients[evse_id].reserve(reservation_id=reservation_id), False
        )

    async def cancel_reservation(self, evse_id: int) -> None:
        """Release the EVSE."""
        await self._guarded(evse_id, "cancel_reservation", self.clients[evse_id].cancel_reservation(), None)

    @staticmethod
    async def _guarded(evse_id: int, command: str, call: Awaitable[_T], fallback: _T) -> _T:
        try:
            return await call
        except CommandError as error:
            log.error("EVSE %d: %s failed: %s: %s", evse_id, command, type(error).__name__, error)
            return fallback
