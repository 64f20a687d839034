"""`ocpp16 queue` and `ocpp16 transactions`: over the database that a charge point left, or has open."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocpp16.cli.main import main
from ocpp16.messages import Reason
from ocpp16.store.rows import Change, DeadLetter, PutMessage, PutTransaction, QueuedMessage, QueueName, TransactionRow
from ocpp16.store.sqlite import SqliteStore

TIME = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def message(key: int, action: str, attempts: int = 0) -> QueuedMessage:
    return QueuedMessage(
        key=key,
        queue=QueueName.TRANSACTION,
        message_id=f"id-{key}",
        action=action,
        payload=b'{"connectorId":1}',
        timestamp=TIME,
        attempts=attempts,
        sent=True,
        session_id="session-1",
    )


def transaction(session_id: str, *, ended: bool) -> TransactionRow:
    return TransactionRow(
        session_id=session_id,
        connector=1,
        id_tag_start="TAG1",
        time_start=TIME,
        meter_start=100,
        internal_id=-5,
        transaction_id=7,
        meter_last=100,
        meter_last_time=TIME,
        time_end=TIME if ended else None,
        meter_stop=200 if ended else None,
        stop_reason=Reason.Local if ended else None,
        csms_ack=ended,
    )


CHANGES: list[Change] = [
    PutMessage(message(5, "StopTransaction")),
    DeadLetter(message(3, "StartTransaction", attempts=3), "NotImplemented", TIME),
    DeadLetter(message(4, "MeterValues", attempts=3), "no answer", TIME),
    PutTransaction(transaction("session-1", ended=True)),
    PutTransaction(transaction("session-2", ended=False)),
]


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "cp 001%.db"
    store = SqliteStore(path)
    await store.open()
    await store.apply(CHANGES)
    await store.close()
    return path


def exported(database: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[int], list[int]]:
    capsys.readouterr()
    assert main(["queue", "export", "--database", str(database)]) == 0
    content = json.loads(capsys.readouterr().out)
    waiting = [entry["key"] for entry in content["messages"]]
    return waiting, [entry["message"]["key"] for entry in content["dead_letters"]]


def test_list_shows_what_waits_and_what_was_given_up(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "list", "--database", str(database)]) == 0
    waiting, dead = capsys.readouterr().out.split("Dead letters:")
    assert "StopTransaction" in waiting and "id-5" in waiting
    assert "StartTransaction" in dead and "NotImplemented" in dead and "StopTransaction" not in dead


def test_export_is_json_with_the_payload_as_an_object(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    assert main(["queue", "export", "--database", str(database), "--output", str(file)]) == 0
    content = json.loads(file.read_text())
    letter = content["dead_letters"][0]
    assert letter["reason"] == "NotImplemented" and letter["message"]["payload"] == {"connectorId": 1}
    assert content["messages"][0]["timestamp"] == "2024-05-01T12:00:00Z"
    assert main(["queue", "export", "--database", str(database), "--output", str(tmp_path / "no" / "out")]) == 1
    assert "cannot be written" in capsys.readouterr().err


async def test_retry_puts_a_dead_letter_back_at_its_place_with_fresh_attempts(database: Path) -> None:
    assert await asyncio.to_thread(main, ["queue", "retry", "3", "--database", str(database)]) == 0
    store = SqliteStore(database)
    await store.open()
    waiting, dead = await store.messages(), await store.dead_letters()
    await store.close()
    assert [(entry.key, entry.action, entry.attempts) for entry in waiting] == [
        (3, "StartTransaction", 0),
        (5, "StopTransaction", 0),
    ]
    assert (waiting[0].message_id, waiting[0].payload, waiting[0].session_id) == (
        "id-3",
        b'{"connectorId":1}',
        "session-1",
    )
    assert [letter.message.key for letter in dead] == [4]


def test_drop_deletes_dead_letters_by_key_or_all(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "drop", "4", "--database", str(database)]) == 0
    assert exported(database, capsys) == ([5], [3])
    assert main(["queue", "drop", "--all", "--database", str(database)]) == 0
    assert exported(database, capsys) == ([5], [])
    assert main(["queue", "retry", "--all", "--database", str(database)]) == 0
    assert "there are no dead letters" in capsys.readouterr().out


def test_waiting_messages_are_dropped_only_when_said_so(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "drop", "5", "--database", str(database)]) == 1
    assert "no dead letter with the key 5" in capsys.readouterr().err
    assert main(["queue", "drop", "--queued", "--all", "--database", str(database)]) == 1
    assert exported(database, capsys) == ([5], [3, 4])
    assert main(["queue", "drop", "--queued", "5", "--database", str(database)]) == 0
    assert exported(database, capsys) == ([], [3, 4])


@pytest.mark.parametrize("arguments", [["retry"], ["drop"], ["retry", "3", "--all"]])
def test_keys_or_all_must_be_said(database: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["queue", *arguments, "--database", str(database)]) == 1
    assert "name the keys" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_one_wrong_key_changes_nothing(database: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main(["queue", command, "3", "99", "--database", str(database)]) == 1
    assert "99" in capsys.readouterr().err
    assert exported(database, capsys) == ([5], [3, 4])


async def test_a_charge_point_that_runs_can_be_looked_at_but_not_changed(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = SqliteStore(database)
    await store.open()
    await store.apply([PutMessage(message(6, "MeterValues"))])
    waiting, dead = await asyncio.to_thread(exported, database, capsys)
    assert (waiting, dead) == ([5, 6], [3, 4])
    assert await asyncio.to_thread(main, ["queue", "drop", "--all", "--database", str(database)]) == 1
    assert "stop the charge point" in capsys.readouterr().err
    await store.apply([PutMessage(message(7, "MeterValues"))])
    await store.close()
    assert (await asyncio.to_thread(exported, database, capsys))[1] == [3, 4]


def test_files_that_are_no_database_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, other = tmp_path / "none.db", tmp_path / "text.db"
    other.write_text("no database " * 100)
    for path, problem in ((missing, "no such database"), (other, "no database")):
        for command in ("list", "export"):
            assert main(["queue", command, "--database", str(path)]) == 1
            captured = capsys.readouterr().err
            assert str(path) in captured and problem in captured
    assert not missing.exists()


@pytest.mark.parametrize(
    ("pragma", "problem"), [("application_id = 5", "no database of this charge point"), ("user_version = 99", "99")]
)
def test_databases_of_other_programs_and_versions_are_refused(
    database: Path, capsys: pytest.CaptureFixture[str], pragma: str, problem: str
) -> None:
    connection = sqlite3.connect(database)
    connection.execute(f"PRAGMA {pragma}")
    connection.close()
    for command in (["list"], ["drop", "--all"]):
        assert main(["queue", *command, "--database", str(database)]) == 1
        assert problem in capsys.readouterr().err


def test_a_key_that_is_named_twice_counts_once(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "drop", "4", "3", "4", "--database", str(database)]) == 0
    assert capsys.readouterr().out == "3 StartTransaction: dropped\n4 MeterValues: dropped\n"


def test_transactions_are_listed_with_their_state(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transactions", "list", "--database", str(database)]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("session-1") and first.endswith("acknowledged")
    assert second.startswith("session-2") and second.endswith("open")
    assert main(["transactions", "list", "--open", "--json", "--database", str(database)]) == 0
    assert [row["session_id"] for row in json.loads(capsys.readouterr().out)] == ["session-2"]
