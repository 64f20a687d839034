"""Manifests: loading, checking, and the made-up one of the ProbeModule (bus 6.2, 6.3).

A manifest is checked against its meta schema, and every default against the schema it stands in. No module is started
or looked for here beyond its `manifest.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from everest.manager import metaschema
from everest.manager.documents import Key, SourceFile, read
from everest.manager.errors import ConfigError
from everest.manager.model import PROBE_MODULE, ConfigParameter, DataType, Manifest, Provided, Required
from everest.manager.parameters import typed, value_problem
from everest.manager.problems import Findings

_DATATYPES: dict[str, DataType] = {"boolean": "bool", "integer": "integer", "number": "number", "string": "string"}
_NOT_SCHEMA = frozenset({"type", "description", "default", "mutability"})


def available(modules_dir: Path) -> list[str]:
    """Names of all modules that have a manifest, sorted."""
    if not modules_dir.is_dir():
        return []
    return sorted(path.name for path in modules_dir.iterdir() if (path / "manifest.yaml").is_file())


def load(modules_dir: Path, name: str, findings: Findings) -> Manifest | None:
    """Load and check `<modules_dir>/<name>/manifest.yaml`. Mistakes go into `findings`, and None comes back."""
    source = read(modules_dir / name / "manifest.yaml", findings)
    if source is None:
        return None
    problems = metaschema.problems_of(source, "manifest")
    for problem in problems:
        findings.add(problem)
    if problems:
        return None
    data = metaschema.with_defaults("manifest", source.data)
    manifest = from_json(name, data, modules_dir / name)
    _check_defaults(source, manifest, findings)
    return manifest


def load_all(modules_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Every manifest of the directory by module name, defaults filled in. Raises ConfigError with all that is wrong."""
    findings = Findings()
    result: dict[str, Mapping[str, Any]] = {}
    for name in available(modules_dir):
        source = read(modules_dir / name / "manifest.yaml", findings)
        problems = [] if source is None else metaschema.problems_of(source, "manifest")
        for problem in problems:
            findings.add(problem)
        if source is not None and not problems:
            result[name] = metaschema.with_defaults("manifest", source.data)
    if findings.problems:
        raise ConfigError(findings.problems)
    return result


def from_json(name: str, data: Mapping[str, Any], directory: Path | None = None) -> Manifest:
    """The typed manifest of valid JSON with defaults filled in."""
    return Manifest(
        name=name,
        provides={
            impl: Provided(entry["interface"], _parameters(entry.get("config", {})))
            for impl, entry in data["provides"].items()
        },
        requires={
            requirement: Required(entry["interface"], entry["min_connections"], entry["max_connections"])
            for requirement, entry in data["requires"].items()
        },
        parameters=_parameters(data.get("config", {})),
        distributed={key: value for key, value in data.items() if key != "config"},
        directory=directory,
    )


def _parameters(entries: Mapping[str, Any]) -> dict[str, ConfigParameter]:
    return {name: _parameter(name, entry) for name, entry in sorted(entries.items())}


def _parameter(name: str, entry: Mapping[str, Any]) -> ConfigParameter:
    datatype = _DATATYPES[entry["type"]]
    default = entry.get("default")
    return ConfigParameter(
        name=name,
        datatype=datatype,
        mutability=entry["mutability"],
        default=None if default is None else typed(default, datatype),
        schema={key: value for key, value in entry.items() if key not in _NOT_SCHEMA},
    )


def _check_defaults(source: SourceFile, manifest: Manifest, findings: Findings) -> None:
    scopes: list[tuple[Key, Mapping[str, ConfigParameter]]] = [(["config"], manifest.parameters)]
    scopes += [(["provides", impl, "config"], entry.parameters) for impl, entry in manifest.provides.items()]
    for key, parameters in scopes:
        for parameter in parameters.values():
            if parameter.default is None:
                continue
            wrong = value_problem(parameter, _written(source.data, [*key, parameter.name, "default"]))
            if wrong is not None:
                findings.add(source.problem([*key, parameter.name, "default"], *wrong))


def _written(data: Any, key: Key) -> Any:
    for part in key:
        data = data[part]
    return data


def probe_manifest(provides: Mapping[str, str], requires: Mapping[str, str]) -> Manifest:
    """The generated manifest of the ProbeModule (bus 6.3), from implementation and requirement ids to interfaces."""
    offered = dict(provides) or {"none": "empty"}
    data = {
        "description": "Stands in for a test outside of the stack",
        "provides": {
            impl: {"interface": interface, "description": f"Probe of {interface}", "config": {}}
            for impl, interface in sorted(offered.items())
        },
        "requires": {
            requirement: {"interface": interface, "min_connections": 1, "max_connections": 1}
            for requirement, interface in sorted(requires.items())
        },
        "metadata": {"license": "https://www.apache.org/licenses/LICENSE-2.0", "authors": ["everest"]},
        "enable_external_mqtt": False,
        "enable_telemetry": False,
        "enable_global_errors": False,
    }
    return from_json(PROBE_MODULE, data)
