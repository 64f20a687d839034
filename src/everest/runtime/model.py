"""What a module is told about itself and its stack, as plain frozen values (bus 2.3).

Lives here: `Mapping`, `Fulfillment`, `Settings`, `ModuleConfiguration`, `Manifest`, `InterfaceDefinition` and the
tolerant readers that make them from distributed JSON: missing optional keys get their defaults, extra keys are
ignored (bus 8 item 5).
May not be imported here: transports, modules, contracts.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from everest.runtime.errors import StartupError

ConfigValue: TypeAlias = bool | int | float | str
ConfigEntries: TypeAlias = MappingABC[str, ConfigValue]

MODULE_LEVEL = "!module"
"""The scope of a module's own parameters beside those of its implementations."""


class Mapping(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where something sits: EVSE number (0 is the whole station) and, where known, connector number."""

    evse: int
    connector: int | None = None


class Mappings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Mapping of a module and, overriding it, of its implementations."""

    module: Mapping | None = None
    implementations: dict[str, Mapping | None] = {}

    def of(self, implementation_id: str) -> Mapping | None:
        """The mapping that counts for one implementation (bus 4.3)."""
        return self.implementations.get(implementation_id) or self.module


@dataclass(frozen=True)
class Fulfillment:
    """One connection of a requirement: who provides it, and which place in the configured list it has."""

    requirement_id: str
    index: int
    module_id: str
    implementation_id: str
    mapping: Mapping | None = None


class Settings(msgspec.Struct, frozen=True):
    """Run-time settings from `<P>settings`."""

    prefix: str = ""
    etc_dir: str = ""
    data_dir: str = ""
    modules_dir: str = ""
    telemetry_prefix: str = "everest-telemetry/"
    telemetry_enabled: bool = False
    validate_schema: bool = False
    forward_exceptions: bool = False


@dataclass(frozen=True)
class ModuleConfiguration:
    """The answer to a module's configuration request, reduced to what a module needs."""

    module_id: str
    module_name: str
    module: ConfigEntries
    implementations: MappingABC[str, ConfigEntries]
    connections: MappingABC[str, tuple[Fulfillment, ...]]
    mappings: Mappings
    standalone: bool = False
    telemetry_id: int | None = None
    mutabilities: MappingABC[tuple[str, str], str] = field(default_factory=dict)
    """(scope, parameter) -> ReadOnly, ReadWrite or WriteOnly."""


class Requirement(msgspec.Struct, frozen=True):
    """One entry of `requires` in a manifest."""

    interface: str
    min_connections: int = 1
    max_connections: int = 1
    ignore: dict[str, Any] = {}

    @property
    def ignores_errors(self) -> bool:
        return bool(self.ignore.get("errors", False))


class Provision(msgspec.Struct, frozen=True):
    """One entry of `provides` in a manifest."""

    interface: str
    config: dict[str, Any] = {}


class _ManifestMetadata(msgspec.Struct, frozen=True):
    license: str = ""
    authors: list[str] = []


class Manifest(msgspec.Struct, frozen=True):
    """What a module declares (bus 6.2)."""

    provides: dict[str, Provision] = {}
    requires: dict[str, Requirement] = {}
    metadata: _ManifestMetadata = _ManifestMetadata()
    config: dict[str, Any] = {}
    enable_external_mqtt: bool = False
    enable_telemetry: bool = False
    enable_global_errors: bool = False


class CommandDefinition(msgspec.Struct, frozen=True):
    """Schemas of a command's arguments and result; a result of type null means none."""

    arguments: dict[str, Any] = {}
    result: dict[str, Any] | None = None


class ErrorDefinition(msgspec.Struct, frozen=True):
    """A declared error; its type is `namespace/name`."""

    name: str = ""
    namespace: str = ""
    description: str = "No description found"


class InterfaceDefinition(msgspec.Struct, frozen=True):
    """An interface in its distributed form (bus 6.4): errors are namespace -> name -> declaration."""

    cmds: dict[str, CommandDefinition] = {}
    vars: dict[str, Any] = {}
    errors: dict[str, dict[str, ErrorDefinition]] = {}

    @property
    def error_types(self) -> dict[str, str]:
        """Declared error type -> description."""
        return {
            f"{namespace}/{name}": error.description
            for namespace, errors in self.errors.items()
            for name, error in errors.items()
        }


def convert(value: Any, type: Any, what: str) -> Any:
    """Tolerant conversion of distributed JSON. Errors: StartupError naming `what` and the place in it."""
    try:
        return msgspec.convert(value, type, strict=True)
    except msgspec.ValidationError as error:
        raise StartupError(f"{what} received from the manager is unusable: {error}") from None


class _ModuleConfig(msgspec.Struct):
    module_id: str
    module_name: str
    configuration_parameters: dict[str, list[dict[str, Any]]] = {}
    connections: dict[str, list[dict[str, Any]]] = {}
    mapping: Mappings | None = None
    standalone: bool = False
    telemetry_config: dict[str, Any] | None = None


class _ModuleResponse(msgspec.Struct):
    module_config: _ModuleConfig
    mappings: dict[str, Mappings | None] = {}


def read_configuration(data: Any) -> ModuleConfiguration:
    """Read `response.data` of a configuration answer. Errors: StartupError."""
    response: _ModuleResponse = convert(data, _ModuleResponse, "the module configuration")
    config = response.module_config
    entries, mutabilities = _read_parameters(config.configuration_parameters)
    telemetry = config.telemetry_config or {}
    return ModuleConfiguration(
        module_id=config.module_id,
        module_name=config.module_name,
        module=entries.pop(MODULE_LEVEL, MappingProxyType({})),
        implementations=MappingProxyType(entries),
        connections=MappingProxyType(
            {
                requirement: _read_fulfillments(requirement, connections, response.mappings)
                for requirement, connections in config.connections.items()
            }
        ),
        mappings=config.mapping or Mappings(),
        standalone=config.standalone,
        telemetry_id=telemetry.get("id"),
        mutabilities=MappingProxyType(mutabilities),
    )


def _read_parameters(
    parameters: MappingABC[str, list[dict[str, Any]]],
) -> tuple[dict[str, ConfigEntries], dict[tuple[str, str], str]]:
    entries: dict[str, ConfigEntries] = {}
    mutabilities: dict[tuple[str, str], str] = {}
    for scope, items in parameters.items():
        values: dict[str, ConfigValue] = {}
        for item in items:
            name = str(item.get("name", ""))
            characteristics = item.get("characteristics") or {}
            values[name] = _read_value(scope, name, item.get("value"), characteristics.get("datatype"))
            mutabilities[scope, name] = characteristics.get("mutability", "ReadOnly")
        entries[scope] = MappingProxyType(values)
    return entries, mutabilities


def _read_value(scope: str, name: str, value: Any, datatype: Any) -> ConfigValue:
    """One parameter; a `number` is always a float here, whatever the sender wrote.

    `bool` and `boolean` are the same.
    """
    if datatype == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, bool | int | float | str):
        raise StartupError(f"the module configuration has no usable value for {scope}.{name}: {value!r}")
    return value


def _read_fulfillments(
    requirement: str, connections: list[dict[str, Any]], mappings: MappingABC[str, Mappings | None]
) -> tuple[Fulfillment, ...]:
    """The list position is the index, whatever the sender wrote (bus 2.3)."""
    fulfillments = []
    for index, connection in enumerate(connections):
        module_id, implementation_id = connection.get("module_id"), connection.get("implementation_id")
        if not isinstance(module_id, str) or not isinstance(implementation_id, str):
            raise StartupError(f"connection {index} of requirement {requirement!r} names no module and implementation")
        mapping = (mappings.get(module_id) or Mappings()).of(implementation_id)
        fulfillments.append(Fulfillment(requirement, index, module_id, implementation_id, mapping))
    return tuple(fulfillments)


@dataclass(frozen=True)
class Paths:
    """Folders a module may use: configuration, its own program, its own shared data (bus 7.2)."""

    etc: Path
    libexec: Path
    share: Path


@dataclass(frozen=True)
class ModuleInfo:
    """Who this module is."""

    id: str
    name: str
    authors: tuple[str, ...]
    license: str
    mapping: Mapping | None
    paths: Paths


@dataclass(frozen=True)
class Deployment:
    """Everything a module reads at start (bus 2.3), in one value."""

    configuration: ModuleConfiguration
    settings: Settings
    module_names: MappingABC[str, str]
    manifests: MappingABC[str, Manifest]
    interfaces: MappingABC[str, InterfaceDefinition]
    types: MappingABC[str, Any] = field(default_factory=dict)
    """Type path (`/authorization`) -> type name -> JSON schema; empty unless `validate_schema`."""
    schemas: MappingABC[str, Any] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        """This module's own manifest."""
        return self.manifests[self.configuration.module_name]

    @property
    def info(self) -> ModuleInfo:
        """The module's identity as its code sees it."""
        configuration, settings, manifest = self.configuration, self.settings, self.manifest
        return ModuleInfo(
            id=configuration.module_id,
            name=configuration.module_name,
            authors=tuple(manifest.metadata.authors),
            license=manifest.metadata.license,
            mapping=configuration.mappings.module,
            paths=Paths(
                etc=Path(settings.etc_dir),
                libexec=Path(settings.modules_dir) / configuration.module_name,
                share=Path(settings.data_dir) / "modules" / configuration.module_name,
            ),
        )

    def interface(self, name: str) -> InterfaceDefinition:
        """An interface; one that nobody provides is empty (bus 2.3)."""
        return self.interfaces.get(name, InterfaceDefinition())
