"""Commands of other modules that come while the charge point waits for the EVSEs, or that are out of shape."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from everest.demo.csms import CentralSystem
from tests.support.ocpp_bench import OcppBench, token


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


AVAILABILITY = {"request": {"operational_status": "Inoperative", "evse": {"id": 2, "connector_id": 1}}}
EVENT = {"event": {"type": "TamperDetectionActivated", "info": "lid", "critical": True}}
EARLY: list[tuple[str, str, dict[str, Any]]] = [
    ("auth_validator", "validate_token", {"provided_token": token()}),
    ("data_transfer", "data_transfer", {"request": {"vendor_id": "v", "data": "d"}}),
    ("ocpp_generic", "change_availability", AVAILABILITY),
    ("ocpp_generic", "security_event", EVENT),
]
"""Implementation, command, arguments."""


def start(bench: OcppBench) -> None:
    for evse in (1, 2):
        bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)


async def test_what_is_asked_during_the_start_is_answered_after_it(tmp_path: Path, csms: CentralSystem) -> None:
    keys = {"AllowOfflineTxForUnknownId": True}
    async with OcppBench(tmp_path, csms, keys=keys, announce=False) as bench:
        asked = [asyncio.create_task(bench.bus.call(*command)) for command in EARLY]
        await bench.bus.call("main", "get_configuration_key", {"keys": ["NumberOfConnectors"]})
        assert not any(task.done() for task in asked)
        start(bench)
        validation, transfer, availability, _ = await asyncio.gather(*asked)
        assert validation["authorization_status"] == "Accepted"
        assert transfer == {"status": "Offline"}
        assert availability == {"status": "Accepted"}
        event = await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"] == EVENT["event"]["type"])
        assert event["techInfo"] == "lid"


async def test_nobody_waits_for_evses_that_never_come(
    tmp_path: Path, csms: CentralSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        monkeypatch.setattr(sys.modules[type(bench.bus.module).__module__], "START_PATIENCE", 0.01)
        answers = [await bench.bus.call(*command) for command in EARLY]
        assert answers[0] == {"authorization_status": "Unknown", "tariff_messages": []}
        assert answers[1:] == [{"status": "Offline"}, {"status": "Rejected"}, None]
        start(bench)
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)


async def test_a_monitor_asked_for_before_the_configuration_is_loaded_is_kept(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        await bench.bus.call("main", "monitor_configuration_keys", {"keys": ["HeartbeatInterval"]})
        start(bench)
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await bench.bus.call("main", "set_configuration_key", {"key": "HeartbeatInterval", "value": "77"})
        changed = await bench.bus.next("main", "configuration_key")
    assert (changed["key"], changed["value"]) == ("HeartbeatInterval", "77")


async def test_data_with_too_long_names_is_refused_and_the_module_lives_on(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        for request in ({"vendor_id": "v" * 256}, {"vendor_id": "v", "message_id": "m" * 51}):
            answer = await bench.bus.call("data_transfer", "data_transfer", {"request": request})
            assert answer == {"status": "Rejected"}
        assert csms.calls("DataTransfer") == []
        answer = await bench.bus.call("data_transfer", "data_transfer", {"request": {"vendor_id": "v"}})
    assert answer == {"status": "UnknownVendorId"}
