"""What a trace file holds: JSON lines, gzip when the name ends in `.gz`, one record per line in broker order.

Lives here: the three kinds of records, and `load` and `Writer`. A recording of two files (`NAME.jsonl.gz` for the bus
and `NAME.ocpp.jsonl.gz` for the frames beside it) is joined by time when it is read.
May not be imported here: anything of this project.

    {"t", "topic", "payload", "qos", "retain"}     a bus message; `payload_base64` where the payload is no UTF-8
    {"t", "module", "dir", "frame"}                an OCPP-J frame; dir: cp->csms, csms->cp, connect, disconnect
    {"t", "module", "timer"}                       a named timer of the module that fired
"""

from __future__ import annotations

import base64
import gzip
import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

SENT = "cp->csms"
RECEIVED = "csms->cp"
CONNECT = "connect"
DISCONNECT = "disconnect"


class TraceError(Exception):
    """A trace that cannot be read, or does not hold what was asked for; the text names file, line and fix."""


@dataclass(frozen=True, slots=True)
class BusMessage:
    """One message as it was published. `t`: Unix seconds."""

    t: float
    topic: str
    payload: bytes
    qos: int = 2
    retain: bool = False

    @property
    def text(self) -> str:
        return self.payload.decode(errors="replace")

    def json(self) -> Any:
        """The payload as JSON, None where it is none."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None

    def line(self) -> dict[str, Any]:
        try:
            payload = {"payload": self.payload.decode()}
        except UnicodeDecodeError:
            payload = {"payload_base64": base64.b64encode(self.payload).decode()}
        return {"t": self.t, "topic": self.topic, **payload, "qos": self.qos, "retain": self.retain}


@dataclass(frozen=True, slots=True)
class Frame:
    """One websocket event of an OCPP module; `module` is empty where the recording does not say."""

    t: float
    direction: str
    text: str = ""
    module: str = ""

    def message(self) -> list[Any]:
        """The frame as JSON, an empty list where it is none (connect, disconnect, garbage)."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return []
        return found if isinstance(found, list) and len(found) > 2 else []

    def line(self) -> dict[str, Any]:
        return {"t": self.t, "module": self.module, "dir": self.direction, "frame": self.text}


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A named timer inside a module."""

    t: float
    timer: str
    module: str = ""

    def line(self) -> dict[str, Any]:
        return {"t": self.t, "module": self.module, "timer": self.timer}


Record = BusMessage | Frame | TimerFired
Trace = list[Record]


def parse(line: dict[str, Any]) -> Record:
    """One line. Errors: KeyError, TypeError and ValueError for a line of another shape."""
    t = float(line["t"])
    if "topic" in line:
        coded = line.get("payload_base64")
        payload = str(line["payload"]).encode() if coded is None else base64.b64decode(coded)
        return BusMessage(t, str(line["topic"]), payload, int(line.get("qos", 2)), bool(line.get("retain", False)))
    if "timer" in line:
        return TimerFired(t, str(line["timer"]), str(line.get("module", "")))
    return Frame(t, str(line["dir"]), str(line.get("frame") or ""), str(line.get("module", "")))


def load(path: Path) -> Trace:
    """All records of a trace, in order. Errors: TraceError."""
    records = list(_lines(path))
    for suffix in (".jsonl.gz", ".jsonl"):
        beside = path.with_name(path.name.removesuffix(suffix) + ".ocpp" + suffix)
        if path.name.endswith(suffix) and not path.name.endswith(".ocpp" + suffix) and beside.is_file():
            return list(heapq.merge(records, _lines(beside), key=lambda record: record.t))
    return records


def _lines(path: Path) -> Iterator[Record]:
    number = 0
    try:
        with _open(path, "r") as file:
            for line in file:
                number += 1
                yield parse(json.loads(line))
    except (OSError, EOFError) as error:
        raise TraceError(f"{path}: cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"{path}:{number}: no record of a trace ({error!r})") from None


def _open(path: Path, mode: str) -> IO[str]:
    if path.name.endswith(".gz"):
        return cast("IO[str]", gzip.open(path, mode + "t", encoding="utf-8"))
    return path.open(mode, encoding="utf-8")


class Writer:
    """Writes records to a file as they come; `with Writer(path) as writer:`."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Writer:
        self._file = _open(self._path, "w")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, record: Record) -> None:
        assert self._file is not None
        self._file.write(json.dumps(record.line(), separators=(",", ":"), ensure_ascii=False) + "\n")
        self.count += 1


def save(path: Path, trace: Trace) -> None:
    """Write a whole trace."""
    with Writer(path) as writer:
        for record in trace:
            writer.write(record)
