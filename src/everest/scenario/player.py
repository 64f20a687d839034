"""Plays a scenario's steps on a station, one verdict per step.

A doing step (car, card, network ...) begins a new look: the expectations after it see what was said since it began,
and wait for what is not there yet. What steps expect is in expectations.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from everest.manager.errors import ManagerError
from everest.scenario import matching
from everest.scenario.csms import CentralSystem
from everest.scenario.expectations import WITHIN_S, Expectations, Unmet
from everest.scenario.matching import MISSING, difference, filled
from everest.scenario.model import Step, Verdict
from everest.scenario.station import Station
from everest.scenario.steps import CAR_WORDS, EVSE_WORDS, KINDS
from everest.scenario.watch import Watch

NODERED = "everest_external/nodered/{n}/"


class Player:
    """`play` does one step; steps are given in order."""

    def __init__(self, station: Station, csms: CentralSystem, watch: Watch, now: Callable[[], datetime]) -> None:
        self._station = station
        self._csms = csms
        self._watch = watch
        self._now = now
        self._saved: dict[str, Any] = {}
        self._expectations = Expectations(csms, watch, station.evses)
        self._handlers: dict[str, Callable[[Step, dict[str, Any]], Awaitable[None]]] = {
            "car": self._car, "card": self._card, "evse": self._evse, "fault": self._fault, "clear": self._fault,
            "network": self._network, "csms": self._call, "answers": self._answers, "tags": self._tags,
            "publish": self._publish_text, "power": self._power, "restarts": self._restarts, "wait": self._wait,
            **dict.fromkeys(("expect", "none", "order", "event", "variable", "error"), self._expect),
        }  # fmt: skip

    async def play(self, step: Step) -> Verdict:
        """Do it. What the station does wrong is in the verdict."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        problem = ""
        if KINDS[step.kind].does:
            self._expectations.look_again()
        try:
            await self._handlers[step.kind](step, filled(step.options, self._saved, self._now()))
        except (Unmet, matching.UnknownName, ManagerError) as error:
            problem = str(error)
        return Verdict(step, loop.time() - began, problem)

    async def _expect(self, step: Step, options: dict[str, Any]) -> None:
        value = filled(step.value, self._saved, self._now())
        self._save(step, await self._expectations.check(step.kind, value, options))

    def _save(self, step: Step, payload: Any) -> None:
        for name, path in step.options.get("save", {}).items():
            found = matching.picked(payload, str(path))
            if found is MISSING:
                raise Unmet(f"save {name}: there is no field {path} in {payload}")
            self._saved[name] = found

    # --- car, card, EVSE ---------------------------------------------------------------------------------------------

    def _publish(self, topic: str, payload: str) -> None:
        if not self._station.running:
            raise Unmet("the station is off; `power: on` switches it on")
        self._station.broker.publish(topic, payload.encode())

    def _nodered(self, options: dict[str, Any], topic: str, payload: str) -> None:
        number = options.get("connector", 1)
        self._expectations.module(number)
        self._publish(NODERED.format(n=number) + topic, payload)

    async def _car(self, step: Step, options: dict[str, Any]) -> None:
        command = "execute_charging_session" if step.value == "plug" else "modify_charging_session"
        self._nodered(options, f"carsim/cmd/{command}", CAR_WORDS.get(step.value, step.value))

    async def _card(self, step: Step, options: dict[str, Any]) -> None:
        token: dict[str, Any] = {"id_token": {"value": step.value, "type": "ISO14443"}, "authorization_type": "RFID"}
        if "connector" in options:
            token["connectors"] = [options["connector"]]
        self._publish(self._station.token_topic, json.dumps(token))

    async def _evse(self, step: Step, options: dict[str, Any]) -> None:
        self._nodered(options, f"cmd/{EVSE_WORDS[step.value]}", "")

    async def _fault(self, step: Step, options: dict[str, Any]) -> None:
        wish = {"error_type": step.value, "raise": "true" if step.kind == "fault" else "false"}
        self._nodered(options, "carsim/error", json.dumps(wish))

    async def _publish_text(self, step: Step, options: dict[str, Any]) -> None:
        payload = options.get("payload", "")
        self._publish(step.value, payload if isinstance(payload, str) else json.dumps(payload))

    # --- central system and network ----------------------------------------------------------------------------------

    async def _network(self, step: Step, _options: dict[str, Any]) -> None:
        late = isinstance(step.value, dict)
        self._csms.delay = (matching.seconds(step.value["late"]) or 0.0) if late else 0.0
        self._csms.set_network("online" if late else step.value)

    async def _call(self, step: Step, options: dict[str, Any]) -> None:
        """A CALL of the central system; without `answer` any CALLRESULT is fine."""
        within = matching.seconds(options.get("within", WITHIN_S)) or 0.0
        try:
            async with asyncio.timeout(within):
                message = await self._csms.call(step.value, options.get("payload", {}))
        except TimeoutError:
            raise Unmet(f"{step.value} was not answered within {within:g} s") from None
        expected = options.get("answer", {})
        if isinstance(expected, str):
            expected = {"status": expected}
        answer = {"error": message[2], "description": message[3]} if message[0] == 4 else message[2]
        if message[0] == 4 and "error" not in expected:
            raise Unmet(f"{step.value} was answered with CALLERROR {message[2]} {message[3]}")
        if wrong := difference(expected, answer):
            raise Unmet(f"{step.value} was answered with {answer}: {wrong}")
        self._save(step, answer)

    async def _answers(self, step: Step, _options: dict[str, Any]) -> None:
        self._csms.answers.update(filled(step.value, self._saved, self._now()))

    async def _tags(self, step: Step, _options: dict[str, Any]) -> None:
        self._csms.tags.update(filled(step.value, self._saved, self._now()))

    # --- time and power ----------------------------------------------------------------------------------------------

    async def _wait(self, step: Step, _options: dict[str, Any]) -> None:
        await asyncio.sleep(matching.seconds(step.value) or 0.0)

    async def _power(self, step: Step, _options: dict[str, Any]) -> None:
        if step.value == "off":
            await self._station.cut()
        elif self._station.running:
            raise Unmet("the station is on already")
        else:
            await self._station.start()

    async def _restarts(self, _step: Step, options: dict[str, Any]) -> None:
        """The station ends by itself (a Reset), and whoever supervises it starts it again."""
        within = matching.seconds(options.get("within", WITHIN_S)) or 0.0
        if await self._watch.until(lambda: None if self._station.running else True, within) is None:
            raise Unmet(f"the station did not end within {within:g} s")
        await self._station.start()
