"""What the OCPP module adds to a recording of the bus: its frames, its connection and its named timers.

Published on the external topic `everest_trace/<module id>` while `everest_trace/recording` (retained) says `true`, so
that a recorder sees them in the broker's order; without a recording each costs one comparison.
"""

from __future__ import annotations

import json
from typing import Any

from everest.runtime import Module

RECORDING = "everest_trace/recording"
TRACE = "everest_trace/"


class TracePublisher:
    """`ocpp16.observer.Observer` over the bus."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._topic = TRACE + module.info.id
        self._recording = False

    def listen(self) -> None:
        """Follow whether a recording runs; called in the module's `init`."""
        self._module.mqtt_subscribe(RECORDING, self._switch)

    def _switch(self, _topic: str, payload: str) -> None:
        self._recording = payload == "true"

    def connection(self, connected: bool) -> None:
        if self._recording:
            self._publish({"dir": "connect" if connected else "disconnect", "frame": ""})

    def frame(self, frame: str | bytes, *, sent: bool) -> None:
        if self._recording:
            text = frame if isinstance(frame, str) else frame.decode(errors="replace")
            self._publish({"dir": "cp->csms" if sent else "csms->cp", "frame": text})

    def timer(self, name: str) -> None:
        if self._recording:
            self._publish({"timer": name})

    def _publish(self, what: dict[str, Any]) -> None:
        told = {"t": self._module.clock.now().timestamp(), **what}
        self._module.mqtt_publish(self._topic, json.dumps(told, separators=(",", ":"), ensure_ascii=False))
