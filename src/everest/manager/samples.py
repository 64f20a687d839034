"""A valid value for a JSON schema of an interface, for the tests of new modules. Pure; as much as contracts use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "uri": "https://example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 12


def sample(schema: Mapping[str, Any], types: Mapping[str, Mapping[str, Any]], depth: int = 0) -> Any:
    """The smallest value that fits: only required properties. `types` is path -> name -> schema (bus 6.5)."""
    if "$ref" in schema:
        path, _, name = str(schema["$ref"]).partition("#/")
        target = types.get(path, {}).get(name)
        return {} if target is None or depth > _DEEPEST else sample(target, types, depth + 1)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else next((one for one in kind if one != "null"), "null"):
        case "string":
            return _FORMATS.get(schema.get("format", ""), "x" * max(1, int(schema.get("minLength", 1))))
        case "integer":
            return int(schema.get("minimum", 0))
        case "number":
            return float(schema.get("minimum", 0))
        case "boolean":
            return False
        case "array":
            return [sample(schema.get("items", {}), types, depth + 1)] * int(schema.get("minItems", 0))
        case "null":
            return None
        case _:
            properties = schema.get("properties", {})
            return {name: sample(properties.get(name, {}), types, depth + 1) for name in schema.get("required", [])}
