"""Plays a scenario's steps on a station, one verdict per step.

A doing step (car, card, network ...) begins a new look: the expectations after it see what was said since it began,
and wait for what is not there yet. What steps expect is in expectations.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from everest.manager.errors import ManagerError
from everest.scenario import matching
from everest.scenario.chance import Chance
from everest.scenario.csms import CentralSystem
from everest.scenario.expectations import WITHIN_S, Expectations
from everest.scenario.files import Files
from everest.scenario.matching import MISSING, as_fields, difference, filled
from everest.scenario.model import Step, Verdict
from everest.scenario.names import RAW
from everest.scenario.station import Station, StationLog
from everest.scenario.steps import CAR_WORDS, EVSE_WORDS, KINDS, MOMENT, PLUGS
from everest.scenario.unmet import Unmet
from everest.scenario.watch import CALLER, Watch
from everest.trace.said import result_of

NODERED = "everest_external/nodered/{n}/"
REFUSAL_S = 0.1
"""So long a car takes at most to refuse a command."""
FAULT_S = 5.0
"""So long a station takes at most to raise or clear an error."""


@dataclass(frozen=True)
class World:
    """What steps act on."""

    station: Station
    csms: CentralSystem
    watch: Watch
    files: Files
    log: StationLog
    now: Callable[[], datetime]
    chance: Chance
    began: float
    """When the scenario did, by the loop's clock."""


class Player:
    """`play` does one step; steps are given in order. `given`: placeholders from the start."""

    def __init__(self, world: World, given: dict[str, Any]) -> None:
        self._station = world.station
        self._csms = world.csms
        self._watch = world.watch
        self._files = world.files
        self._log = world.log
        self._now = world.now
        self._chance = world.chance
        self._began = world.began
        self._saved: dict[str, Any] = dict(given)
        self._commands = 0
        self._logged = 0
        self._expectations = Expectations(world.csms, world.watch, world.files, world.station.evses, world.began)
        self._handlers: dict[str, Callable[[Step], Awaitable[None]]] = {
            "car": self._car, "card": self._card, "evse": self._evse, "fault": self._fault, "clear": self._fault,
            "network": self._network, "csms": self._call, "call": self._command, "publish": self._publish_text,
            "power": self._power, "restarts": self._restarts, "wait": self._wait, "choose": self._choose,
            **dict.fromkeys(("answers", "tags", "files"), self._tell),
            **dict.fromkeys(("expect", "none", "order", "rising", "upload", "event", "variable", "error"),
                            self._expect),
        }  # fmt: skip

    async def play(self, step: Step) -> Verdict:
        """Do it. What the station does wrong is in the verdict."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        problem, details = "", tuple[str, ...]()
        if KINDS[step.kind].does:
            self._expectations.look_again()
            self._logged = self._log.count
        try:
            step = self._filled(step)
            await self._handlers[step.kind](step)
        except Unmet as unmet:
            logged = [f"the station's log: {line}" for line in self._log.since(self._logged)]
            problem, details = str(unmet), (*unmet.details, *logged)
        except (matching.UnknownName, ManagerError) as error:
            problem = str(error)
        return Verdict(step, loop.time() - began, problem, at=began - self._began, details=details)

    def _filled(self, step: Step) -> Step:
        """With the values that steps before have saved or chosen; a `choose` with what is chosen.

        Raises UnknownName, Unmet.
        """
        if step.kind == "choose":
            return replace(step, value={name: self._chance.pick(pool) for name, pool in step.value.items()})
        saves = step.options.get("save")
        value, options = filled([step.value, step.options], self._saved, self._now())
        if saves is not None:
            options["save"] = saves
        kind = KINDS[step.kind]
        for check, one in ((kind.check, value), *((kind.options[key], one) for key, one in options.items())):
            if fix := check(one):
                raise Unmet(f"{one!r} does not fit here; {fix}")
        return replace(step, value=value, options=options)

    async def _expect(self, step: Step) -> None:
        self._save(step, await self._expectations.check(step.kind, step.value, step.options))

    def _save(self, step: Step, payload: Any) -> None:
        for name, path in step.options.get("save", {}).items():
            found = matching.picked(payload, str(path))
            if found is MISSING:
                raise Unmet(f"save {name}: there is no field {path} in {payload}")
            self._saved[name] = found

    async def _choose(self, step: Step) -> None:
        self._saved.update(step.value)

    # --- car, card, EVSE ---------------------------------------------------------------------------------------------

    def _publish(self, topic: str, payload: str) -> None:
        if not self._station.running:
            raise Unmet("the station is off; `power: on` switches it on")
        self._station.publish(topic, payload)

    def _nodered(self, step: Step, topic: str, payload: str) -> str:
        """Publish for the step's connector; its module id."""
        number = step.options.get("connector", 1)
        module = self._expectations.module(number)
        assert module is not None
        self._publish(NODERED.format(n=number) + topic, payload)
        return module

    async def _car(self, step: Step) -> None:
        command = "execute_charging_session" if step.value in PLUGS else "modify_charging_session"
        before = self._log.count
        text = step.options.get("commands", CAR_WORDS.get(step.value, step.value))
        self._nodered(step, f"carsim/cmd/{command}", text)
        await asyncio.sleep(REFUSAL_S)
        refused = [line for line in self._log.since(before) if "carsim" in line or "car command" in line]
        if refused:
            raise Unmet("the car does not do this")

    async def _card(self, step: Step) -> None:
        token: dict[str, Any] = {"id_token": {"value": step.value, "type": "ISO14443"}, "authorization_type": "RFID"}
        if "connector" in step.options:
            self._expectations.module(step.options["connector"])
            token["connectors"] = [step.options["connector"]]
        self._publish(self._station.token_topic, json.dumps(token))

    async def _evse(self, step: Step) -> None:
        self._nodered(step, f"cmd/{EVSE_WORDS[step.value]}", "")

    async def _fault(self, step: Step) -> None:
        """Until the error is there, or gone."""
        raised = step.kind == "fault"
        before = len(self._watch.bus)
        wish = {"error_type": step.value, "raise": "true" if raised else "false"}
        module = self._nodered(step, "carsim/error", json.dumps(wish))

        def look() -> bool | None:
            for heard in self._watch.bus[before:]:
                of_here = heard.kind == "error" and heard.module_id == module and _means(step.value, heard.name)
                if of_here and heard.value["state"].startswith("Cleared") != raised:
                    return True
            return None

        if await self._watch.until(look, FAULT_S) is None:
            raise Unmet(f"the station did not {'raise' if raised else 'clear'} {step.value}")

    async def _publish_text(self, step: Step) -> None:
        payload = step.options.get("payload", "")
        self._publish(step.value, payload if isinstance(payload, str) else json.dumps(payload))

    async def _command(self, step: Step) -> None:
        """What another module asks of the station: an energy manager, an app. Without `result` any one is fine."""
        module, implementation, command = step.value.split("/")
        self._commands += 1
        arguments = step.options.get("arguments", {})
        arguments = arguments[RAW] if arguments.keys() == {RAW} else arguments
        call = {"id": f"00000000-0000-4000-8000-{self._commands:012}", "args": arguments}
        topic = f"{self._watch.base}{module}/impl/{implementation}/cmd/{command}"
        self._publish(topic, json.dumps({"msg_type": "Cmd", "data": {**call, "origin": CALLER}}))

        def look() -> Any:
            return next((h.value for h in self._watch.bus if h.kind == "cmd" and h.answers(call["id"])), None)

        within = matching.seconds(step.options.get("within", WITHIN_S)) or 0.0
        answer = await self._watch.until(look, within)
        if answer is None:
            raise Unmet(f"{step.value} was not answered within {within:g} s")
        expected = step.options.get("result")
        result = result_of(answer)
        if (failed := "error" in answer["data"]) and not (isinstance(expected, dict) and "error" in expected):
            raise Unmet(f"{step.value} failed: {result['error']}: {result['message']}")
        if "result" in step.options and (wrong := difference(expected, result)):
            raise Unmet(f"{step.value} {'failed' if failed else 'gave'} {result}: {wrong}")
        self._save(step, as_fields(result))

    # --- central system, network, files ------------------------------------------------------------------------------

    async def _network(self, step: Step) -> None:
        late = isinstance(step.value, dict)
        self._csms.delay = (matching.seconds(step.value["late"]) or 0.0) if late else 0.0
        self._csms.set_network("online" if late else step.value)

    async def _call(self, step: Step) -> None:
        """A CALL of the central system; without `answer` any CALLRESULT is fine."""
        within = matching.seconds(step.options.get("within", WITHIN_S)) or 0.0
        try:
            async with asyncio.timeout(within):
                message = await self._csms.call(step.value, step.options.get("payload", {}))
        except TimeoutError:
            raise Unmet(f"{step.value} was not answered within {within:g} s") from None
        expected = step.options.get("answer", {})
        if isinstance(expected, str):
            expected = {"status": expected}
        answer = {"error": message[2], "description": message[3]} if message[0] == 4 else message[2]
        if message[0] == 4 and "error" not in expected:
            raise Unmet(f"{step.value} was answered with CALLERROR {message[2]} {message[3]}")
        if wrong := difference(expected, answer):
            raise Unmet(f"{step.value} was answered with {answer}: {wrong}")
        self._save(step, answer)

    async def _tell(self, step: Step) -> None:
        """What the central system or the file server does from now on."""
        told = {"answers": self._csms.answers, "tags": self._csms.tags, "files": self._files.states}[step.kind]
        told.update(step.value)

    # --- time and power ----------------------------------------------------------------------------------------------

    async def _wait(self, step: Step) -> None:
        until = MOMENT.fullmatch(step.value) if isinstance(step.value, str) else None
        if until is None:
            await asyncio.sleep(matching.seconds(step.value) or 0.0)
            return
        now = self._now()
        hour, minute, second = (int(part or 0) for part in until.groups())
        moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        if moment <= now:
            moment += timedelta(days=1)
        await asyncio.sleep((moment - now).total_seconds())

    async def _power(self, step: Step) -> None:
        if step.value == "off":
            await self._station.cut()
        elif self._station.running:
            raise Unmet("the station is on already")
        else:
            await self._station.start()

    async def _restarts(self, step: Step) -> None:
        """The station ends by itself (a Reset), and whoever supervises it starts it again."""
        within = matching.seconds(step.options.get("within", WITHIN_S)) or 0.0
        if await self._watch.until(lambda: None if self._station.running else True, within) is None:
            raise Unmet(f"the station did not end within {within:g} s")
        await self._station.start()


def _means(wish: str, error: str) -> bool:
    """Whether `carsim/error` with this name is the error: `lock_X` is `connector_lock/X`, a bare name the board's."""
    short = error.rpartition("/")[2]
    return wish in (error, short, f"lock_{short}", f"ac_rcd_{short}")
