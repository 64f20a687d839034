"""The contract files as Python data: reading, and resolving of references between them.

Lives here: `read_contracts`, `Contracts`, `CodegenError`. What a file may contain is bus 6.4 (interfaces), 6.5 (types)
and 4.1 (errors); only what the generator needs is checked here, the manager checks the rest against the schemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everest.runtime.yaml_file import Document, Key, YamlError, load

_TYPE_REFERENCE = re.compile(r"/([A-Za-z0-9_]+)#/([A-Za-z0-9_]+)")
_ERROR_REFERENCE = re.compile(r"/errors/([a-z][A-Za-z0-9_]*)(?:#/([A-Z][A-Za-z0-9]*))?")


class CodegenError(ValueError):
    """A contract file that no Python can be generated from; the text names file, line and reason."""


@dataclass(frozen=True)
class Contracts:
    """All contract files by stem."""

    interfaces: Mapping[str, Document]
    types: Mapping[str, Document]
    errors: Mapping[str, Document]

    def type_reference(self, reference: Any, document: Document, path: tuple[Key, ...]) -> tuple[str, str]:
        """Return (file stem, type name) of a `$ref` such as `/units#/Energy`. Errors: CodegenError if there is none."""
        match = _TYPE_REFERENCE.fullmatch(str(reference))
        if match is None:
            raise error(document, path, f"$ref {reference!r} is not of the form /file#/Type")
        stem, name = match.groups()
        if stem not in self.types or name not in self.types[stem].data["types"]:
            raise error(document, path, f"$ref {reference!r} leads nowhere: no type {name} in types/{stem}.yaml")
        return stem, name

    def error_types(self, document: Document) -> list[str]:
        """Return the error types (`namespace/Name`) that an interface declares, in order of its references."""
        result: list[str] = []
        for index, entry in enumerate(document.data.get("errors") or []):
            path = ("errors", index)
            match = _ERROR_REFERENCE.fullmatch(str(entry.get("reference") if isinstance(entry, dict) else entry))
            if match is None:
                raise error(document, path, "an error reference looks like `reference: /errors/namespace[#/Name]`")
            result += self._errors_of(match[1], match[2], document, path)
        return result

    def _errors_of(self, namespace: str, name: str | None, document: Document, path: tuple[Key, ...]) -> list[str]:
        if namespace not in self.errors:
            raise error(document, path, f"there is no errors/{namespace}.yaml")
        declared = [entry["name"] for entry in self.errors[namespace].data.get("errors") or []]
        if name is None:
            return [f"{namespace}/{one}" for one in declared]
        # a reference to an undeclared single error silently yields nothing (bus 6.4)
        return [f"{namespace}/{name}"] if name in declared else []


def error(document: Document, path: tuple[Key, ...], problem: str) -> CodegenError:
    """Return a CodegenError that names file, line and key."""
    key = ".".join(str(step) for step in path)
    return CodegenError(f"{document.place(*path)}: {key}: {problem}")


def read_contracts(root: Path) -> Contracts:
    """Read `interfaces/`, `types/**` and `errors/` below `root`. Errors: CodegenError."""
    return Contracts(
        interfaces=_read(sorted((root / "interfaces").glob("*.yaml")), ()),
        types=_read(sorted((root / "types").rglob("*.yaml")), ("types",)),
        errors=_read(sorted((root / "errors").glob("*.yaml")), ()),
    )


def _read(paths: list[Path], required: tuple[str, ...]) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    for path in paths:
        try:
            document = load(path)
        except YamlError as problem:
            raise CodegenError(str(problem)) from None
        if not isinstance(document.data, dict):
            raise CodegenError(f"{path}: has to be a mapping")
        for key in required:
            if not isinstance(document.data.get(key), dict):
                raise error(document, (key,), "has to be there and to be a mapping")
        if path.stem in documents:
            raise CodegenError(f"{path}: {documents[path.stem].path} has the same name")
        documents[path.stem] = document
    return documents
