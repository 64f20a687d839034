"""Where the configuration of a start comes from and where run-time changes go: files or a database (bus 2.6, 6.7, 6.8).

    no --db           the YAML with its user config; changes go to the user config file    FileSlot
    --db              modules of the database slot, settings built in                      DatabaseSlot
    --config --db     settings of the YAML; modules of the slot, which the YAML fills if there is none

A slot also gives the stack of a recovery: the configuration of the start with the changes stored since.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from everest.manager import config
from everest.manager.database import ConfigDatabase
from everest.manager.documents import merge_patch, read
from everest.manager.errors import ManagerError
from everest.manager.model import MODULE_SCOPE, Scalar, Stack
from everest.manager.parameters import typed
from everest.manager.problems import Findings

logger = logging.getLogger(__name__)


class Slot(Protocol):
    """Keeps the configuration of a stack."""

    def store(self, module_id: str, scope: str, name: str, value: Scalar) -> None:
        """Make a changed value durable. Raises ManagerError or OSError."""
        ...

    def reload(self) -> Stack:
        """The stack to start again with. Raises ManagerError."""
        ...


class FileSlot:
    """The configuration of the files as they were at the start; changes go to the user config file as well."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def store(self, module_id: str, scope: str, name: str, value: Scalar) -> None:
        section: dict[str, Any] = (
            {"config_module": {name: value}}
            if scope == MODULE_SCOPE
            else {"config_implementation": {scope: {name: value}}}
        )
        _write_patch(self._stack.user_config, {"active_modules": {module_id: section}})
        self._stack = with_value(self._stack, module_id, scope, name, value)

    def reload(self) -> Stack:
        return self._stack


class DatabaseSlot:
    """The boot slot of a configuration database."""

    def __init__(self, database: ConfigDatabase, config_file: Path | None, options: config.LoadOptions) -> None:
        self._database = database
        self._config_file = config_file
        self._options = options

    def store(self, module_id: str, scope: str, name: str, value: Scalar) -> None:
        self._database.set_parameter(module_id, scope, name, value)

    def reload(self) -> Stack:
        modules = self._database.modules() or {}
        return config.load_entries(modules, self._database.path, self._config_file, self._options)

    def fill(self, *, reset: bool) -> None:
        """Fill a slot that is not there, or each (`reset`), from the YAML; without YAML it is filled with nothing.

        A YAML with mistakes fills nothing (ConfigError): what was in the slot stays.
        """
        if self._database.modules() is not None and not reset:
            return
        if self._config_file is None:
            self._database.seed({})
            return
        self._database.seed(config.load(self._config_file, self._options).active_modules)
        logger.info("filled the configuration database %s from %s", self._database.path, self._config_file)


def choose(
    database: Path | None, config_file: Path | None, options: config.LoadOptions, *, reset: bool = False
) -> tuple[Stack, Slot]:
    """The stack to start and its slot, by the rules of bus 2.6. Raises ManagerError. `config_file` or `database`."""
    if database is None:
        assert config_file is not None
        stack = config.load(config_file, options)
        return stack, FileSlot(stack)
    slot = DatabaseSlot(ConfigDatabase(database), config_file, options)
    slot.fill(reset=reset)
    return slot.reload(), slot


def with_value(stack: Stack, module_id: str, scope: str, name: str, value: Scalar) -> Stack:
    """The stack with one parameter changed."""
    module = stack.modules[module_id]
    entries = tuple(
        dataclasses.replace(entry, value=typed(value, entry.datatype)) if entry.name == name else entry
        for entry in module.parameters[scope]
    )
    module = dataclasses.replace(module, parameters={**module.parameters, scope: entries})
    return dataclasses.replace(stack, modules={**stack.modules, module_id: module})


def _write_patch(path: Path, patch: Mapping[str, Any]) -> None:
    """Merge `patch` into the user config (JSON text, bus 6.1); the file is replaced as a whole or not at all."""
    current: Any = {}
    if path.is_file():
        findings = Findings()
        source = read(path, findings)
        if source is None:
            raise ManagerError(str(findings.problems[0]))
        current = source.data
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(merge_patch(current, patch), indent=4) + "\n", encoding="utf-8")
    temporary.replace(path)
