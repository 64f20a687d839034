"""Transactions: start, the late and the missing StartTransaction.conf, stop, and what a power loss left open.

Owns: the open transactions (`TransactionRow`s not acknowledged by the CSMS) and their messages. A row and the message
that tells of it are one commit. Answers are correlated by session id (libocpp DEPARTURE 21), never by transactionId,
which is not unique (libocpp 12.7). Pure builders of the messages are in `transaction_messages.py`.
May import: context, transaction_messages, authorization. Must not import: metering, availability, reset (they listen).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from ocpp16 import transaction_messages as build
from ocpp16.authorization import Authorization
from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.dispatcher import Answered, Outcome
from ocpp16.errors import StoreError
from ocpp16.measurement import SignedMeterValue
from ocpp16.messages import (
    AuthorizationStatus,
    IdTagInfo,
    MeterValue,
    MeterValuesRequest,
    ReadingContext,
    Reason,
    StartTransactionResponse,
    StopTransactionRequest,
    StopTransactionResponse,
)
from ocpp16.messages.codec import PayloadError, decode
from ocpp16.meter_values import signed_value, whole_wh
from ocpp16.store.rows import Change, PruneTransactions, PutTransaction, QueuedMessage, TransactionRow

KEPT_AFTER_END = timedelta(days=7)
"""How long acknowledged transactions stay in the store (libocpp DEPARTURE 46)."""


class Transaction:
    """An open transaction in memory. `row` is what the store holds or is about to hold."""

    def __init__(self, row: TransactionRow, *, active: bool) -> None:
        self.row = row
        self.active = active
        self.highest_reported = 0.0
        """The largest import register sent to the CSMS in a MeterValues.req, in Wh."""
        self.told_to_pause = False
        """The integrator has been told in this run that a refused id tag charges no longer."""

    @property
    def session_id(self) -> str:
        return self.row.session_id

    @property
    def connector(self) -> int:
        return self.row.connector

    def change(self, **fields: object) -> TransactionRow:
        """Replace fields of the row; returns the new row, to be stored."""
        self.row = msgspec.structs.replace(self.row, **fields)
        return self.row

    def meter(self, energy: float, time: datetime) -> None:
        """A reading of the import register: what the transaction ends with if the power goes now."""
        if whole_wh(energy) >= self.row.meter_last:
            self.change(meter_last=whole_wh(energy), meter_last_time=time)


Listener = Callable[[Transaction], None]


class Transactions:
    """All transactions that the CSMS has not acknowledged yet."""

    def __init__(self, context: Context, authorization: Authorization) -> None:
        self._context = context
        self._authorization = authorization
        self._open: dict[str, Transaction] = {}
        self.begin_values: Callable[[int, float, datetime, ReadingContext], MeterValue | None] = lambda *_: None
        """Unsigned values of a connector for Transaction.Begin and .End; set by metering."""
        self.on_active: list[Listener] = []
        """Called when a transaction has become active: it started, or goes on after a restart."""
        self.on_ended: list[Listener] = []
        """Called when a transaction is over for the station: its StopTransaction.req is queued."""
        self.on_acknowledged: list[Listener] = []
        """Called when StopTransaction.conf has been processed (or the message was given up)."""

    # --- questions -------------------------------------------------------------------------------------------------

    def active(self, connector: int) -> Transaction | None:
        return next((t for t in self._open.values() if t.active and t.connector == connector), None)

    def all_active(self) -> list[Transaction]:
        return [transaction for transaction in self._open.values() if transaction.active]

    def find(self, transaction_id: int) -> Transaction | None:
        """An active transaction by the id of the CSMS; the newest where it gave an id twice."""
        found = [t for t in self.all_active() if t.row.transaction_id == transaction_id]
        return max(found, key=lambda t: t.row.time_start, default=None)

    def get(self, session_id: str) -> Transaction | None:
        return self._open.get(session_id)

    # --- init ------------------------------------------------------------------------------------------------------

    async def restore(self, resuming_session_ids: Iterable[str], queued: Sequence[QueuedMessage]) -> None:
        """Take up what an earlier run left open (libocpp 3.5.6): go on, wait for an answer, or end by PowerLoss."""
        resuming = set(resuming_session_ids)
        stopping = {message.session_id for message in queued if message.action == "StopTransaction"}
        for row in await self._context.store.open_transactions():
            transaction = Transaction(row, active=False)
            self._open[row.session_id] = transaction
            if row.session_id in stopping:
                continue
            if row.session_id in resuming and row.time_end is None:
                await self._resume(transaction)
            else:
                await self._end_by_power_loss(transaction)
        await self._restore_retried(queued)

    async def _restore_retried(self, queued: Sequence[QueuedMessage]) -> None:
        """Dead letters that a person has put back belong to transactions that were settled without them: a
        StartTransaction.conf must still find its transaction, and StopTransaction.req the id."""
        for session_id in {message.session_id for message in queued} - {None, *self._open}:
            row = await self._context.store.transaction(str(session_id))
            if row is not None:
                self._open[row.session_id] = Transaction(row, active=False)

    async def _resume(self, transaction: Transaction) -> None:
        samples = await self._samples(transaction)
        transaction.highest_reported = build.highest_energy(samples)
        transaction.active = True
        self._context.log.info("Transaction of session %s goes on after the restart", transaction.session_id)
        for listener in self.on_active:
            listener(transaction)

    async def end_unfinished(self, session_id: str) -> None:
        """End a transaction whose end nobody saw; nothing happens if it is not active."""
        transaction = self._open.get(session_id)
        if transaction is not None and transaction.active:
            await self._end_by_power_loss(transaction)

    async def _end_by_power_loss(self, transaction: Transaction) -> None:
        """StopTransaction.req with the last known meter value; no idTag, as nobody stopped it."""
        row = transaction.row
        self._context.log.warning("Transaction of session %s was cut off: ends by PowerLoss", row.session_id)
        end = row.time_end or row.meter_last_time
        energy = row.meter_stop if row.meter_stop is not None else row.meter_last
        await self._end(transaction, Reason.PowerLoss, end, energy, None, ())

    # --- start -----------------------------------------------------------------------------------------------------

    async def start(
        self,
        connector: int,
        session_id: str,
        id_tag: str,
        meter_start: float,
        timestamp: datetime,
        reservation_id: int | None,
        signed: SignedMeterValue | None,
    ) -> Transaction | None:
        """`on_transaction_started`: row and StartTransaction.req are durable when this returns (libocpp 3.5.2)."""
        if session_id in self._open:
            self._context.log.error("Session %s has its transaction already: second start ignored", session_id)
            return None
        earlier = self.active(connector)
        if earlier is not None:
            await self._end_by_power_loss(earlier)
        row = build.new_row(
            connector, session_id, id_tag, meter_start, timestamp, reservation_id, self._fresh_internal_id()
        )
        transaction = Transaction(row, active=True)
        self._open[session_id] = transaction
        begin = self.begin_values(connector, row.meter_start, timestamp, ReadingContext.Transaction_Begin)
        changes: list[Change] = [PutTransaction(row), *build.samples(session_id, begin)]
        try:
            request = build.start_request(row)
            await self._context.dispatcher.enqueue(request, session_id=session_id, with_changes=changes)
        except StoreError:
            del self._open[session_id]
            raise
        self._context.lanes.post(connector, "transaction_started", connector, session_id)
        if signed is not None:
            await self._send_signed_start(transaction, signed)
        for listener in self.on_active:
            listener(transaction)
        return transaction

    def _fresh_internal_id(self) -> int:
        taken = {transaction.row.internal_id for transaction in self._open.values()}
        while (number := self._context.randomness.internal_transaction_id()) in taken:
            pass
        return number

    async def _send_signed_start(self, transaction: Transaction, signed: SignedMeterValue) -> None:
        """The signed begin value goes out as MeterValues.req of its own (libocpp 3.7.3)."""
        value = signed_value(signed.signed_meter_data, ReadingContext.Transaction_Begin, transaction.row.time_start)
        await self._context.tell(
            MeterValuesRequest(connector_id=transaction.connector, meter_value=(value,)),
            session_id=transaction.session_id,
            with_changes=build.samples(transaction.session_id, value),
        )

    # --- stop ------------------------------------------------------------------------------------------------------

    async def stop(
        self,
        connector: int,
        session_id: str,
        reason: Reason,
        timestamp: datetime,
        energy: float,
        id_tag_end: str | None,
        signed: SignedMeterValue | None,
        start_signed: SignedMeterValue | None,
    ) -> Transaction | None:
        """`on_transaction_stopped`: the end and StopTransaction.req are durable when this returns (libocpp 3.5.4)."""
        transaction = self._open.get(session_id)
        if transaction is None or not transaction.active or transaction.connector != connector:
            self._context.log.error("No transaction of session %s on connector %d to stop", session_id, connector)
            return None
        values = []
        if start_signed is not None:
            begin = transaction.row.time_start
            values.append(signed_value(start_signed.signed_meter_data, ReadingContext.Transaction_Begin, begin))
        if signed is not None:
            values.append(signed_value(signed.signed_meter_data, ReadingContext.Transaction_End, timestamp))
        await self._end(transaction, reason, timestamp, energy, id_tag_end, values)
        return transaction

    async def _end(
        self,
        transaction: Transaction,
        reason: Reason,
        timestamp: datetime,
        energy: float,
        id_tag_end: str | None,
        signed: Sequence[MeterValue],
    ) -> None:
        """Queue StopTransaction.req with the end of the row. If the store refuses, the transaction goes on as before,
        so that the end can be told again."""
        before, transaction.active = transaction.row, False
        meter_stop = max(whole_wh(energy), whole_wh(transaction.highest_reported))
        end = self.begin_values(transaction.connector, meter_stop, timestamp, ReadingContext.Transaction_End)
        try:
            recorded = build.in_order(await self._samples(transaction), signed, end)
            row = transaction.change(
                meter_stop=meter_stop, time_end=timestamp, id_tag_end=id_tag_end, stop_reason=reason
            )
            request = self._stop_request(row, recorded)
            # The answer to StartTransaction.req may come while this is being stored: its id must not be written over.
            await self._context.dispatcher.enqueue(
                request, session_id=row.session_id, with_changes=lambda: [PutTransaction(transaction.row)]
            )
        except StoreError:
            transaction.active = True
            transaction.change(
                meter_stop=before.meter_stop,
                time_end=before.time_end,
                id_tag_end=before.id_tag_end,
                stop_reason=before.stop_reason,
            )
            raise
        for listener in self.on_ended:
            listener(transaction)
        number = build.wire_id(transaction.row)
        self._context.lanes.post(row.connector, "transaction_stopped", row.connector, row.session_id, number)

    def _stop_request(self, row: TransactionRow, recorded: Sequence[MeterValue]) -> StopTransactionRequest:
        configuration = self._context.configuration
        return build.stop_request(
            row,
            recorded,
            sampled=configuration[keys.StopTxnSampledData],
            aligned=configuration[keys.StopTxnAlignedData],
            max_size=configuration[keys.MaxMessageSize],
        )

    async def _samples(self, transaction: Transaction) -> list[MeterValue]:
        values = []
        for row in await self._context.store.samples(transaction.session_id):
            try:
                values.append(decode(MeterValue, row))
            except PayloadError as error:
                self._context.log.error("A recorded meter value of %s is lost: %s", transaction.session_id, error)
        return values

    # --- answers (called by the dispatcher) ------------------------------------------------------------------------

    def fill_in(self, message: QueuedMessage, payload: bytes) -> bytes:
        """The payload with the transactionId that is known now (libocpp 3.5.2)."""
        transaction = self._open.get(message.session_id or "")
        if transaction is None:
            return payload
        return build.with_transaction_id(message.action, payload, transaction.row)

    def start_answered(self, message: QueuedMessage, outcome: Outcome) -> Sequence[Change]:
        """The row gets the id of the CSMS, in the commit that removes the request from the queue."""
        transaction = self._open.get(message.session_id or "")
        match outcome:
            case Answered(response=StartTransactionResponse() as response) if transaction is not None:
                row = transaction.change(
                    transaction_id=response.transaction_id,
                    parent_id_tag=response.id_tag_info.parent_id_tag,
                    pause_at=self._refused_at(transaction, response.id_tag_info),
                )
                cache = self._authorization.cache_changes(row.id_tag_start, response.id_tag_info)
                return [PutTransaction(row), *cache]
        self._context.log.warning("StartTransaction.req of session %s has no answer: %s", message.session_id, outcome)
        return []

    def after_start(self, message: QueuedMessage, outcome: Outcome) -> None:
        """Callbacks of StartTransaction.conf; they concern this transaction only while it runs (DEPARTURE 18)."""
        transaction = self._open.get(message.session_id or "")
        if transaction is None or not isinstance(outcome, Answered):
            return
        response = outcome.response
        assert isinstance(response, StartTransactionResponse)
        info = response.id_tag_info
        self.enforce_refusal(transaction)
        self._context.lanes.post(
            transaction.connector,
            "transaction_updated",
            transaction.connector,
            transaction.session_id,
            response.transaction_id,
            info,
        )

    def _refused_at(self, transaction: Transaction, info: IdTagInfo) -> int | None:
        """Where the charging of a refused id tag ends (Wh): now, or MaxEnergyOnInvalidId later (DEPARTURE 17)."""
        if info.status is AuthorizationStatus.Accepted:
            return None
        configuration = self._context.configuration
        stop = bool(configuration[keys.StopTransactionOnInvalidId])
        return transaction.row.meter_last + (0 if stop else configuration[keys.MaxEnergyOnInvalidId] or 0)

    def enforce_refusal(self, transaction: Transaction) -> None:
        """Pause a refused id tag that has had its energy, and stop it where the configuration says so: once in each
        run, so that a transaction that goes on after a restart does not charge on (OCPP 1.6 §4.8)."""
        row = transaction.row
        exhausted = row.pause_at is not None and row.meter_last >= row.pause_at
        if not exhausted or not transaction.active or transaction.told_to_pause:
            return
        transaction.told_to_pause = True
        self._context.lanes.post(transaction.connector, "pause_charging", transaction.connector)
        if self._context.configuration[keys.StopTransactionOnInvalidId]:
            self.order_stop(transaction, Reason.DeAuthorized)

    def charging_goes_on(self, connector: int) -> None:
        """Energy flows (again): not to a refused id tag that has had its energy."""
        transaction = self.active(connector)
        if transaction is None:
            return
        if transaction.told_to_pause:
            self._context.lanes.post(connector, "pause_charging", connector)
        else:
            self.enforce_refusal(transaction)

    def order_stop(self, transaction: Transaction, reason: Reason) -> None:
        """Ask the integrator to end this transaction; it will say so by `on_transaction_stopped`."""
        self._context.lanes.post(transaction.connector, "stop_transaction", transaction.connector, reason)

    def stop_answered(self, message: QueuedMessage, outcome: Outcome) -> Sequence[Change]:
        """The transaction is over for the CSMS too: acknowledged, or given up."""
        transaction = self._open.get(message.session_id or "")
        if transaction is None:
            return []
        row = transaction.change(csms_ack=True)
        changes: list[Change] = [
            PutTransaction(row),
            PruneTransactions(self._context.clock.now() - KEPT_AFTER_END),
        ]
        match outcome:
            case Answered(response=StopTransactionResponse(id_tag_info=IdTagInfo() as info)):
                changes.extend(self._authorization.cache_changes(row.id_tag_end or row.id_tag_start, info))
        return changes

    def after_stop(self, message: QueuedMessage) -> None:
        transaction = self._open.pop(message.session_id or "", None)
        if transaction is None:
            return
        for listener in self.on_acknowledged:
            listener(transaction)
