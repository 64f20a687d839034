"""The data model: what a checked configuration is made of. Frozen values, no I/O, no rules.

Stack ─ settings, modules (ModuleConfig by id), manifests (Manifest by name), interfaces, types
ModuleConfig ─ parameters, connections, mapping, access
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnlyDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from everest.manager.settings import Settings

Scalar = bool | int | float | str
DataType = Literal["string", "number", "integer", "bool"]
Mutability = Literal["ReadOnly", "ReadWrite", "WriteOnly"]

MODULE_SCOPE = "!module"
"""The scope of a module's own parameters, beside the implementation ids (bus 2.3)."""

PROBE_MODULE = "ProbeModule"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Place in the charging station (bus 6.1)."""

    evse: int
    connector: int | None = None

    def as_json(self) -> dict[str, int]:
        return {"evse": self.evse} if self.connector is None else {"evse": self.evse, "connector": self.connector}


@dataclass(frozen=True, slots=True)
class ModuleMapping:
    """Mapping of a module and of its implementations."""

    module: Mapping | None = None
    implementations: ReadOnlyDict[str, Mapping] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any] | None:
        """null when nothing is mapped, otherwise only the present keys (bus 2.3)."""
        result: dict[str, Any] = {}
        if self.module is not None:
            result["module"] = self.module.as_json()
        if self.implementations:
            result["implementations"] = {key: value.as_json() for key, value in self.implementations.items()}
        return result or None


@dataclass(frozen=True, slots=True)
class Connection:
    """One fulfilment of a requirement."""

    module_id: str
    implementation_id: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One configuration parameter with its value. `value` has the exact Python type of `datatype`."""

    name: str
    value: Scalar
    datatype: DataType
    mutability: Mutability = "ReadOnly"


@dataclass(frozen=True, slots=True)
class ModuleAccess:
    """Access of a module to the configuration of one other module."""

    allow_read: bool = False
    allow_write: bool = False
    allow_set_read_only: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """Access of a module to the configuration of others (bus 6.7)."""

    allow_global_read: bool = False
    allow_global_write: bool = False
    allow_set_read_only: bool = False
    modules: ReadOnlyDict[str, ModuleAccess] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "config": {
                "allow_global_read": self.allow_global_read,
                "allow_global_write": self.allow_global_write,
                "allow_set_read_only": self.allow_set_read_only,
                "modules": {
                    module_id: {
                        "allow_read": access.allow_read,
                        "allow_write": access.allow_write,
                        "allow_set_read_only": access.allow_set_read_only,
                    }
                    for module_id, access in self.modules.items()
                },
            }
        }


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """One entry of `active_modules`, checked. `parameters` has an entry for `!module` and every implementation."""

    id: str
    name: str
    standalone: bool = False
    capabilities: tuple[str, ...] | None = None
    parameters: ReadOnlyDict[str, tuple[Parameter, ...]] = field(default_factory=dict)
    connections: ReadOnlyDict[str, tuple[Connection, ...]] = field(default_factory=dict)
    mapping: ModuleMapping = ModuleMapping()
    telemetry_id: int | None = None
    access: Access | None = None

    @property
    def printable(self) -> str:
        """`<mid>:<Module>`, as EVerest names a module in texts (bus 3)."""
        return f"{self.id}:{self.name}"


@dataclass(frozen=True, slots=True)
class ConfigParameter:
    """Declaration of a parameter in a manifest. `schema` holds the keywords that restrict the value."""

    name: str
    datatype: DataType
    mutability: Mutability
    default: Scalar | None
    schema: ReadOnlyDict[str, Any]


@dataclass(frozen=True, slots=True)
class Provided:
    """One implementation of a manifest."""

    interface: str
    parameters: ReadOnlyDict[str, ConfigParameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Required:
    """One requirement of a manifest."""

    interface: str
    min_connections: int = 1
    max_connections: int = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A module's manifest. `distributed` is the JSON form of bus 2.3: defaults in, top-level `config` out."""

    name: str
    provides: ReadOnlyDict[str, Provided]
    requires: ReadOnlyDict[str, Required]
    parameters: ReadOnlyDict[str, ConfigParameter]
    distributed: ReadOnlyDict[str, Any]
    directory: Path | None = None
    """Where the program lies; None for the generated manifest of the ProbeModule."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A whole checked configuration: everything that is distributed and started."""

    config_file: Path
    user_config: Path
    """Where run-time changes are stored (bus 6.7); need not exist."""
    settings: Settings
    modules: ReadOnlyDict[str, ModuleConfig]
    manifests: ReadOnlyDict[str, Manifest]
    interfaces: ReadOnlyDict[str, ReadOnlyDict[str, Any]]
    """Distributed form (bus 6.4) of every interface that some module provides."""
    types: ReadOnlyDict[str, ReadOnlyDict[str, Any]] = field(default_factory=dict)
    """Type definitions by path (`/authorization`); empty unless validate_schema."""
    warnings: tuple[str, ...] = ()
    active_modules: ReadOnlyDict[str, Any] = field(default_factory=dict)
    """The entries as written, user configs merged in; what a configuration database keeps."""

    def modules_named(self, name: str) -> list[ModuleConfig]:
        """All modules of one kind: `modules_named("OCPP")`."""
        return [module for module in self.modules.values() if module.name == name]
