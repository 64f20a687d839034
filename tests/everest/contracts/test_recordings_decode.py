"""Every payload that a real EVerest sent on one of our interfaces fits the typed contracts, and nothing is dropped."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.support import traces

INTERFACES = {path.stem for path in (Path(__file__).parents[3] / "interfaces").glob("*.yaml")}


class Typed(NamedTuple):
    """A JSON value of a recording, its Python type, and where it was."""

    where: str
    type: Any
    value: Any


def tables(interface: str) -> Any:
    return importlib.import_module(f"everest.contracts.interfaces.{interface}")


def typed_values(name: str) -> Iterator[Typed]:
    """Yield everything in a recording that crosses one of our interfaces: variables, arguments, results, errors."""
    for message in traces.bus(name):
        parts = message.topic.removeprefix(traces.PREFIX).split("/")
        if len(parts) < 6 or parts[0] != "modules" or parts[2] != "impl":
            continue
        interface = traces.implementations(name)[parts[1], parts[3]]
        if interface in INTERFACES:
            yield from _of_message(interface, parts, message.json()["data"])


def _of_message(interface: str, parts: list[str], data: Any) -> Iterator[Typed]:
    contract = tables(interface)
    kind, member = parts[4], parts[5]
    where = f"{interface} {kind} {member}"
    if kind == "var":
        yield Typed(where, contract.VARIABLES[member], data["data"])
    elif kind == "error":
        assert data["type"] in contract.ERRORS, where
    elif kind == "cmd" and len(parts) == 6:
        command = contract.COMMANDS[member]
        assert set(data["args"] or {}) == set(command.arguments), where
        for key, value in (data["args"] or {}).items():
            yield Typed(f"{where} {key}", command.arguments[key], value)
    elif kind == "cmd" and "error" not in data["data"]:
        yield Typed(f"{where} result", contract.COMMANDS[member].result, data["data"]["retval"])


def same(sent: Any, kept: Any) -> bool:
    """Tell whether `kept` is `sent`, apart from optional members that were null (they become absent)."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        return all(same(value, kept.get(key)) for key, value in sent.items()) and kept.keys() <= sent.keys()
    if isinstance(sent, list) and isinstance(kept, list):
        return len(sent) == len(kept) and all(map(same, sent, kept))
    comparable = type(sent) is type(kept) or (_is_number(sent) and _is_number(kept))
    return comparable and bool(sent == kept)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("name", traces.names())
def test_every_value_of_a_recording_survives_decoding_and_encoding_unchanged(name: str) -> None:
    seen: Counter[str] = Counter()
    for where, kind, value in typed_values(name):
        decoded = msgspec.json.decode(json.dumps(value), type=kind)
        assert same(value, json.loads(msgspec.json.encode(decoded))), f"{where}: {value}"
        seen[where] += 1
    assert seen["evse_manager cmd get_evse result"] > 0
    assert seen["system cmd get_boot_reason result"] > 0
    assert sum(seen.values()) > 100


def test_the_recordings_together_show_the_whole_course_of_a_session() -> None:
    seen = {where for name in traces.names() for where, _, _ in typed_values(name)}
    assert {
        "evse_manager var session_event",
        "evse_manager var powermeter",
        "evse_manager cmd authorize_response provided_token",
        "auth_token_provider var provided_token",
        "auth_token_validator cmd validate_token result",
        "reservation cmd reserve_now request",
        "external_energy_limits cmd set_external_limits value",
        "system cmd upload_logs result",
        "evse_security cmd get_installed_certificates result",
    } <= seen


@pytest.mark.parametrize("name", traces.names())
def test_a_recording_has_frames_and_marks_in_the_order_of_time(name: str) -> None:
    frames = list(traces.ocpp(name))
    assert {frame.dir for frame in frames} >= {"connect", "cp->csms", "csms->cp"}
    assert [frame.t for frame in frames] == sorted(frame.t for frame in frames)
    assert any(frame.json()[2] == "BootNotification" for frame in frames if frame.dir == "cp->csms")
    assert all(mark.mark for mark in traces.marks(name))


@pytest.mark.parametrize("name", traces.names())
def test_no_copy_carries_the_metadata_of_the_manager(name: str) -> None:
    kinds = ("interfaces", "types", "settings", "module_names", "schemas")
    folders = ("interface_definitions/", "manifests/", "type_definitions/")
    for message in traces.bus(name):
        topic = message.topic.removeprefix(traces.PREFIX)
        assert topic not in kinds and not topic.startswith(folders)
