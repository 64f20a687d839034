"""The JSON schemas of configuration files: generated from the key table, loaded, composed, applied.

`python -m ocpp16.configuration [FOLDER]` writes the files; a test compares them with those committed.
Integrators may give a folder of their own: it decides what a file may hold, what `Custom` keys there are, and the
three access flags that are read at run time (libocpp 1.5). May import: key, keys. Must not import: files, checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from ocpp16.configuration.key import Access, Key, Kind
from ocpp16.configuration.keys import TABLE
from ocpp16.errors import ConfigurationError

DRAFT = "http://json-schema.org/draft-07/schema#"
SHIPPED = Path(__file__).parent.parent / "profile_schemas"
MANDATORY_SECTIONS = ("Internal", "Core", "Security")
OPEN_SECTIONS = frozenset({"Security", "PnC", "CostAndPrice"})
"""Sections in which unknown keys are tolerated (libocpp 1.5)."""

_TEXT = {"type": "string", "minLength": 1}
NESTED: dict[str, dict[str, Any]] = {
    "DefaultPrice": {
        "properties": {
            "priceText": _TEXT,
            "priceTextOffline": _TEXT,
            "chargingPrice": {
                "type": "object",
                "properties": {name: {"type": "number"} for name in ("kWhPrice", "hourPrice", "flatFee")},
            },
        },
        "required": ["priceText"],
    },
    "DefaultPriceText": {
        "properties": {
            "priceTexts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "priceText": _TEXT,
                        "priceTextOffline": _TEXT,
                        "language": {"type": "string", "minLength": 2},
                    },
                    "required": ["priceText", "language"],
                },
            }
        }
    },
}
"""libocpp 1.5.11, 12.13."""

CUSTOM: dict[str, Any] = {
    "$schema": DRAFT,
    "title": "Custom",
    "description": "Keys of the integrator: give each a type and readOnly.",
    "type": "object",
    "properties": {"ExampleConfigurationKey": {"type": "string", "readOnly": False}},
}
"""libocpp 12.11."""


def generate() -> dict[str, dict[str, Any]]:
    """All schema documents by file name."""
    sections = list(dict.fromkeys(key.section for key in TABLE.values()))
    documents = {f"{section}.json": _section(section) for section in sections}
    documents["Custom.json"] = CUSTOM
    documents["Config.json"] = {
        "$schema": DRAFT,
        "title": "OCPP 1.6 charge point configuration",
        "type": "object",
        "properties": {section: {"$ref": f"{section}.json"} for section in (*sections, "Custom")},
        "required": list(MANDATORY_SECTIONS),
        "additionalProperties": False,
    }
    return documents


def _section(section: str) -> dict[str, Any]:
    keys = [key for key in TABLE.values() if key.section == section]
    required = [key.name for key in keys if key.required]
    return {
        "$schema": DRAFT,
        "title": section,
        "type": "object",
        "properties": {key.name: _property(key) for key in keys},
        **({"required": required} if required else {}),
        "additionalProperties": section in OPEN_SECTIONS,
    }


def _property(key: Key[Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": key.kind.value}
    if key.kind is Kind.TEXTS:
        described["items"] = {"type": "string"}
    bounds = zip(("minimum", "maximum", "minLength", "maxLength"), (*key.bounds, *key.length), strict=True)
    described |= {name: bound for name, bound in bounds if bound is not None}
    described |= NESTED.get(key.name, {})
    if key.default is not None:
        described["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    meaning = f"{key.meaning} [{key.unit}]" if key.unit else key.meaning
    return described | {"readOnly": key.access is Access.RO, "description": meaning}


def write(folder: Path) -> None:
    """Write all schema files into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in generate().items():
        (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


class Schemas:
    """The schemas of one folder, composed into one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = _load(folder / "Config.json")
        properties = self._root.setdefault("properties", {})
        for section, schema in list(properties.items()):
            reference = schema.get("$ref")
            if reference is None:
                continue
            if section == "Custom" and not (folder / reference).exists():
                del properties[section]
            else:
                properties[section] = _load(folder / reference)
        self._validator = jsonschema.Draft7Validator(self._root)

    def properties(self, section: str) -> dict[str, dict[str, Any]]:
        """The property schemas of a section, by key."""
        found: dict[str, dict[str, Any]] = self._root["properties"].get(section, {}).get("properties", {})
        return found

    def read_only(self, section: str, name: str) -> bool | None:
        """The access flag in the file; None if it has none."""
        return self.properties(section).get(name, {}).get("readOnly")

    def insert_defaults(self, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Put defaults into the sections that are there (libocpp 1.3.3); yields (section, key) of each."""
        for section, content in document.items():
            if not isinstance(content, dict):
                continue
            for name, schema in self.properties(section).items():
                if "default" in schema and name not in content:
                    content[name] = schema["default"]
                    yield section, name

    def errors(self, document: Any) -> list[jsonschema.ValidationError]:
        """What is wrong with a whole document, in the order of its places."""
        return sorted(self._validator.iter_errors(document), key=lambda error: [str(step) for step in error.path])

    def accepts(self, section: str, content: Any) -> bool:
        """Whether the content of one section is valid."""
        schema = self._root["properties"].get(section)
        return schema is not None and jsonschema.Draft7Validator(schema).is_valid(content)

    def accepts_value(self, section: str, name: str, value: Any) -> bool:
        """Whether the value of one key is valid."""
        return jsonschema.Draft7Validator(self.properties(section).get(name, {})).is_valid(value)


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if path.parent != SHIPPED:  # those are checked by a test; checking again costs more than the rest of a start
            jsonschema.Draft7Validator.check_schema(document)
    except (OSError, ValueError, jsonschema.SchemaError) as error:
        reason = error.message if isinstance(error, jsonschema.SchemaError) else error
        raise ConfigurationError(f"{path}: not a readable JSON schema ({reason}); restore the file") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: not a JSON object; restore the file")
    return document
