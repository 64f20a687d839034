"""docs/reference/broken-input.md: what the station does with each sort of wrong input from the CSMS.

`TABLE` is literal, and is executed over a real websocket by tests/ocpp16/test_broken_input.py: answer, close code, log
line and reconnect of every row. May import: wire, connection.websocket (for its limit). Must not import: charge_point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ocpp16.connection.websocket import LARGEST_FRAME
from ocpp16.documentation.markdown import GENERATED, code, table
from ocpp16.wire import UNKNOWN_ID, ErrorCode

ID = "7"
"""The message id in the frames of the table."""

_LONG = 10 * 2**20
_DEEP = 100_000
FLOOD = 100_000
"""Frames of the burst."""


class BrokenInput(NamedTuple):
    """One row. `frames` is what is sent; `shown` stands for it on the page where it is too long."""

    what: str
    frames: Callable[[], list[str | bytes]]
    answer: str | None
    """A CALLERROR's code, `CALLRESULT`, or None for no answer."""
    answer_id: str | None = ID
    log: str = ""
    """A part of the log line; empty where there is nothing to say."""
    security_event: bool = False
    """InvalidMessages is raised."""
    close: int | None = None
    """The code with which the station closes."""
    as_text: bool = True
    """The opcode of the frames is text."""
    shown: str = ""


def _frames(*frames: str | bytes) -> Callable[[], list[str | bytes]]:
    return lambda: list(frames)


def _call(action: str, payload: str) -> Callable[[], list[str | bytes]]:
    return _frames(f'[2,"{ID}","{action}",{payload}]')


FORMATION, GENERIC = ErrorCode.FormationViolation.value, ErrorCode.GenericError.value
CALLRESULT = "CALLRESULT"

# fmt: off
TABLE = (
    # --- the payload of a CALL
    BrokenInput("a required member is missing", _call("ChangeConfiguration", '{"key":"HeartbeatInterval"}'),
        FORMATION, log="ChangeConfiguration refused", security_event=True),
    BrokenInput("a member too many", _call("GetLocalListVersion", '{"colour":"red"}'),
        CALLRESULT, log="additional member, left out"),
    BrokenInput("a text that is too long", _call("ChangeConfiguration", f'{{"key":"{"x" * 51}","value":"1"}}'),
        FORMATION, log="ChangeConfiguration refused", security_event=True),
    BrokenInput("a payload that is no object", _call("ReserveNow", "[]"), FORMATION, log="no JSON object"),
    BrokenInput("a wrong type", _call("UnlockConnector", '{"connectorId":"1"}'),
        FORMATION, log="UnlockConnector refused", security_event=True),
    BrokenInput("an integer with a fraction", _call("UnlockConnector", '{"connectorId":1.5}'),
        FORMATION, log="UnlockConnector refused", security_event=True),
    BrokenInput("a number beyond all bounds", _call("UnlockConnector", '{"connectorId":1e999}'),
        FORMATION, log="UnlockConnector refused", security_event=True),
    BrokenInput("an unknown value of an enumeration", _call("Reset", '{"type":"Medium"}'),
        FORMATION, log="Reset refused", security_event=True),
    BrokenInput("a time that cannot be read",
        _call("ReserveNow", '{"connectorId":1,"expiryDate":"tomorrow","idTag":"A","reservationId":1}'),
        FORMATION, log="ReserveNow refused", security_event=True),
    BrokenInput("no payload", _frames(f'[2,"{ID}","ClearCache"]'), FORMATION, log="the payload is missing"),
    # --- the CALL itself
    BrokenInput("an action that OCPP 1.6 does not know", _call("MakeCoffee", "{}"),
        ErrorCode.NotImplemented.value, log="unknown action 'MakeCoffee'"),
    BrokenInput("an action that only stations send", _call("StartTransaction", "{}"),
        ErrorCode.NotSupported.value, log="CALL that this station does not take up: StartTransaction"),
    BrokenInput("an action whose feature profile is not active", _call("GetCompositeSchedule", "{}"),
        ErrorCode.NotSupported.value, log="CALL that this station does not take up: GetCompositeSchedule"),
    BrokenInput("a message id that was used before",
        _frames(f'[2,"{ID}","GetLocalListVersion",{{}}]', f'[2,"{ID}","GetLocalListVersion",{{}}]'),
        CALLRESULT, log=f"Message id used again: {ID}"),
    BrokenInput("a message id of more than 36 characters", _frames(f'[2,"{"x" * 37}","ClearCache",{{}}]'),
        GENERIC, UNKNOWN_ID, log="the message id is no text of at most 36 characters"),
    BrokenInput("a message id that is no text", _frames('[2,7,"ClearCache",{}]'),
        GENERIC, UNKNOWN_ID, log="the message id is no text"),
    BrokenInput("no action", _frames(f'[2,"{ID}",{{}}]'), GENERIC, UNKNOWN_ID, log="the action is missing or no text"),
    BrokenInput("elements after the payload", _frames(f'[2,"{ID}","GetLocalListVersion",{{}},"more"]'), CALLRESULT),
    # --- answers
    BrokenInput("a CALLRESULT for no CALL", _frames(f'[3,"{ID}",{{}}]'),
        None, log=f"CALLRESULT for no CALL in flight ignored: {ID}"),
    BrokenInput("a CALLERROR for no CALL", _frames(f'[4,"{ID}","GenericError","",{{}}]'),
        None, log=f"CALLERROR for no CALL in flight ignored: {ID}"),
    BrokenInput("a message type that does not exist", _frames(f'[5,"{ID}",{{}}]'), None, log="none of 2, 3, 4"),
    # --- no frame of OCPP-J
    BrokenInput("an empty frame", _frames(""), GENERIC, UNKNOWN_ID, log="the frame is not JSON"),
    BrokenInput("no JSON", _frames("hello"), GENERIC, UNKNOWN_ID, log="the frame is not JSON"),
    BrokenInput("JSON that is cut off", _frames(f'[2,"{ID}","ClearCa'), GENERIC, UNKNOWN_ID,
        log="the frame is not JSON"),
    BrokenInput("JSON that is no array", _frames('{"action":"ClearCache"}'), GENERIC, UNKNOWN_ID,
        log="the frame is no JSON array"),
    BrokenInput("an empty array", _frames("[]"), GENERIC, UNKNOWN_ID, log="fewer than two elements"),
    BrokenInput("deep nesting", lambda: ["[" * _DEEP + "]" * _DEEP], GENERIC, UNKNOWN_ID,
        log="nested too deeply", shown="[[[[ ... ]]]] (100,000 levels)"),
    BrokenInput("deep nesting in a payload",
        lambda: [f'[2,"{ID}","DataTransfer",{{"vendorId":"V","data":{"[" * _DEEP}{"]" * _DEEP}}}]'],
        GENERIC, UNKNOWN_ID, log="nested too deeply", shown='{"data": [[[[ ... ]]]]} (100,000 levels)'),
    # --- the websocket
    BrokenInput("a binary frame", _frames(f'[2,"{ID}","GetLocalListVersion",{{}}]'.encode()), CALLRESULT,
        as_text=False),
    BrokenInput("a text frame that is no UTF-8", _frames(b'[2,"7","ClearCache",{"\xff\xfe":1}]'), GENERIC, UNKNOWN_ID,
        log="the frame is not JSON", shown='[2,"7","ClearCache",{"\\xff\\xfe":1}]'),
    BrokenInput(f"a frame of more than {LARGEST_FRAME:,} bytes (10 MB)",
        lambda: [f'[2,"{ID}","DataTransfer",{{"vendorId":"{"x" * _LONG}"}}]'], None, None,
        log="The connection is lost", close=1009, shown='{"vendorId":"xxxx..."} (10 MB)'),
)
# fmt: on
"""Each row is sent to a station that is connected and accepted."""

HEAD = f"""# Wrong input from the CSMS

What the station does with each sort of wrong input. Whatever comes, it does not end, does not block and forgets
nothing: after every row it answers the next CALL, on the same connection or, where it had to close, on the next one,
and a transaction that begins meanwhile reaches the CSMS.

- `{ID}` is the message id of the frames, `-1` the one of answers to frames whose id cannot be known.
- CALLERROR FormationViolation says in `errorDetails` which rule was broken (`violation`), where (`path`), and what was
  expected; the sentence is in `errorDescription`.
- **Log** is a part of the line in the log of the station. In a flood the first ten of a kind are logged, then the
  100th, the 1,000th and so on, with the number so far.
- **Event**: the security event InvalidMessages is written to the security log and told to the integrator.
- Closed connections are dialled again after the waits of RetryBackoffWaitMinimum, RetryBackoffRandomRange and
  RetryBackoffRepeatTimes; all other input leaves the connection open. Close code 1007 is never used: text that is no
  UTF-8 gets its CALLERROR like anything else that is no JSON.

"""

FLOODS = f"""
## Floods

- **{FLOOD:,} frames in a burst**: CALLs are answered one after the other in the order they came; answers for no CALL
  are gone through as they come. Nothing of what the station itself has to say is lost, and it waits 10 s at most.
- **More than 16 MB of CALLs that wait for their turn** (a kilobyte each, and their characters): the station
  reads on when the line is shorter; until then the frames wait in the network, and the CSMS is slowed down.
"""


def page() -> str:
    """The whole page."""
    columns = ("Input", "For example", "Answer", "Message id", "Close code", "Reconnect", "Event", "Log")
    return f"{GENERATED}{HEAD}{table(columns, map(_row, TABLE))}{FLOODS}"


def _row(row: BrokenInput) -> tuple[object, ...]:
    shown = row.shown or " then ".join(
        str(frame if isinstance(frame, str) else frame.decode()) for frame in row.frames()
    )
    answer = row.answer if row.answer in (None, CALLRESULT) else f"CALLERROR {row.answer}"
    return (
        row.what,
        code(shown if len(shown) <= 90 else f"{shown[:80]}..."),
        answer or "none",
        code(row.answer_id) if row.answer else "",
        row.close,
        "yes" if row.close else "no",
        "InvalidMessages" if row.security_event else "",
        row.log,
    )
