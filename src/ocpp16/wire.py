"""OCPP-J frames: `[2|3|4, id, ...]` <-> `Call`, `CallResult`, `CallError`, and the answers to broken frames.

    [2, "<id>", "<action>", {payload}]                          Call
    [3, "<id>", {payload}]                                      CallResult
    [4, "<id>", "<code>", "<description>", {details}]           CallError

The payload stays raw JSON here; its class decodes it later (`messages.decode_request`). What breaks the frame is
answered as libocpp 3.3 says. May import: messages, actions. Must not import: connection, dispatcher, anything async.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from ocpp16.actions import ACTIONS
from ocpp16.messages import PayloadError, Violation

MAX_MESSAGE_ID = 36
MAX_DESCRIPTION = 255
UNKNOWN_ID = "-1"
"""The message id of a CALLERROR to a frame whose own id cannot be known."""


class ErrorCode(StrEnum):
    """Error codes of OCPP-J 1.6, in its spelling."""

    NotImplemented = "NotImplemented"
    NotSupported = "NotSupported"
    InternalError = "InternalError"
    ProtocolError = "ProtocolError"
    SecurityError = "SecurityError"
    FormationViolation = "FormationViolation"
    PropertyConstraintViolation = "PropertyConstraintViolation"
    OccurenceConstraintViolation = "OccurenceConstraintViolation"
    TypeConstraintViolation = "TypeConstraintViolation"
    GenericError = "GenericError"


class Call(msgspec.Struct, frozen=True):
    """A request. `payload` is its JSON text."""

    message_id: str
    action: str
    payload: bytes


class CallResult(msgspec.Struct, frozen=True):
    """The answer to the CALL of this id. `payload` is its JSON text."""

    message_id: str
    payload: bytes


class CallError(msgspec.Struct, frozen=True):
    """The refusal of the CALL of this id. `code` is a plain text: a peer may send codes that nobody knows."""

    message_id: str
    code: str
    description: str = ""
    details: dict[str, Any] = {}


Frame = Call | CallResult | CallError


class FrameError(Exception):
    """A received frame is broken. `answer` is the CALLERROR to send; None: log it and send nothing."""

    def __init__(self, reason: str, answer: CallError | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answer = answer


def parse(frame: str | bytes) -> Frame:
    """Read a frame. Binary frames are read as UTF-8 text (libocpp 12.14). FrameError as libocpp 3.3 says.

    Nesting is bounded by the interpreter's recursion limit: what is deeper counts as not JSON.
    """
    parts = _split(frame)
    message_type = _value(parts[0])
    if isinstance(message_type, bool) or message_type not in (2, 3, 4):
        raise FrameError(f"message type {_brief(parts[0])} is none of 2, 3, 4", None)
    if len(parts) < 2:
        raise _unknown_id("the frame has fewer than two elements")
    message_id = _value(parts[1])
    if message_type == 2:
        return _parse_call(parts, message_id)
    if not isinstance(message_id, str):
        raise FrameError(f"an answer to the message id {_brief(parts[1])}, which is no text", None)
    return _parse_result(parts, message_id) if message_type == 3 else _parse_error(parts, message_id)


def _split(frame: str | bytes) -> list[msgspec.Raw]:
    try:
        parts = msgspec.json.decode(frame if isinstance(frame, str) else frame.decode(), type=list[msgspec.Raw])
    except RecursionError as error:
        raise _unknown_id("the frame is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise _unknown_id("the frame is no JSON array") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _unknown_id(f"the frame is not JSON: {error}") from error
    if not parts:
        raise _unknown_id("the frame has fewer than two elements")
    return parts


def _parse_call(parts: list[msgspec.Raw], message_id: Any) -> Call:
    if not isinstance(message_id, str) or len(message_id) > MAX_MESSAGE_ID:
        raise _unknown_id(f"the message id is no text of at most {MAX_MESSAGE_ID} characters")
    action = _value(parts[2]) if len(parts) > 2 else None
    if not isinstance(action, str):
        raise _unknown_id("the action is missing or no text")
    if action not in ACTIONS:
        raise _refuse(message_id, ErrorCode.NotImplemented, f"unknown action {action[:50]!r}")
    if len(parts) < 4:
        raise _no_payload(message_id, Violation.OccurenceConstraintViolation, "the payload is missing")
    if not _is_object(parts[3]):
        raise _no_payload(message_id, Violation.TypeConstraintViolation, "the payload is no JSON object")
    return Call(message_id, action, bytes(parts[3]))


def _parse_result(parts: list[msgspec.Raw], message_id: str) -> CallResult:
    """A payload that is missing stays empty: its decoding then ends the CALL in flight (libocpp 12.15)."""
    return CallResult(message_id, bytes(parts[2]) if len(parts) > 2 else b"")


def _parse_error(parts: list[msgspec.Raw], message_id: str) -> CallError:
    """Lenient: whatever the rest looks like, the CALL has been refused."""
    code, description, details = ([_value(part) for part in parts[2:5]] + [None] * 3)[:3]
    return CallError(
        message_id,
        code if isinstance(code, str) else ErrorCode.GenericError.value,
        description if isinstance(description, str) else "",
        details if isinstance(details, dict) else {},
    )


def _value(part: msgspec.Raw) -> Any:
    """The JSON value, or None for what cannot be a plain value (numbers out of range, absurd nesting)."""
    try:
        return msgspec.json.decode(part)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _is_object(part: msgspec.Raw) -> bool:
    return bytes(part)[:1] == b"{"


def _brief(part: msgspec.Raw) -> str:
    return bytes(part)[:40].decode(errors="replace")


def _unknown_id(reason: str) -> FrameError:
    return _refuse(UNKNOWN_ID, ErrorCode.GenericError, reason)


def _refuse(message_id: str, code: ErrorCode, reason: str) -> FrameError:
    return FrameError(reason, CallError(message_id, code.value, reason))


def _no_payload(message_id: str, violation: Violation, reason: str) -> FrameError:
    return FrameError(reason, call_error_for(message_id, PayloadError(violation, "", "object", reason)))


def call_error_for(message_id: str, error: PayloadError) -> CallError:
    """The answer to a CALL whose payload breaks its schema (libocpp 3.3)."""
    details = {"violation": error.violation.value, "path": error.path, "expected": error.expected}
    return CallError(message_id, ErrorCode.FormationViolation.value, error.text, details)


def encode_call(message_id: str, action: str, payload: bytes) -> str:
    """The text of a CALL frame. `payload` as from `messages.encode_payload`."""
    return _text((2, message_id, action, msgspec.Raw(payload)))


def encode_call_result(message_id: str, payload: bytes) -> str:
    """The text of a CALLRESULT frame."""
    return _text((3, message_id, msgspec.Raw(payload)))


def encode_call_error(error: CallError) -> str:
    """The text of a CALLERROR frame; the description is cut to 255 characters."""
    return _text((4, error.message_id, error.code, error.description[:MAX_DESCRIPTION], error.details))


def encode(frame: Frame) -> str:
    """The text of any frame."""
    match frame:
        case Call():
            return encode_call(frame.message_id, frame.action, frame.payload)
        case CallResult():
            return encode_call_result(frame.message_id, frame.payload)
        case CallError():
            return encode_call_error(frame)


def _text(frame: tuple[Any, ...]) -> str:
    return msgspec.json.encode(frame).decode()
