"""Reset: stop what runs, wait for it, then let the integrator reset (OCPP 1.6 §5.14; libocpp 3.9, 12.2, DEPARTURE 26).

Owns: the reset that is under way. May import: context, transactions, status_notifications.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.messages import ChargePointStatus, Reason, ResetRequest, ResetResponse, ResetStatus, ResetType
from ocpp16.router import Reply
from ocpp16.status_notifications import StatusNotifications
from ocpp16.tasks import Timer
from ocpp16.transactions import Transaction, Transactions

RETRY_WAIT = 10.0
"""Seconds between a reset that failed and the next attempt."""

REASONS: Mapping[ResetType, Reason] = {ResetType.Hard: Reason.HardReset, ResetType.Soft: Reason.SoftReset}


class Reset:
    """One reset at a time; a second request meanwhile is Rejected."""

    def __init__(self, context: Context, statuses: StatusNotifications, transactions: Transactions) -> None:
        self._context = context
        self._statuses = statuses
        self._transactions = transactions
        self._running = Timer(context.tasks, "reset")
        self._requested = False
        self._ended = asyncio.Event()
        transactions.on_acknowledged.append(self._transaction_acknowledged)

    async def handle(self, request: ResetRequest) -> Reply:
        callbacks = self._context.callbacks
        possible = callbacks.has("is_reset_allowed") and callbacks.has("reset") and not self._requested
        if not possible or not await callbacks.ask("is_reset_allowed", request.type, default=False):
            return Reply(ResetResponse(status=ResetStatus.Rejected))
        self._requested = True

        async def after() -> None:
            self._running.start(self._reset(request.type))

        return Reply(ResetResponse(status=ResetStatus.Accepted), after)

    async def _reset(self, reset_type: ResetType) -> None:
        """Evaluated when the stop calls have been made, and at each StopTransaction.conf (libocpp 12.2)."""
        try:
            running = self._transactions.all_active()
            for transaction in running:
                self._context.log.info("Reset stops the transaction on connector %d", transaction.connector)
                await self._context.callbacks.ask(
                    "stop_transaction", transaction.connector, REASONS[reset_type], default=False
                )
            await self._wait_for_end({transaction.session_id for transaction in running})
            await self._reset_station(reset_type)
        finally:
            self._requested = False

    async def _reset_station(self, reset_type: ResetType) -> None:
        """Let the integrator reset; again, ResetRetries times, if its callback fails, is late or returns False
        (OCPP 1.6 §9.1)."""
        retries = int(self._context.configuration[keys.ResetRetries])
        for attempt in range(retries + 1):
            if attempt:
                await self._running.wait(RETRY_WAIT)
            if await self._context.callbacks.ask("reset", reset_type, default=False) is not False:
                return
            self._context.log.error("Reset failed, attempt %d of %d", attempt + 1, retries + 1)

    async def _wait_for_end(self, sessions: set[str]) -> None:
        limit = int(self._context.configuration[keys.WaitForStopTransactionsOnResetTimeout])
        try:
            async with asyncio.timeout(limit):
                while not self._all_ended(sessions):
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            self._context.log.warning("Reset goes on after %d s although transactions have not ended", limit)

    def _all_ended(self, sessions: set[str]) -> bool:
        """No transaction runs, and those that this reset has ended are acknowledged. One that ended before may wait
        for its answer as long as it likes: it is stored."""
        charging = any(self._statuses[c].state is ChargePointStatus.Charging for c in self._context.connectors)
        sessions.update(transaction.session_id for transaction in self._transactions.all_active())
        return not charging and all(self._transactions.get(session) is None for session in sessions)

    def _transaction_acknowledged(self, transaction: Transaction) -> None:
        self._ended.set()
