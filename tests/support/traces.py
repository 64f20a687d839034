"""Reading the recordings in `tests/traces/everest` line by line, without unpacking a whole file into memory.

`bus(name)`, `ocpp(name)`, `marks(name)` stream one kind of record each; `implementations(name)` tells the interface of
every implementation in a recording. What the fields are is told by the README beside the recordings.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "traces" / "everest"
PREFIX = "everest/"


@dataclass(frozen=True, slots=True)
class BusMessage:
    """One message on the bus. `payload` is text as on the wire; most of it is JSON, see `json()`."""

    t: float
    topic: str
    qos: int
    retain: bool
    payload: str

    def json(self) -> Any:
        return json.loads(self.payload)


@dataclass(frozen=True, slots=True)
class OcppFrame:
    """One websocket event. `dir`: cp->csms, csms->cp, connect, disconnect; `frame` is text as on the wire."""

    t: float
    dir: str
    frame: str

    def json(self) -> Any:
        return json.loads(self.frame)


@dataclass(frozen=True, slots=True)
class Mark:
    """What was done to the station at that moment."""

    t: float
    mark: str
    details: dict[str, Any]


def names() -> list[str]:
    """Return the names of all recordings."""
    return sorted(path.name.removesuffix(".ocpp.jsonl.gz") for path in FOLDER.glob("*.ocpp.jsonl.gz"))


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every line of a gzipped JSON lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def bus(name: str) -> Iterator[BusMessage]:
    for record in records(FOLDER / f"{name}.jsonl.gz"):
        yield BusMessage(**record)


def ocpp(name: str) -> Iterator[OcppFrame]:
    for record in records(FOLDER / f"{name}.ocpp.jsonl.gz"):
        yield OcppFrame(record["t"], record["dir"], record.get("frame") or "")


def marks(name: str) -> Iterator[Mark]:
    for record in records(FOLDER / f"{name}.marks.jsonl.gz"):
        yield Mark(record.pop("t"), record.pop("mark"), record)


@cache
def implementations(name: str) -> dict[tuple[str, str], str]:
    """Return (module id, implementation id) -> interface, as the modules of a recording announced them."""
    result: dict[tuple[str, str], str] = {}
    for message in bus(name):
        parts = message.topic.removeprefix(PREFIX).split("/")
        if len(parts) == 3 and parts[0] == "modules" and parts[2] == "metadata":
            for implementation, entry in message.json()["data"]["provides"].items():
                result[parts[1], implementation] = entry["interface"]
    return result
