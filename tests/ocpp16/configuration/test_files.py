"""The overlay on disk: merge patch, durability, kills, hand edits, and who set what."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from ocpp16.configuration.files import Origin, Overlay, Source, merge_patch, write_durably
from tests.support.configurations import NOW


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_does_what_the_examples_of_rfc_7396_say(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps(target)
    assert merge_patch(target, patch) == result
    assert json.dumps(target) == before


def test_a_file_is_synced_before_it_takes_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        steps.append(f"fsync {Path(target).name}")
        fsync(descriptor)

    def watched_replace(source: Any, target: Any, **options: Any) -> None:
        steps.append(f"rename {Path(source).name}")
        replace(source, target, **options)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_durably(tmp_path / "user.json", b"{}")
    assert steps == ["fsync user.json$", "rename user.json$", f"fsync {tmp_path.name}"]
    assert (tmp_path / "user.json").read_bytes() == b"{}"


def test_a_new_overlay_is_for_its_owner_only_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    write_durably(tmp_path / "user.json", b"{}")
    assert (tmp_path / "user.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "user.json").chmod(0o640)
    write_durably(tmp_path / "user.json", b"{ }")
    assert (tmp_path / "user.json").stat().st_mode & 0o777 == 0o640


def test_a_leftover_of_a_kill_in_mid_write_does_no_harm(tmp_path: Path) -> None:
    overlay = Overlay(tmp_path / "user.json")
    overlay.load()
    overlay.set("Core", "ResetRetries", 2, Source.CSMS, NOW)
    (tmp_path / "user.json$").write_text('{"Core": {"ResetRet')
    assert overlay.load() == {"Core": {"ResetRetries": 2}}
    overlay.set("Core", "ResetRetries", 3, Source.CSMS, NOW)
    assert overlay.load() == {"Core": {"ResetRetries": 3}}


def write_for_ever(path: Path, acknowledge: Connection) -> None:
    overlay = Overlay(path)
    overlay.load()
    for number in itertools.count():
        overlay.set("Core", "HeartbeatInterval", number, Source.CSMS, NOW)
        acknowledge.send(number)


def test_after_sigkill_in_mid_write_the_last_acknowledged_value_or_its_successor_is_there(tmp_path: Path) -> None:
    path = tmp_path / "user.json"
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        receiver, sender = context.Pipe(duplex=False)
        writer = context.Process(target=write_for_ever, args=(path, sender))
        writer.start()
        sender.close()
        acknowledged = [receiver.recv() for _ in range(5)][-1]
        writer.kill()
        with contextlib.suppress(EOFError):
            while True:
                acknowledged = receiver.recv()
        writer.join()
        stored = Overlay(path).load()["Core"]["HeartbeatInterval"]
        assert acknowledged <= stored <= acknowledged + 1


def test_values_that_somebody_else_wrote_meanwhile_stay(tmp_path: Path) -> None:
    overlay = Overlay(tmp_path / "user.json")
    overlay.load()
    overlay.path.write_text('{"Core": {"BlinkRepeat": 1}, "Other": {"x": null}}')
    overlay.set("Core", "ResetRetries", 2, Source.API, NOW)
    assert overlay.load() == {"Core": {"BlinkRepeat": 1, "ResetRetries": 2}, "Other": {"x": None}}


def test_the_origin_of_a_value_survives_a_restart(tmp_path: Path) -> None:
    overlay = Overlay(tmp_path / "user.json")
    overlay.load()
    overlay.set("Core", "ResetRetries", 2, Source.CSMS, NOW)
    again = Overlay(tmp_path / "user.json")
    assert again.origins(again.load()) == {("Core", "ResetRetries"): Origin(Source.CSMS, NOW, again.path)}


def test_a_value_edited_by_hand_counts_as_the_users(tmp_path: Path) -> None:
    overlay = Overlay(tmp_path / "user.json")
    overlay.load()
    overlay.set("Core", "ResetRetries", 2, Source.CSMS, NOW)
    overlay.path.write_text('{"Core": {"ResetRetries": 9}}')
    assert overlay.origins(overlay.load())["Core", "ResetRetries"] == Origin(Source.USER, None, overlay.path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"Core.ResetRetries": {"source": "nobody"}}', '{"Core.ResetRetries": 5}']
)
def test_broken_memory_of_origins_stops_nothing(tmp_path: Path, content: str) -> None:
    overlay = Overlay(tmp_path / "user.json")
    overlay.load()
    (tmp_path / "user.json.origin").write_text(content)
    overlay.set("Core", "ResetRetries", 2, Source.CSMS, datetime(2024, 1, 1, tzinfo=UTC))
    assert overlay.origins(overlay.load())["Core", "ResetRetries"].source is Source.CSMS


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link = tmp_path / "user.json"
    link.symlink_to("data/user.json")
    write_durably(link, b"{}")
    assert link.is_symlink()
    assert (tmp_path / "data" / "user.json").read_text() == "{}"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "user.json"]
