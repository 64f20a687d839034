"""Naming what is tolerated: lengths, patterns, formats and extra members that the definitions do not allow.

Lives here: `Inspector`, there only when asked for (`EV_REPORT_DEVIATIONS=1`), since it checks every received payload a
second time, by JSON schema. Nothing is refused by it; each place is named once per topic (bus 8 item 5).
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Raw

from everest.runtime import yaml_file
from everest.runtime.diagnostics import OnceLog
from everest.runtime.errors import SchemaValidationError
from everest.runtime.model import Deployment
from everest.runtime.validation import PlacedError, Validator

logger = logging.getLogger(__name__)


class Inspector:
    """Checks by the distributed interfaces and the type files of the installation."""

    def __init__(self, deployment: Deployment, deviations: OnceLog) -> None:
        types = deployment.types or read_types(Path(deployment.settings.data_dir) / "types")
        self._validator = Validator(deployment.interfaces, types)
        self._deviations = deviations

    def variable(self, topic: str, interface: str, variable: str, value: Raw | bytes) -> None:
        """A received value that was taken."""
        try:
            self._validator.check_variable(interface, variable, value)
        except SchemaValidationError as error:
            self._report(topic, error)

    def arguments(self, topic: str, interface: str, command: str, args: Raw | bytes) -> None:
        """Received arguments that were taken."""
        try:
            self._validator.check_arguments(interface, command, args)
        except SchemaValidationError as error:
            self._report(topic, error)

    def _report(self, topic: str, error: SchemaValidationError) -> None:
        """What cannot be checked (a type file that is not here) is nobody's deviation."""
        if isinstance(error, PlacedError):
            self._deviations.warn(topic, f"tolerated: {error.place}")
        else:
            logger.debug("%s: %s", topic, error)


def read_types(folder: Path) -> Mapping[str, Any]:
    """Type path -> type name -> schema, of all type files below a folder; unreadable ones are named and left out."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.yaml")):
        try:
            data = yaml_file.load(path).data
        except (yaml_file.YamlError, OSError) as error:
            logger.warning("type file not usable for reports: %s", error)
            continue
        if isinstance(data, dict) and isinstance(data.get("types"), dict):
            found[f"/{path.stem}"] = data["types"]
    return found
