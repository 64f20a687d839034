"""Renews the recordings of our own station in tests/traces/own: `python -m tests.traces.record_own [NAME...]`.

Each scenario is played to a whole station (real mosquitto, real processes, the demo CSMS) while `everest.trace.record`
listens. The files are small: fast readings are left out, as is what the manager retains.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from everest.scenario.file_server import serving
from everest.scenario.files import make
from everest.trace import records
from everest.trace.record import Broker, record
from tests.support.mosquitto import running_mosquitto
from tests.support.stack import Bus, Station, station_config
from tests.traces.compact import compact

OWN = Path(__file__).parent / "own"
CSMS_PORT = 19001
NOTHING_MORE = 0.5
"""Seconds of recording after the last step."""
BETWEEN_TRANSFERS = 3
"""In a replay a transfer takes what it took here, and the least time that System gives one on top."""


@dataclass
class Scene:
    """A station that runs, its bus and its central system."""

    csms: CentralSystem
    bus: Bus
    station: Station

    async def started(self) -> None:
        await self.csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)

    async def status(self, connector: int, status: str) -> None:
        def reached() -> bool:
            told = [p["status"] for p in self.csms.calls("StatusNotification") if p["connectorId"] == connector]
            return told[-1:] == [status]

        await self.csms.wait_for(reached, what=f"connector {connector} {status}")

    async def charge(self, card: str = "CARD1") -> None:
        await self.bus.do("plug 1")
        await self.bus.wait_for_event("AuthRequired")
        await self.bus.do(f"swipe {card} 1")
        await self.status(1, "Charging")

    async def end(self, card: str = "CARD1") -> None:
        await self.bus.do(f"swipe {card} 1")
        await self.csms.wait_for_call("StopTransaction")
        await self.bus.do("unplug 1")
        await self.bus.wait_for_event("SessionFinished")
        await self.status(1, "Available")


async def boot(scene: Scene) -> None:
    await scene.started()


async def rfid_session(scene: Scene) -> None:
    scene.csms.tags["STOLEN"] = {"status": "Blocked"}
    await scene.started()
    await scene.bus.do("swipe STOLEN 1")
    await scene.csms.wait_for_call("Authorize")
    await scene.charge()
    await scene.csms.wait_for(lambda: len(scene.csms.calls("MeterValues")) >= 3, what="three meter values")
    await scene.end()


async def remote_start_stop(scene: Scene) -> None:
    await scene.started()
    await scene.bus.do("plug 1")
    await scene.bus.wait_for_event("AuthRequired")
    await scene.csms.call(call.RemoteStartTransaction(id_tag="REMOTE1", connector_id=1))
    await scene.status(1, "Charging")
    await scene.csms.call(call.RemoteStopTransaction(transaction_id=1))
    await scene.csms.wait_for_call("StopTransaction")
    await scene.bus.do("unplug 1")
    await scene.status(1, "Available")


async def reservation(scene: Scene) -> None:
    await scene.started()
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for number, connector in ((1, 1), (2, 2)):
        await scene.csms.call(
            call.ReserveNow(connector_id=connector, expiry_date=soon, id_tag="CARD1", reservation_id=number)
        )
        await scene.status(connector, "Reserved")
    await scene.csms.call(call.CancelReservation(reservation_id=2))
    await scene.status(2, "Available")
    await scene.bus.do("swipe OTHER 1")
    await scene.charge()
    await scene.end()


async def change_availability(scene: Scene) -> None:
    await scene.started()
    await scene.csms.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))
    await scene.status(1, "Unavailable")
    await scene.csms.call(call.ChangeAvailability(connector_id=1, type="Operative"))
    await scene.status(1, "Available")
    await scene.charge()
    await scene.csms.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))
    await scene.bus.do("swipe CARD1 1")
    await scene.csms.wait_for_call("StopTransaction")
    await scene.bus.do("unplug 1")
    await scene.status(1, "Unavailable")


async def faults(scene: Scene) -> None:
    await scene.started()
    await scene.bus.do("fault 1 MREC6UnderVoltage")
    await scene.status(1, "Faulted")
    await scene.bus.do("clear 1 MREC6UnderVoltage")
    await scene.status(1, "Available")
    await scene.charge()
    await scene.bus.do("fault 1 MREC6UnderVoltage")
    await scene.status(1, "Faulted")


async def reset(scene: Scene) -> None:
    await scene.started()
    await scene.charge()
    await scene.csms.call(call.Reset(type="Soft"))
    await scene.csms.wait_for_call("StopTransaction")
    await scene.station.wait_for_exit(seconds=30)


async def offline_session(scene: Scene) -> None:
    await scene.started()
    await scene.bus.do("offline")
    await scene.bus.wait_for(lambda: scene.bus.values("is_connected")[-1:] == [False], what="offline")
    await scene.bus.do("plug 1")
    await scene.bus.wait_for_event("AuthRequired")
    await scene.bus.do("swipe CARD1 1")
    await scene.bus.wait_for_event("ChargingStarted")
    await scene.bus.do("swipe CARD1 1")
    await scene.bus.wait_for_event("TransactionFinished")
    await scene.bus.do("unplug 1")
    await scene.bus.wait_for_event("SessionFinished")
    await scene.bus.do("online")
    await scene.csms.wait_for_call("StopTransaction")
    await scene.status(1, "Available")


async def configuration(scene: Scene) -> None:
    await scene.started()
    await scene.csms.call(call.GetConfiguration(key=["HeartbeatInterval", "NumberOfConnectors", "Nonsense"]))
    for key, value in (("MeterValueSampleInterval", "5"), ("NumberOfConnectors", "9"), ("Nonsense", "1")):
        await scene.csms.call(call.ChangeConfiguration(key=key, value=value))
    await scene.csms.call(call.ChangeConfiguration(key="ConnectionTimeOut", value="90"))
    tags = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}]
    await scene.csms.call(call.SendLocalList(list_version=3, update_type="Full", local_authorization_list=tags))
    await scene.csms.call(call.GetLocalListVersion())
    await scene.csms.call(call.ClearCache())
    await scene.csms.call(call.DataTransfer(vendor_id="nobody"))
    for message, times in (("Heartbeat", 1), ("StatusNotification", 6), ("BootNotification", 2)):
        await scene.csms.call(call.TriggerMessage(requested_message=message))
        await scene.csms.wait_for(lambda m=message, n=times: len(scene.csms.calls(m)) == n, what=f"{message} {times}")
        await asyncio.sleep(NOTHING_MORE)


async def firmware_logs(scene: Scene) -> None:
    await scene.started()

    def told(action: str, status: str) -> Callable[[], bool]:
        return lambda: [payload["status"] for payload in scene.csms.calls(action)][-1:] == [status]

    async with serving(make(1, {"firmware.bin": "served"}, lambda: None)) as files:
        await scene.csms.call(call.GetDiagnostics(location=f"{files}/"))
        await scene.csms.wait_for(told("DiagnosticsStatusNotification", "Uploaded"), what="the diagnostics")
        await asyncio.sleep(BETWEEN_TRANSFERS)
        await scene.csms.call(call.GetDiagnostics(location="http://127.0.0.1:1/", retries=0))
        await scene.csms.wait_for(told("DiagnosticsStatusNotification", "UploadFailed"), what="a failed upload")
        await asyncio.sleep(BETWEEN_TRANSFERS)
        now = datetime.now(UTC).isoformat()
        await scene.csms.call(call.UpdateFirmware(location=f"{files}/firmware.bin", retrieve_date=now))
        await scene.csms.wait_for(told("FirmwareStatusNotification", "Installed"), what="the firmware")


SCENARIOS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    story.__name__: story
    for story in (
        boot,
        rfid_session,
        remote_start_stop,
        reservation,
        change_availability,
        faults,
        reset,
        offline_session,
        configuration,
        firmware_logs,
    )
}


async def play(name: str, folder: Path) -> records.Trace:
    """Play one scenario and record it."""
    found: records.Trace = []
    with running_mosquitto(folder) as mosquitto:
        ready = asyncio.Event()
        recording = asyncio.create_task(record(Broker(port=mosquitto.port), found.append, started=ready.set))
        await ready.wait()
        async with CentralSystem(port=CSMS_PORT) as csms, Bus(mosquitto.port) as bus:
            config = station_config(folder, csms.url, LocalAuthorizeOffline=True, AllowOfflineTxForUnknownId=True)
            async with Station(config, mosquitto.port) as station:
                await SCENARIOS[name](Scene(csms, bus, station))
                await asyncio.sleep(NOTHING_MORE)
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)
        (OWN / "ocpp.json").write_text((folder / "ocpp.json").read_text(encoding="utf-8"), encoding="utf-8")
    return compact(found, folder)


def main(names: list[str]) -> None:
    OWN.mkdir(exist_ok=True)
    for name in names or list(SCENARIOS):
        with tempfile.TemporaryDirectory() as folder:
            trace = asyncio.run(play(name, Path(folder)))
        records.save(OWN / f"{name}.jsonl.gz", trace)
        print(f"{name}: {len(trace)} records")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
