"""Everything the manager says about a configuration, as JSON (bus 2.3). Pure: a Stack in, payloads out.

`metadata` is the retained metadata in the order it is published; `module_response` is what a module gets as its own
configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from everest.manager import metaschema
from everest.manager.model import ModuleConfig, Parameter, Stack
from everest.manager.parameters import parameter_json

Json = dict[str, Any]
Parameters = Mapping[str, tuple[Parameter, ...]]


def metadata(stack: Stack) -> Iterator[tuple[str, Any]]:
    """(topic below the everest prefix, data) of every retained metadata message, in order."""
    yield "interfaces", list(stack.interfaces)
    for name, definition in stack.interfaces.items():
        yield f"interface_definitions/{name}", definition
    yield "types", list(stack.types)
    for path, definitions in stack.types.items():
        yield f"type_definitions/{path.removeprefix('/')}", definitions
    yield "settings", stack.settings.distributed()
    if stack.settings.validate_schema:
        yield "schemas", metaschema.all_schemas()
    for name in sorted(stack.manifests):
        yield f"manifests/{name}", stack.manifests[name].distributed
    yield "module_names", {module.id: module.name for module in stack.modules.values()}


def module_config(module: ModuleConfig, parameters: Parameters | None = None) -> Json:
    """`module_config` of bus 2.3. `parameters` replaces the configured values by those changed at run time."""
    result: Json = {
        "standalone": module.standalone,
        "module_name": module.name,
        "module_id": module.id,
        "telemetry_enabled": False,
        "configuration_parameters": parameters_json(parameters if parameters is not None else module.parameters),
        "connections": _connections(module),
        "mapping": module.mapping.as_json(),
        "access": None if module.access is None else module.access.as_json(),
    }
    if module.capabilities is not None:
        result["capabilities"] = list(module.capabilities)
    if module.telemetry_id is not None:
        result["telemetry_config"] = {"id": module.telemetry_id}
    return result


def parameters_json(parameters: Parameters, *, read_write: bool = False) -> Json:
    return {
        scope: [parameter_json(parameter, read_write=read_write) for parameter in entries]
        for scope, entries in parameters.items()
    }


def _connections(module: ModuleConfig) -> Json:
    """The index of a requirement is its list position and left out when 0."""
    return {
        requirement: [
            {
                "module_id": connection.module_id,
                "implementation_id": connection.implementation_id,
                "requirement": {"id": requirement, "index": index} if index else {"id": requirement},
            }
            for index, connection in enumerate(connections)
        ]
        for requirement, connections in module.connections.items()
    }


def module_response(stack: Stack, module: ModuleConfig, parameters: Parameters | None = None) -> Json:
    """`response.data` of a Get of type Module: own configuration, mappings of all connected modules."""
    connected = {connection.module_id for entries in module.connections.values() for connection in entries}
    mappings = {
        module_id: stack.modules[module_id].mapping.as_json()
        for module_id in sorted(connected | {module.id})
        if module_id in stack.modules
    }
    result: Json = {"module_config": module_config(module, parameters), "mappings": mappings}
    if module.telemetry_id is not None:
        result["telemetry_config"] = {"id": module.telemetry_id}
    return result
