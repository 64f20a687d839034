"""A scenario as values: what a file says, checked, and what became of it. Pure.

Lives here: `Scenario`, `Station`, `Csms`, `Step`; `Mistake`; `Verdict`, `Outcome`.
Reading is in reading.py, playing in player.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from everest.manager.documents import SourceFile
from everest.manager.problems import Problem

LONG = 150
"""Longest title of a step."""


class Mistake(NamedTuple):
    """What is wrong in a file. `place` is the path below the step, or below the key of the head."""

    place: tuple[str | int, ...]
    text: str
    fix: str


@dataclass(frozen=True)
class Step:
    """One item of `steps`. `kind` is its leading key, `value` what stands there, `options` the keys beside it."""

    kind: str
    value: Any
    options: dict[str, Any]
    file: Path
    line: int
    number: str
    """From 1; inside a `repeat` with round and item: `3.2.1`."""
    place: tuple[str | int, ...] = ()
    """Path of its keys from the top of the file."""

    @property
    def title(self) -> str:
        """One line for people: `expect StatusNotification connectorId=1 status=Preparing`."""
        parts = [self.kind, "" if self.value is True else _short(self.value)]
        parts += [_short(value) if key == "with" else f"{key} {_short(value)}" for key, value in self.options.items()]
        text = " ".join(part for part in parts if part)
        return text if len(text) <= LONG else f"{text[:LONG]}..."


@dataclass(frozen=True)
class Station:
    """Which station is played on."""

    config: str | None = None
    """A config file of the manager or the name of one; None: the default stack."""
    ocpp: dict[str, Any] = field(default_factory=dict)
    """OCPP configuration keys that differ from the configuration of the stack."""
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Parameters by module id; `{name}` or `{implementation: {name}}`."""


@dataclass(frozen=True)
class Csms:
    """What the central system knows at the start."""

    tags: dict[str, Any] = field(default_factory=dict)
    """Id tag -> status or idTagInfo; others are Accepted."""
    answers: dict[str, Any] = field(default_factory=dict)
    """Action -> payload that is answered instead of the ordinary one."""
    network: str = "online"
    files: dict[str, str] = field(default_factory=dict)
    """File name -> what the file server does with it (files.py)."""


@dataclass(frozen=True)
class Scenario:
    """One file."""

    file: Path
    name: str
    description: str
    seed: int
    start: str
    """Wall-clock time at the beginning, in virtual time (RFC 3339)."""
    station: Station
    csms: Csms
    steps: tuple[Step, ...]
    source: SourceFile
    """Where each key stands."""

    def problem(self, mistake: Mistake) -> Problem:
        """With file and line; `place` is the path from the top of the file."""
        return self.source.problem(mistake.place, mistake.text, mistake.fix)


@dataclass(frozen=True)
class Verdict:
    """What became of a step. `problem` is empty when it passed; `details` are lines that help to see why it did not.

    `at` and `seconds` are by the scenario's clock: when the step began, and how long it took.
    """

    step: Step
    seconds: float
    problem: str = ""
    skipped: bool = False
    at: float = 0.0
    details: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problem and not self.skipped


@dataclass
class Outcome:
    """What became of a scenario."""

    scenario: Scenario
    verdicts: list[Verdict] = field(default_factory=list)
    failure: str = ""
    """Why the station could not be played on, apart from the steps."""
    details: tuple[str, ...] = ()
    """Lines that help to see why."""
    interrupted: bool = False
    began: float = 0.0
    """When the scenario did, by the loop's clock."""

    @property
    def passed(self) -> bool:
        return not self.failure and all(verdict.passed for verdict in self.verdicts)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    if value is True:
        return "yes"
    return " ".join(str(value).split())
