"""What can become of a CALL of ours, and what that means for its message. Pure.

May import: messages, wire, queue. Must not import: the dispatcher, any capability.
"""

from __future__ import annotations

import msgspec

from ocpp16 import queue
from ocpp16.messages import Response
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
        return Malformed(str(error))


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
