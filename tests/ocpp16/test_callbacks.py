"""How callbacks are run: async or plain, with a limit, in order, and free to call back (libocpp 2.6)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from ocpp16.callbacks import CallbackRegistry, Lanes
from ocpp16.messages import Reason
from ocpp16.tasks import TaskOwner
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def test_a_plain_callback_runs_in_a_thread_and_may_block() -> None:
    registry = CallbackRegistry()
    threads: list[bool] = []

    def blocking() -> str:
        threads.append(threading.current_thread() is threading.main_thread())
        time.sleep(0.01)
        return "done"

    registry.register("plain", blocking)
    assert await registry.ask("plain", default="not asked") == "done"
    assert threads == [False]
    registry.close()


async def test_a_callback_that_fails_or_is_late_or_missing_gives_the_default(caplog: pytest.LogCaptureFixture) -> None:
    registry = CallbackRegistry()

    async def late() -> str:
        await asyncio.sleep(1000)
        return "too late"

    def broken() -> str:
        raise ValueError("broken")

    registry.register("late", late)
    registry.register("broken", broken)
    began = asyncio.get_running_loop().time()
    assert await registry.ask("late", default="default") == "default"
    assert asyncio.get_running_loop().time() - began == pytest.approx(30)
    assert await registry.ask("broken", default="default") == "default"
    assert await registry.ask("missing", default="default") == "default"
    assert "late took longer" in caplog.text and "broken failed" in caplog.text
    registry.close()


async def test_posted_callbacks_of_a_lane_run_in_order_and_other_lanes_beside_them() -> None:
    registry, tasks, order = CallbackRegistry(), TaskOwner("test"), []
    lanes = Lanes(registry, tasks)

    async def note(text: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(text)

    registry.register("note", note)
    lanes.post(1, "note", "first of 1", 5)
    lanes.post(1, "note", "second of 1", 0)
    lanes.post(2, "note", "first of 2", 1)
    await lanes.drain()
    await asyncio.sleep(1)
    assert order == ["first of 2", "first of 1", "second of 1"]
    assert tasks.names() == []
    await tasks.close()


async def test_a_callback_may_call_the_handlers_of_its_own_connector() -> None:
    async with Station() as station:

        async def started(connector: int, session_id: str) -> None:
            await station.charge_point.on_resume_charging(connector)

        async def stop(connector: int, reason: Reason) -> bool:
            await station.end(connector, reason=reason)
            await station.charge_point.on_session_stopped(connector, "session-1")
            return True

        station.charge_point.register_transaction_started_callback(started)
        station.charge_point.register_stop_transaction_callback(stop)
        await station.boot()
        await station.begin()
        await settled()
        assert await station.csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await settled()
    assert station.csms.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]


async def test_a_callback_of_an_answer_may_ask_the_csms() -> None:
    """Callbacks are not waited for by the line, so one of them may use it."""
    answers: list[Any] = []
    async with Station() as station:

        async def updated(*args: Any) -> None:
            answers.append((await station.charge_point.authorize_id_token("TAG9")).id_tag_info.status)

        station.charge_point.register_transaction_updated_callback(updated)
        await station.boot()
        await station.begin()
        await settled(2)
    assert answers == ["Accepted"]
