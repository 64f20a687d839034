"""Naming what is tolerated: lengths, ranges, patterns, formats and members that the definitions do not allow.

Lives here: `Inspector`, which holds every received payload that was taken against the JSON schemas of its interface.
Nothing is refused by it; each place is named once per topic (bus 8 item 5). A payload that fits costs about 5 us.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from everest.runtime.codec import decode
from everest.runtime.diagnostics import OnceLog
from everest.runtime.errors import SchemaValidationError
from everest.runtime.model import Deployment

if TYPE_CHECKING:
    from everest.runtime.validation import Check

logger = logging.getLogger(__name__)


class Inspector:
    """Checks by the distributed interfaces and the type files of the installation, each read at its first use."""

    def __init__(self, deployment: Deployment, deviations: OnceLog) -> None:
        self._interfaces = deployment.interfaces
        self._types = TypeFiles(Path(deployment.settings.data_dir) / "types", deployment.types)
        self._deviations = deviations
        self._checks: dict[str, Check | None] = {}

    def variable(self, topic: str, interface: str, variable: str, value: Raw | bytes) -> None:
        """A received value that was taken."""
        if topic not in self._checks:
            definition = self._interfaces.get(interface)
            self._prepare(topic, definition and definition.vars.get(variable))
        self._look(topic, f"variable {variable}", value)

    def arguments(self, topic: str, interface: str, command: str, args: Raw | bytes) -> None:
        """Received arguments that were taken."""
        if topic not in self._checks:
            definition = self._interfaces.get(interface)
            declared = definition and definition.cmds.get(command)
            self._prepare(topic, declared and {"type": "object", "properties": dict(declared.arguments)})
        self._look(topic, f"arguments of {command}", args or b"{}")

    def result(self, topic: str, interface: str, command: str, result: Raw | bytes) -> None:
        """A received result that was taken; `topic` is the command's."""
        key = f"{topic} (result)"
        if key not in self._checks:
            definition = self._interfaces.get(interface)
            declared = definition and definition.cmds.get(command)
            self._prepare(key, declared and declared.result)
        self._look(key, f"result of {command}", result)

    def _prepare(self, key: str, schema: Any) -> None:
        """What cannot be checked (an unknown interface, a type file that is not here) is nobody's deviation."""
        self._checks[key] = None
        if not schema:
            return
        from everest.runtime.validation import Check

        try:
            self._checks[key] = Check(closed(schema), self._types)
        except SchemaValidationError as error:
            logger.debug("%s: received payloads are not inspected: %s", key, error)

    def _look(self, key: str, what: str, text: Raw | bytes) -> None:
        check = self._checks[key]
        if check is None:
            return
        for failure in check.failures(decode(text, Any)):
            self._deviations.warn(key, f"tolerated: {what}: {failure.place}")


class TypeFiles(dict[str, Any]):
    """Type path -> its closed definitions: what was distributed, else the file of that name below `folder`.

    Errors: LookupError where there is no usable file.
    """

    def __init__(self, folder: Path, distributed: Mapping[str, Any]) -> None:
        super().__init__({path: closed(definitions) for path, definitions in distributed.items()})
        self._folder = folder

    def __missing__(self, path: str) -> Any:
        from everest.runtime import yaml_file

        for file in sorted(self._folder.rglob(f"{path.removeprefix('/')}.yaml")):
            try:
                data = yaml_file.load(file).data
            except (yaml_file.YamlError, OSError) as error:
                raise LookupError(str(error)) from None
            if isinstance(data, dict) and isinstance(data.get("types"), dict):
                self[path] = closed(data["types"])
                return self[path]
        raise LookupError(f"no type file {path} below {self._folder}")


def closed(schema: Any) -> Any:
    """The schema with every object that lists its members and says nothing of others closed to others."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), Mapping):
        found.setdefault("additionalProperties", False)
    return found
