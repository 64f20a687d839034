"""Where log records go: text file, raw file, security file, console. Blocking: used in the writer's thread.

One sink per file. A sink says which records it takes, and how they look (libocpp 8.1, 8.2).
May import: rotation. Must not import: asyncio, anything of the charge point but message timestamps.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple, Protocol, TextIO

import msgspec

from ocpp16.logs.rotation import RotatingFile
from ocpp16.messages import format_timestamp


class Kind(Enum):
    SENT = "sent"
    RECEIVED = "received"
    RAW_SENT = "raw sent"
    RAW_RECEIVED = "raw received"
    SYSTEM = "system"
    SECURITY = "security"


class Record(NamedTuple):
    """`name` is the message name, empty for raw frames; `text` the frame, the system line or the security event."""

    kind: Kind
    time: datetime
    name: str
    text: str


ROUTES = {
    Kind.SENT: ("ChargePoint", "CentralSystem"),
    Kind.RAW_SENT: ("ChargePoint", "CentralSystem"),
    Kind.RECEIVED: ("CentralSystem", "ChargePoint"),
    Kind.RAW_RECEIVED: ("CentralSystem", "ChargePoint"),
    Kind.SYSTEM: ("SYS", ""),
}
_COLOURS = {Kind.SENT: "\033[1;35m", Kind.RECEIVED: "\033[1;36m", Kind.SYSTEM: "\033[1;32m"}
_NO_COLOUR = "\033[0m"
MESSAGES = frozenset({Kind.SENT, Kind.RECEIVED, Kind.SYSTEM})
RAW = frozenset({Kind.RAW_SENT, Kind.RAW_RECEIVED, Kind.SYSTEM})


class Sink(Protocol):
    """`write` returns how many old files were deleted; all methods may raise OSError."""

    name: str

    def takes(self, kind: Kind) -> bool: ...

    def write(self, record: Record) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class FileSink:
    """A sink on one rotating file."""

    kinds: frozenset[Kind] = frozenset()
    name = "file"

    def __init__(self, file: RotatingFile) -> None:
        self._file = file

    def takes(self, kind: Kind) -> bool:
        return kind in self.kinds

    def write(self, record: Record) -> int:
        return self._file.write(self.text(record), record.time)

    def text(self, record: Record) -> str:
        raise NotImplementedError

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TextSink(FileSink):
    """`log`: a line with time, route and name, then the JSON, then a blank line."""

    kinds = MESSAGES
    name = "log"

    def text(self, record: Record) -> str:
        origin, target = ROUTES[record.kind]
        if record.kind is Kind.SYSTEM:
            return f"{format_timestamp(record.time)}: {origin} {record.text}\n\n"
        return f"{format_timestamp(record.time)}: {origin}>{target} {record.name}\n{pretty(record.text)}\n\n"


class RawSink(FileSink):
    """`<stem>_raw.log`: every frame as it came, also those that cannot be read (DEPARTURE 47)."""

    kinds = RAW
    name = "raw log"

    def text(self, record: Record) -> str:
        origin, target = ROUTES[record.kind]
        route = f"{origin}>{target}" if target else origin
        return f"{format_timestamp(record.time)}: {route} {record.text}\n"


class SecuritySink(FileSink):
    """`security`: one JSON object per line."""

    kinds = frozenset({Kind.SECURITY})
    name = "security"

    def text(self, record: Record) -> str:
        return record.text + "\n"


class ConsoleSink:
    """`console` writes names, `console_detailed` whole messages. Colours on a terminal only."""

    def __init__(self, stream: TextIO, *, detailed: bool) -> None:
        self.name = "console_detailed" if detailed else "console"
        self._stream = stream
        self._detailed = detailed
        self._coloured = stream.isatty()

    def takes(self, kind: Kind) -> bool:
        return kind in MESSAGES

    def write(self, record: Record) -> int:
        origin, _ = ROUTES[record.kind]
        what = record.text if record.kind is Kind.SYSTEM else record.name
        if self._detailed and record.kind is not Kind.SYSTEM:
            what = f"{record.name} {record.text}"
        line = f"{origin}: {what}"
        self._stream.write(f"{_COLOURS[record.kind]}{line}{_NO_COLOUR}\n" if self._coloured else f"{line}\n")
        return 0

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


def pretty(frame: str) -> str:
    """Indented by 2; a frame that is no JSON stays as it is."""
    try:
        return msgspec.json.format(frame, indent=2)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return frame
