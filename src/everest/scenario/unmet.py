"""What a failed step says: what was expected, what came nearest to it, what there was instead. Pure.

Lives here: `Unmet` and the words for it. Expectations are in expectations.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from everest.scenario.csms import Frame
from everest.scenario.matching import differences

MANY = 12
"""So many messages are told at most."""
LONG = 200
"""Longest line about one message, but the nearest, which is told in full up to `NEAREST`."""
NEAREST = 2000

Fields = dict[str, Any]


class Unmet(Exception):
    """A step failed; the text says what was expected, `details` are lines about what came instead."""

    def __init__(self, text: str, *details: str) -> None:
        super().__init__(text)
        self.details = details


def missing(
    action: str,
    fits: Fields,
    within: float,
    calls: Sequence[Frame],
    used: Collection[int],
    began: float,
    after: str = "",
) -> Unmet:
    """No CALL like this among `calls`; those in `used` have fulfilled other steps."""
    wanted = " ".join(part for part in (beside(action, fits), after) if part)
    text = f"no {wanted} within {within:g} s"
    near = nearest(action, fits, calls)
    details = []
    if near is not None:
        wrong = "; ".join(differences(fits, near.payload))
        if not wrong:
            wrong = "another step had it already" if id(near) in used else "it came before"
        text += f"; nearest: {wrong}"
        details.append(f"nearest  {_line(near, began, NEAREST)}")
    said = [_line(frame, began) for frame in calls[-MANY:]]
    more = f" (the last {MANY} of {len(calls)})" if len(calls) > MANY else ""
    details.append(f"the station has said since the last doing step{more}: {'' if said else 'nothing'}".rstrip())
    return Unmet(text if near is not None else f"{text}; there was {_actions(calls)}", *details, *said)


def nearest(action: str, fits: Fields, calls: Sequence[Frame]) -> Frame | None:
    """The CALL of this action with the fewest fields that do not fit, the latest of equals."""
    same = [frame for frame in calls if frame.action == action]
    return min(reversed(same), key=lambda frame: len(differences(fits, frame.payload)), default=None)


def beside(action: str, fits: Fields) -> str:
    return f"{action} {shown(fits)}" if fits else action


def shown(payload: Any, limit: int = LONG) -> str:
    """A payload in one line that is not too long."""
    text = json.dumps(payload, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}..."


def stamp(seconds: float) -> str:
    """Time of a scenario: `0:02:03.5`."""
    minutes, rest = divmod(max(round(seconds, 1), 0.0), 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:04.1f}"


def _line(frame: Frame, began: float, limit: int = LONG) -> str:
    return f"{stamp(frame.time - began)}  {frame.action} {shown(frame.payload, limit)}"


def _actions(calls: Sequence[Frame]) -> str:
    return ", ".join(str(frame.action) for frame in calls[-MANY:]) or "nothing"
