"""Reading scenario files: EVerest's YAML into `Scenario`, every mistake at once as `file:line: key: text; fix`.

Lives here: `load`. Which steps there are is in steps.py, the words of OCPP in vocabulary.py; the names of the station
are held against a scenario by `against`. A `repeat` is written out as the steps of its rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from everest.manager.documents import SourceFile, read
from everest.manager.errors import ConfigError
from everest.manager.problems import Findings, Problem, one_of
from everest.scenario import matching, steps, vocabulary
from everest.scenario.csms import NETWORKS
from everest.scenario.model import Csms, Mistake, Scenario, Station, Step
from everest.scenario.stack import Names

Place = tuple[str | int, ...]

START = "2026-03-02T08:00:00Z"
"""A Monday morning."""

FILE: dict[str, steps.Check] = {
    "scenario": steps.is_text,
    "description": steps.is_text,
    "seed": steps.is_number,
    "start": lambda value: "" if _is_moment(value) else "write a time with zone, for example 2026-03-02T08:00:00Z",
    "station": steps.is_mapping,
    "csms": steps.is_mapping,
    "steps": lambda value: "" if isinstance(value, list) and value else "write a list of steps",
}
STATION: dict[str, steps.Check] = {
    "config": steps.is_text,
    "ocpp": steps.is_mapping,
    "modules": lambda value: (
        "" if isinstance(value, dict) and not any(map(steps.is_mapping, value.values())) else "write `module id: {...}`"
    ),
}
CSMS: dict[str, steps.Check] = {
    "tags": steps.is_mapping,
    "answers": steps.is_mapping,
    "network": steps.one_of(*NETWORKS),
    "files": steps.is_files,
}
GIVEN = frozenset({"files"})
"""Placeholders that no step has to save."""


def load(path: Path) -> Scenario:
    """Read one file. Raises ConfigError with all that is wrong."""
    findings = Findings()
    source = read(path, findings)
    scenario = _scenario(source, findings) if source is not None else None
    if findings.problems or scenario is None:
        raise ConfigError(findings.problems, findings.warnings)
    return scenario


def against(scenario: Scenario, names: Names) -> None:
    """Hold the steps against the names of the station. Raises ConfigError."""
    findings = Findings()
    for step in scenario.steps:
        for place, text, fix in names.mistakes(step.kind, step.value, step.options):
            key = f"{step.kind} {'.'.join(map(str, place[1:]))}".strip() if place[0] == step.kind else str(place[0])
            findings.add(Problem(step.file, step.line, key, text, fix))
    if findings.problems:
        raise ConfigError(findings.problems)


def _scenario(source: SourceFile, findings: Findings) -> Scenario | None:
    data = source.data
    for warning in source.document.warnings:
        line, _, text = warning.removeprefix(f"{source.path}:").partition(": ")
        findings.add(
            Problem(
                source.path,
                int(line) if line.isdecimal() else None,
                "",
                text.replace("; the last counts", ""),
                "write it once",
            )
        )
    _check(source, findings, (), data, FILE, required=("scenario", "steps"))
    for key, allowed in (("station", STATION), ("csms", CSMS)):
        if isinstance(data.get(key), dict):
            _check(source, findings, (key,), data[key], allowed)
    if isinstance(data.get("csms"), dict):
        _head(source, findings, data["csms"])
    items = data.get("steps") if isinstance(data.get("steps"), list) else []
    found = list(_steps(source, findings, ("steps",), items, ""))
    _saved(findings, found)
    if findings.problems:
        return None
    return Scenario(
        file=source.path,
        name=data["scenario"],
        description=data.get("description", ""),
        seed=data.get("seed", 1),
        start=data.get("start", START),
        station=Station(**data.get("station", {})),
        csms=Csms(**data.get("csms", {})),
        steps=tuple(found),
    )


def _head(source: SourceFile, findings: Findings, csms: Mapping[str, Any]) -> None:
    for key, look in (("answers", vocabulary.answers), ("tags", vocabulary.tags)):
        if isinstance(csms.get(key), dict):
            _add(source, findings, ("csms",), look(csms[key], (key,)))


def _add(source: SourceFile, findings: Findings, place: Place, mistakes: Iterable[Mistake]) -> None:
    for mistake in mistakes:
        findings.add(source.problem((*place, *mistake.place), mistake.text, mistake.fix))


def _steps(source: SourceFile, findings: Findings, place: Place, items: Iterable[Any], prefix: str) -> Iterator[Step]:
    for number, item in enumerate(items):
        step = _step(source, findings, (*place, number), item, f"{prefix}{number + 1}")
        if step is None:
            continue
        if step.kind != "repeat":
            yield step
        elif not isinstance(step.options.get("steps"), list):
            findings.add(source.problem((*place, number), '"steps" is missing', "write `steps: [...]`"))
        elif not steps.is_rounds(step.value):
            for around in range(1, step.value + 1):
                below = (*place, number, "steps")
                yield from _steps(source, findings, below, step.options["steps"], f"{step.number}.{around}.")


def _step(source: SourceFile, findings: Findings, place: Place, item: Any, number: str) -> Step | None:
    kinds = [key for key in item if key in steps.KINDS] if isinstance(item, dict) else []
    if "repeat" in kinds or len(kinds) > 1:
        kinds = [key for key in kinds if key == "repeat" or key not in steps.KINDS["repeat"].options]
    if len(kinds) != 1:
        wrong = next(iter(item), None) if isinstance(item, dict) and not kinds else None
        said = f'"{wrong}" is no kind of step' if wrong else "a step has one leading key that says what it does"
        findings.add(source.problem((*place, wrong) if wrong else place, said, one_of(steps.KINDS, wrong)))
        return None
    name = kinds[0]
    kind = steps.KINDS[name]
    before = len(findings.problems)
    _check(source, findings, place, item, {name: kind.check, **kind.options})
    options = {key: value for key, value in item.items() if key != name}
    if len(findings.problems) == before:
        _add(source, findings, place, vocabulary.mistakes(name, item[name], options))
        for text in matching.bad_patterns([item[name], options]):
            findings.add(source.problem(place, text, "put it right, or write \\ before its special characters"))
    return Step(name, item[name], options, source.path, source.document.line(*place), number)


def _saved(findings: Findings, found: Iterable[Step]) -> None:
    """Every placeholder names what a step before has saved or chosen."""
    known = set(GIVEN)
    for step in found:
        looked = [step.value, {k: v for k, v in step.options.items() if k != "save"}]
        for name in matching.placeholders([] if step.kind in ("choose", "repeat") else looked):
            if name not in known:
                text = f"no step before has saved ${name}"
                findings.add(Problem(step.file, step.line, step.kind, text, one_of(known, name)))
        if isinstance(saved := step.options.get("save"), dict):
            known.update(saved)
        if step.kind == "choose" and isinstance(step.value, dict):
            known.update(step.value)


def _check(
    source: SourceFile,
    findings: Findings,
    place: tuple[str | int, ...],
    data: Mapping[str, Any],
    allowed: Mapping[str, steps.Check],
    required: Iterable[str] = (),
) -> None:
    """Known keys with fitting values, and the required ones."""
    for key, value in data.items():
        if key not in allowed:
            findings.add(source.problem((*place, key), "is not known here", one_of(allowed, key)))
        elif fix := allowed[key](value):
            findings.add(source.problem((*place, key), f"cannot be {value!r}", fix))
    for key in required:
        if key not in data:
            findings.add(source.problem(place, f'"{key}" is missing', f"write `{key}: ...`"))


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
