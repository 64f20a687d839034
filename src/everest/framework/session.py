"""Where the broker is and how to log: `RuntimeSession` of EVerest's binding (bus 7.1).

From the environment that a manager makes, or (the way of test harnesses) from a station's configuration file.
May not be imported here: the rest of the framework but log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from everest.framework import log
from everest.runtime import yaml_file
from everest.runtime.errors import StartupError
from everest.runtime.launch import DEFAULT_PORT, Environment
from everest.runtime.topics import with_slash
from everest.runtime.transport import Transport

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broker:
    """Address of the broker and the prefixes of the station; `everest_prefix` with its slash."""

    host: str
    port: int
    socket_path: str | None
    everest_prefix: str
    external_prefix: str

    def transport(self) -> Transport:
        """A new connection, not yet connected."""
        from everest.runtime.mqtt import MqttTransport

        return MqttTransport(self.host, self.port, socket_path=self.socket_path)


class RuntimeSession:
    """Made once, before the `Module`s of this process.

    `RuntimeSession()` reads the EV_* variables; `RuntimeSession(prefix, config_file)` reads the MQTT settings of a
    station's configuration. Errors: RuntimeError naming what is missing.
    """

    @overload
    def __init__(self, /) -> None: ...
    @overload
    def __init__(self, prefix: str, config_file: str, /) -> None: ...
    def __init__(self, prefix: str | None = None, config_file: str | None = None, /) -> None:
        if prefix is None and config_file is None:
            self._broker = _from_environment(os.environ)
        elif prefix is not None and config_file is not None:
            self._broker = _from_configuration(Path(prefix), Path(config_file), os.environ)
        else:
            raise TypeError("RuntimeSession takes no arguments, or a prefix and a configuration file")


def _from_environment(environ: Mapping[str, str]) -> Broker:
    needed = ["EV_MODULE", "EV_LOG_CONF_FILE"]
    if "EV_MQTT_BROKER_SOCKET_PATH" not in environ:
        needed += ["EV_MQTT_BROKER_HOST", "EV_MQTT_BROKER_PORT"]
    missing = [name for name in needed if not environ.get(name)]
    if missing:
        raise RuntimeError(
            f"{', '.join(missing)} not set in the environment: start this module by a manager, or set the variables "
            "a manager sets"
        )
    try:
        environment = Environment.read(environ)
    except StartupError as error:
        raise RuntimeError(str(error)) from None
    assert environment.log_config is not None
    _start_logging(environment.module_id, environment.log_config)
    return Broker(
        environment.host,
        environment.port,
        environment.socket_path,
        with_slash(environment.everest_prefix),
        environment.external_prefix,
    )


def _start_logging(label: str, log_config: Path) -> None:
    if not log_config.is_file():
        raise RuntimeError(f"the logging configuration {log_config} does not exist")
    log.configure(label, log_config)


_TYPES: dict[str, type] = {
    **dict.fromkeys(
        ("mqtt_everest_prefix", "mqtt_external_prefix", "mqtt_broker_host", "mqtt_broker_socket_path"), str
    ),
    "logging_config_file": str,
    "mqtt_broker_port": int,
}
"""The settings that a session looks at."""

# --- from a configuration file ---------------------------------------------------------------------------------------


def _from_configuration(prefix: Path, config_file: Path, environ: Mapping[str, str]) -> Broker:
    """The manager's rules for where the broker is (bus 1.1) and where the logging configuration lies (bus 2.1)."""
    try:
        data = yaml_file.load(config_file).data
    except (yaml_file.YamlError, OSError) as error:
        raise RuntimeError(f"the configuration cannot be read: {error}") from None
    section = data.get("settings") if isinstance(data, dict) else None
    settings: dict[str, Any] = section if isinstance(section, dict) else {}
    for name, kind in _TYPES.items():
        if name in settings and type(settings[name]) is not kind:
            raise RuntimeError(f"{config_file}: settings.{name} is {settings[name]!r}, but has to be {kind.__name__}")
    base = Path("/etc/everest") if prefix == Path("/usr") else prefix / "etc" / "everest"
    log_config = prefix / settings.get("logging_config_file", base / "default_logging.cfg")
    _start_logging(os.environ.get("EV_MODULE", "everest"), log_config)
    logger.warning("RuntimeSession(prefix, config_file) is deprecated; the environment says where the broker is")
    return _broker(settings, environ)


def _broker(settings: Mapping[str, Any], environ: Mapping[str, str]) -> Broker:
    everest_prefix = with_slash(settings.get("mqtt_everest_prefix", "everest"))
    external_prefix = settings.get("mqtt_external_prefix", "")
    if everest_prefix == external_prefix:
        raise RuntimeError(f"mqtt_everest_prefix and mqtt_external_prefix are both {everest_prefix!r}")
    host = environ.get("MQTT_SERVER_ADDRESS") or settings.get("mqtt_broker_host")
    socket_path = settings.get("mqtt_broker_socket_path")
    if socket_path is not None and host is not None:
        raise RuntimeError(f"a broker socket ({socket_path}) and a broker host ({host}) are both given")
    return Broker(host or "localhost", _port(settings, environ), socket_path, everest_prefix, external_prefix)


def _port(settings: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    text = environ.get("MQTT_SERVER_PORT")
    if text:
        try:
            return int(text)
        except ValueError:
            logger.warning("MQTT_SERVER_PORT is %r, not a number: ignored", text)
    return int(settings.get("mqtt_broker_port", DEFAULT_PORT))
