"""What only the store on disk promises: kills, damage, migrations, grouping, durability."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from ocpp16.errors import StoreError
from ocpp16.messages import AvailabilityType
from ocpp16.store import mapping
from ocpp16.store.rows import PutMessage, PutTransaction, RemoveMessage, SetAvailability
from ocpp16.store.schema import APPLICATION_ID, MIGRATIONS, Migration
from ocpp16.store.sqlite import SqliteStore, database_file
from tests.ocpp16.store.test_store import TIME, message, transaction

OPERATIVE = AvailabilityType.Operative


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cp001.db"


def statements(store: SqliteStore) -> list[str]:
    """Everything that SQLite is told from now on."""
    told: list[str] = []

    def trace() -> None:
        store._database._db.connection().set_trace_callback(told.append)

    assert store._executor is not None
    store._executor.submit(trace).result()
    return told


def test_the_file_is_named_after_the_charge_point(tmp_path: Path) -> None:
    assert database_file(tmp_path, "cp001") == tmp_path / "cp001.db"
    assert database_file(tmp_path, "DE*ABC/1 x").parent == tmp_path


# --- durability ------------------------------------------------------------------------------------------------------


async def test_durable_changes_are_synced_and_others_are_not(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    told = statements(store)
    await store.apply([SetAvailability(1, OPERATIVE)])
    await store.apply([SetAvailability(2, OPERATIVE)], durable=False)
    assert [line for line in told if "synchronous" in line] == [
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
    ]
    [(mode,)] = sqlite3.connect(path).execute("PRAGMA journal_mode")
    assert mode == "wal"
    await store.close()


async def test_what_is_applied_while_a_commit_runs_goes_into_one_next_commit(path: Path) -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    store = SqliteStore(path, executor=executor)
    await store.open()
    told = statements(store)
    gate = threading.Event()
    executor.submit(gate.wait)
    writers = [asyncio.create_task(store.apply([SetAvailability(number, OPERATIVE)])) for number in range(50)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*writers)
    assert told.count("COMMIT") == 2
    assert len(await store.availability()) == 50
    await store.close()
    executor.shutdown()


async def test_the_event_loop_goes_on_while_the_disk_is_busy(path: Path) -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    store = SqliteStore(path, executor=executor)
    await store.open()
    gate = threading.Event()
    executor.submit(gate.wait)
    writer = asyncio.create_task(store.apply([SetAvailability(1, OPERATIVE)]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writer.done()
    gate.set()
    await writer
    await store.close()
    executor.shutdown()


async def test_a_writer_that_is_cancelled_leaves_a_whole_change_set_and_harms_nobody(path: Path) -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    store = SqliteStore(path, executor=executor)
    await store.open()
    gate = threading.Event()
    executor.submit(gate.wait)
    first = asyncio.create_task(store.apply([SetAvailability(1, OPERATIVE), SetAvailability(2, OPERATIVE)]))
    second = asyncio.create_task(store.apply([SetAvailability(3, OPERATIVE)]))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    await second
    assert sorted(await store.availability()) == [1, 2, 3]
    await store.close()
    executor.shutdown()


async def test_one_worker_may_serve_many_stores(tmp_path: Path) -> None:
    with ThreadPoolExecutor(max_workers=1) as executor:
        stores = [SqliteStore(tmp_path / f"{number}.db", executor=executor) for number in range(3)]
        for number, store in enumerate(stores):
            await store.open()
            await store.apply([SetAvailability(number, OPERATIVE)])
        for number, store in enumerate(stores):
            assert list(await store.availability()) == [number]
            await store.close()


async def test_closing_waits_for_the_commits_under_way(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    writer = asyncio.create_task(store.apply([SetAvailability(1, OPERATIVE)]))
    await asyncio.sleep(0)
    await store.close()
    await writer
    await store.open()
    assert await store.availability() == {1: OPERATIVE}
    await store.close()


KILLED = """
    import asyncio, sys
    from pathlib import Path
    from ocpp16.messages import AvailabilityType
    from ocpp16.store.rows import PutMessage, SetAvailability
    from ocpp16.store.sqlite import SqliteStore
    from tests.ocpp16.store.test_store import TIME, message, transaction

    async def writer(store, number):
        while True:
            key = await store.next_key()
            await store.apply([PutMessage(message(key)), SetAvailability(key, AvailabilityType.Operative)])
            print(key, flush=True)

    async def main():
        store = SqliteStore(Path(sys.argv[1]))
        await store.open()
        await asyncio.gather(*(writer(store, number) for number in range(5)))

    asyncio.run(main())
"""


@pytest.mark.parametrize("commits_before_the_kill", [1, 40, 300])
async def test_after_a_kill_everything_applied_is_there_and_nothing_by_halves(
    path: Path, commits_before_the_kill: int
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}) as child:
        assert child.stdout is not None
        applied = [int(child.stdout.readline()) for _ in range(commits_before_the_kill)]
        child.send_signal(signal.SIGKILL)
        applied += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    store = SqliteStore(path)
    await store.open()
    keys = {row.key for row in await store.messages()}
    assert set(applied) <= keys
    assert keys == set(await store.availability())
    assert await store.next_key() > max(keys)
    await store.close()


# --- failures --------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is no database, but somebody's thesis" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"cp001\.db is damaged.*moving it away"):
        await SqliteStore(path).open()
    assert path.read_bytes() == before


async def test_a_damaged_database_is_named_and_left_alone(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    for key in range(200):
        await store.apply([PutMessage(message(key))], durable=False)
    await store.close()
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\x55" * (len(pages) - 4096)
    path.write_bytes(pages)
    with pytest.raises(StoreError, match=r"cp001\.db is damaged.*moving it away"):
        await SqliteStore(path).open()
    assert path.read_bytes() == bytes(pages)


async def test_a_foreign_database_of_the_same_name_is_refused(path: Path) -> None:
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE TRANSACTIONS (ID TEXT)")
    foreign.execute("PRAGMA user_version = 4")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        await SqliteStore(path).open()
    assert path.read_bytes() == before, "not even its journal mode is changed"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_database_of_a_newer_version_is_refused_with_the_fix(path: Path) -> None:
    future = (*MIGRATIONS, Migration(99, "from the future", ("CREATE TABLE FUTURE (ID INTEGER)",)))
    store = SqliteStore(path, migrations=future)
    await store.open()
    await store.close()
    with pytest.raises(StoreError, match=r"cp001\.db was written by a newer version.*99"):
        await SqliteStore(path).open()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/cp001\.db cannot be opened"):
        await SqliteStore(tmp_path / "file" / "cp001.db").open()


async def test_a_commit_that_fails_as_a_whole_fails_all_its_writers_and_the_next_works(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    assert store._executor is not None
    store._executor.submit(store._database._db.execute_sql, "PRAGMA max_page_count = 1").result()
    big = [PutMessage(message(key, payload=b'"' + b"x" * 10_000 + b'"')) for key in range(100)]
    results = await asyncio.gather(store.apply(big), store.apply(big), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError, StoreError]
    store._executor.submit(store._database._db.execute_sql, "PRAGMA max_page_count = 1000000").result()
    await store.apply([SetAvailability(1, OPERATIVE)])
    assert await store.messages() == []
    assert await store.availability() == {1: OPERATIVE}
    await store.close()


async def test_a_shared_worker_that_is_gone_is_an_error_and_no_hang(path: Path) -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    store = SqliteStore(path, executor=executor)
    await store.open()
    executor.shutdown()
    with pytest.raises(StoreError, match="cannot be started"):
        await store.apply([SetAvailability(1, OPERATIVE)])


async def test_a_store_that_failed_to_open_can_be_opened_when_the_fault_is_mended(path: Path) -> None:
    path.write_text("no database at all, not in the least, far from it" * 10)
    store = SqliteStore(path)
    with pytest.raises(StoreError):
        await store.open()
    path.unlink()
    await store.open()
    assert await store.messages() == []
    await store.close()


# --- migrations ------------------------------------------------------------------------------------------------------


def test_migrations_are_numbered_in_order_without_gaps() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


async def test_a_new_database_carries_the_newest_version_and_the_mark(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (MIGRATIONS[-1].number,)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()


async def test_an_older_database_is_brought_up_to_date_and_keeps_its_rows(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.apply([PutMessage(message(1)), PutMessage(message(2)), RemoveMessage(2)])
    await store.close()
    newer = (*MIGRATIONS, Migration(MIGRATIONS[-1].number + 1, "more", ("CREATE TABLE MORE (ID INTEGER)",)))
    store = SqliteStore(path, migrations=newer)
    await store.open()
    assert await store.messages() == [message(1)]
    await store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*) FROM MORE").fetchone() == (0,)
    connection.close()


async def test_a_transaction_of_the_first_version_has_no_limit_and_can_be_given_one(path: Path) -> None:
    """Version 2: the energy left to a refused id tag."""
    store = SqliteStore(path, migrations=MIGRATIONS[:1])
    await store.open()
    await store.close()
    connection = sqlite3.connect(path)
    names = "ID, INTERNAL_ID, TRANSACTION_ID, CONNECTOR, ID_TAG_START, TIME_START, METER_START, CSMS_ACK, METER_LAST"
    values = ("s1", -5, 7, 1, "DEADBEEF", mapping.time_to_text(TIME), 0, False, 10, mapping.time_to_text(TIME))
    connection.execute(f"INSERT INTO TRANSACTIONS ({names}, METER_LAST_TIME) VALUES ({','.join('?' * 10)})", values)
    connection.commit()
    connection.close()
    old = transaction(transaction_id=7, meter_last=10)
    store = SqliteStore(path)
    await store.open()
    assert await store.open_transactions() == [old]
    limited = replace(old, pause_at=510)
    await store.apply([PutTransaction(limited)])
    await store.close()
    store = SqliteStore(path)
    await store.open()
    assert await store.open_transactions() == [limited]
    await store.close()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.apply([PutMessage(message(1))])
    await store.close()
    broken = Migration(MIGRATIONS[-1].number + 1, "broken", ("CREATE TABLE MORE (ID INTEGER)", "CREATE NONSENSE"))
    with pytest.raises(StoreError):
        await SqliteStore(path, migrations=(*MIGRATIONS, broken)).open()
    store = SqliteStore(path)
    await store.open()
    assert await store.messages() == [message(1)]
    await store.close()
