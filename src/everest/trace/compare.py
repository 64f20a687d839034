"""Comparing what was said in two traces, channel by channel.

Lives here: `compare` and its result, pure. Printing is in report.py. May not be imported here: replay, manager.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from everest.trace.differences import Rule, text
from everest.trace.normalise import normalise
from everest.trace.said import Statement


@dataclass(frozen=True)
class ChannelDifference:
    """Where two channels differ; `lines` begin with `-` (expected), `+` (said) or a space (both)."""

    channel: str
    lines: list[str]


@dataclass
class Comparison:
    """What differs, and which accepted differences did their work."""

    differences: list[ChannelDifference] = field(default_factory=list)
    compared: int = 0
    """Statements of the first side that were compared."""
    used: set[str] = field(default_factory=set)
    """Names of the rules without which there would be a difference."""
    unused: set[str] = field(default_factory=set)
    """Names of the rules that were asked and changed nothing that matters."""

    @property
    def equal(self) -> bool:
        return not self.differences


def compare(expected: Iterable[Statement], said: Iterable[Statement], rules: Sequence[Rule] = ()) -> Comparison:
    """Compare two lists of statements after normalisation and after the rules."""
    left, right = normalise(expected), normalise(said)
    result = Comparison()
    for rule in rules:
        reduced_left, reduced_right = rule.apply(left), rule.apply(right)
        needed = _lines(_touched(rule, left, reduced_left)) != _lines(_touched(rule, right, reduced_right))
        (result.used if needed else result.unused).add(rule.name)
        left, right = reduced_left, reduced_right
    ours, theirs = _lines(right), _lines(left)
    result.compared = len(left)
    for channel in dict.fromkeys((*theirs, *ours)):
        lines = difference(theirs.get(channel, []), ours.get(channel, []))
        if lines:
            result.differences.append(ChannelDifference(channel, lines))
    return result


def _touched(rule: Rule, before: list[Statement], after: list[Statement]) -> list[Statement]:
    """The statements that a rule changed or left out; those it puts into one order are all touched."""
    if rule.unordered:
        return [item for item in before if rule.matches(item)]
    kept = {id(item) for item in after}
    return [item for item in before if id(item) not in kept]


def _lines(said: Iterable[Statement]) -> dict[str, list[str]]:
    channels: dict[str, list[str]] = {}
    for item in said:
        channels.setdefault(item.channel, []).append(text(item.value))
    return channels


def difference(expected: list[str], said: list[str], context: int = 2) -> list[str]:
    """A unified difference without its header lines; empty when there is none."""
    return list(difflib.unified_diff(expected, said, lineterm="", n=context))[2:]
