"""Reading YAML files: data, line numbers, warnings; the merge of a user config over a config.

The YAML dialect itself is `everest.runtime.yaml_file` (bus 6.0). Here: what is wrong
with a file becomes a Problem, where a key stands, and JSON merge patch (RFC 7396). No schema knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everest.manager.problems import Findings, Problem, key_text
from everest.runtime.yaml_file import Document, YamlError, load

Key = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One loaded file, or a config with user configs laid over it: the data and where each key stands."""

    path: Path
    data: Any
    document: Document
    overlays: tuple[SourceFile, ...] = ()
    """What was merged over it, the last one on top."""
    has_lines: bool = True
    """False for what was no text: a configuration database."""

    def place(self, key: Key) -> tuple[Path, int | None]:
        """File and line of `key`; of its nearest written parent when the key itself is not there."""
        for overlay in reversed(self.overlays):
            if _reaches(overlay.data, key):
                return overlay.place(key)
        return self.document.path, self.document.line(*key) if self.has_lines else None

    def problem(self, key: Key, text: str, fix: str = "") -> Problem:
        file, line = self.place(key)
        return Problem(file, line, key_text(key), text, fix)


def _reaches(data: Any, key: Key) -> bool:
    """Is the whole path `key` written in `data`?"""
    for part in key:
        if isinstance(data, list):
            inside = isinstance(part, int) and part < len(data)
        else:
            inside = isinstance(data, dict) and part in data
        if not inside:
            return False
        data = data[part]
    return bool(key)


def read(path: Path, findings: Findings) -> SourceFile | None:
    """Load one YAML file that holds a mapping. Mistakes go into `findings`, and None comes back."""
    try:
        document = load(path)
    except YamlError as error:
        findings.add(Problem(error.path, error.line, "", error.problem, error.fix))
        return None
    for warning in document.warnings:
        findings.warn(warning)
    if not isinstance(document.data, dict):
        findings.add(Problem(document.path, 1, "", "is not a mapping", "write `key: value` lines"))
        return None
    return SourceFile(document.path, document.data, document)


def merge_patch(target: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7396: objects are merged, null deletes, everything else replaces. Inputs stay untouched."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def with_overlay(source: SourceFile, overlay: SourceFile) -> SourceFile:
    """`source` with the user config merged over it; keys of the user config report its file and line (bus 6.1)."""
    data = merge_patch(source.data, overlay.data)
    return SourceFile(source.path, data, source.document, (*source.overlays, overlay))
