"""The module lives through the recordings of a real EVerest and says to the CSMS what the original said.

Left out of the comparison is what differs from run to run (ids, times, values of samples). What else differs stands in
DIFFERENCES, each with its reason: frames are brought to one form by it, on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.support.recorded_station import play
from tests.support.traces import names, ocpp

pytestmark = pytest.mark.looptime

Frame = list[Any]
"""`[action, payload]` of a CALL, `[3, action, payload]` or `[4, action, code]` of an answer."""

LATER = ("GetInstalledCertificateIds", "SignedUpdateFirmware")


def without_plug_and_charge(frame: Frame) -> Frame | None:
    return None if "org.openchargealliance.iso15118pnc" in json.dumps(frame) else frame


def without_certificate_messages(frame: Frame) -> Frame | None:
    return None if frame[1] in LATER else frame


def without_neutral_current(frame: Frame) -> Frame | None:
    if frame[0] != "MeterValues":
        return frame
    for value in frame[1]["meterValue"]:
        value["sampledValue"] = [sample for sample in value["sampledValue"] if sample.get("phase") != "N"]
    return frame


def signed_start_without_transaction(frame: Frame) -> Frame | None:
    if frame[0] == "MeterValues" and "SignedData" in json.dumps(frame):
        frame[1].pop("transactionId", None)
    return frame


def idle_log_without_request(frame: Frame) -> Frame | None:
    if frame[0] == "LogStatusNotification" and frame[1]["status"] == "Idle":
        frame[1].pop("requestId", None)
    return frame


def configuration_of_both(frame: Frame) -> Frame | None:
    if frame[0] == 3 and frame[1] == "GetConfiguration" and len(frame[2].get("configurationKey", ())) > 20:
        flags = {entry["key"]: entry["readonly"] for entry in frame[2]["configurationKey"]}
        return [3, frame[1], {key: flags[key] for key in COMPARED_KEYS}]
    return frame


DIFFERENCES: list[tuple[str, Callable[[Frame], Frame | None]]] = [
    ("Plug & Charge comes later", without_plug_and_charge),
    ("certificates come later; until then NotSupported", without_certificate_messages),
    ("DEPARTURE 23: the current of the neutral is told, as the meter measures it", without_neutral_current),
    ("libocpp 3.5.2 Do: the signed start value always has its transactionId", signed_start_without_transaction),
    ("DEPARTURE 35: a log status before any upload has no request id", idle_log_without_request),
    ("smart charging, PnC and pricing keys come later; DEPARTURE 3 changes access", configuration_of_both),
]

COMPARED_KEYS = (
    "AllowOfflineTxForUnknownId",
    "AuthorizeRemoteTxRequests",
    "CentralSystemURI",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LocalAuthListEnabled",
    "LocalPreAuthorize",
    "MeterPublicKey1",
    "MeterValueSampleInterval",
    "NumberOfConnectors",
    "ReserveConnectorZeroSupported",
    "SecurityProfile",
    "SupportedFeatureProfiles",
    "WebSocketPingInterval",
)


def original(name: str) -> list[list[Any]]:
    """What the original sent, up to the end of its first connection."""
    frames = []
    for record in ocpp(name):
        if record.dir == "disconnect":
            break
        if record.dir == "cp->csms":
            frames.append(record.json())
    return frames


def requests(name: str) -> dict[str, str]:
    """Message id -> action of every CALL of the CSMS."""
    calls = (record.json() for record in ocpp(name) if record.dir == "csms->cp")
    return {message[1]: message[2] for message in calls if message[0] == 2}


def told(frames: list[list[Any]], name: str) -> list[str]:
    """One line per frame, in a form that is equal where the frames mean the same: own CALLs, then answers.

    An answer may overtake a CALL that came into the queue a moment before it.
    """
    actions = requests(name)
    lines = []
    for message in frames:
        payload = scrub(message[3] if message[0] == 2 else message[2])
        frame: Frame | None = [message[2], payload] if message[0] == 2 else [message[0], actions[message[1]], payload]
        for _reason, transform in DIFFERENCES:
            frame = transform(frame) if frame is not None else None
        if frame is not None:
            lines.append(json.dumps(frame, sort_keys=True))
    answers = [line for line in lines if line.startswith("[3") or line.startswith("[4")]
    return in_one_order([line for line in lines if line not in answers]) + answers


def in_one_order(lines: list[str]) -> list[str]:
    """Status notifications that follow each other are sorted: which connector goes first is nobody's promise."""
    ordered: list[str] = []
    for is_status, group in groupby(lines, lambda line: line.startswith('["StatusNotification"')):
        run = list(group)
        ordered += sorted(run, key=lambda line: json.loads(line)[1]["connectorId"]) if is_status else run
    return ordered


def scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: scrub(part) for key, part in value.items() if key not in ("timestamp", "value")}
    return [scrub(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", names())
async def test_the_csms_is_told_what_the_original_told_it(name: str, tmp_path: Path) -> None:
    ours = told(await play(name, tmp_path), name)
    theirs = told(original(name), name)
    assert len(theirs) >= 5
    assert ours == theirs


def test_every_difference_is_really_there() -> None:
    """A named difference that changes nothing any more is to be taken off the list."""
    frames = []
    for name in names():
        actions = requests(name)
        frames += [[m[2], m[3]] if m[0] == 2 else [m[0], actions[m[1]], m[2]] for m in original(name)]
    for reason, transform in DIFFERENCES:
        if transform is without_neutral_current:
            continue
        copies = [json.loads(json.dumps(frame)) for frame in frames]
        assert any(transform(copy) != frame for copy, frame in zip(copies, frames, strict=True)), reason
