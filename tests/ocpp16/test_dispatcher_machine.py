"""The dispatcher under any sequence of connections, answers, refusals, silences, holds and kills, in virtual time.

Whatever happens: one CALL in flight, none while it must not be sent; transaction messages in their order, each told
until the CSMS has answered it or refused it as often as allowed; ids unique on a connection, and one payload per id.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import looptime
import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ocpp16.dispatcher import MessageDispatcher
from ocpp16.errors import ConnectionLost
from ocpp16.messages import (
    HeartbeatRequest,
    MeterValue,
    MeterValuesRequest,
    Request,
    SampledValue,
    SecurityEventNotificationRequest,
    StartTransactionRequest,
    StopTransactionRequest,
)
from ocpp16.pause import LONGEST_HOLD
from ocpp16.store.memory import MemoryStore
from ocpp16.wire import CallError, CallResult
from tests.ocpp16.test_dispatcher import Hooks, Settings
from tests.support.ocpp16.doubles import START, SeededRandomness, VirtualClock

ATTEMPTS = Settings.transaction_message_attempts
CONFIRMED = {
    "StartTransaction": {"idTagInfo": {"status": "Accepted"}, "transactionId": 7},
    "Heartbeat": {"currentTime": "2026-01-01T12:00:00Z"},
}
KINDS = ("StartTransaction", "MeterValues", "StopTransaction", "SecurityEventNotification")
MOMENT = 0.001
"""Virtual seconds in which everything happens that waits for no time."""


def request(kind: str, number: int) -> Request:
    """A message that carries its number, so that it can be known again."""
    match kind:
        case "StartTransaction":
            return StartTransactionRequest(connector_id=1, id_tag="TAG", meter_start=number, timestamp=START)
        case "StopTransaction":
            return StopTransactionRequest(meter_stop=number, timestamp=START, transaction_id=-5)
        case "SecurityEventNotification":
            return SecurityEventNotificationRequest(type="InvalidMessages", timestamp=START, tech_info=str(number))
    value = MeterValue(timestamp=START, sampled_value=(SampledValue(value=str(number)),))
    return MeterValuesRequest(connector_id=1, meter_value=(value,))


def number_of(action: str, payload: dict[str, Any]) -> int | None:
    match action:
        case "StartTransaction":
            return int(payload["meterStart"])
        case "StopTransaction":
            return int(payload["meterStop"])
        case "SecurityEventNotification":
            return int(payload["techInfo"])
        case "MeterValues":
            return int(payload["meterValue"][0]["sampledValue"][0]["value"])
    return None


@dataclass
class Frame:
    message_id: str
    action: str
    number: int | None


class DispatcherMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.confirmed: list[int] = []
        self.given_up: list[int] = []
        self.sends: Counter[int] = Counter()
        self.refusals: Counter[int] = Counter()
        self.payloads: dict[str, bytes] = {}
        self.broken: list[str] = []
        self.count = 0
        self.lives = 0
        self.held = 0
        self.held_since = 0.0
        self.run(self.store.open())
        self.live()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def and_a_moment() -> Any:
            result = await work
            await asyncio.sleep(MOMENT)
            return result

        return self.loop.run_until_complete(and_a_moment())

    def live(self) -> None:
        """A new process on what the last one stored."""
        self.lives += 1
        self.accepted = self.online = False
        self.held = 0
        self.flight: Frame | None = None
        self.ids: set[str] = set()
        randomness = SeededRandomness(self.lives)
        self.dispatcher = MessageDispatcher(self.store, self.clock, randomness, Settings(), Hooks())
        self.run(self.dispatcher.load())

    # --- the line --------------------------------------------------------------------------------------------------

    async def send(self, text: str, action: str) -> None:
        if not self.online:
            raise ConnectionLost("gone")
        try:
            await self.judge(text)
        except AssertionError as error:
            # The dispatcher survives whatever its line does: the verdict has to wait for the end of the step.
            self.broken.append(str(error))

    async def judge(self, text: str) -> None:
        frame = msgspec.json.decode(text)
        sent = Frame(frame[1], frame[2], number_of(frame[2], frame[3]))
        await self.look_at_dead_letters()
        assert self.accepted, "nothing may be sent yet"
        held_for = self.loop.time() - self.held_since
        assert not self.held or held_for >= LONGEST_HOLD, "a CALL of the CSMS is being answered"
        assert sent.message_id not in self.ids, "an id came twice on one connection"
        payload = msgspec.json.encode(frame[3])
        assert self.payloads.setdefault(sent.message_id, payload) == payload, "an id went out with two payloads"
        if sent.number is not None:
            assert sent.number == self.waiting[0], "a transaction message overtook another"
            self.sends[sent.number] += 1
        self.ids.add(sent.message_id)
        self.flight = sent

    @property
    def waiting(self) -> list[int]:
        """What the CSMS has neither confirmed nor refused for good, in order."""
        return [n for n in range(1, self.count + 1) if n not in self.confirmed and n not in self.given_up]

    async def look_at_dead_letters(self) -> None:
        for letter in (await self.store.dead_letters())[len(self.given_up) :]:
            number = number_of(letter.message.action, msgspec.json.decode(letter.message.payload))
            assert number is not None
            assert self.sends[number] >= ATTEMPTS, "given up before its attempts were used up"
            self.given_up.append(number)

    # --- rules -----------------------------------------------------------------------------------------------------

    @initialize()
    def an_ordinary_day(self) -> None:
        """Most of the rules say most where the line is open; how to get there is in `a_kill`."""
        self.the_registration(True)
        self.a_connection()

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    def transaction_messages(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.count += 1
            self.run(self.dispatcher.enqueue(request(kind, self.count)))

    @rule()
    def a_heartbeat(self) -> None:
        self.run(self.dispatcher.enqueue(HeartbeatRequest()))

    @rule(accepted=st.sampled_from([True, True, False]))
    def the_registration(self, accepted: bool) -> None:
        self.accepted = accepted
        self.dispatcher.accepted(accepted)
        self.run(asyncio.sleep(0))

    @precondition(lambda self: not self.online)
    @rule()
    def a_connection(self) -> None:
        self.online, self.ids = True, set()

        async def connected() -> None:
            self.dispatcher.connected(self.send)

        self.run(connected())

    @precondition(lambda self: self.online)
    @rule()
    def the_connection_is_lost(self) -> None:
        self.online, self.flight = False, None

        async def disconnected() -> None:
            self.dispatcher.disconnected()

        self.run(disconnected())

    @precondition(lambda self: self.flight is not None)
    @rule()
    def the_csms_confirms(self) -> None:
        flight, self.flight = self.flight, None
        assert flight is not None
        self.run(self.look_at_dead_letters())
        payload = msgspec.json.encode(CONFIRMED.get(flight.action, {}))
        if flight.number is not None and flight.number not in self.given_up:
            self.confirmed.append(flight.number)
            assert self.answer(CallResult(flight.message_id, payload)), "an answer was not taken, late or not"
        else:
            self.answer(CallResult(flight.message_id, payload))

    @precondition(lambda self: self.flight is not None)
    @rule()
    def the_csms_refuses(self) -> None:
        flight, self.flight = self.flight, None
        assert flight is not None
        taken = self.answer(CallError(flight.message_id, "InternalError", "not today"))
        if taken and flight.number is not None:
            self.refusals[flight.number] += 1
            self.run(self.look_at_dead_letters())
            if self.refusals[flight.number] == ATTEMPTS:
                assert flight.number in self.given_up, "refused as often as allowed, and still in the way"

    def answer(self, frame: CallResult | CallError) -> bool:
        async def received() -> bool:
            return self.dispatcher.received(frame)

        return bool(self.run(received()))

    @rule()
    def an_answer_to_nothing(self) -> None:
        assert not self.dispatcher.received(CallResult("nobody's", b"{}"))

    @rule(seconds=st.sampled_from([1, 12, 35, 65]))
    def time_passes(self, seconds: int) -> None:
        self.run(asyncio.sleep(seconds))

    @rule()
    def a_call_of_the_csms_comes(self) -> None:
        if not self.held:
            self.held_since = self.loop.time()
        self.held += 1

        async def hold() -> None:
            self.dispatcher.hold()

        self.run(hold())

    @precondition(lambda self: self.held)
    @rule()
    def it_is_answered(self) -> None:
        self.held -= 1
        self.dispatcher.release()
        self.run(asyncio.sleep(0))

    @rule()
    def a_kill(self) -> None:
        self.run(self.dispatcher.close())
        self.live()

    # --- what holds always -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_went_out_that_must_not(self) -> None:
        assert self.broken == []

    @invariant()
    def what_is_stored_is_what_was_not_told(self) -> None:
        self.loop.run_until_complete(self.look_at_dead_letters())
        rows = self.loop.run_until_complete(self.store.messages())
        stored = [number_of(row.action, msgspec.json.decode(row.payload)) for row in rows]
        assert stored == self.waiting

    def teardown(self) -> None:
        """In the end everything is told, once the CSMS is there and answers."""
        if not self.online:
            self.a_connection()
        self.the_registration(True)
        while self.held:
            self.it_is_answered()
        for _ in range(10 * (len(self.waiting) + 2)):
            if self.flight is not None:
                self.the_csms_confirms()
            else:
                self.time_passes(65)
            self.run(self.look_at_dead_letters())
            if not self.waiting:
                break
        assert not self.waiting
        assert self.confirmed == sorted(self.confirmed)
        assert sorted(self.confirmed + self.given_up) == list(range(1, self.count + 1))
        self.run(self.dispatcher.close())
        self.loop.close()


def test_whatever_happens_to_the_line_nothing_is_lost_doubled_or_out_of_order() -> None:
    chosen = settings(max_examples=40, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(DispatcherMachine, settings=chosen)
