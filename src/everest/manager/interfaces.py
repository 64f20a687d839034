"""Interface, error and type files: loading, checking, and the form they are distributed in (bus 6.4, 6.5, 4.1).

`Contracts` loads each file once and remembers it. Nothing here knows modules or configurations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from everest.manager import metaschema
from everest.manager.documents import Key, SourceFile, read
from everest.manager.problems import Findings, one_of

Json = dict[str, Any]


@dataclass(slots=True)
class Contracts:
    """The contract directories, read on demand. Mistakes go into `findings`, once per file."""

    interfaces_dir: Path
    types_dir: Path
    errors_dir: Path
    findings: Findings
    _interfaces: dict[str, Json | None] = field(default_factory=dict)
    _errors: dict[str, dict[str, Json] | None] = field(default_factory=dict)

    def has_interface(self, name: str) -> bool:
        return (self.interfaces_dir / f"{name}.yaml").is_file() or (self.interfaces_dir / f"{name}.json").is_file()

    def interface_names(self) -> list[str]:
        return sorted(path.stem for path in self.interfaces_dir.glob("*.yaml"))

    def interface(self, name: str) -> Json | None:
        """Interface `name` in its distributed form; None when the file is missing or wrong."""
        if name not in self._interfaces:
            self._interfaces[name] = self._load_interface(name)
        return self._interfaces[name]

    def _load_interface(self, name: str) -> Json | None:
        source = _checked(self.interfaces_dir / f"{name}.yaml", "interface", self.findings)
        if source is None:
            return None
        data = metaschema.with_defaults("interface", source.data)
        for key, schema in _value_schemas(data):
            _check_schema(source, key, schema, self.findings)
        return distributed(data, self._error_declarations(source, data["errors"]))

    def _error_declarations(self, source: SourceFile, references: list[Json]) -> dict[str, Json]:
        """`namespace -> name -> declaration` of all referenced errors (bus 6.4)."""
        result: dict[str, Json] = {}
        for index, entry in enumerate(references):
            key: Key = ["errors", index, "reference"]
            namespace, _, single = entry["reference"].removeprefix("/errors/").partition("#/")
            declared = self.errors(namespace)
            if declared is None:
                names = sorted(path.stem for path in self.errors_dir.glob("*.yaml"))
                if namespace not in names:
                    text = f'there is no errors file "{namespace}" in {self.errors_dir}'
                    self.findings.add(source.problem(key, text, one_of(names, namespace)))
                continue
            for name in [single] if single else sorted(declared):
                if name in result.setdefault(namespace, {}):
                    text = f"{namespace}/{name} is referenced twice"
                    self.findings.add(source.problem(key, text, "remove one of the references"))
                elif name in declared:
                    result[namespace][name] = declared[name]
        return {namespace: names for namespace, names in result.items() if names}

    def errors(self, namespace: str) -> dict[str, Json] | None:
        """Declarations of one errors file by name; None when the file is missing or wrong."""
        if namespace not in self._errors:
            path = self.errors_dir / f"{namespace}.yaml"
            source = _checked(path, "error_declaration_list", self.findings) if path.is_file() else None
            self._errors[namespace] = None if source is None else _declarations(namespace, source)
        return self._errors[namespace]

    def check_all_errors(self) -> None:
        """Check every errors file (only with validate_schema, bus 6.6)."""
        for path in sorted(self.errors_dir.glob("*.yaml")):
            self.errors(path.stem)

    def types(self) -> dict[str, Json]:
        """Every types file by its path `/<stem>` (only with validate_schema, bus 6.5)."""
        result: dict[str, Json] = {}
        for path in sorted(self.types_dir.rglob("*.yaml")):
            source = _checked(path, "type", self.findings)
            if source is None:
                continue
            result[f"/{path.stem}"] = metaschema.with_defaults("type", source.data)["types"]
        return dict(sorted(result.items()))


def _checked(path: Path, schema_name: str, findings: Findings) -> SourceFile | None:
    source = read(path, findings)
    if source is None:
        return None
    problems = metaschema.problems_of(source, schema_name)
    for problem in problems:
        findings.add(problem)
    return None if problems else source


def _declarations(namespace: str, source: SourceFile) -> dict[str, Json]:
    entries = metaschema.with_defaults("error_declaration_list", source.data)["errors"]
    return {entry["name"]: {**entry, "namespace": namespace} for entry in entries}


def _value_schemas(data: Json) -> Iterator[tuple[Key, Json]]:
    for name, command in data["cmds"].items():
        for argument, schema in command["arguments"].items():
            yield ["cmds", name, "arguments", argument], schema
        yield ["cmds", name, "result"], command["result"]
    for name, schema in data["vars"].items():
        yield ["vars", name], schema


def _check_schema(source: SourceFile, key: Key, schema: Json, findings: Findings) -> None:
    """Every argument, result and variable is itself a valid draft-07 schema (bus 6.6)."""
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = [*key, *error.absolute_path]
        findings.add(source.problem(place, f"is not a JSON schema (draft-07): {error.message}", "correct the schema"))


def distributed(data: Mapping[str, Any], errors: Mapping[str, Any]) -> Json:
    """The form of bus 6.4: descriptions off, errors resolved."""
    return {
        "cmds": {
            name: {
                "arguments": {argument: _plain(schema) for argument, schema in command["arguments"].items()},
                "result": _plain(command["result"]),
            }
            for name, command in data["cmds"].items()
        },
        "vars": {name: _plain(schema) for name, schema in data["vars"].items()},
        "errors": dict(errors),
    }


def _plain(schema: Json) -> Json:
    """A value schema without its description, and without those of its items and their properties (one level)."""
    result: Json = json.loads(json.dumps(schema))
    result.pop("description", None)
    items = result.get("items")
    if isinstance(items, dict):
        items.pop("description", None)
        for below in (items.get("properties") or {}).values():
            if isinstance(below, dict):
                below.pop("description", None)
    return result
