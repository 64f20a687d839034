"""Rotation of log files (libocpp 8.3), with age and not the order of names deciding (DEPARTURE 47)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ocpp16.logs.rotation import RotatingFile, Rotation

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(folder: Path, texts: list[str], rotation: Rotation, *, step: int = 1) -> int:
    file = RotatingFile(folder / "a.log", rotation)
    deleted = 0
    for number, text in enumerate(texts):
        deleted += file.write(text, NOW + timedelta(seconds=number * step))
    file.close()
    return deleted


def test_without_a_maximum_size_nothing_is_rotated(tmp_path: Path) -> None:
    write(tmp_path, ["one", "two"], Rotation())
    assert content(tmp_path) == {"a.log": "onetwo"}


def test_numbers_shift_and_the_newest_is_0(tmp_path: Path) -> None:
    write(tmp_path, ["one", "two", "three"], Rotation(maximum_size=1))
    assert content(tmp_path) == {"a.log": "three", "a.log.0": "two", "a.log.1": "one"}


def test_a_file_is_rotated_when_its_size_reaches_the_limit(tmp_path: Path) -> None:
    write(tmp_path, ["12", "34", "5"], Rotation(maximum_size=4))
    assert content(tmp_path) == {"a.log": "5", "a.log.0": "1234"}


def test_a_large_file_of_an_earlier_run_is_rotated_at_the_first_write(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old")
    write(tmp_path, ["new"], Rotation(maximum_size=3))
    assert content(tmp_path) == {"a.log": "new", "a.log.0": "old"}


def test_the_oldest_goes_when_the_count_with_the_live_file_is_reached(tmp_path: Path) -> None:
    deleted = write(tmp_path, ["one", "two", "three", "four"], Rotation(maximum_size=1, maximum_count=3))
    assert deleted == 1
    assert content(tmp_path) == {"a.log": "four", "a.log.0": "three", "a.log.1": "two"}


def test_beyond_ten_files_the_oldest_is_still_the_one_that_goes(tmp_path: Path) -> None:
    texts = [f"<{number}>" for number in range(14)]
    write(tmp_path, texts, Rotation(maximum_size=1, maximum_count=12))
    left = content(tmp_path)
    assert sorted(left.values()) == sorted(texts[2:])
    assert left["a.log.10"] == "<2>"


def test_a_count_of_one_keeps_the_live_file_only(tmp_path: Path) -> None:
    assert write(tmp_path, ["one", "two"], Rotation(maximum_size=1, maximum_count=1)) == 1
    assert content(tmp_path) == {"a.log": "two"}


def test_dates_as_suffix_and_the_earliest_goes(tmp_path: Path) -> None:
    write(tmp_path, ["one", "two", "three", "four"], Rotation(maximum_size=1, maximum_count=3, date_suffix=True))
    assert content(tmp_path) == {"a.log": "four", "a.log.20260101120002": "two", "a.log.20260101120003": "three"}


def test_two_rotations_in_one_second_lose_nothing(tmp_path: Path) -> None:
    write(tmp_path, ["one", "two", "three"], Rotation(maximum_size=1, date_suffix=True), step=0)
    assert sorted(content(tmp_path).values()) == ["one", "three", "two"]


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    for name in ("a.log.bak", "b.log.0", "a.log.0.gz"):
        (tmp_path / name).write_text(name)
    write(tmp_path, ["one", "two", "three"], Rotation(maximum_size=1, maximum_count=2))
    assert {"a.log.bak", "b.log.0", "a.log.0.gz"} <= content(tmp_path).keys()


def test_header_and_footer_enclose_every_file(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", Rotation(maximum_size=3), header="<", footer=">")
    for text in ("one", "two"):
        file.write(text, NOW)
    file.close()
    assert content(tmp_path) == {"a.log": "<two>", "a.log.0": "<one>"}
