"""What is tolerated can be named: once per place, without refusing anything, and only when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.runtime.inspection import read_types
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import Doubler, bench_arguments

TYPE_FILE = """\
description: Entries
types:
  Entry:
    description: An entry
    type: object
    required: [key, value]
    additionalProperties: false
    properties:
      key: {type: string, description: Key, minLength: 2}
      value: {type: number, description: Value}
      note: {type: string, description: Note, format: date-time}
"""


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "types" / "deep").mkdir(parents=True)
    (tmp_path / "types" / "deep" / "entries.yaml").write_text(TYPE_FILE)
    (tmp_path / "types" / "broken.yaml").write_text("types: [")
    return tmp_path


async def tolerated(share: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is said about short keys, wrong formats and large numbers, which all arrive."""
    options = bench_arguments(connections={"store": ["kvs/main"]}, settings={"data_dir": str(share)})
    async with ModuleBench(Doubler, **options) as b:
        assert isinstance(b.module, Doubler)
        heard = b.module.heard
        for number, key in enumerate("abcdef", 1):
            b.publish("kvs/main", "changed", {"key": key, "value": number, "note": "yesterday"})
        assert await b.call("main", "double", {"x": 1001}) == 2002.0
        assert await b.call("main", "double", {"x": 1002}) == 2004.0
        await b.until(lambda: len(heard) == 6)
    return [record.getMessage() for record in caplog.records if "tolerated" in record.getMessage()]


async def test_each_place_is_named_once_and_everything_is_taken(
    share: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EV_REPORT_DEVIATIONS", "1")
    lines = await tolerated(share, caplog)
    assert len(lines) == 2
    assert "everest/modules/kvs/impl/main/var/changed: tolerated: variable changed: $." in lines[0]
    assert lines[1].endswith("cmd/double: tolerated: argument x of double: $: maximum")
    assert "broken.yaml" in caplog.text


@pytest.mark.parametrize("value", ["", "0", None])
async def test_nothing_is_checked_twice_unless_asked_for(
    value: str | None, share: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("EV_REPORT_DEVIATIONS", raising=False)
    if value is not None:
        monkeypatch.setenv("EV_REPORT_DEVIATIONS", value)
    assert await tolerated(share, caplog) == []


async def test_types_that_are_not_here_are_no_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EV_REPORT_DEVIATIONS", "1")
    lines = await tolerated(tmp_path / "nowhere", caplog)
    assert [line.rpartition(": ")[2] for line in lines] == ["maximum"]


def test_type_files_are_found_by_their_stem(share: Path) -> None:
    assert list(read_types(share / "types")) == ["/entries"]
