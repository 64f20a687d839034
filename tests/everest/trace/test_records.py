"""Trace files: what is written is read again; two files of one recording are joined; broken ones are told by line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from everest.trace.records import BusMessage, Frame, TimerFired, Trace, TraceError, load, save

TRACE: Trace = [
    BusMessage(1.0, "everest/ready", b'{"data":true}', 2, False),
    Frame(1.5, "cp->csms", '[2,"1","Heartbeat",{}]', "ocpp"),
    TimerFired(1.7, "heartbeat", "ocpp"),
    BusMessage(2.0, "raw", b"\xff\x00", 0, True),
    BusMessage(2.0, "virtual", b"x", turn=7),
    Frame(2.0, "connect", "", "ocpp", 8),
    TimerFired(2.0, "heartbeat", "ocpp", 9),
]


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    save(tmp_path / name, list(TRACE))
    assert load(tmp_path / name) == TRACE


def test_a_name_that_ends_in_gz_is_compressed(tmp_path: Path) -> None:
    save(tmp_path / "trace.jsonl.gz", list(TRACE))
    with gzip.open(tmp_path / "trace.jsonl.gz", "rt") as lines:
        assert json.loads(next(lines))["topic"] == "everest/ready"


def test_frames_in_a_file_beside_it_are_joined_by_time(tmp_path: Path) -> None:
    save(tmp_path / "trace.jsonl.gz", [TRACE[0], TRACE[3]])
    with gzip.open(tmp_path / "trace.ocpp.jsonl.gz", "wt") as lines:
        lines.write('{"t": 1.2, "dir": "connect", "frame": null}\n')
    assert [record.t for record in load(tmp_path / "trace.jsonl.gz")] == [1.0, 1.2, 2.0]


@pytest.mark.parametrize("line", ["{", "[]", '{"t": 1}', '{"t": "x", "topic": "a", "payload": ""}'])
def test_a_broken_line_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "trace.jsonl").write_text('{"t":1,"topic":"a","payload":""}\n' + line + "\n")
    with pytest.raises(TraceError, match=r"trace\.jsonl:2: "):
        load(tmp_path / "trace.jsonl")


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        load(tmp_path / "missing.jsonl.gz")


def test_a_compressed_file_that_was_damaged_is_told_in_one_line(tmp_path: Path) -> None:
    save(tmp_path / "trace.jsonl.gz", TRACE * 2000)
    whole = bytearray((tmp_path / "trace.jsonl.gz").read_bytes())
    whole[15:40] = b"\xff" * 25
    (tmp_path / "trace.jsonl.gz").write_bytes(whole)
    with pytest.raises(TraceError, match="cannot be read: Error -3"):
        load(tmp_path / "trace.jsonl.gz")


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.gz"])
def test_a_file_that_was_not_written_to_its_end_is_taken_as_far_as_it_goes(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    trace = TRACE * 2000
    save(tmp_path / name, trace)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2 - 7])
    found = load(tmp_path / name)
    assert 100 < len(found) < len(trace)
    assert found == trace[: len(found)]
    assert f"{name} ends in the middle" in caplog.text


def test_a_line_that_is_nested_too_deeply_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(TraceError, match=r"trace\.jsonl:1: no record"):
        load(tmp_path / "trace.jsonl")


def test_a_full_disk_is_told_in_one_line() -> None:
    with pytest.raises(TraceError, match="/dev/full: cannot be written: No space left"):
        save(Path("/dev/full"), list(TRACE))
