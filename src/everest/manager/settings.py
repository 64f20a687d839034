"""Run-time settings: the config's `settings`, the environment and the command line, put together (bus 1.1, 2.1, 6.1).

They are read from the main config file alone; the user config does not reach them. Pure but for the checks of
directories in `paths.check`. No bus, no modules.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from everest.manager.errors import BootError
from everest.manager.paths import Layout

logger = logging.getLogger(__name__)

DEFAULT_HOST, DEFAULT_PORT = "localhost", 1883


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens: a unix socket, or host and port."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    socket_path: str | None = None

    def __str__(self) -> str:
        return self.socket_path if self.socket_path is not None else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole stack. Prefixes of topics carry their trailing slash, the external one as written."""

    layout: Layout
    broker: BrokerAddress = BrokerAddress()
    broker_configured: bool = False
    """True when config or environment names a broker; `run` starts none then."""
    everest_prefix: str = "everest/"
    external_prefix: str = ""
    telemetry_prefix: str = "everest-telemetry/"
    telemetry_enabled: bool = False
    validate_schema: bool = False
    forward_exceptions: bool = False
    run_as_user: str = ""

    def distributed(self) -> dict[str, Any]:
        """Payload of `<P>settings` (bus 2.3)."""
        return {
            "prefix": str(self.layout.prefix),
            "etc_dir": str(self.layout.configs_dir),
            "data_dir": str(self.layout.data_dir),
            "modules_dir": str(self.layout.modules_dir),
            "telemetry_prefix": self.telemetry_prefix,
            "telemetry_enabled": self.telemetry_enabled,
            "validate_schema": self.validate_schema,
            "forward_exceptions": self.forward_exceptions,
        }


_DIRECTORIES = ("configs_dir", "schemas_dir", "modules_dir", "interfaces_dir", "types_dir", "errors_dir", "www_dir")
_TYPES: dict[str, type] = {
    **dict.fromkeys((*_DIRECTORIES, "logging_config_file", "run_as_user"), str),
    **dict.fromkeys(("mqtt_broker_socket_path", "mqtt_broker_host"), str),
    **dict.fromkeys(("mqtt_everest_prefix", "mqtt_external_prefix", "telemetry_prefix"), str),
    **dict.fromkeys(("telemetry_enabled", "validate_schema", "forward_exceptions"), bool),
    "mqtt_broker_port": int,
}


def settings_from(
    layout: Layout, written: object, environment: Mapping[str, str], everest_prefix: str | None = None
) -> Settings:
    """Settings from the `settings` section as written; values of a wrong type are left to the config schema.

    Raises BootError for settings that contradict each other (bus 1.1).
    """
    section = written if isinstance(written, dict) else {}
    values = {key: section[key] for key, kind in _TYPES.items() if type(section.get(key)) is kind}
    prefix = with_slash(values.get("mqtt_everest_prefix", "everest"))
    external = values.get("mqtt_external_prefix", "")
    if prefix == external:
        raise BootError(f'mqtt_everest_prefix and mqtt_external_prefix are both "{prefix}"; make them different')
    broker, configured = _broker(values, environment)
    if everest_prefix is not None:
        prefix = with_slash(everest_prefix)
    telemetry = with_slash(values.get("telemetry_prefix", "everest-telemetry"))
    _check_prefixes(mqtt_everest_prefix=prefix, mqtt_external_prefix=external, telemetry_prefix=telemetry)
    return Settings(
        layout=_with_directories(layout, values),
        broker=broker,
        broker_configured=configured,
        everest_prefix=prefix,
        external_prefix=external,
        telemetry_prefix=telemetry,
        telemetry_enabled=values.get("telemetry_enabled", False),
        validate_schema=values.get("validate_schema", False),
        forward_exceptions=values.get("forward_exceptions", False),
        run_as_user=values.get("run_as_user", ""),
    )


def _check_prefixes(**prefixes: str) -> None:
    """What cannot begin a topic (MQTT 5 §4.7) would end the manager and every module later on."""
    for name, prefix in prefixes.items():
        wrong = next((character for character in "+#\0" if character in prefix), None)
        if wrong is not None:
            raise BootError(f"{name} is {prefix!r}, but no topic can hold {wrong!r}; choose another prefix")


def with_slash(prefix: str) -> str:
    """Append `/` unless it is there; an empty prefix stays empty (bus 1.1)."""
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def _broker(values: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[BrokerAddress, bool]:
    host, port = values.get("mqtt_broker_host"), values.get("mqtt_broker_port")
    host = environment.get("MQTT_SERVER_ADDRESS") or host
    text = environment.get("MQTT_SERVER_PORT")
    if text:
        try:
            port = int(text)
        except ValueError:
            logger.warning("MQTT_SERVER_PORT is %r, not a number: ignored", text)
    socket_path = values.get("mqtt_broker_socket_path")
    if socket_path is not None and host is not None:
        raise BootError(f"a broker socket ({socket_path}) and a broker host ({host}) are both given; keep one of them")
    configured = any(value is not None for value in (host, port, socket_path))
    if port is not None and not 0 < port < 65536:
        raise BootError(f"broker port {port} is not between 1 and 65535; correct mqtt_broker_port or MQTT_SERVER_PORT")
    return BrokerAddress(host or DEFAULT_HOST, port or DEFAULT_PORT, socket_path), configured


def _with_directories(layout: Layout, values: Mapping[str, Any]) -> Layout:
    changes: dict[str, Any] = {
        key: layout.prefix / values[key] for key in (*_DIRECTORIES, "logging_config_file") if key in values
    }
    return dataclasses.replace(layout, **changes) if changes else layout
