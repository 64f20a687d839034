"""What is wrong in a file: where, what, and how to put it right.

`Problem` is one finding; `Findings` collects them, so that one run of the checks reports everything at once
(bus 6.6). Pure values; no I/O here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. Reads as `file:line: key: text; fix`."""

    file: Path
    line: int | None
    key: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        key = f"{self.key}: " if self.key else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{place}: {key}{self.text}{fix}"


@dataclass(slots=True)
class Findings:
    """All mistakes and warnings of one load, in the order they were found."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _settled: list[str] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        below = f"{problem.key.replace('[', '.')}."
        if problem not in self.problems and not any(below.startswith(place) for place in self._settled):
            self.problems.append(problem)

    def settle(self, keys: Iterable[str]) -> None:
        """At these keys, and below them, nothing more is to be said: their mistake stands already."""
        self._settled += [f"{key.replace('[', '.')}." for key in keys if key]

    def warn(self, text: object) -> None:
        if str(text) not in self.warnings:
            self.warnings.append(str(text))


def key_text(path: Iterable[str | int]) -> str:
    """Path into a document as people write it: ("a", "b", 0, "c") -> `a.b[0].c`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def one_of(known: Iterable[str], wrong: str | None = None) -> str:
    """Fix that names the candidates, the most similar one first: `did you mean "x"?` or `one of: a, b`."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1) if wrong else []
    if close:
        return f'did you mean "{close[0]}"?'
    return f"there are: {', '.join(names)}" if names else "there are none"
