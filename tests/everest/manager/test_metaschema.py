"""The five meta schemas, row by row of bus 6.1, 6.2, 6.4, 6.5 and 4.1: a sound document each, and what breaks it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from everest.manager import metaschema
from everest.manager.documents import SourceFile
from everest.runtime.yaml_file import Document

GONE = object()
PARAMETER = {"type": "number", "description": "A parameter", "default": 1, "mutability": "ReadWrite", "minimum": 0}
VALUE = {"type": "string", "description": "A value", "pattern": "^[a-z]+$"}

SOUND: dict[str, Any] = {
    "config": {
        "settings": {"prefix": "/p", "controller_port": 8849, "telemetry_enabled": True, "mqtt_broker_port": 1883},
        "active_modules": {
            "one.a-b_c": {
                "module": "Example-1_a",
                "standalone": False,
                "capabilities": ["cap_net_raw"],
                "config_module": {"device": "eth0", "on": True, "count": 1, "rate": 1.5},
                "config_implementation": {"main": {"current": 42}},
                "connections": {"kvs": [{"module_id": "store", "implementation_id": "main"}]},
                "mapping": {"module": {"evse": 0, "connector": 0}, "implementations": {"main": {"evse": 1}}},
                "telemetry": {"id": 1},
                "access": {
                    "config": {
                        "allow_global_read": True,
                        "allow_global_write": False,
                        "allow_set_read_only": False,
                        "modules": {"other": {"allow_read": True, "allow_write": True, "allow_set_read_only": False}},
                    }
                },
            }
        },
        "x-module-layout": {"anything": [1]},
    },
    "manifest": {
        "description": "An example",
        "metadata": {"license": "https://x", "base_license": "https://y", "authors": ["Ada"], "anything": 1},
        "config": {"device": {**PARAMETER}},
        "provides": {"main": {"description": "It", "interface": "kvs", "config": {"a": {**PARAMETER}}, "more": 1}},
        "requires": {
            "log": {
                "interface": "kvs",
                "min_connections": 0,
                "max_connections": 1,
                "ignore": {"vars": "all", "errors": True},
            }
        },
        "enable_external_mqtt": True,
        "enable_telemetry": True,
        "enable_global_errors": True,
    },
    "interface": {
        "description": "An example",
        "cmds": {"do": {"description": "Do", "arguments": {"key": {**VALUE}}, "result": {**VALUE}}},
        "vars": {"limit": {"type": ["number", "null"], "description": "Limit", "qos": 0}},
        "errors": [{"reference": "/errors/example"}, {"reference": "/errors/other_1#/SomeError"}],
    },
    "type": {
        "description": "Types",
        "types": {"Thing": {"type": "object", "description": "A thing", "properties": {}}},
    },
    "error_declaration_list": {"description": "Errors", "errors": [{"name": "OverHeat", "description": "Too hot"}]},
}
ONE = "active_modules.one.a-b_c"
M = ("active_modules", "one.a-b_c")
LINK = (*M, "connections", "kvs", 0)
GRANT = (*M, "access", "config", "modules", "other")

WRONG: list[tuple[str, tuple[str | int, ...], Any, str]] = [
    # 6.1: unknown keys on every level, names, scalars, what is required
    ("config", ("more",), 1, "more"),
    ("config", ("settings", "more"), 1, "settings.more"),
    ("config", ("settings", "prefix"), 1, "settings.prefix"),
    ("config", ("settings", "controller_port"), "8849", "settings.controller_port"),
    ("config", ("settings", "telemetry_enabled"), 1, "settings.telemetry_enabled"),
    ("config", ("settings", "mqtt_broker_port"), 0, "settings.mqtt_broker_port"),
    ("config", ("settings", "mqtt_broker_port"), 65536, "settings.mqtt_broker_port"),
    ("config", ("active_modules", "1one"), {"module": "A"}, "active_modules.1one"),
    ("config", (*M, "more"), 1, f"{ONE}.more"),
    ("config", (*M, "module"), GONE, ONE),
    ("config", (*M, "module"), "with.dot", f"{ONE}.module"),
    ("config", (*M, "standalone"), "yes", f"{ONE}.standalone"),
    ("config", (*M, "capabilities"), "cap_net_raw", f"{ONE}.capabilities"),
    ("config", (*M, "capabilities", 0), 1, f"{ONE}.capabilities[0]"),
    ("config", (*M, "config_module", "1x"), 1, f"{ONE}.config_module.1x"),
    ("config", (*M, "config_module", "device"), None, f"{ONE}.config_module.device"),
    ("config", (*M, "config_module", "device"), [1], f"{ONE}.config_module.device"),
    ("config", (*M, "config_implementation", "1x"), {}, f"{ONE}.config_implementation.1x"),
    ("config", (*M, "config_implementation", "main", "current"), {}, f"{ONE}.config_implementation.main.current"),
    ("config", (*M, "connections", "1x"), [], f"{ONE}.connections.1x"),
    ("config", (*M, "connections", "kvs"), {}, f"{ONE}.connections.kvs"),
    ("config", (*LINK, "module_id"), GONE, f"{ONE}.connections.kvs[0]"),
    ("config", (*LINK, "implementation_id"), GONE, f"{ONE}.connections.kvs[0]"),
    ("config", (*LINK, "module_id"), "1x", f"{ONE}.connections.kvs[0].module_id"),
    ("config", (*LINK, "implementation_id"), "a b", f"{ONE}.connections.kvs[0].implementation_id"),
    ("config", (*LINK, "more"), 1, f"{ONE}.connections.kvs[0].more"),
    ("config", (*M, "mapping", "more"), 1, f"{ONE}.mapping.more"),
    ("config", (*M, "mapping", "module", "evse"), GONE, f"{ONE}.mapping.module"),
    ("config", (*M, "mapping", "module", "evse"), -1, f"{ONE}.mapping.module.evse"),
    ("config", (*M, "mapping", "module", "connector"), -1, f"{ONE}.mapping.module.connector"),
    ("config", (*M, "mapping", "module", "more"), 1, f"{ONE}.mapping.module.more"),
    ("config", (*M, "mapping", "implementations", "1x"), {"evse": 1}, f"{ONE}.mapping.implementations.1x"),
    ("config", (*M, "mapping", "implementations", "main", "evse"), GONE, f"{ONE}.mapping.implementations.main"),
    ("config", (*M, "telemetry", "id"), GONE, f"{ONE}.telemetry"),
    ("config", (*M, "telemetry", "id"), "1", f"{ONE}.telemetry.id"),
    ("config", (*M, "telemetry", "more"), 1, f"{ONE}.telemetry.more"),
    ("config", (*M, "access", "more"), 1, f"{ONE}.access.more"),
    ("config", (*M, "access", "config", "more"), 1, f"{ONE}.access.config.more"),
    ("config", (*M, "access", "config", "modules", "1x"), {}, f"{ONE}.access.config.modules.1x"),
    ("config", (*GRANT, "more"), 1, f"{ONE}.access.config.modules.other.more"),
    ("config", (*GRANT, "allow_read"), 1, f"{ONE}.access.config.modules.other.allow_read"),
    # 6.2
    ("manifest", ("more",), 1, "more"),
    ("manifest", ("description",), GONE, ""),
    ("manifest", ("description",), "x", "description"),
    ("manifest", ("metadata",), GONE, ""),
    ("manifest", ("metadata", "license"), GONE, "metadata"),
    ("manifest", ("metadata", "license"), "Apache", "metadata.license"),
    ("manifest", ("metadata", "base_license"), "Apache", "metadata.base_license"),
    ("manifest", ("metadata", "authors"), GONE, "metadata"),
    ("manifest", ("metadata", "authors"), [], "metadata.authors"),
    ("manifest", ("metadata", "authors", 0), "x", "metadata.authors[0]"),
    ("manifest", ("config", "1x"), PARAMETER, "config.1x"),
    ("manifest", ("config", "device", "type"), GONE, "config.device"),
    ("manifest", ("config", "device", "type"), "array", "config.device.type"),
    ("manifest", ("config", "device", "description"), GONE, "config.device"),
    ("manifest", ("config", "device", "description"), "x", "config.device.description"),
    ("manifest", ("config", "device", "mutability"), "Mutable", "config.device.mutability"),
    ("manifest", ("provides",), {}, "provides"),
    ("manifest", ("provides", "1x"), {"description": "It", "interface": "kvs"}, "provides.1x"),
    ("manifest", ("provides", "main", "description"), GONE, "provides.main"),
    ("manifest", ("provides", "main", "description"), "x", "provides.main.description"),
    ("manifest", ("provides", "main", "interface"), GONE, "provides.main"),
    ("manifest", ("provides", "main", "interface"), "ab", "provides.main.interface"),
    ("manifest", ("provides", "main", "more"), [1], "provides.main.more"),
    ("manifest", ("provides", "main", "config", "a", "type"), "x", "provides.main.config.a.type"),
    ("manifest", ("requires", "1x"), {"interface": "kvs"}, "requires.1x"),
    ("manifest", ("requires", "log", "interface"), GONE, "requires.log"),
    ("manifest", ("requires", "log", "more"), 1, "requires.log.more"),
    ("manifest", ("requires", "log", "min_connections"), -1, "requires.log.min_connections"),
    ("manifest", ("requires", "log", "max_connections"), 0, "requires.log.max_connections"),
    ("manifest", ("requires", "log", "ignore", "more"), 1, "requires.log.ignore.more"),
    ("manifest", ("requires", "log", "ignore", "vars"), 1, "requires.log.ignore.vars"),
    ("manifest", ("requires", "log", "ignore", "errors"), "yes", "requires.log.ignore.errors"),
    ("manifest", ("enable_external_mqtt",), 1, "enable_external_mqtt"),
    ("manifest", ("enable_telemetry",), 1, "enable_telemetry"),
    ("manifest", ("enable_global_errors",), 1, "enable_global_errors"),
    # 6.4
    ("interface", ("more",), 1, "more"),
    ("interface", ("description",), GONE, ""),
    ("interface", ("description",), "x", "description"),
    ("interface", ("cmds", "1x"), {"description": "Do"}, "cmds.1x"),
    ("interface", ("cmds", "do", "description"), GONE, "cmds.do"),
    ("interface", ("cmds", "do", "description"), "x", "cmds.do.description"),
    ("interface", ("cmds", "do", "more"), 1, "cmds.do.more"),
    ("interface", ("cmds", "do", "arguments", "1x"), VALUE, "cmds.do.arguments.1x"),
    ("interface", ("cmds", "do", "arguments", "key", "type"), GONE, "cmds.do.arguments.key"),
    ("interface", ("cmds", "do", "arguments", "key", "type"), "null", "cmds.do.arguments.key.type"),
    ("interface", ("cmds", "do", "arguments", "key", "type"), [], "cmds.do.arguments.key.type"),
    ("interface", ("cmds", "do", "arguments", "key", "type"), ["text"], "cmds.do.arguments.key.type[0]"),
    ("interface", ("cmds", "do", "arguments", "key", "description"), GONE, "cmds.do.arguments.key"),
    ("interface", ("cmds", "do", "arguments", "key", "description"), "x", "cmds.do.arguments.key.description"),
    ("interface", ("cmds", "do", "arguments", "key", "default"), "a", "cmds.do.arguments.key.default"),
    ("interface", ("cmds", "do", "result", "default"), "a", "cmds.do.result.default"),
    ("interface", ("cmds", "do", "result", "type"), "null", "cmds.do.result.type"),
    ("interface", ("vars", "1x"), VALUE, "vars.1x"),
    ("interface", ("vars", "limit", "type"), GONE, "vars.limit"),
    ("interface", ("vars", "limit", "type"), "text", "vars.limit.type"),
    ("interface", ("vars", "limit", "type"), [], "vars.limit.type"),
    ("interface", ("vars", "limit", "description"), GONE, "vars.limit"),
    ("interface", ("vars", "limit", "description"), "x", "vars.limit.description"),
    ("interface", ("vars", "limit", "qos"), 3, "vars.limit.qos"),
    ("interface", ("vars", "limit", "qos"), -1, "vars.limit.qos"),
    ("interface", ("vars", "limit", "default"), 1, "vars.limit.default"),
    ("interface", ("errors", 0, "reference"), GONE, "errors[0]"),
    ("interface", ("errors", 0, "reference"), "/errors/Example", "errors[0].reference"),
    ("interface", ("errors", 0, "reference"), "/errors/example#/lower", "errors[0].reference"),
    ("interface", ("errors", 0, "more"), 1, "errors[0].more"),
    # 6.5
    ("type", ("more",), 1, "more"),
    ("type", ("description",), GONE, ""),
    ("type", ("description",), "x", "description"),
    ("type", ("types", "1x"), VALUE, "types.1x"),
    ("type", ("types", "Thing", "type"), GONE, "types.Thing"),
    ("type", ("types", "Thing", "description"), GONE, "types.Thing"),
    ("type", ("types", "Thing", "description"), "x", "types.Thing.description"),
    # 4.1
    ("error_declaration_list", ("more",), 1, "more"),
    ("error_declaration_list", ("description",), GONE, ""),
    ("error_declaration_list", ("description",), "x", "description"),
    ("error_declaration_list", ("errors", 0, "name"), GONE, "errors[0]"),
    ("error_declaration_list", ("errors", 0, "name"), "A", "errors[0].name"),
    ("error_declaration_list", ("errors", 0, "name"), "overHeat", "errors[0].name"),
    ("error_declaration_list", ("errors", 0, "description"), GONE, "errors[0]"),
    ("error_declaration_list", ("errors", 0, "description"), "x", "errors[0].description"),
    ("error_declaration_list", ("errors", 0, "more"), 1, "errors[0].more"),
]

DEFAULTS: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("config", ("active_modules",), {}),
    *(("config", (*M, name), {}) for name in ("config_module", "config_implementation", "connections")),
    ("config", (*M, "standalone"), False),
    *(("config", (*M, "access", "config", f"allow_{name}"), False) for name in ("global_read", "global_write")),
    ("config", (*M, "access", "config", "allow_set_read_only"), False),
    ("config", (*M, "access", "config", "modules"), {}),
    *(("config", (*GRANT, f"allow_{name}"), False) for name in ("read", "write", "set_read_only")),
    *(("manifest", (name,), {}) for name in ("config", "provides", "requires")),
    *(("manifest", (f"enable_{name}",), False) for name in ("external_mqtt", "telemetry", "global_errors")),
    ("manifest", ("config", "device", "mutability"), "ReadOnly"),
    ("manifest", ("provides", "main", "config"), {}),
    ("manifest", ("requires", "log", "min_connections"), 1),
    ("manifest", ("requires", "log", "max_connections"), 1),
    ("manifest", ("requires", "log", "ignore", "errors"), False),
    *(("interface", (name,), {}) for name in ("cmds", "vars")),
    ("interface", ("errors",), []),
    ("interface", ("cmds", "do", "arguments"), {}),
    ("interface", ("cmds", "do", "result"), {"type": "null"}),
    ("interface", ("vars", "limit", "qos"), 2),
    ("type", ("types",), {}),
    ("error_declaration_list", ("errors",), []),
]


def changed(schema: str, path: tuple[str | int, ...], value: Any) -> Any:
    """The sound document with one place set to a value, or taken out."""
    data = copy.deepcopy(SOUND[schema])
    place = data
    for step in path[:-1]:
        place = place[step]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


def complaints(schema: str, data: Any) -> list[str]:
    """The keys that are complained about."""
    path = Path("file.yaml")
    source = SourceFile(path, data, Document(path, data), has_lines=False)
    return [problem.key for problem in metaschema.problems_of(source, schema)]


@pytest.mark.parametrize("schema", SOUND)
def test_a_sound_document_has_no_problems(schema: str) -> None:
    assert set(SOUND) == set(metaschema.NAMES)
    assert complaints(schema, SOUND[schema]) == []


@pytest.mark.parametrize(("schema", "path", "value", "key"), WRONG)
def test_one_mistake_is_one_problem_at_its_key(schema: str, path: tuple[str | int, ...], value: Any, key: str) -> None:
    assert complaints(schema, changed(schema, path, value)) == [key]


@pytest.mark.parametrize(("schema", "path", "value"), DEFAULTS)
def test_what_is_left_out_has_its_default(schema: str, path: tuple[str | int, ...], value: Any) -> None:
    data = changed(schema, path, GONE)
    assert complaints(schema, data) == []
    place = metaschema.with_defaults(schema, data)
    for step in path:
        place = place[step]
    assert place == value
