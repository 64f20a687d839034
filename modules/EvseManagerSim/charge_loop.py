"""Who tells an AC car its current: ISO 15118, then the PWM stays at 5 %, or the PWM; and how long a car has to begin.

Station 2.1, 4.2. Pure; part of the session machine (session.py), which owns one. `Dialogue` is what of ISO 15118 it
looks at (v2g.py).
"""

from __future__ import annotations

from typing import Protocol

from .states import Times

SLACK_S = 1e-6
"""Times are sums of floats: so much early counts as in time."""


class Dialogue(Protocol):
    """The talk of car and EVSE by ISO 15118."""

    @property
    def talks(self) -> bool:
        """They found each other, and it is not over."""
        ...

    @property
    def charging(self) -> bool:
        """The car has begun its charge loop."""
        ...


class NoDialogue:
    """A car that does not know ISO 15118, or whose talk is heard by nobody here."""

    talks = charging = False


class ChargeLoop:
    """The charge loop of the running transaction: whether it is needed, and until when it is waited for."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self.dialogue: Dialogue = NoDialogue()
        self.needed = False
        """Power is given in a charge loop only, and the PWM is 5 %."""
        self.until: float | None = None
        """When the wait for its beginning is over; None: nobody waits."""

    def begin(self, now: float, *, by_contract: bool) -> None:
        """A transaction begins. A card changes nothing at the PWM where the EVSE did not start with 5 %.

        With DC the PWM never tells the current, and nobody waits.
        """
        ac = self._times.fixed_duty is None
        talks = ac and self.dialogue.talks and (by_contract or self._times.five_percent_start)
        self.needed = talks or self._times.enforce_hlc
        waits = talks and not self._times.enforce_hlc
        self.until = now + self._times.charge_loop_within_s if waits else None

    def end_wait(self) -> None:
        """The session goes on: without the loop the PWM tells the current."""
        if self.awaited:
            self.needed = False
        self.until = None

    def end(self) -> None:
        """The transaction is over."""
        self.needed = False
        self.until = None

    @property
    def allows(self) -> bool:
        """False: power is given by ISO 15118 here, and the car has not asked for it by that."""
        return not self.needed or self.dialogue.charging

    @property
    def awaited(self) -> bool:
        """The car is still given time to begin."""
        return self.until is not None and not self.dialogue.charging

    def missing(self, now: float) -> bool:
        """The time is over."""
        return self.awaited and self.until is not None and now + SLACK_S >= self.until
