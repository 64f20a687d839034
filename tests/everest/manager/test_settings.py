"""Settings, default insertion and the user config's merge: the small pure rules (bus 1.1, 3.4, 6.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.manager import metaschema
from everest.manager.documents import merge_patch
from everest.manager.errors import BootError
from everest.manager.settings import BrokerAddress, Settings, settings_from
from tests.everest.manager.house import DEMO, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "prefix")


def settings(
    house: House, prefix: str | None = None, environment: dict[str, str] | None = None, **written: Any
) -> Settings:
    return settings_from(house.layout, written, environment or {}, everest_prefix=prefix)


def test_the_defaults_are_those_of_the_reference(house: House) -> None:
    found = settings(house)
    assert found.broker == BrokerAddress("localhost", 1883, None)
    assert not found.broker_configured
    assert (found.everest_prefix, found.external_prefix, found.telemetry_prefix) == (
        "everest/",
        "",
        "everest-telemetry/",
    )
    assert not (found.telemetry_enabled or found.validate_schema or found.forward_exceptions)


def test_the_environment_overrides_the_config(house: House) -> None:
    environment = {"MQTT_SERVER_ADDRESS": "there", "MQTT_SERVER_PORT": "1884"}
    found = settings(house, environment=environment, mqtt_broker_host="here", mqtt_broker_port=1885)
    assert found.broker == BrokerAddress("there", 1884)
    assert found.broker_configured


@pytest.mark.parametrize(
    "written", [{"mqtt_broker_host": "h"}, {"mqtt_broker_port": 1}, {"mqtt_broker_socket_path": "/s"}]
)
def test_any_part_of_an_address_configures_a_broker(house: House, written: dict[str, Any]) -> None:
    assert settings(house, **written).broker_configured


def test_a_port_variable_that_is_no_number_is_ignored(house: House) -> None:
    found = settings(house, environment={"MQTT_SERVER_PORT": "many"}, mqtt_broker_port=1885)
    assert found.broker.port == 1885


def test_a_port_out_of_range_is_a_boot_error(house: House) -> None:
    with pytest.raises(BootError, match="broker port 70000 is not between 1 and 65535"):
        settings(house, environment={"MQTT_SERVER_PORT": "70000"})


def test_a_socket_beside_a_host_from_the_environment_is_a_boot_error(house: House) -> None:
    with pytest.raises(BootError, match="keep one of them"):
        settings(house, environment={"MQTT_SERVER_ADDRESS": "there"}, mqtt_broker_socket_path="/run/b")


@pytest.mark.parametrize(("written", "prefix"), [("mine", "mine/"), ("mine/", "mine/"), ("", "")])
def test_the_everest_prefix_gets_its_slash_and_may_be_empty(house: House, written: str, prefix: str) -> None:
    external = "ext" if not prefix else ""
    assert settings(house, mqtt_everest_prefix=written, mqtt_external_prefix=external).everest_prefix == prefix
    assert settings(house, prefix=written).everest_prefix == prefix


@pytest.mark.parametrize(("written", "prefix"), [("t", "t/"), ("t/", "t/"), ("", "")])
def test_the_telemetry_prefix_gets_its_slash(house: House, written: str, prefix: str) -> None:
    assert settings_from(house.layout, {"telemetry_prefix": written}, {}).telemetry_prefix == prefix


def test_the_external_prefix_stays_as_written(house: House) -> None:
    assert settings(house, mqtt_external_prefix="external_1").external_prefix == "external_1"


def test_prefixes_are_compared_before_the_command_line_overrides(house: House) -> None:
    with pytest.raises(BootError, match="make them different"):
        settings(house, prefix="other", mqtt_everest_prefix="a", mqtt_external_prefix="a/")
    assert settings(house, prefix="a", mqtt_external_prefix="a/").everest_prefix == "a/"


@pytest.mark.parametrize("name", ["mqtt_everest_prefix", "mqtt_external_prefix", "telemetry_prefix"])
def test_a_prefix_that_no_topic_can_have_is_a_boot_error(house: House, name: str) -> None:
    with pytest.raises(BootError, match=f"{name} is 'a#/?', but no topic can hold '#'"):
        settings_from(house.layout, {name: "a#"}, {})
    with pytest.raises(BootError, match=r"no topic can hold '\+'"):
        settings_from(house.layout, {}, {}, everest_prefix="a+")


def test_directories_are_relative_to_the_prefix(house: House) -> None:
    found = settings(house, modules_dir="mods", interfaces_dir="/abs/interfaces", prefix_ignored="x")
    assert found.layout.modules_dir == house.root / "mods"
    assert found.layout.interfaces_dir == Path("/abs/interfaces")


def test_the_user_config_does_not_reach_the_settings(house: House) -> None:
    house.manifest("Demo", DEMO)
    house.write("etc/everest/user-config/config.yaml", '{"settings": {"validate_schema": true}}\n')
    stack = house.load(house.config("active_modules: {one: {module: Demo}}\n"))
    assert stack.settings.validate_schema is False


def test_the_user_config_adds_replaces_and_deletes(house: House) -> None:
    house.manifest("Demo", DEMO)
    house.write(
        "etc/everest/user-config/config.yaml",
        '{"active_modules": {"two": null, "three": {"module": "Demo"}, "one": {"mapping": {"module": {"evse": 2}}}}}\n',
    )
    stack = house.load(
        house.config("active_modules: {one: {module: Demo, mapping: {module: {evse: 1}}}, two: {module: Demo}}\n")
    )
    assert list(stack.modules) == ["one", "three"]
    assert stack.modules["one"].mapping.as_json() == {"module": {"evse": 2}}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_follows_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_defaults_are_inserted_at_every_written_place_and_nowhere_else() -> None:
    manifest = {
        "description": "A module",
        "metadata": {},
        "config": {"a": {"type": "string", "description": "A text"}},
        "provides": {"main": {"interface": "demo", "description": "A demo"}},
        "requires": {"store": {"interface": "kvs", "ignore": {}}},
    }
    assert metaschema.with_defaults("manifest", manifest) == {
        "description": "A module",
        "metadata": {},
        "config": {"a": {"type": "string", "description": "A text", "mutability": "ReadOnly"}},
        "provides": {"main": {"interface": "demo", "description": "A demo", "config": {}}},
        "requires": {
            "store": {"interface": "kvs", "min_connections": 1, "max_connections": 1, "ignore": {"errors": False}}
        },
        "enable_external_mqtt": False,
        "enable_telemetry": False,
        "enable_global_errors": False,
    }
    assert metaschema.with_defaults(
        "interface", {"description": "An interface", "cmds": {"go": {"description": "Go"}}}
    ) == {
        "description": "An interface",
        "cmds": {"go": {"description": "Go", "arguments": {}, "result": {"type": "null"}}},
        "vars": {},
        "errors": [],
    }
