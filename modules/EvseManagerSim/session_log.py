"""The session log that `session_logging` asks for: a folder per session, a JSON line per event (station 2.3, 2.11).

A folder that cannot be written is logged once per session; the session goes on and carries no logging_path.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger
from pathlib import Path

import msgspec

from everest.contracts.types.evse_manager import SessionEvent

from .settings import Settings

log = getLogger(__name__)

FILE_NAME = "session_events.jsonl"


class SessionLog:
    """Writes the events of the running session; does nothing when `folder` is None."""

    def __init__(self, folder: Path | None, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix
        self._current: Path | None = None
        self.tell: Callable[[str], None] = lambda line: None
        """Hears every line that is written."""

    @classmethod
    def from_settings(cls, settings: Settings) -> SessionLog:
        folder = Path(settings.text("session_logging_path")) if settings.flag("session_logging") else None
        return cls(folder, settings.text("logfile_suffix"))

    @property
    def path(self) -> str | None:
        """Folder of the running session."""
        return None if self._current is None else str(self._current)

    def open(self, uuid: str, timestamp: str) -> None:
        """Begin the log of a session: folder `<time>-<uuid>`, or `<time>-<suffix>`."""
        self._current = None
        if self._folder is None:
            return
        suffix = uuid if self._suffix == "session_uuid" else self._suffix
        current = self._folder / f"{timestamp}-{suffix.replace('/', '_')}"
        try:
            current.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            log.error("session_logging_path: %s cannot be created: %s", current, error)
            return
        self._current = current

    def write(self, event: SessionEvent) -> None:
        """Append one event; the log ends with SessionFinished."""
        if self._current is None or not event.uuid:
            return
        line = msgspec.json.encode(event)
        self.tell(line.decode())
        try:
            with (self._current / FILE_NAME).open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            log.error("%s cannot be written: %s", self._current / FILE_NAME, error)
            self._current = None
        if event.session_finished is not None:
            self._current = None
