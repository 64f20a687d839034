"""The dispatcher in virtual time, against a store in memory and a central system that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
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
from ocpp16.store.rows import Change, PutTransaction, QueuedMessage, SetAvailability, TransactionRow
from ocpp16.messages import AvailabilityType
from ocpp16.wire import CallError, CallResult
from tests.support.ocpp16.doubles import START, SeededRandomness, VirtualClock

pytestmark = pytest.mark.looptime

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


class Bench:
    """A dispatcher with a central system's hand on the line."""

    def __init__(self, store: MemoryStore | None = None, **settings: Any) -> None:
        self.store = store or MemoryStore()
        self.settings = Settings(**settings)
        self.hooks = Hooks()
        self.clock = VirtualClock()
        self.sent: list[Sent] = []
        self._arrived: asyncio.Queue[Sent] = asyncio.Queue()
        self.write_fails = False
        self.dispatcher = MessageDispatcher(
            self.store, self.clock, SeededRandomness(len(vars(self))), self.settings, self.hooks
        )
        self.start = asyncio.get_running_loop().time()

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
        return round(asyncio.get_running_loop().time() - self.start, 3)

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


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.store.open()
    await bench.dispatcher.load()
    yield bench
    await bench.dispatcher.close()


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
