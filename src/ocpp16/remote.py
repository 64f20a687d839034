"""RemoteStartTransaction and RemoteStopTransaction (OCPP 1.6 §5.11, §5.12; libocpp 3.6, DEPARTURE 22).

Owns: which connectors a remote start may use. May import: context, connector, transactions, status_notifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.messages import (
    ChargePointStatus,
    Reason,
    RemoteStartStopStatus,
    RemoteStartTransactionRequest,
    RemoteStartTransactionResponse,
    RemoteStopTransactionRequest,
    RemoteStopTransactionResponse,
)
from ocpp16.router import Reply
from ocpp16.status_notifications import StatusNotifications
from ocpp16.transactions import Transactions


class ReservationCheckStatus(StrEnum):
    """What the integrator knows of a reservation of a connector, for an id token."""

    NotReserved = "NotReserved"
    ReservedForToken = "ReservedForToken"
    ReservedForOtherToken = "ReservedForOtherToken"
    ReservedForOtherTokenAndHasParentToken = "ReservedForOtherTokenAndHasParentToken"


USABLE: Mapping[ChargePointStatus, bool] = {
    ChargePointStatus.Available: True,
    ChargePointStatus.Preparing: True,
    ChargePointStatus.Charging: True,
    ChargePointStatus.SuspendedEV: True,
    ChargePointStatus.SuspendedEVSE: True,
    ChargePointStatus.Finishing: False,
    ChargePointStatus.Reserved: True,
    ChargePointStatus.Unavailable: False,
    ChargePointStatus.Faulted: False,
}
"""Whether a connector in this status can take a remote start; a running transaction and a reservation for somebody
else rule it out besides."""

_ACCEPTED = RemoteStartStopStatus.Accepted
_REJECTED = RemoteStartStopStatus.Rejected


class Remote:
    """Remote start and stop."""

    def __init__(self, context: Context, statuses: StatusNotifications, transactions: Transactions) -> None:
        self._context = context
        self._statuses = statuses
        self._transactions = transactions

    async def start(self, request: RemoteStartTransactionRequest) -> Reply:
        connectors = await self._connectors(request)
        if not connectors or self._asks_too_much(request):
            return Reply(RemoteStartTransactionResponse(status=_REJECTED))
        prevalidated = not self._context.configuration[keys.AuthorizeRemoteTxRequests]

        async def provide_token() -> None:
            await self._context.callbacks.ask("provide_token", request.id_tag, connectors, prevalidated, default=None)

        return Reply(RemoteStartTransactionResponse(status=_ACCEPTED), provide_token)

    def _asks_too_much(self, request: RemoteStartTransactionRequest) -> bool:
        """A station without the SmartCharging profile ignores a charging profile (OCPP 1.6 §5.11). One that lists it
        would have to apply it, which this version cannot."""
        return request.charging_profile is not None and self._context.profile_active("SmartCharging")

    async def _connectors(self, request: RemoteStartTransactionRequest) -> list[int]:
        """The connectors the token is for; empty if there is none to use, and for a tag that is none."""
        configuration = self._context.configuration
        if not request.id_tag:
            return []
        if request.connector_id is not None:
            wanted = [request.connector_id] if request.connector_id in self._context.connectors else []
            return wanted if await self._usable(wanted, request.id_tag) else []
        if configuration[keys.RejectRemoteStartTransactionWithoutConnectorId]:
            return []
        usable = await self._usable(self._context.connectors, request.id_tag)
        if configuration[keys.RemoteStartTransactionWithoutConnectorIdFindFirst]:
            return usable[:1]
        return list(self._context.connectors) if usable else []

    async def _usable(self, connectors: range | list[int], id_tag: str) -> list[int]:
        return [connector for connector in connectors if await self._is_usable(connector, id_tag)]

    async def _is_usable(self, connector: int, id_tag: str) -> bool:
        status = self._statuses[connector].status
        if not USABLE[status] or self._transactions.active(connector) is not None:
            return False
        if status is not ChargePointStatus.Reserved:
            return True
        check = await self._context.callbacks.ask(
            "is_token_reserved_for_connector", connector, id_tag, default=ReservationCheckStatus.NotReserved
        )
        return str(check) != ReservationCheckStatus.ReservedForOtherToken

    async def stop(self, request: RemoteStopTransactionRequest) -> Reply:
        transaction = self._transactions.find(request.transaction_id)
        if transaction is None:
            return Reply(RemoteStopTransactionResponse(status=_REJECTED))

        async def stop() -> None:
            await self._context.callbacks.ask("stop_transaction", transaction.connector, Reason.Remote, default=False)

        return Reply(RemoteStopTransactionResponse(status=_ACCEPTED), stop)
