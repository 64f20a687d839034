"""SIGKILL in mid-session: the transaction is neither lost nor doubled, and its energy is the meter's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_no_call_error, energies, starts, stops
from tests.support.mosquitto import Mosquitto
from tests.support.stack import Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

MODULES = [
    "auth",
    "evse_manager_1",
    "evse_security",
    "ocpp",
    "persistent_store",
    "system",
    "token_provider_manual",
]


async def charge(csms: CentralSystem, bus: Bus) -> None:
    """Plug in, swipe, and wait until energy has been measured and told."""
    await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
    await bus.do("plug 1")
    await bus.wait_for_event("AuthRequired")
    await bus.do("swipe DEADBEEF 1")
    await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 2, what="two rising meter values")


def assert_power_loss(csms: CentralSystem, bus: Bus) -> None:
    """One start, one stop by power loss, meterStop from the register that the meter shows after the restart."""
    assert len(starts(csms)) == 1
    assert len(stops(csms)) == 1
    (transaction,) = csms.transactions.values()
    assert transaction.stop is not None
    assert transaction.stop["transaction_id"] == transaction.transaction_id
    assert transaction.stop["reason"] == "PowerLoss"
    finished = bus.events("TransactionFinished")[-1]
    assert finished["uuid"] == bus.events("TransactionStarted")[0]["uuid"]
    register = finished["transaction_finished"]["meter_value"]["energy_Wh_import"]["total"]
    assert transaction.stop["meter_stop"] == round(register)
    assert register >= max(energies(csms, transaction.transaction_id))
    assert_no_call_error(csms)


@pytest.mark.parametrize("victim", MODULES)
async def test_any_module_killed_ends_the_station_and_the_next_start_closes_the_transaction(
    victim: str, tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = station_config(tmp_path, csms.url)
    async with Station(config, mosquitto.port) as station:
        await charge(csms, bus)
        pids = station.module_pids()
        station.kill_module(victim)
        assert await station.wait_for_exit() == 1
        assert [pid for pid in pids.values() if os.path.exists(f"/proc/{pid}")] == []
        assert "Traceback" not in station.log_text()
    async with Station(config, mosquitto.port):
        await csms.wait_for_call("StopTransaction")
    assert_power_loss(csms, bus)


@pytest.mark.parametrize("victim", ["ocpp", "evse_manager_1"])
async def test_with_crash_recovery_the_manager_restarts_the_modules_itself(
    victim: str, tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = station_config(tmp_path, csms.url)
    async with Station(config, mosquitto.port, "--recover-module-crashes") as station:
        await charge(csms, bus)
        station.kill_module(victim)
        await station.wait_for_status("CRASH_RECOVERY_ATTEMPT:1/3")
        await station.wait_for_status("ALL_MODULES_STARTED", count=2)
        await csms.wait_for_call("StopTransaction")
    assert_power_loss(csms, bus)
