"""An EVSE (or a store) that does not answer a command delays nobody else for long, and its own commands keep their
order (station 1.10, 8.10). Virtual time: a command that is never answered ends after 300 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.modules.Auth.station import INVALID, Station, parent, token
from tests.modules.Auth.test_reservations import cancel, reserve

pytestmark = pytest.mark.looptime
START = ["Processing", "Accepted", "UsedToStart"]
PATIENCE = 5.0


class Silence:
    """A peer that hears and says nothing until `end`; `heard` are the commands in the order they came."""

    def __init__(self, station: Station, peer: str, *commands: str, answer: Any = None) -> None:
        self._gate = asyncio.Event()
        self.heard: list[str] = []
        for command in commands:
            station.answer(peer, command, self._silent(command, answer))

    def _silent(self, command: str, answer: Any) -> Any:
        async def hear(args: dict[str, Any]) -> Any:
            self.heard.append(command)
            await self._gate.wait()
            return answer

        return hear

    def end(self) -> None:
        self._gate.set()


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    async with Station(evses=3) as station:
        await station.settle()
        yield station


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_silent_evse_delays_the_reservation_of_another_a_few_seconds_once(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    Silence(station, "evse_1/evse", "reserve", answer=True)
    begin = now()
    assert await reserve(station, 1, evse_id=1) == "Rejected"
    assert now() - begin == pytest.approx(PATIENCE, abs=0.1)
    begin = now()
    assert await reserve(station, 2, evse_id=2) == "Accepted"
    assert await reserve(station, 3, evse_id=1) == "Rejected"
    assert await cancel(station, 2) is True
    assert now() - begin < 0.1
    assert station.count(1, "reserve") == 1
    assert "EVSE 1: reserve: no answer for 5 s, not waited for any longer" in caplog.messages
    assert "EVSE 1: reserve: not asked, an earlier question is still open" in caplog.messages


async def test_an_evse_that_takes_a_reservation_too_late_has_it_taken_back(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    silence = Silence(station, "evse_1/evse", "reserve", answer=True)
    assert await reserve(station, 1, evse_id=1) == "Rejected"
    silence.end()
    await station.settle()
    assert station.count(1, "cancel_reservation") == 1
    assert station.updates() == []
    assert "EVSE 1: reservation 1 came too late and is taken back" in caplog.messages
    assert await reserve(station, 2, evse_id=1) == "Accepted"
    assert station.updates() == [(2, "Placed")]


async def test_an_evse_that_refuses_too_late_has_nothing_taken_back(station: Station) -> None:
    silence = Silence(station, "evse_1/evse", "reserve", answer=False)
    assert await reserve(station, 1, evse_id=1) == "Rejected"
    silence.end()
    await station.settle()
    assert station.count(1, "cancel_reservation") == 0


async def test_an_evse_that_answers_just_in_time_is_believed(station: Station) -> None:
    async def slow(args: dict[str, Any]) -> bool:
        await asyncio.sleep(PATIENCE - 0.1)
        return True

    station.answer("evse_1/evse", "reserve", slow)
    assert await reserve(station, 1, evse_id=1) == "Accepted"
    assert station.updates() == [(1, "Placed")]
    assert station.count(1, "cancel_reservation") == 0


async def test_releasing_and_reserving_an_evse_keep_their_order(station: Station) -> None:
    """The new reservation is not made while the release of the old one is open: it would be released with it."""
    assert await reserve(station, 1, evse_id=1) == "Accepted"
    silence = Silence(station, "evse_1/evse", "cancel_reservation")
    assert await cancel(station, 1) is True
    assert await reserve(station, 2, evse_id=1) == "Rejected"
    assert station.count(1, "reserve") == 1
    silence.end()
    await station.settle()
    assert await reserve(station, 3, evse_id=1) == "Accepted"
    assert (station.count(1, "reserve"), station.count(1, "cancel_reservation")) == (2, 1)


async def test_what_is_to_be_released_meanwhile_is_released_afterwards(station: Station) -> None:
    """A reservation is replaced, its EVSE says nothing of the new one: it does not keep the old one for ever."""
    assert await reserve(station, 1, evse_id=1) == "Accepted"
    silence = Silence(station, "evse_1/evse", "reserve", answer=False)
    replacing = asyncio.create_task(reserve(station, 1, "TAG2", evse_id=1), name="replacing")
    assert await replacing == "Rejected"
    assert station.count(1, "cancel_reservation") == 0
    silence.end()
    await station.settle()
    assert station.count(1, "cancel_reservation") == 1


async def test_a_silent_evse_does_not_delay_the_holding_of_the_others() -> None:
    async with Station(evses=2) as station:
        await station.settle()
        silence = Silence(station, "evse_1/evse", "reserve", answer=True)
        assert await reserve(station, 1) == "Accepted"
        begin = now()
        making = asyncio.create_task(reserve(station, 2), name="making")
        await station.until(lambda: station.count(2, "reserve") == 1, timeout=0.1, what="EVSE 2 to be held")
        assert await making == "Accepted"
        assert now() - begin == pytest.approx(PATIENCE, abs=0.1)
        assert station.updates().count((-1, "Placed")) == 1
        station.answer("evse_1/evse", "reserve", lambda args: True)
        silence.end()
        await station.settle()
        assert station.calls("evse_1/evse", "reserve") == [{"reservation_id": -1}] * 2
        assert station.updates().count((-1, "Placed")) == 2


async def test_a_master_pass_ends_what_it_can(station: Station) -> None:
    await station.call("main", "set_master_pass_group_id", {"master_pass_group_id": "MASTER"})
    for n in (1, 2, 3):
        await station.charge(n, token(f"TAG{n}"))
    Silence(station, "evse_1/evse", "stop_transaction", answer=True)
    station.validates({"authorization_status": "Accepted", "tariff_messages": [], "parent_id_token": parent("MASTER")})
    begin = now()
    await station.swipe(token("CARD"))
    assert [station.count(n, "stop_transaction") for n in (1, 2, 3)] == [1, 1, 1]
    assert now() - begin < 0.1
    assert station.statuses()[-1] == "Processing"
    await asyncio.sleep(PATIENCE + 0.1)
    assert station.statuses()[-1] == "UsedToStop"


async def test_a_refusal_reaches_the_other_evses_at_once(station: Station) -> None:
    station.validates(INVALID)
    Silence(station, "evse_1/evse", "authorize_response")
    begin = now()
    await station.swipe(token(connectors=[1, 2]))
    assert station.count(2, "authorize_response") == 1
    assert now() - begin < 0.1
    await asyncio.sleep(PATIENCE + 0.1)
    assert station.statuses() == ["Processing", "Rejected"]


async def test_a_withdrawal_that_an_evse_does_not_answer_delays_no_other(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    for n in (1, 2, 3):
        await station.swipe(token("TAG", connectors=[n]) if n == 3 else token(f"TAG{n}", connectors=[n]))
    Silence(station, "evse_1/evse", "withdraw_authorization")
    everywhere = asyncio.create_task(station.call("main", "withdraw_authorization", {"request": {}}), name="withdraw")
    await station.settle()
    assert [station.count(n, "withdraw_authorization") for n in (1, 2, 3)] == [1, 1, 1]
    assert station.statuses().count("Withdrawn") == 2
    begin = now()
    assert await everywhere == "Accepted"
    assert now() - begin == pytest.approx(PATIENCE, abs=0.1)
    assert station.statuses().count("Withdrawn") == 3
    assert "EVSE 1: withdraw_authorization: no answer for 5 s, not waited for any longer" in caplog.messages


async def test_a_withdrawal_that_stops_transactions_delays_no_other(station: Station) -> None:
    for n in (1, 2):
        await station.charge(n, token(f"TAG{n}"))
    Silence(station, "evse_1/evse", "stop_transaction")
    asking = asyncio.create_task(station.call("main", "withdraw_authorization", {"request": {}}), name="withdraw")
    await station.settle()
    assert station.count(2, "stop_transaction") == 1
    assert await asking == "Accepted"


async def test_a_token_whose_evse_does_not_answer_ends_in_time(station: Station) -> None:
    Silence(station, "evse_1/evse", "authorize_response")
    await station.swipe(token(connectors=[1]))
    await station.swipe(token("TAG2", connectors=[2]))
    assert station.statuses() == ["Processing", "Accepted", *START]
    await asyncio.sleep(PATIENCE + 0.1)
    assert [m["token"]["connectors"] for m in station.status_messages("UsedToStart")] == [[2], [1]]


async def test_a_silent_store_delays_reservations_once_and_has_them_all_in_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Station(evses=3, store=True) as station:
        await station.settle()
        silence = Silence(station, "store/main", "store")
        begin = now()
        assert await reserve(station, 1, evse_id=1) == "Accepted"
        assert now() - begin == pytest.approx(PATIENCE, abs=0.1)
        begin = now()
        assert await reserve(station, 2, evse_id=2) == "Accepted"
        assert now() - begin < 0.1
        assert silence.heard == ["store"]
        station.answer("store/main", "store", lambda args: station.stored.update({args["key"]: args["value"]}))
        silence.end()
        await station.settle()
        stored = [entry["reservation"]["reservation_id"] for entry in station.stored["reservation_auth"]]
        assert stored == [1, 2]
        assert "storing reservations: no answer for 5 s, not waited for any longer" in caplog.messages
