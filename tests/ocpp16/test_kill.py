"""A station killed at any await point of a session loses nothing and doubles nothing (the durability invariant).

The fuse counts every touch of store and socket, before and after it; at the chosen one the process is dead: nothing it
still tries has an effect. Then another process starts on the same database, and the central system's record is judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocpp16.connection.options import ConnectionOptions
from ocpp16.ports import Connection, Store
from ocpp16.store.memory import MemoryStore
from ocpp16.store.sqlite import SqliteStore
from tests.support.ocpp16_station import Got, Station, settled

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(100)]

KEYS = {"MeterValueSampleInterval": 10, "StopTxnSampledData": "Energy.Active.Import.Register"}
NEVER = 10**9


class Fuse:
    """Counts points from `arm` on; at point `blows_at` everything stops for ever."""

    def __init__(self, blows_at: int) -> None:
        self.blows_at = blows_at
        self.points = 0
        self.armed = False
        self.dead = asyncio.Event()
        self.buried = asyncio.Event()
        """Set to get rid of what still waits, without any effect."""

    async def point(self) -> None:
        if self.armed and not self.dead.is_set():
            self.points += 1
            if self.points == self.blows_at:
                self.dead.set()
        if self.dead.is_set():
            await self.buried.wait()
            raise asyncio.CancelledError


class Fused:
    """A store or connection whose every call is a point before and after; closing still works, to free the files."""

    def __init__(self, inner: Any, fuse: Fuse, calls: frozenset[str]) -> None:
        self._inner, self._fuse, self._calls = inner, fuse, calls

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in self._calls:
            return attribute

        async def call(*args: Any, **options: Any) -> Any:
            await self._fuse.point()
            result = await attribute(*args, **options)
            await self._fuse.point()
            return result

        return call


STORE_CALLS = frozenset({"apply", "next_key", "samples", "messages", "open_transactions"})


class Victim(Station):
    """A station whose process dies at a point of the fuse."""

    def __init__(self, fuse: Fuse, make_store: Callable[[], Store]) -> None:
        self.fuse = fuse
        self.make_store = make_store
        super().__init__(store=Fused(make_store(), fuse, STORE_CALLS), **KEYS)  # type: ignore[arg-type]
        dial = self.csms.dial

        async def fused_dial(options: ConnectionOptions) -> Connection:
            connection: Connection = Fused(await dial(options), fuse, frozenset({"send"}))  # type: ignore[assignment]
            return connection

        self.charge_point._dialer = fused_dial

    async def session(self) -> None:
        """What the EVSE tells; waits for the answers in between, so that every message has its points."""
        await self.begin(meter=100.4)
        await self.read_meter(450.7)
        await settled(10.5)
        await self.read_meter(900.2)
        await settled(10)
        await self.end(meter=1100.4)
        await settled()

    async def live_until_dead(self) -> bool:
        """Run the session; True if the fuse blew in it."""
        await self.boot()
        self.fuse.armed = True
        session = asyncio.get_running_loop().create_task(self.session())
        dead = asyncio.get_running_loop().create_task(self.fuse.dead.wait())
        await asyncio.wait({session, dead}, return_when=asyncio.FIRST_COMPLETED)
        self.fuse.buried.set()
        for task in (session, dead):
            task.cancel()
        await asyncio.wait({session, dead})
        self.fuse.armed = False
        await self.charge_point.close()
        return self.fuse.dead.is_set()

    async def live_again(self, resuming: list[str]) -> None:
        self.store = self.make_store()
        self.charge_point = self.make()
        await self.charge_point.start(resuming_session_ids=resuming)
        await settled(5)


def transaction_ids(station: Station) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A central system that knows a repeated message id: one transaction id per StartTransaction message."""
    ids: dict[str, int] = {}

    def answer(payload: dict[str, Any]) -> dict[str, Any]:
        number = ids.setdefault(station.csms.got[-1].message_id, len(ids) + 501)
        return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}

    return answer


def distinct(got: list[Got], *members: str) -> set[tuple[Any, ...]]:
    return {tuple(one.payload.get(member) for member in members) for one in got}


def judge(station: Station, point: int, *, ended_by: set[str]) -> None:
    """The invariant of design.md section 5."""
    starts = [got for got in station.csms.got if got.action == "StartTransaction"]
    stops = [got for got in station.csms.got if got.action == "StopTransaction"]
    samples = [got for got in station.csms.got if got.action == "MeterValues"]
    where = f"killed at point {point}"
    if not starts:
        assert not stops and not samples, where
        return
    assert len(distinct(starts, "connectorId", "idTag", "timestamp", "meterStart")) == 1, where
    assert len({got.message_id for got in starts}) == 1, where
    assert len(distinct(stops, "transactionId", "meterStop", "timestamp", "reason")) == 1, where
    assert len({got.message_id for got in stops}) == 1, where
    stop = stops[0].payload
    assert stop["transactionId"] == 501, where
    assert stop["reason"] in ended_by, where
    if stop["reason"] == "Local":
        assert stop["meterStop"] == 1100, where
    sampled = [float(got.payload["meterValue"][0]["sampledValue"][0]["value"]) for got in samples]
    assert all(value <= stop["meterStop"] for value in sampled), where
    assert all(got.payload["transactionId"] == 501 for got in samples), where
    order = [got.action for got in station.csms.got if got.action in ("StartTransaction", "StopTransaction")]
    assert order == sorted(order), where


async def kill_everywhere(make_store: Callable[[int], Callable[[], Store]], *, resuming: bool) -> int:
    """Kill at point 1, 2, ... until a session gets through; returns how many points there were."""
    point = 0
    while True:
        point += 1
        victim = Victim(Fuse(point), make_store(point))
        victim.csms.answers["StartTransaction"] = transaction_ids(victim)
        async with victim:
            died = await victim.live_until_dead()
            await victim.live_again(["session-1"] if resuming else [])
            if resuming and await victim.charge_point.open_transactions():
                await victim.end(meter=1100.4)
            await settled(5)
            assert await victim.charge_point.open_transactions() == []
            assert [message.action for message in await victim.store.messages()] == []
            judge(victim, point, ended_by={"Local"} if resuming else {"Local", "PowerLoss"})
            if not died:
                return point


def memory(_: int) -> Callable[[], Store]:
    store = MemoryStore()
    return lambda: store


@pytest.mark.parametrize("resuming", [False, True], ids=["cut off", "resumed"])
async def test_a_kill_at_any_point_of_a_session_leaves_one_distinct_start_and_stop(resuming: bool) -> None:
    assert await kill_everywhere(memory, resuming=resuming) > 40


async def test_the_same_on_sqlite(tmp_path: Path) -> None:
    def sqlite(point: int) -> Callable[[], Store]:
        return lambda: SqliteStore(tmp_path / f"{point}.db")

    assert await kill_everywhere(sqlite, resuming=False) > 40


async def test_without_a_kill_every_message_is_sent_once() -> None:
    victim = Victim(Fuse(NEVER), memory(0))
    victim.csms.answers["StartTransaction"] = transaction_ids(victim)
    async with victim:
        assert not await victim.live_until_dead()
        await victim.live_again([])
    counts = [victim.csms.actions().count(action) for action in ("StartTransaction", "MeterValues", "StopTransaction")]
    assert counts == [1, 2, 1]
