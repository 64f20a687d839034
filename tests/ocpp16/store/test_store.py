"""What every store promises: one suite for the store in memory and the store on disk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from ocpp16.errors import StoreError
from ocpp16.messages import AuthorizationStatus, AvailabilityType, IdTagInfo, Reason
from ocpp16.ports import Store
from ocpp16.store.rows import (
    AddSample,
    AuthorizationEntry,
    ClearCache,
    DeadLetter,
    PruneTransactions,
    PutCacheEntry,
    PutMessage,
    PutTransaction,
    QueuedMessage,
    QueueName,
    RemoveMessage,
    ReplaceLocalList,
    SetAvailability,
    TransactionRow,
    UpdateLocalList,
    UpdateMeter,
)

TIME = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def message(key: int, queue: QueueName = QueueName.TRANSACTION, **changes: object) -> QueuedMessage:
    row = QueuedMessage(
        key=key,
        queue=queue,
        message_id=f"id-{key}",
        action="MeterValues",
        payload='{"name":"Ä"}'.encode(),
        timestamp=TIME,
        attempts=2,
        sent=True,
        session_id="s1",
    )
    return replace(row, **changes)


def transaction(session_id: str = "s1", **changes: object) -> TransactionRow:
    row = TransactionRow(
        session_id=session_id,
        connector=1,
        id_tag_start="DEADBEEF",
        time_start=TIME,
        meter_start=0,
        internal_id=-5,
        meter_last=0,
        meter_last_time=TIME,
    )
    return replace(row, **changes)


def entry(id_tag: str, status: AuthorizationStatus = AuthorizationStatus.Accepted) -> AuthorizationEntry:
    return AuthorizationEntry(id_tag=id_tag, info=IdTagInfo(status=status, expiry_date=TIME, parent_id_tag="PARENT"))


async def test_availability_is_read_as_written_and_missing_where_never_written(store: Store) -> None:
    await store.apply([SetAvailability(0, AvailabilityType.Operative), SetAvailability(2, AvailabilityType.Operative)])
    await store.apply([SetAvailability(2, AvailabilityType.Inoperative)])
    assert await store.availability() == {0: AvailabilityType.Operative, 2: AvailabilityType.Inoperative}


async def test_messages_come_back_complete_and_by_key(store: Store) -> None:
    plain = message(2, QueueName.NORMAL, session_id=None, sent=False, attempts=0)
    await store.apply([PutMessage(message(3)), PutMessage(plain), PutMessage(message(1))])
    assert await store.messages() == [message(1), plain, message(3)]


async def test_a_message_put_again_replaces_the_earlier_one(store: Store) -> None:
    await store.apply([PutMessage(message(1))])
    await store.apply([PutMessage(message(1, message_id="new", attempts=3))])
    assert await store.messages() == [message(1, message_id="new", attempts=3)]


async def test_a_removed_message_is_gone_and_removing_nothing_is_no_error(store: Store) -> None:
    await store.apply([PutMessage(message(1)), PutMessage(message(2, QueueName.NORMAL))])
    await store.apply([RemoveMessage(1), RemoveMessage(2), RemoveMessage(99)])
    assert await store.messages() == []


async def test_keys_grow_and_are_never_given_twice(store: Store) -> None:
    keys = await asyncio.gather(*(store.next_key() for _ in range(2500)))
    assert keys == sorted(set(keys))


async def test_keys_go_on_after_closing_and_opening(store: Store) -> None:
    before = await store.next_key()
    await store.close()
    await store.open()
    assert await store.next_key() > before


async def test_dead_letters_are_kept_in_order(store: Store) -> None:
    letters = [DeadLetter(message(1), "CALLERROR", TIME), DeadLetter(message(2), "no answer", TIME)]
    await store.apply(letters)
    assert await store.dead_letters() == letters


async def test_a_transaction_comes_back_complete(store: Store) -> None:
    row = transaction(
        transaction_id=0,
        reservation_id=0,
        parent_id_tag="P",
        id_tag_end="E",
        time_end=TIME,
        meter_stop=7,
        stop_reason=Reason.EVDisconnected,
        pause_at=0,
    )
    await store.apply([PutTransaction(row)])
    assert await store.transaction("s1") == row
    assert await store.transaction("s2") is None


async def test_open_transactions_are_those_without_acknowledgement_oldest_first(store: Store) -> None:
    rows = [transaction("b"), transaction("a"), transaction("c")]
    await store.apply([PutTransaction(row) for row in rows])
    await store.apply([PutTransaction(replace(rows[0], meter_last=5)), PutTransaction(replace(rows[1], csms_ack=True))])
    assert [row.session_id for row in await store.open_transactions()] == ["b", "c"]


async def test_transactions_with_the_same_id_come_newest_first(store: Store) -> None:
    await store.apply([PutTransaction(transaction(name, transaction_id=7)) for name in ("z", "a", "m")])
    await store.apply([PutTransaction(transaction("other", transaction_id=8))])
    assert [row.session_id for row in await store.transactions_by_id(7)] == ["m", "a", "z"]


async def test_the_meter_of_a_transaction_can_be_updated_alone(store: Store) -> None:
    await store.apply([PutTransaction(transaction())])
    later = TIME + timedelta(seconds=1)
    await store.apply([UpdateMeter("s1", 42, later), UpdateMeter("unknown", 1, later)], durable=False)
    assert await store.transaction("s1") == transaction(meter_last=42, meter_last_time=later)


async def test_samples_of_a_transaction_stay_in_order(store: Store) -> None:
    await store.apply([AddSample("s1", b'{"a":1}'), AddSample("s2", b"{}"), AddSample("s1", b'{"a":2}')])
    assert await store.samples("s1") == [b'{"a":1}', b'{"a":2}']
    assert await store.samples("none") == []


async def test_pruning_forgets_only_acknowledged_transactions_that_ended_before(store: Store) -> None:
    early, late = TIME - timedelta(days=8), TIME
    await store.apply(
        [
            PutTransaction(transaction("old", csms_ack=True, time_end=early)),
            PutTransaction(transaction("waiting", csms_ack=False, time_end=early)),
            PutTransaction(transaction("new", csms_ack=True, time_end=late)),
            PutTransaction(transaction("running")),
            AddSample("old", b"{}"),
            AddSample("new", b"{}"),
        ]
    )
    await store.apply([PruneTransactions(TIME - timedelta(days=7))])
    assert await store.transaction("old") is None
    assert await store.samples("old") == []
    for kept in ("waiting", "new", "running"):
        assert await store.transaction(kept) is not None
    assert await store.samples("new") == [b"{}"]


async def test_cache_entries_are_found_without_regard_to_case(store: Store) -> None:
    await store.apply([PutCacheEntry(entry("DeadBeef"))])
    await store.apply([PutCacheEntry(entry("DEADBEEF", AuthorizationStatus.Blocked))])
    assert await store.cache_entry("deadbeef") == entry("DEADBEEF", AuthorizationStatus.Blocked)
    assert await store.cache_entry("other") is None


async def test_the_cache_forgets_the_least_recently_written_entry_when_full(store: Store) -> None:
    for id_tag in ("A", "B", "C", "a", "D"):
        await store.apply([PutCacheEntry(entry(id_tag))])
    assert await store.cache_entry("B") is None
    for id_tag in ("A", "C", "D"):
        assert await store.cache_entry(id_tag) is not None


async def test_clearing_the_cache_leaves_the_local_list(store: Store) -> None:
    await store.apply([PutCacheEntry(entry("A")), ReplaceLocalList(1, (entry("A"),)), ClearCache()])
    assert await store.cache_entry("A") is None
    assert await store.local_list_entry("A") == entry("A")


async def test_a_full_local_list_replaces_everything(store: Store) -> None:
    assert await store.local_list_version() == 0
    await store.apply([ReplaceLocalList(1, tuple(entry(f"TAG{number}") for number in range(1200)))])
    assert await store.local_list_size() == 1200
    await store.apply([ReplaceLocalList(2, (entry("A"), entry("B")))])
    assert await store.local_list_size() == 2
    assert await store.local_list_version() == 2
    assert await store.local_list_entry("TAG1") is None


async def test_a_differential_update_puts_and_removes(store: Store) -> None:
    await store.apply([ReplaceLocalList(1, (entry("A"), entry("B")))])
    await store.apply([UpdateLocalList(5, (entry("a", AuthorizationStatus.Expired), entry("C")), ("b",))])
    assert await store.local_list_version() == 5
    assert await store.local_list_entry("A") == entry("a", AuthorizationStatus.Expired)
    assert await store.local_list_entry("B") is None
    assert await store.local_list_size() == 2


async def test_a_bad_change_leaves_nothing_of_its_change_set(store: Store) -> None:
    naive = replace(message(2), timestamp=datetime(2026, 1, 1))
    with pytest.raises(StoreError, match="time without zone"):
        await store.apply([PutMessage(message(1)), PutMessage(naive)])
    assert await store.messages() == []


@pytest.mark.parametrize(
    "bad",
    [
        PutTransaction(transaction(meter_start=2**80)),
        PutTransaction(transaction(id_tag_start="\ud800")),
        PutMessage(message(1, payload=b"\xff")),
        PutTransaction(transaction(time_start=datetime(2026, 1, 1))),
    ],
)
async def test_what_could_not_be_read_back_is_refused(store: Store, bad: PutTransaction) -> None:
    with pytest.raises(StoreError):
        await store.apply([SetAvailability(1, AvailabilityType.Operative), bad])
    assert await store.availability() == {}


async def test_a_bad_change_set_does_not_sink_those_committed_with_it(store: Store) -> None:
    bad = [SetAvailability(2, AvailabilityType.Operative), PutTransaction(transaction(meter_start=2**80))]
    results = await asyncio.gather(
        store.apply([SetAvailability(0, AvailabilityType.Operative)]),
        store.apply([SetAvailability(1, AvailabilityType.Operative)]),
        store.apply(bad),
        store.apply([SetAvailability(3, AvailabilityType.Operative)]),
        return_exceptions=True,
    )
    assert [isinstance(result, StoreError) for result in results] == [False, False, True, False]
    assert sorted(await store.availability()) == [0, 1, 3]


async def test_times_come_back_as_the_same_instant_whatever_zone_they_were_given_in(store: Store) -> None:
    zone = timezone(timedelta(hours=2))
    await store.apply([PutMessage(message(1, timestamp=TIME.astimezone(zone)))])
    [row] = await store.messages()
    assert row.timestamp == TIME


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreError, match="open"):
        await store.apply([ClearCache()])
    with pytest.raises(StoreError, match="open"):
        await store.messages()
    with pytest.raises(StoreError, match="open"):
        await store.next_key()


@pytest.mark.looptime
async def test_it_works_in_virtual_time(store: Store) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with asyncio.timeout(3600):
        await store.apply([SetAvailability(1, AvailabilityType.Operative)])
    await asyncio.sleep(1000)
    assert await store.availability() == {1: AvailabilityType.Operative}
    assert loop.time() - before < 1100
