"""The message log of the charge point: takes records on the loop, writes them in a worker thread (libocpp 8).

Nothing here raises into the charge point or makes it wait. A sink that fails (disk full) is reported once, and again
only after it has worked in between. Must not import: any capability.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TextIO

import msgspec

from ocpp16.logs.html import HtmlSink, RawHtmlSink, html_file
from ocpp16.logs.redaction import redact
from ocpp16.logs.rotation import RotatingFile, Rotation
from ocpp16.logs.sinks import MESSAGES, ConsoleSink, Kind, RawSink, Record, SecuritySink, Sink, TextSink
from ocpp16.messages import format_timestamp
from ocpp16.ports import Clock

logger = logging.getLogger(__name__)

ROTATED_STEM = "libocpp_16"
FORMATS = frozenset({"log", "html", "session_logging", "console", "console_detailed", "callback", "security"})
INCOMPLETE_SESSION_LOG = "incomplete-ocpp.html"
SESSION_LOG = "ocpp.html"
LONGEST_BACKLOG = 100_000
"""Records that may wait for the writer; beyond that they are counted and dropped."""


class MessageDirection(StrEnum):
    ChargingStationToCSMS = "ChargingStationToCSMS"
    CSMSToChargingStation = "CSMSToChargingStation"


Step = Callable[[], None]
"""Something the writer does between two records."""

MessageCallback = Callable[[str, MessageDirection], None]
"""The `message_callback` of the constructor (libocpp 2.1)."""


@dataclass(frozen=True)
class LogSettings:
    """The configuration keys LogMessages, LogMessagesRaw, LogMessagesFormat, LogRotation..."""

    log_messages: bool = True
    raw: bool = False
    formats: tuple[str, ...] = ("log", "security")
    rotation: bool = False
    date_suffix: bool = False
    maximum_file_size: int = 0
    maximum_file_count: int = 0
    secrets: bool = False
    """Write passwords and private keys as they are."""


def open_message_log(
    settings: LogSettings,
    directory: Path,
    clock: Clock,
    *,
    message_callback: MessageCallback | None = None,
    on_security_log_cleared: Callable[[], None] | None = None,
    console: TextIO | None = None,
) -> WrittenMessageLog:
    """Make the log that the configuration asks for; files are opened with their first record.

    `on_security_log_cleared` is called in the loop when rotation has deleted a security log (SecurityLogWasCleared).
    Formats that are not known are named in one log line.
    """
    unknown = sorted(set(settings.formats) - FORMATS)
    if unknown and settings.log_messages:
        logger.warning("LogMessagesFormat: %s not available, left out", ", ".join(unknown))
    sinks = list(_sinks(settings, directory, clock.now(), console or sys.stdout)) if settings.log_messages else []
    callback = message_callback if "callback" in settings.formats else None
    sessions = settings.log_messages and "session_logging" in settings.formats
    return WrittenMessageLog(
        sinks, clock, callback, on_security_log_cleared, session_logging=sessions, secrets=settings.secrets
    )


def _sinks(settings: LogSettings, directory: Path, now: datetime, console: TextIO) -> Iterable[Sink]:
    rotation = Rotation()
    if settings.rotation:
        rotation = Rotation(settings.maximum_file_size, settings.maximum_file_count, settings.date_suffix)
    stem = ROTATED_STEM if settings.rotation else format_timestamp(now)
    if "log" in settings.formats:
        yield TextSink(RotatingFile(directory / f"{stem}.log", rotation))
        if settings.raw:
            yield RawSink(RotatingFile(directory / f"{stem}_raw.log", rotation))
    if "html" in settings.formats:
        yield HtmlSink(html_file(directory / f"{stem}.html", rotation))
        if settings.raw:
            yield RawHtmlSink(html_file(directory / f"{stem}_raw.html", rotation))
    if "security" in settings.formats:
        yield SecuritySink(RotatingFile(directory / f"{stem}.security.log", rotation))
    if "console_detailed" in settings.formats or "console" in settings.formats:
        yield ConsoleSink(console, detailed="console_detailed" in settings.formats)


SECURITY_LOG_WAS_CLEARED = "SecurityLogWasCleared"


class WrittenMessageLog:
    """`ocpp16.ports.MessageLog` over any number of sinks."""

    def __init__(
        self,
        sinks: list[Sink],
        clock: Clock,
        callback: MessageCallback | None = None,
        on_security_log_cleared: Callable[[], None] | None = None,
        *,
        session_logging: bool = False,
        secrets: bool = False,
    ) -> None:
        self._sinks = sinks
        self._session_logging = session_logging
        self._redact: Callable[[str], str] = str if secrets else redact
        self._sessions: dict[str, tuple[Path, HtmlSink]] = {}
        self._clock = clock
        self._callback = callback
        self._on_security_log_cleared = on_security_log_cleared
        self._kinds = frozenset(kind for kind in Kind if any(sink.takes(kind) for sink in sinks))
        self._backlog: list[Record | Step] = []
        self._dropped = 0
        self._executor: ThreadPoolExecutor | None = None
        self._writing: asyncio.Future[bool] | None = None
        self._open_sessions: set[str] = set()
        self._failing: set[str] = set()
        self._closed = False

    # --- the port ----------------------------------------------------------------------------------------------------

    def sent(self, frame: str, action: str) -> None:
        self._message(Kind.SENT, frame, action, MessageDirection.ChargingStationToCSMS)

    def received(self, frame: str, action: str) -> None:
        self._message(Kind.RECEIVED, frame, action, MessageDirection.CSMSToChargingStation)

    def raw(self, frame: str | bytes, *, sent: bool) -> None:
        kind = Kind.RAW_SENT if sent else Kind.RAW_RECEIVED
        if self._wanted(kind):
            text = frame if isinstance(frame, str) else frame.decode(errors="backslashreplace")
            self._add(kind, "", self._redact(text))

    def system(self, text: str) -> None:
        self._add(Kind.SYSTEM, "", text)

    def security(self, event_type: str, timestamp: datetime, tech_info: str | None) -> None:
        event = {"type": event_type, "timestamp": format_timestamp(timestamp)}
        if tech_info is not None:
            event["techInfo"] = self._redact(tech_info)
        self._add(Kind.SECURITY, event_type, msgspec.json.encode(event).decode())

    def session_started(self, session_id: str, folder: Path) -> None:
        """From here on all messages also go to `incomplete-ocpp.html` in this folder, with `session_logging`."""
        if not self._session_logging or self._closed:
            return
        self._open_sessions.add(session_id)
        self._backlog.append(partial(self._open_session, session_id, folder))
        self.system("Session logging started.")

    def session_ended(self, session_id: str) -> None:
        """The session's page is complete: `ocpp.html`."""
        if session_id in self._open_sessions and not self._closed:
            self._open_sessions.discard(session_id)
            self._backlog.append(partial(self._end_session, session_id))
            self._start()

    async def close(self) -> None:
        """Write what waits, close the files, end the thread."""
        self._closed = True
        self._start()
        while self._writing is not None:
            await asyncio.wait([self._writing])
            await asyncio.sleep(0)
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.get_running_loop().run_in_executor(executor, self._close_sinks)
            executor.shutdown(wait=False)

    # --- on the loop -------------------------------------------------------------------------------------------------

    def _message(self, kind: Kind, frame: str, action: str, direction: MessageDirection) -> None:
        if self._callback is None and not self._wanted(kind):
            return
        text = self._redact(frame)
        self._add(kind, action, text)
        if self._callback is not None:
            try:
                self._callback(text, direction)
            except Exception:
                logger.exception("The message callback failed")

    def _wanted(self, kind: Kind) -> bool:
        return kind in self._kinds or (bool(self._open_sessions) and kind in MESSAGES)

    def _add(self, kind: Kind, name: str, text: str) -> None:
        if not self._wanted(kind) or self._closed:
            return
        if len(self._backlog) >= LONGEST_BACKLOG:
            self._dropped += 1
            return
        self._backlog.append(Record(kind, self._clock.now(), name, text))
        self._start()

    def _start(self) -> None:
        """Hand the backlog to the writer, unless it is busy: then it goes with what has gathered meanwhile."""
        if self._writing is not None or not self._backlog:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # before the loop runs: written with the first record after that
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocpp16-log")
        backlog, self._backlog = self._backlog, []
        if self._dropped:
            logger.warning("The message log was too slow: %d records are missing", self._dropped)
            self._dropped = 0
        self._writing = loop.run_in_executor(self._executor, self._write, backlog)
        self._writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[bool]) -> None:
        self._writing = None
        cleared = not writing.cancelled() and writing.result()
        self._start()
        if cleared and self._on_security_log_cleared is not None:
            self._on_security_log_cleared()

    # --- in the writer's thread --------------------------------------------------------------------------------------

    def _write(self, backlog: list[Record | Step]) -> bool:
        """True if a security log was deleted, other than by the event that tells of it: in a file smaller than that
        event's line it would come again and again."""
        cleared = False
        for item in backlog:
            if not isinstance(item, Record):
                item()
                continue
            for sink in self._all_sinks():
                if sink.takes(item.kind) and self._write_to(sink, item) and isinstance(sink, SecuritySink):
                    cleared = cleared or item.name != SECURITY_LOG_WAS_CLEARED
        for sink in self._all_sinks():
            self._safely(sink, sink.flush)
        return cleared

    def _all_sinks(self) -> list[Sink]:
        return [*self._sinks, *(sink for _, sink in self._sessions.values())]

    def _write_to(self, sink: Sink, record: Record) -> int:
        try:
            deleted = sink.write(record)
        except (OSError, ValueError) as error:
            self._failed(sink, error)
            return 0
        self._failing.discard(sink.name)
        return deleted

    def _open_session(self, session_id: str, folder: Path) -> None:
        path = folder / INCOMPLETE_SESSION_LOG
        self._sessions[session_id] = (path, HtmlSink(html_file(path, Rotation())))

    def _end_session(self, session_id: str) -> None:
        path, sink = self._sessions.pop(session_id)
        self._safely(sink, sink.close)
        self._safely(sink, lambda: path.rename(path.with_name(SESSION_LOG)))

    def _safely(self, sink: Sink, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError) as error:
            self._failed(sink, error)

    def _failed(self, sink: Sink, error: Exception) -> None:
        if sink.name not in self._failing:
            logger.error("The message log %r cannot be written, messages are missing in it: %s", sink.name, error)
            self._failing.add(sink.name)

    def _close_sinks(self) -> None:
        for sink in self._all_sinks():
            self._safely(sink, sink.close)
