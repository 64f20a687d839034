"""What happens when one of our queued messages has its answer: a table from action to the capability that knows.

Implements `dispatcher.DispatcherHooks`. May import: boot, transactions. Must not import: charge_point.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocpp16.boot import Boot
from ocpp16.dispatcher import Outcome
from ocpp16.messages import Request
from ocpp16.store.rows import Change, QueuedMessage
from ocpp16.transactions import Transactions


class Answers:
    """Set `boot` and `transactions` before the dispatcher works: dispatcher and capabilities know each other."""

    boot: Boot
    transactions: Transactions

    def fill_in(self, message: QueuedMessage, payload: bytes) -> bytes:
        return self.transactions.fill_in(message, payload)

    def on_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> Sequence[Change]:
        match message.action:
            case "StartTransaction":
                return self.transactions.start_answered(message, outcome)
            case "StopTransaction":
                return self.transactions.stop_answered(message, outcome)
        return ()

    async def after_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        match message.action:
            case "BootNotification":
                await self.boot.answered(outcome)
            case "Heartbeat":
                self.boot.heartbeat_answered(outcome)
            case "StartTransaction":
                self.transactions.after_start(message, outcome)
            case "StopTransaction":
                self.transactions.after_stop(message)
