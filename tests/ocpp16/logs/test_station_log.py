"""What a charge point that runs writes into its logs: names of both directions, and frames nobody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


def logging(folder: Path, *formats: str, **keys: object) -> Station:
    station = Station(LogMessagesFormat=list(formats), **keys)
    station.charge_point._log_path = folder
    return station


async def test_answers_are_named_after_their_call_in_both_directions(tmp_path: Path) -> None:
    async with logging(tmp_path, "log") as station:
        await station.boot()
        await station.csms.call("ClearCache")
        await settled()
    (file,) = tmp_path.iterdir()
    lines = [line.split(": ", 1)[1] for line in file.read_text().splitlines() if ": C" in line and ">" in line]
    assert lines[:2] == [
        "ChargePoint>CentralSystem BootNotification",
        "CentralSystem>ChargePoint BootNotificationResponse",
    ]
    assert lines[-2:] == ["CentralSystem>ChargePoint ClearCache", "ChargePoint>CentralSystem ClearCacheResponse"]


async def test_frames_that_nobody_can_read_are_logged_as_they_came(tmp_path: Path) -> None:
    async with logging(tmp_path, "log", LogMessagesRaw=True) as station:
        await station.boot()
        await station.csms.send("[2, no frame")
        await settled()
    raw, plain = sorted(tmp_path.iterdir(), key=lambda path: "_raw" not in path.name)
    assert "[2, no frame" in raw.read_text()
    assert "[2, no frame" in plain.read_text()


async def test_a_security_log_that_lost_a_file_is_an_event_for_the_central_system(tmp_path: Path) -> None:
    rotation = {"LogRotation": True, "LogRotationMaximumFileSize": 10, "LogRotationMaximumFileCount": 1}
    async with logging(tmp_path, "security", **rotation) as station:
        await station.boot()
        await station.charge_point.on_security_event("TamperDetectionActivated", "lid")
        await settled()
        told = [(p["type"], p.get("techInfo")) for p in station.csms.requests("SecurityEventNotification")]
    text = "Security log was rotated and an old log was deleted in the process"
    assert ("SecurityLogWasCleared", text) in told
