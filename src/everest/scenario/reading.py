"""Reading scenario files: EVerest's YAML into `Scenario`, every mistake at once as `file:line: key: text; fix`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from everest.manager.documents import SourceFile, read
from everest.manager.errors import ConfigError
from everest.manager.problems import Findings, one_of
from everest.scenario import steps
from everest.scenario.model import Csms, Scenario, Station, Step

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
    "network": steps.one_of("online", "offline", "refuse", "hang"),
}


def load(path: Path) -> Scenario:
    """Read one file. Raises ConfigError with all that is wrong."""
    findings = Findings()
    source = read(path, findings)
    scenario = _scenario(source, findings) if source is not None else None
    if findings.problems or scenario is None:
        raise ConfigError(findings.problems, findings.warnings)
    return scenario


def _scenario(source: SourceFile, findings: Findings) -> Scenario | None:
    data = source.data
    _check(source, findings, (), data, FILE, required=("scenario", "steps"))
    for key, allowed in (("station", STATION), ("csms", CSMS)):
        if isinstance(data.get(key), dict):
            _check(source, findings, (key,), data[key], allowed)
    items = data.get("steps") if isinstance(data.get("steps"), list) else []
    found = [_step(source, findings, number, item) for number, item in enumerate(items)]
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
        steps=tuple(step for step in found if step is not None),
    )


def _step(source: SourceFile, findings: Findings, number: int, item: Any) -> Step | None:
    place = ("steps", number)
    kinds = [key for key in item if key in steps.KINDS] if isinstance(item, dict) else []
    if len(kinds) != 1:
        wrong = next(iter(item), None) if isinstance(item, dict) and not kinds else None
        said = f'"{wrong}" is no kind of step' if wrong else "a step has one leading key that says what it does"
        findings.add(source.problem((*place, wrong) if wrong else place, said, one_of(steps.KINDS, wrong)))
        return None
    name = kinds[0]
    kind = steps.KINDS[name]
    _check(source, findings, place, item, {name: kind.check, **kind.options})
    options = {key: value for key, value in item.items() if key != name}
    return Step(name, item[name], options, source.path, source.document.line(*place), number + 1)


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
