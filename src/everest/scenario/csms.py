"""A small central system of its own that speaks OCPP-J frames over any line; it does what the scenario tells it.

Lives here: `CentralSystem` (answers, calls, the network's moods), `MemoryDialer`. The websocket is in server.py.
Transactions are numbered from 1. May not be imported here: ocpp16, any module.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from everest.scenario.model import Csms
from everest.trace.line import Line as MemoryLine

NETWORKS = ("online", "offline", "refuse", "hang")
"""`offline`: lines break, dials fail; `refuse`: open lines stay, new ones are refused; `hang`: nothing is answered."""


class Refused(ConnectionError):
    """The central system takes no connection now."""


class Line(Protocol):
    """One open connection, as the central system sees it."""

    def deliver(self, text: str) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Frame:
    """A frame that passed; `sent` by the station or to it. `time` is the loop's."""

    time: float
    sent: bool
    message: list[Any]

    @property
    def action(self) -> str | None:
        """The action of a CALL of the station."""
        return self.message[2] if self.sent and self.message[0] == 2 else None

    @property
    def payload(self) -> Any:
        return self.message[3]


class CentralSystem:
    """`news` is called after each frame was recorded in `frames`."""

    def __init__(self, now: Callable[[], datetime], knows: Csms, frames: list[Frame], news: Callable[[], None]) -> None:
        self.frames = frames
        self._news = news
        self.network: str = knows.network
        self.delay = 0.0
        self.connected = asyncio.Event()
        self.answers = dict(knows.answers)
        self.tags = dict(knows.tags)
        self._now = now
        self._transactions = 0
        self._started: dict[tuple[Any, ...], int] = {}
        self._calls = 0
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._line: Line | None = None
        self._unanswered: list[tuple[Line, list[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the network -------------------------------------------------------------------------------------------------

    def set_network(self, mood: str) -> None:
        """One of NETWORKS. Frames that hung are answered once it is online again."""
        self.network = mood
        if mood == "offline" and self._line is not None:
            line, self._line = self._line, None
            self.connected.clear()
            line.close()
        if mood == "online":
            hung, self._unanswered = self._unanswered, []
            for line, message in hung:
                self._start(self._answer(line, message), "answers late")

    def check(self) -> None:
        """Before a line is opened. Raises Refused."""
        if self.network in ("offline", "refuse"):
            raise Refused(f"the central system is {self.network}")

    def opened(self, line: Line) -> None:
        self._line = line
        self.connected.set()

    def closed(self, line: Line) -> None:
        if line is self._line:
            self._line = None
            self.connected.clear()

    # --- what the station says ---------------------------------------------------------------------------------------

    def heard(self, line: Line, text: str) -> None:
        """A frame of the station."""
        message = json.loads(text)
        self._record(True, message)
        if message[0] == 2:
            if self.network == "hang":
                self._unanswered.append((line, message))
            else:
                self._start(self._answer(line, message), f"answers {message[2]}")
        elif (waiting := self._waiting.pop(str(message[1]), None)) is not None and not waiting.done():
            waiting.set_result(message)

    async def _answer(self, line: Line, message: list[Any]) -> None:
        _, message_id, action, payload = message
        answer = self._payload(action, payload)
        if self.delay:
            await asyncio.sleep(self.delay)
        if answer is None:
            self._say(line, [4, message_id, "NotImplemented", f"{action} is not known here", {}])
        elif isinstance(answer, dict) and "error" in answer:
            code = answer["error"]
            self._say(line, [4, message_id, str(code["raw"] if isinstance(code, dict) else code), "", {}])
        elif isinstance(answer, dict) and "raw" in answer:
            self._say(line, [3, message_id, answer["raw"]])
        else:
            self._say(line, [3, message_id, answer])

    def _payload(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        own = getattr(self, f"_on_{action}", None)
        ordinary: dict[str, Any] | None = own(payload) if own is not None else None
        told = self.answers.get(action)
        if isinstance(told, list):
            told = told.pop(0) if told else None
        if told is None:
            return ordinary
        alone = "error" in told or "raw" in told or ordinary is None
        return told if alone else {**(ordinary or {}), **told}

    def _on_BootNotification(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {"currentTime": self._time(), "interval": 300, "status": "Accepted"}

    def _on_Heartbeat(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {"currentTime": self._time()}

    def _on_Authorize(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"idTagInfo": self._tag(payload["idTag"])}

    def _on_StartTransaction(self, payload: dict[str, Any]) -> dict[str, Any]:
        key = (payload["connectorId"], payload["idTag"], payload["timestamp"], payload["meterStart"])
        if key not in self._started:
            self._transactions += 1
            self._started[key] = self._transactions
        return {"transactionId": self._started[key], "idTagInfo": self._tag(payload["idTag"])}

    def _on_StopTransaction(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"idTagInfo": self._tag(payload["idTag"])} if "idTag" in payload else {}

    def _on_DataTransfer(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "UnknownVendorId"}

    def _nothing(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {}

    _on_StatusNotification = _on_MeterValues = _on_DiagnosticsStatusNotification = _nothing
    _on_FirmwareStatusNotification = _on_SecurityEventNotification = _on_LogStatusNotification = _nothing
    _on_SignedFirmwareStatusNotification = _nothing

    def _on_SignCertificate(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "Accepted"}

    def _tag(self, tag: str) -> dict[str, Any]:
        known = self.tags.get(tag, "Accepted")
        return dict(known) if isinstance(known, dict) else {"status": known}

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- what it says itself -----------------------------------------------------------------------------------------

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        """Send a CALL and return the frame that answers it; waits for a connection first. The caller sets the limit."""
        await self.connected.wait()
        assert self._line is not None
        self._calls += 1
        message_id = f"csms-{self._calls}"
        waiting: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = waiting
        self._say(self._line, [2, message_id, action, payload])
        return await waiting

    def _say(self, line: Line, message: list[Any]) -> None:
        if line is not self._line:
            return
        self._record(False, message)
        line.deliver(json.dumps(message))

    def _record(self, sent: bool, message: list[Any]) -> None:
        self.frames.append(Frame(asyncio.get_running_loop().time(), sent, message))
        self._news()

    def _start(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"csms {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything."""
        if self._line is not None:
            self._line.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class MemoryDialer:
    """The end of the network that the station's charge point dials."""

    def __init__(self, csms: CentralSystem) -> None:
        self._csms = csms

    async def dial(self) -> MemoryLine:
        """Open a line. Raises Refused."""
        self._csms.check()
        line = MemoryLine(self._csms)
        self._csms.opened(line)
        return line
