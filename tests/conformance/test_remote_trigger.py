"""TriggerMessage and ExtendedTriggerMessage (OCPP 1.6 §5.17, security whitepaper)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig, reading

Make = Callable[..., Rig]

PLAIN = {
    "BootNotification": ("BootNotification", 2, {}),
    "DiagnosticsStatusNotification": ("DiagnosticsStatusNotification", 1, {"status": "Idle"}),
    "FirmwareStatusNotification": ("FirmwareStatusNotification", 1, {"status": "Idle"}),
    "Heartbeat": ("Heartbeat", 1, {}),
    "MeterValues": ("MeterValues", 1, {"connectorId": 1}),
    "StatusNotification": ("StatusNotification", 4, {"connectorId": 1, "status": "Preparing"}),
}
"""requestedMessage -> the message, its count since the start, what it says."""

EXTENDED = {
    "BootNotification": ("BootNotification", 2, {}),
    "FirmwareStatusNotification": ("SignedFirmwareStatusNotification", 1, {"status": "Idle"}),
    "Heartbeat": ("Heartbeat", 1, {}),
    "LogStatusNotification": ("LogStatusNotification", 1, {"status": "Idle"}),
    "MeterValues": ("MeterValues", 1, {"connectorId": 1}),
    "StatusNotification": ("StatusNotification", 4, {"connectorId": 1, "status": "Preparing"}),
}


@pytest.mark.parametrize("name", PLAIN)
async def test_each_message_comes_after_the_answer(rig: Make, csms: CentralSystem, name: str) -> None:
    await check(rig, csms, call.TriggerMessage(requested_message=name, connector_id=1), *PLAIN[name])


@pytest.mark.parametrize("name", EXTENDED)
async def test_each_extended_message_comes_after_the_answer(rig: Make, csms: CentralSystem, name: str) -> None:
    await check(rig, csms, call.ExtendedTriggerMessage(requested_message=name, connector_id=1), *EXTENDED[name])


async def check(rig: Make, csms: CentralSystem, request: Any, action: str, count: int, content: dict[str, Any]) -> None:
    async with rig() as station:
        await station.charge_point.on_meter_values(1, reading(7))
        if action == "StatusNotification":
            await station.plug_in()
            await station.status(1, "Preparing")
            count += 1
        answer = await csms.call(request)
        assert answer.status == "Accepted"
        told = await station.told(action, count)
        assert told | content == told
        answered = [i for i, f in enumerate(csms.frames) if f.message[0] == 3 and f.payload == {"status": "Accepted"}]
        sent = [i for i, f in enumerate(csms.frames) if f.action == action and f.direction == "cp->csms"]
        assert answered[-1] < sent[-1]


async def test_without_connector_all_states_and_values_come(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        for connector in (1, 2):
            await station.charge_point.on_meter_values(connector, reading(connector))
        await csms.call(call.TriggerMessage(requested_message="StatusNotification"))
        await station.states(2)
        assert [p["connectorId"] for p in csms.calls("StatusNotification")] == [0, 1, 2, 0, 1, 2]
        await csms.call(call.TriggerMessage(requested_message="MeterValues"))
        await station.told("MeterValues", 2)
        assert [p["connectorId"] for p in csms.calls("MeterValues")] == [1, 2]
        contexts = {v["context"] for p in csms.calls("MeterValues") for v in p["meterValue"][0]["sampledValue"]}
        assert contexts == {"Trigger"}


async def test_a_trigger_for_a_connector_that_does_not_exist_is_rejected(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        for request in (call.TriggerMessage, call.ExtendedTriggerMessage):
            answer = await csms.call(request(requested_message="StatusNotification", connector_id=3))
            assert answer.status == "Rejected"


async def test_meter_values_without_a_reading_are_rejected(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        answer = await csms.call(call.TriggerMessage(requested_message="MeterValues"))
        assert answer.status == "Rejected"


async def test_a_certificate_request_is_not_implemented_yet(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        answer = await csms.call(call.ExtendedTriggerMessage(requested_message="SignChargePointCertificate"))
        assert answer.status == "NotImplemented"
