"""Making two runs of the same story equal: ids and times are named by their kind, what has no promised order gets one.

Lives here: `normalise`, pure. May not be imported here: anything but said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from everest.trace.said import OCPP, TIMER, Statement

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
UPLOAD = re.compile(r"(diagnostics-<time>)[A-Za-z0-9]{6}")
"""File names of uploads end in six characters of chance (station 5.4)."""


MIRROR = "/ocpp_message"
"""End of the channel of a variable that holds every frame once more."""


def plain(value: Any) -> Any:
    """A value with every UUID and every time replaced by `<id>` and `<time>`, in keys, too; `timestamp` always.

    A negative `transaction_id` is one that the station made up while it was offline.
    """
    if isinstance(value, dict):
        return {plain(key): _member(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str):
        return UPLOAD.sub(r"\1<chance>", TIME.sub("<time>", ID.sub("<id>", value)))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _member(key: str, value: Any) -> Any:
    if key == "timestamp":
        return "<time>"
    if key == "transaction_id" and str(value).startswith("-"):
        return "<id>"
    return plain(value)


def normalise(said: Iterable[Statement]) -> list[Statement]:
    """All statements in their plain form and in an order that does not depend on chance."""
    return in_one_order([Statement(item.t, item.channel, plain(item.value)) for item in said])


def in_one_order(said: list[Statement]) -> list[Statement]:
    """Status notifications that follow each other are sorted: which connector goes first is nobody's promise.

    So are the frames that a variable mirrors, as those of the station and of the CSMS pass each other; the frames
    themselves are compared in their order. Timers of one name, as those of several connectors, have none either.
    """
    frames = [item for item in said if item.channel == OCPP]
    without = [item for item in said if _is_free(item)]
    ordered = [item for item in said if item.channel != OCPP and not _is_free(item)]
    ordered += sorted(without, key=lambda item: json.dumps(item.value, sort_keys=True))
    for is_status, group in groupby(frames, lambda item: item.value[0] == "StatusNotification"):
        run = list(group)
        ordered += sorted(run, key=_connector) if is_status else run
    return ordered


def _is_free(item: Statement) -> bool:
    """Whether it has no order."""
    return item.channel.endswith(MIRROR) or item.channel.startswith(TIMER)


def _connector(item: Statement) -> str:
    payload = item.value[1]
    return str(payload.get("connectorId")) if isinstance(payload, dict) else ""
