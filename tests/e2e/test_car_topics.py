"""The simulated car by EVerest's external topics, through real mosquitto and real processes (station 3.2, 3.5, 3.6)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from everest.trace.energy import check
from tests.support.mosquitto import Mosquitto
from tests.support.stack import Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

CAR = "everest_external/nodered/1/carsim/"
CARD = "everest_api/dummy_token_provider/cmd/provide"
STATES = "everest_external/nodered/1/state/state_string"
SWIPE = {
    "id_token": {"value": "DEADBEEF", "type": "ISO14443"},
    "authorization_type": "RFID",
    "prevalidated": True,
    "connectors": [1],
}


class Stamped(list[tuple[str, str]]):
    """What a Bus records, and when it came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, message: tuple[str, str]) -> None:
        self.times.append(time.monotonic())
        super().append(message)


def energy(bus: Bus) -> float:
    readings = bus.values("powermeter", module="evse_manager_1")
    return float(readings[-1]["energy_Wh_import"]["total"]) if readings else 0.0


async def test_the_car_is_driven_by_its_topics(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    recorded = Stamped()
    bus.messages = recorded
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await bus.wait_for_event("Enabled")
        await bus.publish(CAR + "cmd/enable", "true")  # enabled already: harmless
        await bus.publish(CAR + "cmd/execute_charging_session", "fly to the moon")  # refused, the station lives on
        command = "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 3600"
        await bus.publish(CAR + "cmd/execute_charging_session", command)
        await bus.wait_for_event("AuthRequired")
        await bus.publish(CARD, json.dumps(SWIPE))
        await bus.wait_for_event("ChargingStarted")
        await bus.wait_for(lambda: energy(bus) >= 4.0, what="4 Wh")
        await bus.publish(CAR + "cmd/modify_charging_session", "pause\nsleep 3600")
        await bus.wait_for_event("ChargingPausedEV")
        await bus.publish(CAR + "cmd/modify_charging_session", "draw_power_regulated 10 1;sleep 3600")
        await bus.wait_for_event("ChargingStarted", count=2)
        await bus.publish(CAR + "error", json.dumps({"error_type": "MREC6UnderVoltage", "raise": "true"}))
        await bus.wait_for_event("ChargingPausedEVSE")
        await bus.publish(CAR + "error", "no JSON")  # ignored
        await bus.publish(CAR + "error", json.dumps({"error_type": "MREC6UnderVoltage", "raise": "false"}))
        await bus.wait_for_event("ChargingStarted", count=3)
        await bus.publish(CAR + "cmd/modify_charging_session", "unplug")
        finished = await bus.wait_for_event("TransactionFinished")
        await bus.wait_for_event("SessionFinished")
        assert finished["transaction_finished"]["reason"] == "EVDisconnected"
    shown = [payload for topic, payload in recorded if topic == STATES]
    assert shown[:5] == ["Idle", "Wait for Auth", "PrepareCharging", "Charging", "StoppingCharging"]
    assert {"Car Paused", "EVSE Paused", "Finished"} < set(shown)
    timed = [(moment, *message) for moment, message in zip(recorded.times, recorded, strict=True)]
    results = [result for result in check(timed) if "evse_manager_1" in result.meter]
    assert results, [m for m in recorded if m[0].endswith("var/powermeter")][-3:]
    assert [str(result) for result in results if not result.holds] == []
