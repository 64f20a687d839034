"""Reading the topics of a trace: which module, which implementation, what kind (bus 1.4); and the trace's own topics.

Lives here: `Address`, `address`, `prefix_of`. May not be imported here: anything but records.
"""

from __future__ import annotations

from typing import NamedTuple

from everest.trace.records import BusMessage, Trace

RECORDING = "everest_trace/recording"
"""Retained, external: `true` while a recording runs, empty otherwise."""

TRACE = "everest_trace/"
"""External: `everest_trace/<module id>` carries what a module adds to a recording (frames, timers)."""


class Address(NamedTuple):
    """A topic below `<P>modules/<module>/impl/`. `caller` is set for the answer to a command."""

    module: str
    implementation: str
    kind: str
    """var, cmd, result or error."""
    name: str
    caller: str = ""

    @property
    def peer(self) -> str:
        return f"{self.module}/{self.implementation}"


def address(topic: str, prefix: str) -> Address | None:
    """The address of a message of an implementation, None for all other topics."""
    levels = topic.removeprefix(prefix).split("/")
    if not topic.startswith(prefix) or len(levels) < 6 or levels[0] != "modules" or levels[2] != "impl":
        return None
    module, implementation, kind, rest = levels[1], levels[3], levels[4], levels[5:]
    if kind == "cmd" and len(rest) == 3 and rest[1] == "response":
        return Address(module, implementation, "result", rest[0], rest[2])
    if kind == "error":
        return Address(module, implementation, kind, "/".join(rest))
    if kind in ("var", "cmd") and len(rest) == 1:
        return Address(module, implementation, kind, rest[0])
    return None


def prefix_of(trace: Trace) -> str:
    """The everest prefix of a trace with its slash, told by the modules' requests for their configuration."""
    for record in trace:
        if isinstance(record, BusMessage):
            if record.topic.endswith("config/request"):
                return record.topic.removesuffix("config/request")
            if "/impl/" in record.topic and "modules/" in record.topic:
                return record.topic.partition("modules/")[0]
    return "everest/"
