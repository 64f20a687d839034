"""What steps expect of the station: CALLs of OCPP, session events, variables and errors of the bus.

Lives here: `Expectations`, which looks into the memories of the central system and of the bus, from the last doing
step on, and waits. A message fulfils one expectation only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from everest.scenario.csms import CentralSystem, Frame
from everest.scenario.matching import difference, seconds
from everest.scenario.watch import Heard, Watch

WITHIN_S = 30.0
"""How long an expectation waits if it does not say."""
NONE_S = 5.0
"""How long `none` looks if it does not say."""
MANY = 8
"""So many near misses are told at most."""

Fields = dict[str, Any]


class Unmet(Exception):
    """A step failed; the text says what was expected and what came instead."""


class Expectations:
    """`evses`: module id by connector."""

    def __init__(self, csms: CentralSystem, watch: Watch, evses: dict[int, str]) -> None:
        self._csms = csms
        self._watch = watch
        self._evses = evses
        self._frames_from = self._bus_from = 0
        self._used: set[int] = set()

    def look_again(self) -> None:
        """From now on only what comes counts."""
        self._frames_from, self._bus_from = len(self._csms.frames), len(self._watch.bus)

    def module(self, connector: int | None) -> str | None:
        """The EVSE's module id; None for any. Raises Unmet."""
        if connector is None:
            return None
        if connector not in self._evses:
            raise Unmet(f"there is no connector {connector}; there are: {', '.join(map(str, self._evses))}")
        return self._evses[connector]

    async def check(self, kind: str, value: Any, options: Fields) -> Any:
        """The payload that fulfilled the expectation (None for `none` and `order`). Raises Unmet."""
        within = seconds(options.get("within", WITHIN_S)) or 0.0
        fits = options.get("with", {})
        match kind:
            case "expect":
                return await self._call(value, fits, within)
            case "none":
                length = seconds(options.get("for", NONE_S)) or 0.0
                return await self._none([value] if isinstance(value, str) else value, fits, length)
            case "order":
                return await self._order(value, within)
            case "event":
                return await self._event(value, self.module(options.get("connector")), fits, within)
            case "variable":
                return await self._variable(value, fits, within)
            case _:
                cleared = options.get("state", "raised") == "cleared"
                return await self._error(value, self.module(options.get("connector")), cleared, within)

    # --- OCPP --------------------------------------------------------------------------------------------------------

    def _calls(self) -> Iterator[Frame]:
        """CALLs of the station in this look."""
        return (frame for frame in self._csms.frames[self._frames_from :] if frame.action is not None)

    def _first(self, actions: list[str], fits: Fields) -> Frame | None:
        """The first CALL that no expectation has taken."""
        for frame in self._calls():
            if frame.action in actions and id(frame) not in self._used and not difference(fits, frame.payload):
                return frame
        return None

    async def _call(self, action: str, fits: Fields, within: float) -> Any:
        frame = await self._watch.until(lambda: self._first([action], fits), within)
        if frame is None:
            raise Unmet(f"no {action} that fits within {within:g} s; {self._instead(action, fits)}")
        self._used.add(id(frame))
        return frame.payload

    async def _none(self, actions: list[str], fits: Fields, length: float) -> None:
        frame = await self._watch.until(lambda: self._first(actions, fits), length)
        if frame is not None:
            raise Unmet(f"there was {frame.action} {frame.payload}")

    async def _order(self, items: list[Any], within: float) -> None:
        """Each item after the one before; others may come between. What was expected before counts, too."""
        wanted = [next(iter(item.items())) if isinstance(item, dict) else (item, {}) for item in items]
        met: list[Frame] = []

        def look() -> bool | None:
            met.clear()
            for frame in self._calls():
                action, fits = wanted[len(met)]
                if frame.action == action and not difference(fits, frame.payload):
                    met.append(frame)
                    if len(met) == len(wanted):
                        return True
            return None

        complete = await self._watch.until(look, within)
        self._used.update(map(id, met))
        if complete is None:
            action, fits = wanted[len(met)]
            after = f" after {wanted[len(met) - 1][0]}" if met else ""
            raise Unmet(f"no {action} {fits or ''}{after} within {within:g} s; {self._instead(action, fits)}")

    def _instead(self, action: str, fits: Fields) -> str:
        """What came: the near misses, else the actions."""
        frames = list(self._calls())
        near = [difference(fits, f.payload) or "one that another step had" for f in frames if f.action == action]
        if near:
            return f"there was {action}, but {'; '.join(near[-MANY:])}"
        return f"there was {', '.join(str(f.action) for f in frames[-MANY:]) or 'nothing'}"

    # --- bus ---------------------------------------------------------------------------------------------------------

    async def _heard(
        self, what: str, of_here: Callable[[Heard], bool], fits: Callable[[Heard], bool], within: float
    ) -> Any:
        """The value of the first message `of_here` that fits; what else was `of_here` is told when there is none."""

        def look() -> Heard | None:
            new = self._watch.bus[self._bus_from :]
            return next((h for h in new if id(h) not in self._used and of_here(h) and fits(h)), None)

        heard = await self._watch.until(look, within)
        if heard is None:
            others = [h.told for h in self._watch.bus[self._bus_from :] if of_here(h)][-MANY:]
            raise Unmet(f"no {what} that fits within {within:g} s; there was {', '.join(others) or 'none'}")
        self._used.add(id(heard))
        return heard.value

    async def _event(self, name: str, module: str | None, fits: Fields, within: float) -> Any:
        return await self._heard(
            f"event {name}",
            lambda h: h.name == "session_event" and module in (None, h.module_id),
            lambda h: h.value["event"] == name and not difference(fits, h.value),
            within,
        )

    async def _variable(self, place: str, fits: Fields, within: float) -> Any:
        return await self._heard(
            place,
            lambda h: h.kind == "var" and h.place == place,
            lambda h: not difference(fits, h.value if isinstance(h.value, dict) else {"value": h.value}),
            within,
        )

    async def _error(self, kind: str, module: str | None, cleared: bool, within: float) -> Any:
        return await self._heard(
            f"error {kind} {'cleared' if cleared else 'raised'}",
            lambda h: h.kind == "error" and module in (None, h.module_id),
            lambda h: h.name == kind and h.value["state"].startswith("Cleared") == cleared,
            within,
        )
