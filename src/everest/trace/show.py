"""A trace for people: times from the first record on, short payloads, OCPP frames with their answers.

Lives here: `lines`, text without colour; cli.py prints it. May not be imported here: replay, manager.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from everest.trace.records import RECEIVED, SENT, BusMessage, Frame, Record, Trace
from everest.trace.said import result_of
from everest.trace.topics import Address, address, prefix_of
from everest.trace.world import attributed


@dataclass(frozen=True)
class Shown:
    """One line: seconds since the start, who, what kind, the text."""

    t: float
    who: str
    kind: str
    text: str


def lines(
    trace: Trace, *, module: str | None = None, ocpp: bool = False, grep: str | None = None, width: int = 110
) -> Iterator[Shown]:
    """All records of a trace, or those of one module, of OCPP, or that match a regular expression."""
    trace = attributed(trace)
    prefix, start = prefix_of(trace), trace[0].t if trace else 0.0
    pattern = re.compile(grep) if grep else None
    answers = _answers(trace)
    for record in trace:
        if ocpp and not isinstance(record, Frame):
            continue
        shown = _shown(record, start, prefix, answers)
        if shown is None or (module is not None and not _concerns(record, prefix, module)):
            continue
        if pattern is None or pattern.search(f"{shown.who} {shown.kind} {shown.text}"):
            yield Shown(shown.t, shown.who, shown.kind, short(shown.text, width))


def short(text: str, width: int) -> str:
    """One line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _answers(trace: Trace) -> dict[tuple[str, str], Frame]:
    """(direction of the answer, message id) -> the answering frame."""
    found: dict[tuple[str, str], Frame] = {}
    for record in trace:
        message = record.message() if isinstance(record, Frame) else []
        if isinstance(record, Frame) and message and message[0] in (3, 4):
            found.setdefault((record.direction, str(message[1])), record)
    return found


def _shown(record: Record, start: float, prefix: str, answers: dict[tuple[str, str], Frame]) -> Shown | None:
    t = record.t - start
    if isinstance(record, BusMessage):
        return _message(record, t, prefix)
    if isinstance(record, Frame):
        return _frame(record, t, answers)
    return Shown(t, record.module, "timer", record.timer)


def _frame(record: Frame, t: float, answers: dict[tuple[str, str], Frame]) -> Shown | None:
    message = record.message()
    arrow = {SENT: "→ csms", RECEIVED: "← csms"}.get(record.direction, record.direction)
    if not message:
        return Shown(t, record.module, arrow, record.text)
    if message[0] != 2:
        return None
    text = f"{message[2]} {_json(message[3])}"
    answer = answers.get((RECEIVED if record.direction == SENT else SENT, str(message[1])))
    if answer is None:
        return Shown(t, record.module, arrow, f"(no answer) {text}")
    told = answer.message()
    result = _json(told[2]) if told[0] == 3 else f"CALLERROR {' '.join(str(part) for part in told[2:4])}"
    return Shown(t, record.module, arrow, f"{text} ⇒ {result} ({(answer.t - record.t) * 1000:.0f} ms)")


def _message(record: BusMessage, t: float, prefix: str) -> Shown:
    found = address(record.topic, prefix)
    if found is None:
        return Shown(t, "", "message", f"{record.topic} {'(retained) ' if record.retain else ''}{record.text}")
    data = record.data()
    return Shown(t, found.module, found.kind, f"{found.implementation}.{found.name} {_payload(found, data)}")


def _payload(found: Address, data: Any) -> str:
    if not isinstance(data, dict):
        return _json(data)
    match found.kind:
        case "var":
            return _json(data.get("data"))
        case "cmd":
            return f"from {data.get('origin')}: {_json(data.get('args') or {})}"
        case "result":
            return f"to {found.caller}: {_json(result_of(data))}"
    return f"{data.get('state')} {data.get('severity')} {data.get('message')}"


def _concerns(record: Record, prefix: str, module: str) -> bool:
    """Whether a module said it, or it was said to the module."""
    if not isinstance(record, BusMessage):
        return record.module == module
    found = address(record.topic, prefix)
    if found is None:
        return f"modules/{module}/" in record.topic
    if found.module == module or found.caller == module:
        return True
    data = record.data() if found.kind == "cmd" else None
    return isinstance(data, dict) and data.get("origin") == module


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
