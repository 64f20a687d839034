"""Reading scenario files: EVerest's YAML into `Scenario`, every mistake at once as `file:line: key: text; fix`.

Lives here: `load`, and `look`, which gives what can be read of a file that is wrong, too. Which steps there are is in
steps.py, the words of OCPP in vocabulary.py; the names of the station are held against a scenario by `hold`. A
`repeat` is written out as the steps of its rounds.
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
from everest.scenario.names import Names

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
    scenario, findings = look(path)
    if findings.problems or scenario is None:
        raise ConfigError(findings.problems, findings.warnings)
    return scenario


def look(path: Path) -> tuple[Scenario | None, Findings]:
    """What can be read of a file, and all that is wrong with it; None where it is no mapping of YAML."""
    findings = Findings()
    source = read(path, findings)
    return (None if source is None else _scenario(source, findings)), findings


def against(scenario: Scenario, names: Names) -> None:
    """Hold the steps against the names of the station. Raises ConfigError."""
    findings = Findings()
    hold(scenario, names, findings)
    if findings.problems:
        raise ConfigError(findings.problems)


def hold(scenario: Scenario, names: Names, findings: Findings) -> None:
    """What steps say about the bus and the station has not. What has not the form of its step is told already."""
    for step in scenario.steps:
        kind = steps.KINDS[step.kind]
        value = None if kind.check(step.value) else step.value
        known = ((key, kind.options[key], one) for key, one in step.options.items() if key in kind.options)
        for mistake in names.mistakes(step.kind, value, {key: one for key, check, one in known if not check(one)}):
            findings.add(scenario.problem(mistake._replace(place=(*step.place, *mistake.place))))


def _scenario(source: SourceFile, findings: Findings) -> Scenario:
    """Every mistake goes into `findings`; what is wrong in the head has its default in the scenario."""
    data = source.data
    for warning in source.document.warnings:
        line, _, text = warning.removeprefix(f"{source.path}:").partition(": ")
        number = int(line) if line.isdecimal() else None
        findings.add(Problem(source.path, number, "", text.replace("; the last counts", ""), "write it once"))
    head = _check(source, findings, (), data, FILE, required=("scenario", "steps"))
    station = _check(source, findings, ("station",), head.get("station", {}), STATION)
    csms = _check(source, findings, ("csms",), head.get("csms", {}), CSMS)
    _head(source, findings, csms)
    found = list(_steps(source, findings, ("steps",), head.get("steps", []), ""))
    _saved(findings, found)
    return Scenario(
        file=source.path,
        name=head.get("scenario", ""),
        description=head.get("description", ""),
        seed=head.get("seed", 1),
        start=head.get("start", START),
        station=Station(**station),
        csms=Csms(**csms),
        steps=tuple(found),
        source=source,
    )


def _head(source: SourceFile, findings: Findings, csms: Mapping[str, Any]) -> None:
    for key, look in (("answers", vocabulary.answers), ("tags", vocabulary.tags)):
        if key in csms:
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
    for key, fix in steps.without_unit(item):
        findings.add(source.problem((*place, key), f"cannot be {item[key]!r}", fix))
    options = {key: value for key, value in item.items() if key != name}
    if len(findings.problems) == before:
        _add(source, findings, place, vocabulary.mistakes(name, item[name], options))
        for text in matching.bad_patterns([item[name], options]):
            findings.add(source.problem(place, text, "put it right, or write \\ before its special characters"))
    return Step(name, item[name], options, source.path, source.document.line(*place), number, place)


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
    place: Place,
    data: Mapping[str, Any],
    allowed: Mapping[str, steps.Check],
    required: Iterable[str] = (),
) -> dict[str, Any]:
    """Known keys with fitting values, and the required ones; those that are right."""
    right = {}
    for key, value in data.items():
        if key not in allowed:
            findings.add(source.problem((*place, key), "is not known here", one_of(allowed, key)))
        elif fix := allowed[key](value):
            findings.add(source.problem((*place, key), f"cannot be {value!r}", fix))
        else:
            right[key] = value
    for key in required:
        if key not in data:
            findings.add(source.problem(place, f'"{key}" is missing', f"write `{key}: ...`"))
    return right


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
