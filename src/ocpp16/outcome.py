"""What can become of a CALL of ours, and what that means for its message. Pure.

May import: messages, wire, queue. Must not import: the dispatcher, any capability.
"""

from __future__ import annotations

import msgspec

from ocpp16 import queue
from ocpp16.messages import AuthorizationStatus, IdTagInfo, Response, StartTransactionResponse
from ocpp16.messages.base import Integer
from ocpp16.messages.codec import PayloadError, decode_response
from ocpp16.wire import CallError, CallResult


class Answered(msgspec.Struct, frozen=True):
    """The CSMS answered with a valid CALLRESULT."""

    response: Response


class Refused(msgspec.Struct, frozen=True):
    """The CSMS answered with a CALLERROR."""

    code: str
    description: str


class Malformed(msgspec.Struct, frozen=True):
    """The CALLRESULT could not be decoded (libocpp 12.15)."""

    reason: str


class TimedOut(msgspec.Struct, frozen=True):
    pass


class Offline(msgspec.Struct, frozen=True):
    """Not sent, or the connection was lost before the answer."""


Outcome = Answered | Refused | Malformed | TimedOut | Offline


def outcome_of(action: str, frame: CallResult | CallError) -> Outcome:
    if isinstance(frame, CallError):
        return Refused(frame.code, frame.description)
    try:
        return Answered(decode_response(action, frame.payload))
    except PayloadError as error:
        started = _started(frame.payload) if action == "StartTransaction" else None
        return Malformed(str(error)) if started is None else Answered(started)


class _Info(msgspec.Struct):
    status: AuthorizationStatus


class _Started(msgspec.Struct, rename="camel"):
    transaction_id: Integer
    id_tag_info: _Info


def _started(payload: bytes) -> StartTransactionResponse | None:
    """Id and status out of a StartTransaction.conf that breaks its schema elsewhere (an empty expiryDate, an id written
    as text): the CSMS has begun the transaction. Refused, it would be begun again and stopped by an id nobody knows."""
    try:
        read = msgspec.json.decode(payload, type=_Started, strict=False)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return StartTransactionResponse(
        transaction_id=read.transaction_id, id_tag_info=IdTagInfo(status=read.id_tag_info.status)
    )


def is_final(action: str, outcome: Outcome) -> bool:
    """Whether the CSMS has processed the message (see `queue.ANSWER_NEEDED`)."""
    return isinstance(outcome, Answered) or (isinstance(outcome, Malformed) and action not in queue.ANSWER_NEEDED)


def in_words(outcome: Outcome) -> str:
    match outcome:
        case Refused(code, description):
            return f"CALLERROR {code} {description}".rstrip()
        case Malformed(reason):
            return f"malformed answer: {reason}"
        case TimedOut():
            return "no answer in time"
        case _:
            return type(outcome).__name__
