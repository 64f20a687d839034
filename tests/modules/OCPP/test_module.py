"""The OCPP module between a bus played by the test and an independent central system (libocpp 9)."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from everest.runtime import StartupError
from tests.support.ocpp_bench import OcppBench, meter, token
from tests.support.traces import bus as recorded_bus


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


START_ORDER = (
    "get_evse",
    "set_connection_timeout",
    "enable_disable",
    "external_ready_to_start_charging",
    "get_boot_reason",
)


def recorded_start(name: str) -> list[tuple[str, str]]:
    """(peer, command) of the recorded OCPP module's own commands of START_ORDER until get_boot_reason."""
    orders = []
    for message in recorded_bus(name):
        parts = message.topic.split("/")
        if len(parts) != 7 or parts[5] != "cmd" or parts[6] not in START_ORDER:
            continue
        if message.json()["data"]["origin"] == "ocpp":
            orders.append((f"{parts[2]}/{parts[4]}", parts[6]))
            if parts[6] == "get_boot_reason":
                break
    return orders


async def test_the_start_goes_in_the_order_of_the_recorded_station(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        ours = [(peer, command) for peer, command, _ in bench.commands(*START_ORDER)]
    assert ours == recorded_start("boot")
    assert [frame.action for frame in csms.frames if frame.action][:2] == [
        "BootNotification",
        "SecurityEventNotification",
    ]


async def test_nothing_is_dialled_before_every_evse_has_announced_itself(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        bench.bus.publish("evse_manager_1/evse", "waiting_for_external_ready", True)
        await asyncio.sleep(0.05)
        assert bench.commands("external_ready_to_start_charging") == []
        assert csms.frames == []
        bench.bus.publish("evse_manager_2/evse", "ready", True)
        await csms.wait_for_call("BootNotification")


async def test_a_session_from_the_bus_is_a_transaction_at_the_central_system(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=100.4)
        bench.event("ChargingStarted", charging_state_changed_event={"meter_value": meter(100.4)})
        await bench.wait_for_status(1, "Charging")
        bench.event("ChargingPausedEV", charging_state_changed_event={"meter_value": meter(200)})
        await bench.wait_for_status(1, "SuspendedEV")
        bench.stop_transaction(energy=1234.6)
        stop = await csms.wait_for_call("StopTransaction")
        bench.event("SessionFinished", session_finished={"meter_value": meter(1234.6)})
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")
        events = bench.bus.published("ocpp_generic", "ocpp_transaction_event")
    (start,) = csms.calls("StartTransaction")
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG1", 100)
    assert start["timestamp"] == "2026-03-01T12:00:00.000Z"
    assert (stop["transactionId"], stop["meterStop"], stop["idTag"], stop["reason"]) == (1, 1235, "TAG1", "Local")
    assert bench.statuses(1) == ["Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]
    evse = {"id": 1, "connector_id": 1}
    assert events == [
        {"transaction_event": "Started", "evse": evse, "session_id": "session-1"},
        {"transaction_event": "Updated", "evse": evse, "session_id": "session-1", "transaction_id": "1"},
        {"transaction_event": "Ended", "evse": evse, "session_id": "session-1", "transaction_id": "1"},
    ]
    assert csms.call_errors == []


async def test_events_before_the_start_are_told_after_it_in_order(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        bench.start_transaction()
        bench.stop_transaction(energy=5)
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        await csms.wait_for_call("StopTransaction")
    actions = [frame.action for frame in csms.frames if frame.direction == "cp->csms" and frame.action]
    assert actions[0] == "BootNotification"
    assert actions.index("StartTransaction") < actions.index("StopTransaction")


async def test_several_connectors_of_an_evse_are_connectors_of_their_own(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, connectors={1: [1, 2], 2: [1]}) as bench:
        bench.start_transaction(evse=1, session="a", connector_id=2)
        await csms.wait_for_call("StartTransaction", lambda p: p["connectorId"] == 2)
        bench.start_transaction(evse=2, session="b")
        await csms.wait_for_call("StartTransaction", lambda p: p["connectorId"] == 3)
        answer = await csms.call(call.GetConfiguration(key=["NumberOfConnectors"]))
    assert answer.configuration_key[0]["value"] == "3"


async def test_the_events_of_a_session_that_name_no_connector_are_about_that_of_its_start(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms, connectors={1: [1, 2], 2: [1]}) as bench:
        bench.start_transaction(evse=1, connector_id=2)
        bench.event("ChargingStarted", charging_state_changed_event={"meter_value": meter(1)})
        await bench.wait_for_status(2, "Charging")
        bench.stop_transaction(energy=5)
        await csms.wait_for_call("StopTransaction")
        bench.event("SessionFinished", session_finished={"meter_value": meter(5)})
        await csms.wait_for(lambda: bench.statuses(2)[-1] == "Available")
    assert bench.statuses(1) == ["Available"]


async def test_a_session_that_went_on_is_over_when_another_connector_of_the_evse_begins_one(
    tmp_path: Path, csms: CentralSystem
) -> None:
    connectors = {1: [1, 2], 2: [1]}
    async with OcppBench(tmp_path, csms, connectors=connectors) as bench:
        bench.start_transaction(energy=10, connector_id=2)
        await csms.wait_for(lambda: csms.transactions)
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
    async with OcppBench(tmp_path, csms, connectors=connectors, announce=False, LateStartTimeout=0) as bench:
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(400, power=11000))
        bench.give_signs_of_life()
        await csms.wait_for(lambda: bench.statuses(2)[-1] == "Charging", what="Charging again")
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(500, power=11000))
        bench.start_transaction(session="session-2", energy=600, connector_id=1)
        await csms.wait_for(lambda: len(csms.transactions) == 2)
    (stop,) = csms.calls("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1, 500, "PowerLoss")


async def test_a_long_token_is_cut_and_the_transaction_not_lost(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        long = {"id_tag": token("0123456789012345678901234"), "meter_value": meter(0)}
        bench.event("TransactionStarted", transaction_started=long)
        start = await csms.wait_for_call("StartTransaction")
    assert start["idTag"] == "01234567890123456789"


async def test_unreadable_times_become_now(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        details = {"id_tag": token(), "meter_value": {"timestamp": "", "energy_Wh_import": {"total": 0.0}}}
        bench.event("TransactionStarted", transaction_started=details, timestamp="")
        start = await csms.wait_for_call("StartTransaction")
    assert start["timestamp"] > "2026-03-02"


async def test_an_inoperative_evse_is_faulted_and_comes_back(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.bus.raise_error(
            "evse_manager_1/evse",
            {
                "type": "evse_manager/Inoperative",
                "message": "evse_board_support/DiodeFault",
                "description": "DiodeFault",
            },
        )
        status = await bench.wait_for_status(1, "Faulted")
        assert (status["errorCode"], status["info"]) == ("OtherError", "caused_by:evse_board_support/DiodeFault")
        bench.bus.clear_error("evse_manager_1/evse", "evse_manager/Inoperative")
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Available")


async def test_an_error_without_a_place_concerns_the_station(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.bus.raise_error("system/main", {"type": "system/CommunicationFault", "message": "text"})
        status = await csms.wait_for_call("StatusNotification", lambda p: p["errorCode"] == "OtherError")
    assert (status["connectorId"], status["status"], status["info"]) == (0, "Available", "system->main")


async def test_a_remote_start_is_a_token_of_the_auth_provider(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        answer = await csms.call(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=2))
        provided = await bench.bus.next("auth_provider", "provided_token")
    assert answer.status == "Accepted"
    assert provided == {
        "id_token": {"value": "REMOTE", "type": "Central"},
        "authorization_type": "OCPP",
        "connectors": [2],
        "prevalidated": True,
    }


async def test_a_remote_stop_reaches_the_evse(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(evse=2, session="b")
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=1))
        order = await bench.bus.next_call("evse_manager_2/evse", "stop_transaction")
    assert answer.status == "Accepted"
    assert order == {"request": {"reason": "Remote"}}


async def test_a_reset_stops_the_core_and_then_the_station(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        answer = await csms.call(call.Reset(type="Hard"))
        order = await bench.bus.next_call("system/main", "reset")
        assert bench.bus.published("ocpp_generic", "connection_status")[-1]["connected"] is False
    assert answer.status == "Accepted"
    assert order == {"type": "Hard", "scheduled": False}


async def test_a_transaction_that_begins_before_a_reset_has_ended_everything_is_not_lost(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        await csms.call(call.Reset(type="Hard"))
        await bench.bus.next_call("system/main", "reset")
        bench.start_transaction(session="in the last moment")
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 1)
        assert csms.calls("StartTransaction") == []
    async with OcppBench(tmp_path, csms):
        await csms.wait_for_call("StopTransaction")
    assert len(csms.calls("StartTransaction")) == 1
    assert csms.calls("StopTransaction")[0]["reason"] == "PowerLoss"


async def test_availability_is_ordered_from_the_whole_evse(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        answer = await csms.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))
        await bench.bus.until(lambda: len(bench.commands("enable_disable")) == 3)
        peer, _, arguments = bench.commands("enable_disable")[-1]
        bench.event("Disabled", session="")
        await bench.wait_for_status(1, "Unavailable")
    assert answer.status == "Accepted"
    assert peer == "evse_manager_1/evse"
    source = {"enable_source": "CSMS", "enable_state": "Disable", "enable_priority": 5000}
    assert arguments == {"connector_id": 0, "cmd_source": source}


async def test_a_failing_bus_command_is_no_for_the_central_system_and_survived(
    tmp_path: Path, csms: CentralSystem
) -> None:
    def broken(_arguments: dict[str, Any]) -> Any:
        raise RuntimeError("hardware")

    async with OcppBench(tmp_path, csms) as bench:
        bench.answer("evse_manager_1/evse", "force_unlock", broken)
        bench.answer("system/main", "is_reset_allowed", broken)
        unlock = await csms.call(call.UnlockConnector(connector_id=1))
        reset = await csms.call(call.Reset(type="Soft"))
    assert unlock.status == "NotSupported"
    assert reset.status == "Rejected"


@pytest.mark.parametrize(
    ("value", "tags", "status"),
    [("TAG1", {}, "Accepted"), ("BAD", {"BAD": {"status": "Blocked"}}, "Blocked"), ("x" * 21, {}, "Unknown")],
)
async def test_a_token_is_validated_by_the_central_system(
    tmp_path: Path, csms: CentralSystem, value: str, tags: dict[str, Any], status: str
) -> None:
    csms.tags = tags
    async with OcppBench(tmp_path, csms) as bench:
        result = await bench.bus.call("auth_validator", "validate_token", {"provided_token": token(value)})
    assert result == {"authorization_status": status, "tariff_messages": []}


async def test_the_parent_of_a_token_is_told_with_the_answer_and_after_the_start(
    tmp_path: Path, csms: CentralSystem
) -> None:
    csms.tags = {"TAG1": {"status": "Accepted", "parent_id_tag": "FAMILY"}}
    async with OcppBench(tmp_path, csms) as bench:
        result = await bench.bus.call("auth_validator", "validate_token", {"provided_token": token()})
        bench.start_transaction()
        update = await bench.bus.next("auth_validator", "validate_result_update")
    assert result["parent_id_token"] == {"value": "FAMILY", "type": "Central"}
    assert update["connector_id"] == 1
    assert update["validation_result"]["parent_id_token"] == {"value": "FAMILY", "type": "ISO14443"}


async def test_a_contract_nobody_checks_is_not_accepted(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        contract = {"id_token": {"value": "EMAID", "type": "eMAID"}, "authorization_type": "PlugAndCharge"}
        result = await bench.bus.call("auth_validator", "validate_token", {"provided_token": contract})
    assert result["authorization_status"] == "Unknown"


async def test_configuration_over_both_interfaces(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        name = {"component": {"name": "any"}, "variable": {"name": "HeartbeatInterval"}}
        nameless = {"component": {"name": ""}, "variable": {"name": "Nonsense"}}
        await bench.bus.call("main", "monitor_configuration_keys", {"keys": ["HeartbeatInterval"]})
        set_ = await bench.bus.call(
            "ocpp_generic",
            "set_variables",
            {
                "requests": [
                    {"component_variable": name, "value": "77"},
                    {"component_variable": nameless, "value": "1"},
                ],
                "source": "test",
            },
        )
        got = await bench.bus.call(
            "ocpp_generic", "get_variables", {"requests": [{"component_variable": v} for v in (nameless, name)]}
        )
        keys = await bench.bus.call("main", "get_configuration_key", {"keys": ["HeartbeatInterval", "Nonsense"]})
        changed = await bench.bus.next("main", "configuration_key")
    assert [entry["status"] for entry in set_] == ["Accepted", "UnknownVariable"]
    assert [(entry["status"], entry.get("value")) for entry in got] == [("UnknownVariable", None), ("Accepted", "77")]
    assert got[1]["component_variable"] == {"component": {"name": ""}, "variable": {"name": "HeartbeatInterval"}}
    assert keys["configuration_keys"] == [{"key": "HeartbeatInterval", "read_only": False, "value": "77"}]
    assert keys["unknown_keys"] == ["Nonsense"]
    assert changed == {"key": "HeartbeatInterval", "read_only": False, "value": "77"}


async def test_a_monitored_connection_timeout_still_reaches_auth(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        variable = {"component": {"name": ""}, "variable": {"name": "ConnectionTimeOut"}}
        await bench.bus.call("ocpp_generic", "monitor_variables", {"component_variables": [variable]})
        answer = await csms.call(call.ChangeConfiguration(key="ConnectionTimeOut", value="45"))
        data = await bench.bus.next("ocpp_generic", "event_data")
        await bench.bus.until(lambda: len(bench.commands("set_connection_timeout")) == 2)
    assert answer.status == "Accepted"
    assert (data["actual_value"], data["trigger"], data["component_variable"]) == ("45", "Alerting", variable)
    assert bench.commands("set_connection_timeout")[-1][2] == {"connection_timeout": 45}


async def test_stop_and_restart_by_command(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        assert await bench.bus.call("ocpp_generic", "restart") is False
        assert await bench.bus.call("ocpp_generic", "stop") is True
        await csms.wait_for(lambda: not csms.sessions, what="disconnected")
        bench.start_transaction(session="lost")
        assert await bench.bus.call("main", "restart") is True
        await csms.wait_for(lambda: len(csms.calls("BootNotification")) == 2)
        await csms.wait_for(lambda: bench.statuses(2) == ["Available"] * 2)
        bench.start_transaction(session="kept")
        await csms.wait_for_call("StartTransaction")
    assert len(csms.calls("StartTransaction")) == 1
    assert [s["connected"] for s in bench.bus.published("ocpp_generic", "connection_status")][:3] == [True, False, True]


async def test_the_connection_is_told_with_all_its_members_also_when_there_is_none(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        status = await bench.bus.next("ocpp_generic", "connection_status")
        connected = await bench.bus.next("main", "is_connected")
        assert await bench.bus.call("ocpp_generic", "stop") is True
        ended = await bench.bus.next("ocpp_generic", "connection_status")
    assert connected is True
    assert status == {
        "connected": True,
        "csms_url": csms.url,
        "identity": "cp001",
        "security_profile": 0,
        "configuration_slot": 1,
        "ocpp_interface": "Any",
        "ocpp_transport": "JSON",
        "ocpp_version": "1.6",
    }
    assert ended == {**status, "connected": False}


async def test_the_websocket_is_switched_off_and_on_by_topic(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms, EnableExternalWebsocketControl=True) as bench:
        bench.bus.external("everest_api/ocpp/cmd/disconnect", "off")
        await csms.wait_for(lambda: not csms.sessions, what="disconnected")
        bench.bus.external("everest_api/ocpp/cmd/connect", "on")
        await csms.wait_for(lambda: csms.sessions, what="connected again")
    assert len(csms.calls("BootNotification")) == 1


async def test_a_security_event_of_another_module_is_sent(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        event = {"type": "TamperDetectionActivated", "info": "lid", "critical": True}
        await bench.bus.call("ocpp_generic", "security_event", {"event": event})
        sent = await csms.wait_for_call("SecurityEventNotification", lambda p: p["type"] == event["type"])
    assert sent["techInfo"] == "lid"


async def test_a_data_transfer_goes_to_the_central_system_and_back(tmp_path: Path, csms: CentralSystem) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        answer = await bench.bus.call("data_transfer", "data_transfer", {"request": {"vendor_id": "v", "data": "d"}})
        assert csms.calls("DataTransfer") == [{"vendorId": "v", "data": "d"}]
    assert answer == {"status": "UnknownVendorId"}


async def test_an_open_transaction_of_a_killed_module_is_closed_by_the_evses_resumption(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=10)
        await csms.wait_for(lambda: csms.transactions)
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        bench.event("SessionResumed", session="session-1")
        finished = {"meter_value": meter(42.0), "reason": "PowerLoss"}
        bench.event("TransactionFinished", session="session-1", transaction_finished=finished)
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        stop = await csms.wait_for_call("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1, 42, "PowerLoss")
    assert len(csms.calls("StopTransaction")) == 1


async def test_a_session_that_is_closed_already_is_not_resumed_and_ends_once(
    tmp_path: Path, csms: CentralSystem
) -> None:
    """A real EvseManager may tell of a session again that the CSMS has acknowledged before the restart."""
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=10)
        await csms.wait_for(lambda: csms.transactions)
        bench.stop_transaction(energy=20)
        await csms.wait_for_call("StopTransaction")
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Finishing")
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        bench.event("SessionResumed", session="session-1")
        finished = {"meter_value": meter(42.0), "reason": "PowerLoss"}
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        bench.event("TransactionFinished", session="session-1", transaction_finished=finished)
        bench.start_transaction(session="session-2", energy=50)
        await csms.wait_for(lambda: len(csms.transactions) == 2)
    assert [stop["meterStop"] for stop in csms.calls("StopTransaction")] == [20]
    assert len(csms.calls("StartTransaction")) == 2


async def test_a_session_that_went_on_beside_a_restarted_module_ends_with_all_its_energy(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=10)
        await csms.wait_for(lambda: csms.transactions)
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
    async with OcppBench(tmp_path, csms, announce=False, LateStartTimeout=0) as bench:
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(500, power=11000))
        bench.give_signs_of_life()
        await csms.wait_for(lambda: bench.statuses(1)[-1] == "Charging", what="Charging again")
        assert csms.calls("StopTransaction") == []
        bench.stop_transaction(energy=900)
        stop = await csms.wait_for_call("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1, 900, "Local")


async def test_a_session_that_ended_unseen_is_closed_with_the_last_reading_before_the_next_one(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=10)
        await csms.wait_for(lambda: csms.transactions)
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
    async with OcppBench(tmp_path, csms, announce=False, LateStartTimeout=0) as bench:
        bench.give_signs_of_life()
        await csms.wait_for(lambda: len(bench.statuses(1)) >= 2)
        bench.start_transaction(session="session-2", energy=0)
        await csms.wait_for(lambda: len(csms.transactions) == 2)
    (stop,) = csms.calls("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1, 10, "PowerLoss")
    order = [f.action for f in csms.frames if f.action in ("StartTransaction", "StopTransaction")]
    assert order == ["StartTransaction", "StopTransaction", "StartTransaction"]


async def test_a_session_whose_register_was_set_back_meanwhile_is_closed_at_once_with_its_last_reading(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        bench.start_transaction(energy=10_000)
        await csms.wait_for(lambda: csms.transactions)
        await bench.bus.until(lambda: len(bench.bus.published("ocpp_generic", "ocpp_transaction_event")) == 2)
    async with OcppBench(tmp_path, csms, announce=False, LateStartTimeout=0) as bench:
        bench.bus.publish("evse_manager_1/evse", "powermeter", meter(500, power=11000))
        bench.give_signs_of_life()
        stop = await csms.wait_for_call("StopTransaction")
        assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1, 10_000, "PowerLoss")
        assert stop["timestamp"] == "2026-03-01T12:00:00.000Z", "when it was last known to run"
        await csms.wait_for(lambda: len(csms.calls("BootNotification")) == 2)
        bench.stop_transaction(session="never-told", energy=900)
        bench.event("SessionFinished", session="never-told", session_finished={"meter_value": meter(900)})
        bench.start_transaction(session="session-3")
        await csms.wait_for(lambda: len(csms.calls("StartTransaction")) == 2)
    assert len(csms.calls("StopTransaction")) == 1


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"ConfigBackend": "device_model"}, "ConfigBackend 'device_model' is not offered; set it to 'legacy'"),
        ({"ChargePointConfigPath": "nowhere.json"}, "'nowhere.json' names no file; looked for"),
    ],
)
async def test_a_wrong_configuration_ends_the_start_with_the_fix(
    tmp_path: Path, csms: CentralSystem, config: dict[str, Any], text: str
) -> None:
    with pytest.raises(StartupError, match=text):
        async with OcppBench(tmp_path, csms, **config):
            pass


async def test_a_broken_ocpp_configuration_names_file_and_key(tmp_path: Path, csms: CentralSystem) -> None:
    with pytest.raises(StartupError, match=r"ocpp\.json.*HeartbeatInterval"):
        async with OcppBench(tmp_path, csms, keys={"HeartbeatInterval": "often"}):
            pass


async def test_a_broken_copy_of_a_configuration_names_the_original_too(tmp_path: Path, csms: CentralSystem) -> None:
    (tmp_path / "ocpp.json.copy-of").write_text("/etc/mine.json\n")
    with pytest.raises(StartupError, match=r"HeartbeatInterval.*made anew at each start from /etc/mine\.json"):
        async with OcppBench(tmp_path, csms, keys={"HeartbeatInterval": "often"}):
            pass


@pytest.mark.parametrize("fault", ["damaged", "foreign", "file instead of folder"])
async def test_a_database_that_cannot_be_used_ends_the_start_with_its_one_line(
    tmp_path: Path, csms: CentralSystem, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    folder = tmp_path / "database"
    file = folder / "cp001.db"
    if fault == "file instead of folder":
        folder.write_text("in the way")
        file = folder
    else:
        folder.mkdir()
        file.write_bytes(b"no database, not in the least" * 100)
    if fault == "foreign":
        file.unlink()
        with contextlib.closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE TRANSACTIONS (ID TEXT)")
    before = file.read_bytes()
    async with OcppBench(tmp_path, csms, announce=False) as bench:
        for evse in (1, 2):
            bench.bus.publish(f"evse_manager_{evse}/evse", "waiting_for_external_ready", True)
        assert await bench.bus.ended() == 1
    (said,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert str(folder / "cp001.db") in said.getMessage()
    assert "unhandled" not in said.getMessage() and said.exc_info is None
    assert file.read_bytes() == before


async def test_an_energy_sink_without_a_mapping_ends_the_start(tmp_path: Path, csms: CentralSystem) -> None:
    connections = {"evse_energy_sink": ["sink/external_limits"]}
    with pytest.raises(StartupError, match="evse_energy_sink sink needs a mapping"):
        async with OcppBench(tmp_path, csms, connections=connections):
            pass


async def test_a_remote_stop_right_behind_the_start_confirmation_finds_its_transaction(
    tmp_path: Path, csms: CentralSystem
) -> None:
    async with OcppBench(tmp_path, csms) as bench:
        for number in range(1, 6):
            bench.start_transaction(session=f"s{number}", energy=number)
            await csms.wait_for(lambda n=number: len(csms.transactions) == n)
            answer = await csms.call(call.RemoteStopTransaction(transaction_id=number))
            assert answer.status == "Accepted"
            bench.stop_transaction(session=f"s{number}", energy=number + 1)
            await csms.wait_for(lambda n=number: len(csms.calls("StopTransaction")) == n)
