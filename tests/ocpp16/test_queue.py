"""The rules of the message queues (libocpp 3.8), value by value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ocpp16 import queue
from ocpp16.queue import Queues, Waiting, insert, next_message, seconds_until_next, thin
from ocpp16.store.rows import QueuedMessage, QueueName
from tests.support.ocpp16.doubles import START

NOW = START


def waiting(key: int, action: str = "MeterValues", *, age: float = 0, attempts: int = 0, **more: Any) -> Waiting:
    message = QueuedMessage(
        key=key,
        queue=queue.queue_of(action),
        message_id=str(key),
        action=action,
        payload=b"{}",
        timestamp=NOW - timedelta(seconds=age),
        attempts=attempts,
    )
    return Waiting(message, **more)


def queues(*entries: Waiting) -> Queues:
    made = Queues()
    for entry in entries:
        made = insert(made, entry)
    return made


def chosen(made: Queues, *, accepted: bool = True, interval: int = 10) -> int | None:
    found = next_message(made, now=NOW, accepted=accepted, retry_interval=interval)
    return found.message.key if found else None


def keys(line: tuple[Waiting, ...]) -> list[int]:
    return [entry.message.key for entry in line]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("StartTransaction", QueueName.TRANSACTION),
        ("StopTransaction", QueueName.TRANSACTION),
        ("MeterValues", QueueName.TRANSACTION),
        ("SecurityEventNotification", QueueName.TRANSACTION),
        ("BootNotification", QueueName.NORMAL),
        ("StatusNotification", QueueName.NORMAL),
        ("DataTransfer", QueueName.NORMAL),
        ("FirmwareStatusNotification", QueueName.NORMAL),
    ],
)
def test_each_action_has_its_queue(action: str, name: QueueName) -> None:
    assert queue.queue_of(action) is name


@pytest.mark.parametrize(
    ("action", "all_messages", "queueable"),
    [
        ("StartTransaction", False, True),
        ("StatusNotification", False, False),
        ("StatusNotification", True, True),
        ("Heartbeat", True, False),
        ("BootNotification", True, False),
        ("MeterValues", True, True),
    ],
)
def test_what_is_stored(action: str, all_messages: bool, queueable: bool) -> None:
    discard = frozenset({"Heartbeat", "MeterValues"})
    assert queue.is_queueable(action, queue_all_messages=all_messages, discard=discard) is queueable


@pytest.mark.parametrize(
    ("queueable", "before_accepted", "online", "accepted", "enters"),
    [
        (True, False, False, False, True),
        (False, False, False, True, False),
        (False, False, True, True, True),
        (False, False, True, False, False),
        (False, True, True, False, True),
        (False, True, False, True, False),
    ],
)
def test_which_new_messages_are_taken(
    queueable: bool, before_accepted: bool, online: bool, accepted: bool, enters: bool
) -> None:
    entering = queue.may_enter(
        action="StatusNotification",
        queueable=queueable,
        before_accepted=before_accepted,
        online=online,
        accepted=accepted,
    )
    assert entering is enters


def test_boot_notification_is_always_taken() -> None:
    assert queue.may_enter(
        action="BootNotification", queueable=False, before_accepted=False, online=False, accepted=False
    )


def test_messages_stand_by_key_and_boot_notification_first() -> None:
    made = queues(waiting(5, "Heartbeat"), waiting(3, "Heartbeat"), waiting(9, "BootNotification"), waiting(4))
    assert keys(made.normal) == [9, 3, 5]
    assert keys(made.transaction) == [4]


def test_the_older_of_the_two_heads_goes_first_and_the_transaction_message_if_they_are_equal() -> None:
    assert chosen(queues(waiting(1, "Heartbeat", age=2), waiting(2, age=1))) == 1
    assert chosen(queues(waiting(1, "Heartbeat", age=1), waiting(2, age=2))) == 2
    assert chosen(queues(waiting(1, "Heartbeat", age=1), waiting(2, age=1))) == 2


def test_boot_notification_goes_before_older_transaction_messages() -> None:
    boot = waiting(2, "BootNotification", before_accepted=True)
    assert chosen(queues(waiting(1, age=99), boot)) == 2


def test_only_the_head_of_the_transaction_queue_may_be_sent() -> None:
    head = waiting(1, age=-5, attempts=1)
    assert chosen(queues(head, waiting(2, age=9))) is None
    assert chosen(queues(head, waiting(2, age=9), waiting(3, "Heartbeat"))) == 3


def test_normal_messages_overtake_one_that_waits_for_its_repetition() -> None:
    assert chosen(queues(waiting(1, "Heartbeat", age=-5, attempts=1), waiting(2, "StatusNotification"))) == 2


def test_before_accepted_only_what_is_allowed_is_sent() -> None:
    made = queues(waiting(1, "Heartbeat"), waiting(2, "StatusNotification", before_accepted=True), waiting(3, age=9))
    assert chosen(made, accepted=False) == 2
    assert chosen(queues(waiting(1)), accepted=False) is None


def test_before_accepted_a_triggered_transaction_message_does_not_wait_for_those_before_it() -> None:
    made = queues(waiting(1, "StopTransaction", age=9), waiting(2, before_accepted=True))
    assert chosen(made, accepted=False) == 2
    assert chosen(made, accepted=True) == 1


def test_a_new_message_does_not_wait_even_if_the_clock_was_set_back_since() -> None:
    assert chosen(queues(waiting(1, age=-99999))) == 1


def test_a_repetition_waits_for_its_time_but_never_longer_than_the_rules_can_have_asked_for() -> None:
    assert chosen(queues(waiting(1, age=-20, attempts=2))) is None
    assert chosen(queues(waiting(1, age=-21, attempts=2))) == 1
    assert chosen(queues(waiting(1, age=0, attempts=2))) == 1


def test_the_time_until_the_next_repetition_is_known() -> None:
    def until(made: Queues, *, accepted: bool = True) -> float | None:
        return seconds_until_next(made, now=NOW, accepted=accepted, retry_interval=10)

    assert until(Queues()) is None
    made = queues(waiting(1, age=-7, attempts=1), waiting(2), waiting(3, "Heartbeat", age=-4, attempts=1))
    assert until(made) == 4
    assert until(made, accepted=False) is None
    assert until(queues(waiting(1))) == 0


@pytest.mark.parametrize(("attempts", "timeout"), [(0, 40), (1, 50), (4, 80)])
def test_the_response_timeout_grows_with_the_attempts(attempts: int, timeout: float) -> None:
    assert queue.response_timeout(waiting(1, attempts=attempts).message, 10) == timeout


def failed(entry: Waiting, *, sent: float = 0, attempts: int = 3, interval: int = 10) -> QueuedMessage | None:
    return queue.after_failure(
        entry, sent_at=NOW + timedelta(seconds=sent), attempts_allowed=attempts, retry_interval=interval
    )


def test_the_wait_for_a_repetition_grows_with_the_attempts_done() -> None:
    entry = waiting(1, persistent=True)
    first = failed(entry)
    assert first is not None
    assert (first.attempts, first.timestamp) == (1, NOW + timedelta(seconds=10))
    second = failed(replace(entry, message=first), sent=10)
    assert second is not None
    assert (second.attempts, second.timestamp) == (2, NOW + timedelta(seconds=30))


def test_a_message_leaves_after_its_attempts() -> None:
    assert failed(waiting(1, attempts=1, persistent=True)) is not None
    assert failed(waiting(1, attempts=2, persistent=True)) is None
    assert failed(waiting(1, persistent=True), attempts=0) is None


def test_what_is_not_stored_is_not_repeated_but_for_boot_notification() -> None:
    assert failed(waiting(1, "Heartbeat")) is None
    boot = failed(waiting(1, "BootNotification", attempts=77))
    assert boot is not None
    assert boot.timestamp == NOW + timedelta(seconds=60)


def test_the_front_of_the_normal_queue_goes_first_when_full_a_tenth_at_a_time() -> None:
    made = queues(waiting(99, "BootNotification"), *(waiting(key, "Heartbeat") for key in range(1, 21)), waiting(50))
    thinned = thin(made, 20)
    assert keys(thinned.removed) == [1, 2]
    assert keys(thinned.queues.normal)[0] == 99
    assert keys(thinned.queues.transaction) == [50]


def test_every_second_meter_values_of_each_run_goes_when_the_normal_queue_is_empty() -> None:
    actions = ["StartTransaction", *["MeterValues"] * 3, "StopTransaction", *["MeterValues"] * 4]
    made = queues(*(waiting(key, action) for key, action in enumerate(actions)))
    assert keys(thin(made, 8).removed) == [1, 3, 5, 7]


def test_the_last_element_and_starts_stops_and_security_events_never_go() -> None:
    actions = ["StartTransaction", "SecurityEventNotification", "MeterValues", "StopTransaction", "MeterValues"]
    thinned = thin(queues(*(waiting(key, action) for key, action in enumerate(actions))), 1)
    assert keys(thinned.removed) == [2]
    assert keys(thinned.queues.transaction) == [0, 1, 3, 4]


def test_within_the_limit_nothing_goes() -> None:
    made = queues(waiting(1), waiting(2, "Heartbeat"))
    assert thin(made, 2).queues == made
    assert thin(made, 2).removed == ()
