"""ChangeAvailability: at once or when the connector is free again, and across power cycles (OCPP 1.6 §5.2).

Owns: scheduled changes and the last ordered availability of each connector (libocpp 3.10, 12.3, DEPARTURE 27).
May import: context, connector, status_notifications, transactions. Must not import: firmware (it calls in).
"""

from __future__ import annotations

from ocpp16.connector import ConnectorEvent
from ocpp16.context import Context
from ocpp16.messages import (
    AvailabilityStatus,
    AvailabilityType,
    ChangeAvailabilityRequest,
    ChangeAvailabilityResponse,
    ChargePointStatus,
)
from ocpp16.router import After, Reply
from ocpp16.status_notifications import StatusNotifications
from ocpp16.store.rows import SetAvailability
from ocpp16.transactions import Transaction, Transactions

_OPERATIVE = AvailabilityType.Operative
_INOPERATIVE = AvailabilityType.Inoperative


class Availability:
    """Operative or Inoperative, wanted and carried out."""

    def __init__(self, context: Context, statuses: StatusNotifications, transactions: Transactions) -> None:
        self._context = context
        self._statuses = statuses
        self._transactions = transactions
        self._wanted: dict[int, AvailabilityType] = {}
        self._ordered: dict[int, AvailabilityType] = {}
        self._scheduled: dict[int, AvailabilityType] = {}
        transactions.on_acknowledged.append(self._transaction_acknowledged)

    # --- start -------------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """The wanted availability of every connector; never written means Operative."""
        stored = await self._context.store.availability()
        everything = (0, *self._context.connectors)
        self._wanted = {connector: stored.get(connector, _OPERATIVE) for connector in everything}

    def wanted(self, connector: int) -> AvailabilityType:
        return self._wanted.get(connector, _OPERATIVE)

    async def order_all(self) -> None:
        """At start each connector is enabled or disabled as the store says (libocpp 2.2); one with a transaction that
        goes on is disabled when that has ended."""
        for connector, availability in self._wanted.items():
            if availability is _INOPERATIVE and self._busy(connector):
                self._scheduled[connector] = availability
            else:
                await self._order(connector, availability)

    # --- ChangeAvailability ------------------------------------------------------------------------------------------

    async def change(self, request: ChangeAvailabilityRequest) -> Reply:
        """The answer; the EVSEs are told after it (libocpp 3.10)."""
        connector, availability = request.connector_id, request.type
        if connector != 0 and connector not in self._context.connectors:
            return Reply(ChangeAvailabilityResponse(status=AvailabilityStatus.Rejected))
        concerned = (0, *self._context.connectors) if connector == 0 else (connector,)
        busy = [c for c in concerned if self._busy(c)]
        now = [c for c in concerned if c not in busy and not self._has(c, availability)]
        await self._want(concerned, availability)
        for each in concerned:
            self._scheduled.pop(each, None)
        for each in busy:
            if self._ordered.get(each) != availability:
                self._scheduled[each] = availability
        scheduled = any(each in self._scheduled for each in busy)
        status = AvailabilityStatus.Scheduled if scheduled else AvailabilityStatus.Accepted
        return Reply(ChangeAvailabilityResponse(status=status), self._order_later(now, availability))

    def _order_later(self, connectors: list[int], availability: AvailabilityType) -> After:
        async def after() -> None:
            for connector in connectors:
                await self._order(connector, availability)

        return after

    def _busy(self, connector: int) -> bool:
        return connector != 0 and (
            self._transactions.active(connector) is not None
            or self._statuses[connector].state is ChargePointStatus.Preparing
        )

    def _has(self, connector: int, availability: AvailabilityType) -> bool:
        """Wanted, ordered in this run, and nothing scheduled: the connector is what is asked for (DEPARTURE 27)."""
        return (
            self.wanted(connector) is availability
            and self._ordered.get(connector) is availability
            and connector not in self._scheduled
        )

    async def _want(self, connectors: tuple[int, ...], availability: AvailabilityType) -> None:
        await self._context.store.apply([SetAvailability(connector, availability) for connector in connectors])
        self._wanted.update(dict.fromkeys(connectors, availability))

    async def _order(self, connector: int, availability: AvailabilityType) -> None:
        """Carry a change out: connector 0 changes its own state, the others are told by the integrator's `on_disabled`.
        A connector that stays in service says so, as its end of session was not told (libocpp 12.3)."""
        self._ordered[connector] = availability
        if connector == 0:
            event = (
                ConnectorEvent.BecomeAvailable
                if availability is _OPERATIVE
                else ConnectorEvent.ChangeAvailabilityToUnavailable
            )
            self._statuses.submit(0, event)
        name = "enable_evse" if availability is _OPERATIVE else "disable_evse"
        carried_out = await self._context.callbacks.ask(name, connector, default=False)
        stays = not carried_out and availability is _INOPERATIVE
        if stays:
            self._context.log.warning("Connector %d stays in service: disable_evse was not carried out", connector)
        if stays and connector != 0 and self._statuses[connector].state is ChargePointStatus.Available:
            self._statuses.tell(connector)

    # --- scheduled changes ------------------------------------------------------------------------------------------

    def schedule(self, connector: int, availability: AvailabilityType) -> None:
        """Change when the connector is free, without changing what is wanted (firmware installation)."""
        self._scheduled[connector] = availability

    def scheduled(self, connector: int) -> AvailabilityType | None:
        return self._scheduled.get(connector)

    def run_scheduled(self, connector: int) -> None:
        """StopTransaction.conf or the end of the session, whichever is first."""
        availability = self._scheduled.pop(connector, None)
        if availability is not None:
            self._ordered[connector] = availability
            self._context.tasks.spawn(self._order(connector, availability), name=f"availability[{connector}]")

    def _transaction_acknowledged(self, transaction: Transaction) -> None:
        if self._transactions.active(transaction.connector) is None:
            self.run_scheduled(transaction.connector)

    def being_disabled(self, connector: int) -> bool:
        """A change to Inoperative has been ordered and stands (libocpp 12.3)."""
        return self._ordered.get(connector) is _INOPERATIVE

    async def disable_now(self, connector: int) -> None:
        """Order Inoperative without changing what is wanted (firmware installation)."""
        await self._order(connector, _INOPERATIVE)

    async def enable_again(self) -> None:
        """After an installation: what is wanted Operative is enabled again (libocpp 3.15)."""
        for connector, availability in self._wanted.items():
            if self._scheduled.get(connector) is _INOPERATIVE and availability is _OPERATIVE:
                del self._scheduled[connector]
            if availability is _OPERATIVE:
                await self._order(connector, _OPERATIVE)
