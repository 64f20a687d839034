"""A small central system on the independent `ocpp` package (an extra), for the demo and for tests.

It validates every message against the official JSON schemas, accepts every station and every id tag that is not in
`tags`, numbers transactions, and records every frame. It is no part of the station: nothing of `ocpp16` is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call_result
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

log = logging.getLogger("csms")
logging.getLogger("ocpp").setLevel(logging.CRITICAL)
"""The package logs every refused frame with a traceback; what was refused is in `Frame`s and `call_errors`."""


@dataclass(frozen=True)
class Frame:
    """One OCPP-J frame as it went over the wire, with the station it concerns."""

    station: str
    direction: str
    """`cp->csms` or `csms->cp`."""
    message: list[Any]

    @property
    def action(self) -> str | None:
        """The action of a CALL, else None."""
        return self.message[2] if self.message[0] == 2 else None

    @property
    def payload(self) -> dict[str, Any]:
        """The payload of a CALL or CALLRESULT."""
        payload: dict[str, Any] = self.message[3] if self.message[0] == 2 else self.message[2]
        return payload


@dataclass
class Transaction:
    """A transaction as the central system knows it."""

    transaction_id: int
    start: dict[str, Any]
    stop: dict[str, Any] | None = None
    meter_values: list[dict[str, Any]] = field(default_factory=list)


class RecordedConnection:
    """A websocket that hands every text frame to the central system's record."""

    def __init__(self, central_system: CentralSystem, station: str, websocket: ServerConnection) -> None:
        self._central_system = central_system
        self._station = station
        self._websocket = websocket

    async def recv(self) -> str:
        frame = await self._websocket.recv()
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        self._central_system.record(self._station, "cp->csms", text)
        return text

    async def send(self, text: str) -> None:
        # Recorded before it is sent: the answer to it may come while `send` still waits.
        self._central_system.record(self._station, "csms->cp", text)
        # A station that closes has perhaps sent more before: what cannot be sent must not keep that from being read.
        with contextlib.suppress(ConnectionClosed):
            await self._websocket.send(text)


class StationSession(OcppChargePoint):
    """One connected station: the handlers of the messages a station sends."""

    def __init__(self, central_system: CentralSystem, station: str, websocket: ServerConnection) -> None:
        super().__init__(station, RecordedConnection(central_system, station, websocket))
        self.central_system = central_system
        self.websocket = websocket

    @on("BootNotification")
    def on_boot_notification(self, **_request: Any) -> call_result.BootNotification:
        return call_result.BootNotification(
            current_time=now(),
            interval=self.central_system.heartbeat_interval,
            status=self.central_system.registration_status,
        )

    @on("Heartbeat")
    def on_heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=now())

    @on("StatusNotification")
    def on_status_notification(self, **_request: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on("Authorize")
    def on_authorize(self, id_tag: str) -> call_result.Authorize:
        return call_result.Authorize(id_tag_info=self.central_system.id_tag_info(id_tag))

    @on("StartTransaction")
    def on_start_transaction(self, **request: Any) -> call_result.StartTransaction:
        transaction = self.central_system.start_transaction(request)
        return call_result.StartTransaction(
            transaction_id=transaction.transaction_id,
            id_tag_info=self.central_system.id_tag_info(request["id_tag"]),
        )

    @on("StopTransaction")
    def on_stop_transaction(self, **request: Any) -> call_result.StopTransaction:
        self.central_system.stop_transaction(request)
        id_tag = request.get("id_tag")
        return call_result.StopTransaction(
            id_tag_info=None if id_tag is None else self.central_system.id_tag_info(id_tag)
        )

    @on("MeterValues")
    def on_meter_values(self, **request: Any) -> call_result.MeterValues:
        transaction = self.central_system.transactions.get(request.get("transaction_id", -1))
        if transaction is not None:
            transaction.meter_values.append(request)
        return call_result.MeterValues()

    @on("DataTransfer")
    def on_data_transfer(self, **_request: Any) -> call_result.DataTransfer:
        return call_result.DataTransfer(status="UnknownVendorId")

    @on("DiagnosticsStatusNotification")
    def on_diagnostics_status_notification(self, **_request: Any) -> call_result.DiagnosticsStatusNotification:
        return call_result.DiagnosticsStatusNotification()

    @on("FirmwareStatusNotification")
    def on_firmware_status_notification(self, **_request: Any) -> call_result.FirmwareStatusNotification:
        return call_result.FirmwareStatusNotification()

    @on("SecurityEventNotification")
    def on_security_event_notification(self, **_request: Any) -> call_result.SecurityEventNotification:
        return call_result.SecurityEventNotification()

    @on("LogStatusNotification")
    def on_log_status_notification(self, **_request: Any) -> call_result.LogStatusNotification:
        return call_result.LogStatusNotification()

    @on("SignedFirmwareStatusNotification")
    def on_signed_firmware_status(self, **_request: Any) -> call_result.SignedFirmwareStatusNotification:
        return call_result.SignedFirmwareStatusNotification()

    @on("SignCertificate")
    def on_sign_certificate(self, **_request: Any) -> call_result.SignCertificate:
        return call_result.SignCertificate(status="Rejected")


class CentralSystem:
    """The central system: `async with CentralSystem() as csms: ... csms.url`.

    `tags` maps an id tag (upper case) to its IdTagInfo (`{"status": "Blocked"}`); tags that are not in it are Accepted.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        heartbeat_interval: int = 300,
        tags: dict[str, dict[str, Any]] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.heartbeat_interval = heartbeat_interval
        self.registration_status: Any = "Accepted"
        self.tags = {} if tags is None else tags
        self.frames: list[Frame] = []
        self.garbage: list[str] = []
        self.transactions: dict[int, Transaction] = {}
        self.sessions: dict[str, StationSession] = {}
        self._on_frame = on_frame
        self._changed = asyncio.Condition()
        self._transaction_ids = itertools.count(1)
        self._server: Server | None = None
        self._notifiers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> CentralSystem:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. A port of 0 takes a free one, kept for later starts, so that a station finds it again."""
        self._server = await serve(
            self._serve_station,
            self.host,
            self.port,
            subprotocols=[Subprotocol("ocpp1.6")],
            ping_interval=None,
            compression=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        self._server = None

    @property
    def url(self) -> str:
        """What goes into `CentralSystemURI`; stations add their identity."""
        return f"ws://{self.host}:{self.port}/"

    async def _serve_station(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        station = websocket.request.path.rsplit("/", 1)[-1]
        session = StationSession(self, station, websocket)
        self.sessions[station] = session
        await self._notify()
        try:
            await session.start()
        except ConnectionClosed:
            pass
        finally:
            if self.sessions.get(station) is session:
                del self.sessions[station]
            await self._notify()

    def record(self, station: str, direction: str, text: str) -> None:
        """Take a frame into the record. What is no OCPP-J array goes to `garbage`."""
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if not isinstance(message, list) or len(message) < 3:
            self.garbage.append(text)
            return
        frame = Frame(station, direction, message)
        self.frames.append(frame)
        if self._on_frame is not None:
            self._on_frame(frame)
        task = asyncio.get_running_loop().create_task(self._notify())
        self._notifiers.add(task)
        task.add_done_callback(self._notifiers.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # --- what it decides ---------------------------------------------------------------------------------------------

    def id_tag_info(self, id_tag: str) -> dict[str, Any]:
        return self.tags.get(id_tag.upper(), {"status": "Accepted"})

    def start_transaction(self, request: dict[str, Any]) -> Transaction:
        """A StartTransaction that comes again (same connector, tag, time and meter) is the same transaction."""
        for transaction in self.transactions.values():
            if transaction.start == request:
                return transaction
        transaction = Transaction(next(self._transaction_ids), request)
        self.transactions[transaction.transaction_id] = transaction
        return transaction

    def stop_transaction(self, request: dict[str, Any]) -> None:
        transaction = self.transactions.get(request["transaction_id"])
        if transaction is not None:
            transaction.stop = request

    # --- what others ask it ------------------------------------------------------------------------------------------

    async def call(self, request: Any, *, station: str | None = None) -> Any:
        """Send a CALL of the `ocpp` package (`ocpp.v16.call.*`) to a station and return the response object."""
        session = self._session(station)
        return await session.call(request, suppress=False)

    async def send_raw(self, text: str | bytes, *, station: str | None = None) -> None:
        """Send any text as a frame, valid or not."""
        await self._session(station).websocket.send(text)

    async def drop_connections(self) -> None:
        """Cut every connection without a closing handshake, as a network does."""
        for session in list(self.sessions.values()):
            session.websocket.transport.abort()

    def _session(self, station: str | None) -> StationSession:
        if not self.sessions:
            raise LookupError("no station is connected")
        if station is None:
            return next(iter(self.sessions.values()))
        return self.sessions[station]

    def calls(self, action: str) -> list[dict[str, Any]]:
        """The payloads of all CALLs of this action from stations, in order."""
        return [f.payload for f in self.frames if f.direction == "cp->csms" and f.action == action]

    @property
    def call_errors(self) -> list[Frame]:
        """Every CALLERROR, of either side."""
        return [frame for frame in self.frames if frame.message[0] == 4]

    async def wait_for(self, condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
        """Wait until `condition()` is true, looking at every frame and connection; TimeoutError names `what`."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (result := condition()):
                    await self._changed.wait()
                return result
        except TimeoutError:
            seen = [frame.action or frame.message[0] for frame in self.frames]
            raise TimeoutError(f"not seen within {seconds} s: {what or condition}; frames so far: {seen}") from None

    async def wait_for_call(
        self, action: str, matches: Callable[[dict[str, Any]], bool] = lambda _payload: True, *, seconds: float = 20
    ) -> dict[str, Any]:
        """The first CALL of this action from a station whose payload matches."""
        found: list[dict[str, Any]] = await self.wait_for(
            lambda: [payload for payload in self.calls(action) if matches(payload)], seconds=seconds, what=action
        )
        return found[0]


def now() -> str:
    """The time as OCPP writes it: UTC, three decimals, `Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
