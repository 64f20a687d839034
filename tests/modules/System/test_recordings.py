"""System against a recording of a real EVerest: every status comes when the original sent it, to a second.

What it says, and in which order, is compared for every recording in tests/traces/test_everest.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.trace import jump_loop, records
from everest.trace.replay import replay
from everest.trace.said import Statement
from everest.trace.world import World
from modules.System.firmware import PAUSE
from modules.System.replay import DOWNLOADS, UPLOADS, outcomes, pauses_around
from tests.modules.System.bench import MODULE
from tests.support.traces import FOLDER

STATUSES = ("var main/firmware_update_status", "var main/log_status")


def told(said: list[Statement], channel: str) -> list[Statement]:
    return [statement for statement in said if statement.channel == channel]


def test_system_tells_its_statuses_when_the_original_told_them(tmp_path: Path) -> None:
    trace = records.load(FOLDER / "firmware_logs.jsonl.gz")
    replayed = jump_loop.run(replay(trace, MODULE, tmp_path))
    assert replayed.failure is None
    for channel in STATUSES:
        theirs, ours = told(replayed.world.said(), channel), told(replayed.said(), channel)
        assert len(theirs) > 4
        assert [statement.value for statement in ours] == [statement.value for statement in theirs]
        late = [mine.t - original.t for mine, original in zip(ours, theirs, strict=True)]
        assert max(map(abs, late)) < 1, late


def test_the_original_pauses_as_long_as_ours_between_the_statuses_of_a_transfer() -> None:
    """Its servers stood beside it: what is left beside the pauses of station 5.2 to 5.4 is next to nothing."""
    world = World(records.load(FOLDER / "firmware_logs.jsonl.gz"), "System")

    def said(channel: str) -> list[tuple[float, Any]]:
        return [(statement.t, statement.value) for statement in told(world.said(), channel)]

    def seconds(channel: str, member: str, begin: str, ends: dict[str, bool]) -> set[float]:
        return {round(found.seconds) for found in outcomes(said(channel), member, begin, ends, lambda status: 0.0)}

    assert seconds(STATUSES[0], "firmware_update_status", "Downloading", DOWNLOADS) == {PAUSE}
    assert seconds(STATUSES[1], "log_status", "Uploading", UPLOADS) == {PAUSE}


@pytest.mark.parametrize(("request_id", "began", "ended"), [(-1, 0.0, 5.0), (7, 2.0, 9.0)])
def test_a_replay_knows_how_long_the_network_took(request_id: int, began: float, ended: float) -> None:
    """The times are those of test_firmware.py, where a download takes 3 s."""
    said = [
        (t, {"firmware_update_status": status, "request_id": request_id})
        for t, status in ((began, "Downloading"), (ended, "Downloaded"))
    ]
    [found] = outcomes(said, "firmware_update_status", "Downloading", DOWNLOADS, pauses_around)
    assert (found.began, found.seconds, found.succeeded) == (began, 3.0, True)
