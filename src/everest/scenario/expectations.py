"""What steps expect of the station: CALLs of OCPP, uploads, session events, variables and errors of the bus.

Lives here: `Expectations`, which looks into the memories of the central system and of the bus, from the last doing
step on, and waits. A message fulfils one expectation only. What it says when there is none is in unmet.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from everest.scenario.csms import CentralSystem, Frame
from everest.scenario.files import Files
from everest.scenario.matching import as_fields, difference, seconds
from everest.scenario.schemas import answered
from everest.scenario.unmet import Unmet, beside, missing, shown, stamp
from everest.scenario.watch import Heard, Watch

WITHIN_S = 30.0
"""How long an expectation waits if it does not say."""
NONE_S = 5.0
"""How long `none` looks if it does not say."""
TIMES = 2
"""How many readings `rising` wants if it does not say."""

Fields = dict[str, Any]


class Expectations:
    """`evses`: module id by connector; `began`: when the scenario did, by the loop's clock."""

    def __init__(self, csms: CentralSystem, watch: Watch, files: Files, evses: dict[int, str], began: float) -> None:
        self._csms = csms
        self._watch = watch
        self._files = files
        self._evses = evses
        self._began = began
        self._frames_from = self._files_from = 0
        self._used: set[int] = set()
        self._used_of_bus: set[int] = set()

    def look_again(self) -> None:
        """From now on only what comes counts."""
        self._watch.forget()
        self._used_of_bus.clear()
        self._frames_from = len(self._csms.frames)
        self._files_from = len(self._files.received)

    def module(self, connector: int | None) -> str | None:
        """The EVSE's module id; None for any. Raises Unmet."""
        if connector is None:
            return None
        if connector not in self._evses:
            raise Unmet(f"there is no connector {connector}; there are: {', '.join(map(str, self._evses))}")
        return self._evses[connector]

    async def check(self, kind: str, value: Any, options: Fields) -> Any:
        """The payload that fulfilled the expectation (None where it is none of one message). Raises Unmet."""
        within = seconds(options.get("within", WITHIN_S)) or 0.0
        fits = options.get("with", {})
        match kind:
            case "expect":
                return await self._call(value, fits, within, options.get("save", {}).values())
            case "none":
                length = seconds(options.get("for", NONE_S)) or 0.0
                return await self._none([value] if isinstance(value, str) else value, fits, length)
            case "order":
                return await self._order(value, within, strict=options.get("strict", False))
            case "rising":
                return await self._rising(value, fits, options.get("times", TIMES), within)
            case "upload":
                return await self._upload(value, fits, within)
            case "event":
                return await self._event(value, self.module(options.get("connector")), fits, within)
            case "variable":
                return await self._variable(value, fits, within)
            case _:
                cleared = options.get("state", "raised") == "cleared"
                return await self._error(value, self.module(options.get("connector")), cleared, within)

    # --- OCPP --------------------------------------------------------------------------------------------------------

    def calls(self) -> Iterator[Frame]:
        """CALLs of the station in this look."""
        return (frame for frame in self._csms.frames[self._frames_from :] if frame.action is not None)

    def _first(self, actions: list[str], fits: Fields) -> Frame | None:
        """The first CALL that no expectation has taken."""
        for frame in self.calls():
            if frame.action in actions and id(frame) not in self._used and not difference(fits, frame.payload):
                return frame
        return None

    async def _call(self, action: str, fits: Fields, within: float, saved: Iterable[Any]) -> Any:
        """With the fields of the central system's answer, if one is saved that only the answer has."""
        frame = await self._watch.until(lambda: self._first([action], fits), within)
        if frame is None:
            raise self._missing(action, fits, within)
        self._used.add(id(frame))
        if any(answered(action, str(path)) for path in saved):
            return {**await self._answer(frame, within), **frame.payload}
        return frame.payload

    async def _answer(self, call: Frame, within: float) -> Fields:
        """The CALLRESULT of the central system to this CALL. Raises Unmet."""

        def look() -> Frame | None:
            frames = self._csms.frames
            return next(
                (f for f in frames if not f.sent and f.message[0] != 2 and f.message[1] == call.message[1]), None
            )

        answer = await self._watch.until(look, within)
        if answer is None:
            raise Unmet(f"{call.action} was not answered by the central system within {within:g} s")
        if answer.message[0] == 4 or not isinstance(answer.message[2], dict):
            raise Unmet(f"{call.action} was answered by the central system with {shown(answer.message[2])}")
        result: Fields = answer.message[2]
        return result

    def _missing(self, action: str, fits: Fields, within: float, after: str = "") -> Unmet:
        return missing(action, fits, within, list(self.calls()), self._used, self._began, after)

    async def _none(self, actions: list[str], fits: Fields, length: float) -> None:
        frame = await self._watch.until(lambda: self._first(actions, fits), length)
        if frame is not None:
            raise Unmet(f"there was {frame.action} {shown(frame.payload)} at {stamp(frame.time - self._began)}")

    async def _order(self, items: list[Any], within: float, *, strict: bool) -> None:
        """Each item after the one before. What was expected before counts, too.

        Others may come between; with `strict` none of the same actions (of the same connector, if the items name one).
        """
        wanted = [next(iter(item.items())) if isinstance(item, dict) else (item, {}) for item in items]
        connectors = {fits.get("connectorId") for _, fits in wanted}
        only = connectors.pop() if len(connectors) == 1 else None
        met: list[Frame] = []
        wrong: list[Frame] = []

        def same_kind(frame: Frame) -> bool:
            here = only is None or frame.payload.get("connectorId") == only
            return here and any(frame.action == name for name, _ in wanted)

        def look() -> bool | None:
            met.clear()
            for frame in self.calls():
                action, fits = wanted[len(met)]
                if frame.action == action and not difference(fits, frame.payload):
                    met.append(frame)
                    if len(met) == len(wanted):
                        return True
                elif strict and same_kind(frame):
                    wrong.append(frame)
                    return False
            return None

        complete = await self._watch.until(look, within)
        self._used.update(map(id, met))
        if complete:
            return
        action, fits = wanted[len(met)]
        after = f"after {beside(*wanted[len(met) - 1])}" if met else ""
        if wrong:
            instead = f"{wrong[0].action} {shown(wrong[0].payload)} at {stamp(wrong[0].time - self._began)}"
            raise Unmet(f"no {beside(action, fits)} {after}".rstrip() + f" comes next; there was {instead}")
        raise self._missing(action, fits, within, after)

    async def _rising(self, measurand: str, fits: Fields, times: int, within: float) -> None:
        """Readings of a measurand in MeterValues never fall, and the last one is more than the first."""

        def look() -> bool | None:
            values = list(self._readings(measurand, fits))
            return True if len(values) >= times and values[-1] > values[0] else None

        enough = await self._watch.until(look, within)
        values = list(self._readings(measurand, fits))
        said = ", ".join(f"{value:g}" for value in values) or "none"
        if any(later < earlier for earlier, later in pairwise(values)):
            raise Unmet(f"{measurand} fell; there was {said}")
        if enough is None:
            raise Unmet(f"no {times} rising readings of {measurand} within {within:g} s; there was {said}")

    def _readings(self, measurand: str, fits: Fields) -> Iterator[float]:
        for frame in self.calls():
            if frame.action == "MeterValues" and not difference(fits, frame.payload):
                samples = (sample for value in frame.payload["meterValue"] for sample in value["sampledValue"])
                yield from (float(sample["value"]) for sample in samples if _is_reading(sample, measurand))

    # --- files -------------------------------------------------------------------------------------------------------

    async def _upload(self, name: str, fits: Fields, within: float) -> Any:
        def look() -> tuple[int, Fields] | None:
            for number, (got, content) in enumerate(self._files.received[self._files_from :], self._files_from):
                told = {"name": got, "size": len(content)}
                if -number - 1 not in self._used and not difference({"name": name, **fits}, told):
                    return number, told
            return None

        found = await self._watch.until(look, within)
        if found is None:
            others = [f"{got} ({len(content)} bytes)" for got, content in self._files.received[self._files_from :]]
            raise Unmet(f"no upload of {name} within {within:g} s; there was {', '.join(others) or 'none'}")
        self._used.add(-found[0] - 1)
        return found[1]

    # --- bus ---------------------------------------------------------------------------------------------------------

    async def _heard(
        self, what: str, of_here: Callable[[Heard], bool], fits: Callable[[Heard], str], within: float
    ) -> Any:
        """The value of the first message `of_here` that `fits` (says ''); the others are told when there is none."""

        def look() -> Heard | None:
            return next(
                (h for h in self._watch.bus if id(h) not in self._used_of_bus and of_here(h) and not fits(h)), None
            )

        heard = await self._watch.until(look, within)
        if heard is None:
            here = [h for h in self._watch.bus if of_here(h)]
            others = ", ".join(h.told for h in here) or "none"
            near = [f"nearest: {h.told}: {fits(h)}" for h in here if fits(h)][-1:]
            raise Unmet(f"no {what} that fits within {within:g} s; there was {others}", *near)
        self._used_of_bus.add(id(heard))
        return heard.value

    async def _event(self, name: str, module: str | None, fits: Fields, within: float) -> Any:
        return await self._heard(
            f"event {name}",
            lambda h: h.name == "session_event" and module in (None, h.module_id),
            lambda h: difference({"event": name, **fits}, h.value),
            within,
        )

    async def _variable(self, place: str, fits: Fields, within: float) -> Any:
        value = await self._heard(
            place,
            lambda h: h.kind == "var" and h.place == place,
            lambda h: difference(fits, as_fields(h.value)),
            within,
        )
        return as_fields(value)

    async def _error(self, kind: str, module: str | None, cleared: bool, within: float) -> Any:
        return await self._heard(
            f"error {kind} {'cleared' if cleared else 'raised'}",
            lambda h: h.kind == "error" and module in (None, h.module_id),
            lambda h: "" if h.name == kind and h.value["state"].startswith("Cleared") == cleared else "another one",
            within,
        )


def _is_reading(sample: Fields, measurand: str) -> bool:
    """Of the whole connector, and a number."""
    named = sample.get("measurand", "Energy.Active.Import.Register")
    return bool(named == measurand and "phase" not in sample and sample.get("format", "Raw") == "Raw")
