"""Kills of a real process at every step of its messages' way: nothing lost, nothing told twice in two versions.

A child process charges: every session is a StartTransaction, two MeterValues and a StopTransaction, through dispatcher
and SQLite. The test is its central system over pipes, and kills it (SIGKILL) before or after answering a frame.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

SESSIONS = 4

STATION = """
    import asyncio, sys
    from datetime import UTC, datetime
    from pathlib import Path

    import msgspec
    from msgspec.structs import replace

    from ocpp16.dispatcher import Answered, MessageDispatcher
    from ocpp16.messages import (
        MeterValue, MeterValuesRequest, SampledValue, StartTransactionRequest, StopTransactionRequest,
    )
    from ocpp16.store.rows import PutTransaction, TransactionRow
    from ocpp16.store.sqlite import SqliteStore
    from ocpp16.system_clock import SystemClock, SystemRandomness
    from ocpp16.wire import parse

    SESSIONS = int(sys.argv[2])
    NOW = datetime(2026, 1, 1, tzinfo=UTC)

    class Settings:
        transaction_message_attempts = 3
        transaction_message_retry_interval = 1
        message_queue_size_threshold = 1000
        queue_all_messages = False
        message_types_discard_for_queueing = frozenset()
        message_queue_resume_delay = 0.0

    class Hooks:
        rows = {}

        def fill_in(self, message, payload):
            row = self.rows[message.session_id]
            if message.action == "StartTransaction" or row.transaction_id is None:
                return payload
            return msgspec.json.encode({**msgspec.json.decode(payload), "transactionId": row.transaction_id})

        def on_answer(self, message, request, outcome):
            row = self.rows[message.session_id]
            if message.action == "StartTransaction" and isinstance(outcome, Answered):
                row = replace(row, transaction_id=outcome.response.transaction_id)
            elif message.action == "StopTransaction":
                row = replace(row, csms_ack=True)
            else:
                return []
            self.rows[message.session_id] = row
            return [PutTransaction(row)]

        async def after_answer(self, message, request, outcome):
            pass

    async def charge(store, dispatcher, hooks, number):
        session = f"session {number}"
        row = TransactionRow(
            session_id=session, connector=number, id_tag_start=f"TAG{number}", time_start=NOW, meter_start=number,
            internal_id=-number, meter_last=number, meter_last_time=NOW,
        )
        start = StartTransactionRequest(connector_id=number, id_tag=f"TAG{number}", meter_start=number, timestamp=NOW)
        known = await store.transaction(session)
        if known is None:
            hooks.rows[session] = row
            await dispatcher.enqueue(start, session_id=session, with_changes=[PutTransaction(row)])
        elif known.meter_stop is not None:
            return
        for value in range(2):
            sampled = (SampledValue(value=str(value)),)
            values = MeterValuesRequest(
                connector_id=number, meter_value=(MeterValue(timestamp=NOW, sampled_value=sampled),)
            )
            await dispatcher.enqueue(values, session_id=session)
        ended = replace(hooks.rows[session], meter_stop=number + 100, time_end=NOW)
        hooks.rows[session] = ended
        stop = StopTransactionRequest(meter_stop=number + 100, timestamp=NOW, transaction_id=-number)
        # As the charge point does: the start may be answered while this is being stored.
        await dispatcher.enqueue(stop, session_id=session, with_changes=lambda: [PutTransaction(hooks.rows[session])])

    async def send(frame, action):
        print(frame, flush=True)

    async def main():
        store, hooks = SqliteStore(Path(sys.argv[1])), Hooks()
        await store.open()
        for row in await store.open_transactions():
            hooks.rows[row.session_id] = row
        dispatcher = MessageDispatcher(store, SystemClock(), SystemRandomness(), Settings(), hooks, send)
        await dispatcher.load()
        dispatcher.accepted(True)
        dispatcher.connected()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

        async def listen():
            while line := await reader.readline():
                dispatcher.received(parse(line.decode().strip()))

        listening = asyncio.create_task(listen())
        await asyncio.gather(*(charge(store, dispatcher, hooks, number) for number in range(1, SESSIONS + 1)))
        while await store.messages() or await store.open_transactions():
            await asyncio.sleep(0.002)
        print("done", flush=True)
        listening.cancel()

    asyncio.run(main())
"""


class Central:
    """Answers, remembers everything, and kills after a number of frames."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str, dict[str, Any]]] = []
        self.answered: set[str] = set()
        self.confirmed_before_the_kill: set[str] = set()
        self.ids: dict[str, int] = {}

    def run(self, path: Path, *, kill_after: int | None, answer_the_last: bool) -> bool:
        """One life of the station; True if it came to its end."""
        command = [sys.executable, "-c", textwrap.dedent(STATION), str(path), str(SESSIONS)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        with subprocess.Popen(command, env={"PYTHONPATH": ":".join(sys.path)}, **pipes) as station:
            assert station.stdin is not None
            assert station.stdout is not None
            for count, line in enumerate(station.stdout, start=1):
                if line == "done\n":
                    return True
                _, message_id, action, payload = json.loads(line)
                last = count == kill_after
                self.frames.append((message_id, action, payload))
                if not last or answer_the_last:
                    station.stdin.write(json.dumps([3, message_id, self.answer(action, payload)]) + "\n")
                    self.answered.add(message_id)
                if last:
                    station.send_signal(signal.SIGKILL)
                    return False
        return False

    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        accepted = {"idTagInfo": {"status": "Accepted"}}
        if action != "StartTransaction":
            return {} if action == "MeterValues" else accepted
        number = self.ids.setdefault(payload["idTag"], 100 + payload["connectorId"])
        return {**accepted, "transactionId": number}


@pytest.mark.parametrize("answer_the_last", [False, True], ids=["before the answer", "with the answer"])
@pytest.mark.parametrize("kills", [(1, 1, 1), (2, 3, 4), (5, 5, 3), (7, 2, 6)], ids=str)
def test_nothing_is_lost_and_every_message_has_one_version(
    tmp_path: Path, kills: tuple[int, ...], answer_the_last: bool
) -> None:
    central = Central()
    for kill_after in kills:
        assert not central.run(tmp_path / "cp.db", kill_after=kill_after, answer_the_last=answer_the_last)
    assert central.run(tmp_path / "cp.db", kill_after=None, answer_the_last=True)

    versions: dict[str, set[str]] = defaultdict(set)
    stories: dict[int, list[str]] = defaultdict(list)
    for message_id, action, payload in central.frames:
        text = json.dumps([action, payload])
        versions[message_id].add(text)
        connector = payload.get("connectorId") or payload["meterStop"] - 100
        if not stories[connector] or stories[connector][-1] != text:
            stories[connector].append(text)
    assert all(len(texts) == 1 for texts in versions.values()), "an id went out with two payloads"
    assert sorted(stories) == list(range(1, SESSIONS + 1))
    for connector, story in stories.items():
        told = [(action, payload.get("transactionId")) for action, payload in map(json.loads, story)]
        starts = [entry for entry in told if entry[0] == "StartTransaction"]
        stops = [entry for entry in told if entry[0] == "StopTransaction"]
        assert len(starts) == 1, f"session {connector} was started in two versions"
        assert stops == [("StopTransaction", 100 + connector)]
        assert (told[0], told[-1]) == (starts[0], stops[0])
        assert all(number == 100 + connector for _, number in told[1:])
