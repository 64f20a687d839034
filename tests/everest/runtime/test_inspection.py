"""What is tolerated is named: once per place, without refusing anything, in values, arguments and results."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from everest.runtime.inspection import TypeFiles, closed
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import INTERFACES, Doubler, bench_arguments

TYPE_FILE = """\
description: Entries
types:
  Entry:
    description: An entry
    type: object
    required: [key, value]
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
    """What is said about short keys, wrong formats, unknown members and large numbers, which all arrive."""
    interfaces = deepcopy(INTERFACES)
    interfaces["store"]["cmds"]["load"]["result"]["maximum"] = 100
    options = bench_arguments(
        connections={"store": ["kvs/main"]}, settings={"data_dir": str(share)}, interfaces=interfaces
    )
    async with ModuleBench(Doubler, **options) as b:
        assert isinstance(b.module, Doubler)
        heard = b.module.heard
        b.publish("kvs/main", "changed", {"key": "long", "value": 0})
        for number, key in enumerate("abcdef", 1):
            b.publish("kvs/main", "changed", {"key": key, "value": number, "note": "yesterday"})
        b.publish("kvs/main", "changed", {"key": "long", "value": 7, "more": 1})
        assert await b.call("main", "double", {"x": 1001}) == 2002.0
        assert await b.call("main", "double", {"x": 1002, "y": 1}) == 2004.0
        b.answer("kvs/main", "load", lambda args: 4096)
        assert await b.module.stores[0].load("a key") == 4096
        await b.until(lambda: len(heard) == 8)
    return [record.getMessage() for record in caplog.records if "tolerated" in record.getMessage()]


async def test_each_place_is_named_once_by_default_and_everything_is_taken(
    share: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("EV_REPORT_DEVIATIONS", raising=False)
    lines = await tolerated(share, caplog)
    assert [line.rpartition("/")[2] for line in lines if "changed" in line] == [
        "changed: tolerated: variable changed: $.key: minLength 2",
        "changed: tolerated: variable changed: $.note: format",
        "changed: tolerated: variable changed: $: unknown more",
    ]
    assert [line.rpartition("/")[2] for line in lines if "double" in line] == [
        "double: tolerated: arguments of double: $.x: maximum 1000",
        "double: tolerated: arguments of double: $: unknown y",
    ]
    assert [line.rpartition("/")[2] for line in lines if "load" in line] == [
        "load (result): tolerated: result of load: $: maximum 100",
    ]


async def test_the_look_can_be_saved(
    share: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EV_REPORT_DEVIATIONS", "0")
    assert await tolerated(share, caplog) == []


async def test_types_that_are_not_here_are_no_deviation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = await tolerated(tmp_path / "nowhere", caplog)
    assert not [line for line in lines if "changed" in line]
    assert [line for line in lines if "maximum" in line]


def test_type_files_are_found_by_their_stem_and_broken_ones_named(share: Path) -> None:
    types = TypeFiles(share / "types", {"/sent": {"T": {"type": "object", "properties": {}}}})
    assert list(types["/entries"]) == ["Entry"]
    assert types["/sent"]["T"]["additionalProperties"] is False
    with pytest.raises(LookupError, match=r"broken\.yaml"):
        types["/broken"]
    with pytest.raises(LookupError, match="no type file /none"):
        types["/none"]


def test_only_objects_that_list_their_members_are_closed() -> None:
    assert closed({"type": "object"}) == {"type": "object"}
    open_one = {"type": "object", "properties": {}, "additionalProperties": True}
    assert closed(open_one) == open_one
    assert closed([{"properties": {"type": {"type": "object", "properties": {}}}}]) == [
        {"properties": {"type": {"type": "object", "properties": {}, "additionalProperties": False}}}
    ]
