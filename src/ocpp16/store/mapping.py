"""Rows of the database <-> the structs of `rows.py`. Pure. Must not import: peewee, asyncio."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ocpp16.messages import AuthorizationStatus, IdTagInfo, Reason
from ocpp16.store.common import folded
from ocpp16.store.rows import AuthorizationEntry, DeadLetter, QueuedMessage, QueueName, TransactionRow

Row = dict[str, Any]


def time_to_text(time: datetime) -> str:
    """UTC with microseconds, always the same length: the texts sort like the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def time_from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_text(time: datetime | None) -> str | None:
    return None if time is None else time_to_text(time)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else time_from_text(text)


def message_to_row(message: QueuedMessage) -> Row:
    return {
        "KEY": message.key,
        "UNIQUE_ID": message.message_id,
        "MESSAGE": message.payload.decode(),
        "MESSAGE_TYPE": message.action,
        "MESSAGE_ATTEMPTS": message.attempts,
        "MESSAGE_TIMESTAMP": time_to_text(message.timestamp),
        "SENT": message.sent,
        "SESSION_ID": message.session_id,
    }


def message_from_row(row: Row, queue: QueueName) -> QueuedMessage:
    return QueuedMessage(
        key=row["KEY"],
        queue=queue,
        message_id=row["UNIQUE_ID"],
        action=row["MESSAGE_TYPE"],
        payload=row["MESSAGE"].encode(),
        timestamp=time_from_text(row["MESSAGE_TIMESTAMP"]),
        attempts=row["MESSAGE_ATTEMPTS"],
        sent=bool(row["SENT"]),
        session_id=row["SESSION_ID"],
    )


def dead_letter_to_row(letter: DeadLetter) -> Row:
    message = message_to_row(letter.message)
    return message | {"QUEUE": letter.message.queue, "REASON": letter.reason, "TIME": time_to_text(letter.time)}


def dead_letter_from_row(row: Row) -> DeadLetter:
    return DeadLetter(message_from_row(row, QueueName(row["QUEUE"])), row["REASON"], time_from_text(row["TIME"]))


def transaction_to_row(row: TransactionRow) -> Row:
    return {
        "ID": row.session_id,
        "INTERNAL_ID": row.internal_id,
        "TRANSACTION_ID": row.transaction_id,
        "CONNECTOR": row.connector,
        "ID_TAG_START": row.id_tag_start,
        "TIME_START": time_to_text(row.time_start),
        "METER_START": row.meter_start,
        "CSMS_ACK": row.csms_ack,
        "METER_LAST": row.meter_last,
        "METER_LAST_TIME": time_to_text(row.meter_last_time),
        "RESERVATION_ID": row.reservation_id,
        "PARENT_ID_TAG": row.parent_id_tag,
        "ID_TAG_END": row.id_tag_end,
        "TIME_END": _optional_text(row.time_end),
        "METER_STOP": row.meter_stop,
        "STOP_REASON": row.stop_reason,
        "PAUSE_AT": row.pause_at,
    }


def transaction_from_row(row: Row) -> TransactionRow:
    return TransactionRow(
        session_id=row["ID"],
        internal_id=row["INTERNAL_ID"],
        transaction_id=row["TRANSACTION_ID"],
        connector=row["CONNECTOR"],
        id_tag_start=row["ID_TAG_START"],
        time_start=time_from_text(row["TIME_START"]),
        meter_start=row["METER_START"],
        csms_ack=bool(row["CSMS_ACK"]),
        meter_last=row["METER_LAST"],
        meter_last_time=time_from_text(row["METER_LAST_TIME"]),
        reservation_id=row["RESERVATION_ID"],
        parent_id_tag=row["PARENT_ID_TAG"],
        id_tag_end=row["ID_TAG_END"],
        time_end=_optional_time(row["TIME_END"]),
        meter_stop=row["METER_STOP"],
        stop_reason=None if row["STOP_REASON"] is None else Reason(row["STOP_REASON"]),
        pause_at=row["PAUSE_AT"],
    )


def authorization_to_row(entry: AuthorizationEntry) -> Row:
    return {
        "FOLDED_ID_TAG": folded(entry.id_tag),
        "ID_TAG": entry.id_tag,
        "AUTH_STATUS": entry.info.status,
        "EXPIRY_DATE": _optional_text(entry.info.expiry_date),
        "PARENT_ID_TAG": entry.info.parent_id_tag,
    }


def authorization_from_row(row: Row) -> AuthorizationEntry:
    info = IdTagInfo(
        status=AuthorizationStatus(row["AUTH_STATUS"]),
        expiry_date=_optional_time(row["EXPIRY_DATE"]),
        parent_id_tag=row["PARENT_ID_TAG"],
    )
    return AuthorizationEntry(id_tag=row["ID_TAG"], info=info)
