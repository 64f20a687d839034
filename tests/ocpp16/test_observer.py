"""An observer sees every frame, the connection and the timers that fire, and nothing depends on it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ocpp16 import ChargePoint
from ocpp16.tasks import TaskOwner, Timer
from tests.support.ocpp16.doubles import SeededRandomness
from tests.support.ocpp16_station import Station, configuration

pytestmark = pytest.mark.looptime


ACCEPTED = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 60}


class Notes:
    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def connection(self, connected: bool) -> None:
        self.all.append(("connection", connected))

    def frame(self, frame: str | bytes, *, sent: bool) -> None:
        self.all.append(("sent" if sent else "received", json.loads(frame)))

    def timer(self, name: str) -> None:
        self.all.append(("timer", name))


class ObservedStation(Station):
    """A station whose charge point is looked at."""

    notes: Notes

    def make(self) -> ChargePoint:
        self.notes = Notes()
        charge_point = ChargePoint(
            configuration(self.clock, **self.keys),
            store=self.store,
            clock=self.clock,
            randomness=SeededRandomness(),
            dialer=self.csms.dial,
            observer=self.notes,
        )
        self._register(charge_point)
        return charge_point


async def test_an_observer_sees_connection_frames_and_timers_in_their_order() -> None:
    async with ObservedStation() as station:
        station.csms.answers["BootNotification"] = ACCEPTED
        await station.boot()
        await asyncio.sleep(70)
        await station.charge_point.stop()
        seen = station.notes.all
    assert seen[0] == ("connection", True)
    assert (seen[1][0], seen[1][1][2]) == ("sent", "BootNotification")
    assert (seen[2][0], seen[2][1][:2]) == ("received", [3, seen[1][1][1]])
    beats = [number for number, (kind, what) in enumerate(seen) if (kind, what) == ("timer", "heartbeat")]
    assert len(beats) >= 1
    following = next(what for kind, what in seen[beats[0] :] if kind == "sent")
    assert following[2] == "Heartbeat"
    assert seen[-1] == ("connection", False)


async def test_a_timer_tells_its_name_when_its_wait_is_over_and_not_when_it_is_stopped() -> None:
    fired: list[str] = []
    tasks = TaskOwner("owner", timer_fired=fired.append)
    first, second = Timer(tasks, "first"), Timer(tasks, "second")
    first.start(first.wait(10))
    second.start(second.wait(20))
    await asyncio.sleep(15)
    second.stop()
    await asyncio.sleep(15)
    await tasks.close()
    assert fired == ["first"]
