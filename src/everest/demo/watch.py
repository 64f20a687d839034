"""Follows the bus: keeps what the story and the prompt need to know, and lets them wait for more.

Reads only EVerest's own topics: session events, power meter, token validation, errors, connection status, OCPP frames.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from everest.demo.story import Line, Story
from everest.manager.companion import RunContext
from everest.runtime import Message

log = logging.getLogger(__name__)

VARIABLES = (
    "session_event",
    "powermeter",
    "token_validation_status",
    "connection_status",
    "ocpp_message",
    "boot_notification_response",
)


@dataclass
class Evse:
    """What is under way at one EVSE, by its session events."""

    session: bool = False
    resumed: bool = False
    transaction: bool = False

    def take(self, kind: str) -> None:
        """One session event. A session from before a restart ends with its transaction: no SessionFinished follows."""
        if kind in ("SessionStarted", "SessionResumed"):
            self.session, self.resumed = True, kind == "SessionResumed"
        elif kind == "TransactionStarted":
            self.transaction = True
        elif kind == "TransactionFinished":
            self.transaction = False
            self.session = self.session and not self.resumed
        elif kind == "SessionFinished":
            self.session = self.transaction = False

    def restarted(self) -> None:
        """The EVSE manager has started again: what it does not resume is no more."""
        self.session = self.resumed = self.transaction = False


class Watch:
    """Everything seen on the bus since the start. `evses` maps the module id of an EVSE manager to its EVSE id."""

    def __init__(self, context: RunContext, evses: dict[str, int], tell: Callable[[Line], None]) -> None:
        self._transport = context.transport()
        self._prefix = context.everest_prefix
        self._external_prefix = context.external_prefix
        self._evses = evses
        self._tell = tell
        self._story = Story({module: f"EVSE {evse}" for module, evse in evses.items()})
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self._states = {evse: Evse() for evse in evses.values()}
        self.events: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.tokens: list[dict[str, Any]] = []
        self.energy: dict[int, float] = {}
        self.registered = False
        self.frames: list[tuple[bool, list[Any]]] = []
        """(sent by the station, OCPP-J message) of every frame that is an array."""

    async def open(self) -> None:
        """Connect and listen, before the modules start, so that nothing is missed."""
        await self._transport.connect()
        topics = [f"{self._prefix}modules/+/impl/+/var/{variable}" for variable in VARIABLES]
        topics += [f"{self._prefix}modules/{module_id}/ready" for module_id in self._evses]
        await self._transport.subscribe(*topics, f"{self._prefix}modules/+/impl/+/error/#")
        self._reader = asyncio.create_task(self._read(), name="demo watch")

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._transport.close()

    def publish(self, topic: str, payload: str) -> None:
        """Publish on an external topic, with the external prefix in front."""
        self._transport.publish(self._external_prefix + topic, payload.encode())

    async def until(self, condition: Callable[[], Any], *, seconds: float) -> bool:
        """Wait until `condition()` is true; False if it is not within `seconds`."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            return False
        return True

    async def station_is_up(self) -> bool:
        """Wait until every EVSE is enabled and the CSMS has accepted the station; False if it did not in time.

        Before that a car that is plugged in is not noticed.
        """
        await self.until(lambda: all(self.count(evse, "Enabled") for evse in self._evses.values()), seconds=30)
        return await self.until(lambda: self.registered, seconds=15)

    def count(self, evse: int, *kinds: str) -> int:
        """How many session events of these kinds an EVSE has told."""
        return sum(event["event"] in kinds for event in self.events[evse])

    def open_sessions(self) -> list[int]:
        """EVSEs with a session that has begun and not ended."""
        return [evse for evse, state in self._states.items() if state.session]

    def idle_sessions(self) -> list[int]:
        """EVSEs with a session that has ended without a transaction: a refused card, or none."""
        return [evse for evse, events in self.events.items() if _idle(events)]

    def answered(self, action: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(request, response) of every CALL of the station of this action that has its CALLRESULT."""
        requests = {message[1]: message[3] for sent, message in self.frames if sent and message[0] == 2}
        actions = {message[1]: message[2] for sent, message in self.frames if sent and message[0] == 2}
        return [
            (requests[message[1]], message[2])
            for sent, message in self.frames
            if not sent and message[0] == 3 and actions.get(message[1]) == action
        ]

    async def _read(self) -> None:
        async for message in self._transport.messages():
            try:
                lines = list(self._take(message))
            except (ValueError, LookupError, TypeError) as error:
                log.debug("not told: %s: %s", message.topic, error)
                continue
            for line in lines:
                self._tell(line)
            async with self._changed:
                self._changed.notify_all()

    def _take(self, message: Message) -> Iterator[Line]:
        _, module_id, *rest = message.topic.removeprefix(self._prefix).split("/")
        if rest == ["ready"]:
            self._states[self._evses[module_id]].restarted()
            return iter(())
        _, _implementation, kind, name, *_ = rest
        data = json.loads(message.payload)["data"]
        if kind == "error":
            return self._story.error(data)
        return self._variable(module_id, name, data["data"])

    def _variable(self, module_id: str, name: str, value: Any) -> Iterator[Line]:
        evse = self._evses.get(module_id)
        story: Iterable[Line] = ()
        if name == "session_event":
            if evse is not None:
                self.events[evse].append(value)
                self._states[evse].take(value["event"])
            story = self._story.session_event(module_id, value)
        elif name == "powermeter" and evse is not None:
            self.energy[evse] = value["energy_Wh_import"]["total"]
            if self._states[evse].transaction:
                story = self._story.powermeter(module_id, value, time=asyncio.get_running_loop().time())
        elif name == "token_validation_status":
            self.tokens.append(value)
            story = self._story.token(value)
        elif name == "connection_status":
            story = self._story.connection(value)
        elif name == "boot_notification_response":
            self.registered = value["status"] == "Accepted"
        elif name == "ocpp_message":
            story = self._story.ocpp_message(value)
            self._frame(value)
        yield from story

    def _frame(self, value: dict[str, Any]) -> None:
        message = json.loads(value["message"])
        if isinstance(message, list):
            self.frames.append((value["direction"] == "ChargingStationToCSMS", message))


def _idle(events: list[dict[str, Any]]) -> bool:
    over = {event.get("uuid") for event in events if event["event"] == "SessionFinished"}
    return not over <= {event.get("uuid") for event in events if event["event"].startswith("Transaction")}
