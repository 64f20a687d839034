"""The OCPP module alone is killed and started again while the car charges on: the transaction goes on."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_one_clean_session, energies
from tests.support.mosquitto import Mosquitto
from tests.support.stack import ROOT, Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


@contextlib.asynccontextmanager
async def standalone_ocpp(station: Station, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`modules/OCPP/module.py` started by hand beside a running manager; killed at the end of the block."""
    environment = {
        **station.environment,
        "EV_MODULE": "ocpp",
        "EV_PREFIX": str(ROOT),
        "EV_LOG_CONF_FILE": str(ROOT / "src/everest/manager/default_logging.cfg"),
        "EV_MQTT_BROKER_HOST": "127.0.0.1",
        "EV_MQTT_BROKER_PORT": str(port),
    }
    with station.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "modules/OCPP/module.py"),
            cwd=station.folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_the_transaction_goes_on_and_all_its_energy_is_billed(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = station_config(tmp_path, csms.url)
    station = Station(config, mosquitto.port, "--standalone", "ocpp", "--retain-topics", wait=False)
    async with station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        async with standalone_ocpp(station, mosquitto.port):
            await station.wait_for_status("ALL_MODULES_STARTED")
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
            await bus.do("plug 1")
            await bus.wait_for_event("AuthRequired")
            await bus.do("swipe DEADBEEF 1")
            await csms.wait_for(lambda: len(set(energies(csms, 1))) >= 2, what="two rising meter values")
        before = energies(csms, 1)[-1]
        async with standalone_ocpp(station, mosquitto.port):
            await csms.wait_for(lambda: len(csms.calls("BootNotification")) == 2, seconds=40, what="second boot")
            await csms.wait_for(lambda: energies(csms, 1)[-1] > before, what="meter values of the same transaction")
            await csms.wait_for(
                lambda: (
                    [p["status"] for p in csms.calls("StatusNotification") if p["connectorId"] == 1][-1] == "Charging"
                ),
                what="Charging",
            )
            await bus.do("swipe DEADBEEF 1")
            await csms.wait_for_call("StopTransaction")
            await bus.do("unplug 1")
            await bus.wait_for_event("SessionFinished")
    assert_one_clean_session(csms, bus, reason="Local")
