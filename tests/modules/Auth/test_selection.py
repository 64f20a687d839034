"""Which EVSE a token gets (station 1.5), how long it is kept for it (1.6), and taking it back (1.8)."""

import asyncio

import pytest

from tests.modules.Auth.station import INVALID, Station, accepted, token

pytestmark = pytest.mark.looptime
START = ["Processing", "Accepted", "UsedToStart"]


def evses_of(station: Station) -> list[int]:
    return [evse for evse, _ in station.authorized()]


# --- FindFirst


async def test_find_first_takes_the_car_that_came_first() -> None:
    async with Station(evses=3) as station:
        await station.settle()
        await station.plug_in(3)
        await station.plug_in(2)
        await station.swipe(token("TAG1"))
        assert evses_of(station) == [3]
        await station.swipe(token("TAG2"))
        assert sorted(evses_of(station)) == [2, 3]


async def test_find_first_without_a_car_takes_the_first_free_evse_in_the_token_s_order() -> None:
    async with Station(evses=3) as station:
        await station.swipe(token(connectors=[3, 2]))
        assert evses_of(station) == [3]


async def test_find_first_passes_over_a_car_whose_evse_the_token_does_not_name() -> None:
    async with Station(evses=3) as station:
        await station.settle()
        await station.plug_in(1)
        await station.swipe(token(connectors=[2, 3]))
        assert evses_of(station) == [2]


async def test_find_first_passes_over_a_car_that_charges_already() -> None:
    """A transaction that Auth did not authorize, as after a restart of Auth alone."""
    async with Station() as station:
        await station.settle()
        await station.plug_in(1)
        await station.start_transaction(1)
        await station.swipe(token())
        assert evses_of(station) == [2]


async def test_a_car_that_left_is_forgotten() -> None:
    async with Station() as station:
        await station.settle()
        await station.plug_in(2)
        await station.unplug(2)
        await station.swipe(token())
        assert evses_of(station) == [1]


# --- PlugEvents


@pytest.mark.parametrize("algorithm", ["PlugEvents", "PlugEventsLIFO"])
async def test_plug_events_wait_for_a_car(algorithm: str) -> None:
    async with Station(selection_algorithm=algorithm) as station:
        await station.swipe(token())
        await asyncio.sleep(29)
        assert station.statuses() == ["Processing", "Accepted"]
        await station.plug_in(2)
        assert station.statuses() == START
        assert evses_of(station) == [2]


@pytest.mark.parametrize("algorithm", ["PlugEvents", "PlugEventsLIFO"])
async def test_plug_events_end_timed_out(algorithm: str) -> None:
    async with Station(selection_algorithm=algorithm) as station:
        await station.swipe(token())
        await asyncio.sleep(29.9)
        assert station.statuses() == ["Processing", "Accepted"]
        await asyncio.sleep(0.2)
        assert station.statuses() == ["Processing", "Accepted", "TimedOut"]
        assert evses_of(station) == []


@pytest.mark.parametrize(("algorithm", "chosen"), [("PlugEvents", 2), ("PlugEventsLIFO", 3)])
async def test_the_oldest_or_the_latest_waiting_car_is_taken(algorithm: str, chosen: int) -> None:
    async with Station(evses=3, selection_algorithm=algorithm) as station:
        await station.settle()
        await station.plug_in(2)
        await station.plug_in(3)
        await station.swipe(token())
        assert evses_of(station) == [chosen]


async def test_one_candidate_is_taken_at_once_whatever_the_algorithm() -> None:
    async with Station(selection_algorithm="PlugEvents") as station:
        await station.swipe(token("TAG1", connectors=[1]))
        await station.swipe(token("TAG2"))
        assert evses_of(station) == [1, 2]
        assert station.statuses() == [*START, *START]


async def test_of_two_waiting_cards_each_gets_one_car() -> None:
    async with Station(evses=3, selection_algorithm="PlugEvents") as station:
        await station.swipe(token("TAG1"))
        await station.swipe(token("TAG2"))
        await station.plug_in(3)
        assert [c["provided_token"]["id_token"]["value"] for _, c in station.authorized()] == ["TAG1"]
        await station.plug_in(2)
        assert evses_of(station) == [2, 3]


async def test_the_connection_timeout_can_be_set_by_command() -> None:
    async with Station(selection_algorithm="PlugEvents") as station:
        assert await station.call("main", "set_connection_timeout", {"connection_timeout": 60}) is None
        await station.swipe(token())
        await asyncio.sleep(59)
        assert station.statuses() == ["Processing", "Accepted"]
        await asyncio.sleep(2)
        assert station.statuses()[-1] == "TimedOut"


async def test_user_input_serves_tokens_that_name_one_evse_and_refuses_those_that_need_a_choice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Station(selection_algorithm="UserInput") as station:
        [warning] = [record for record in caplog.records if "UserInput cannot choose between EVSEs" in record.message]
        assert warning.levelname == "ERROR"
        await station.swipe(token("TAG1", connectors=[2]))
        assert [evse for evse, _ in station.authorized()] == [2]
        await station.unplug(2)
        await station.swipe(token("TAG2"))
        assert station.statuses() == [*START, "Processing", "Accepted", "Rejected"]
        assert "token refused: selection_algorithm UserInput cannot choose between 2 EVSEs" in caplog.messages
        assert [evse for evse, _ in station.authorized()] == [2]
        await station.swipe(token("TAG2", connectors=[1]))
        assert [evse for evse, _ in station.authorized()] == [1, 2]


@pytest.mark.parametrize(("evses", "algorithm"), [(1, "UserInput"), (2, "FindFirst")])
async def test_where_there_is_no_choice_or_one_that_can_be_made_nothing_is_warned_of(
    evses: int, algorithm: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Station(evses=evses, selection_algorithm=algorithm) as station:
        await station.swipe(token())
        assert station.statuses() == START
        assert caplog.messages == []


# --- connection timer


async def test_an_authorization_without_a_car_is_withdrawn_after_the_connection_timeout() -> None:
    async with Station() as station:
        await station.swipe(token())
        await asyncio.sleep(29.9)
        assert station.count(1, "withdraw_authorization") == 0
        await asyncio.sleep(0.2)
        assert station.count(1, "withdraw_authorization") == 1
        assert station.statuses() == [*START, "TimedOut"]
        assert station.status_messages("TimedOut")[0]["token"] == token(connectors=[1])


async def test_after_the_timeout_the_same_card_works_again() -> None:
    async with Station(evses=1) as station:
        await station.swipe(token())
        await asyncio.sleep(31)
        await station.swipe(token())
        assert station.statuses()[4:] == START


@pytest.mark.parametrize("event", ["TransactionStarted", "SessionFinished", "Deauthorized"])
async def test_the_connection_timer_is_stopped_by(event: str) -> None:
    async with Station() as station:
        await station.swipe(token())
        await asyncio.sleep(20)
        await station.start_transaction(1) if event == "TransactionStarted" else await station.event(1, event)
        await asyncio.sleep(60)
        assert station.count(1, "withdraw_authorization") == 0
        assert station.statuses() == START


@pytest.mark.parametrize("event", ["SessionFinished", "Deauthorized"])
async def test_a_new_authorization_has_its_whole_time_whatever_ended_the_one_before(event: str) -> None:
    async with Station(evses=1) as station:
        await station.swipe(token("TAG1"))
        await asyncio.sleep(20)
        await station.event(1, event)
        await station.swipe(token("TAG2"))
        await asyncio.sleep(29)
        assert station.count(1, "withdraw_authorization") == 0
        await asyncio.sleep(2)
        assert station.count(1, "withdraw_authorization") == 1
        assert [m["token"]["id_token"]["value"] for m in station.status_messages("TimedOut")] == ["TAG2"]


async def test_the_timer_runs_also_when_a_car_is_there_already() -> None:
    async with Station() as station:
        await station.settle()
        await station.plug_in(1)
        await station.swipe(token())
        await asyncio.sleep(31)
        assert station.statuses() == [*START, "TimedOut"]


async def test_deauthorized_during_the_withdrawal_does_not_swallow_the_status() -> None:
    async with Station() as station:

        async def withdraw(args: object) -> None:
            await station.event(1, "Deauthorized")

        station.answer("evse_1/evse", "withdraw_authorization", withdraw)
        await station.swipe(token())
        await asyncio.sleep(31)
        assert station.statuses() == [*START, "TimedOut"]


# --- plug in timer


async def test_a_car_without_authorization_blocks_its_evse_after_the_plug_in_timeout() -> None:
    async with Station(plug_in_timeout_enabled=True) as station:
        await station.settle()
        await station.plug_in(1)
        await asyncio.sleep(31)
        assert station.count(1, "withdraw_authorization") == 1
        assert station.statuses() == []
        await station.swipe(token("TAG1", connectors=[1]))
        assert station.statuses() == ["Processing", "Rejected"]
        await station.unplug(1)
        await station.swipe(token("TAG1", connectors=[1]))
        assert station.statuses()[2:] == START


async def test_a_blocked_car_is_no_car_that_waits() -> None:
    async with Station(evses=3, plug_in_timeout_enabled=True, selection_algorithm="PlugEvents") as station:
        await station.settle()
        await station.plug_in(1)
        await asyncio.sleep(31)
        await station.swipe(token())
        assert evses_of(station) == []
        await station.plug_in(2)
        assert evses_of(station) == [2]


@pytest.mark.parametrize(("evses", "enabled"), [(1, True), (2, False)])
async def test_there_is_no_plug_in_timeout_with_one_evse_or_when_switched_off(evses: int, enabled: bool) -> None:
    async with Station(evses=evses, plug_in_timeout_enabled=enabled) as station:
        await station.settle()
        await station.plug_in(1)
        await asyncio.sleep(60)
        assert station.count(1, "withdraw_authorization") == 0


async def test_a_car_that_came_back_has_the_whole_plug_in_timeout() -> None:
    async with Station(plug_in_timeout_enabled=True) as station:
        await station.settle()
        await station.plug_in(1)
        await asyncio.sleep(20)
        await station.unplug(1)
        await station.plug_in(1)
        await asyncio.sleep(29)
        assert station.count(1, "withdraw_authorization") == 0
        await asyncio.sleep(2)
        assert station.count(1, "withdraw_authorization") == 1


async def test_a_car_authorized_in_time_is_not_blocked() -> None:
    async with Station(plug_in_timeout_enabled=True) as station:
        await station.settle()
        await station.plug_in(1)
        await asyncio.sleep(20)
        await station.charge(1, token())
        await asyncio.sleep(60)
        assert station.count(1, "withdraw_authorization") == 0
        await station.swipe(token())
        assert station.statuses()[-1] == "UsedToStop"


# --- withdraw_authorization


async def withdraw(station: Station, **request: object) -> str:
    result: str = await station.call("main", "withdraw_authorization", {"request": request})
    await station.settle()
    return result


async def test_withdrawing_at_an_unknown_evse() -> None:
    async with Station() as station:
        await station.settle()
        assert await withdraw(station, evse_id=9) == "EvseNotFound"


async def test_withdrawing_where_nobody_is_authorized() -> None:
    async with Station() as station:
        await station.swipe(token("TAG1", connectors=[1]))
        other = {"value": "TAG2", "type": "ISO14443"}
        assert await withdraw(station, evse_id=2) == "AuthorizationNotFound"
        assert await withdraw(station, id_token=other) == "AuthorizationNotFound"
        assert await withdraw(station, id_token={"value": "TAG1", "type": "Central"}) == "AuthorizationNotFound"
        assert station.count(1, "withdraw_authorization") == 0


@pytest.mark.parametrize(
    "request_", [{}, {"evse_id": 1}, {"id_token": {"value": "tag1", "type": "ISO14443"}}], ids=["all", "evse", "token"]
)
async def test_a_waiting_authorization_is_withdrawn(request_: dict[str, object]) -> None:
    async with Station() as station:
        await station.swipe(token("TAG1"))
        assert await withdraw(station, **request_) == "Accepted"
        assert station.count(1, "withdraw_authorization") == 1
        assert station.statuses() == [*START, "Withdrawn"]
        assert station.status_messages("Withdrawn")[0]["token"] == token("TAG1", connectors=[1])


async def test_withdrawing_from_a_transaction_stops_it() -> None:
    async with Station() as station:
        await station.charge(2, token())
        assert await withdraw(station, evse_id=2) == "Accepted"
        assert station.calls("evse_2/evse", "stop_transaction") == [{"request": {"reason": "DeAuthorized"}}]
        assert station.statuses() == START


async def test_a_card_that_waits_for_a_car_is_withdrawn() -> None:
    async with Station(selection_algorithm="PlugEvents") as station:
        await station.swipe(token())
        assert await withdraw(station, id_token=token()["id_token"]) == "Accepted"
        assert station.statuses() == ["Processing", "Accepted", "Withdrawn"]


async def test_a_withdrawal_of_another_card_or_elsewhere_leaves_a_waiting_card_alone() -> None:
    async with Station(selection_algorithm="PlugEvents", evses=3) as station:
        await station.swipe(token(connectors=[1, 2]))
        assert await withdraw(station, id_token={"value": "TAG2", "type": "ISO14443"}) == "AuthorizationNotFound"
        assert await withdraw(station, evse_id=3) == "AuthorizationNotFound"
        assert station.statuses() == ["Processing", "Accepted"]
        await station.plug_in(2)
        assert station.statuses() == START


async def test_a_withdrawal_is_forgotten_when_it_is_done() -> None:
    """DEPARTURE A3."""
    async with Station(selection_algorithm="PlugEvents") as station:
        await station.swipe(token())
        await withdraw(station)
        await station.swipe(token())
        assert station.statuses()[3:] == ["Processing", "Accepted"]
        await station.plug_in(1)
        assert station.statuses()[-1] == "UsedToStart"


async def test_a_withdrawal_waits_for_the_token_in_work_and_takes_its_authorization_back() -> None:
    async with Station(evses=1) as station:
        await station.settle()
        answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        station.answer("validator_1/main", "validate_token", lambda args: answer)
        await station.swipe(token())
        task = asyncio.create_task(withdraw(station, evse_id=1))
        await asyncio.sleep(5)
        assert not task.done()
        answer.set_result(accepted())
        assert await task == "Accepted"
        assert station.statuses() == [*START, "Withdrawn"]


async def test_a_token_in_work_that_ends_refused_still_answers_the_withdrawal() -> None:
    async with Station(evses=1) as station:
        await station.settle()
        answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        station.answer("validator_1/main", "validate_token", lambda args: answer)
        await station.swipe(token())
        task = asyncio.create_task(withdraw(station))
        await asyncio.sleep(1)
        answer.set_result(INVALID)
        assert await task == "Accepted"
        assert station.statuses() == ["Processing", "Rejected"]


async def test_a_timer_that_fires_in_the_moment_of_the_start_withdraws_nothing() -> None:
    async with Station() as station:
        await station.charge(1, token())
        evse = station.module._station.evses[1]  # type: ignore[attr-defined]
        await station.module._tokens._connection_timeout(evse, token())  # type: ignore[attr-defined]
        assert evse.identifier is not None
        await station.unplug(1)
        await station.module._tokens._connection_timeout(evse, token())  # type: ignore[attr-defined]
        assert station.count(1, "withdraw_authorization") == 0
        assert station.statuses() == START
