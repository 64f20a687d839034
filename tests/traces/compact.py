"""Makes a recording fit for the repository: small, and without a path of the machine that it was made on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from everest.trace.records import BusMessage, Record, Trace

CHECKOUT = Path(__file__).parents[2]
FAST = ("/var/hw_capabilities", "/var/enforced_limits", "/var/telemetry", "everest_external/nodered/", "_external/")
"""Parts of topics with readings that come often and that no module needs."""


def compact(trace: Trace, folder: Path, left_out: tuple[str, ...] = FAST) -> Trace:
    """The trace without what the manager retains and without topics that hold one of `left_out`.

    `folder` is where the station ran; it is called <RUN>, this checkout <PREFIX>.
    """
    places = ((str(folder).encode(), b"<RUN>"), (str(CHECKOUT).encode(), b"<PREFIX>"))
    return [_anywhere(record, places) for record in trace if not _is_left_out(record, left_out)]


def _is_left_out(record: Record, left_out: tuple[str, ...]) -> bool:
    return isinstance(record, BusMessage) and (record.retain or any(part in record.topic for part in left_out))


def _anywhere(record: Record, places: tuple[tuple[bytes, bytes], ...]) -> Record:
    if not isinstance(record, BusMessage):
        return record
    payload = record.payload
    for place, name in places:
        payload = payload.replace(place, name)
    return replace(record, payload=payload)
