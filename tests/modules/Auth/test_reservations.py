"""Reservations over the bus: the table of reserve_now, their ends, global ones, and the store (station 1.10)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.modules.Auth.station import Station, accepted, parent, token

pytestmark = pytest.mark.looptime
START = ["Processing", "Accepted", "UsedToStart"]
EXPIRY = "2026-01-05T10:10:00.000Z"


def reservation(id: int, id_token: str = "TAG1", **more: Any) -> dict[str, Any]:
    return {"reservation_id": id, "id_token": id_token, "expiry_time": EXPIRY, **more}


async def reserve(station: Station, id: int, id_token: str = "TAG1", **more: Any) -> str:
    await station.settle()
    result: str = await station.call("reservation", "reserve_now", {"request": reservation(id, id_token, **more)})
    await station.settle()
    return result


async def cancel(station: Station, id: int) -> bool:
    result: bool = await station.call("reservation", "cancel_reservation", {"reservation_id": id})
    await station.settle()
    return result


async def exists(station: Station, **request: Any) -> str:
    result: str = await station.call("reservation", "exists_reservation", {"request": request})
    return result


# --- reserve_now, row by row


async def test_a_free_evse_is_reserved_and_announced() -> None:
    async with Station() as station:
        assert await reserve(station, 5, evse_id=2) == "Accepted"
        assert station.calls("evse_2/evse", "reserve") == [{"reservation_id": 5}]
        assert station.updates() == [(5, "Placed")]


@pytest.mark.parametrize(
    ("expiry", "why"),
    [
        ("2026-01-05T09:59:59Z", "has passed"),
        ("2026-01-05T10:00:00.000Z", "has passed"),
        ("", "is no time"),
        ("soon", "is no time"),
    ],
)
async def test_an_expiry_in_the_past_is_rejected(expiry: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Station() as station:
        assert await reserve(station, 5, evse_id=1, expiry_time=expiry) == "Rejected"
        assert station.count(1, "reserve") == 0
    assert f"reservation 5: expiry_time {expiry!r} {why}" in caplog.messages


async def test_an_equal_id_is_replaced_at_the_same_evse_without_a_gap() -> None:
    async with Station() as station:
        await reserve(station, 5, "TAG1", evse_id=1)
        assert await reserve(station, 5, "TAG2", evse_id=1) == "Accepted"
        assert station.count(1, "cancel_reservation") == 0
        assert await exists(station, evse_id=1, id_token="TAG2") == "ReservedForToken"


async def test_an_equal_id_at_another_evse_frees_the_first_one() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        assert await reserve(station, 5, evse_id=2) == "Accepted"
        assert station.count(1, "cancel_reservation") == 1
        assert await exists(station, evse_id=1, id_token="TAG1") == "NotReserved"
        assert station.updates() == [(5, "Placed"), (5, "Placed")]


async def test_an_equal_id_is_removed_even_if_the_new_reservation_is_refused() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        assert await reserve(station, 5, evse_id=9) == "Rejected"
        assert station.count(1, "cancel_reservation") == 1
        assert await exists(station, evse_id=1, id_token="TAG1") == "NotReserved"
        assert station.updates() == [(5, "Placed")]


async def test_an_equal_id_that_the_same_evse_cannot_have_frees_it() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        assert await reserve(station, 5, evse_id=1, connector_type="cCCS2") == "Rejected"
        assert station.count(1, "cancel_reservation") == 1


async def test_a_reserved_evse_is_occupied() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        assert await reserve(station, 6, evse_id=1) == "Occupied"


@pytest.mark.parametrize("evse_id", [0, 9])
async def test_an_unknown_evse_is_rejected(evse_id: int) -> None:
    async with Station() as station:
        assert await reserve(station, 5, evse_id=evse_id) == "Rejected"


@pytest.mark.parametrize(
    ("offered", "wanted", "result"),
    [
        ("cType2", "cCCS2", "Rejected"),
        ("cType2", "cType2", "Accepted"),
        ("cType2", "Unknown", "Accepted"),
        (None, "cCCS2", "Accepted"),
    ],
)
async def test_the_connector_type_has_to_be_there(offered: str | None, wanted: str, result: str) -> None:
    async with Station(connector_types=[offered]) as station:
        assert await reserve(station, 5, evse_id=1, connector_type=wanted) == result


async def test_an_evse_with_a_car_is_occupied() -> None:
    async with Station() as station:
        await station.settle()
        await station.plug_in(1)
        assert await reserve(station, 5, evse_id=1) == "Occupied"


async def test_an_evse_with_a_transaction_is_occupied_and_with_a_fault_faulted() -> None:
    async with Station() as station:
        await station.charge(1, token())
        assert await reserve(station, 5, evse_id=1) == "Occupied"
        station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        assert await reserve(station, 5, evse_id=1) == "Faulted"


async def test_a_disabled_evse_is_unavailable_and_a_broken_one_faulted() -> None:
    async with Station(evses=3) as station:
        await station.settle()
        await station.event(1, "Disabled")
        station.raise_error("evse_2/evse", {"type": "evse_manager/Inoperative"})
        assert await reserve(station, 5, evse_id=1) == "Unavailable"
        assert await reserve(station, 5, evse_id=2) == "Faulted"
        station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        assert await reserve(station, 5, evse_id=1) == "Faulted"


async def test_an_evse_that_global_reservations_need_is_occupied() -> None:
    async with Station() as station:
        await reserve(station, 1)
        await reserve(station, 2)
        assert await reserve(station, 5, evse_id=1) == "Occupied"


async def test_an_evse_that_refuses_gives_rejected_and_no_reservation() -> None:
    async with Station() as station:
        station.answer("evse_1/evse", "reserve", lambda args: False)
        assert await reserve(station, 5, evse_id=1) == "Rejected"
        assert await exists(station, evse_id=1, id_token="TAG1") == "NotReserved"
        assert station.updates() == []


async def test_a_global_reservation_of_a_type_that_is_nowhere_is_rejected() -> None:
    async with Station() as station:
        assert await reserve(station, 5, connector_type="cCCS2") == "Rejected"


@pytest.mark.parametrize(
    ("hindrance", "result"), [("Disabled", "Unavailable"), ("fault", "Faulted"), ("car", "Occupied")]
)
async def test_a_global_reservation_that_finds_no_evse_tells_why(hindrance: str, result: str) -> None:
    async with Station(evses=1) as station:
        await station.settle()
        if hindrance == "fault":
            station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        else:
            await (station.plug_in(1) if hindrance == "car" else station.event(1, "Disabled"))
        assert await reserve(station, 5) == result


async def test_an_evse_that_waits_for_its_authorized_car_is_occupied_to_a_global_reservation() -> None:
    async with Station(evses=1) as station:
        await station.swipe(token())
        assert await reserve(station, 5) == "Occupied"


@pytest.mark.parametrize("why", ["reservation", "global reservation", "car"])
async def test_a_reservation_or_a_car_anywhere_says_occupied_of_a_type_that_is_out_of_service(why: str) -> None:
    async with Station(connector_types=["cType2", "cCCS2"]) as station:
        await station.settle()
        await station.event(2, "Disabled")
        assert await reserve(station, 5, connector_type="cCCS2") == "Unavailable"
        if why == "car":
            await station.plug_in(1)
        else:
            place = {"evse_id": 1} if why == "reservation" else {"connector_type": "cType2"}
            assert await reserve(station, 6, **place) == "Accepted"
        assert await reserve(station, 5, connector_type="cCCS2") == "Occupied"


async def test_more_global_reservations_than_evses_are_occupied() -> None:
    async with Station() as station:
        assert [await reserve(station, n) for n in (1, 2, 3)] == ["Accepted", "Accepted", "Occupied"]


# --- who may charge


async def test_a_stranger_is_rejected_early_at_a_reserved_evse() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=1)
        await station.swipe(token("OTHER", connectors=[1]))
        assert station.statuses() == ["Processing", "Rejected"]
        assert station.calls("validator_1/main", "validate_token") == []
        assert station.authorized() == []


async def test_the_owner_uses_the_reservation_up() -> None:
    async with Station(store=True) as station:
        await reserve(station, 5, "OWNER", evse_id=1)
        await station.swipe(token("owner", connectors=[1]))
        assert station.statuses() == START
        [(_, call)] = station.authorized()
        assert call["validation_result"] == accepted(reservation_id=5)
        assert await exists(station, evse_id=1, id_token="OWNER") == "NotReserved"
        assert station.count(1, "cancel_reservation") == 0
        assert station.updates() == [(5, "Placed")]
        assert station.stored["reservation_auth"] == []


async def test_a_reservation_with_parent_is_decided_by_validation() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=1, parent_id_token="GROUP")
        await station.swipe(token("OTHER", connectors=[1]))
        assert station.statuses() == ["Processing", "Accepted", "Rejected"]
        results = [call["validation_result"]["authorization_status"] for _, call in station.authorized()]
        assert results == ["NotAtThisTime", "NotAtThisTime"]
        station.validates(accepted(parent_id_token=parent("group")))
        await station.swipe(token("MEMBER", connectors=[1]))
        assert station.statuses()[3:] == START


async def test_a_stranger_charges_where_nothing_is_reserved() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=1)
        await station.swipe(token("OTHER", connectors=[2]))
        assert station.statuses() == START


async def test_a_stranger_is_refused_when_the_global_reservations_need_every_evse() -> None:
    async with Station() as station:
        await reserve(station, 1, "OWNER1")
        await station.swipe(token("OTHER1", connectors=[1]))
        assert station.statuses() == START
        await station.swipe(token("OTHER2", connectors=[2]))
        assert station.statuses()[3:] == ["Processing", "Rejected"]
        await station.swipe(token("OWNER1", connectors=[2]))
        assert station.statuses()[5:] == START


async def test_an_evse_s_own_reservation_hides_the_global_ones() -> None:
    async with Station() as station:
        await reserve(station, 1, "TAG1")
        await reserve(station, 2, "TAG2", evse_id=1)
        await station.swipe(token("TAG1", connectors=[1]))
        assert station.statuses() == ["Processing", "Rejected"]
        await station.swipe(token("TAG1", connectors=[2]))
        assert station.authorized()[0][1]["validation_result"]["reservation_id"] == 1


# --- the end


async def test_cancelling_frees_the_evse_without_an_update() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        assert await cancel(station, 77) is False
        assert await cancel(station, 5) is True
        assert station.count(1, "cancel_reservation") == 1
        assert station.updates() == [(5, "Placed")]
        assert await cancel(station, 5) is False


async def test_an_expired_reservation_ends_with_an_update() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        await asyncio.sleep(599)
        assert station.count(1, "cancel_reservation") == 0
        await asyncio.sleep(2)
        assert station.count(1, "cancel_reservation") == 1
        assert station.updates() == [(5, "Placed"), (5, "Expired")]


async def test_a_cancelled_reservation_does_not_expire() -> None:
    async with Station() as station:
        await reserve(station, 5)
        await cancel(station, 5)
        await asyncio.sleep(700)
        assert station.updates() == [(5, "Placed")]


@pytest.mark.parametrize("hindrance", ["Disabled", "fault"])
async def test_a_reservation_that_cannot_be_kept_is_removed(hindrance: str) -> None:
    async with Station(store=True) as station:
        await reserve(station, 5, evse_id=1)
        if hindrance == "fault":
            station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
            await station.settle()
        else:
            await station.event(1, "Disabled")
        assert station.updates() == [(5, "Placed"), (5, "Removed")]
        assert station.count(1, "cancel_reservation") == 1
        assert station.stored == {"reservation_auth": []}


async def test_the_latest_global_reservation_goes_when_an_evse_is_lost() -> None:
    async with Station() as station:
        await reserve(station, 1)
        await reserve(station, 2)
        await station.event(2, "Disabled")
        assert (2, "Removed") in station.updates()
        assert (1, "Removed") not in station.updates()
        assert [station.count(n, "cancel_reservation") for n in (1, 2)] == [0, 0]


async def test_an_evse_with_its_own_reservation_is_no_place_for_a_global_one_that_lost_its_evse() -> None:
    async with Station() as station:
        await reserve(station, 1, evse_id=1)
        await reserve(station, 2, "TAG2")
        await station.event(2, "Disabled")
        assert [update for update in station.updates() if update[1] == "Removed"] == [(2, "Removed")]
        assert await exists(station, evse_id=1, id_token="TAG1") == "ReservedForToken"


@pytest.mark.parametrize("place", [{"evse_id": 1}, {}])
async def test_a_reservation_goes_when_its_evse_charges_somebody_else_at_its_other_connector(
    place: dict[str, int],
) -> None:
    async with Station(evses=1, global_ready=False) as station:
        station.answer("evse_1/evse", "get_evse", lambda args: {"id": 1, "connectors": [{"id": 1}, {"id": 2}]})
        station.make_ready()
        await reserve(station, 5, "OWNER", **place)
        await station.event(1, "TransactionStarted", connector_id=2)
        assert station.updates()[-1] == (5, "Removed")
        await station.event(1, "SessionFinished", connector_id=1)
        assert await reserve(station, 6, evse_id=1) == "Occupied"


async def test_a_blocked_car_costs_the_latest_global_reservation() -> None:
    async with Station(plug_in_timeout_enabled=True) as station:
        await reserve(station, 1)
        await reserve(station, 2)
        await station.plug_in(1)
        await asyncio.sleep(31)
        await station.event(2, "Enabled")
        assert [update for update in station.updates() if update[1] == "Removed"] == [(2, "Removed")]


async def test_an_evse_that_ends_a_reservation_by_itself_is_believed() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        await station.event(1, "ReservationEnd")
        assert station.updates() == [(5, "Placed"), (5, "Removed")]
        assert await exists(station, evse_id=1, id_token="TAG1") == "NotReserved"


async def test_the_echo_of_our_own_cancelling_is_no_end() -> None:
    async with Station() as station:
        await reserve(station, 5, evse_id=1)
        await cancel(station, 5)
        await station.event(1, "ReservationEnd")
        assert station.updates() == [(5, "Placed")]


# --- global reservations at the EVSEs


async def test_when_every_free_evse_is_needed_all_are_held() -> None:
    async with Station() as station:
        await reserve(station, 1)
        assert station.count(1, "reserve") == 0
        await reserve(station, 2)
        assert [station.calls(f"evse_{n}/evse", "reserve") for n in (1, 2)] == [[{"reservation_id": -1}]] * 2
        assert sorted(station.updates()) == [(-1, "Placed"), (-1, "Placed"), (1, "Placed"), (2, "Placed")]


@pytest.mark.parametrize("hindrance", ["fault", "car"])
async def test_only_free_evses_are_held(hindrance: str) -> None:
    async with Station() as station:
        await station.settle()
        if hindrance == "fault":
            station.raise_error("evse_2/evse", {"type": "evse_manager/Inoperative"})
        else:
            await station.plug_in(2)
        await reserve(station, 1)
        assert [station.count(n, "reserve") for n in (1, 2)] == [1, 0]


async def test_a_held_evse_that_charges_is_not_told_that_it_is_free() -> None:
    async with Station() as station:
        await reserve(station, 1)
        await reserve(station, 2)
        await station.start_transaction(1)
        assert station.count(1, "cancel_reservation") == 0
        await station.finish_transaction(1)
        await station.unplug(1)
        assert station.count(1, "cancel_reservation") == 0


async def test_an_evse_that_lost_its_hold_by_itself_is_held_again() -> None:
    async with Station(evses=1) as station:
        await reserve(station, 1)
        await station.event(1, "ReservationEnd")
        await station.event(1, "Enabled")
        assert station.calls("evse_1/evse", "reserve") == [{"reservation_id": -1}] * 2


async def test_a_reservation_that_is_used_while_its_evse_is_being_asked_is_neither_placed_nor_expires() -> None:
    async with Station() as station:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        station.answer("evse_1/evse", "reserve", lambda args: answer)
        asking = asyncio.create_task(reserve(station, 5, "OWNER", evse_id=1), name="reserve")
        await station.swipe(token("OWNER", connectors=[1]))
        assert station.authorized()[0][1]["validation_result"]["reservation_id"] == 5
        answer.set_result(True)
        assert await asking == "Accepted"
        await asyncio.sleep(700)
        assert station.updates() == []


async def test_a_reservation_that_is_used_while_its_expiry_waits_its_turn_does_not_expire() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=1)
        await asyncio.sleep(599)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        station.answer("evse_2/evse", "reserve", lambda args: answer)
        asking = asyncio.create_task(reserve(station, 6, evse_id=2), name="reserve")
        await asyncio.sleep(2)
        await station.swipe(token("OWNER", connectors=[1]))
        assert station.statuses() == START
        answer.set_result(True)
        assert await asking == "Accepted"
        await station.settle()
        assert (5, "Expired") not in station.updates()
        assert station.count(1, "cancel_reservation") == 0


async def test_a_hold_that_a_session_used_up_is_not_released_after_it() -> None:
    async with Station() as station:
        await reserve(station, 1, "OWNER")
        await reserve(station, 2, "TAG2")
        await station.plug_in(1)
        await station.charge(1, token("OWNER"))
        await station.finish_transaction(1)
        await station.unplug(1)
        assert [station.count(n, "cancel_reservation") for n in (1, 2)] == [0, 1]


async def test_a_held_evse_that_takes_the_reservation_itself_keeps_it() -> None:
    async with Station(evses=1) as station:
        await reserve(station, 5)
        assert await reserve(station, 5, evse_id=1) == "Accepted"
        assert station.calls("evse_1/evse", "reserve") == [{"reservation_id": -1}, {"reservation_id": 5}]
        assert station.count(1, "cancel_reservation") == 0


async def test_held_evses_are_released_without_an_update_when_no_longer_needed() -> None:
    async with Station() as station:
        await reserve(station, 1)
        await reserve(station, 2)
        await cancel(station, 2)
        await station.event(1, "Enabled")
        assert [station.count(n, "cancel_reservation") for n in (1, 2)] == [1, 1]
        assert len(station.updates()) == 4


async def test_an_exhausted_type_holds_the_evses_of_that_type() -> None:
    async with Station(evses=3, connector_types=["cCCS2", "cType2", "cType2"]) as station:
        await reserve(station, 1, connector_type="cCCS2")
        assert [station.count(n, "reserve") for n in (1, 2, 3)] == [1, 0, 0]


async def test_an_evse_lost_to_a_transaction_makes_the_rest_held() -> None:
    async with Station() as station:
        await reserve(station, 1, "OWNER")
        await station.charge(1, token("OTHER"))
        assert station.calls("evse_2/evse", "reserve") == [{"reservation_id": -1}]
        await station.finish_transaction(1)
        await station.unplug(1)
        assert station.count(2, "cancel_reservation") == 1


async def test_a_used_global_reservation_leaves_its_evse_alone() -> None:
    """Station 9.7: nothing may make the connector available between Reserved and Preparing."""
    async with Station(evses=1) as station:
        await reserve(station, 1, "OWNER")
        assert station.calls("evse_1/evse", "reserve") == [{"reservation_id": -1}]
        await station.plug_in(1)
        await station.charge(1, token("OWNER"))
        assert station.count(1, "cancel_reservation") == 0
        assert station.authorized()[0][1]["validation_result"]["reservation_id"] == 1


# --- exists_reservation


async def test_exists_reservation_answers_for_the_given_evse() -> None:
    """DEPARTURE A4."""
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=2)
        assert await exists(station, evse_id=1, id_token="OWNER") == "NotReserved"
        assert await exists(station, evse_id=2, id_token="owner") == "ReservedForToken"
        assert await exists(station, evse_id=2, id_token="OTHER") == "ReservedForOtherToken"
        assert await exists(station, id_token="OWNER") == "NotReserved"


async def test_exists_reservation_tells_of_a_parent_only_if_none_was_passed() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER", evse_id=2, parent_id_token="GROUP")
        other = {"evse_id": 2, "id_token": "OTHER"}
        assert await exists(station, **other) == "ReservedForOtherTokenAndHasParentToken"
        assert await exists(station, **other, group_id_token="group") == "ReservedForToken"
        assert await exists(station, **other, group_id_token="ELSE") == "ReservedForOtherToken"


async def test_exists_reservation_without_evse_looks_at_the_global_ones() -> None:
    async with Station() as station:
        await reserve(station, 5, "OWNER")
        assert await exists(station, id_token="owner") == "ReservedForToken"
        assert await exists(station, id_token="OTHER") == "NotReserved"


# --- store


async def test_every_change_is_stored() -> None:
    async with Station(store=True) as station:
        await reserve(station, 1, evse_id=2)
        await reserve(station, 2, "TAG2")
        first = {"evse_id": 2, "reservation": reservation(1, evse_id=2)}
        assert station.stored == {"reservation_auth": [first, {"reservation": reservation(2, "TAG2")}]}
        await cancel(station, 1)
        await cancel(station, 2)
        assert station.stored == {"reservation_auth": []}


async def test_a_first_start_says_nothing_of_reservations(caplog: pytest.LogCaptureFixture) -> None:
    async with Station(store=True) as station:
        await station.settle()
        assert station.updates() == []
        assert caplog.messages == []


async def test_stored_reservations_are_made_again_and_refused_ones_reported() -> None:
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = [
            {"evse_id": 1, "reservation": reservation(1)},
            {"reservation": reservation(2, "TAG2")},
            {"evse_id": 9, "reservation": reservation(3)},
            {"evse_id": 2, "reservation": {**reservation(4), "expiry_time": "2026-01-05T09:00:00Z"}},
            {"nonsense": True},
        ]
        station.make_ready()
        await station.settle()
        assert station.calls("evse_1/evse", "reserve") == [{"reservation_id": 1}]
        assert {update for update in station.updates() if update[1] == "Removed"} == {(3, "Removed"), (4, "Removed")}
        assert await exists(station, evse_id=1, id_token="TAG1") == "ReservedForToken"
        assert await exists(station, id_token="TAG2") == "ReservedForToken"
        assert len(station.stored["reservation_auth"]) == 2


async def test_reservations_outlive_a_restart() -> None:
    async with Station(store=True) as station:
        await reserve(station, 1, "OWNER", evse_id=2)
    kept = station.stored
    async with Station(store=True, global_ready=False) as again:
        again.stored.update(kept)
        again._clock.moment += timedelta(seconds=300)  # type: ignore[attr-defined]
        again.make_ready()
        await again.settle()
        assert await exists(again, evse_id=2, id_token="OWNER") == "ReservedForToken"
        await asyncio.sleep(301)
        assert again.updates()[-1] == (1, "Expired")


async def test_an_evse_that_is_not_enabled_yet_is_asked_again_for_a_stored_reservation() -> None:
    """As at every start with external_ready_to_start_charging: EVSEs take nothing until OCPP lets them."""
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = [{"evse_id": 1, "reservation": reservation(7, "OWNER")}]
        enabled = False
        station.answer(station.evse(1), "reserve", lambda args: enabled)
        station.make_ready()
        await station.settle()
        assert station.updates() == []
        await station.swipe(token("OTHER", connectors=[1]))
        assert station.statuses() == ["Processing", "Rejected"]
        await station.event(2, "Enabled")
        assert station.updates() == []
        enabled = True
        await station.event(1, "Enabled")
        assert station.updates() == [(7, "Placed")]
        await station.event(1, "Enabled")
        assert station.count(1, "reserve") == 3
        assert [entry["evse_id"] for entry in station.stored["reservation_auth"]] == [1]
        await station.swipe(token("OWNER", connectors=[1]))
        assert station.authorized()[0][1]["validation_result"]["reservation_id"] == 7


async def test_a_stored_reservation_that_is_used_while_it_is_offered_again_is_not_placed() -> None:
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = [{"evse_id": 1, "reservation": reservation(7, "OWNER")}]
        station.answer(station.evse(1), "reserve", lambda args: False)
        station.make_ready()
        await station.settle()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        station.answer(station.evse(1), "reserve", lambda args: answer)
        await station.event(2, "Enabled")
        await station.swipe(token("OWNER", connectors=[1]))
        answer.set_result(True)
        await station.settle()
        assert station.updates() == []


async def test_a_stored_reservation_that_is_used_while_another_is_offered_again_is_not_offered() -> None:
    async with Station(store=True, global_ready=False) as station:
        entries = [{"evse_id": n, "reservation": reservation(n, f"OWNER{n}")} for n in (1, 2)]
        station.stored["reservation_auth"] = entries
        for n in (1, 2):
            station.answer(station.evse(n), "reserve", lambda args: False)
        station.make_ready()
        await station.settle()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        station.answer(station.evse(1), "reserve", lambda args: answer)
        await station.event(1, "Enabled")
        await station.swipe(token("OWNER2", connectors=[2]))
        answer.set_result(True)
        await station.settle()
        assert station.updates() == [(1, "Placed")]
        assert station.count(2, "reserve") == 1


async def test_a_store_that_holds_something_else_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = "nonsense"
        station.make_ready()
        await station.settle()
        assert caplog.messages == ["stored reservation dropped, it cannot be read: 'nonsense'"]


async def test_a_stored_reservation_that_is_replaced_is_not_offered_again() -> None:
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = [{"evse_id": 1, "reservation": reservation(7, "OWNER")}]
        station.answer(station.evse(1), "reserve", lambda args: False)
        station.make_ready()
        assert await reserve(station, 7, evse_id=2) == "Accepted"
        await station.event(2, "Enabled")
        assert station.updates() == [(7, "Placed")]
        assert [station.count(n, "reserve") for n in (1, 2)] == [1, 1]


async def test_a_stored_reservation_that_no_evse_takes_expires_in_its_time() -> None:
    async with Station(store=True, global_ready=False) as station:
        station.stored["reservation_auth"] = [{"evse_id": 1, "reservation": reservation(7, "OWNER")}]
        station.answer(station.evse(1), "reserve", lambda args: False)
        station.make_ready()
        await asyncio.sleep(601)
        assert station.updates() == [(7, "Expired")]
        await station.event(1, "Enabled")
        assert station.count(1, "reserve") == 1


async def test_a_car_that_only_plugged_in_costs_no_reservation_and_leaves_its_evse_held() -> None:
    async with Station(evses=1) as station:
        await reserve(station, 1, "OWNER")
        await station.plug_in(1)
        await station.event(1, "Enabled")
        assert station.updates() == [(1, "Placed"), (-1, "Placed")]
        assert station.count(1, "cancel_reservation") == 0
        await cancel(station, 1)
        assert station.count(1, "cancel_reservation") == 1
