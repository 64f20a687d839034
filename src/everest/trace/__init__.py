"""Recording what a station says, replaying it to one module, comparing: the engine behind `everest-trace`.

`load` reads a trace, `replay` plays it to a module and `Replay.compare` tells the difference; see docs/traces.md.
May import: everest.runtime, everest.manager. May not be imported here: modules by name, ocpp16.
"""

from everest.trace.compare import Comparison, compare
from everest.trace.differences import Rule
from everest.trace.differences import load as load_differences
from everest.trace.records import BusMessage, Frame, TimerFired, TraceError, load, save
from everest.trace.replay import Replay, replay

__all__ = [
    "BusMessage",
    "Comparison",
    "Frame",
    "Replay",
    "Rule",
    "TimerFired",
    "TraceError",
    "compare",
    "load",
    "load_differences",
    "replay",
    "save",
]
