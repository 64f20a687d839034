"""EVerest's test tooling on our stack: stacks side by side, starts without a CSMS, the CSMS switched off by topic.

The stacks come from a laid-out prefix, with SIL configurations (tests/support/everest_testing.py). A restart with the
same files is in test_harness_restart.py, a CSMS that stands still in test_harness_blocked.py.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_one_clean_session, starts
from tests.support.everest_testing import (
    Rig,
    RigBus,
    ThreadedCentralSystem,
    begin,
    end,
    misplaced_nulls,
    null_frames,
    prefix,
)
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


async def test_two_stacks_on_one_broker_do_not_hear_each_other(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    async with CentralSystem() as other_csms:
        rig = Rig(tmp_path / "1", prefix, mosquitto.port, f"127.0.0.1:{csms.port}", name="1")
        other = Rig(tmp_path / "10", prefix, mosquitto.port, f"127.0.0.1:{other_csms.port}", name="10")
        before = files_in(prefix)
        async with rig.bus() as bus, other.bus() as other_bus:
            async with rig.station(), other.station():
                await asyncio.gather(begin(csms, bus, "CARD1"), begin(other_csms, other_bus, "CARD2"))
                await end(csms, bus, "CARD1")
                assert other_csms.calls("StopTransaction") == []
                await end(other_csms, other_bus, "CARD2")
            for system, heard, card in ((csms, bus, "CARD1"), (other_csms, other_bus, "CARD2")):
                assert_one_clean_session(system, heard, reason="Local")
                assert {frame.station for frame in system.frames} == {"cp001"}
                assert [transaction.start["id_tag"] for transaction in system.transactions.values()] == [card]
                assert misplaced_nulls(heard) == null_frames(system) == []
            assert files_in(prefix) == before, "nothing is written into the installation"
            assert_everything_is_on_its_own_side(bus, {"1": ("CARD1", bus), "10": ("CARD2", other_bus)})


def files_in(prefix: Path) -> set[Path]:
    """Everything installed; but for what the interpreter keeps beside it."""
    return {path for path in prefix.rglob("*") if "__pycache__" not in path.parts}


def assert_everything_is_on_its_own_side(heard: RigBus, sides: dict[str, tuple[str, RigBus]]) -> None:
    """Each topic is below the prefixes of one stack; no card and no session of the other one is in its payload."""
    marks = {name: {card, bus.events("SessionStarted")[0]["uuid"]} for name, (card, bus) in sides.items()}
    for topic, payload in heard.messages:
        (side,) = [name for name in sides if topic.startswith((f"everest_{name}/", f"external_{name}everest_"))]
        for name, foreign in marks.items():
            assert name == side or not any(mark in payload for mark in foreign), topic


async def test_all_modules_start_while_the_csms_stands_still_and_it_is_met_once_it_moves(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto
) -> None:
    async with ThreadedCentralSystem() as csms:
        blocked = await csms.block(60)
        rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.system.port}", RetryBackoffWaitMinimum=60)
        async with rig.bus() as bus, rig.station():
            for number in (1, 2):
                await bus.wait_for_event("Enabled", module=f"evse_manager_{number}")
            assert bus.values("connection_status") == [] and not blocked.done()
            csms.release()
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
            assert len(csms.system.calls("BootNotification")) == 1


@pytest.mark.parametrize("address", ["127.0.0.1:9/steve/websocket/", "no-such-host.invalid/cp001"])
async def test_all_modules_start_while_no_csms_can_be_reached(
    address: str, tmp_path: Path, prefix: Path, mosquitto: Mosquitto
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, address, AllowOfflineTxForUnknownId=True)
    async with rig.bus() as bus, rig.station() as station:
        assert station.status_lines[-1] == "ALL_MODULES_STARTED"
        await bus.wait_for_event("Enabled", module="evse_manager_1")
        await bus.do("plug 1")
        await bus.do("swipe CARD1 1")
        await bus.wait_for_event("TransactionStarted")
        assert await station.stop() == 0
    assert misplaced_nulls(bus) == []


async def test_the_csms_is_switched_off_and_on_by_topic(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    async with rig.bus() as bus, rig.station():
        await begin(csms, bus, "CARD1")
        await bus.publish("everest_api/ocpp/cmd/disconnect", "")
        await csms.wait_for(lambda: not csms.sessions, what="disconnected")
        told = len(csms.frames)
        await end(csms, bus, "CARD1", told=False)
        assert [status["connected"] for status in bus.values("connection_status")] == [True, False]
        assert len(csms.frames) == told, "nothing reconnects before it is told to"
        await bus.publish("everest_api/ocpp/cmd/connect", "{}")
        await csms.wait_for_call("StopTransaction")
        await bus.wait_for(lambda: bus.values("is_connected") == [True, False, True], what="connected again")
    assert len(csms.calls("BootNotification")) == 1
    assert_one_clean_session(csms, bus, reason="Local")
    assert misplaced_nulls(bus) == null_frames(csms) == []


STOPS = {
    (): ["MANAGER_FORCE_TERMINATING", "MANAGER_SHUTDOWN_FINALIZING"],
    ("--graceful-shutdown",): ["MANAGER_SHUTDOWN_FINALIZING", "ALL_MODULES_STOPPED_CLEAN"],
}
"""Arguments of the manager -> what the fifo says between the request and the exit (bus 2.7)."""


@pytest.mark.parametrize("arguments", STOPS, ids=["default", "graceful"])
async def test_sigint_ends_everything_while_the_csms_does_not_answer(
    arguments: tuple[str, ...], tmp_path: Path, prefix: Path, mosquitto: Mosquitto
) -> None:
    async with ThreadedCentralSystem() as csms:
        rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.system.port}")
        async with rig.bus() as bus, rig.station(*arguments) as station:
            await begin(csms, bus, "CARD1", samples=1)
            pids = station.module_pids()
            assert set(pids) == set(rig.modules)
            blocked = await csms.block(60)
            station.status_lines.clear()
            assert await station.stop() == 0
            assert not blocked.done(), "the CSMS never saw the end of the connection"
            assert station.status_lines == [
                "SIGINT_RECEIVED",
                "MANAGER_SHUTDOWN_REQUESTED",
                *STOPS[arguments],
                "MANAGER_EXITING",
            ]
            assert [name for name, pid in pids.items() if os.path.exists(f"/proc/{pid}")] == []
            assert "did not end in" not in station.log_text(), "no module had to be killed"
            csms.release()
            await blocked
        assert len(starts(csms.system)) == 1
        assert csms.system.calls("StopTransaction") == [], "the end of the process is a power loss (libocpp 12.1)"


DEAF_RESOLVER = """
import socket, threading

resolve = socket.getaddrinfo

def getaddrinfo(host, *arguments, **more):
    if host == "slow.invalid":
        print("looking up slow.invalid", file=__import__("sys").stderr, flush=True)
        threading.Event().wait(60)
    return resolve(host, *arguments, **more)

socket.getaddrinfo = getaddrinfo
"""
"""A `sitecustomize` with which looking up one name takes a minute, as it does where the name server is not reached."""


async def test_all_modules_start_and_end_while_the_name_of_the_csms_is_looked_up(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(DEAF_RESOLVER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    rig = Rig(tmp_path, prefix, mosquitto.port, "slow.invalid:80/cp001")
    async with rig.bus() as bus, rig.station("--graceful-shutdown") as station:
        await bus.wait_for_event("Enabled", module="evse_manager_2")
        await bus.wait_for(lambda: "looking up slow.invalid" in station.log_text(), what="the look-up")
        assert await station.stop() == 0
        assert "ALL_MODULES_STOPPED_CLEAN" in station.status_lines, station.log_text()


async def test_nothing_absent_is_written_as_null_in_a_busy_run(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}", ClockAlignedDataInterval=2)
    async with rig.bus() as bus, rig.station():
        await begin(csms, bus, "CARD1")
        for request in orders(f"http://127.0.0.1:{mosquitto.port}/x"):
            await csms.call(request)
        await bus.do("fault 2 MREC6UnderVoltage")
        await csms.wait_for_call("StatusNotification", lambda p: p["status"] == "Faulted")
        await bus.do("clear 2 MREC6UnderVoltage")
        await bus.do("pause 1")
        await bus.wait_for_event("ChargingPausedEV")
        await bus.do("resume 1")
        await end(csms, bus, "CARD1")
        await csms.wait_for_call("DiagnosticsStatusNotification", lambda p: p["status"] == "UploadFailed")
        await csms.wait_for_call("FirmwareStatusNotification", lambda p: p["status"] == "DownloadFailed")
    assert misplaced_nulls(bus) == null_frames(csms) == []
    assert {frame.action for frame in csms.frames if frame.direction == "cp->csms"} >= BUSY_ACTIONS
    heard = {topic.partition("/impl/")[2] for topic, _ in bus.own()}
    assert heard >= BUSY_TOPICS, BUSY_TOPICS - heard


def orders(nowhere: str) -> list[Any]:
    """Requests of every kind, with as little in them as allowed."""
    now, later = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
    triggers = ("BootNotification", "Heartbeat", "MeterValues", "StatusNotification")
    return [
        call.GetConfiguration(),
        call.ClearCache(),
        call.DataTransfer(vendor_id="somebody"),
        call.ReserveNow(connector_id=2, expiry_date=later, id_tag="GUEST", reservation_id=1),
        call.CancelReservation(reservation_id=1),
        call.UnlockConnector(connector_id=2),
        call.ChangeAvailability(connector_id=2, type="Inoperative"),
        call.ChangeAvailability(connector_id=2, type="Operative"),
        call.SendLocalList(list_version=1, update_type="Full"),
        call.GetDiagnostics(location=nowhere),
        call.UpdateFirmware(location=nowhere, retrieve_date=now),
        *(call.TriggerMessage(requested_message=name) for name in triggers),
    ]


BUSY_ACTIONS = {
    "Authorize",
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SecurityEventNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
}
BUSY_TOPICS = {
    "evse/var/session_event",
    "evse/var/powermeter",
    "evse/var/limits",
    "evse/var/enforced_limits",
    "evse/var/hw_capabilities",
    "evse/cmd/enable_disable",
    "evse/cmd/authorize_response",
    "main/var/token_validation_status",
    "main/var/firmware_update_status",
    "main/var/log_status",
    "main/cmd/store",
    "main/cmd/load",
    "main/cmd/upload_logs",
    "ocpp_generic/var/ocpp_transaction_event",
    "ocpp_generic/var/boot_notification_response",
    "ocpp_generic/var/security_event",
    "reservation/cmd/reserve_now",
    "reservation/var/reservation_update",
    "auth_validator/cmd/validate_token",
}
"""Messages that the busy run must have had, so that it says something."""
