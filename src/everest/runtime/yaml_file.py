"""EVerest's YAML dialect (bus 6.0): files into plain Python, with the line of every key.

Lives here: `load` (a file, with the `.json` fall-back), `parse` (a text), `Document`, `YamlError`.
PyYAML's parser only cuts the text into events (libyaml where it is there); which scalar is a boolean, a number or a
string is decided here, because the YAML 1.1 rules of PyYAML's own loaders read `yes`, `1:30` or a date differently.
May not be imported here: anything else of everest.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 100
"""Deepest nesting of containers that is read; deeper files are refused before they exhaust some reader's stack."""

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
"""Integers of the dialect are 32 bits wide (bus 6.0)."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_MAYBE_NUMBER = frozenset("+-.0123456789")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

Key: TypeAlias = str | int
"""One step of a path: the key of a mapping or the index of a list item."""


class YamlError(ValueError):
    """A file that cannot be read, or breaks the dialect. `str()` is `file:line:column: problem; fix`.

    `line` and `column` count from 1; both are None where the file as a whole is meant.
    """

    def __init__(self, path: Path, problem: str, fix: str = "", *, line: int | None = None, column: int | None = None):
        self.path, self.problem, self.fix, self.line, self.column = path, problem, fix, line, column
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{place}: {problem}" + (f"; {fix}" if fix else ""))


@dataclass
class Document:
    """The content of one file. `path` is the file that was really read (it may be the `.json` fall-back).

    `data` is made of dict, list, str, int, float, bool and None; keys are always str. `warnings` are whole sentences
    that name file and line.
    """

    path: Path
    data: Any = None
    warnings: list[str] = field(default_factory=list)
    _lines: Mapping[tuple[Key, ...], int] = field(default_factory=dict)

    def line(self, *path: Key) -> int:
        """Return the line (from 1) of a key or list item; of its nearest existing parent if the path does not exist.

        `document.line()` is the first line of content. Of a JSON file no lines are known: always 1.
        """
        for length in range(len(path), -1, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return 1

    def place(self, *path: Key) -> str:
        """Return `file:line` of a key, as messages name it."""
        return f"{self.path}:{self.line(*path)}"


def load(path: Path | str) -> Document:
    """Read a `.yaml` file, or a `.json` file of the same name where there is no `.yaml` (bus 6.0).

    A path that ends in `.json` (deprecated) looks for the `.yaml` first, too. Errors: YamlError.
    """
    wanted = Path(path)
    if wanted.suffix not in (".yaml", ".json"):
        raise YamlError(wanted, f"unknown file extension {wanted.suffix!r}", "the file name has to end in .yaml")
    yaml_path = wanted.with_suffix(".yaml")
    json_path = wanted.with_suffix(".json")
    if not yaml_path.is_file() and json_path.is_file():
        return _parse_json(_read(json_path), json_path)
    return parse(_read(yaml_path), yaml_path)


def parse(text: str, path: Path | str = Path("<text>")) -> Document:
    """Read YAML text; `path` is only the name that messages use. Errors: YamlError."""
    source = Path(path)
    _refuse_control_characters(text, source)
    builder = _Builder(source)
    try:
        builder.build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(source, error) from None
    except yaml.YAMLError as error:
        raise YamlError(source, f"not YAML: {error}", "write the file as UTF-8 text") from None
    except YamlError:
        raise
    except (ValueError, OverflowError) as error:  # an impossible escape, in the parser without libyaml
        raise YamlError(source, f"not YAML: {error}", "check the escapes in double-quoted strings") from None
    return Document(source, builder.root, builder.warnings, builder.lines)


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise YamlError(path, "file not found", "check the name and the folder") from None
    except OSError as error:
        raise YamlError(path, f"cannot be read: {error.strerror}", "check the file and its permissions") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(raw[: error.start].decode("utf-8", "replace"))
        problem = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise YamlError(path, problem, "save the file in UTF-8", line=line, column=column) from None


def _position(before: str) -> tuple[int, int]:
    """Return line and column (from 1) of what follows the text `before`."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _refuse_control_characters(text: str, path: Path) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        line, column = _position(text[: found.start()])
        problem = f"character U+{ord(found[0]):04X} is not allowed in YAML"
        raise YamlError(path, problem, "delete it, or escape it in a double-quoted string", line=line, column=column)


def _syntax_error(path: Path, error: yaml.MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    problem = " ".join(part for part in (error.context, error.problem) if part) or "syntax error"
    fix = "check indentation, colons, quotes and brackets around this place"
    if "alias" in problem or "anchor" in problem or "cannot start any token" in problem:
        fix = "quote text that begins with a special character, and indent with spaces"
    if mark is None:
        return YamlError(path, problem, fix)
    return YamlError(path, problem, fix, line=mark.line + 1, column=mark.column + 1)


def _mark(event: yaml.Event) -> tuple[int, int]:
    """Return line and column of an event, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Builder:
    """Builds plain Python from parser events, without recursion, and notes the line of every path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: Any = None
        self.warnings: list[str] = []
        self.lines: dict[tuple[Key, ...], int] = {}
        self._open: list[_Container] = []
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._start(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._open.pop()
            elif isinstance(event, yaml.AliasEvent):
                raise self._error(event, "aliases (*name) are not supported", "write the value out")
            elif isinstance(event, yaml.DocumentStartEvent):
                self._document(event)

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._error(event, "a second document begins here", "one document per file: remove the `---`")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag_and_anchor(event)
        plain = not event.style
        parent = self._open[-1] if self._open else None
        if parent is not None and parent.wants_key:
            self._key(parent, event, plain)
            return
        self._add(event, self._resolve(event) if plain else event.value)

    def _key(self, parent: _Container, event: yaml.ScalarEvent, plain: bool) -> None:
        key: str = event.value
        if plain and key == "<<":
            raise self._error(event, "merge keys (<<) are not supported", "write the keys out")
        parent.key, parent.wants_key = key, False
        line = _mark(event)[0]
        path = (*parent.path, key)
        if key in parent.value:
            first = self.lines[path]
            twice = f"key {key!r} is there twice (first in line {first}); the last counts"
            self.warnings.append(f"{self.path}:{line}: {twice}")
            self._forget(path)
        self.lines[path] = line

    def _forget(self, path: tuple[Key, ...]) -> None:
        """Drop the lines below a key that is written a second time."""
        size = len(path)
        for known in [known for known in self.lines if known[:size] == path]:
            del self.lines[known]

    def _start(self, event: yaml.CollectionStartEvent, value: dict[str, Any] | list[Any]) -> None:
        self._refuse_tag_and_anchor(event)
        if self._open and self._open[-1].wants_key:
            raise self._error(event, "a key has to be a plain word or a string", "quote it if it begins with { or [")
        if len(self._open) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels", "flatten the file")
        path = self._add(event, value)
        self._open.append(_Container(value, path, isinstance(value, dict)))

    def _add(self, event: yaml.Event, value: Any) -> tuple[Key, ...]:
        """Put a finished value or a new container where it belongs and return its path."""
        if not self._open:
            self.root = value
            self.lines[()] = _mark(event)[0]
            return ()
        parent = self._open[-1]
        if isinstance(parent.value, list):
            path: tuple[Key, ...] = (*parent.path, len(parent.value))
            parent.value.append(value)
            self.lines[path] = _mark(event)[0]
            return path
        parent.value[parent.key] = value
        parent.wants_key = True
        return (*parent.path, parent.key)

    def _resolve(self, event: yaml.ScalarEvent) -> Any:
        """Give a plain scalar its type: null, boolean, integer, float, else string (bus 6.0)."""
        text: str = event.value
        if text == "true" or text == "false":
            return text == "true"
        if text in _NULLS:
            return None
        if text[0] not in _MAYBE_NUMBER:
            return text
        if _INTEGER.fullmatch(text):
            # the length first: int() itself refuses texts of some thousand digits
            number = int(text) if len(text) <= 64 else INT_MAX + 1
            if not INT_MIN <= number <= INT_MAX:
                raise self._error(event, f"integer {text[:40]} does not fit 32 bits", "quote it or make it a float")
            return number
        return self._float(event, text) if _FLOAT.fullmatch(text) else text

    def _float(self, event: yaml.ScalarEvent, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise self._error(event, f"number {text[:40]} is too large", "quote it if it is meant as text")
        return number

    def _refuse_tag_and_anchor(self, event: Any) -> None:
        if event.tag is not None:
            raise self._error(event, f"tags ({event.tag}) are not supported", "remove it, quote the text if it is one")
        if event.anchor is not None:
            raise self._error(event, f"anchors (&{event.anchor}) are not supported", "remove the anchor")

    def _error(self, event: yaml.Event, problem: str, fix: str) -> YamlError:
        line, column = _mark(event)
        return YamlError(self.path, problem, fix, line=line, column=column)


class _Container:
    """A mapping or list that is still being filled."""

    __slots__ = ("key", "path", "value", "wants_key")

    def __init__(self, value: Any, path: tuple[Key, ...], is_mapping: bool) -> None:
        self.value, self.path, self.key = value, path, ""
        self.wants_key = is_mapping


def _parse_json(text: str, path: Path) -> Document:
    """Read the deprecated `.json` form; lines of keys are not known, those of syntax errors are."""
    document = Document(path)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) < len(items):
            keys = [key for key, _ in items]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            document.warnings.extend(f"{path}: key {key!r} is there twice; the last counts" for key in twice)
        return result

    def constant(name: str) -> Any:
        raise YamlError(path, f"{name} is not a JSON number", "use a finite number")

    try:
        document.data = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg}"
        raise YamlError(path, problem, "mend the file", line=error.lineno, column=error.colno) from None
    except YamlError:
        raise
    except ValueError as error:  # a number of more digits than int() takes
        raise YamlError(path, f"not readable as JSON: {error}", "mend the file") from None
    except RecursionError:
        raise YamlError(path, "nested too deeply", "flatten the file") from None
    _refuse_deep(document)
    return document


def _refuse_deep(document: Document) -> None:
    """Hold JSON to the same nesting as YAML."""
    level, depth = [document.data], -1
    while level:
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        depth += 1
        if depth > MAX_DEPTH:
            raise YamlError(document.path, f"nested deeper than {MAX_DEPTH} levels", "flatten the file")
