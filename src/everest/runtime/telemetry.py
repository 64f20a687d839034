"""Telemetry (bus 5): readings for whoever collects them, on a topic of their own.

Lives here: `send`. Sent only if the settings say so and the module has a telemetry id in the configuration.
May not be imported here: modules, contracts, manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from everest.runtime import wire
from everest.runtime.bus import Bus
from everest.runtime.clock import timestamp
from everest.runtime.model import ConfigValue, Deployment
from everest.runtime.topics import with_slash
from everest.runtime.wire import Dialect

RESERVED = "connector_id"


def send(
    bus: Bus,
    deployment: Deployment,
    now: datetime,
    category: str,
    subcategory: str,
    type: str,
    data: Mapping[str, ConfigValue],
) -> None:
    """Publish one set of readings; nothing happens where telemetry is off. See `Module.telemetry`."""
    number = deployment.configuration.telemetry_id
    if not deployment.settings.telemetry_enabled or number is None:
        return
    topic = f"{with_slash(deployment.settings.telemetry_prefix)}{category}/{number}/{subcategory}"
    if RESERVED in data:
        bus.deviations.warn(topic, f"telemetry key {RESERVED!r} is reserved; the value given is dropped")
    own = {key: value for key, value in data.items() if key != RESERVED}
    text = wire.encode({"timestamp": timestamp(now), RESERVED: number, "type": type, **own})
    if bus.dialect is Dialect.A:
        bus.send(topic, wire.build("ExternalMQTT", text.decode()), qos=2, retain=False)
    else:
        bus.publish("telemetry", topic, text)
