"""What a module says, read out of a trace: the side of a conversation that a replay compares.

Lives here: `Statement` and `statements`. A channel is what keeps its order: one variable, one command, one external
topic, the frames to the CSMS. May not be imported here: replay, manager.

    var <implementation>/<variable>          a variable, its value
    error <implementation>                   an error raised or cleared, its ten fields
    cmd <module>/<implementation>/<command>  a command called at somebody else, its arguments
    result <implementation>/<command>        the answer to a command, its result or its error
    external <topic>                         text on an external topic
    ocpp                                     a CALL, as [action, payload]
    ocpp answer                              the answer to a CALL, as [3 or 4, action, payload or error code]
    timer <name>                             a named timer that fired, as its whole name (`sampling[<id>]`)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from everest.trace.records import RECEIVED, SENT, BusMessage, Frame, Record, TimerFired, Trace
from everest.trace.topics import TRACE, address

OCPP = "ocpp"
OCPP_ANSWER = "ocpp answer"
"""Between answers and own CALLs there is no promised order."""
TIMER = "timer "
"""Nor between timers of different names."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said; `value` is JSON."""

    t: float
    channel: str
    value: Any


def statements(trace: Iterable[Record], module: str, prefix: str, externals: Collection[str] = ()) -> list[Statement]:
    """All that `module` says in a trace, in its order; `externals` are the external topics that it publishes on.

    A trace does not tell who published on an external topic, so the caller has to know.
    """
    found: list[Statement] = []
    actions: dict[str, str] = {}
    for record in trace:
        if isinstance(record, Frame):
            statement = _frame(record, actions) if record.module == module else None
        elif isinstance(record, BusMessage):
            statement = _message(record, module, prefix, externals)
        else:
            statement = _timer(record) if record.module == module else None
        if statement is not None:
            found.append(statement)
    return found


def says(record: Record, module: str, prefix: str) -> bool:
    """Whether `module` says something in this record."""
    return bool(statements([record], module, prefix))


def _timer(record: TimerFired) -> Statement:
    return Statement(record.t, TIMER + record.timer.partition("[")[0], record.timer)


def tells_timers(said: Iterable[Statement]) -> bool:
    """Whether there is a timer among the statements; recordings of a real EVerest hold none."""
    return any(item.channel.startswith(TIMER) for item in said)


def without_timers(said: Iterable[Statement]) -> list[Statement]:
    return [item for item in said if not item.channel.startswith(TIMER)]


def _frame(record: Frame, actions: dict[str, str]) -> Statement | None:
    message = record.message()
    if not message:
        return None
    if record.direction == RECEIVED:
        if message[0] == 2:
            actions[message[1]] = message[2]
        return None
    if record.direction != SENT:
        return None
    if message[0] == 2:
        return Statement(record.t, OCPP, [message[2], message[3]])
    return Statement(record.t, OCPP_ANSWER, [message[0], actions.get(message[1], "unknown"), message[2]])


def _message(record: BusMessage, module: str, prefix: str, externals: Collection[str]) -> Statement | None:
    if not record.topic.startswith(prefix):
        if record.topic in externals and not record.topic.startswith(TRACE):
            return Statement(record.t, f"external {record.topic}", record.text)
        return None
    found = address(record.topic, prefix)
    if found is None or (found.module != module and found.kind != "cmd"):
        return None
    data = record.data()
    if found.module != module:
        if isinstance(data, dict) and data.get("origin") == module:
            return Statement(record.t, f"cmd {found.peer}/{found.name}", data.get("args") or {})
        return None
    match found.kind:
        case "var":
            value = data.get("data") if isinstance(data, dict) else None
            return Statement(record.t, f"var {found.implementation}/{found.name}", value)
        case "error":
            return Statement(record.t, f"error {found.implementation}", data)
        case "result":
            return Statement(record.t, f"result {found.implementation}/{found.name}", result_of(data))
    return None


def result_of(data: Any) -> Any:
    """The result of a command out of `data` of a CmdResult (bus 3.2): the value, or `{"error", "message"}`."""
    result = data.get("data") if isinstance(data, dict) else None
    if not isinstance(result, dict):
        return None
    failure = result.get("error")
    if isinstance(failure, dict):
        return {"error": failure.get("__everest__error_type", ""), "message": failure.get("__everest__error_msg", "")}
    return result.get("retval")


def module_ids(trace: Trace, prefix: str) -> dict[str, str]:
    """Module id -> module name, of all modules whose configuration the trace holds."""
    found: dict[str, str] = {}
    for record in trace:
        if isinstance(record, BusMessage) and record.topic.startswith(f"{prefix}modules/"):
            levels = record.topic.removeprefix(prefix).split("/")
            if len(levels) == 3 and levels[2] == "metadata":
                data = record.data()
                found[levels[1]] = str(data.get("module", "")) if isinstance(data, dict) else ""
    return found


def speakers(trace: Trace, prefix: str) -> list[str]:
    """Ids of all modules that say something in a trace, whether it holds their start or not."""
    found: dict[str, None] = {}
    for record in trace:
        if not isinstance(record, BusMessage):
            found[record.module] = None
        elif (told := address(record.topic, prefix)) is not None:
            found[told.module] = None
    return [module for module in found if module]
