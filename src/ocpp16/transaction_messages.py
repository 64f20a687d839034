"""The messages of a transaction, built from its row: pure functions of values.

Owns: StartTransaction.req, StopTransaction.req with transactionData and its thinning (libocpp 3.5.2, 3.5.4, 3.5.5), and
filling in a transactionId that was not known when a message was queued.
May import: messages, store.rows, meter_values. Must not import: context, dispatcher.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from ocpp16.configuration.measurands import Wanted
from ocpp16.messages import (
    Location,
    Measurand,
    MeterValue,
    ReadingContext,
    SampledValue,
    StartTransactionRequest,
    StopTransactionRequest,
    UnitOfMeasure,
    ValueFormat,
)
from ocpp16.messages.codec import encode
from ocpp16.meter_values import energy_of, thinned, transaction_data, whole_wh
from ocpp16.store.rows import AddSample, Change, TransactionRow


def new_row(
    connector: int,
    session_id: str,
    id_tag: str,
    meter_start: float,
    timestamp: datetime,
    reservation_id: int | None,
    internal_id: int,
) -> TransactionRow:
    """The row of a transaction that starts now. METER_LAST starts with METER_START (libocpp 12.17)."""
    return TransactionRow(
        session_id=session_id,
        connector=connector,
        id_tag_start=id_tag,
        time_start=timestamp,
        meter_start=whole_wh(meter_start),
        internal_id=internal_id,
        reservation_id=reservation_id,
        meter_last=whole_wh(meter_start),
        meter_last_time=timestamp,
    )


def start_request(row: TransactionRow) -> StartTransactionRequest:
    return StartTransactionRequest(
        connector_id=row.connector,
        id_tag=row.id_tag_start,
        meter_start=row.meter_start,
        timestamp=row.time_start,
        reservation_id=row.reservation_id,
    )


def stop_request(
    row: TransactionRow,
    recorded: Sequence[MeterValue],
    *,
    sampled: Sequence[Wanted],
    aligned: Sequence[Wanted],
    max_size: int,
) -> StopTransactionRequest:
    """StopTransaction.req of an ended row; transactionData thinned until the payload fits `max_size` bytes."""
    assert row.meter_stop is not None and row.time_end is not None
    data = transaction_data(recorded, sampled, aligned)
    while True:
        request = StopTransactionRequest(
            meter_stop=row.meter_stop,
            timestamp=row.time_end,
            transaction_id=wire_id(row),
            id_tag=row.id_tag_end,
            reason=row.stop_reason,
            transaction_data=data or None,
        )
        if len(data) <= 2 or len(encode(request)) <= max_size:
            return request
        data = thinned(data)


def wire_id(row: TransactionRow) -> int:
    """The id of the CSMS, or the internal negative one while there is none (libocpp 3.5.1)."""
    return row.internal_id if row.transaction_id is None else row.transaction_id


def with_transaction_id(action: str, payload: bytes, row: TransactionRow) -> bytes:
    """`payload` with the transactionId of the CSMS. Unknown (StartTransaction.req was given up): as it was queued."""
    if row.transaction_id is None or action not in ("StopTransaction", "MeterValues"):
        return payload
    members = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    members["transactionId"] = msgspec.Raw(msgspec.json.encode(row.transaction_id))
    return msgspec.json.encode(members)


def samples(session_id: str, *values: MeterValue | None) -> list[Change]:
    """The changes that record meter values for transactionData."""
    return [AddSample(session_id, encode(value)) for value in values if value is not None]


def highest_energy(values: Iterable[MeterValue]) -> float:
    """The largest import register among recorded values, in Wh."""
    return max((energy for value in values if (energy := energy_of(value)) is not None), default=0.0)


def in_order(recorded: Sequence[MeterValue], signed: Sequence[MeterValue], end: MeterValue | None) -> list[MeterValue]:
    """All values of a transaction, oldest first; a signed begin that came with the stop goes to where it belongs."""
    values = [*recorded, *without_double_begin(recorded, signed)]
    if end is not None:
        values.append(end)
    return sorted(values, key=lambda value: value.timestamp)


def without_double_begin(recorded: Sequence[MeterValue], signed: Sequence[MeterValue]) -> list[MeterValue]:
    """Signed values whose context has no signed value among the recorded ones yet (libocpp 3.5.4 rule 2)."""
    known = {sampled.context for value in recorded for sampled in value.sampled_value if sampled.measurand is None}
    return [value for value in signed if value.sampled_value[0].context not in known]


def register_value(register: str, time: datetime, context: ReadingContext) -> MeterValue:
    """The import register alone, where the meter has not been read yet."""
    value = SampledValue(
        value=register,
        context=context,
        format=ValueFormat.Raw,
        measurand=Measurand.Energy_Active_Import_Register,
        unit=UnitOfMeasure.Wh,
        location=Location.Outlet,
    )
    return MeterValue(timestamp=time, sampled_value=(value,))
