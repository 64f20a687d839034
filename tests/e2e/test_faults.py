"""A central system that is absent, refuses, talks garbage or goes away; a broker that goes away."""

from __future__ import annotations

import http
from pathlib import Path

import pytest
from websockets.asyncio.server import serve

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_one_clean_session, energies, starts, stops
from tests.support.mosquitto import Mosquitto, running_mosquitto
from tests.support.stack import Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


async def charge_and_stop(bus: Bus) -> None:
    """A whole session, as far as the bus sees it."""
    await bus.do("plug 1")
    await bus.wait_for_event("AuthRequired")
    await bus.do("swipe DEADBEEF 1")
    await bus.wait_for_event("ChargingStarted")
    await bus.wait_for(lambda: energy(bus) >= 5, what="5 Wh")
    await bus.do("swipe DEADBEEF 1")
    await bus.wait_for_event("TransactionFinished")
    await bus.do("unplug 1")
    await bus.wait_for_event("SessionFinished")


def energy(bus: Bus) -> float:
    readings = bus.values("powermeter", module="evse_manager_1")
    return float(readings[-1]["energy_Wh_import"]["total"]) if readings else 0.0


async def test_a_session_while_the_central_system_is_absent_is_delivered_when_it_comes(
    tmp_path: Path, mosquitto: Mosquitto, bus: Bus
) -> None:
    csms = CentralSystem()
    await csms.start()
    await csms.close()
    config = station_config(tmp_path, csms.url, AllowOfflineTxForUnknownId=True)
    async with Station(config, mosquitto.port) as station:
        await bus.wait_for_event("Enabled")
        await charge_and_stop(bus)
        await csms.start()
        try:
            await csms.wait_for_call("StopTransaction", seconds=60)
        finally:
            await csms.close()
        assert "Traceback" not in station.log_text()
    actions = [frame.action for frame in csms.frames if frame.direction == "cp->csms" and frame.action]
    assert actions[0] == "BootNotification"
    order = [action for action in actions if action in ("StartTransaction", "MeterValues", "StopTransaction")]
    assert order == ["StartTransaction", *["MeterValues"] * (len(order) - 2), "StopTransaction"]
    assert_one_clean_session(csms, bus, reason="Local")


async def test_a_connection_cut_in_mid_session_loses_and_doubles_nothing(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        await bus.do("swipe DEADBEEF 1")
        await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 2, what="two rising meter values")
        port_kept = csms.port
        await csms.drop_connections()
        await csms.close()
        before = energy(bus)
        await bus.wait_for(lambda: energy(bus) > before + 5, what="the station charges on")
        assert csms.port == port_kept
        await csms.start()
        await csms.wait_for(lambda: len(csms.sessions) == 1, what="reconnect")
        await bus.do("swipe DEADBEEF 1")
        await csms.wait_for_call("StopTransaction")
    assert len(csms.calls("BootNotification")) == 1
    assert_one_clean_session(csms, bus, reason="Local")


async def test_a_refused_upgrade_is_told_once_per_attempt_and_tried_again(
    tmp_path: Path, mosquitto: Mosquitto, bus: Bus
) -> None:
    refused = 0

    def refuse(connection: object, _request: object) -> object:
        nonlocal refused
        refused += 1
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not here\n")  # type: ignore[attr-defined]

    async with serve(lambda _ws: None, "127.0.0.1", 0, process_request=refuse) as server:  # type: ignore[arg-type]
        port = next(iter(server.sockets)).getsockname()[1]
        async with Station(station_config(tmp_path, f"ws://127.0.0.1:{port}/"), mosquitto.port) as station:
            await bus.wait_for(lambda: refused >= 2, what="two refused attempts")
            await bus.wait_for_event("Enabled")
            text = station.log_text()
    assert "403" in text
    assert "Traceback" not in text


async def test_garbage_from_the_central_system_is_answered_and_survived(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with Station(station_config(tmp_path, csms.url), mosquitto.port) as station:
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        for garbage in ("", "{", "[]", "null", '[2,"x"]', "[2,7,{}]", '[3,"unasked",{}]', b"\xff\xfe", "[" * 5000):
            await csms.send_raw(garbage)
        await csms.send_raw('[2,"77","Reboot",{}]')
        answer = await csms.wait_for(
            lambda: next((f.message for f in csms.frames if f.message[0] == 4 and f.message[1] == "77"), None)
        )
        assert answer[2] == "NotImplemented"
        await charge_and_stop(bus)
        await csms.wait_for_call("StopTransaction")
        assert "Traceback" not in station.log_text()
    assert len(csms.calls("BootNotification")) == 1
    assert len(starts(csms)) == len(stops(csms)) == 1


async def test_the_loss_of_the_broker_ends_the_station_with_clear_lines_and_loses_nothing(
    tmp_path: Path, csms: CentralSystem
) -> None:
    config = station_config(tmp_path, csms.url)
    with running_mosquitto(tmp_path) as broker:
        async with Station(config, broker.port) as station, Bus(broker.port) as bus:
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
            await bus.do("plug 1")
            await bus.wait_for_event("AuthRequired")
            await bus.do("swipe DEADBEEF 1")
            await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 2, what="two rising meter values")
            broker.stop()
            assert await station.wait_for_exit() == 1
            text = station.log_text()
    assert "Traceback" not in text
    lost = [line for line in text.splitlines() if "lost the connection to the MQTT broker" in line]
    assert len([line for line in lost if line.startswith("everest-manager:")]) == 1, text
    assert len({line.partition("module ")[2].partition(" ends")[0] for line in lost}) == len(lost), "one line each"
    with running_mosquitto(tmp_path) as broker:
        async with Station(config, broker.port):
            await csms.wait_for_call("StopTransaction")
    assert len(starts(csms)) == len(stops(csms)) == 1
    (transaction,) = csms.transactions.values()
    assert transaction.stop is not None
    assert transaction.stop["meter_stop"] >= max(energies(csms, 1))
