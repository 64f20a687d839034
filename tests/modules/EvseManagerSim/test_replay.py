"""Every recording of a real EVerest played into our EVSE: what reached the original's reaches ours at the same times.

Compared, event by event, for each EVSE and each life of the station: session events (kind, fields, reasons, tokens,
order, time), answers to commands, Inoperative raised and cleared. What differs on purpose is taken out of theirs: E5
(NoEnergy joins every pause), E6 (repetitions at a fatal error) and S1 (errors of the lock that nobody raised).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import Charger
from tests.modules.EvseManagerSim.test_recording import shape
from tests.support import traces

pytestmark = pytest.mark.looptime

NODERED = "everest_external/nodered/"
INOPERATIVE = "error/evse_manager/Inoperative"
ERROR_FIELDS = ("state", "type", "sub_type", "message", "description", "severity", "vendor_id")
TOLERANCE_S = 2.0
"""Cars tick every 250 ms, the original's state machine every 100 ms, and its broker took 40 ms a command."""


@dataclass
class Life:
    """One life of one recorded EVSE: inputs (time, kind, name, payload), and what it said (time, value)."""

    inputs: list[tuple[float, str, str, Any]] = field(default_factory=list)
    answers: list[tuple[str, Any]] = field(default_factory=list)
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


@cache
def lives(recording: str, number: int) -> list[Life]:
    """The lives of EVSE `number`; a new one begins where the EVSE says `waiting_for_external_ready`."""
    base = f"everest/modules/evse_manager_{number}/impl/evse/"
    found = [Life()]
    names: dict[str, str] = {}
    for message in traces.bus(recording):
        life = found[-1]
        if message.topic.startswith(f"{NODERED}{number}/carsim/"):
            life.inputs.append((message.t, "topic", message.topic, message.payload))
        elif not message.topic.startswith(base):
            continue
        name = message.topic.removeprefix(base)
        if name.startswith("var/waiting_for_external_ready") and life.events:
            found.append(Life())
        elif name == "var/session_event":
            life.events.append((message.t, message.json()["data"]["data"]))
        elif name == INOPERATIVE:
            life.errors.append(message.json()["data"])
        elif name.startswith("cmd/") and "/response/" in name:
            data = message.json()["data"]["data"]
            life.answers.append((names[data["id"]], data.get("retval")))
        elif name.startswith("cmd/"):
            data = message.json()["data"]
            names[data["id"]] = name.removeprefix("cmd/")
            life.inputs.append((message.t, "command", names[data["id"]], data["args"] or {}))
    return found


def cases() -> list[tuple[str, int, int]]:
    recordings = [name for name in traces.names() if not name.endswith(".gz")]
    return [(name, evse, life) for name in recordings for evse in (1, 2) for life in range(len(lives(name, evse)))]


def story(event: dict[str, Any]) -> tuple[Any, ...]:
    """All that an event says beside ids, times, measured values and where its log lies."""
    details = {name: detail for name, detail in event.items() if isinstance(detail, dict)}
    kept = ("reason", "reasons", "id_tag", "reservation_id", "signed_meter_value", "start_signed_meter_value")
    told = {name: {key: detail[key] for key in kept if key in detail} for name, detail in details.items()}
    source = {} if event["event"] not in ("Enabled", "Disabled") else event["source"]
    return event["event"], bool(event["uuid"]), told, source, shape(event)


def without_repetitions(events: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    """DEPARTURE E6."""
    kept: list[tuple[float, dict[str, Any]]] = []
    for moment, event in events:
        again = kept and (kept[-1][1]["event"], kept[-1][1]["uuid"]) == (event["event"], event["uuid"])
        if not (again and event["event"] in ("ChargingStarted", "AuthRequired")):
            kept.append((moment, event))
    return kept


def without_energy_trap(events: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    """DEPARTURE E5: their NoEnergy never joins an error here, and a cleared error leads back to charging."""
    first = {event["event"]: event for _, event in reversed(events)}
    kept: list[tuple[float, dict[str, Any]]] = []
    for moment, event in events:
        reasons = event.get("charging_paused_evse", {}).get("reasons", [])
        if reasons == ["NoEnergy"]:
            kept += [(moment, first["PrepareCharging"]), (moment, first["ChargingStarted"])]
        elif "NoEnergy" not in reasons:
            kept.append((moment, event))
    return kept


def inoperative(error: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(error[name] for name in ERROR_FIELDS)


class Replay(Charger):
    """Our EVSE under the inputs of a life; notes when it said what."""

    def __init__(self, evse: int, **config: Any) -> None:
        super().__init__(connector_id=evse, connector_type="cType2", external_ready_to_start_charging=True, **config)
        self.moments: list[float] = []
        self.errors_seen: list[dict[str, Any]] = []
        self.answers: list[tuple[str, Any]] = []

    def _note(self, envelope: Any) -> None:
        super()._note(envelope)
        if envelope.topic.endswith("/evse/var/session_event"):
            self.moments.append(asyncio.get_running_loop().time())

    def _note_error(self, implementation_id: str, error: Any) -> None:
        super()._note_error(implementation_id, error)
        if implementation_id == "evse":
            self.errors_seen.append({name: getattr(error, name) for name in ERROR_FIELDS})

    async def play(self, life: Life) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1)
        first, begin = life.inputs[0][0], loop.time()
        self.offset = begin - first
        for moment, kind, name, payload in life.inputs:
            await asyncio.sleep(max(0.0, begin + moment - first - loop.time()))
            if kind == "topic":
                self.external(name, payload)
            else:
                self.answers.append((name, await self.call("evse", name, payload)))
        await asyncio.sleep(max(2.0, begin + life.events[-1][0] - first - loop.time() + 2.0))


@pytest.mark.parametrize(("recording", "evse", "number"), cases())
async def test_our_evse_says_what_the_original_said(recording: str, evse: int, number: int, tmp_path: Any) -> None:
    life = lives(recording, evse)[number]
    async with Replay(evse, session_logging=True, session_logging_path=str(tmp_path)) as charger:
        await charger.play(life)
        theirs = without_energy_trap(without_repetitions(life.events))
        assert [story(event) for event in charger.events()] == [story(event) for _, event in theirs]
        late = [
            (event["event"], round(ours - charger.offset - moment, 2))
            for ours, (moment, event) in zip(charger.moments, theirs, strict=True)
            if abs(ours - charger.offset - moment) > TOLERANCE_S
        ]
        assert late == []
        assert charger.answers == life.answers
        ours = [inoperative(error) for error in charger.errors_seen if "connector_lock" not in error["message"]]
        assert ours == [inoperative(error) for error in life.errors]
