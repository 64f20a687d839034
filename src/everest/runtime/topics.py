"""Topics of the bus under one everest prefix (bus 1.4), and MQTT's wildcard rule.

Lives here: `Topics` and `matches`. Pure text; what is sent on a topic is in `wire`.
May not be imported here: anything of this project.
"""

from __future__ import annotations

from dataclasses import dataclass


def with_slash(prefix: str) -> str:
    """An everest or telemetry prefix as used in topics: `/` is appended where it is missing.

    Empty stays empty (bus 1.1).
    """
    return prefix if not prefix or prefix.endswith("/") else prefix + "/"


@dataclass(frozen=True)
class Topics:
    """All everest topics under `prefix`, which includes its trailing slash (see `with_slash`)."""

    prefix: str = "everest/"

    @property
    def config_request(self) -> str:
        return f"{self.prefix}config/request"

    @property
    def interfaces(self) -> str:
        return f"{self.prefix}interfaces"

    @property
    def types(self) -> str:
        return f"{self.prefix}types"

    @property
    def settings(self) -> str:
        return f"{self.prefix}settings"

    @property
    def schemas(self) -> str:
        return f"{self.prefix}schemas"

    @property
    def module_names(self) -> str:
        return f"{self.prefix}module_names"

    @property
    def global_ready(self) -> str:
        return f"{self.prefix}ready"

    @property
    def shutdown(self) -> str:
        return f"{self.prefix}shutdown"

    def interface_definition(self, interface: str) -> str:
        return f"{self.prefix}interface_definitions/{interface}"

    def type_definition(self, path: str) -> str:
        """`path` as listed in `<P>types`, with its leading slash."""
        return f"{self.prefix}type_definitions/{path.lstrip('/')}"

    def manifest(self, module_name: str) -> str:
        return f"{self.prefix}manifests/{module_name}"

    def module(self, module_id: str) -> str:
        return f"{self.prefix}modules/{module_id}"

    def config_response(self, module_id: str) -> str:
        return f"{self.module(module_id)}/response"

    def set_request(self, module_id: str) -> str:
        return f"{self.module(module_id)}/config/set_request"

    def set_response(self, module_id: str) -> str:
        return f"{self.module(module_id)}/config/set_response"

    def metadata(self, module_id: str) -> str:
        return f"{self.module(module_id)}/metadata"

    def module_ready(self, module_id: str) -> str:
        return f"{self.module(module_id)}/ready"

    def implementation(self, module_id: str, implementation_id: str) -> str:
        return f"{self.module(module_id)}/impl/{implementation_id}"

    def variable(self, module_id: str, implementation_id: str, variable: str) -> str:
        return f"{self.implementation(module_id, implementation_id)}/var/{variable}"

    def command(self, module_id: str, implementation_id: str, command: str) -> str:
        return f"{self.implementation(module_id, implementation_id)}/cmd/{command}"

    def command_response(self, module_id: str, implementation_id: str, command: str, caller: str) -> str:
        return f"{self.command(module_id, implementation_id, command)}/response/{caller}"

    def error(self, module_id: str, implementation_id: str, error_type: str) -> str:
        """`error_type` is `namespace/Name`; `#` gives the filter for all errors of the implementation."""
        return f"{self.implementation(module_id, implementation_id)}/error/{error_type}"


def topic_problem(topic: str) -> str:
    """Why nothing can be published on a topic (MQTT 5 §4.7); empty when it can."""
    if not topic:
        return "a topic is needed"
    if has_wildcard(topic) or "\0" in topic:
        return "a topic holds no +, # or zero"
    return "a topic has 65535 bytes at most" if len(topic) > 16383 and len(topic.encode()) > 65535 else ""


def filter_problem(topic_filter: str) -> str:
    """Why a filter cannot be subscribed (MQTT 5 §4.7.1); empty when it can."""
    levels = topic_filter.split("/")
    if "#" in levels[:-1] or any(has_wildcard(level) and level not in ("+", "#") for level in levels):
        return "+ stands for a whole level, # for all that follow, at the end"
    return topic_problem(topic_filter.replace("+", "x").replace("#", "x"))


def has_wildcard(topic_filter: str) -> bool:
    """Whether a subscription names more than one topic."""
    return "+" in topic_filter or "#" in topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 5 §4.7: `+` is one level, `#` the rest including the parent; wildcards first do not match `$...` topics."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    levels = topic.split("/")
    pattern = topic_filter.split("/")
    for position, level in enumerate(pattern):
        if level == "#":
            return True
        if position >= len(levels) or level not in ("+", levels[position]):
            return False
    return len(levels) == len(pattern)
