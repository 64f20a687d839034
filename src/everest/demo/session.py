"""The charging session that `everest-manager run` plays: plug in, card, charge, card, unplug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from everest.demo.commands import Publish, parse
from everest.demo.watch import Watch

CARD = "DEADBEEF"
EVSE = 1
METER_VALUES = 4
"""How many MeterValues are to be seen before the card is swiped again."""
CHARGE_SECONDS = 8.0
"""How long to charge where no MeterValues come (a CSMS that is not reached, sampling switched off)."""
STEP_SECONDS = 20.0


class SessionFailed(Exception):
    """A step of the session did not happen; the text says which."""


class Session:
    """Plays one session and says whether it reached its end."""

    def __init__(self, watch: Watch, say: Callable[[str], None]) -> None:
        self._watch = watch
        self._say = say

    async def play(self) -> bool:
        """True if the session went to its end: started, charged, stopped, unplugged, and the CSMS has confirmed it."""
        try:
            await self._play()
        except SessionFailed as failed:
            self._say(f"the session did not reach its end: {failed}")
            return False
        return True

    async def _play(self) -> None:
        self._say("a car arrives")
        await self._step(f"plug {EVSE}", "AuthRequired")
        self._say("the driver holds a card to the reader")
        await self._step(f"swipe {CARD} {EVSE}", "TransactionStarted")
        await self._expect("ChargingStarted")
        await self._charge()
        self._say("the driver holds the card to the reader again")
        await self._step(f"swipe {CARD} {EVSE}", "TransactionFinished")
        self._say("the car leaves")
        await self._step(f"unplug {EVSE}", "SessionFinished")
        request = await self._confirmation()
        self._say(f"the session is over: transaction {request['transactionId']}, meterStop {request['meterStop']} Wh")

    async def _charge(self) -> None:
        def rising() -> bool:
            values = [m for sent, m in self._watch.frames if sent and m[2:3] == ["MeterValues"]]
            return sum("SignedData" not in str(value) for value in values) >= METER_VALUES

        await self._watch.until(rising, seconds=STEP_SECONDS if self._watch.registered else CHARGE_SECONDS)

    async def _confirmation(self) -> dict[str, Any]:
        """The StopTransaction that the CSMS has answered."""
        if not await self._watch.until(lambda: self._watch.answered("StopTransaction"), seconds=STEP_SECONDS):
            raise SessionFailed("the CSMS did not confirm the StopTransaction; it is kept and will be delivered")
        request, _response = self._watch.answered("StopTransaction")[-1]
        return request

    async def _step(self, words: str, event: str) -> None:
        command = parse(words, evses=EVSE)
        assert isinstance(command, Publish)
        before = self._watch.count(EVSE, event)
        self._watch.publish(command.topic, command.payload)
        await self._expect(event, more_than=before)

    async def _expect(self, event: str, *, more_than: int = 0) -> None:
        def settled() -> bool:
            return self._watch.count(EVSE, event) > more_than or self._refused() is not None

        await self._watch.until(settled, seconds=STEP_SECONDS)
        if self._watch.count(EVSE, event) > more_than:
            return
        refused = self._refused()
        if refused is not None:
            hint = "" if self._watch.registered else "; there is no CSMS to ask, and offline this card is not known"
            raise SessionFailed(f"the card was {refused}{hint}")
        raise SessionFailed(f"no {event} within {STEP_SECONDS:.0f} s")

    def _refused(self) -> str | None:
        """The status of the card if it was refused."""
        status = self._watch.tokens[-1]["status"] if self._watch.tokens else None
        return status if status in ("Rejected", "TimedOut", "Withdrawn") else None
