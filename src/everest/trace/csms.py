"""The central system of a recording: answers each CALL as it was answered then, or never, and calls what was called.

Lives here: `RecordedCsms`, the other end of a module's connection, without a socket. The module's `replay.py` puts it
in place of its websocket. May not be imported here: manager, ocpp16.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from everest.trace.line import Line
from everest.trace.records import CONNECT, DISCONNECT, RECEIVED, SENT, Frame
from everest.trace.world import Answer, Answers


class RecordedCsms:
    """`note`: called with every frame and every change of the connection, as they happen; `turn` returns when an answer
    is to be given.
    """

    def __init__(
        self,
        answers: Mapping[str, Answers],
        note: Callable[[str, str], None],
        turn: Callable[[Answer], Awaitable[None]],
        *,
        online: bool,
    ) -> None:
        self._answers = answers
        self._turn = turn
        self._note = note
        self._online = asyncio.Event()
        if online:
            self._online.set()
        self._connected = asyncio.Event()
        self._line: Line | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def dial(self) -> Line:
        """Connect. While the recording was without connection the dial hangs; it succeeds when the original's did."""
        await self._online.wait()
        if self._line is not None:
            self._line.close()
        self._line = Line(self)
        self._connected.set()
        self._note(CONNECT, "")
        return self._line

    def closed(self, line: Line) -> None:
        if line is self._line:
            self._line = None
            self._connected.clear()
            self._note(DISCONNECT, "")

    def heard(self, line: Line, text: str) -> None:
        """A frame of the module: noted, and answered after the time that it took then."""
        self._note(SENT, text)
        message = json.loads(text)
        if message[0] == 2:
            self._start(self._answer(line, message), f"csms answers {message[2]}")

    async def _answer(self, line: Line, message: list[Any]) -> None:
        found = self._answers[message[2]].to(message[3]) if message[2] in self._answers else None
        if found is None:
            text = _written([4, message[1], "NotSupported", "the recording has no answer to this action", {}])
        else:
            await self._turn(found)
            text = _readdressed(found.result, message[1])
        self._deliver(line, text)

    def _deliver(self, line: Line, text: str) -> None:
        if not line.closed:
            self._note(RECEIVED, text)
            line.deliver(text)

    def play(self, frame: Frame) -> None:
        """What the recording says happens next on this side: a connection comes or goes, a CALL."""
        if frame.direction == CONNECT:
            self._online.set()
        elif frame.direction == DISCONNECT:
            self._online.clear()
            if self._line is not None:
                self._line.close()
        elif self._line is not None:
            self._deliver(self._line, frame.text)
        else:
            self._start(self._call(frame.text), "csms calls")

    async def _call(self, text: str) -> None:
        await self._connected.wait()
        if self._line is not None:
            self._deliver(self._line, text)

    def _start(self, coroutine: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _readdressed(text: str, message_id: str) -> str:
    """A recorded answer with the id of the CALL that it answers now; blanks and spelling stay."""
    answer = json.loads(text)
    old = json.dumps(answer[1])
    if old in text:
        return text.replace(old, json.dumps(message_id), 1)
    return _written([answer[0], message_id, *answer[2:]])


def _written(message: list[Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
