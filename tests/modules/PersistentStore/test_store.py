"""kvs on SQLite over the bus (station 7.3)."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from everest.runtime import NotReady, SchemaValidationError, StartupError
from everest.runtime.testing import ModuleBench

MODULE = Path(__file__).parents[3] / "modules/PersistentStore"


def bench(path: Path) -> ModuleBench:
    return ModuleBench(MODULE, module_id="persistent_store", config={"sqlite_db_file_path": str(path)})


async def load(store: ModuleBench, key: str) -> Any:
    return await store.call("main", "load", {"key": key})


async def test_values_outlive_a_restart(tmp_path: Path) -> None:
    stored = {"text": "x", "number": 1.25, "nothing": None, "yes": True, "many": [1, {"a": 2}]}
    async with bench(tmp_path / "new" / "kv.db") as store:
        for key, value in stored.items():
            assert await store.call("main", "store", {"key": key, "value": value}) is None
    async with bench(tmp_path / "new" / "kv.db") as store:
        assert {key: await load(store, key) for key in stored} == stored


async def test_a_missing_key_is_null_and_does_not_exist(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        assert await load(store, "nobody") is None
        assert await store.call("main", "exists", {"key": "nobody"}) is False


async def test_a_stored_null_exists_until_it_is_deleted(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        await store.call("main", "store", {"key": "a.b_1", "value": None})
        assert await store.call("main", "exists", {"key": "a.b_1"}) is True
        await store.call("main", "delete", {"key": "a.b_1"})
        await store.call("main", "delete", {"key": "a.b_1"})
        assert await store.call("main", "exists", {"key": "a.b_1"}) is False


async def test_a_value_is_replaced(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        await store.call("main", "store", {"key": "k", "value": 1})
        await store.call("main", "store", {"key": "k", "value": "two"})
        assert await load(store, "k") == "two"


async def test_a_value_is_on_disk_when_the_command_has_answered(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        await store.call("main", "store", {"key": "k", "value": True})
        with sqlite3.connect(tmp_path / "kv.db") as other:
            assert other.execute("SELECT KEY, VALUE, TYPE FROM KVS").fetchall() == [("k", "true", "bool")]
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_database_of_everest_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "kv.db") as other:
        other.execute("CREATE TABLE KVS(KEY TEXT UNIQUE, VALUE TEXT, TYPE TEXT)")
        other.execute("INSERT INTO KVS VALUES('evse_manager_1_session', 'af74c121', 'std::string')")
    other.close()
    async with bench(tmp_path / "kv.db") as store:
        assert await load(store, "evse_manager_1_session") == "af74c121"


@pytest.mark.parametrize("command", ["store", "load", "delete", "exists"])
@pytest.mark.parametrize("key", ["with space", "ümlaut", "a/b", "", "x;y"])
async def test_keys_of_other_characters_are_refused(tmp_path: Path, command: str, key: str) -> None:
    async with bench(tmp_path / "kv.db") as store:
        arguments = {"key": key, "value": 1} if command == "store" else {"key": key}
        with pytest.raises(SchemaValidationError, match="may only have"):
            await store.call("main", command, arguments)


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be looked at" * 30, None])
async def test_a_file_that_is_no_database_ends_the_start_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "kv.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StartupError) as refused:
        async with bench(path):
            pass
    text = str(refused.value)
    assert str(path) in text
    assert "move the file away" in text
    assert "\n" not in text


async def test_a_table_of_another_shape_ends_the_start_in_one_line(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "kv.db") as other:
        other.execute("CREATE TABLE KVS(SOMETHING TEXT)")
    other.close()
    with pytest.raises(StartupError, match=r"kv\.db: cannot be used as the key value store"):
        async with bench(tmp_path / "kv.db"):
            pass


async def test_a_database_that_fails_later_is_an_error_to_the_caller_and_no_crash(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        with sqlite3.connect(tmp_path / "kv.db") as other:
            other.execute("DROP TABLE KVS")
            other.commit()
            with pytest.raises(NotReady, match=r"kv\.db"):
                await store.call("main", "store", {"key": "k", "value": 1})
            other.execute("CREATE TABLE KVS(KEY TEXT UNIQUE, VALUE TEXT, TYPE TEXT)")
        await store.call("main", "store", {"key": "k", "value": 1})
        assert await load(store, "k") == 1


async def test_a_spoiled_row_is_an_error_to_its_reader_and_to_nobody_else(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        await store.call("main", "store", {"key": "good", "value": 1})
        with sqlite3.connect(tmp_path / "kv.db") as other:
            other.execute("INSERT INTO KVS VALUES('bad', NULL, 'int')")
        with pytest.raises(SchemaValidationError, match="load of bad"):
            await load(store, "bad")
        assert await load(store, "good") == 1
        await store.call("main", "store", {"key": "bad", "value": 2})
        assert await load(store, "bad") == 2


async def test_a_damaged_file_ends_the_start_in_one_line_and_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    async with bench(path) as store:
        for n in range(300):
            await store.call("main", "store", {"key": f"key{n}", "value": "x" * 100})
    whole = path.read_bytes()
    damaged = whole[:8192] + b"\xff" * 4096 + whole[12288:]
    path.write_bytes(damaged)
    with pytest.raises(StartupError, match=r"kv.db: cannot be used as the key value store .* move the file away"):
        async with bench(path):
            pass
    assert path.read_bytes() == damaged


async def test_another_process_may_hold_the_file_for_a_moment(tmp_path: Path) -> None:
    async with bench(tmp_path / "kv.db") as store:
        other = sqlite3.connect(tmp_path / "kv.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        storing = asyncio.create_task(store.call("main", "store", {"key": "k", "value": 1}), name="store")
        await asyncio.sleep(0.02)
        assert not storing.done()
        other.execute("ROLLBACK")
        await storing
        other.close()
        assert await load(store, "k") == 1


async def test_a_store_that_is_ending_refuses_without_a_word_about_its_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path / "kv.db") as store:
        await store.call("main", "store", {"key": "k", "value": 1})
        ending = asyncio.create_task(store.module.shutdown(), name="shutdown")
        for _ in range(2):  # as it closes, and afterwards
            with pytest.raises(NotReady, match="the store is ending"):
                await store.call("main", "store", {"key": "k", "value": 2})
            await ending
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
