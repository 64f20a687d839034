"""`ocpp16 queue ...` and `ocpp16 transactions list`: the database of a charge point (libocpp 3.8, 7).

`list` and `export` only read, also beside a running charge point; `retry` and `drop` need the file for themselves.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ocpp16.cli import output
from ocpp16.errors import StoreError, UsageError
from ocpp16.store.maintenance import Maintenance, as_json
from ocpp16.store.rows import QueuedMessage


def add_commands(commands: Any) -> None:
    """`queue` and `transactions` under the top command."""
    queue = commands.add_parser("queue", help="messages that wait for the CSMS, and dead letters")
    actions = queue.add_subparsers(dest="action", required=True, metavar="ACTION")
    _command(actions, "list", _list, "show waiting messages and dead letters")
    retry = _command(actions, "retry", _retry, "send dead letters again; with the charge point stopped")
    drop = _command(actions, "drop", _drop, "delete dead letters for good; with the charge point stopped")
    for chosen in (retry, drop):
        chosen.add_argument("keys", nargs="*", type=int, metavar="KEY", help="numbers from `queue list`")
        chosen.add_argument("--all", action="store_true", help="all dead letters")
    drop.add_argument("--queued", action="store_true", help="the keys are of messages that still wait to be sent")
    export = _command(actions, "export", _export, "all messages and dead letters as JSON")
    export.add_argument("--output", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    transactions = commands.add_parser("transactions", help="transactions in the database")
    actions = transactions.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _command(actions, "list", _transactions, "show transactions")
    listing.add_argument("--open", action="store_true", help="only those that the CSMS has not acknowledged")
    listing.add_argument("--json", action="store_true", help="as JSON")


def _command(actions: Any, name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(name, help=help_text, description=help_text)
    command.add_argument(
        "--database", type=Path, required=True, metavar="FILE", help="<database_path>/<ChargePointId>.db"
    )
    command.set_defaults(run=run)
    return command


def _list(options: argparse.Namespace) -> int:
    with Maintenance(options.database, write=False) as database:
        messages, letters = database.messages(), database.dead_letters()
    columns = ("KEY", "QUEUE", "ACTION", "SINCE", "ATTEMPTS", "MESSAGE ID", "SESSION")
    output.line("Waiting:")
    output.table(columns, map(_row, messages), empty="nothing waits")
    output.line("\nDead letters:")
    rows = ((*_row(letter.message), letter.time, letter.reason) for letter in letters)
    output.table((*columns, "GIVEN UP", "REASON"), rows, empty="none")
    return 0


def _row(message: QueuedMessage) -> tuple[object, ...]:
    return (
        message.key,
        message.queue,
        message.action,
        message.timestamp,
        message.attempts,
        message.message_id,
        message.session_id,
    )


def _retry(options: argparse.Namespace) -> int:
    keys = _keys(options)
    with Maintenance(options.database, write=True) as database:
        messages = database.retry(keys)
    return _report(messages, "will be sent again when the charge point is connected")


def _drop(options: argparse.Namespace) -> int:
    keys = _keys(options)
    with Maintenance(options.database, write=True) as database:
        if not options.queued:
            messages = database.drop(keys)
        elif keys is None:
            raise UsageError("waiting messages are dropped by their keys only, not by --all")
        else:
            messages = database.drop_queued(keys)
    return _report(messages, "dropped")


def _keys(options: argparse.Namespace) -> list[int] | None:
    if bool(options.keys) == options.all:
        raise UsageError("name the keys of dead letters (see `ocpp16 queue list`), or --all")
    return None if options.all else options.keys


def _report(messages: list[QueuedMessage], what: str) -> int:
    for message in messages:
        output.line(f"{message.key} {message.action}: {what}")
    if not messages:
        output.line("there are no dead letters")
    return 0


def _export(options: argparse.Namespace) -> int:
    with Maintenance(options.database, write=False) as database:
        content = {
            "messages": [as_json(message) for message in database.messages()],
            "dead_letters": [as_json(letter) for letter in database.dead_letters()],
        }
    if options.output is None:
        output.as_json(content)
        return 0
    try:
        options.output.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{options.output}: cannot be written ({error.strerror}); choose another file") from error
    return 0


def _transactions(options: argparse.Namespace) -> int:
    with Maintenance(options.database, write=False) as database:
        rows = database.transactions(open_only=options.open)
    if options.json:
        output.as_json([as_json(row) for row in rows])
        return 0
    columns = ("SESSION", "CONNECTOR", "ID", "TAG", "START", "END", "METER START", "METER STOP", "REASON", "STATE")
    output.table(
        columns,
        (
            (
                row.session_id,
                row.connector,
                row.transaction_id,
                row.id_tag_start,
                row.time_start,
                row.time_end,
                row.meter_start,
                row.meter_stop,
                row.stop_reason,
                "acknowledged" if row.csms_ack else "ended" if row.time_end else "open",
            )
            for row in rows
        ),
        empty="no transactions",
    )
    return 0
