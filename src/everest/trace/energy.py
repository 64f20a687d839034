"""Do energy and power add up in a recording? `python -m everest.trace.energy RECORDING...` says so for every meter.

For each meter, and each stretch in which its registers were not reset: what the register of import (export) grew by
must be the integral of the positive (negative) power it showed, within 1 Wh and 0.5 %, at every reading.

Pure but for `main` and `read`.

Between two readings the power is taken as a straight line. Where it jumps (the contactor switched in between) only its
bounds are known, and the register must lie within them. A meter whose readings were thinned out is not judged. A
register falls where a session begins or ends, the module starts anew or the station was off; elsewhere that is a fault.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from everest.trace.records import BusMessage, TraceError, load

TOLERANCE_WH = 1.0
TOLERANCE_SHARE = 0.005
MAX_GAP_S = 2.5
"""Readings further apart say too little about the power between them; a meter reads twice a second."""
OUTAGE_S = 30.0
"""After so long without a reading the station had been off, if its register shows no more than the last moments."""
JUMP_SHARE = 0.1
"""Power that changes by more than this share of the larger value between two readings has jumped."""
PHASES = ("L1", "L2", "L3")
UNDER_WAY = ("TransactionStarted", "ChargingStarted", "SessionFinished")
"""Session events after which no register is set to 0 any more: that happens at plug in, which may come long after a
session that began with the card."""

ADDS_UP, WRONG, UNREADABLE, NOTHING = 0, 1, 2, 3
"""Exit statuses."""
SEVERITY = (ADDS_UP, NOTHING, WRONG, UNREADABLE)
"""The last one that occurred is the status of several files."""

Skipped = Counter[tuple[str, str]]
"""(meter or topic, what is wrong with its reading) -> how often."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading: seconds, registers in Wh, power in W (negative: out of the car); how many sessions had begun before
    it. `reset`: a register fell since the reading before, and may have been set to 0 in between.
    """

    t: float
    energy_Wh: float
    power_W: float
    sessions: int = 0
    export_Wh: float | None = None
    reset: bool = False


class Point(NamedTuple):
    """A reading in one direction: the register, and the power that it counts."""

    t: float
    energy_Wh: float
    power_W: float


@dataclass(frozen=True, slots=True)
class Balance:
    """What came out for one stretch of one meter. `worst_Wh`: how far the register was off at most."""

    meter: str
    readings: int
    seconds: float
    energy_Wh: float
    integral_Wh: float
    worst_Wh: float
    holds: bool | None
    """None: there is one reading alone, or they lie too far apart where energy was counted; nothing can be said."""
    fault: str = ""
    """What else is wrong: the register fell."""

    def __str__(self) -> str:
        number = f"{self.readings} readings in {self.seconds:.0f} s"
        if self.holds is None:
            why = "readings too far apart" if self.readings > 1 else "too few readings"
            return f"{self.meter}: {why} to judge: {self.energy_Wh:.1f} Wh counted, {number}"
        return (
            f"{self.meter}: {'adds up' if self.holds else 'DOES NOT ADD UP'}: "
            f"{f'{self.fault}; ' if self.fault else ''}{self.energy_Wh:.1f} Wh counted, "
            f"{self.integral_Wh:.1f} Wh from the power, at most {self.worst_Wh:.2f} Wh apart, {number}"
        )


# --- what a recording holds ------------------------------------------------------------------------------------------


@dataclass
class Module:
    """What a module said about its registers, but for the readings."""

    sessions: int = 0
    has_sessions: bool = False
    marks: list[float] = field(default_factory=list)
    """When a session began or ended, or the module was ready."""
    waits: list[tuple[float, float]] = field(default_factory=list)
    """From the start of a session until its transaction is under way; that of the last one may be open."""

    def session(self, t: float, event: str) -> None:
        self.has_sessions = True
        if event in UNDER_WAY:
            self._waits_no_more(t)
        if event in ("SessionStarted", "SessionFinished"):
            self.marks.append(t)
        if event == "SessionStarted":
            self.sessions += 1
            self.waits.append((t, math.inf))

    def ready(self, t: float) -> None:
        """It has started, perhaps anew: what was about to begin is over."""
        self._waits_no_more(t)
        self.marks.append(t)

    def _waits_no_more(self, t: float) -> None:
        if self.waits and self.waits[-1][1] == math.inf:
            self.waits[-1] = (self.waits[-1][0], t)

    def may_reset(self, before: Sample, now: Sample) -> bool:
        """Whether its registers may have been set to 0 between two readings."""
        first, last = sorted((before.t, now.t))
        flows = before.power_W != 0.0 and now.power_W != 0.0
        return any(first - MAX_GAP_S <= mark <= last + MAX_GAP_S for mark in self.marks) or (
            not flows and any(begin <= last and first <= end for begin, end in self.waits)
        )


def samples(records: Iterable[tuple[float, str, str]], skipped: Skipped | None = None) -> dict[str, list[Sample]]:
    """Readings by meter (`<module>/<implementation>`), from (t, topic, payload) of bus messages.

    `skipped` takes what cannot be read as a reading or a session event.
    """
    found: dict[str, list[Sample]] = {}
    modules: dict[str, Module] = {}
    skipped = Counter() if skipped is None else skipped
    for t, topic, payload in records:
        levels = topic.split("/")
        if len(levels) >= 3 and levels[-3] == "modules" and levels[-1] == "ready":
            modules.setdefault(levels[-2], Module()).ready(t)
        elif len(levels) >= 5 and levels[-2:] in (["var", "powermeter"], ["var", "session_event"]):
            module, name = modules.setdefault(levels[-5], Module()), f"{levels[-5]}/{levels[-3]}"
            what = _said(t, payload, module, session=levels[-1] == "session_event")
            if isinstance(what, Sample):
                found.setdefault(name, []).append(what)
            elif what:
                skipped[name, what] += 1
    return {meter: _with_resets(readings, meter, modules) for meter, readings in found.items()}


def _said(t: float, payload: str, module: Module, *, session: bool) -> Sample | str:
    """A reading; or what is wrong with it, or with the session event; empty for an event that is fine."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return "the payload is no JSON"
    while isinstance(value, dict) and "data" in value:  # its envelope
        value = value["data"]
    if not isinstance(value, dict):
        return "the value is no object"
    if session:
        module.session(t, str(value.get("event")))
        return ""
    energy, power = _total(value.get("energy_Wh_import")), _total(value.get("power_W"))
    if energy is None or power is None:
        return "there is no energy_Wh_import" if energy is None else "there is no power_W"
    return Sample(t, energy, power, module.sessions, _total(value.get("energy_Wh_export")))


def _total(values: Any) -> float | None:
    """The total of a reading, else the sum of its phases; None where neither is a number."""
    if not isinstance(values, dict):
        return None
    numbers = {key: value for key, value in values.items() if _is_number(value)}
    phases = [numbers[phase] for phase in PHASES if phase in numbers]
    return float(numbers["total"]) if "total" in numbers else float(sum(phases)) if phases else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_resets(readings: list[Sample], meter: str, modules: dict[str, Module]) -> list[Sample]:
    """With `reset`. Of a meter whose module tells no sessions, those of all modules count."""
    own = modules[meter.partition("/")[0]]
    asked = [own] if own.has_sessions else [own, *(module for module in modules.values() if module.has_sessions)]
    later = (
        replace(now, reset=_fell(before, now) and any(module.may_reset(before, now) for module in asked))
        for before, now in pairwise(readings)
    )
    return [*readings[:1], *later]


def _fell(before: Sample, now: Sample) -> bool:
    exported = now.export_Wh is not None and before.export_Wh is not None and now.export_Wh < before.export_Wh
    return exported or now.energy_Wh < before.energy_Wh


# --- the judgement ---------------------------------------------------------------------------------------------------


def stretches(readings: list[Sample]) -> Iterator[list[Sample]]:
    """Split where the registers were reset or may have been (at plug in, perhaps from 0 to 0), where time falls, and
    where the station was off.
    """
    begin = 0
    for index in range(1, len(readings)):
        before, now = readings[index - 1], readings[index]
        begun = now.sessions != before.sessions or now.reset
        if begun or now.t < before.t or _was_off(before, now):
            yield readings[begin:index]
            begin = index
    yield readings[begin:]


def _was_off(before: Sample, now: Sample) -> bool:
    """Whether there was no power between two readings: the registers have what was on its way when that began."""
    on_its_way = abs(before.power_W) * MAX_GAP_S / 3600.0 + TOLERANCE_WH
    grown = max(now.energy_Wh - before.energy_Wh, (now.export_Wh or 0.0) - (before.export_Wh or 0.0))
    return now.t - before.t > OUTAGE_S and grown <= on_its_way


def balance(meter: str, readings: list[Sample]) -> Balance:
    """Judge the import of one stretch; it needs one reading at least."""
    return _balance(meter, [Point(one.t, one.energy_Wh, max(one.power_W, 0.0)) for one in readings])


def balances(meter: str, readings: list[Sample]) -> Iterator[Balance]:
    """Judge import and export of one stretch, as far as power flowed or energy was counted in that direction."""
    exported = [Point(one.t, one.export_Wh, max(-one.power_W, 0.0)) for one in readings if one.export_Wh is not None]
    if any(one.power_W > 0.0 or one.energy_Wh != readings[0].energy_Wh for one in readings):
        yield balance(meter, readings)
    if any(one.power_W > 0.0 or one.energy_Wh != exported[0].energy_Wh for one in exported):
        yield _balance(f"{meter} export", exported)


def _balance(meter: str, points: list[Point]) -> Balance:
    low = high = middle = worst = 0.0
    fault = next((_fall(points[0], *pair) for pair in pairwise(points) if pair[1].energy_Wh < pair[0].energy_Wh), "")
    holds = None if len(points) == 1 else not fault
    for before, now in pairwise(points):
        least, mean, most = _between(before, now)
        low, middle, high = low + least, middle + mean, high + most
        counted = now.energy_Wh - points[0].energy_Wh
        apart = max(low - counted, counted - high, 0.0)
        worst = max(worst, apart)
        if holds and now.t - before.t > MAX_GAP_S and now.energy_Wh > before.energy_Wh:
            holds = None
        holds = holds and apart <= TOLERANCE_WH + TOLERANCE_SHARE * abs(counted)
    counted = points[-1].energy_Wh - points[0].energy_Wh
    return Balance(meter, len(points), points[-1].t - points[0].t, counted, middle, worst, holds, fault)


def _between(before: Point, now: Point) -> tuple[float, float, float]:
    """Least, mean and most energy in Wh by the power of two readings."""
    hours = (now.t - before.t) / 3600.0
    smaller, larger = sorted((before.power_W, now.power_W))
    mean = (smaller + larger) / 2.0
    jumped = larger - smaller > JUMP_SHARE * larger
    return (smaller if jumped else mean) * hours, mean * hours, (larger if jumped else mean) * hours


def _fall(first: Point, before: Point, now: Point) -> str:
    fell = f"the register fell from {before.energy_Wh:.1f} to {now.energy_Wh:.1f} Wh after {now.t - first.t:.1f} s"
    return f"{fell}, where no session begins or ends and nothing starts anew"


def check(records: Iterable[tuple[float, str, str]], skipped: Skipped | None = None) -> list[Balance]:
    """Every stretch of every meter in which power flowed or energy was counted; of an idle meter its longest one."""
    found = []
    for meter, readings in sorted(samples(records, skipped).items()):
        parts = list(stretches(readings))
        moved = [result for part in parts for result in balances(meter, part)]
        found += moved or [balance(meter, max(parts, key=len))]
    return found


# --- the command -----------------------------------------------------------------------------------------------------


def read(path: Path) -> Iterator[tuple[float, str, str]]:
    """(t, topic, payload) of the bus messages of a trace. Errors: TraceError."""
    return ((record.t, record.topic, record.text) for record in load(path) if isinstance(record, BusMessage))


def judge(path: Path) -> int:
    """Say what comes out for a file; its exit status."""
    skipped: Skipped = Counter()
    try:
        found = check(read(path), skipped)
    except TraceError as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    for (name, reason), number in sorted(skipped.items()):
        sys.stderr.write(f"{path.name}: warning: {name}: {reason}; messages that were skipped: {number}\n")
    for result in found:
        sys.stdout.write(f"{path.name}: {result}\n")
    if any(result.holds is False for result in found):
        return WRONG
    if any(result.holds for result in found):
        return ADDS_UP
    why = "no meter could be judged" if found else "no reading of a meter in it has energy and power"
    sys.stdout.write(f"{path.name}: NOTHING JUDGED: {why}\n")
    return NOTHING


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if a meter does not add up, 2 if a recording cannot be read, 3 if there is nothing to judge in one.

    All files are judged; of several statuses 2 comes before 1, and 1 before 3.
    """
    parser = argparse.ArgumentParser(prog="everest.trace.energy", description="Do energy and power add up?")
    parser.add_argument("recording", type=Path, nargs="+", help="a trace: JSON lines, .jsonl or .jsonl.gz")
    return max(map(judge, parser.parse_args(arguments).recording), key=SEVERITY.index)


if __name__ == "__main__":
    sys.exit(main())
