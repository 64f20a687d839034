"""What a module is told about itself, under the names of EVerest's binding (bus 7.2). All attributes are read-only.

Lives here: `ModuleSetup`, `ModuleSetupConfigurations`, `Fulfillment`, `Interface`, `ModuleInfo`, `ModuleInfoPaths` and
the functions that make them from the runtime's `Deployment`. May not be imported here: transports, other rooms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everest.runtime.model import Deployment


@dataclass(frozen=True)
class Fulfillment:
    """One connection of a requirement; handed back to `Module` to say which one is meant."""

    module_id: str
    implementation_id: str
    _requirement_id: str = field(repr=False)
    _index: int = field(repr=False)


@dataclass(frozen=True)
class ModuleSetupConfigurations:
    """Configuration parameters, defaults applied; None where a scope has none."""

    module: dict[str, Any] | None
    implementations: dict[str, dict[str, Any] | None]


@dataclass(frozen=True)
class ModuleSetup:
    """Configuration and connections; `connections` has every requirement of the manifest, in the order configured."""

    configs: ModuleSetupConfigurations
    connections: dict[str, list[Fulfillment]]


@dataclass(frozen=True)
class Interface:
    """Sorted names of what an interface declares; errors as `namespace/Name`."""

    variables: list[str]
    commands: list[str]
    errors: list[str]


@dataclass(frozen=True)
class ModuleInfoPaths:
    """Configuration folder of the station, folder of the module's program, folder of its shared data."""

    etc: Path
    libexec: Path
    share: Path


@dataclass(frozen=True)
class ModuleInfo:
    """Who the module is; `name` is its type."""

    name: str
    id: str
    authors: list[str]
    license: str
    paths: ModuleInfoPaths
    telemetry_enabled: bool = False


def setup_of(deployment: Deployment) -> ModuleSetup:
    """Configuration and connections of this module."""
    configuration, manifest = deployment.configuration, deployment.manifest
    configs = ModuleSetupConfigurations(
        module=_scope(configuration.module),
        implementations={name: _scope(configuration.implementations.get(name, {})) for name in manifest.provides},
    )
    connections = {
        requirement: [
            Fulfillment(item.module_id, item.implementation_id, item.requirement_id, item.index)
            for item in configuration.connections.get(requirement, ())
        ]
        for requirement in manifest.requires
    }
    return ModuleSetup(configs, connections)


def _scope(entries: Mapping[str, Any]) -> dict[str, Any] | None:
    return dict(entries) or None


def interface_of(deployment: Deployment, name: str) -> Interface:
    """The names of one interface; one that nobody provides is empty."""
    definition = deployment.interface(name)
    return Interface(sorted(definition.vars), sorted(definition.cmds), sorted(definition.error_types))


def info_of(deployment: Deployment) -> ModuleInfo:
    """The identity of this module."""
    info = deployment.info
    paths = ModuleInfoPaths(info.paths.etc, info.paths.libexec, info.paths.share)
    return ModuleInfo(info.name, info.id, list(info.authors), info.license, paths)
