"""The table of wrong input (docs/reference/broken-input.md), executed over a real websocket: the station never ends,
never blocks, never forgets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ocpp16 import ChargePoint
from ocpp16.connection.link import FRAMES_IN_A_ROW
from ocpp16.documentation.broken_input import CALLRESULT, FLOOD, ID, TABLE, BrokenInput
from ocpp16.router import MOST_WAITING, worth_saying
from ocpp16.store.memory import MemoryStore
from tests.support.ocpp16_station import configuration

TIMEOUT = 60


class Peer:
    """A central system that accepts the station, answers `{}`-like, and sends whatever a test wants."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.answers: list[list[Any]] = []
        self.calls: list[list[Any]] = []
        self._changed = asyncio.Event()

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for text in connection:
                frame = json.loads(text)
                if frame[0] == 2:
                    self.calls.append(frame)
                    await connection.send(json.dumps([3, frame[1], self._answer(frame[2])]))
                else:
                    self.answers.append(frame)
                self._changed.set()
        except ConnectionClosed:
            pass

    @staticmethod
    def _answer(action: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        accepted = {"idTagInfo": {"status": "Accepted"}}
        return {
            "BootNotification": {"status": "Accepted", "currentTime": now, "interval": 86400},
            "StartTransaction": {"transactionId": 1, **accepted},
            "StopTransaction": accepted,
        }.get(action, {})

    async def send(self, *frames: str | bytes, as_text: bool = True) -> None:
        for frame in frames:
            await self.connections[-1].send(frame, text=as_text)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.05)
                except TimeoutError:
                    continue

    def said(self, action: str) -> list[list[Any]]:
        return [call for call in self.calls if call[2] == action]

    async def alive(self, name: str) -> None:
        """The station answers a CALL, on the newest connection."""
        await self.send(f'[2,"{name}","GetLocalListVersion",{{}}]')
        await self.until(lambda: any(answer[1] == name for answer in self.answers))


@asynccontextmanager
async def booted() -> AsyncIterator[tuple[Peer, ChargePoint, list[str]]]:
    """A station that is connected and accepted, and the security events it raises."""
    peer, events = Peer(), list[str]()
    async with serve(peer.serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"], max_size=None) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        settings = configuration(
            CentralSystemURI=f"ws://127.0.0.1:{port}", RetryBackoffWaitMinimum=0, RetryBackoffRandomRange=0
        )
        async with ChargePoint(settings, store=MemoryStore()) as station:
            station.register_security_event_callback(lambda event, _: events.append(event))
            await station.start()
            await peer.until(lambda: len(peer.said("StatusNotification")) == 3)
            yield peer, station, events


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
async def test_wrong_input_gets_what_the_table_says(row: BrokenInput, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with booted() as (peer, station, events):
        first = peer.connections[0]
        await peer.send(*row.frames(), as_text=row.as_text)
        await station.on_transaction_started(1, "session-1", "TAG1", 100)
        if row.close is None:
            await peer.alive("next")
        else:
            await peer.until(lambda: len(peer.connections) == 2 and first.close_code is not None)
            await peer.alive("next")
        await peer.until(lambda: len(peer.said("StartTransaction")) == 1)
        await peer.until(lambda: row.security_event <= ("InvalidMessages" in events))
        answers = [answer for answer in peer.answers if answer[1] != "next"]
        expected = len(row.frames()) if row.answer is not None else 0
        assert len(answers) == expected
        assert {answer[1] for answer in answers} <= {row.answer_id}
        assert {CALLRESULT if answer[0] == 3 else answer[2] for answer in answers} <= {row.answer}
        assert (first.close_code if row.close else None) == row.close
        assert len(peer.connections) == (2 if row.close else 1)
    assert row.log in caplog.text
    assert ("InvalidMessages" in events) is row.security_event


async def test_a_malformed_answer_ends_its_call_and_the_next_one_goes_out(caplog: pytest.LogCaptureFixture) -> None:
    async with booted() as (peer, station, events):
        peer._answer = lambda action: {"idTagInfo": 5} if action == "Authorize" else Peer._answer(action)  # type: ignore[method-assign]
        result = await asyncio.wait_for(station.authorize_id_token("TAG1"), TIMEOUT)
        assert result.id_tag_info.status == "Invalid"
        await peer.alive("next")
        await peer.until(lambda: "InvalidMessages" in events)
    assert "Authorize.conf is malformed" in caplog.text


async def test_a_message_id_may_come_again_on_a_new_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with booted() as (peer, _, _):
        await peer.alive("1")
        await peer.connections[0].close()
        await peer.until(lambda: len(peer.connections) == 2)
        peer.answers.clear()
        await peer.alive("1")
        assert "used again" not in caplog.text
        await peer.send('[2,"1","GetLocalListVersion",{}]')
        await peer.until(lambda: len(peer.answers) == 2)
    assert "Message id used again: 1" in caplog.text


async def test_a_burst_of_frames_is_gone_through_in_order_and_nothing_is_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of all sorts; every second one is a CALL, and has its answer."""
    caplog.set_level(logging.WARNING)
    sorts = [f'[3,"{ID}",{{}}]', f'[5,"{ID}"]', f'[4,"{ID}","GenericError","",{{}}]']
    async with booted() as (peer, station, _):
        starting = asyncio.create_task(station.on_transaction_started(1, "session-1", "TAG1", 100))
        for number in range(FLOOD):
            call = number % 2 == 0
            await peer.send(f'[2,"c{number}","GetLocalListVersion",{{}}]' if call else sorts[number % 3])
        await peer.until(lambda: len(peer.answers) == FLOOD // 2)
        await starting
        await peer.until(lambda: len(peer.said("StartTransaction")) == 1)
        assert [answer[1] for answer in peer.answers] == [f"c{number}" for number in range(0, FLOOD, 2)]
        assert len(peer.connections) == 1
        await peer.alive("next")
    assert len(caplog.records) < 200, "a flood of frames is no flood of log lines"
    assert "10000 times so far" in caplog.text


async def test_a_flood_does_not_starve_the_rest_of_the_station() -> None:
    async with booted() as (peer, station, _):
        core = station._core
        assert core is not None
        turns, row, longest, received, answer = (
            0,
            Counter[int](),
            Counter[str](),
            core.router.received,
            core.router._answer,
        )

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        def watched(frame: str | bytes, write: Any) -> None:
            row[turns] += 1
            longest["frames"] = max(longest["frames"], row[turns])
            received(frame, write)

        async def watched_answer(*arguments: Any) -> Any:
            row[-turns] += 1
            longest["answers"] = max(longest["answers"], row[-turns])
            return await answer(*arguments)

        core.router.received, core.router._answer = watched, watched_answer  # type: ignore[method-assign]
        loop = asyncio.get_running_loop()
        loop.call_soon(turn)
        for number in range(5000):
            await peer.send(f'[2,"c{number}","GetLocalListVersion",{{}}]')
        await peer.until(lambda: len(peer.answers) == 5000)
    assert longest["answers"] == 1
    assert longest["frames"] <= FRAMES_IN_A_ROW


async def test_calls_that_wait_are_bounded_by_reading_no_more_of_them() -> None:
    async with booted() as (peer, station, _):
        core = station._core
        assert core is not None
        highest = 0
        received = core.router.received

        def watched(frame: str | bytes, write: Any) -> None:
            nonlocal highest
            received(frame, write)
            highest = max(highest, core.router._waiting)

        core.router.received = watched  # type: ignore[method-assign]
        big = "x" * 1_000_000
        gate = asyncio.Event()
        station.register_data_transfer_callback(lambda _: gate.wait())  # type: ignore[arg-type, return-value]
        sending = asyncio.create_task(
            peer.send(*(f'[2,"c{n}","DataTransfer",{{"vendorId":"V","data":"{big}"}}]' for n in range(40)))
        )
        await peer.until(lambda: core.router._waiting > MOST_WAITING)
        gate.set()
        await asyncio.wait_for(sending, TIMEOUT)
        await peer.until(lambda: len(peer.answers) == 40)
        assert MOST_WAITING < highest < MOST_WAITING + 2_000_000


@pytest.mark.parametrize(
    ("count", "said"), [(1, True), (10, True), (11, False), (100, True), (200, False), (1000, True)]
)
def test_of_a_flood_samples_are_logged(count: int, said: bool) -> None:
    assert worth_saying(count) is said
