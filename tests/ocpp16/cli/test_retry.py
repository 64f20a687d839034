"""A dead letter's way back, whole: refused by the CSMS, given up, sent again by a person, accepted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ocpp16.cli.main import main
from ocpp16.store.sqlite import SqliteStore
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def test_what_the_csms_refused_is_sent_again_after_retry_and_the_transaction_gets_its_id(tmp_path: Path) -> None:
    path = tmp_path / "cp001.db"
    async with Station(store=SqliteStore(path)) as station:
        station.csms.answers["StartTransaction"] = ("InternalError", "out of order")
        await station.boot()
        await station.begin()
        await station.csms.until(lambda: len(station.csms.requests("StartTransaction")) == 3)
        await settled(5)
        await station.charge_point.close()
        assert await asyncio.to_thread(main, ["queue", "retry", "--all", "--database", str(path)]) == 0
        del station.csms.answers["StartTransaction"]
        await station.kill_and_restart(resuming=["session-1"])
        await station.csms.until(lambda: len(station.csms.requests("StartTransaction")) == 4)
        await settled()
        await station.end()
        await station.csms.wait_for("StopTransaction")
        assert station.csms.requests("StopTransaction")[-1]["transactionId"] == 4
        starts = station.csms.requests("StartTransaction")
    assert starts[3] == starts[0]


async def test_a_stop_that_was_given_up_with_its_start_gets_the_id_of_the_csms_after_retry(tmp_path: Path) -> None:
    path = tmp_path / "cp001.db"
    async with Station(store=SqliteStore(path), TransactionMessageAttempts=1) as station:
        station.csms.answers |= dict.fromkeys(
            ("StartTransaction", "StopTransaction"), ("InternalError", "out of order")
        )
        await station.boot()
        await station.begin()
        await station.end()
        await station.csms.wait_for("StopTransaction")
        await settled(5)
        await station.charge_point.close()
        assert await asyncio.to_thread(main, ["queue", "retry", "--all", "--database", str(path)]) == 0
        station.csms.answers |= {"StartTransaction": {"idTagInfo": {"status": "Accepted"}, "transactionId": 42}}
        del station.csms.answers["StopTransaction"]
        await station.kill_and_restart()
        stop = await station.csms.wait_for("StopTransaction", 2)
        await settled()
        rows = await station.store.open_transactions()
        waiting = await station.store.messages()
    assert station.csms.requests("StopTransaction")[0]["transactionId"] < 0
    assert stop == station.csms.requests("StopTransaction")[0] | {"transactionId": 42}
    assert (rows, waiting) == ([], [])


async def test_the_end_of_a_transaction_that_was_dropped_does_not_come_back_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "cp001.db"
    async with Station(store=SqliteStore(path)) as station:
        await station.boot()
        await station.begin()
        await settled()
        await station.charge_point.disconnect_websocket()
        await station.end()
        key = (await station.store.messages())[-1].key
        await station.charge_point.close()
        drop = ["queue", "drop", "--queued", str(key), "--database", str(path)]
        assert await asyncio.to_thread(main, drop) == 0
        await station.kill_and_restart()
        await settled(60)
        rows = await station.store.open_transactions()
    assert (station.csms.requests("StopTransaction"), rows) == ([], [])
