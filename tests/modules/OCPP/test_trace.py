"""What the module adds to a recording that runs: frames, connection and timers, and nothing without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from everest.trace.record import watch
from everest.trace.records import Frame, Record, TimerFired
from everest.trace.topics import TRACE
from tests.support.ocpp_bench import OcppBench


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


async def test_frames_connection_and_timers_go_into_a_recording_that_runs(tmp_path: Path, csms: CentralSystem) -> None:
    found: list[Record] = []
    bench = OcppBench(tmp_path, csms, keys={"MeterValueSampleInterval": 1})
    with watch(bench.bus.broker, found.append):
        async with bench:
            bench.start_transaction()
            await bench.bus.until(lambda: any(isinstance(item, TimerFired) for item in found), timeout=20)
    frames = [item for item in found if isinstance(item, Frame)]
    assert {item.module for item in frames} == {"ocpp"}
    assert frames[0].direction == "connect"
    boot, answer = frames[1].message(), frames[2].message()
    assert (frames[1].direction, boot[2]) == ("cp->csms", "BootNotification")
    assert (frames[2].direction, answer[1]) == ("csms->cp", boot[1])
    timers = [item.timer for item in found if isinstance(item, TimerFired)]
    assert set(timers) & {"sampling[session-1]", "meter_last[session-1]"}


async def test_nothing_is_published_without_a_recording(tmp_path: Path, csms: CentralSystem) -> None:
    topics: list[str] = []
    bench = OcppBench(tmp_path, csms)
    bench.bus.broker.watch(lambda message: topics.append(message.topic))
    async with bench:
        bench.start_transaction()
        await csms.wait_for_call("StartTransaction")
    assert not [topic for topic in topics if topic.startswith(TRACE)]
