"""A second start with the same files: what must survive does, all of it while the CSMS is away.

Kept: changed configuration keys, availability, open transactions, queued messages, authorization cache, local list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_no_call_error, energies
from tests.support.everest_testing import Rig, RigBus, begin, end, misplaced_nulls, null_frames, prefix
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

CHANGES = {"MeterValueSampleInterval": "2", "ConnectionTimeOut": "90"}
LOCAL_LIST = [
    {"id_tag": "LISTED", "id_tag_info": {"status": "Accepted", "parent_id_tag": "FAMILY"}},
    {"id_tag": "LOST", "id_tag_info": {"status": "Blocked"}},
]
"""Version 7 of the local list."""


async def test_a_second_start_with_the_same_files_has_forgotten_nothing(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    async with rig.bus() as bus, rig.station() as station:
        await begin(csms, bus, "CACHED")
        await change_everything(csms)
        await csms.close()
        await end(csms, bus, "CACHED", told=False)
        await swipe_in(bus, "CACHED", count=2)
        await bus.wait_for_event("ChargingStarted", count=2)
        assert await station.stop() == 0
        assert misplaced_nulls(bus) == []
    async with rig.bus() as bus, rig.station():
        await bus.wait_for_event("Disabled", module="evse_manager_2")
        (lost,) = [await bus.wait_for_event("TransactionFinished")]
        assert lost["transaction_finished"]["reason"] == "PowerLoss"
        await charge_offline(bus)
        await csms.start()
        await csms.wait_for(lambda: len(csms.calls("StopTransaction")) == 4, what="all transactions ended")
        await assert_configuration_and_list_are_kept(csms)
        waits = [args["connection_timeout"] for args in bus.arguments("set_connection_timeout")]
        assert waits == [90], "Auth is told what was changed"
        assert misplaced_nulls(bus) == []
    assert_all_was_told_in_order(csms)
    assert null_frames(csms) == []


async def change_everything(csms: CentralSystem) -> None:
    for key, value in CHANGES.items():
        assert (await csms.call(call.ChangeConfiguration(key=key, value=value))).status == "Accepted"
    assert (await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))).status == "Accepted"
    await csms.wait_for_call("StatusNotification", lambda p: (p["connectorId"], p["status"]) == (2, "Unavailable"))
    request = call.SendLocalList(list_version=7, update_type="Full", local_authorization_list=LOCAL_LIST)
    assert (await csms.call(request)).status == "Accepted"


async def swipe_in(bus: RigBus, card: str, *, count: int) -> None:
    """Plug in, swipe, and wait for the `count`-th transaction on this bus."""
    await bus.do("plug 1")
    await bus.wait_for_event("AuthRequired", count=count)
    await bus.do(f"swipe {card} 1")
    await bus.wait_for_event("TransactionStarted", count=count)


async def charge_offline(bus: RigBus) -> None:
    """Cards in list and cache are accepted, others are not; two whole sessions."""
    await bus.do("plug 1")
    await bus.wait_for_event("AuthRequired")
    for card in ("STRANGER", "LOST"):
        await bus.do(f"swipe {card} 1")
        await bus.wait_for(lambda card=card: verdict(bus, card) == "Rejected", what=f"{card} refused")
    for count, card in ((1, "LISTED"), (2, "CACHED")):
        if count == 2:
            await bus.do("plug 1")
            await bus.wait_for_event("AuthRequired", count=2)
        await bus.do(f"swipe {card} 1")
        await bus.wait_for_event("TransactionStarted", count=count)
        await bus.do(f"swipe {card} 1")
        await bus.wait_for_event("TransactionFinished", count=count + 1)
        await bus.do("unplug 1")
        await bus.wait_for_event("SessionFinished", count=count)


def verdict(bus: RigBus, card: str) -> str:
    """The last word of Auth about a card."""
    said = [v["status"] for v in bus.values("token_validation_status") if v["token"]["id_token"]["value"] == card]
    return said[-1] if said else ""


async def assert_configuration_and_list_are_kept(csms: CentralSystem) -> None:
    answer = await csms.call(call.GetConfiguration(key=list(CHANGES)))
    assert {entry["key"]: entry["value"] for entry in answer.configuration_key} == CHANGES
    assert (await csms.call(call.GetLocalListVersion())).list_version == 7
    boots = [index for index, frame in enumerate(csms.frames) if frame.action == "BootNotification"]
    assert len(boots) == 2
    await csms.wait_for(lambda: statuses_since(csms, boots[1], 2), what="the status of connector 2")
    assert set(statuses_since(csms, boots[1], 2)) == {"Unavailable"}


def statuses_since(csms: CentralSystem, index: int, connector: int) -> list[str]:
    """The statuses of a connector that were told after a frame."""
    told = [frame.payload for frame in csms.frames[index:] if frame.action == "StatusNotification"]
    return [payload["status"] for payload in told if payload["connectorId"] == connector]


def assert_all_was_told_in_order(csms: CentralSystem) -> None:
    """Four transactions one after the other, each with its own end, none twice."""
    sequence: list[Any] = [
        (frame.payload["idTag"] if frame.action == "StartTransaction" else frame.payload.get("reason", "Local"))
        for frame in csms.frames
        if frame.direction == "cp->csms" and frame.action in ("StartTransaction", "StopTransaction")
    ]
    assert sequence == ["CACHED", "Local", "CACHED", "PowerLoss", "LISTED", "Local", "CACHED", "Local"]
    assert [stop["transactionId"] for stop in csms.calls("StopTransaction")] == [1, 2, 3, 4]
    for number, transaction in csms.transactions.items():
        assert transaction.stop is not None
        samples = energies(csms, number)
        assert samples == sorted(samples)
        assert not samples or transaction.stop["meter_stop"] >= samples[-1]
    assert len(energies(csms, 1)) >= 2
    assert_no_call_error(csms)
