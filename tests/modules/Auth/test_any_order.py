"""Cards, cars, faults, reservations and withdrawals in any order, by seed: what has to hold whatever happens.

Event sequences are not always possible ones: a foreign EvseManager may publish what it likes, too.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.modules.Auth.station import INVALID, METER, Station, accepted, parent, token

pytestmark = pytest.mark.looptime
STEPS = 60
LETTERS = {
    "Processing": "P",
    "Accepted": "A",
    "Rejected": "R",
    "UsedToStart": "U",
    "UsedToStop": "S",
    "UsedToReauthorize": "E",
    "TimedOut": "T",
    "Withdrawn": "W",
}
ROWS = re.compile(r"(P[TW]*(A[TW]*){0,2}([RUSE][TW]*)?)*")
"""The statuses of one card, as station 1.7 lists them. With two validators there may be two acceptances; T and W may be
those of the authorization before, at another EVSE."""


class Chance:
    """Everything that can happen to a station, by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.evses = self.random.randint(1, 4)
        self.withdrawals: list[asyncio.Task[Any]] = []

    def card(self) -> str:
        return self.random.choice(["A", "B", "C", "D", "a"])

    def station(self) -> Station:
        pick = self.random.choice
        station = Station(
            evses=self.evses,
            validators=pick([1, 2]),
            store=True,
            connector_types=[pick([None, "cType2", "cCCS2"]) for _ in range(self.evses)],
            selection_algorithm=pick(["FindFirst", "PlugEvents", "PlugEventsLIFO"]),
            plug_in_timeout_enabled=pick([True, False]),
            master_pass_group_id=pick(["", "MASTER"]),
            prioritize_authorization_over_stopping_transaction=pick([True, False]),
            ignore_connector_faults=pick([True, False]),
            stop_transaction_on_reswipe=pick([True, False]),
        )
        for validator in station.validators:
            station.answer(validator, "validate_token", self._validate)
        for n in station.evse_ids:
            station.answer(station.evse(n), "reserve", lambda args: self.random.random() < 0.9)
        return station

    async def _validate(self, args: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self.random.choice([0, 0, 0.5, 3]))
        match self.random.randrange(4):
            case 0:
                return INVALID
            case 1:
                return accepted(parent_id_token=parent(self.random.choice(["G", "MASTER"])))
            case 2:
                return accepted(evse_ids=[self.random.randint(1, 5)])
        return accepted()

    # ------------------------------------------------------------------------------------------------- one step

    async def step(self, station: Station) -> None:
        steps: list[Callable[[Station, int], Awaitable[None]]]
        steps = [self._swipe, self._event, self._event, self._reserve, self._cancel, self._withdraw, self._wait]
        await self.random.choice(steps)(station, self.random.randint(1, self.evses))

    async def _swipe(self, station: Station, evse: int) -> None:
        provided = token(self.card(), authorization_type=self.random.choice(["RFID", "RFID", "OCPP", "PlugAndCharge"]))
        if self.random.random() < 0.4:
            provided["connectors"] = [self.random.randint(0, 5) for _ in range(self.random.randint(0, 3))]
        if self.random.random() < 0.2:
            provided["prevalidated"] = True
        station.publish("reader/main", "provided_token", provided)

    async def _event(self, station: Station, evse: int) -> None:
        place = self.random.choice([{}, {}, {"connector_id": 1}, {"connector_id": 0}])
        started = {"id_tag": token(self.card()), "meter_value": METER}
        connected = {"reason": self.random.choice(["EVConnected", "Authorized"]), "meter_value": METER}
        name, more = self.random.choice(
            [
                ("SessionStarted", {"session_started": connected}),
                ("TransactionStarted", {"transaction_started": started}),
                ("TransactionFinished", {"transaction_finished": {"meter_value": METER}}),
                ("SessionFinished", {"session_finished": {"meter_value": METER}}),
                *((name, {}) for name in ("Enabled", "Disabled", "Deauthorized", "ReservationEnd", "AuthRequired")),
            ]
        )
        await station.event(evse, name, **place, **more)

    async def _reserve(self, station: Station, evse: int) -> None:
        expiry = station._clock.now() + timedelta(seconds=self.random.choice([-5, 20, 200, 10**9]))
        wish: dict[str, Any] = {"reservation_id": self.random.randint(0, 4), "id_token": self.card()}
        wish["expiry_time"] = expiry.isoformat()
        for key, value in (("evse_id", evse), ("parent_id_token", "G"), ("connector_type", "cType2")):
            if self.random.random() < 0.4:
                wish[key] = value
        await station.call("reservation", "reserve_now", {"request": wish})

    async def _cancel(self, station: Station, evse: int) -> None:
        await station.call("reservation", "cancel_reservation", {"reservation_id": self.random.randint(0, 5)})

    async def _withdraw(self, station: Station, evse: int) -> None:
        request: dict[str, Any] = {"evse_id": evse} if self.random.random() < 0.5 else {}
        if self.random.random() < 0.5:
            request["id_token"] = {"value": self.card(), "type": "ISO14443"}
        call = station.call("main", "withdraw_authorization", {"request": request})
        self.withdrawals.append(asyncio.create_task(call, name="withdraw"))

    async def _wait(self, station: Station, evse: int) -> None:
        await asyncio.sleep(self.random.choice([1, 5, 35]))


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_in_whatever_order(seed: int) -> None:
    chance = Chance(seed)
    async with chance.station() as station:
        await station.settle()
        for _ in range(STEPS):
            await chance.step(station)
        await asyncio.sleep(400)
        await station.settle()
        await asyncio.gather(*chance.withdrawals)
        check_statuses(station)
        check_answers(station)
        check_reservations(station, chance.evses)


def check_statuses(station: Station) -> None:
    """Each card goes through a row of station 1.7, and none stays in work."""
    told: dict[str, str] = {}
    for message in station.published("main", "token_validation_status"):
        assert isinstance(message["messages"], list)
        value = message["token"]["id_token"]["value"]
        told[value] = told.get(value, "") + LETTERS[message["status"]]
    assert {value: row for value, row in told.items() if not ROWS.fullmatch(row)} == {}
    assert station.module._tokens._in_work == []  # type: ignore[attr-defined]


def check_answers(station: Station) -> None:
    """An EVSE hears Accepted as often as a card is said to be used to start."""
    results = [call["validation_result"]["authorization_status"] for _, call in station.authorized()]
    assert results.count("Accepted") == station.statuses().count("UsedToStart")


def check_reservations(station: Station, evses: int) -> None:
    """Never more than EVSEs, never two of one id, and the store holds what Auth holds."""
    book = station.module._reservations.book  # type: ignore[attr-defined]
    ids = sorted(reservation.reservation_id for _, reservation in book.all())
    assert len(ids) <= evses
    assert len(set(ids)) == len(ids)
    stored = station.stored.get("reservation_auth", [])
    assert sorted(entry["reservation"]["reservation_id"] for entry in stored) == ids
