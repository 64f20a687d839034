"""Topics of bus 1.4 and MQTT's wildcard rule."""

from __future__ import annotations

import pytest

from everest.runtime.topics import Topics, has_wildcard, matches, with_slash

T = Topics("ev/")


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (T.config_request, "ev/config/request"),
        (T.config_response("m"), "ev/modules/m/response"),
        (T.set_request("m"), "ev/modules/m/config/set_request"),
        (T.set_response("m"), "ev/modules/m/config/set_response"),
        (T.metadata("m"), "ev/modules/m/metadata"),
        (T.module_ready("m"), "ev/modules/m/ready"),
        (T.global_ready, "ev/ready"),
        (T.shutdown, "ev/shutdown"),
        (T.variable("m", "main", "v"), "ev/modules/m/impl/main/var/v"),
        (T.command("m", "main", "c"), "ev/modules/m/impl/main/cmd/c"),
        (T.command_response("m", "main", "c", "caller"), "ev/modules/m/impl/main/cmd/c/response/caller"),
        (T.error("m", "main", "ns/Name"), "ev/modules/m/impl/main/error/ns/Name"),
        (T.interfaces, "ev/interfaces"),
        (T.interface_definition("kvs"), "ev/interface_definitions/kvs"),
        (T.types, "ev/types"),
        (T.type_definition("/authorization"), "ev/type_definitions/authorization"),
        (T.settings, "ev/settings"),
        (T.schemas, "ev/schemas"),
        (T.module_names, "ev/module_names"),
        (T.manifest("System"), "ev/manifests/System"),
    ],
)
def test_topics_are_spelt_as_in_the_reference(topic: str, expected: str) -> None:
    assert topic == expected


@pytest.mark.parametrize(("given", "used"), [("everest", "everest/"), ("everest/", "everest/"), ("", "")])
def test_the_prefix_gets_its_slash_but_an_empty_one_stays_empty(given: str, used: str) -> None:
    assert with_slash(given) == used


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("+/b", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("a", "a/b", False),
        ("a/b", "a", False),
    ],
)
def test_wildcards_match_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_only_plus_and_hash_are_wildcards() -> None:
    assert [has_wildcard(name) for name in ("a/b", "a/+", "#")] == [False, True, True]
