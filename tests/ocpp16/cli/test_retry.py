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
