"""What the demo believes about its EVSEs follows what they tell, also over a restart of the modules."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from everest.demo.story import Line
from everest.demo.watch import Watch
from everest.runtime import MemoryBroker, Message

TOPIC = "everest/modules/evse/impl/evse/var/session_event"
READY = Message("everest/modules/evse/ready", b'{"data": true}')


def watch() -> Watch:
    context = SimpleNamespace(transport=MemoryBroker().transport, everest_prefix="everest/", external_prefix="")

    def tell(line: Line) -> None:
        raise AssertionError(line)

    return Watch(cast("Any", context), {"evse": 1}, tell)


def hear(watch: Watch, kind: str) -> None:
    meter = {"energy_Wh_import": {"total": 0}}
    event = {
        "event": kind,
        "session_started": {"reason": "EVConnected"},
        "transaction_started": {"id_tag": {"id_token": {"value": "TAG"}}, "meter_value": meter},
        "transaction_finished": {"meter_value": meter},
    }
    message = Message(TOPIC, json.dumps({"data": {"data": event}}).encode())
    list(watch._take(message))


@pytest.mark.parametrize(
    ("kinds", "still_open"),
    [
        (["SessionStarted", "TransactionStarted", "TransactionFinished"], [1]),
        (["SessionStarted", "TransactionStarted", "TransactionFinished", "SessionFinished"], []),
        (["SessionStarted", "TransactionStarted", "ready"], []),
        (["SessionStarted", "TransactionStarted", "ready", "SessionResumed"], [1]),
        (["SessionStarted", "TransactionStarted", "ready", "SessionResumed", "TransactionFinished"], []),
        (["SessionStarted", "ready", "SessionStarted"], [1]),
    ],
)
async def test_a_session_is_open_until_it_ends_or_a_restart_ends_it(kinds: list[str], still_open: list[int]) -> None:
    seen = watch()
    for kind in kinds:
        if kind == "ready":
            list(seen._take(READY))
        else:
            hear(seen, kind)
    assert seen.open_sessions() == still_open


@pytest.mark.parametrize(
    ("kinds", "idle"),
    [
        (["SessionStarted"], []),
        (["SessionStarted", "SessionFinished"], [1]),
        (["SessionStarted", "TransactionStarted", "TransactionFinished", "SessionFinished"], []),
        (["SessionStarted", "TransactionStarted", "ready", "SessionResumed", "TransactionFinished"], []),
    ],
)
async def test_a_session_that_ends_without_a_transaction_has_not_reached_its_end(
    kinds: list[str], idle: list[int]
) -> None:
    seen = watch()
    for kind in kinds:
        if kind == "ready":
            list(seen._take(READY))
        else:
            hear(seen, kind)
    assert seen.idle_sessions() == idle
