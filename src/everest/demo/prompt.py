"""The hand-driven station: reads commands from the terminal, or from a pipe as a script.

At a terminal every command is carried out at once. In a script each one waits for its effect, so that
`plug 1`, `swipe CARD 1`, `unplug 1` one after the other make a session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Callable
from typing import TextIO

from everest.demo.commands import HELP, CommandError, Help, Publish, Quit, Wait, parse
from everest.demo.watch import Watch

EFFECT_SECONDS = 20.0
FINAL = {"Rejected", "TimedOut", "UsedToStart", "UsedToStop", "Withdrawn", "UsedToReauthorize"}


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person types there."""
    return stream is not None and stream.isatty()


def is_nobody(stream: TextIO | None) -> bool:
    """Whether neither a person nor a script is there: the null device of a service or a container, or nothing."""
    try:
        return stream is None or (stat.S_ISCHR(os.fstat(stream.fileno()).st_mode) and not stream.isatty())
    except (OSError, ValueError):
        return True


class Typed:
    """The lines of a stream as they come. Read by a daemon thread: a terminal cannot be awaited."""

    def __init__(self, stream: TextIO | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.ended = asyncio.Event()
        """Set at the end of the stream (Ctrl-D, a closed terminal), even while lines wait to be taken."""
        threading.Thread(target=self._read, args=(stream,), name="demo stdin", daemon=True).start()

    async def next(self) -> str | None:
        """The next line; None at the end."""
        return await self._lines.get()

    def _read(self, stream: TextIO | None) -> None:
        try:
            for line in stream or ():
                self._call(self._lines.put_nowait, line)
        except (OSError, ValueError):
            """A terminal that was closed."""
        self._call(self._lines.put_nowait, None)
        self._call(self.ended.set)

    def _call(self, function: Callable[..., None], *arguments: str | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)


class Prompt:
    """Carries out commands until the end of the input."""

    def __init__(
        self, watch: Watch, evses: int, *, script: bool, say: Callable[[str], None], plain: Callable[[str], None]
    ) -> None:
        self._watch = watch
        self._evses = evses
        self._script = script
        self._say = say
        self._plain = plain
        self.failed = False
        """True once a line of a script was not understood or had no effect."""

    async def run(self, typed: Typed) -> None:
        while (line := await typed.next()) is not None:
            try:
                command = parse(line, evses=self._evses)
            except CommandError as error:
                self.failed = True
                self._plain(str(error))
                continue
            if isinstance(command, Quit):
                return
            if isinstance(command, Help):
                self._plain(HELP)
            elif isinstance(command, Wait):
                await self._wait(typed, command.seconds)
            elif isinstance(command, Publish):
                await self._carry_out(line.strip(), command)

    async def _wait(self, typed: Typed, seconds: float) -> None:
        """Let time pass. A script has ended as soon as it is read; a terminal that ends ends the waiting, too."""
        if self._script:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await typed.ended.wait()

    async def _carry_out(self, words: str, command: Publish) -> None:
        effect = self._effect(words.split())
        self._watch.publish(command.topic, command.payload)
        if self._script and effect is not None and not await self._watch.until(effect, seconds=EFFECT_SECONDS):
            self.failed = True
            self._say(f"{words}: no effect within {EFFECT_SECONDS:.0f} s")

    def _effect(self, words: list[str]) -> Callable[[], bool] | None:
        """What shows that the command was carried out; None where nothing has to be waited for."""
        watch = self._watch
        name, *arguments = words
        if name.lower() == "swipe":
            tag, before = arguments[0], len(watch.tokens)
            settled = {evse: watch.count(evse, "TransactionFinished") for evse in range(1, self._evses + 1)}
            return lambda: self._swiped(tag, before, settled)
        if name.lower() not in ("plug", "unplug"):
            return None
        evse = int(arguments[0])
        kind = "AuthRequired" if name.lower() == "plug" else "SessionFinished"
        count = watch.count(evse, kind)
        return lambda: watch.count(evse, kind) > count

    def _swiped(self, tag: str, before: int, settled: dict[int, int]) -> bool:
        final = [t for t in self._watch.tokens[before:] if t["status"] in FINAL and _value(t) == tag]
        if not final:
            return False
        if final[-1]["status"] != "UsedToStop":
            return True
        evses = final[-1]["token"].get("connectors") or list(settled)
        return any(self._watch.count(evse, "TransactionFinished") > settled.get(evse, 0) for evse in evses)


def _value(status: dict[str, dict[str, dict[str, str]]]) -> str:
    return status["token"]["id_token"]["value"]
