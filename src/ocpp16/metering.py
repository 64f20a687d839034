"""When meter values are taken and sent: per transaction, at the quarter hour, and on demand; and METER_LAST.

Owns: the latest reading of each connector and the timers of sampled and clock-aligned values (libocpp 3.7.1). Which
values a reading yields is decided in `meter_values.py`. May import: context, transactions. Must not import: trigger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from ocpp16 import transaction_messages as build
from ocpp16.configuration import keys
from ocpp16.configuration.measurands import Wanted
from ocpp16.context import Context
from ocpp16.measurement import Measurement
from ocpp16.messages import Measurand, MeterValue, MeterValuesRequest, ReadingContext, to_timestamp
from ocpp16.meter_values import Reading, energy_of, sampled_values
from ocpp16.store.rows import Change, UpdateMeter
from ocpp16.tasks import Timer
from ocpp16.transactions import Transaction, Transactions

METER_LAST_INTERVAL = 1.0
"""Seconds between writes of METER_LAST while readings come in faster (libocpp 12.17)."""

LONGEST_NAP = 10.0
"""The wall clock may be set: look at it at least this often while waiting for a time of day, and take a time of day
that lies further back than this as jumped over."""


@dataclass
class Readings:
    """The latest values of all connectors. They outlive a restart of the charge point (libocpp 12.24)."""

    measurements: dict[int, Measurement] = field(default_factory=dict)
    current_offered: dict[int, float] = field(default_factory=dict)
    power_offered: dict[int, float] = field(default_factory=dict)

    def reading(self, connector: int) -> Reading | None:
        measurement = self.measurements.get(connector)
        if measurement is None:
            return None
        return Reading(measurement, self.current_offered.get(connector, 0), self.power_offered.get(connector, 0))


def next_boundary(now: datetime, interval: int) -> datetime:
    """The first multiple of `interval` seconds from 00:00:00 UTC after `now`; the next midnight is always one."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = int((now - midnight).total_seconds() // interval)
    return min(midnight + timedelta(seconds=interval * (passed + 1)), midnight + timedelta(days=1))


class _Metered:
    """The timers of one transaction."""

    def __init__(self, sampling: Timer, writing: Timer) -> None:
        self.sampling = sampling
        self.writing = writing
        self.written_at = -METER_LAST_INTERVAL

    def stop(self) -> None:
        self.sampling.stop()
        self.writing.stop()


class Metering:
    """Sampled, clock-aligned and triggered MeterValues, and the meter register of open transactions."""

    def __init__(self, context: Context, transactions: Transactions, readings: Readings) -> None:
        self._context = context
        self._transactions = transactions
        self._readings = readings
        self._metered: dict[str, _Metered] = {}
        self._aligned = Timer(context.tasks, "clock_aligned")
        transactions.begin_values = self.boundary_value
        transactions.on_active.append(self._transaction_active)
        transactions.on_ended.append(self._transaction_ended)

    # --- readings --------------------------------------------------------------------------------------------------

    def on_meter_values(self, connector: int, measurement: Measurement) -> None:
        """Store the latest reading; an open transaction's METER_LAST follows it."""
        self._readings.measurements[connector] = measurement
        transaction = self._transactions.active(connector)
        energy = measurement.power_meter.energy_Wh_import.total
        if transaction is None or energy is None:
            return
        transaction.meter(energy, to_timestamp(measurement.power_meter.timestamp))
        self._write_meter_last(transaction)
        self._transactions.enforce_refusal(transaction)

    def can_trigger(self, connector: int) -> bool:
        """Whether `trigger` has something to send: there is a reading, with a value that is wanted."""
        wanted = self._context.configuration[keys.MeterValuesSampledData]
        return self._value(connector, wanted, ReadingContext.Trigger) is not None

    def _write_meter_last(self, transaction: Transaction) -> None:
        metered = self._metered.get(transaction.session_id)
        if metered is None or metered.writing.running:
            return
        wait = metered.written_at + METER_LAST_INTERVAL - asyncio.get_running_loop().time()
        metered.writing.start(self._write_soon(transaction, metered, wait))

    async def _write_soon(self, transaction: Transaction, metered: _Metered, wait: float) -> None:
        await metered.writing.wait(max(0.0, wait))
        metered.written_at = asyncio.get_running_loop().time()
        await self._context.store.apply([_meter_last(transaction)], durable=False)

    # --- timers ----------------------------------------------------------------------------------------------------

    def _transaction_active(self, transaction: Transaction) -> None:
        tasks, session_id = self._context.tasks, transaction.session_id
        metered = _Metered(Timer(tasks, f"sampling[{session_id}]"), Timer(tasks, f"meter_last[{session_id}]"))
        self._metered[session_id] = metered
        self._start_sampling(transaction, metered)

    def _transaction_ended(self, transaction: Transaction) -> None:
        metered = self._metered.pop(transaction.session_id, None)
        if metered is not None:
            metered.stop()

    def _start_sampling(self, transaction: Transaction, metered: _Metered) -> None:
        interval = int(self._context.configuration[keys.MeterValueSampleInterval])
        if interval > 0:
            metered.sampling.start(self._sample_periodically(transaction, interval, metered.sampling))
        else:
            metered.sampling.stop()

    def sample_interval_changed(self) -> None:
        """Running transactions follow the new MeterValueSampleInterval at once (libocpp 1.7)."""
        for transaction in self._transactions.all_active():
            metered = self._metered.get(transaction.session_id)
            if metered is not None:
                self._start_sampling(transaction, metered)

    def start_aligned(self) -> None:
        """Start or stop clock-aligned values as ClockAlignedDataInterval says."""
        interval = int(self._context.configuration[keys.ClockAlignedDataInterval])
        if interval > 0:
            self._aligned.start(self._sample_aligned(interval))
        else:
            self._aligned.stop()

    async def _sample_periodically(self, transaction: Transaction, interval: int, timer: Timer) -> None:
        """Until the timer is stopped. While the end is being stored nothing is sampled: it would belong to nobody."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + interval, loop.time())
            await timer.wait(due - loop.time())
            if transaction.active:
                wanted = self._context.configuration[keys.MeterValuesSampledData]
                await self._send(transaction.connector, wanted, ReadingContext.Sample_Periodic)

    async def _sample_aligned(self, interval: int) -> None:
        while True:
            await self._until_boundary(interval)
            self._aligned.fired()
            wanted = self._context.configuration[keys.MeterValuesAlignedData]
            for connector in (0, *self._context.connectors):
                await self._send(connector, wanted, ReadingContext.Sample_Clock)

    async def _until_boundary(self, interval: int) -> None:
        """Wait for the next multiple of the interval on the wall clock, also when that clock is set meanwhile."""
        now = self._context.clock.now()
        due = next_boundary(now, interval)
        while now < due or (now - due).total_seconds() > LONGEST_NAP:
            due = next_boundary(now, interval)
            await asyncio.sleep(min((due - now).total_seconds(), LONGEST_NAP))
            now = self._context.clock.now()

    # --- sending ---------------------------------------------------------------------------------------------------

    async def trigger(self, connector: int) -> None:
        """MeterValues on demand; not part of transactionData (libocpp 3.7.1)."""
        wanted = self._context.configuration[keys.MeterValuesSampledData]
        await self._send(connector, wanted, ReadingContext.Trigger, record=False, before_accepted=True)

    async def _send(
        self,
        connector: int,
        wanted: Sequence[Wanted],
        context: ReadingContext,
        *,
        record: bool = True,
        before_accepted: bool = False,
    ) -> None:
        value = self._value(connector, wanted, context)
        if value is None:
            return
        transaction = self._transactions.active(connector)
        changes: list[Change] = []
        if transaction is not None:
            energy = energy_of(value)
            if energy is not None:
                transaction.highest_reported = max(transaction.highest_reported, energy)
                transaction.meter(energy, value.timestamp)
                changes.append(_meter_last(transaction))
            if record:
                changes.extend(build.samples(transaction.session_id, value))
        await self._context.tell(
            MeterValuesRequest(
                connector_id=connector,
                meter_value=(value,),
                transaction_id=transaction.row.transaction_id if transaction is not None else None,
            ),
            session_id=transaction.session_id if transaction is not None else None,
            with_changes=changes,
            before_accepted=before_accepted,
        )

    def _value(self, connector: int, wanted: Sequence[Wanted], context: ReadingContext) -> MeterValue | None:
        reading = self._readings.reading(connector)
        if reading is None:
            return None
        values = sampled_values(wanted, reading, context)
        return MeterValue(timestamp=reading.measurement.power_meter.timestamp, sampled_value=values) if values else None

    def boundary_value(
        self, connector: int, energy: float, time: datetime, context: ReadingContext
    ) -> MeterValue | None:
        """Unsigned Transaction.Begin or .End (libocpp DEPARTURE 19): the latest reading, its import register that of
        the event itself."""
        wanted = self._context.configuration[keys.StopTxnSampledData]
        reading = self._readings.reading(connector)
        register = f"{energy:.2f}"
        if reading is None:
            item = Wanted(Measurand.Energy_Active_Import_Register)
            if item not in wanted:
                return None
            return build.register_value(register, time, context)
        values = sampled_values(wanted, reading, context)
        fixed = tuple(
            msgspec.structs.replace(value, value=register)
            if value.measurand is Measurand.Energy_Active_Import_Register and value.phase is None
            else value
            for value in values
        )
        return MeterValue(timestamp=time, sampled_value=fixed) if fixed else None


def _meter_last(transaction: Transaction) -> UpdateMeter:
    row = transaction.row
    return UpdateMeter(row.session_id, row.meter_last, row.meter_last_time)
