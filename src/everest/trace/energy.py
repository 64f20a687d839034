"""Do energy and power add up in a recording? `python -m everest.trace.energy RECORDING...` says so for every meter.

For each meter, and each stretch in which its register did not fall: what the register grew by must be the integral of
the power it showed, within 1 Wh and 0.5 %, at every reading. Pure but for `main`; takes any sequence of bus records.

Between two readings the power is taken as a straight line. Where it jumps (the contactor switched in between) only its
bounds are known, and the register must lie within them. A meter whose readings were thinned out is not judged.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

TOLERANCE_WH = 1.0
TOLERANCE_SHARE = 0.005
MAX_GAP_S = 2.5
"""Readings further apart say too little about the power between them; a meter reads twice a second."""
OUTAGE_S = 30.0
"""After so long without a reading the station had been off, if its register shows no more than the last moments."""
JUMP_SHARE = 0.1
"""Power that changes by more than this share of the larger value between two readings has jumped."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading: seconds, register in Wh, power in W; how many sessions had begun before it."""

    t: float
    energy_Wh: float
    power_W: float
    sessions: int = 0


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
    """None: readings lie too far apart where energy was counted, nothing can be said."""

    def __str__(self) -> str:
        verdict = {True: "adds up", False: "DOES NOT ADD UP", None: "readings too far apart to judge"}[self.holds]
        return (
            f"{self.meter}: {verdict}: {self.energy_Wh:.1f} Wh counted, {self.integral_Wh:.1f} Wh from the power, "
            f"at most {self.worst_Wh:.2f} Wh apart, {self.readings} readings in {self.seconds:.0f} s"
        )


def samples(records: Iterable[tuple[float, str, str]]) -> dict[str, list[Sample]]:
    """Readings by meter (`<module>/<implementation>`), import only, from (t, topic, payload) of bus messages."""
    found: dict[str, list[Sample]] = {}
    sessions: Counter[str] = Counter()
    for t, topic, payload in records:
        levels = topic.split("/")
        if len(levels) < 5 or levels[-2:] not in (["var", "powermeter"], ["var", "session_event"]):
            continue
        if levels[-1] == "session_event":
            sessions[levels[-5]] += _value(json.loads(payload)).get("event") == "SessionStarted"
            continue
        reading = _value(json.loads(payload))
        power = (reading.get("power_W") or {}).get("total")
        if power is not None:
            found.setdefault(f"{levels[-5]}/{levels[-3]}", []).append(
                Sample(t, float(reading["energy_Wh_import"]["total"]), max(float(power), 0.0), sessions[levels[-5]])
            )
    return found


def _value(message: Any) -> dict[str, Any]:
    """The variable's value inside its envelope."""
    while isinstance(message, dict) and "data" in message:
        message = message["data"]
    return message if isinstance(message, dict) else {}


def stretches(readings: list[Sample]) -> Iterator[list[Sample]]:
    """Split where the register falls or may have (it is reset at plug in, perhaps from 0 to 0), where time does, and
    where the station was off.
    """
    begin = 0
    for index in range(1, len(readings)):
        before, now = readings[index - 1], readings[index]
        begun = now.sessions != before.sessions or now.energy_Wh < before.energy_Wh
        if begun or now.t < before.t or _was_off(before, now):
            yield readings[begin:index]
            begin = index
    yield readings[begin:]


def _was_off(before: Sample, now: Sample) -> bool:
    """Whether there was no power between two readings: the register has what was on its way when that began."""
    on_its_way = before.power_W * MAX_GAP_S / 3600.0 + TOLERANCE_WH
    return now.t - before.t > OUTAGE_S and now.energy_Wh - before.energy_Wh <= on_its_way


def balance(meter: str, readings: list[Sample]) -> Balance:
    """Judge one stretch; it needs one reading at least."""
    low = high = middle = worst = 0.0
    holds: bool | None = True
    for before, now in pairwise(readings):
        hours = (now.t - before.t) / 3600.0
        smaller, larger = sorted((before.power_W, now.power_W))
        mean = (smaller + larger) / 2.0
        jumped = larger - smaller > JUMP_SHARE * larger
        low += (smaller if jumped else mean) * hours
        high += (larger if jumped else mean) * hours
        middle += mean * hours
        counted = now.energy_Wh - readings[0].energy_Wh
        apart = max(low - counted, counted - high, 0.0)
        worst = max(worst, apart)
        if now.t - before.t > MAX_GAP_S and now.energy_Wh > before.energy_Wh:
            return _unjudged(meter, readings, worst)
        holds = holds and apart <= TOLERANCE_WH + TOLERANCE_SHARE * counted
    counted = readings[-1].energy_Wh - readings[0].energy_Wh
    return Balance(meter, len(readings), readings[-1].t - readings[0].t, counted, middle, worst, holds)


def _unjudged(meter: str, readings: list[Sample], worst_Wh: float) -> Balance:
    seconds = readings[-1].t - readings[0].t
    counted = readings[-1].energy_Wh - readings[0].energy_Wh
    return Balance(meter, len(readings), seconds, counted, math.nan, worst_Wh, None)


def check(records: Iterable[tuple[float, str, str]]) -> list[Balance]:
    """Every stretch of every meter in which power was drawn or energy was counted."""
    return [
        balance(meter, stretch)
        for meter, readings in sorted(samples(records).items())
        for stretch in stretches(readings)
        if any(sample.power_W for sample in stretch) or stretch[-1].energy_Wh != stretch[0].energy_Wh
    ]


def read(path: Path) -> Iterator[tuple[float, str, str]]:
    """(t, topic, payload) of a recording: JSON lines, gzipped or not. Errors: OSError, ValueError."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            record = json.loads(line)
            if "topic" in record and "payload" in record:  # a payload that is no text is none of a meter
                yield record["t"], record["topic"], record["payload"]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if a meter does not add up, 2 if a recording cannot be read."""
    parser = argparse.ArgumentParser(prog="everest.trace.energy", description="Do energy and power add up?")
    parser.add_argument("recording", type=Path, nargs="+", help="bus messages as JSON lines, .jsonl or .jsonl.gz")
    wrong = False
    for path in parser.parse_args(arguments).recording:
        try:
            found = check(read(path))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            sys.stderr.write(f"{path}: not a readable recording: {type(error).__name__}: {error}\n")
            return 2
        for result in found:
            sys.stdout.write(f"{path.name}: {result}\n")
        wrong = wrong or any(result.holds is False for result in found)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
