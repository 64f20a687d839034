"""What a trace file holds: JSON lines, gzip when the name ends in `.gz`, one record per line in broker order.

Lives here: the three kinds of records, and `load` and `Writer`. A recording of two files (`NAME.jsonl.gz` for the bus
and `NAME.ocpp.jsonl.gz` for the frames beside it) is joined by time when it is read.
May not be imported here: anything of this project.

    {"t", "topic", "payload", "qos", "retain"}     a bus message; `payload_base64` where the payload is no UTF-8
    {"t", "module", "dir", "frame"}                an OCPP-J frame; dir: cp->csms, csms->cp, connect, disconnect
    {"t", "module", "timer"}                       a named timer of the module that fired

Each may have a `turn`: where in its moment it stands, if time was virtual (JumpLoop.turn).
"""

from __future__ import annotations

import base64
import gzip
import heapq
import json
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

logger = logging.getLogger(__name__)

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
    turn: int | None = None

    @property
    def text(self) -> str:
        return self.payload.decode(errors="replace")

    def json(self) -> Any:
        """The payload as JSON, None where it is none."""
        try:
            return json.loads(self.payload)
        except (ValueError, RecursionError):
            return None

    def data(self) -> Any:
        """`data` of the envelope (bus 1.3); None where the payload is no envelope."""
        envelope = self.json()
        return envelope.get("data") if isinstance(envelope, dict) else None

    def line(self) -> dict[str, Any]:
        try:
            payload = {"payload": self.payload.decode()}
        except UnicodeDecodeError:
            payload = {"payload_base64": base64.b64encode(self.payload).decode()}
        return {"t": self.t, "topic": self.topic, **payload, "qos": self.qos, "retain": self.retain, **_turn(self)}


@dataclass(frozen=True, slots=True)
class Frame:
    """One websocket event of an OCPP module; `module` is empty where the recording does not say."""

    t: float
    direction: str
    text: str = ""
    module: str = ""
    turn: int | None = None

    def message(self) -> list[Any]:
        """The frame as JSON, an empty list where it is none (connect, disconnect, garbage).

        What is returned begins with 2, 3 or 4 and an id; after a 2 come an action and a payload.
        """
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return []
        if not isinstance(found, list) or len(found) < 3 or found[0] not in (2, 3, 4) or not isinstance(found[1], str):
            return []
        if found[0] != 2:
            return found
        return [*found, None][:4] if isinstance(found[2], str) else []

    def line(self) -> dict[str, Any]:
        return {"t": self.t, "module": self.module, "dir": self.direction, "frame": self.text, **_turn(self)}


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A named timer inside a module."""

    t: float
    timer: str
    module: str = ""
    turn: int | None = None

    def line(self) -> dict[str, Any]:
        return {"t": self.t, "module": self.module, "timer": self.timer, **_turn(self)}


Record = BusMessage | Frame | TimerFired
Trace = list[Record]


def _turn(record: Record) -> dict[str, int]:
    return {} if record.turn is None else {"turn": record.turn}


def parse(line: dict[str, Any]) -> Record:
    """One line. Errors: KeyError, TypeError and ValueError for a line of another shape."""
    if not isinstance(line, dict) or "t" not in line or not line.keys() & {"topic", "timer", "dir"}:
        raise ValueError("it needs a time t, and a topic, a timer or a dir")
    t = float(line["t"])
    turn = int(line["turn"]) if "turn" in line else None
    if "topic" in line:
        coded = line.get("payload_base64")
        payload = str(line["payload"]).encode() if coded is None else base64.b64decode(coded)
        retain = bool(line.get("retain", False))
        return BusMessage(t, str(line["topic"]), payload, int(line.get("qos", 2)), retain, turn)
    if "timer" in line:
        return TimerFired(t, str(line["timer"]), str(line.get("module", "")), turn)
    return Frame(t, str(line["dir"]), str(line.get("frame") or ""), str(line.get("module", "")), turn)


def load(path: Path) -> Trace:
    """All records of a trace, in order; a file that was not written to its end is taken as far as it goes.

    Errors: TraceError.
    """
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
                try:
                    record = parse(json.loads(line))
                except ValueError:
                    if line.endswith("\n"):
                        raise
                    logger.warning("%s ends in the middle of line %d; what stands before is taken", path, number)
                    return
                yield record
    except EOFError:
        logger.warning("%s ends in the middle; the %d records before are taken", path, number)
    except (OSError, zlib.error) as error:
        raise TraceError(f"{path}: cannot be read: {reason(error)}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise TraceError(f"{path}:{number}: no record of a trace: {what}") from None


def reason(error: Exception) -> str:
    """What went wrong with a file, without the file's name."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _open(path: Path, mode: str) -> IO[str]:
    if path.name.endswith(".gz"):
        return cast("IO[str]", gzip.open(path, mode + "t", encoding="utf-8"))
    return path.open(mode, encoding="utf-8")


class Writer:
    """Writes records to a file as they come: `open`, `write`, `close`, or `with Writer(path) as writer:`.

    Errors of each: TraceError.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.opened = False
        self._path = path
        self._file: IO[str] | None = None

    def open(self) -> None:
        """Begin the file; what it held is gone."""
        with self._telling():
            self._file = _open(self._path, "w")
        self.opened = True

    def close(self) -> None:
        """Write what is left; may be called twice."""
        file, self._file = self._file, None
        if file is not None:
            with self._telling():
                file.close()

    def __enter__(self) -> Writer:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, record: Record) -> None:
        assert self._file is not None
        line = json.dumps(record.line(), separators=(",", ":"), ensure_ascii=False)
        with self._telling():
            self._file.write(line + "\n")
        self.count += 1

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TraceError(f"{self._path}: cannot be written: {reason(error)}") from None


def save(path: Path, trace: Trace) -> None:
    """Write a whole trace."""
    with Writer(path) as writer:
        for record in trace:
            writer.write(record)
