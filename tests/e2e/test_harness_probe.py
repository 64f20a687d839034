"""The ProbeModule in the test's own process: it has no manifest, its configuration's connections say what it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_no_call_error, starts, stops
from tests.support.everest_testing import ProbeModule, Rig, misplaced_nulls, null_frames, prefix, to
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

EVSES = ("ProbeModuleConnectorA", "ProbeModuleConnectorB")
NEIGHBOURS = {
    **dict.fromkeys(EVSES, "evse_manager"),
    "ProbeModuleReservation": "reservation",
    "ProbeModuleAuth": "auth",
    "ProbeModuleSystem": "system",
    "ProbeModuleSecurity": "evse_security",
}
TIME = "2026-03-01T12:00:00.000Z"
TOKEN = {"id_token": {"value": "PROBED", "type": "ISO14443"}, "authorization_type": "RFID"}


def meter(energy: float) -> dict[str, Any]:
    return {"timestamp": TIME, "energy_Wh_import": {"total": energy}}


def session_event(event: str, **details: Any) -> dict[str, Any]:
    return {"uuid": "2b6f0cc904d137be2e1730235f5664094b831186", "timestamp": TIME, "event": event, **details}


def surround_ocpp(rig: Rig) -> None:
    """Only the OCPP module, with the probe all around it, as EVerest's OCPP tests have it."""
    ocpp = rig.modules["ocpp"]
    ocpp["connections"] = {
        "evse_manager": to(*(f"probe/{name}" for name in EVSES)),
        "reservation": to("probe/ProbeModuleReservation"),
        "auth": to("probe/ProbeModuleAuth"),
        "system": to("probe/ProbeModuleSystem"),
        "security": to("probe/ProbeModuleSecurity"),
    }
    probe = {"auth_provider": to("ocpp/auth_provider"), "ocpp": to("ocpp/ocpp_generic"), "main": to("ocpp/main")}
    rig.config["active_modules"] = {"ocpp": ocpp, "probe": {"module": "ProbeModule", "connections": probe}}


@asynccontextmanager
async def surrounded(rig: Rig) -> AsyncIterator[ProbeModule]:
    """The station of `surround_ocpp`, from its start to its end, with the probe that has let the EVSEs start."""
    async with rig.station("--standalone", "probe", wait=False) as station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        async with ProbeModule(rig, NEIGHBOURS) as probe:
            for number, name in enumerate(EVSES, start=1):
                probe.answers[name, "get_evse"] = {"id": number, "connectors": [{"id": 1, "type": "cType2"}]}
            probe.answers["ProbeModuleSystem", "get_boot_reason"] = "PowerUp"
            await probe.listen("auth_provider", "provided_token")
            await probe.start()
            await station.wait_for_status("ALL_MODULES_STARTED")
            for name in EVSES:
                probe.publish(name, "waiting_for_external_ready", True)
            yield probe
        assert await station.stop() == 0


async def test_the_probe_plays_all_neighbours_of_the_ocpp_module(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    surround_ocpp(rig)
    async with rig.bus() as bus:
        async with surrounded(rig) as probe:
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
            await a_session_of_the_probe(probe, csms)
            await orders_of_the_csms(probe, csms)
        async with surrounded(rig):
            await csms.wait_for(lambda: len(csms.calls("BootNotification")) == 2, what="the second start")
        assert misplaced_nulls(bus) == null_frames(csms) == []
    assert_no_call_error(csms)


async def a_session_of_the_probe(probe: ProbeModule, csms: CentralSystem) -> None:
    """The probe publishes the events of a session, the CSMS gets its messages."""
    evse = "ProbeModuleConnectorA"
    started = {"reason": "EVConnected", "meter_value": meter(0)}
    probe.publish(evse, "session_event", session_event("SessionStarted", session_started=started))
    started = {"id_tag": TOKEN, "meter_value": meter(10.4)}
    probe.publish(evse, "session_event", session_event("TransactionStarted", transaction_started=started))
    await csms.wait_for_call("StartTransaction")
    finished = {"meter_value": meter(99.6), "reason": "Local", "id_tag": TOKEN}
    probe.publish(evse, "session_event", session_event("TransactionFinished", transaction_finished=finished))
    await csms.wait_for_call("StopTransaction")
    assert starts(csms) == {(1, "PROBED", TIME, 10)}
    assert stops(csms) == {(1, TIME, 100, "Local")}


async def orders_of_the_csms(probe: ProbeModule, csms: CentralSystem) -> None:
    """What the CSMS asks for reaches the probe: a variable of the OCPP module, and commands."""
    assert (await csms.call(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=2))).status == "Accepted"
    (token,) = await probe.wait_for(lambda: probe.values("auth_provider", "provided_token"), what="the token")
    assert (token["id_token"]["value"], token["connectors"]) == ("REMOTE", [2])
    assert (await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))).status == "Accepted"
    await probe.wait_for(lambda: called(probe, "ProbeModuleConnectorB", "enable_disable"), what="enable_disable")
    answer = await probe.call("main", "get_configuration_key", keys=["NumberOfConnectors"])
    assert answer["configuration_keys"][0]["value"] == "2"
    assert (await csms.call(call.Reset(type="Hard"))).status == "Accepted"
    await probe.wait_for(lambda: called(probe, "ProbeModuleSystem", "reset"), what="reset")


def called(probe: ProbeModule, implementation: str, command: str) -> list[dict[str, Any]]:
    return [arguments for where, what, arguments in probe.calls if (where, what) == (implementation, command)]


async def test_the_probe_is_one_of_several_in_a_whole_station_and_the_csms_topics_are_off_by_default(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    del rig.modules["ocpp"]["config_module"]["EnableExternalWebsocketControl"]
    rig.modules["auth"]["connections"]["token_provider"] += to("probe/card_reader")
    connections = {"evse": to("evse_manager_1/evse"), "ocpp": to("ocpp/ocpp_generic")}
    rig.write_user_config({"active_modules": {"probe": {"module": "ProbeModule", "connections": connections}}})
    async with rig.bus() as bus, rig.station("--standalone", "probe", wait=False) as station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        async with ProbeModule(rig, {"card_reader": "auth_token_provider"}) as probe:
            await probe.listen("evse", "session_event")
            await probe.listen("ocpp", "connection_status")
            await probe.start()
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
            await bus.publish("everest_api/ocpp/cmd/disconnect", "")
            await bus.do("plug 1")
            await bus.wait_for_event("AuthRequired")
            probe.publish("card_reader", "provided_token", TOKEN)
            await csms.wait_for_call("StartTransaction", lambda p: p["idTag"] == "PROBED")
            request = {"reason": "EmergencyStop"}
            assert await probe.call("evse", "stop_transaction", request=request) is True
            await csms.wait_for_call("StopTransaction", lambda p: p["reason"] == "EmergencyStop")
            await bus.do("unplug 1")
            await probe.wait_for(lambda: "SessionFinished" in kinds(probe), what="SessionFinished")
        assert [status["connected"] for status in probe.values("ocpp", "connection_status")] == [True]
    events = kinds(probe)
    order = ["SessionStarted", "AuthRequired", "Authorized", "TransactionStarted", "TransactionFinished"]
    assert [event for event in events if event in order] == order
    assert misplaced_nulls(bus) == null_frames(csms) == []


def kinds(probe: ProbeModule) -> list[str]:
    return [value["event"] for value in probe.values("evse", "session_event")]
