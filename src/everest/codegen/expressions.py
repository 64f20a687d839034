"""JSON schemas of the contracts as Python type expressions; anonymous objects and enums become classes on the way.

Lives here: `Scope`, one per generated module: it knows where references lead, which modules must be imported and which
classes must be written. Constraints (lengths, ranges, patterns) are left out on purpose: the lenient decode ignores
them, strict validation works on the contract files themselves (bus 3.4).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

from everest.codegen.names import camel, enum_members, identifier, is_name
from everest.codegen.sources import Contracts, error
from everest.runtime.yaml_file import Document, Key

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
BUILTINS = frozenset({"Any", "bool", "dict", "enum", "float", "int", "list", "msgspec", "str"})
WIDTH = 116

Path = tuple[Key, ...]


@dataclass
class Scope:
    """One generated module while it is written.

    `stem` is the types file whose names need no prefix (None in an interface module). `classes` holds the source of
    every class in the order of its appearance, `imports` the stems of the types files that the module refers to.
    """

    contracts: Contracts
    document: Document
    stem: str | None
    imports: set[str] = field(default_factory=set)
    classes: dict[str, str] = field(default_factory=dict)
    uses: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def expression(self, schema: Any, name: str, path: Path) -> str:
        """Return the type expression of `schema`; `name` is what an anonymous class would be called."""
        if not isinstance(schema, dict):
            raise error(self.document, path, "a schema has to be a mapping")
        if "$ref" in schema:  # draft-07: siblings of $ref are ignored (bus 3.4)
            return self._reference(schema["$ref"], path)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                return self._union(schema[word], name, (*path, word))
        if "enum" in schema:
            return self._enum(schema, name, path)
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._kinds(kind, schema, name, path)
        if kind == "array":
            return f"list[{self._items(schema, name, path)}]"
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, name, path)
        if kind is None:
            return self._any()
        if kind not in _SCALARS:
            raise error(self.document, path, f"unknown type {kind!r}")
        return _SCALARS[kind]

    def _any(self) -> str:
        self.uses.add("Any")
        return "Any"

    def _reference(self, reference: Any, path: Path) -> str:
        stem, name = self.contracts.type_reference(reference, self.document, path)
        if stem == self.stem:
            return name
        self.imports.add(stem)
        return f"_{stem}.{name}"

    def _items(self, schema: dict[str, Any], name: str, path: Path) -> str:
        items = schema.get("items")
        return self.expression(items, f"{name}Item", (*path, "items")) if isinstance(items, dict) else self._any()

    def _object(self, schema: dict[str, Any], name: str, path: Path) -> str:
        if schema.get("properties"):
            self.struct(schema, name, path)
            return name
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            return f"dict[str, {self.expression(more, f'{name}Value', (*path, 'additionalProperties'))}]"
        return f"dict[str, {self._any()}]"

    def _kinds(self, kinds: list[str], schema: dict[str, Any], name: str, path: Path) -> str:
        """Render `type: [a, b]`; a list that allows everything is Any."""
        if {"null", "string", "boolean", "array", "object"} <= set(kinds) and "number" in kinds:
            return self._any()
        return self._join([self.expression({**schema, "type": kind}, name, path) for kind in kinds])

    def _union(self, variants: list[Any], name: str, path: Path) -> str:
        parts = [self.expression(one, f"{name}{index + 1}", (*path, index)) for index, one in enumerate(variants)]
        # two objects cannot be told apart without a tag, and msgspec refuses such unions
        if sum(part not in _SCALARS.values() for part in parts) > 1:
            return self._any()
        return self._join(parts)

    def _join(self, parts: list[str]) -> str:
        unique = list(dict.fromkeys(parts))
        if "Any" in unique:
            return self._any()
        if "float" in unique and "int" in unique:
            unique.remove("int")
        return " | ".join(sorted(unique, key=lambda part: part == "None"))

    def _enum(self, schema: dict[str, Any], name: str, path: Path) -> str:
        values = schema["enum"]
        if all(isinstance(value, str) for value in values):
            self.enum(schema, name, path)
            return name
        if all(isinstance(value, str | int) or value is None for value in values):
            self.uses.add("Literal")
            return f"Literal[{', '.join(repr(value) for value in values)}]"
        return self._any()

    def enum(self, schema: dict[str, Any], name: str, path: Path) -> None:
        """Add a StrEnum class."""
        self._claim(name, path)
        self.uses.add("enum")
        lines = [f"class {name}(enum.StrEnum):", *docstring(schema.get("description"), 4)]
        lines += [f'    {member} = "{_escape(value)}"' for member, value in enum_members(schema["enum"])]
        self.classes[name] = "\n".join(lines)

    def struct(self, schema: dict[str, Any], name: str, path: Path) -> None:
        """Add a msgspec.Struct class; optional fields are None when absent, and absent when None."""
        self._claim(name, path)
        self.uses.add("msgspec")
        required = schema.get("required") or []
        lines = [f"class {name}(msgspec.Struct, kw_only=True, omit_defaults=True):"]
        lines += docstring(schema.get("description"), 4)
        self.classes[name] = ""  # keeps the place before classes of nested objects
        for key, sub in schema["properties"].items():
            lines += self._field(name, key, sub, key in required, (*path, "properties", key))
        self.classes[name] = "\n".join(lines)

    def _field(self, owner: str, key: str, schema: Any, required: bool, path: Path) -> list[str]:
        annotation = self.expression(schema, owner + camel(key), path)
        attribute = identifier(key, BUILTINS | self.names)
        if not required and annotation != "Any" and not annotation.endswith("| None"):
            annotation += " | None"
        default = "" if required else " = None"
        if attribute != key:
            more = "" if required else "default=None, "
            default = f' = msgspec.field({more}name="{_escape(key)}")'
        return [f"    {attribute}: {annotation}{default}", *docstring(schema.get("description"), 4, one_line=True)]

    def _claim(self, name: str, path: Path) -> None:
        if name in self.classes or not is_name(name) or name in BUILTINS:
            raise error(self.document, path, f"{name} is twice there, or no Python name")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def docstring(text: Any, indent: int, *, one_line: bool = False) -> list[str]:
    """Return the lines of a docstring, wrapped; none for no text."""
    if not isinstance(text, str) or not text.strip():
        return []
    pad = " " * indent
    words = " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')
    lines = textwrap.wrap(words, WIDTH - indent - 6, break_long_words=False, break_on_hyphens=False)
    if len(lines) == 1:
        return [f'{pad}"""{lines[0]}"""'] + ([] if one_line else [""])
    body = [f'{pad}"""{lines[0]}', *(pad + line for line in lines[1:])]
    return [*body, f'{pad}"""'] + ([] if one_line else [""])
