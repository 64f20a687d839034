"""A whole charging session over real mosquitto, real processes and an independent, schema-validating central system."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_no_call_error, assert_one_clean_session, energies
from tests.support.mosquitto import Mosquitto
from tests.support.stack import Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "validate_schema"])
async def test_a_card_starts_and_ends_a_session(
    strict: bool, tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = station_config(tmp_path, csms.url)
    if strict:
        config.write_text(config.read_text() + "settings:\n  validate_schema: true\n")
    async with Station(config, mosquitto.port) as station:
        boot = await csms.wait_for_call("BootNotification")
        assert boot["chargePointModel"] and boot["chargePointVendor"]
        for connector in (0, 1, 2):
            await csms.wait_for_call("StatusNotification", lambda p, c=connector: p["connectorId"] == c)
        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        await csms.wait_for_call("StatusNotification", lambda p: (p["connectorId"], p["status"]) == (1, "Preparing"))
        await bus.do("swipe DEADBEEF 1")
        assert (await csms.wait_for_call("Authorize"))["idTag"] == "DEADBEEF"
        start = await csms.wait_for_call("StartTransaction")
        assert (start["connectorId"], start["idTag"]) == (1, "DEADBEEF")
        await csms.wait_for_call("StatusNotification", lambda p: (p["connectorId"], p["status"]) == (1, "Charging"))
        await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 3, what="three rising meter values")
        await bus.do("swipe DEADBEEF 1")
        stop = await csms.wait_for_call("StopTransaction")
        assert stop["idTag"] == "DEADBEEF"
        assert stop["meterStop"] > 0
        await bus.do("unplug 1")
        await bus.wait_for_event("SessionFinished")
        await csms.wait_for(
            lambda: [p["status"] for p in csms.calls("StatusNotification") if p["connectorId"] == 1][-1] == "Available",
            what="connector 1 Available again",
        )
    statuses = [p["status"] for p in csms.calls("StatusNotification") if p["connectorId"] == 1]
    assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert_one_clean_session(csms, bus, reason="Local")
    assert "dropped" not in station.log_text() and "tolerated" not in station.log_text()


async def test_the_central_system_starts_and_ends_a_session(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        answer = await csms.call(call.RemoteStartTransaction(id_tag="REMOTE1", connector_id=1))
        assert answer.status == "Accepted"
        await csms.wait_for_call("StartTransaction", lambda p: p["idTag"] == "REMOTE1")
        await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 2, what="two rising meter values")
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=1))
        assert answer.status == "Accepted"
        assert (await csms.wait_for_call("StopTransaction"))["reason"] == "Remote"
        await bus.do("unplug 1")
        await bus.wait_for_event("SessionFinished")
    assert_one_clean_session(csms, bus, reason="Remote")


async def test_both_evses_charge_at_the_same_time(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        for evse, card in ((1, "CARD1"), (2, "CARD2")):
            await bus.do(f"plug {evse}")
            await bus.wait_for_event("AuthRequired", module=f"evse_manager_{evse}")
            await bus.do(f"swipe {card} {evse}")
        await csms.wait_for(lambda: len(csms.transactions) == 2, what="two transactions")
        await csms.wait_for(
            lambda: all(len(set(energies(csms, number))) >= 2 for number in (1, 2)), what="meter values of both"
        )
        for evse, card in ((1, "CARD1"), (2, "CARD2")):
            await bus.do(f"swipe {card} {evse}")
        await csms.wait_for(lambda: all(t.stop for t in csms.transactions.values()), what="both ended")
    assert {t.start["connector_id"]: t.start["id_tag"] for t in csms.transactions.values()} == {1: "CARD1", 2: "CARD2"}
    assert_no_call_error(csms)


async def test_a_refused_card_starts_nothing(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    csms.tags["STOLEN"] = {"status": "Blocked"}
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        await bus.do("swipe STOLEN 1")
        await bus.wait_for(
            lambda: [v["status"] for v in bus.values("token_validation_status")] == ["Processing", "Rejected"],
            what="Rejected",
        )
        assert bus.events("Authorized") == []
    assert csms.calls("StartTransaction") == []


async def test_a_reset_ends_the_session_and_the_station(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = station_config(tmp_path, csms.url)
    async with Station(config, mosquitto.port) as station:
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        await bus.do("swipe DEADBEEF 1")
        await csms.wait_for_call("StartTransaction")
        await bus.wait_for_event("ChargingStarted")
        answer = await csms.call(call.Reset(type="Soft"))
        assert answer.status == "Accepted"
        assert (await csms.wait_for_call("StopTransaction"))["reason"] == "SoftReset"
        assert await station.wait_for_exit() == 1
    async with Station(config, mosquitto.port):
        event = await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"] == "ResetOrReboot")
        assert "remote reset" in event["techInfo"]
        await asyncio.sleep(0)
    assert_one_clean_session(csms, bus, reason="SoftReset")
