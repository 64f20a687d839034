"""The dispatcher in virtual time, against a store in memory and a central system that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ocpp16.dispatcher import (
    Answered,
    Malformed,
    MessageDispatcher,
    Offline,
    Outcome,
    Refused,
    TimedOut,
)
from ocpp16.errors import ConnectionLost, StoreError
from ocpp16.messages import (
    AuthorizeRequest,
    AvailabilityType,
    BootNotificationRequest,
    ChargePointErrorCode,
    ChargePointStatus,
    DataTransferRequest,
    HeartbeatRequest,
    MeterValue,
    MeterValuesRequest,
    Reason,
    Request,
    SampledValue,
    SecurityEventNotificationRequest,
    StartTransactionRequest,
    StatusNotificationRequest,
    StopTransactionRequest,
)
from ocpp16.store.memory import MemoryStore
from ocpp16.store.rows import Change, PutMessage, QueuedMessage, RemoveMessage, SetAvailability
from ocpp16.wire import CallError, CallResult
from tests.support.ocpp16.doubles import START, SeededRandomness, VirtualClock

pytestmark = pytest.mark.looptime(start=0)

ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
NOW = {"currentTime": "2026-01-01T12:00:00Z"}


@dataclass
class Settings:
    transaction_message_attempts: int = 3
    transaction_message_retry_interval: int = 10
    message_queue_size_threshold: int = 1000
    queue_all_messages: bool = False
    message_types_discard_for_queueing: frozenset[str] = frozenset()
    message_queue_resume_delay: float = 0.0


@dataclass
class Hooks:
    """Records what it is asked, and fills in the transaction id that the last StartTransaction.conf named."""

    transaction_id: int | None = None
    answers: list[tuple[QueuedMessage, Request, Outcome]] = field(default_factory=list)
    afterwards: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    slow: float = 0.0

    def fill_in(self, message: QueuedMessage, payload: bytes) -> bytes:
        if self.transaction_id is None or message.action not in ("StopTransaction", "MeterValues"):
            return payload
        return msgspec.json.encode({**msgspec.json.decode(payload), "transactionId": self.transaction_id})

    def on_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> Sequence[Change]:
        self.answers.append((message, request, outcome))
        if message.action == "StartTransaction" and isinstance(outcome, Answered):
            self.transaction_id = outcome.response.transaction_id  # type: ignore[attr-defined]
        return self.changes

    async def after_answer(self, message: QueuedMessage, request: Request, outcome: Outcome) -> None:
        await asyncio.sleep(self.slow)
        self.afterwards.append(message.action)


@dataclass(frozen=True)
class Sent:
    time: float
    message_id: str
    action: str
    payload: dict[str, Any]


class RecordingStore(MemoryStore):
    """Remembers every change set, and refuses on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[list[Change]] = []
        self.refuses = 0
        self.before_commit: Callable[[], None] = lambda: None

    async def apply(self, changes: Sequence[Change], *, durable: bool = True) -> None:
        self.before_commit()
        if self.refuses:
            self.refuses -= 1
            raise StoreError("disk full")
        await super().apply(changes, durable=durable)
        self.commits.append(list(changes))


class Bench:
    """A dispatcher with a central system's hand on the line."""

    def __init__(self, store: RecordingStore | None = None, *, seed: int = 1, **settings: Any) -> None:
        self.store = store or RecordingStore()
        self.settings = Settings(**settings)
        self.hooks = Hooks()
        self.clock = VirtualClock()
        self.sent: list[Sent] = []
        self._arrived: asyncio.Queue[Sent] = asyncio.Queue()
        self.write_fails = False
        self.dispatcher = MessageDispatcher(self.store, self.clock, SeededRandomness(seed), self.settings, self.hooks)

    async def send(self, frame: str, action: str) -> None:
        kind, message_id, name, payload = msgspec.json.decode(frame)
        assert (kind, name) == (2, action)
        if self.write_fails:
            raise ConnectionLost("broken pipe")
        sent = Sent(self.time, message_id, name, payload)
        self.sent.append(sent)
        self._arrived.put_nowait(sent)

    @property
    def time(self) -> float:
        return round(asyncio.get_running_loop().time(), 3)

    async def online(self, *, accepted: bool = True) -> None:
        self.dispatcher.accepted(accepted)
        self.dispatcher.connected(self.send)

    async def next(self, action: str, within: float = 3600) -> Sent:
        async with asyncio.timeout(within):
            sent = await self._arrived.get()
        assert sent.action == action
        return sent

    async def silence(self, seconds: float = 5) -> None:
        await asyncio.sleep(seconds)
        assert self._arrived.empty(), f"unexpected: {self._arrived.get_nowait()}"

    def answer(self, sent: Sent, payload: dict[str, Any] | None = None) -> bool:
        return self.dispatcher.received(CallResult(sent.message_id, msgspec.json.encode(payload or {})))

    def refuse(self, sent: Sent, code: str = "InternalError") -> bool:
        return self.dispatcher.received(CallError(sent.message_id, code, "not today"))

    async def rows(self) -> list[str]:
        return [message.action for message in await self.store.messages()]

    @property
    def actions(self) -> list[str]:
        return [sent.action for sent in self.sent]

    async def restarted(self, **settings: Any) -> Bench:
        """The process is killed and started again: the store is all that is left."""
        await self.dispatcher.close()
        again = Bench(self.store, seed=2, **settings)
        await again.dispatcher.load()
        return again


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.store.open()
    await bench.dispatcher.load()
    yield bench
    await bench.dispatcher.close()


async def opened(**settings: Any) -> Bench:
    bench = Bench(**settings)
    await bench.store.open()
    await bench.dispatcher.load()
    return bench


def start_transaction() -> StartTransactionRequest:
    return StartTransactionRequest(connector_id=1, id_tag="DEADBEEF", meter_start=100, timestamp=START)


def stop_transaction() -> StopTransactionRequest:
    return StopTransactionRequest(meter_stop=200, timestamp=START, transaction_id=-5, reason=Reason.Local)


def meter_values(value: int = 1) -> MeterValuesRequest:
    return MeterValuesRequest(
        connector_id=1, meter_value=(MeterValue(timestamp=START, sampled_value=(SampledValue(value=str(value)),)),)
    )


def status(connector: int = 1) -> StatusNotificationRequest:
    return StatusNotificationRequest(
        connector_id=connector, error_code=ChargePointErrorCode.NoError, status=ChargePointStatus.Available
    )


def boot() -> BootNotificationRequest:
    return BootNotificationRequest(charge_point_vendor="v", charge_point_model="m")


async def test_a_request_is_sent_and_its_answer_reaches_the_hooks(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction(), session_id="s1")
    sent = await bench.next("StartTransaction")
    assert sent.payload["idTag"] == "DEADBEEF"
    assert bench.answer(sent, {**ACCEPTED, "transactionId": 7})
    await bench.silence()
    [(message, request, outcome)] = bench.hooks.answers
    assert message.session_id == "s1"
    assert request == start_transaction()
    assert isinstance(outcome, Answered)
    assert await bench.rows() == []


# --- taking requests -------------------------------------------------------------------------------------------------


async def test_a_transaction_message_and_its_changes_are_one_commit_before_enqueue_returns(bench: Bench) -> None:
    change = SetAvailability(1, AvailabilityType.Inoperative)
    message = await bench.dispatcher.enqueue(start_transaction(), session_id="s1", with_changes=[change])
    assert message is not None
    assert bench.store.commits == [[PutMessage(message), change]]


async def test_offline_transaction_messages_are_kept_and_normal_ones_dropped(bench: Bench) -> None:
    assert await bench.dispatcher.enqueue(status()) is None
    assert await bench.dispatcher.enqueue(HeartbeatRequest()) is None
    for request in (start_transaction(), meter_values(), stop_transaction()):
        assert await bench.dispatcher.enqueue(request) is not None
    await bench.online()
    for action in ("StartTransaction", "MeterValues", "StopTransaction"):
        bench.answer(await bench.next(action), {**ACCEPTED, "transactionId": 1} if "Start" in action else {})
    await bench.silence()


async def test_changes_that_come_with_a_dropped_message_are_written_all_the_same(bench: Bench) -> None:
    change = SetAvailability(1, AvailabilityType.Inoperative)
    assert await bench.dispatcher.enqueue(status(), with_changes=[change]) is None
    assert bench.store.commits == [[change]]


async def test_before_accepted_only_boot_and_triggered_messages_go_out(bench: Bench) -> None:
    await bench.online(accepted=False)
    await bench.dispatcher.enqueue(start_transaction())
    assert await bench.dispatcher.enqueue(HeartbeatRequest()) is None
    await bench.dispatcher.enqueue(status(), before_accepted=True)
    bench.answer(await bench.next("StatusNotification"))
    await bench.dispatcher.enqueue(boot())
    bench.answer(await bench.next("BootNotification"), {"status": "Accepted", "interval": 300, **NOW})
    await bench.silence()
    bench.dispatcher.accepted(True)
    await bench.next("StartTransaction")


async def test_boot_notification_is_kept_offline_and_goes_first(bench: Bench) -> None:
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(boot())
    assert await bench.rows() == ["StartTransaction"]
    await bench.online()
    await bench.next("BootNotification")


async def test_a_store_that_refuses_is_the_callers_business_and_nothing_is_queued(bench: Bench) -> None:
    bench.store.refuses = 1
    with pytest.raises(StoreError):
        await bench.dispatcher.enqueue(start_transaction())
    await bench.online()
    await bench.silence()


async def test_a_caller_that_is_cancelled_while_the_store_writes_loses_nothing(bench: Bench) -> None:
    writing = asyncio.Event()
    apply = bench.store.apply

    async def slow(changes: Sequence[Change], *, durable: bool = True) -> None:
        await apply(changes, durable=durable)
        writing.set()
        await asyncio.sleep(1)

    bench.store.apply = slow  # type: ignore[method-assign]
    caller = asyncio.create_task(bench.dispatcher.enqueue(stop_transaction()))
    await writing.wait()
    caller.cancel()
    await bench.online()
    await bench.next("StopTransaction")


# --- order -----------------------------------------------------------------------------------------------------------


async def test_one_call_is_in_flight_at_a_time(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(meter_values())
    first = await bench.next("StartTransaction")
    assert bench.dispatcher.in_flight is not None
    await bench.silence()
    bench.answer(first, {**ACCEPTED, "transactionId": 7})
    await bench.next("MeterValues")


async def test_the_next_call_waits_until_the_consequences_of_the_answer_are_done(bench: Bench) -> None:
    bench.hooks.slow = 3
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(stop_transaction())
    bench.answer(await bench.next("StartTransaction"), {**ACCEPTED, "transactionId": 7})
    stop = await bench.next("StopTransaction")
    assert stop.time == 3
    assert stop.payload["transactionId"] == 7


async def test_status_reports_of_a_reconnect_come_after_older_transaction_messages(bench: Bench) -> None:
    await bench.dispatcher.enqueue(meter_values(1))
    await bench.dispatcher.enqueue(meter_values(2))
    await asyncio.sleep(60)
    await bench.online()
    await bench.dispatcher.enqueue(status(0))
    await bench.dispatcher.enqueue(status(1))
    await asyncio.sleep(1)
    await bench.dispatcher.enqueue(meter_values(3))
    expected = ["MeterValues", "MeterValues", "StatusNotification", "StatusNotification", "MeterValues"]
    for action in expected:
        bench.answer(await bench.next(action))


async def test_no_call_is_sent_while_a_call_of_the_csms_is_being_answered(bench: Bench) -> None:
    await bench.online()
    bench.dispatcher.hold()
    bench.dispatcher.hold()
    await bench.dispatcher.enqueue(status())
    await bench.silence()
    bench.dispatcher.release()
    await bench.silence()
    bench.dispatcher.release()
    await bench.next("StatusNotification")


async def test_calls_of_the_csms_that_never_end_keep_own_calls_back_for_ten_seconds_only(bench: Bench) -> None:
    await bench.online()
    bench.dispatcher.hold()
    await bench.dispatcher.enqueue(status())
    sent = await bench.next("StatusNotification", within=11)
    assert sent.time == 10


async def test_a_hold_that_comes_while_the_store_writes_still_keeps_the_call_back(bench: Bench) -> None:
    await bench.online()
    bench.hooks.transaction_id = 7

    def hold() -> None:
        if bench.store.commits:
            bench.dispatcher.hold()
            bench.store.before_commit = lambda: None

    bench.store.before_commit = hold
    await bench.dispatcher.enqueue(meter_values())
    await bench.silence()
    bench.dispatcher.release()
    sent = await bench.next("MeterValues")
    bench.answer(sent)
    await bench.silence()
    assert await bench.rows() == []


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_the_removal_and_what_the_answer_changes_are_one_commit(bench: Bench) -> None:
    change = SetAvailability(1, AvailabilityType.Inoperative)
    bench.hooks.changes = [change]
    await bench.online()
    message = await bench.dispatcher.enqueue(start_transaction())
    assert message is not None
    bench.answer(await bench.next("StartTransaction"), {**ACCEPTED, "transactionId": 7})
    await asyncio.sleep(1)
    assert bench.store.commits[-1] == [RemoveMessage(message.key), change]


async def test_the_filled_in_payload_is_stored_before_the_first_byte_is_sent(bench: Bench) -> None:
    stored: list[bytes] = []
    bench.hooks.transaction_id = 7
    send = bench.send

    async def send_and_look(frame: str, action: str) -> None:
        stored.extend(message.payload for message in await bench.store.messages())
        await send(frame, action)

    bench.dispatcher.accepted(True)
    bench.dispatcher.connected(send_and_look)
    await bench.dispatcher.enqueue(stop_transaction())
    sent = await bench.next("StopTransaction")
    assert sent.payload["transactionId"] == 7
    assert [msgspec.json.decode(payload) for payload in stored] == [sent.payload]


async def test_an_answer_to_nothing_is_not_taken(bench: Bench) -> None:
    await bench.online()
    assert not bench.dispatcher.received(CallResult("unknown", b"{}"))
    assert not bench.dispatcher.received(CallError("unknown", "InternalError", ""))
    await bench.dispatcher.enqueue(status())
    sent = await bench.next("StatusNotification")
    assert not bench.dispatcher.received(CallResult("unknown", b"{}"))
    assert bench.answer(sent)
    assert not bench.answer(sent)


async def test_a_malformed_answer_ends_the_call_at_once_and_the_queue_goes_on(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(HeartbeatRequest())
    await asyncio.sleep(0.1)
    await bench.dispatcher.enqueue(meter_values())
    bench.answer(await bench.next("Heartbeat"), {"currentTime": "yesterday"})
    meter = await bench.next("MeterValues", within=1)
    bench.dispatcher.received(CallResult(meter.message_id, b"[]"))
    await bench.silence(300)
    assert [type(outcome) for _, _, outcome in bench.hooks.answers] == [Malformed, Malformed]
    assert await bench.rows() == []


async def test_a_start_transaction_whose_answer_cannot_be_read_is_sent_again(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    first = await bench.next("StartTransaction")
    bench.answer(first, ACCEPTED)
    again = await bench.next("StartTransaction")
    assert again.payload == first.payload
    assert again.message_id != first.message_id
    assert again.time == 10


async def test_it_can_be_waited_for_that_answers_have_had_their_consequences(bench: Bench) -> None:
    bench.hooks.slow = 3
    await bench.online()
    await bench.dispatcher.settled()
    await bench.dispatcher.enqueue(start_transaction())
    sent = await bench.next("StartTransaction")
    await bench.dispatcher.settled()
    assert bench.time == 0
    bench.answer(sent, {**ACCEPTED, "transactionId": 7})
    await bench.dispatcher.settled()
    assert bench.time == 3
    assert bench.hooks.afterwards == ["StartTransaction"]


async def test_hooks_that_fail_do_not_stop_the_queue(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*args: object) -> Any:
        raise RuntimeError("oops")

    bench.hooks.on_answer = fail  # type: ignore[method-assign]
    bench.hooks.fill_in = fail  # type: ignore[method-assign]
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    sent = await bench.next("StopTransaction")
    assert sent.payload["transactionId"] == -5
    bench.answer(sent)
    await asyncio.sleep(1)
    [letter] = await bench.store.dead_letters()
    assert letter.message.action == "StopTransaction"
    assert "oops" in letter.reason
    bench.hooks.on_answer = lambda *args: []  # type: ignore[method-assign]
    bench.hooks.after_answer = fail  # type: ignore[method-assign]
    await bench.dispatcher.enqueue(status())
    bench.answer(await bench.next("StatusNotification"))
    await bench.dispatcher.enqueue(status())
    await bench.next("StatusNotification")


async def test_changes_that_no_store_can_take_do_not_hold_up_the_queue(bench: Bench) -> None:
    bench.hooks.changes = [SetAvailability(2**70, AvailabilityType.Operative)]
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    await bench.dispatcher.enqueue(meter_values())
    bench.answer(await bench.next("StopTransaction"))
    await bench.next("MeterValues", within=1)
    [letter] = await bench.store.dead_letters()
    assert "64 bits" in letter.reason
    assert await bench.rows() == ["MeterValues"]


async def test_nothing_is_sent_before_its_id_is_stored(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    bench.refuse(await bench.next("StopTransaction"))
    await asyncio.sleep(1)
    bench.store.refuses = 3
    again = await bench.next("StopTransaction")
    assert again.time == 10 + 1 + 2 + 5
    assert [row.message_id for row in await bench.store.messages()] == [again.message_id]


async def test_nothing_is_sent_while_the_store_cannot_take_the_answer(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(stop_transaction())
    start = await bench.next("StartTransaction")
    bench.store.refuses = 3
    bench.answer(start, {**ACCEPTED, "transactionId": 7})
    stop = await bench.next("StopTransaction")
    assert stop.time == 1 + 2 + 5


# --- time-outs, refusals, repetitions --------------------------------------------------------------------------------


async def test_no_answer_ends_attempt_n_after_30_s_and_n_intervals(bench: Bench) -> None:
    """The retry is due interval x n after the last one; by then that is long past, so it goes out at once."""
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    sent = [await bench.next("StopTransaction") for _ in range(3)]
    assert [attempt.time for attempt in sent] == [0, 40, 90]
    assert len({attempt.message_id for attempt in sent}) == 3
    assert len({msgspec.json.encode(attempt.payload) for attempt in sent}) == 1
    await bench.silence(3600)
    assert isinstance(bench.hooks.answers[0][2], TimedOut)


async def test_refusals_are_repeated_after_growing_waits_and_then_given_up(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction(), session_id="s1")
    await bench.dispatcher.enqueue(meter_values())
    times, ids = [], set()
    for _ in range(3):
        sent = await bench.next("StopTransaction")
        times.append(sent.time)
        ids.add(sent.message_id)
        bench.refuse(sent)
    assert times == [0, 10, 30]
    assert len(ids) == 3
    await bench.next("MeterValues", within=1)
    [letter] = await bench.store.dead_letters()
    assert (letter.message.action, letter.message.session_id) == ("StopTransaction", "s1")
    assert "InternalError not today" in letter.reason
    assert await bench.rows() == ["MeterValues"]
    assert isinstance(bench.hooks.answers[0][2], Refused)
    assert bench.hooks.afterwards == ["StopTransaction"]


async def test_with_an_interval_of_0_repetitions_follow_at_once() -> None:
    bench = await opened(transaction_message_retry_interval=0)
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    for _ in range(3):
        sent = await bench.next("StopTransaction")
        assert sent.time == 0
        bench.refuse(sent)
    await bench.dispatcher.close()


async def test_while_a_repetition_waits_later_transaction_messages_wait_and_normal_ones_go(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(stop_transaction())
    bench.refuse(await bench.next("StartTransaction"))
    await bench.dispatcher.enqueue(status())
    bench.answer(await bench.next("StatusNotification", within=1))
    again = await bench.next("StartTransaction")
    assert again.time == 10
    bench.answer(again, {**ACCEPTED, "transactionId": 7})
    assert (await bench.next("StopTransaction")).payload["transactionId"] == 7


async def test_after_a_long_time_offline_a_refused_message_still_has_its_waits(bench: Bench) -> None:
    await bench.dispatcher.enqueue(stop_transaction())
    await asyncio.sleep(3600)
    await bench.online()
    bench.refuse(await bench.next("StopTransaction"))
    assert (await bench.next("StopTransaction")).time == 3610


async def test_a_wall_clock_that_is_set_back_does_not_hold_up_a_repetition(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    bench.refuse(await bench.next("StopTransaction"))
    bench.clock.set(START - timedelta(days=1000))
    await bench.next("StopTransaction", within=60)


async def test_a_wall_clock_that_is_set_back_does_not_use_up_the_attempts_in_one_go() -> None:
    bench = await opened(transaction_message_attempts=4)
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    bench.refuse(await bench.next("StopTransaction"))
    bench.clock.set(START - timedelta(days=1000))
    again = await bench.next("StopTransaction", within=60)
    bench.refuse(again)
    third = await bench.next("StopTransaction", within=60)
    assert third.time - again.time == 20
    await bench.dispatcher.close()


async def test_a_refused_normal_message_is_dropped_and_its_hook_told(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(status())
    bench.refuse(await bench.next("StatusNotification"))
    await bench.silence(300)
    assert isinstance(bench.hooks.answers[0][2], Refused)
    assert await bench.store.dead_letters() == []


async def test_boot_notification_is_repeated_every_60_s_without_limit(bench: Bench) -> None:
    await bench.online(accepted=False)
    await bench.dispatcher.enqueue(boot())
    times, ids = [], set()
    for _ in range(5):
        sent = await bench.next("BootNotification")
        times.append(sent.time)
        ids.add(sent.message_id)
        bench.refuse(sent)
    assert times == [0, 60, 120, 180, 240]
    assert len(ids) == 5


async def test_a_new_boot_notification_stands_for_one_that_waits_to_be_repeated(bench: Bench) -> None:
    await bench.online(accepted=False)
    await bench.dispatcher.enqueue(boot())
    bench.refuse(await bench.next("BootNotification"))
    await asyncio.sleep(10)
    await bench.dispatcher.enqueue(boot())
    bench.answer(await bench.next("BootNotification"), {"status": "Accepted", "interval": 300, **NOW})
    await bench.silence(600)


async def test_changed_attempts_take_effect_at_once(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    bench.refuse(await bench.next("StopTransaction"))
    bench.settings.transaction_message_attempts = 2
    bench.refuse(await bench.next("StopTransaction"))
    await bench.silence(3600)


async def test_a_late_answer_stops_the_repetition_that_waits() -> None:
    bench = await opened(transaction_message_retry_interval=100, transaction_message_attempts=9)
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    first = await bench.next("StartTransaction")
    bench.refuse(first)
    await bench.silence(50)
    assert bench.answer(first, {**ACCEPTED, "transactionId": 7})
    await bench.silence(3600)
    assert bench.hooks.transaction_id == 7
    assert await bench.rows() == []
    await bench.dispatcher.close()


async def test_the_consequences_of_a_late_answer_can_be_waited_for() -> None:
    bench = await opened(transaction_message_retry_interval=100, transaction_message_attempts=9)
    bench.hooks.slow = 3
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    first = await bench.next("StartTransaction")
    bench.refuse(first)
    await bench.silence(50)
    bench.answer(first, {**ACCEPTED, "transactionId": 7})
    await bench.dispatcher.settled()
    assert bench.hooks.afterwards == ["StartTransaction"]
    await bench.dispatcher.close()


async def test_a_late_answer_is_not_waited_for_while_another_message_is_in_flight() -> None:
    bench = await opened(transaction_message_retry_interval=100, transaction_message_attempts=9)
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    first = await bench.next("StartTransaction")
    bench.refuse(first)
    await bench.silence(20)
    await bench.dispatcher.enqueue(HeartbeatRequest())
    heartbeat = await bench.next("Heartbeat")
    bench.answer(first, {**ACCEPTED, "transactionId": 7})
    before = bench.time
    await bench.dispatcher.settled()
    assert bench.time == before
    bench.answer(heartbeat, NOW)
    await bench.silence(3600)
    assert bench.hooks.transaction_id == 7
    await bench.dispatcher.close()


async def test_a_late_answer_counts_while_the_repetition_is_in_flight(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    await bench.dispatcher.enqueue(stop_transaction())
    first = await bench.next("StartTransaction")
    second = await bench.next("StartTransaction")
    assert bench.answer(first, {**ACCEPTED, "transactionId": 7})
    await bench.next("StopTransaction", within=1)
    assert not bench.answer(second, {**ACCEPTED, "transactionId": 8})
    assert bench.hooks.transaction_id == 7


async def test_a_late_refusal_is_ignored(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(start_transaction())
    first = await bench.next("StartTransaction")
    second = await bench.next("StartTransaction")
    assert not bench.refuse(first)
    assert bench.answer(second, {**ACCEPTED, "transactionId": 8})


# --- loss of the connection ------------------------------------------------------------------------------------------


async def test_a_lost_connection_costs_no_attempt_and_keeps_id_and_payload(bench: Bench) -> None:
    bench.settings.transaction_message_attempts = 1
    bench.hooks.transaction_id = 7
    await bench.dispatcher.enqueue(stop_transaction())
    sent = []
    for _ in range(5):
        await bench.online()
        sent.append(await bench.next("StopTransaction"))
        bench.hooks.transaction_id = 99
        bench.dispatcher.disconnected()
    assert len({(attempt.message_id, msgspec.json.encode(attempt.payload)) for attempt in sent}) == 1
    await bench.online()
    bench.answer(await bench.next("StopTransaction"))
    await bench.silence()
    assert await bench.store.dead_letters() == []


async def test_a_write_that_fails_costs_no_attempt_and_waits_for_the_next_connection(bench: Bench) -> None:
    bench.settings.transaction_message_attempts = 1
    bench.write_fails = True
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    await bench.silence(3600)
    bench.write_fails = False
    bench.dispatcher.disconnected()
    await bench.online()
    bench.answer(await bench.next("StopTransaction"))
    await bench.silence()
    assert await bench.store.dead_letters() == []


async def test_a_refused_message_that_waits_keeps_its_id_on_a_new_connection(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    first = await bench.next("StopTransaction")
    bench.refuse(first)
    bench.dispatcher.disconnected()
    await bench.online()
    again = await bench.next("StopTransaction")
    assert (again.message_id, again.time) == (first.message_id, 10)


async def test_an_answer_that_comes_on_the_next_connection_to_an_earlier_id_is_ignored(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    first = await bench.next("StopTransaction")
    await bench.next("StopTransaction")
    bench.dispatcher.disconnected()
    await bench.online()
    await bench.next("StopTransaction")
    assert not bench.answer(first)


async def test_a_normal_message_in_flight_is_dropped_with_the_connection_and_waiting_ones_stay(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(HeartbeatRequest())
    await bench.dispatcher.enqueue(status())
    await bench.next("Heartbeat")
    bench.dispatcher.disconnected()
    await bench.online()
    await bench.next("StatusNotification")
    assert isinstance(bench.hooks.answers[0][2], Offline)


async def test_after_a_reconnect_the_queue_waits_for_the_resume_delay(bench: Bench) -> None:
    bench.settings.message_queue_resume_delay = 20
    await bench.online()
    await bench.dispatcher.enqueue(status())
    assert (await bench.next("StatusNotification")).time == 0
    bench.dispatcher.disconnected()
    await bench.online()
    await bench.dispatcher.enqueue(status())
    assert (await bench.next("StatusNotification")).time == 20


# --- restart ---------------------------------------------------------------------------------------------------------


async def test_after_a_restart_messages_go_out_in_their_order(bench: Bench) -> None:
    for request in (start_transaction(), meter_values(1), meter_values(2), stop_transaction()):
        await bench.dispatcher.enqueue(request, session_id="s1")
    again = await bench.restarted()
    await again.online()
    for action in ("StartTransaction", "MeterValues", "MeterValues", "StopTransaction"):
        again.answer(await again.next(action), {**ACCEPTED, "transactionId": 7} if "Start" in action else {})
    await again.silence()
    assert [sent.payload.get("transactionId") for sent in again.sent] == [None, 7, 7, 7]
    assert {message.session_id for message, _, _ in again.hooks.answers} == {"s1"}
    await again.dispatcher.close()


async def test_a_message_sent_before_the_kill_goes_out_again_with_the_same_id_and_payload(bench: Bench) -> None:
    bench.hooks.transaction_id = 7
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    before = await bench.next("StopTransaction")
    again = await bench.restarted()
    again.hooks.transaction_id = 99
    await again.online()
    after = await again.next("StopTransaction")
    assert (after.message_id, after.payload) == (before.message_id, before.payload)
    await again.dispatcher.close()


async def test_a_repetition_sent_before_the_kill_goes_out_again_with_its_own_id(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    first = await bench.next("StopTransaction")
    bench.refuse(first)
    second = await bench.next("StopTransaction")
    again = await bench.restarted()
    await again.online()
    assert (await again.next("StopTransaction")).message_id == second.message_id != first.message_id
    await again.dispatcher.close()


async def test_attempts_are_counted_across_a_kill(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    for _ in range(2):
        bench.refuse(await bench.next("StopTransaction"))
    await asyncio.sleep(1)
    again = await bench.restarted()
    await again.online()
    again.refuse(await again.next("StopTransaction"))
    await again.silence(3600)
    assert len(await again.store.dead_letters()) == 1
    await again.dispatcher.close()


async def test_a_kill_between_answer_and_commit_sends_again_and_a_kill_after_it_does_not(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    sent = await bench.next("StopTransaction")
    bench.store.refuses = 1
    bench.answer(sent)
    await asyncio.sleep(0.5)
    again = await bench.restarted()
    await again.online()
    resent = await again.next("StopTransaction")
    assert resent.message_id == sent.message_id
    again.answer(resent)
    await asyncio.sleep(0.5)
    third = await again.restarted()
    await third.online()
    await third.silence(300)
    await third.dispatcher.close()


async def test_restored_messages_wait_for_registration(bench: Bench) -> None:
    await bench.dispatcher.enqueue(stop_transaction())
    again = await bench.restarted()
    await again.online(accepted=False)
    await again.silence()
    again.dispatcher.accepted(True)
    await again.next("StopTransaction")
    await again.dispatcher.close()


async def test_a_row_that_cannot_be_read_becomes_a_dead_letter_and_the_rest_goes_on(bench: Bench) -> None:
    message = await bench.dispatcher.enqueue(stop_transaction())
    assert message is not None
    await bench.dispatcher.enqueue(meter_values())
    await bench.store.apply([PutMessage(msgspec.structs.replace(message, payload=b'{"transactionId":1}'))])
    again = await bench.restarted()
    await again.online()
    await again.next("MeterValues")
    [letter] = await again.store.dead_letters()
    assert letter.message.key == message.key
    await again.dispatcher.close()


async def test_stored_security_events_are_discarded_when_they_are_disabled(bench: Bench) -> None:
    await bench.dispatcher.enqueue(SecurityEventNotificationRequest(type="StartupOfTheDevice", timestamp=START))
    await bench.dispatcher.enqueue(stop_transaction())
    await bench.dispatcher.close()
    again = Bench(bench.store, seed=2)
    await again.dispatcher.load(discard_security_events=True)
    assert await again.rows() == ["StopTransaction"]
    await again.online()
    await again.next("StopTransaction")
    await again.dispatcher.close()


# --- QueueAllMessages ------------------------------------------------------------------------------------------------


async def test_with_queue_all_messages_normal_ones_survive_offline_and_restart() -> None:
    bench = await opened(queue_all_messages=True, message_types_discard_for_queueing=frozenset({"Heartbeat"}))
    assert await bench.dispatcher.enqueue(HeartbeatRequest()) is None
    await bench.dispatcher.enqueue(status())
    await bench.dispatcher.enqueue(boot())
    assert await bench.rows() == ["StatusNotification"]
    again = await bench.restarted(queue_all_messages=True)
    await again.online()
    bench.refuse(sent := await again.next("StatusNotification"))
    again.refuse(sent)
    sent = await again.next("StatusNotification")
    assert sent.time == 10
    again.answer(sent)
    await again.silence()
    assert await again.rows() == []
    await again.dispatcher.close()


async def test_without_queue_all_messages_stored_normal_ones_are_sent_once_more_and_forgotten() -> None:
    bench = await opened(queue_all_messages=True)
    await bench.dispatcher.enqueue(status())
    again = await bench.restarted()
    assert await again.rows() == []
    await again.online()
    again.refuse(await again.next("StatusNotification"))
    await again.silence(300)
    await again.dispatcher.close()


# --- size ------------------------------------------------------------------------------------------------------------


async def test_a_full_queue_thins_meter_values_and_their_rows_but_never_starts_and_stops() -> None:
    bench = await opened(message_queue_size_threshold=6)
    await bench.dispatcher.enqueue(start_transaction())
    for value in range(5):
        await bench.dispatcher.enqueue(meter_values(value))
    await bench.dispatcher.enqueue(stop_transaction())
    rows = await bench.store.messages()
    values = [msgspec.json.decode(row.payload)["meterValue"][0]["sampledValue"][0]["value"] for row in rows[1:-1]]
    assert (rows[0].action, values, rows[-1].action) == ("StartTransaction", ["1", "3"], "StopTransaction")
    assert [waiting.message.key for waiting in bench.dispatcher.queues.transaction] == [row.key for row in rows]
    await bench.dispatcher.close()


async def test_a_caller_whose_request_is_dropped_for_size_is_told_offline() -> None:
    bench = await opened(message_queue_size_threshold=1)
    await bench.online()
    bench.dispatcher.hold()
    first = asyncio.create_task(bench.dispatcher.call(AuthorizeRequest(id_tag="A")))
    await asyncio.sleep(1)
    second = asyncio.create_task(bench.dispatcher.call(AuthorizeRequest(id_tag="B")))
    assert await first == Offline()
    bench.dispatcher.release()
    bench.answer(await bench.next("Authorize"), ACCEPTED)
    assert isinstance(await second, Answered)
    await bench.dispatcher.close()


# --- synchronous calls -----------------------------------------------------------------------------------------------


async def call(bench: Bench, request: Request | None = None) -> asyncio.Task[Outcome]:
    task = asyncio.create_task(bench.dispatcher.call(request or AuthorizeRequest(id_tag="DEADBEEF")))
    await asyncio.sleep(0)
    return task


async def test_a_synchronous_call_returns_its_answer_without_row_and_without_hooks(bench: Bench) -> None:
    await bench.online()
    outcome = await call(bench)
    bench.answer(await bench.next("Authorize"), ACCEPTED)
    answered = await outcome
    assert isinstance(answered, Answered)
    assert answered.response.id_tag_info.status == "Accepted"  # type: ignore[attr-defined]
    assert bench.store.commits == []
    assert bench.hooks.answers == []


async def test_a_synchronous_call_is_offline_at_once_without_connection_or_registration(bench: Bench) -> None:
    assert await bench.dispatcher.call(AuthorizeRequest(id_tag="A")) == Offline()
    await bench.online(accepted=False)
    assert await bench.dispatcher.call(AuthorizeRequest(id_tag="A")) == Offline()
    assert bench.time == 0


async def test_synchronous_calls_waiting_and_in_flight_end_at_once_with_the_connection(bench: Bench) -> None:
    await bench.online()
    in_flight, waiting = await call(bench), await call(bench)
    await bench.next("Authorize")
    bench.dispatcher.disconnected()
    assert [await in_flight, await waiting] == [Offline(), Offline()]
    assert bench.time == 0
    await bench.online()
    await bench.silence()


async def test_a_synchronous_call_gets_a_refusal_and_a_malformed_answer_as_they_are(bench: Bench) -> None:
    await bench.online()
    refused = await call(bench)
    bench.refuse(await bench.next("Authorize"), "NotSupported")
    assert await refused == Refused("NotSupported", "not today")
    malformed = await call(bench, DataTransferRequest(vendor_id="v"))
    bench.answer(await bench.next("DataTransfer"), {"status": "Perhaps"})
    assert isinstance(await malformed, Malformed)
    await bench.silence(300)


async def test_a_synchronous_call_waits_60_s_altogether(bench: Bench) -> None:
    bench.settings.transaction_message_retry_interval = 60
    await bench.online()
    in_flight = await call(bench)
    sent = await bench.next("Authorize")
    await asyncio.sleep(10)
    waiting = await call(bench)
    assert await in_flight == TimedOut()
    assert bench.time == 60
    assert await waiting == TimedOut()
    assert bench.time == 70
    await bench.dispatcher.enqueue(status())
    assert bench.answer(sent, ACCEPTED)
    await bench.next("StatusNotification", within=1)
    await bench.silence(300)
    assert bench.actions == ["Authorize", "StatusNotification"]


async def test_a_cancelled_caller_takes_its_request_along(bench: Bench) -> None:
    await bench.online()
    bench.dispatcher.hold()
    waiting = await call(bench)
    waiting.cancel()
    await asyncio.sleep(0)
    bench.dispatcher.release()
    await bench.silence(300)


async def test_closing_gives_up_a_store_that_hangs(bench: Bench) -> None:
    async def hang(changes: Sequence[Change], *, durable: bool = True) -> None:
        await asyncio.Event().wait()

    bench.store.apply = hang  # type: ignore[method-assign]
    caller = asyncio.create_task(bench.dispatcher.enqueue(stop_transaction()))
    await asyncio.sleep(0)
    await bench.dispatcher.close()
    assert bench.time == 5
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_closing_tells_callers_offline_and_keeps_the_rows(bench: Bench) -> None:
    await bench.online()
    await bench.dispatcher.enqueue(stop_transaction())
    waiting = await call(bench)
    await bench.next("StopTransaction")
    await bench.dispatcher.close()
    assert await waiting == Offline()
    assert await bench.rows() == ["StopTransaction"]
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("ocpp16")] == []
