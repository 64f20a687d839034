"""Auth against recordings of a real EVerest: fed with what its Auth got, ours answers what it answered.

Inputs are replayed at their recorded times (in virtual time): tokens, session events, errors, commands of others, and
the recorded results of every command that Auth calls. Compared are the statuses it publishes, the commands it calls at
each EVSE and validator with their arguments, its reservation updates, and what it answers. Not compared: get_evse, as
the original calls it twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from everest.runtime.testing import ModuleBench
from tests.modules.Auth.station import ROOT
from tests.support import traces

pytestmark = pytest.mark.looptime
RECORDINGS = ["rfid_session", "remote_start_stop", "reservation", "faults", "change_availability"]
CONNECTIONS = {
    "token_provider": ["token_provider_1/main", "ocpp/auth_provider"],
    "token_validator": ["ocpp/auth_validator"],
    "evse_manager": ["evse_manager_1/evse", "evse_manager_2/evse"],
}
PEERS = {peer for peers in CONNECTIONS.values() for peer in peers}
INPUTS = ("provided_token", "session_event", "validate_result_update")


class Recording:
    """What a recording holds of Auth: inputs with their times, recorded results, and its answers."""

    def __init__(self, name: str) -> None:
        self.inputs: list[tuple[float, str, str, Any]] = []
        self.results: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.calls: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.variables: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.answers: list[Any] = []
        for message in traces.bus(name):
            levels = message.topic.split("/")
            if levels[:2] == ["everest", "modules"] and len(levels) > 6 and levels[3] == "impl":
                self._note(message.t, levels[2], levels[4], levels[5], levels[6:], message.json()["data"])

    def _note(self, t: float, module: str, implementation: str, kind: str, rest: list[str], data: Any) -> None:
        peer = f"{module}/{implementation}"
        match kind:
            case "cmd" if rest[1:] == ["response", "auth"]:
                self.results[peer, rest[0]].append(data["data"]["retval"])
            case "cmd" if len(rest) == 1 and module == "auth":
                self.inputs.append((t, peer, rest[0], data["args"]))
            case "cmd" if len(rest) == 1 and data["origin"] == "auth":
                self.calls[peer, rest[0]].append(data["args"] or {})
            case "cmd" if module == "auth" and rest[1] == "response":
                self.answers.append((rest[0], data["data"]["retval"]))
            case "var" if module == "auth":
                self.variables[implementation, rest[0]].append(data["data"])
            case "var" if peer in PEERS and rest[0] in INPUTS:
                self.inputs.append((t, peer, rest[0], data["data"]))
            case "error" if peer in PEERS:
                self.inputs.append((t, peer, "error", data))


async def replay(recording: Recording, bench: ModuleBench) -> list[Any]:
    """Feed the inputs at their times; returns what Auth answered to commands, in the order of the calls."""
    loop = asyncio.get_running_loop()
    start, first = loop.time(), recording.inputs[0][0]
    answers = []
    for t, peer, name, value in recording.inputs:
        await asyncio.sleep(max(0.0, start + t - first - loop.time()))
        if peer.startswith("auth/"):
            answers.append((name, await bench.call(peer.partition("/")[2], name, value)))
        elif name != "error":
            bench.publish(peer, name, value)
        elif value["state"] == "Active":
            bench.raise_error(peer, value)
        else:
            bench.clear_error(peer, value["type"], value["sub_type"])
    await asyncio.sleep(15)
    return answers


class ClockOf:
    """The wall clock of a recording, running with the loop from the moment `start` is called."""

    def __init__(self, recording: Recording) -> None:
        self._first = recording.inputs[0][0]
        self._started: float | None = None

    def start(self) -> None:
        self._started = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        passed = 0.0 if self._started is None else asyncio.get_running_loop().time() - self._started
        return datetime.fromtimestamp(self._first + passed, UTC)


@pytest.mark.parametrize("name", RECORDINGS)
async def test_auth_answers_what_the_original_answered(name: str) -> None:
    recording = Recording(name)
    clock = ClockOf(recording)
    bench = ModuleBench(
        ROOT / "modules/Auth",
        module_id="auth",
        config={"connection_timeout": 10},
        connections=CONNECTIONS,
        clock=clock,
    )
    for (peer, command), results in recording.results.items():
        left = list(results)
        bench.answer(peer, command, lambda args, left=left, kept=results: left.pop(0) if left else kept[-1])
    for n in (1, 2):
        described = {"id": n, "connectors": [{"id": 1, "type": "cType2"}]}
        bench.answer(f"evse_manager_{n}/evse", "get_evse", lambda args, described=described: described)
    async with bench:
        await asyncio.sleep(0.3)
        clock.start()
        answers = await replay(recording, bench)
        assert answers == recording.answers
        assert (
            bench.published("main", "token_validation_status") == recording.variables["main", "token_validation_status"]
        )
        assert (
            bench.published("reservation", "reservation_update")
            == recording.variables["reservation", "reservation_update"]
        )
        recorded = {key: calls for key, calls in recording.calls.items() if key[1] != "get_evse"}
        assert {key: bench.calls(*key) for key in recorded} == recorded
        assert {key for key in bench._calls if key[1] != "get_evse"} == set(recorded)


def test_the_recordings_hold_what_is_compared() -> None:
    statuses = [
        message["status"]
        for name in RECORDINGS
        for message in Recording(name).variables["main", "token_validation_status"]
    ]
    assert {"Processing", "Accepted", "UsedToStart", "UsedToStop", "Rejected", "TimedOut"} <= set(statuses)
