"""What the manager distributes has the shape a real EVerest gives it (bus 2.3), down to the recorded bytes' keys."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everest.manager import distribution, metaschema
from everest.manager.model import Stack
from tests.everest.manager.house import DEMO, House

RECORDING = Path(__file__).parents[4] / "shared" / "traces" / "boot.jsonl.gz"

ALL_KINDS = """
provides:
  main:
    interface: demo
    description: The demo
    config:
      current: {type: number, description: A limit, mutability: ReadWrite, minimum: 0}
      enabled: {type: boolean, description: A switch, default: true}
  other: {interface: empty, description: Nothing}
config:
  device: {type: string, description: A device}
  count: {type: integer, description: A number, default: 3, mutability: WriteOnly}
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    house = House(tmp_path / "prefix")
    house.manifest("Example", ALL_KINDS + "requires: {kvs: {interface: demo, max_connections: 2}}\n")
    house.manifest("Store", DEMO)
    return house.load(
        house.config(
            """
            active_modules:
              store: {module: Store}
              store2: {module: Store, mapping: {implementations: {main: {evse: 2, connector: 1}}}}
              example:
                module: Example
                capabilities: [cap_net_raw]
                config_module: {device: eth0}
                config_implementation: {main: {current: 42}}
                connections:
                  kvs:
                    - {module_id: store, implementation_id: main}
                    - {module_id: store2, implementation_id: main}
                mapping: {module: {evse: 1}}
                telemetry: {id: 1}
                access: {config: {allow_global_read: true, modules: {store: {allow_write: true}}}}
            """
        )
    )


def test_a_module_gets_its_whole_configuration_with_characteristics(stack: Stack) -> None:
    assert distribution.module_response(stack, stack.modules["example"]) == {
        "module_config": {
            "standalone": False,
            "module_name": "Example",
            "module_id": "example",
            "capabilities": ["cap_net_raw"],
            "telemetry_config": {"id": 1},
            "telemetry_enabled": False,
            "configuration_parameters": {
                "!module": [
                    {
                        "name": "count",
                        "value": 3,
                        "characteristics": {"datatype": "integer", "mutability": "WriteOnly"},
                    },
                    {
                        "name": "device",
                        "value": "eth0",
                        "characteristics": {"datatype": "string", "mutability": "ReadOnly"},
                    },
                ],
                "main": [
                    {
                        "name": "current",
                        "value": 42.0,
                        "characteristics": {"datatype": "number", "mutability": "ReadWrite"},
                    },
                    {
                        "name": "enabled",
                        "value": True,
                        "characteristics": {"datatype": "bool", "mutability": "ReadOnly"},
                    },
                ],
                "other": [],
            },
            "connections": {
                "kvs": [
                    {"module_id": "store", "implementation_id": "main", "requirement": {"id": "kvs"}},
                    {"module_id": "store2", "implementation_id": "main", "requirement": {"id": "kvs", "index": 1}},
                ]
            },
            "mapping": {"module": {"evse": 1}},
            "access": {
                "config": {
                    "allow_global_read": True,
                    "allow_global_write": False,
                    "allow_set_read_only": False,
                    "modules": {"store": {"allow_read": False, "allow_write": True, "allow_set_read_only": False}},
                }
            },
        },
        "mappings": {
            "example": {"module": {"evse": 1}},
            "store": None,
            "store2": {"implementations": {"main": {"evse": 2, "connector": 1}}},
        },
        "telemetry_config": {"id": 1},
    }


def test_a_number_written_as_integer_is_distributed_as_float(stack: Stack) -> None:
    text = json.dumps(distribution.module_response(stack, stack.modules["example"]))
    assert '"value": 42.0' in text


def test_metadata_comes_in_the_order_modules_read_it(stack: Stack) -> None:
    assert [topic for topic, _ in distribution.metadata(stack)] == [
        "interfaces",
        "interface_definitions/demo",
        "interface_definitions/empty",
        "types",
        "settings",
        "manifests/Example",
        "manifests/Store",
        "module_names",
    ]


def test_interface_definitions_lose_descriptions_and_gain_error_declarations(stack: Stack) -> None:
    data = dict(distribution.metadata(stack))
    assert data["interface_definitions/demo"] == {
        "cmds": {},
        "vars": {"beat": {"type": "integer", "qos": 2}},
        "errors": {"demo": {"OverHeat": {"name": "OverHeat", "description": "Too hot", "namespace": "demo"}}},
    }


def test_descriptions_stay_below_the_level_to_which_they_are_removed(tmp_path: Path) -> None:
    house = House(tmp_path / "prefix")
    house.write(
        "share/everest/interfaces/deep.yaml",
        """
        description: Deep
        cmds:
          do:
            description: Do
            arguments:
              all:
                description: All
                type: array
                items:
                  description: One
                  type: object
                  properties:
                    name: {description: Name, type: object, properties: {first: {description: First, type: string}}}
              pair: {description: Pair, type: object, properties: {left: {description: Left, type: string}}}
            result: {description: Done, type: boolean}
        errors:
          - reference: /errors/demo#/Undeclared
        """,
    )
    house.manifest("Deep", "provides: {main: {interface: deep, description: Deep}}")
    stack = house.load(house.config("active_modules: {one: {module: Deep}}\n"))
    assert dict(distribution.metadata(stack))["interface_definitions/deep"] == {
        "cmds": {
            "do": {
                "arguments": {
                    "all": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "name": {
                                    "type": "object",
                                    "properties": {"first": {"description": "First", "type": "string"}},
                                }
                            },
                        },
                    },
                    "pair": {"type": "object", "properties": {"left": {"description": "Left", "type": "string"}}},
                },
                "result": {"type": "boolean"},
            }
        },
        "vars": {},
        "errors": {},
    }, "and a single error that is not declared yields nothing"


def test_manifests_have_their_defaults_and_no_top_level_config(stack: Stack) -> None:
    manifest = dict(distribution.metadata(stack))["manifests/Example"]
    assert manifest["requires"] == {"kvs": {"interface": "demo", "min_connections": 1, "max_connections": 2}}
    assert manifest["provides"]["other"] == {"interface": "empty", "description": "Nothing", "config": {}}
    assert "config" not in manifest
    assert manifest["enable_global_errors"] is False
    assert manifest["metadata"]["license"] == "https://opensource.org/licenses/Apache-2.0"


def test_schemas_and_types_are_distributed_with_validate_schema(tmp_path: Path) -> None:
    house = House(tmp_path / "prefix")
    house.write(
        "share/everest/types/deep/colour.yaml",
        "description: Colours\ntypes:\n  Colour: {description: One, type: string, enum: [red]}\n",
    )
    data = dict(
        distribution.metadata(house.load(house.config("settings: {validate_schema: true}\nactive_modules: {}\n")))
    )
    assert data["types"] == ["/colour"]
    assert data["type_definitions/colour"] == {"Colour": {"description": "One", "type": "string", "enum": ["red"]}}
    assert set(data["schemas"]) == set(metaschema.NAMES)
    assert data["settings"]["validate_schema"] is True


def test_probe_module_offers_what_others_connect_to(tmp_path: Path) -> None:
    house = House(tmp_path / "prefix")
    house.manifest("Store", DEMO)
    house.manifest("User", "requires: {source: {interface: demo}}")
    stack = house.load(
        house.config(
            """
            active_modules:
              store: {module: Store}
              user: {module: User, connections: {source: [{module_id: probe, implementation_id: fake}]}}
              probe:
                module: ProbeModule
                standalone: true
                connections: {store: [{module_id: store, implementation_id: main}]}
            """
        )
    )
    manifest = stack.manifests["ProbeModule"].distributed
    assert {name: entry["interface"] for name, entry in manifest["provides"].items()} == {"fake": "demo"}
    assert manifest["requires"] == {"store": {"interface": "demo", "min_connections": 1, "max_connections": 1}}
    assert manifest["metadata"] == {"license": "https://www.apache.org/licenses/LICENSE-2.0", "authors": ["everest"]}


def test_a_probe_nobody_connects_to_offers_nothing(tmp_path: Path) -> None:
    house = House(tmp_path / "prefix")
    stack = house.load(house.config("active_modules: {probe: {module: ProbeModule}}\n"))
    assert stack.manifests["ProbeModule"].provides["none"].interface == "empty"
    assert "empty" in stack.interfaces


# --- against the recording of a real EVerest ---


def recorded() -> Iterator[tuple[str, Any]]:
    """(topic below the prefix, data) of what the recorded manager published until global ready."""
    with gzip.open(RECORDING, "rt") as lines:
        for line in lines:
            message = json.loads(line)
            if message["topic"] == "everest/ready":
                return
            if message["payload"] and message["topic"].startswith("everest/"):
                yield message["topic"].removeprefix("everest/"), json.loads(message["payload"])["data"]


needs_recording = pytest.mark.skipif(not RECORDING.is_file(), reason="the recordings of a real EVerest are not here")


def shape(value: Any) -> Any:
    """Keys and JSON types of a value, without its texts and numbers; `description` is not recorded."""
    if isinstance(value, dict):
        return {key: shape(below) for key, below in value.items() if key != "description"}
    return type(value).__name__


def rebuild_house(root: Path) -> tuple[House, str]:
    """A prefix with the recorded manifests, and the configuration that the recorded responses come from."""
    house = House(root)
    responses = {
        topic.split("/")[1]: data["response"]["data"] for topic, data in recorded() if topic.endswith("/response")
    }
    definitions = {
        topic.split("/")[1]: data for topic, data in recorded() if topic.startswith("interface_definitions/")
    }
    for namespace, names in errors_of(definitions).items():
        house.write(f"share/everest/errors/{namespace}.yaml", json.dumps({"description": "Recorded", "errors": names}))
    for name, definition in definitions.items():
        house.write(f"share/everest/interfaces/{name}.yaml", json.dumps(described_interface(definition)))
    for topic, manifest in recorded():
        if topic.startswith("manifests/"):
            name = topic.removeprefix("manifests/")
            configs = [
                entry["module_config"] for entry in responses.values() if entry["module_config"]["module_name"] == name
            ]
            house.write(
                f"libexec/everest/modules/{name}/manifest.yaml", json.dumps(described_manifest(manifest, configs[0]))
            )
    entries = {module_id: config_entry(data["module_config"]) for module_id, data in responses.items()}
    return house, json.dumps({"active_modules": entries})


def errors_of(definitions: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for definition in definitions.values():
        for namespace, names in definition["errors"].items():
            for name in names:
                found.setdefault(namespace, {})[name] = {"name": name, "description": "Recorded"}
    return {namespace: list(names.values()) for namespace, names in found.items()}


def described_interface(definition: dict[str, Any]) -> dict[str, Any]:
    said = {"description": "Recorded"}
    cmds = {}
    for name, command in definition["cmds"].items():
        arguments = {key: schema | said for key, schema in command["arguments"].items()}
        cmds[name] = {"arguments": arguments, **said}
        if command["result"] != {"type": "null"}:
            cmds[name]["result"] = command["result"] | said
    variables = {name: schema | said for name, schema in definition["vars"].items()}
    errors = [
        {"reference": f"/errors/{namespace}#/{name}"}
        for namespace, names in definition["errors"].items()
        for name in names
    ]
    return {"cmds": cmds, "vars": variables, "errors": errors, **said}


def described_manifest(manifest: dict[str, Any], module_config: dict[str, Any]) -> dict[str, Any]:
    words = {"bool": "boolean"}

    def declared(scope: str) -> dict[str, Any]:
        return {
            entry["name"]: {
                "type": words.get(entry["characteristics"]["datatype"], entry["characteristics"]["datatype"]),
                "description": "Recorded",
                "mutability": entry["characteristics"]["mutability"],
                "default": entry["value"],
            }
            for entry in module_config["configuration_parameters"][scope]
        }

    provides = {
        impl: {"interface": entry["interface"], "description": "Recorded", "config": declared(impl)}
        for impl, entry in manifest["provides"].items()
    }
    metadata = {"license": "https://opensource.org/licenses/Apache-2.0", "authors": ["Nobody"]}
    result = {**manifest, "description": "Recorded", "metadata": metadata, "config": declared("!module")}
    result.pop("provides")
    return result | ({"provides": provides} if provides else {})


def config_entry(module_config: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"module": module_config["module_name"], "connections": {}}
    for requirement, connections in module_config["connections"].items():
        entry["connections"][requirement] = [
            {"module_id": item["module_id"], "implementation_id": item["implementation_id"]} for item in connections
        ]
    values = {
        scope: {item["name"]: item["value"] for item in items}
        for scope, items in module_config["configuration_parameters"].items()
    }
    entry["config_module"] = values.pop("!module")
    entry["config_implementation"] = values
    if module_config["mapping"] is not None:
        entry["mapping"] = module_config["mapping"]
    return entry


@needs_recording
def test_the_recorded_configuration_is_answered_as_the_real_manager_answered_it(tmp_path: Path) -> None:
    house, config = rebuild_house(tmp_path / "prefix")
    stack = house.load(house.config(config))
    compared = 0
    for topic, data in recorded():
        if topic.endswith("/response"):
            module = stack.modules[topic.split("/")[1]]
            assert distribution.module_response(stack, module) == data["response"]["data"], module.id
            compared += 1
    assert compared == 23


@needs_recording
def test_the_recorded_metadata_is_published_as_the_real_manager_published_it(tmp_path: Path) -> None:
    house, config = rebuild_house(tmp_path / "prefix")
    stack = house.load(house.config(config))
    real = [(topic, data) for topic, data in recorded() if not topic.startswith(("config/", "modules/"))]
    ours = list(distribution.metadata(stack))
    assert [topic for topic, _ in ours] == [topic for topic, _ in real][: len(ours)]
    for (topic, data), (_, expected) in zip(ours, real, strict=False):
        if topic.startswith("interface_definitions/"):
            assert shape(data) == shape(expected), topic
            assert data["cmds"] == expected["cmds"] and data["vars"] == expected["vars"], topic
        elif topic.startswith("manifests/"):
            assert without_texts(data) == without_texts(expected), topic
        elif topic == "settings":
            assert shape(data) == shape(expected)
        else:
            assert data == expected, topic


def without_texts(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what the recording left out: descriptions, metadata and the implementations' config."""
    left = {key: value for key, value in manifest.items() if key not in ("description", "metadata")}
    left["provides"] = {impl: entry["interface"] for impl, entry in manifest["provides"].items()}
    return left
