"""UnlockConnector (OCPP 1.6 §5.18; libocpp 3.11, DEPARTURE 28), and unlocking when the EV was unplugged.

May import: context, transactions. Must not import: other capabilities.
"""

from __future__ import annotations

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.messages import Reason, UnlockConnectorRequest, UnlockConnectorResponse, UnlockStatus
from ocpp16.router import Reply
from ocpp16.transactions import Transactions


class Unlock:
    def __init__(self, context: Context, transactions: Transactions) -> None:
        self._context = context
        self._transactions = transactions

    async def handle(self, request: UnlockConnectorRequest) -> Reply:
        """The callback's answer. It ends the transaction itself where it unlocks; where it did not, this does."""
        connector = request.connector_id
        if connector not in self._context.connectors:
            return Reply(UnlockConnectorResponse(status=UnlockStatus.NotSupported))
        status = UnlockStatus(
            await self._context.callbacks.ask("unlock_connector", connector, default=UnlockStatus.NotSupported)
        )

        async def after() -> None:
            await self._stop_what_still_runs(connector, status)

        return Reply(UnlockConnectorResponse(status=status), after)

    async def _stop_what_still_runs(self, connector: int, status: UnlockStatus) -> None:
        if self._transactions.active(connector) is None:
            return
        stop_anyway = bool(self._context.configuration[keys.StopTransactionIfUnlockNotSupported])
        if status is not UnlockStatus.NotSupported or stop_anyway:
            await self._context.callbacks.ask("stop_transaction", connector, Reason.UnlockCommand, default=False)

    def ev_disconnected(self, connector: int) -> None:
        """A transaction ended because the EV was unplugged: UnlockConnectorOnEVSideDisconnect (libocpp 3.5.4)."""
        if self._context.configuration[keys.UnlockConnectorOnEVSideDisconnect]:
            self._context.lanes.post(connector, "unlock_connector", connector)
