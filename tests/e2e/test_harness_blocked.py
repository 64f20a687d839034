"""A CSMS whose event loop stands still, as that of a test does that sleeps: the station charges on and tells it all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_no_call_error, assert_one_clean_session, energies
from tests.support.everest_testing import (
    Rig,
    RigBus,
    ThreadedCentralSystem,
    begin,
    end,
    misplaced_nulls,
    null_frames,
    prefix,
)
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


def transaction_messages(csms: CentralSystem) -> list[tuple[str, dict[str, Any]]]:
    """StartTransaction, MeterValues and StopTransaction as they came, with their payloads."""
    return [
        (frame.action, frame.payload)
        for frame in csms.frames
        if frame.direction == "cp->csms" and frame.action in ("StartTransaction", "MeterValues", "StopTransaction")
    ]


def register(bus: RigBus) -> float:
    return float(bus.values("powermeter", module="evse_manager_1")[-1]["energy_Wh_import"]["total"])


async def charge_on(bus: RigBus, energy: float) -> None:
    """Wait for so much more energy."""
    before = register(bus)
    await bus.wait_for(lambda: register(bus) >= before + energy, what=f"{energy} Wh more")


async def test_thirty_seconds_are_survived_and_everything_comes_once_and_in_order(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto
) -> None:
    async with ThreadedCentralSystem() as csms:
        address = f"127.0.0.1:{csms.system.port}"
        waits = {"TransactionMessageRetryInterval": 10, "MeterValueSampleInterval": 2, "LocalPreAuthorize": True}
        rig = Rig(tmp_path, prefix, mosquitto.port, address, **waits)
        async with rig.bus() as bus, rig.station() as station:
            await begin(csms, bus, "CARD1")
            blocked = await csms.block(30)
            told = len(csms.system.frames)
            await charge_on(bus, 20)
            await end(csms, bus, "CARD1", told=False)
            await bus.do("plug 1")
            await bus.wait_for_event("AuthRequired", count=2)
            await bus.do("swipe CARD1 1")
            await bus.wait_for_event("ChargingStarted", count=2)
            assert len(csms.system.frames) == told and not blocked.done()
            await blocked
            await csms.wait_for(lambda: len(energies(csms.system, 2)) >= 2, what="the second transaction goes on")
            await bus.do("swipe CARD1 1")
            await csms.wait_for(lambda: len(csms.system.calls("StopTransaction")) == 2, what="both ended")
            assert "Traceback" not in station.log_text()
        assert [status["connected"] for status in bus.values("connection_status")] == [True]
        assert_in_order_and_once(csms.system)
        assert_no_call_error(csms.system)
        assert len(csms.system.calls("BootNotification")) == 1
        assert misplaced_nulls(bus) == null_frames(csms.system) == []


def assert_in_order_and_once(csms: CentralSystem) -> None:
    """Two whole transactions one after the other, no message twice, times and energies rising."""
    actions = [action for action, _ in transaction_messages(csms)]
    first_end = actions.index("StopTransaction") + 1
    for part, number in ((actions[:first_end], 1), (actions[first_end:], 2)):
        assert part == ["StartTransaction", *["MeterValues"] * (len(part) - 2), "StopTransaction"]
        samples = energies(csms, number)
        assert samples == sorted(samples) and len(samples) >= 2
        stop = csms.transactions[number].stop
        assert stop is not None and stop["meter_stop"] >= samples[-1]
    contents = [json.dumps(message) for message in transaction_messages(csms)]
    assert len(contents) == len(set(contents)), "every message once, also under another id"
    told = [payload for _, payload in transaction_messages(csms)]
    times = [payload.get("timestamp") or payload["meterValue"][0]["timestamp"] for payload in told]
    assert times == sorted(times)


async def test_a_ping_without_an_answer_ends_the_connection_and_nothing_is_lost_or_doubled(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto
) -> None:
    async with ThreadedCentralSystem() as csms:
        address = f"127.0.0.1:{csms.system.port}"
        rig = Rig(tmp_path, prefix, mosquitto.port, address, WebSocketPingInterval=1, WebsocketPongTimeout=1)
        async with rig.bus() as bus, rig.station() as station:
            await begin(csms, bus, "CARD1")
            blocked = await csms.block(60)
            await bus.wait_for(lambda: bus.values("is_connected")[-1] is False, what="the loss is noticed")
            await charge_on(bus, 5)
            await end(csms, bus, "CARD1", told=False)
            csms.release()
            await blocked
            await csms.wait_for_call("StopTransaction")
            await bus.wait_for(lambda: bus.values("is_connected")[-1], what="connected again")
            assert "Traceback" not in station.log_text()
        assert_one_clean_session(csms.system, bus, reason="Local")
        assert misplaced_nulls(bus) == null_frames(csms.system) == []
