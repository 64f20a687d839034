"""How a module learns about itself and its stack: the retrieval sequence of bus 2.3, in its exact order.

Lives here: `retrieve`. All gets are strictly sequential. May not be imported here: contracts, manager.
"""

from __future__ import annotations

from typing import Any

from everest.runtime import wire
from everest.runtime.bus import Bus
from everest.runtime.errors import StartupError
from everest.runtime.model import (
    Deployment,
    InterfaceDefinition,
    Manifest,
    ModuleConfiguration,
    Settings,
    convert,
    read_configuration,
)


async def retrieve(bus: Bus) -> Deployment:
    """Ask for the own configuration, then read the retained metadata. Errors: StartupError, BrokerLost.

    Before the first request comes a look at the retained settings: their message type gives the dialect away (bus 8
    item 3), and a word of the wrong one would end a real manager.
    """
    await bus.find_dialect()
    configuration = await _own_configuration(bus)
    topics = bus.topics
    interfaces = {
        name: convert(await bus.get(topics.interface_definition(name)), InterfaceDefinition, f"interface {name}")
        for name in convert(await bus.get(topics.interfaces), list[str], "the list of interfaces")
    }
    types = {
        path: convert(await bus.get(topics.type_definition(path)), dict[str, Any], f"type file {path}")
        for path in convert(await bus.get(topics.types), list[str], "the list of types")
    }
    settings: Settings = convert(await bus.get(topics.settings), Settings, "the settings")
    schemas = await bus.get(topics.schemas) if settings.validate_schema else {}
    names = convert(await bus.get(topics.module_names), dict[str, str], "the module names")
    manifests = {
        name: convert(await bus.get(topics.manifest(name)), Manifest, f"the manifest of {name}")
        for name in names.values()
    }
    if configuration.module_name not in manifests:
        raise StartupError(f"the manager distributes no manifest for module {configuration.module_name}")
    return Deployment(configuration, settings, names, manifests, interfaces, types, schemas)


async def _own_configuration(bus: Bus) -> ModuleConfiguration:
    def ask() -> None:
        body = {"type": "Module"}
        request = wire.build_configuration_request(bus.module_id, body, dialect=bus.dialect)
        bus.publish("configuration_request", bus.topics.config_request, request)

    answer = await bus.get(bus.topics.config_response(bus.module_id), ask)
    status = answer.get("status") if isinstance(answer, dict) else None
    if status != "Ok":
        reason = answer.get("status_info") if isinstance(answer, dict) else answer
        raise StartupError(f"the manager has no configuration for module {bus.module_id!r}: {status}: {reason}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise StartupError(f"the manager's configuration answer for module {bus.module_id!r} has no response")
    return read_configuration(response.get("data"))
