"""The charge point as a whole, in virtual time: a session from boot to StopTransaction, life cycle, public face."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import ocpp16
from ocpp16 import ChargePoint, ErrorInfo, NotSupportedError, UsageError
from ocpp16.messages import (
    AvailabilityType,
    ChangeAvailabilityRequest,
    ChargePointErrorCode,
    ChargePointStatus,
    Reason,
)
from tests.support.ocpp16_station import START_OF_TIME, Station, configuration, measurement, settled

pytestmark = pytest.mark.looptime


async def test_a_session_is_told_from_boot_to_stop() -> None:
    async with Station() as station:
        await station.boot()
        result = await station.charge_point.authorize_id_token("TAG1")
        assert result.id_tag_info.status == "Accepted"
        await station.begin(meter=100.4)
        await station.charge_point.on_resume_charging(1)
        await settled()
        await station.end(meter=1100.6, id_tag_end="TAG1")
        await station.charge_point.on_session_stopped(1, "session-1")
        await settled()
        csms = station.csms
    assert csms.actions() == [
        "BootNotification",
        "SecurityEventNotification",
        *["StatusNotification"] * 3,
        "Authorize",
        *["StartTransaction", "StatusNotification", "StatusNotification"],
        "StopTransaction",
        *["StatusNotification"] * 2,
    ]
    start, stop = csms.requests("StartTransaction")[0], csms.requests("StopTransaction")[0]
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG1", 100)
    assert (stop["transactionId"], stop["meterStop"], stop["reason"], stop["idTag"]) == (1, 1101, "Local", "TAG1")
    assert csms.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]


# --- life cycle ------------------------------------------------------------------------------------------------------


async def test_stop_asks_for_the_end_of_transactions_and_goes_offline() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()

        async def stop_transaction(connector: int, reason: Reason) -> bool:
            station.asked.append(("stop_transaction", connector, reason))
            await station.end(connector, reason=reason)
            return True

        station.charge_point.register_stop_transaction_callback(stop_transaction)
        assert await station.charge_point.stop()
        assert not await station.charge_point.stop()
        await station.store.open()
        queued = [message.action for message in await station.store.messages()]
    assert "StopTransaction" in [*queued, *station.csms.actions()]
    assert station.asked_for("stop_transaction") == [[1, Reason.Other]]
    assert [args[0] for args in station.asked_for("connection_state_changed")] == [True, False]


async def test_restart_runs_the_boot_procedure_again_and_sends_what_waited() -> None:
    async with Station() as station:
        await station.boot()
        assert not await station.charge_point.restart()
        assert len(station.csms.requests("BootNotification")) == 1
        await station.charge_point.disconnect_websocket()
        await station.begin()
        await station.end()
        await station.charge_point.stop()
        await station.charge_point.on_session_stopped(1, "dropped, and no error")
        station.csms.answers["BootNotification"] = {
            "status": "Pending",
            "currentTime": "2026-01-01T00:00:00Z",
            "interval": 5,
        }
        assert await station.charge_point.restart()
        await settled(3)
        assert station.csms.requests("StartTransaction") == []
        station.csms.answers.clear()
        await settled(10)
    assert len(station.csms.requests("BootNotification")) == 3
    assert len(station.csms.requests("StartTransaction")) == len(station.csms.requests("StopTransaction")) == 1
    assert [p["type"] for p in station.csms.requests("SecurityEventNotification")] == ["StartupOfTheDevice"] * 2


async def test_stop_before_a_reset_keeps_a_transaction_that_begins_in_the_last_moment() -> None:
    async with Station() as station:
        await station.boot()
        assert await station.charge_point.stop(taking_events=True)
        assert station.asked_for("connection_state_changed")[-1][0] is False
        await station.begin()
        await settled(100)
        assert station.csms.requests("StartTransaction") == []
        await station.charge_point.close()
        assert await station.charge_point.start()
        await settled(10)
        assert len(station.csms.requests("StartTransaction")) == 1
        assert [told["reason"] for told in station.csms.requests("StopTransaction")] == ["PowerLoss"]


async def test_who_was_stopped_before_a_reset_that_never_came_can_be_started_or_stopped_for_good() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.stop(taking_events=True)
        assert await station.charge_point.restart()
        await settled(10)
        assert len(station.csms.requests("BootNotification")) == 2
        await station.charge_point.stop(taking_events=True)
        assert await station.charge_point.stop()
        assert not await station.charge_point.stop()


async def test_close_is_a_power_loss_that_asks_nobody() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()
        station.asked.clear()
        await station.charge_point.close()
        assert station.asked == []
        assert station.csms.requests("StopTransaction") == []


async def test_nothing_of_a_charge_point_runs_on_after_close() -> None:
    before = asyncio.all_tasks()
    for _ in range(3):
        async with Station(MeterValueSampleInterval=10, ClockAlignedDataInterval=900, HeartbeatInterval=5) as station:
            await station.boot()
            await station.begin()
            await station.read_meter(500)
            await settled(20)
            await station.charge_point.stop()
            await station.charge_point.restart()
            await settled()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_many_restarts_leave_as_many_tasks_as_one() -> None:
    async with Station() as station:
        await station.boot()
        counts = set()
        for _ in range(50):
            await station.charge_point.stop()
            await station.charge_point.restart()
            await settled()
            counts.add(len(asyncio.all_tasks()))
    assert len(counts) == 1
    assert len(station.csms.requests("BootNotification")) == 51


async def test_init_may_come_before_start_and_only_counts_once() -> None:
    async with Station() as station:
        assert await station.charge_point.init()
        assert not await station.charge_point.init()
        assert station.asked_for("enable_evse") == [[0], [1], [2]]
        assert await station.charge_point.start()
        assert not await station.charge_point.start()
        await settled()
    assert station.asked_for("enable_evse") == [[0], [1], [2]]


async def test_without_connecting_the_station_waits_for_the_order() -> None:
    async with Station() as station:
        await station.boot(start_connecting=False)
        await settled(100)
        assert station.csms.connections == 0
        await station.charge_point.connect_websocket()
        await settled()
        assert station.csms.statuses(0) == ["Available"]
        await station.charge_point.disconnect_websocket()
        await settled(500)
        assert station.csms.connections == 1


async def test_readings_and_errors_from_before_init_are_kept_and_other_events_are_refused() -> None:
    async with Station() as station:
        await station.read_meter(500)
        await station.charge_point.on_error(
            1, ErrorInfo(uuid="e", error_code=ChargePointErrorCode.OtherError, is_fault=True, timestamp=START_OF_TIME)
        )
        with pytest.raises(UsageError):
            await station.charge_point.on_session_started(1, "s", "EVConnected")
        await station.boot()
        answer = await station.csms.call("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        assert answer == {"status": "Accepted"}
        assert station.csms.statuses(1) == ["Faulted"]


async def test_an_unknown_connector_is_an_error_of_the_caller() -> None:
    async with Station() as station:
        await station.boot()
        with pytest.raises(UsageError, match="NumberOfConnectors is 2"):
            await station.begin(3)


async def test_handlers_of_one_connector_are_served_in_the_order_of_their_calls() -> None:
    async with Station() as station:
        await station.boot()
        apply, waits = station.store.apply, [2.0, 1.0]

        async def slow(*args: Any, **options: Any) -> None:
            await asyncio.sleep(waits.pop(0) if waits else 0)
            await apply(*args, **options)

        station.store.apply = slow  # type: ignore[method-assign]
        started = station.charge_point.on_transaction_started(1, "session-1", "TAG1", 100)
        await asyncio.gather(started, station.charge_point.on_resume_charging(1), station.end())
        await settled(5)
    actions = [action for action in station.csms.actions() if action.endswith("Transaction")]
    assert actions == ["StartTransaction", "StopTransaction"]


async def test_queued_messages_wait_for_the_resume_delay_after_a_reconnect_only() -> None:
    async with Station() as station:
        station.charge_point.set_message_queue_resume_delay(20)
        await station.boot()
        assert station.csms.statuses(0) == ["Available"]
        station.csms.drop()
        await station.begin()
        await settled(15)
        assert station.csms.requests("StartTransaction") == []
        await settled(15)
        assert len(station.csms.requests("StartTransaction")) == 1


async def test_information_of_the_station_goes_into_boot_notification() -> None:
    async with Station() as station:
        await station.charge_point.update_chargepoint_information("Vendor", "Model", "SN", None, "9.9")
        await station.charge_point.update_modem_information(iccid="1")
        await station.charge_point.update_meter_information(meter_type="M")
        assert await station.charge_point.set_powermeter_public_key(2, "KEY")
        assert not await station.charge_point.set_powermeter_public_key(3, "KEY")
        await station.boot()
        answer = station.charge_point.get_configuration_key(["MeterPublicKey1", "MeterPublicKey2"])
    assert station.csms.requests("BootNotification") == [
        {
            "chargePointVendor": "Vendor",
            "chargePointModel": "Model",
            "chargePointSerialNumber": "SN",
            "chargeBoxSerialNumber": "cp001",
            "firmwareVersion": "9.9",
            "iccid": "1",
            "meterType": "M",
        }
    ]
    assert [entry.value for entry in answer.configuration_key or ()] == ["", "KEY"]


async def test_capabilities_that_come_later_say_so() -> None:
    async with Station() as station:
        await station.boot()
        charge_point = station.charge_point
        assert (await charge_point.data_transfer_pnc_authorize("DE-ABC")).status == "Invalid"
        with pytest.raises(NotSupportedError):
            await charge_point.get_all_composite_charging_schedules(60)
        with pytest.raises(NotSupportedError):
            await charge_point.get_all_enhanced_composite_charging_schedules(60)
        with pytest.raises(NotSupportedError):
            await charge_point.data_transfer_pnc_get_15118_ev_certificate(1, "", "", "Install")


async def test_an_open_transaction_can_be_looked_at_before_init_and_ended_unseen() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await station.read_meter(900)
        await settled(2)
        await station.charge_point.close()
        station.charge_point = station.make()
        rows = await station.charge_point.open_transactions()
        assert [(row.connector, row.session_id) for row in rows] == [(1, "session-1")]
        await station.charge_point.start(resuming_session_ids=["session-1"])
        await settled()
        assert station.csms.statuses(1)[-1] == "Charging"
        await station.charge_point.end_unfinished_transaction(1, "session-1")
        await station.charge_point.end_unfinished_transaction(1, "session-1")
        await settled()
    assert [(p["reason"], p["meterStop"]) for p in station.csms.requests("StopTransaction")] == [("PowerLoss", 900)]


# --- public face -----------------------------------------------------------------------------------------------------

ON = """on_all_errors_cleared on_change_availability on_disabled on_enabled on_error on_error_cleared
on_firmware_update_status_notification on_log_status_notification on_max_current_offered on_max_power_offered
on_meter_values on_plugin_timeout on_reservation_end on_reservation_start on_resume_charging on_security_event
on_session_started on_session_stopped on_suspend_charging_ev on_suspend_charging_evse on_transaction_started
on_transaction_stopped on_websocket_connected on_websocket_connection_failed on_websocket_disconnected"""

REGISTER = """all_connectors_unavailable boot_notification_response cancel_reservation configuration_key_changed
configure_network_connection_profile connection_state_changed data_transfer default_price disable_evse enable_evse
generic_configuration_key_changed get_15118_ev_certificate_response is_reset_allowed is_token_reserved_for_connector
pause_charging provide_token reserve_now reset resume_charging security_event session_cost set_connection_timeout
set_display_message set_system_time signal_set_charging_profiles signed_update_firmware stop_transaction tariff_message
transaction_started transaction_stopped transaction_updated unlock_connector update_firmware upload_diagnostics
upload_logs"""

OTHER = """authorize_id_token call_set_connection_timeout close connect_websocket data_transfer
data_transfer_pnc_authorize data_transfer_pnc_get_15118_ev_certificate disconnect_websocket
end_unfinished_transaction get_all_composite_charging_schedules get_all_enhanced_composite_charging_schedules
get_configuration_key init open_transactions reload_network_profiles reset_state_machine restart set_configuration_key
set_message_queue_resume_delay set_powermeter_public_key start stop update_chargepoint_information
update_meter_information update_modem_information"""


def test_the_public_face_has_libocpps_names_and_each_says_what_it_does() -> None:
    expected = {*ON.split(), *(f"register_{name}_callback" for name in REGISTER.split()), *OTHER.split()}
    public = {name for name in dir(ocpp16.ChargePoint) if not name.startswith("_")}
    assert public == expected
    assert {name for name in public if not getattr(ocpp16.ChargePoint, name).__doc__} == set()


def test_the_exports_of_the_package_are_pinned() -> None:
    assert ocpp16.__all__ == [
        "AuthorizationResult",
        "BootReason",
        "ChargePoint",
        "Configuration",
        "ConfigurationError",
        "ConnectionFailed",
        "ConnectionLost",
        "ConnectivityManager",
        "ErrorInfo",
        "Measurement",
        "NotSupportedError",
        "Ocpp16Error",
        "PhaseValues",
        "PncAuthorizeResponse",
        "Powermeter",
        "ReservationCheckStatus",
        "Rpm",
        "SignedMeterValue",
        "SocReading",
        "StoreError",
        "Temperature",
        "UsageError",
        "messages",
    ]
    assert all(hasattr(ocpp16, name) for name in ocpp16.__all__)


async def test_an_init_that_fails_leaves_nothing_behind_and_can_be_repeated() -> None:
    async with Station() as station:
        with pytest.raises(UsageError):
            await station.charge_point.init({0: ChargePointStatus.Charging})
        await station.boot()
    assert station.csms.statuses(1) == ["Available"]


async def test_after_the_end_events_are_dropped_and_questions_answered_with_a_refusal() -> None:
    for end in ("stop", "close"):
        async with Station() as station:
            await station.boot()
            await getattr(station.charge_point, end)()
            await station.charge_point.on_resume_charging(1)
            result = await station.charge_point.authorize_id_token("TAG1")
            assert result.id_tag_info.status == "Invalid"
            assert await station.charge_point.data_transfer("vendor") is None
            request = ChangeAvailabilityRequest(connector_id=1, type=AvailabilityType.Operative)
            assert (await station.charge_point.on_change_availability(request)).status == "Rejected"


async def test_times_without_zone_count_as_utc_and_a_long_stop_tag_is_cut() -> None:
    async with Station() as station:
        await station.boot()
        naive = station.clock.now().replace(tzinfo=None)
        await station.charge_point.on_transaction_started(1, "s", "TAG1", 0, timestamp=naive)
        await station.charge_point.on_meter_values(1, measurement(5, naive))
        await station.charge_point.on_transaction_stopped(1, "s", Reason.Local, naive, 10, id_tag_end="x" * 36)
        await settled()
    assert station.csms.requests("StopTransaction")[0]["idTag"] == "x" * 20
    assert station.csms.requests("StartTransaction")[0]["timestamp"] == "2026-01-01T12:00:01.000Z"


async def test_close_after_stop_changes_nothing() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.stop()
        await station.charge_point.close()
        await station.charge_point.on_resume_charging(1)
        assert await station.charge_point.restart()
        await settled()
    assert len(station.csms.requests("BootNotification")) == 2


async def test_a_session_with_a_folder_has_its_messages_in_a_page_of_its_own(tmp_path: Path) -> None:
    async with Station(LogMessagesFormat=["session_logging"]) as station:
        station.charge_point._log_path = tmp_path
        await station.boot()
        await station.charge_point.on_session_started(1, "s", "EVConnected", str(tmp_path / "session"))
        await settled()
        await station.charge_point.on_session_stopped(1, "s")
        await settled()
    assert "StatusNotification" in (tmp_path / "session" / "ocpp.html").read_text()


async def test_the_database_has_a_file_of_its_own_whatever_the_charge_point_is_called(tmp_path: Path) -> None:
    made = ChargePoint(configuration(ChargePointId="DE/ABC 1"), database_path=tmp_path)
    await made.open_transactions()
    await made.close()
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".db"] == ["DE%2FABC 1.db"]
