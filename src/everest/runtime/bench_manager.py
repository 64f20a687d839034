"""What the test bench distributes in place of a manager: one module's configuration and its stack's metadata.

Lives here: `Stack`, part of `everest.runtime.testing`. Configuration mistakes of a test are clear errors (ValueError).
May not be imported here: contracts, manager.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everest.runtime.module import Module
from everest.runtime.topics import Topics
from everest.runtime.wire import ConfigurationRequest
from everest.runtime.yaml_file import load

DATATYPES = {"boolean": "bool"}


@dataclass
class Stack:
    """One module under test and the peers it is connected to."""

    module_id: str
    module_name: str
    manifest: dict[str, Any]
    parameters: dict[str, list[dict[str, Any]]]
    connections: dict[str, list[dict[str, Any]]]
    mappings: dict[str, Any]
    interfaces: dict[str, Any]
    types: dict[str, Any]
    settings: dict[str, Any]
    telemetry_id: int | None = None
    peer_config: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    """(module id, scope, parameter) -> value, for requests at run time (bus 6.7)."""
    peers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Peer module id -> implementation id -> interface."""

    @staticmethod
    def of(
        source: Path | type[Module],
        module_id: str,
        *,
        manifest: Mapping[str, Any] | None,
        config: Mapping[str, Any],
        implementation_config: Mapping[str, Mapping[str, Any]],
        connections: Mapping[str, Sequence[str]],
        mappings: Mapping[str, Mapping[str, Any]],
        peers: Mapping[str, str],
        interfaces: Mapping[str, Any],
        types: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> Stack:
        """Put a stack together; see `ModuleBench` for the arguments."""
        declared = _manifest(source, manifest)
        stack = Stack(
            module_id=module_id,
            module_name=source.__name__ if isinstance(source, type) else source.resolve().name,
            manifest=declared,
            parameters=_parameters(declared, config, implementation_config),
            connections={},
            mappings={name: _mappings(value) for name, value in mappings.items()},
            interfaces=dict(interfaces),
            types=dict(types),
            settings={**SETTINGS, **settings},
        )
        for peer, interface in peers.items():
            stack._add_peer(peer, interface)
        stack._connect(connections)
        stack._find_interfaces(source)
        return stack

    def _add_peer(self, peer: str, interface: str) -> tuple[str, str]:
        module_id, _, implementation_id = peer.partition("/")
        if not module_id or not implementation_id:
            raise ValueError(f'{peer!r}: a peer is named "module_id/implementation_id"')
        if module_id != self.module_id:
            self.peers.setdefault(module_id, {})[implementation_id] = interface
        return module_id, implementation_id

    def _connect(self, connections: Mapping[str, Sequence[str]]) -> None:
        requires = self.manifest["requires"]
        for requirement, peers in connections.items():
            if requirement not in requires:
                raise ValueError(f"connections: the manifest requires no {requirement!r}, only {sorted(requires)}")
            if isinstance(peers, str):
                raise ValueError(f"connections: {requirement!r} needs a list of peers, not {peers!r}")
            pairs = [self._add_peer(peer, requires[requirement]["interface"]) for peer in peers]
            self.connections[requirement] = [
                {"module_id": module, "implementation_id": implementation, "requirement": {"id": requirement}}
                for module, implementation in pairs
            ]

    def _find_interfaces(self, source: Path | type[Module]) -> None:
        """Add the definitions of all interfaces in use that an `interfaces` folder nearby has."""
        start = Path.cwd() if isinstance(source, type) else source.resolve()
        root = next((found for place in (start, Path.cwd()) for found in _roots(place)), None)
        if root is None:
            return
        used = {item["interface"] for item in self.manifest["provides"].values()}
        used |= {interface for provides in self.peers.values() for interface in provides.values()}
        for name in used - self.interfaces.keys():
            if (root / "interfaces" / f"{name}.yaml").is_file():
                self.interfaces[name] = _definition(root, name)

    def origin(self, module_id: str, implementation_id: str) -> dict[str, Any]:
        """The origin of a peer's error, with its mapping."""
        mappings = self.mappings.get(module_id) or {}
        mapping = mappings.get("implementations", {}).get(implementation_id) or mappings.get("module")
        origin = {"module_id": module_id, "implementation_id": implementation_id}
        return {**origin, "mapping": mapping} if mapping else origin

    def answer(self, request: ConfigurationRequest) -> dict[str, Any]:
        """Arguments of `wire.build_configuration_response` for any request of the module (bus 2.3, 6.7)."""
        body = request.request
        if request.type == "Get" and body.get("type") == "Module":
            return {"response": self.response()}
        identifier = body.get("identifier") or {}
        scope = identifier.get("module_implementation_id", "!module")
        name = str(identifier.get("configuration_parameter_name"))
        key = (str(identifier.get("module_id")), scope, name)
        known = key in self.peer_config
        outcome = {"type": request.type, "status": "Ok" if known else "Error"}
        outcome["status_info"] = "" if known else f"the test has no parameter {key}"
        if request.type == "Set":
            if known:
                self.peer_config[key] = body.get("value")
            return {**outcome, "response": {"status": "Accepted" if known else "Rejected", "status_info": ""}}
        data = {"name": name, "value": self.peer_config[key], "characteristics": {}} if known else None
        return {**outcome, "response": {"type": "Value", "data": data}}

    def response(self) -> dict[str, Any]:
        """The body of the answer to the module's configuration request (bus 2.3)."""
        module_config = {
            "standalone": False,
            "module_name": self.module_name,
            "module_id": self.module_id,
            "telemetry_enabled": False,
            "configuration_parameters": self.parameters,
            "connections": self.connections,
            "mapping": self.mappings.get(self.module_id),
            "access": None,
        }
        if self.telemetry_id is not None:
            module_config["telemetry_config"] = {"id": self.telemetry_id}
        mappings = {name: self.mappings.get(name) for name in (self.module_id, *self.peers)}
        return {"type": "Module", "data": {"module_config": module_config, "mappings": mappings}}

    def metadata(self, topics: Topics) -> Iterator[tuple[str, Any]]:
        """All retained topics and their data, in the order of bus 2.3."""
        yield topics.interfaces, sorted(self.interfaces)
        for name, definition in sorted(self.interfaces.items()):
            yield topics.interface_definition(name), definition
        yield topics.types, list(self.types)
        for path, contents in self.types.items():
            yield topics.type_definition(path), contents
        yield topics.settings, self.settings
        if self.settings["validate_schema"]:
            yield topics.schemas, {}
        yield topics.manifest(self.module_name), {k: v for k, v in self.manifest.items() if k != "config"}
        names = {self.module_id: self.module_name}
        for module_id, provides in self.peers.items():
            names[module_id] = f"Peer_{module_id}"
            interfaces = {implementation: {"interface": interface} for implementation, interface in provides.items()}
            yield topics.manifest(names[module_id]), {**EMPTY_MANIFEST, "provides": interfaces}
        yield topics.module_names, names


SETTINGS: Mapping[str, Any] = {
    "prefix": "/usr",
    "etc_dir": "/etc/everest",
    "data_dir": "/usr/share/everest",
    "modules_dir": "/usr/libexec/everest/modules",
    "telemetry_prefix": "everest-telemetry/",
    "telemetry_enabled": False,
    "validate_schema": False,
    "forward_exceptions": False,
}
EMPTY_MANIFEST: Mapping[str, Any] = {
    "description": "",
    "provides": {},
    "requires": {},
    "metadata": {"license": "https://opensource.org/licenses/Apache-2.0", "authors": ["test"]},
    "enable_external_mqtt": False,
    "enable_telemetry": False,
    "enable_global_errors": False,
}


def _manifest(source: Path | type[Module], given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        if isinstance(source, type):
            raise ValueError(f"ModuleBench({source.__name__}) needs manifest=...; a folder brings its own")
        path = source / "manifest.yaml"
        if not path.is_file():
            raise ValueError(f"{path.absolute()} does not exist")
        given = load(path).data
    return {**EMPTY_MANIFEST, "config": {}, **given}


def _parameters(
    manifest: Mapping[str, Any], config: Mapping[str, Any], implementation_config: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    unknown = set(implementation_config) - set(manifest["provides"])
    if unknown:
        raise ValueError(f"implementation_config: the manifest provides no {sorted(unknown)}")
    parameters = {"!module": _scope("config", manifest["config"], config)}
    for name, provision in manifest["provides"].items():
        given = implementation_config.get(name, {})
        parameters[name] = _scope(f"implementation_config of {name}", provision.get("config", {}), given)
    return parameters


def _scope(what: str, declared: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    unknown = set(given) - set(declared)
    if unknown:
        raise ValueError(f"{what}: the manifest declares no {sorted(unknown)}")
    missing = [name for name, entry in declared.items() if name not in given and "default" not in entry]
    if missing:
        raise ValueError(f"{what}: the manifest has no default for {missing}")
    return [_parameter(name, entry, given.get(name, entry.get("default"))) for name, entry in declared.items()]


def _parameter(name: str, entry: Mapping[str, Any], value: Any) -> dict[str, Any]:
    characteristics = {
        "datatype": DATATYPES.get(entry["type"], entry["type"]),
        "mutability": entry.get("mutability", "ReadOnly"),
    }
    number = entry["type"] == "number" and isinstance(value, int) and not isinstance(value, bool)
    return {"name": name, "value": float(value) if number else value, "characteristics": characteristics}


def _mappings(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": dict(value)} if "evse" in value else dict(value)


def _roots(start: Path) -> Iterator[Path]:
    """Folders that hold `interfaces`, from `start` upwards, in a checkout or in an installed prefix."""
    for folder in (start, *start.parents):
        for root in (folder, folder / "share" / "everest"):
            if (root / "interfaces").is_dir():
                yield root


def _definition(root: Path, name: str) -> dict[str, Any]:
    """An interface file in its distributed form (bus 6.4), as far as a module reads it."""
    interface = load(root / "interfaces" / f"{name}.yaml").data
    errors: dict[str, dict[str, Any]] = {}
    for item in interface.get("errors", []):
        namespace, _, single = item["reference"].removeprefix("/errors/").partition("#/")
        for error in load(root / "errors" / f"{namespace}.yaml").data.get("errors", []):
            if single in ("", error["name"]):
                errors.setdefault(namespace, {})[error["name"]] = {**error, "namespace": namespace}
    cmds = {
        command: {"arguments": spec.get("arguments", {}), "result": spec.get("result", {"type": "null"})}
        for command, spec in interface.get("cmds", {}).items()
    }
    return {"cmds": cmds, "vars": interface.get("vars", {}), "errors": errors}
