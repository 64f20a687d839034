"""A station in virtual time: `ChargePoint` on a memory connection, with a central system that the test scripts.

    async with Station() as station:              # config-sil.json's Core, two connectors, memory store
        await station.boot()                      # started, Accepted, all first messages answered
        await station.plug_in(1)
        ...
    station.csms.requests("StartTransaction")     # payloads that the central system got, in order

The central system answers what its table says (`answers`), or what a test put there: a payload, a function of the
payload, an error `(code, description)`, or SILENCE.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ocpp16 import ChargePoint, Configuration, Measurement, PhaseValues, Powermeter
from ocpp16.configuration import keys
from ocpp16.connection.options import ConnectionOptions
from ocpp16.errors import ConnectionFailed, ConnectionLost
from ocpp16.messages import Reason, format_timestamp
from ocpp16.ports import Connection, Store
from ocpp16.store.memory import MemoryStore
from tests.support.ocpp16.doubles import MemoryConnection, SeededRandomness, VirtualClock

SILENCE = object()
START_OF_TIME = datetime(2026, 1, 1, tzinfo=UTC)

CONFIGURATION: dict[str, dict[str, Any]] = {
    "Internal": {
        "ChargePointId": "cp001",
        "CentralSystemURI": "127.0.0.1:9000",
        "ChargeBoxSerialNumber": "cp001",
        "ChargePointModel": "Twin",
        "ChargePointVendor": "Everest",
        "FirmwareVersion": "0.1",
        "LogMessagesFormat": [],
        "RetryBackoffRandomRange": 0,
    },
    "Core": {
        "AuthorizeRemoteTxRequests": False,
        "AuthorizationCacheEnabled": True,
        "AllowOfflineTxForUnknownId": False,
        "ClockAlignedDataInterval": 0,
        "ConnectionTimeOut": 60,
        "ConnectorPhaseRotation": "0.RST,1.RST,2.RST",
        "GetConfigurationMaxKeys": 100,
        "HeartbeatInterval": 86400,
        "LocalAuthorizeOffline": True,
        "LocalPreAuthorize": False,
        "MeterValuesAlignedData": "Energy.Active.Import.Register",
        "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
        "MeterValueSampleInterval": 0,
        "MinimumStatusDuration": 0,
        "NumberOfConnectors": 2,
        "ResetRetries": 1,
        "StopTransactionOnInvalidId": True,
        "StopTxnAlignedData": "",
        "StopTxnSampledData": "",
        "SupportedFeatureProfiles": ("Core,FirmwareManagement,RemoteTrigger,Reservation,LocalAuthListManagement"),
        "TransactionMessageAttempts": 3,
        "TransactionMessageRetryInterval": 10,
        "UnlockConnectorOnEVSideDisconnect": True,
        "WebSocketPingInterval": 0,
    },
    "LocalAuthListManagement": {
        "LocalAuthListEnabled": True,
        "LocalAuthListMaxLength": 42,
        "SendLocalListMaxLength": 42,
    },
    "Reservation": {"ReserveConnectorZeroSupported": False},
    "Security": {"SecurityProfile": 0},
}


def configuration(clock: VirtualClock | None = None, **overrides: Any) -> Configuration:
    """The table above with keys replaced by name; None takes a key out."""
    sections = {name: dict(values) for name, values in CONFIGURATION.items()}
    for key, value in overrides.items():
        section = keys.TABLE[key].section
        if value is None:
            sections[section].pop(key, None)
        else:
            sections[section][key] = value
    return Configuration.load(sections, clock=clock or VirtualClock())


Answer = dict[str, Any] | tuple[str, str] | Callable[[dict[str, Any]], Any] | object


@dataclass
class Got:
    """One CALL that the central system received."""

    message_id: str
    action: str
    payload: dict[str, Any]
    time: float
    connection: int


@dataclass
class ScriptedCsms:
    """The central system's end: records CALLs, answers by table, sends CALLs of its own."""

    clock: VirtualClock
    got: list[Got] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    refuse: ConnectionFailed | None = None
    connections: int = 0
    frames: list[Any] = field(default_factory=list)
    _end: MemoryConnection | None = None
    _next_id: int = 0
    _next_transaction: int = 0
    _replies: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def dial(self, options: ConnectionOptions) -> Connection:
        """What the station dials."""
        if self.refuse is not None:
            raise self.refuse
        station, self._end = MemoryConnection.pair()
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(self._end, self.connections), name="test.csms")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return station

    async def _serve(self, end: MemoryConnection, number: int) -> None:
        while True:
            try:
                frame = json.loads(await end.receive())
            except ConnectionLost:
                return
            self.frames.append(frame)
            if frame[0] == 2:
                _, message_id, action, payload = frame
                self.got.append(Got(message_id, action, payload, asyncio.get_running_loop().time(), number))
                await self._answer(end, message_id, action, payload)
            elif frame[1] in self._replies:
                self._replies.pop(frame[1]).set_result(frame)
            self._arrived.set()

    async def _answer(self, end: MemoryConnection, message_id: str, action: str, payload: dict[str, Any]) -> None:
        answer = self.answers.get(action, self._default(action))
        if callable(answer):
            answer = answer(payload)
            if asyncio.iscoroutine(answer):
                answer = await answer
        if answer is SILENCE:
            return
        if isinstance(answer, tuple):
            await end.send(json.dumps([4, message_id, answer[0], answer[1], {}]))
        else:
            await end.send(json.dumps([3, message_id, answer]))

    def _default(self, action: str) -> Answer:
        match action:
            case "BootNotification":
                now = format_timestamp(self.clock.now())
                return {"status": "Accepted", "currentTime": now, "interval": 86400}
            case "Heartbeat":
                return {"currentTime": format_timestamp(self.clock.now())}
            case "Authorize" | "StopTransaction":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self._next_transaction += 1
                return {"idTagInfo": {"status": "Accepted"}, "transactionId": self._next_transaction}
            case "DataTransfer":
                return {"status": "Accepted"}
        return {}

    # --- from the test -----------------------------------------------------------------------------------------------

    async def call(self, action: str, payload: dict[str, Any] | None = None, *, timeout: float = 100) -> Any:
        """Send a CALL; the payload of its CALLRESULT, or `(code, description, details)` of its CALLERROR."""
        frame = await self.call_raw(lambda message_id: json.dumps([2, message_id, action, payload or {}]), timeout)
        return frame[2] if frame[0] == 3 else tuple(frame[2:])

    async def call_raw(self, text: Callable[[str], str], timeout: float = 100) -> Any:
        self._next_id += 1
        message_id = f"csms-{self._next_id}"
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[message_id] = reply
        await self.send(text(message_id))
        async with asyncio.timeout(timeout):
            return await reply

    async def send(self, text: str) -> None:
        assert self._end is not None
        await self._end.send(text)

    def drop(self) -> None:
        """The connection breaks."""
        assert self._end is not None
        self._end.abort()

    def requests(self, action: str) -> list[dict[str, Any]]:
        return [got.payload for got in self.got if got.action == action]

    def actions(self, *, without: Iterable[str] = ("Heartbeat",)) -> list[str]:
        return [got.action for got in self.got if got.action not in without]

    def statuses(self, connector: int) -> list[str]:
        """Statuses reported of a connector, in order."""
        return [p["status"] for p in self.requests("StatusNotification") if p["connectorId"] == connector]

    async def until(self, condition: Callable[[], bool], timeout: float = 300) -> None:
        """Wait until the condition holds; looked at after each frame, and every second of virtual time."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._arrived.clear()
                try:
                    async with asyncio.timeout(1.0):
                        await self._arrived.wait()
                except TimeoutError:
                    continue

    async def wait_for(self, action: str, count: int = 1, timeout: float = 300) -> dict[str, Any]:
        """The `count`th request of this action, as soon as it is there."""
        await self.until(lambda: len(self.requests(action)) >= count, timeout)
        return self.requests(action)[count - 1]

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def settled(seconds: float = 1.0) -> None:
    """Let everything happen that happens within `seconds` (virtual time)."""
    await asyncio.sleep(seconds)


def measurement(energy: float, time: datetime, *, power: float = 0.0, **more: Any) -> Measurement:
    return Measurement(
        power_meter=Powermeter(
            timestamp=time,
            energy_Wh_import=PhaseValues(total=energy),
            power_W=PhaseValues(total=power),
            **more,
        )
    )


class Station:
    """A charge point with its surroundings; what it is told, and what it asked for (`asked`)."""

    def __init__(self, *, store: Store | None = None, csms: ScriptedCsms | None = None, **keys: Any) -> None:
        self.clock = csms.clock if csms is not None else VirtualClock()
        self.csms = csms or ScriptedCsms(self.clock)
        self.store = store or MemoryStore()
        self.keys = keys
        self.asked: list[tuple[Any, ...]] = []
        self.charge_point = self.make()

    def make(self) -> ChargePoint:
        """A charge point as a new process would make it, on the same store and the same central system."""
        charge_point = ChargePoint(
            configuration(self.clock, **self.keys),
            store=self.store,
            clock=self.clock,
            randomness=SeededRandomness(len(self.csms.got) + 1),
            dialer=self.csms.dial,
        )
        self._register(charge_point)
        return charge_point

    def _register(self, charge_point: ChargePoint) -> None:
        for name in ("pause_charging", "stop_transaction", "enable_evse", "disable_evse"):
            register = getattr(charge_point, f"register_{name}_callback")
            register(self._note(name, True))
        for name in (
            "provide_token",
            "set_system_time",
            "transaction_started",
            "transaction_updated",
            "transaction_stopped",
            "boot_notification_response",
            "connection_state_changed",
            "security_event",
            "set_connection_timeout",
            "generic_configuration_key_changed",
            "all_connectors_unavailable",
        ):
            getattr(charge_point, f"register_{name}_callback")(self._note(name, None))

    def _note(self, name: str, answer: Any) -> Callable[..., Any]:
        async def callback(*args: Any) -> Any:
            self.asked.append((name, *args))
            return answer

        return callback

    def asked_for(self, name: str) -> list[tuple[Any, ...]]:
        return [args for asked, *args in self.asked if asked == name]  # type: ignore[misc]

    async def __aenter__(self) -> Station:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.charge_point.close()
        await self.csms.close()

    async def boot(self, **arguments: Any) -> None:
        """Start, and wait until the first messages are through."""
        await self.charge_point.start(**arguments)
        await settled()

    async def kill_and_restart(self, resuming: Iterable[str] = (), **start: Any) -> None:
        """The process ends as by a power loss, and another one starts."""
        await self.charge_point.close()
        self.charge_point = self.make()
        await self.charge_point.start(resuming_session_ids=resuming, **start)
        await settled()

    # --- what an EVSE tells ------------------------------------------------------------------------------------------

    async def begin(
        self, connector: int = 1, session: str = "session-1", id_tag: str = "TAG1", meter: float = 100.0, **more: Any
    ) -> None:
        """A session with its transaction begins."""
        await self.charge_point.on_session_started(connector, session, "EVConnected")
        await self.charge_point.on_transaction_started(
            connector, session, id_tag, meter, timestamp=self.clock.now(), **more
        )

    async def end(
        self,
        connector: int = 1,
        session: str = "session-1",
        meter: float = 1100.0,
        reason: Reason = Reason.Local,
        **more: Any,
    ) -> None:
        await self.charge_point.on_transaction_stopped(connector, session, reason, self.clock.now(), meter, **more)

    async def read_meter(self, energy: float, connector: int = 1, **more: Any) -> None:
        await self.charge_point.on_meter_values(connector, measurement(energy, self.clock.now(), **more))
