"""Plays a recording of a real EVerest to our OCPP module, in virtual time, and collects what it says to the CSMS.

The rest of the world is the recording: session events, meter values, errors and tokens come when they came then,
commands of the module are answered with what the peers answered then, and the CSMS says what it said then.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from everest.runtime.testing import ModuleBench
from modules.OCPP.ocpp import OCPP
from ocpp16 import ChargePoint
from ocpp16.connection.options import ConnectionOptions
from ocpp16.errors import ConnectionLost
from tests.support.ocpp16.doubles import MemoryConnection, SeededRandomness, VirtualClock
from tests.support.traces import BusMessage, OcppFrame, bus, implementations, ocpp

ROOT = Path(__file__).resolve().parents[2]
ID = "ocpp"
REPLAYED = {"evse_manager_1/evse", "evse_manager_2/evse", "system/main"}
"""Peers whose variables the module listens to."""

KEYS = {
    "ChargePointModel": "Yeti",
    "ChargePointVendor": "Pionix",
    "FirmwareVersion": "0.1",
    "AllowOfflineTxForUnknownId": True,
    "AuthorizeRemoteTxRequests": True,
    "ClockAlignedDataInterval": 900,
    "ConnectionTimeOut": 10,
    "LocalAuthorizeOffline": False,
    "MeterValueSampleInterval": 10,
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC",
    "StopTxnAlignedData": "Energy.Active.Import.Register",
    "SupportedFeatureProfiles": "Core,FirmwareManagement,RemoteTrigger,Reservation,LocalAuthListManagement",
    "TransactionMessageAttempts": 5,
    "TransactionMessageRetryInterval": 1,
    "WebSocketPingInterval": 30,
}
"""The configuration of the recorded station, as its own GetConfiguration.conf tells it."""

SECTIONS = {
    "FirmwareManagement": {"SupportedFileTransferProtocols": "FTP"},
    "LocalAuthListManagement": {
        "LocalAuthListEnabled": True,
        "LocalAuthListMaxLength": 42,
        "SendLocalListMaxLength": 42,
    },
    "Reservation": {"ReserveConnectorZeroSupported": True},
}


def write_configuration(folder: Path) -> Path:
    base = json.loads((ROOT / "config/ocpp/config-sil.json").read_text(encoding="utf-8"))
    for key, value in KEYS.items():
        section = next((name for name, present in base.items() if key in present), "Core")
        base[section][key] = value
    base["Core"].pop("AuthorizationCacheEnabled", None)
    base["Security"]["CpoName"] = "Pionix"
    path = folder / "ocpp.json"
    path.write_text(json.dumps({**base, **SECTIONS}), encoding="utf-8")
    return path


class RecordedCsms:
    """The central system of a recording: answers each CALL with what was answered then."""

    def __init__(self, name: str) -> None:
        self.frames: list[list[Any]] = []
        self._connection: MemoryConnection | None = None
        self._answers: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        actions: dict[str, str] = {}
        for record in ocpp(name):
            if record.dir == "cp->csms" and (message := record.json())[0] == 2:
                actions[message[1]] = message[2]
            elif record.dir == "csms->cp" and (message := record.json())[0] == 3 and message[1] in actions:
                self._answers[actions[message[1]]].append(message[2])

    async def dial(self, _options: ConnectionOptions) -> MemoryConnection:
        station, self._connection = MemoryConnection.pair()
        self._reader = asyncio.create_task(self._serve(self._connection), name="recorded csms")
        return station

    async def _serve(self, connection: MemoryConnection) -> None:
        while True:
            try:
                frame = json.loads(await connection.receive())
            except ConnectionLost:
                return
            self.frames.append(frame)
            if frame[0] == 2:
                answers = self._answers[frame[2]]
                answer = answers.pop(0) if len(answers) > 1 else answers[0] if answers else {}
                await connection.send(json.dumps([3, frame[1], answer]))

    async def call(self, message: list[Any]) -> None:
        assert self._connection is not None
        await self._connection.send(json.dumps(message))


def answers_of_peers(name: str) -> dict[tuple[str, str], list[Any]]:
    """(peer, command) -> results the module got, in order."""
    results: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for message in bus(name):
        parts = message.topic.split("/")
        if len(parts) == 9 and parts[5] == "cmd" and parts[7:] == ["response", ID]:
            results[f"{parts[2]}/{parts[4]}", parts[6]].append(message.json()["data"]["data"].get("retval"))
    return results


def replaying(results: list[Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda _arguments: results.pop(0) if len(results) > 1 else results[0]


def timeline(name: str) -> Iterator[BusMessage | OcppFrame]:
    """What the module is told, in the order of time: bus messages after the global ready, and CALLs of the CSMS."""
    ready = next(message.t for message in bus(name) if message.topic == "everest/ready")
    told = [m for m in bus(name) if m.t >= ready and concerns_the_module(m)]
    calls = [frame for frame in ocpp(name) if frame.dir == "csms->cp" and frame.json()[0] == 2]
    yield from sorted([*told, *calls], key=lambda record: record.t)


def concerns_the_module(message: BusMessage) -> bool:
    parts = message.topic.split("/")
    if len(parts) < 7 or parts[1] != "modules":
        return False
    if parts[5] == "var":
        return f"{parts[2]}/{parts[4]}" in REPLAYED
    return parts[5] == "error" or (parts[2] == ID and parts[5] == "cmd" and len(parts) == 7)


async def play(name: str, folder: Path) -> list[list[Any]]:
    """The frames that our module sends when it lives through the recording."""
    csms = RecordedCsms(name)
    ready = next(message.t for message in bus(name) if message.topic == "everest/ready")
    clock = VirtualClock(datetime.fromtimestamp(ready, UTC))

    class RecordedOCPP(OCPP):
        def _make_charge_point(self) -> ChargePoint:
            return ChargePoint(
                self._configuration,
                database_path=folder / "database",
                message_log_path=folder / "logs",
                clock=clock,
                randomness=SeededRandomness(),
                dialer=csms.dial,
                message_callback=self._ocpp_message,
            )

    owners = {f"{module}/{owner}": interface for (module, owner), interface in implementations(name).items()}
    evses = ["evse_manager_1/evse", "evse_manager_2/evse"]
    bench = ModuleBench(
        RecordedOCPP,
        module_id=ID,
        manifest=yaml.safe_load((ROOT / "modules/OCPP/manifest.yaml").read_text(encoding="utf-8")),
        config={"ChargePointConfigPath": str(write_configuration(folder)), "UserConfigPath": str(folder / "user.json")},
        connections={
            "evse_manager": evses,
            "reservation": ["auth/reservation"],
            "auth": ["auth/main"],
            "system": ["system/main"],
            "security": ["evse_security/main"],
        },
        mappings={"evse_manager_1": {"evse": 1}, "evse_manager_2": {"evse": 2}},
        peers={owner: interface for owner, interface in owners.items() if interface in KNOWN},
        clock=clock,
    )
    for (peer, command), results in answers_of_peers(name).items():
        bench.answer(peer, command, replaying(results))
    async with bench:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for record in timeline(name):
            await asyncio.sleep(max(0.0, begin + (record.t - ready) - loop.time()))
            await deliver(bench, csms, record)
        await asyncio.sleep(2)
    return csms.frames


KNOWN = {path.stem for path in (ROOT / "interfaces").glob("*.yaml")}


async def deliver(bench: ModuleBench, csms: RecordedCsms, record: BusMessage | OcppFrame) -> None:
    if isinstance(record, OcppFrame):
        await csms.call(record.json())
        return
    parts = record.topic.split("/")
    if parts[5] == "cmd":
        arguments = record.json()["data"]["args"] or {}
        task = asyncio.create_task(bench.call(parts[4], parts[6], arguments), name=record.topic)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        return
    # The same bytes on the same topic: the module decodes what the original sent.
    bench.broker.publish(record.topic, record.payload.encode())
    await asyncio.sleep(0)
