"""The random delay of power changes that the smart charging regulations of the United Kingdom ask for.

`RandomDelay` is pure: what the budget wants goes in, what may be offered now comes out. While a transaction runs, its
beginning and changes of the offer (each, or only those between nothing and something) wait for a random time; what was
offered before is offered meanwhile. `RandomDelayFace` is `random_delay` (uk_random_delay): on, off, cancel, longest.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger

from everest.contracts.interfaces.uk_random_delay import UkRandomDelayImplementation

log = getLogger(__name__)

LONGEST_S = 1800
"""More than that the regulations do not ask for."""


class RandomDelay:
    """`draw(longest)` gives the seconds of one delay, 0 to `longest`."""

    def __init__(self, draw: Callable[[int], int], *, enabled: bool, longest_s: int, at_any_change: bool) -> None:
        self._draw = draw
        self.enabled = enabled
        self.longest_s = longest_s
        self._at_any_change = at_any_change
        self.during_A = 0.0
        """What is offered now."""
        self.after_A = 0.0
        """What the budget wants; offered when the delay is over."""
        self._ends_at: float | None = None
        self._active = False

    @property
    def running(self) -> bool:
        return self._ends_at is not None

    def left_s(self, now: float) -> float:
        """Seconds until the running delay is over; 0 without one."""
        return 0.0 if self._ends_at is None else max(0.0, self._ends_at - now)

    def offer(self, wanted_A: float, now: float, *, active: bool) -> float:
        """What may be offered at `now` (seconds, monotonic) of what the budget wants. active: a transaction runs."""
        begins = active and not self._active
        self._active = active
        self.after_A = wanted_A
        if not active or not self.enabled or (self._ends_at is not None and now >= self._ends_at):
            return self.force(wanted_A)
        if self._ends_at is None and (begins or self._counts(wanted_A)):
            self._begin(0.0 if begins else self.during_A, now)
        elif self._ends_at is None:
            self.during_A = wanted_A
        return self.during_A

    def force(self, amps: float) -> float:
        """No delay is running any more, and `amps` are offered."""
        self._ends_at = None
        self.during_A = self.after_A = amps
        return amps

    def _counts(self, wanted_A: float) -> bool:
        if self._at_any_change:
            return wanted_A != self.during_A
        return (wanted_A > 0.0) != (self.during_A > 0.0)

    def _begin(self, during_A: float, now: float) -> None:
        seconds = self._draw(self.longest_s)
        if seconds <= 0:
            self.force(self.after_A)
            return
        log.info("random delay of %d s: %g A until then, %g A after it", seconds, during_A, self.after_A)
        self.during_A = during_A
        self._ends_at = now + seconds


class RandomDelayFace(UkRandomDelayImplementation):
    """`random_delay`. `changed` is called when a delay may have ended by command."""

    def __init__(self, delay: RandomDelay) -> None:
        self._delay = delay
        self.changed: Callable[[], None] = lambda: None

    async def enable(self) -> None:
        self._delay.enabled = True
        self.changed()

    async def disable(self) -> None:
        self._delay.enabled = False
        self.changed()

    async def cancel(self) -> None:
        if self._delay.running:
            self._delay.force(self._delay.after_A)
            self.changed()

    async def set_duration_s(self, value: int) -> None:
        if not 0 <= value <= LONGEST_S:
            log.error("set_duration_s refused: %d is not between 0 and %d s", value, LONGEST_S)
            return
        self._delay.longest_s = value
