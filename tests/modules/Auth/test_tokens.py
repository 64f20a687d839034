"""Token handling step by step as station 1.4 numbers it, with every status of station 1.7."""

import asyncio
from typing import Any

import pytest

from everest.runtime import HandlerException
from tests.modules.Auth.station import INVALID, Station, accepted, parent, token

pytestmark = pytest.mark.looptime
START = ["Processing", "Accepted", "UsedToStart"]


async def test_an_accepted_swipe_authorizes_the_first_free_evse() -> None:
    async with Station() as station:
        await station.swipe(token())
        assert station.statuses() == START
        told = {**token(), "connectors": [1]}  # station 2.5: the EVSE's events show it as Auth passed it
        assert station.authorized() == [(1, {"provided_token": told, "validation_result": accepted()})]


async def test_the_start_is_announced_with_the_evse_and_an_empty_list_of_messages() -> None:
    async with Station() as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.swipe(token(connectors=[2, 1]))
        assert station.status_messages("UsedToStart") == [
            {
                "token": token(connectors=[2], parent_id_token=parent("GROUP")),
                "status": "UsedToStart",
                "messages": [],
            }
        ]


async def test_accepted_carries_tariff_messages_and_the_parent_id() -> None:
    tariff = [{"content": "0.30 EUR/kWh"}]
    async with Station() as station:
        station.validates({**accepted(parent_id_token=parent("GROUP")), "tariff_messages": tariff})
        await station.swipe(token())
        [message] = station.status_messages("Accepted")
        assert message == {"token": token(parent_id_token=parent("GROUP")), "status": "Accepted", "messages": tariff}
        assert station.status_messages("UsedToStart")[0]["messages"] == []


async def test_a_parent_id_the_token_brought_stays_where_validation_gives_none() -> None:
    async with Station() as station:
        await station.swipe(token(parent_id_token=parent("OWN")))
        assert station.status_messages("Accepted")[0]["token"]["parent_id_token"] == parent("OWN")


async def test_the_evse_is_told_before_the_start_is_announced() -> None:
    async with Station() as station:
        told = asyncio.Event()
        station.answer("evse_1/evse", "authorize_response", lambda args: told.wait())
        await station.swipe(token())
        assert station.statuses() == ["Processing", "Accepted"]
        told.set()
        await station.settle()
        assert station.statuses() == START


# --- step 1


async def test_a_token_in_work_is_ignored_without_a_word() -> None:
    async with Station() as station:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        station.answer("validator_1/main", "validate_token", lambda args: answer)
        await station.swipe(token())
        await station.swipe(token())
        assert station.statuses() == ["Processing"]
        answer.set_result(accepted())
        await station.settle()
        assert station.statuses() == START


async def test_a_token_that_waits_for_its_car_is_ignored_without_a_word() -> None:
    async with Station() as station:
        await station.swipe(token("TAG1"))
        await station.swipe(token("tag1"))
        assert station.statuses() == START


async def test_the_same_value_of_another_type_is_another_token() -> None:
    async with Station(evses=1) as station:
        await station.swipe(token("TAG1"))
        await station.swipe({"id_token": {"value": "TAG1", "type": "Central"}, "authorization_type": "OCPP"})
        assert station.statuses()[3:] == ["Processing", "Rejected"]


# --- step 3


async def test_a_second_swipe_stops_the_transaction_without_validation() -> None:
    async with Station() as station:
        await station.charge(1, token())
        await station.swipe(token("tag1"))
        assert station.statuses()[3:] == ["Processing", "UsedToStop"]
        request = {"request": {"reason": "Local", "id_tag": token("tag1")}}
        assert station.calls("evse_1/evse", "stop_transaction") == [request]
        assert len(station.calls("validator_1/main", "validate_token")) == 1
        assert station.status_messages("UsedToStop")[0]["token"] == token("tag1", connectors=[1])


async def test_a_card_whose_value_is_the_parent_id_stops_the_transaction() -> None:
    async with Station() as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.charge(2, token())
        await station.swipe(token("group"))
        assert station.statuses()[3:] == ["Processing", "UsedToStop"]
        assert station.count(2, "stop_transaction") == 1
        stopped = station.status_messages("UsedToStop")[0]["token"]
        assert stopped == token("group", connectors=[2], parent_id_token=parent("GROUP"))


async def test_only_cards_stop_by_swipe() -> None:
    async with Station(evses=1) as station:
        await station.charge(1, token())
        await station.swipe({"id_token": {"value": "TAG1", "type": "Central"}, "authorization_type": "OCPP"})
        assert station.count(1, "stop_transaction") == 0
        assert station.statuses()[3:] == ["Processing", "Rejected"]


async def test_a_swipe_for_another_evse_does_not_stop_this_one() -> None:
    async with Station() as station:
        await station.charge(1, token())
        await station.swipe(token(connectors=[2]))
        assert station.count(1, "stop_transaction") == 0
        assert station.statuses()[3:] == START


async def test_a_reswipe_that_must_not_stop_is_reported_as_reauthorization() -> None:
    async with Station(stop_transaction_on_reswipe=False) as station:
        await station.charge(1, token())
        await station.swipe(token())
        assert station.statuses()[3:] == ["Processing", "UsedToReauthorize"]
        assert station.status_messages("UsedToReauthorize")[0]["token"]["connectors"] == [1]
        assert station.count(1, "stop_transaction") == 0


# --- step 4


async def test_with_nothing_free_and_nothing_to_stop_the_validators_are_not_asked() -> None:
    async with Station(evses=1) as station:
        await station.charge(1, token())
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == ["Processing", "Rejected"]
        assert len(station.calls("validator_1/main", "validate_token")) == 1


async def test_with_a_parent_id_in_use_the_validators_are_asked() -> None:
    async with Station(evses=1) as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.charge(1, token())
        station.validates(accepted(parent_id_token=parent("OTHERS")))
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == ["Processing", "Rejected"]
        assert len(station.calls("validator_1/main", "validate_token")) == 2


async def test_a_finished_evse_takes_no_further_swipe_until_unplug() -> None:
    """Station 9.12."""
    async with Station(evses=1) as station:
        await station.charge(1, token())
        await station.finish_transaction(1)
        await station.swipe(token())
        assert station.statuses()[3:] == ["Processing", "Rejected"]
        assert station.count(1, "stop_transaction") == 0
        await station.unplug(1)
        await station.swipe(token())
        assert station.statuses()[5:] == START


async def test_with_a_master_pass_a_finished_evse_takes_no_accepted_card_either() -> None:
    """The master pass has the validators asked although nothing is free; it is step 7 that refuses then."""
    async with Station(evses=1, master_pass_group_id="MASTER") as station:
        await station.charge(1, token())
        await station.finish_transaction(1)
        await station.swipe(token("TAG2"))
        assert len(station.calls("validator_1/main", "validate_token")) == 2
        assert station.statuses()[3:] == ["Processing", "Rejected"]
        assert len(station.authorized()) == 1


@pytest.mark.parametrize(
    ("connectors", "evses", "statuses"), [([1], [], ["Processing", "Rejected"]), ([1, 2], [2], START)]
)
async def test_an_evse_that_is_lost_while_a_validator_thinks_is_no_choice_any_more(
    connectors: list[int], evses: list[int], statuses: list[str]
) -> None:
    async with Station(selection_algorithm="PlugEvents") as station:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        station.answer("validator_1/main", "validate_token", lambda args: answer)
        await station.swipe(token(connectors=connectors))
        await station.event(1, "Disabled")
        answer.set_result(accepted())
        await station.settle()
        assert station.statuses() == statuses
        assert [evse for evse, _ in station.authorized()] == evses


async def test_disabled_evses_are_passed_over() -> None:
    async with Station() as station:
        await station.settle()
        await station.event(1, "Disabled")
        await station.swipe(token())
        assert [evse for evse, _ in station.authorized()] == [2]


async def test_a_token_for_unknown_evses_only_is_rejected() -> None:
    async with Station() as station:
        await station.swipe(token(connectors=[9]))
        assert station.statuses() == ["Processing", "Rejected"]
        assert station.authorized() == []


async def test_a_fault_of_one_connector_leaves_the_other_to_the_cards() -> None:
    async with Station(evses=1, global_ready=False) as station:
        station.answer("evse_1/evse", "get_evse", lambda args: {"id": 1, "connectors": [{"id": 1}, {"id": 2}]})
        station.make_ready()
        await station.settle()
        for connector, expected in ((2, "UsedToStart"), (1, "Rejected")):
            mapping = {"evse": 1, "connector": connector}
            origin = {"module_id": "evse_1", "implementation_id": "evse", "mapping": mapping}
            fault = {"type": "evse_manager/Inoperative", "sub_type": str(connector), "origin": origin}
            station.raise_error("evse_1/evse", fault)
            await station.swipe(token())
            assert station.statuses()[-1] == expected
            await station.event(1, "Deauthorized")


async def test_a_faulted_evse_is_not_used_and_works_again_when_cleared() -> None:
    async with Station(evses=1) as station:
        await station.settle()
        station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        await station.swipe(token())
        station.clear_error("evse_1/evse", "evse_manager/Inoperative")
        await station.swipe(token())
        assert station.statuses() == ["Processing", "Rejected", *START]


async def test_other_errors_of_an_evse_change_nothing() -> None:
    async with Station(evses=1) as station:
        await station.settle()
        station.raise_error("evse_1/evse", {"type": "evse_manager/MREC4OverCurrentFailure"})
        await station.swipe(token())
        assert station.statuses() == START


async def test_faults_can_be_ignored() -> None:
    async with Station(evses=1, ignore_connector_faults=True) as station:
        await station.settle()
        station.raise_error("evse_1/evse", {"type": "evse_manager/Inoperative"})
        await station.swipe(token())
        assert station.statuses() == START


# --- step 5


async def test_a_prevalidated_token_is_not_validated_and_keeps_its_parent_id() -> None:
    async with Station() as station:
        provided = token(prevalidated=True, parent_id_token=parent("GROUP"))
        await station.swipe(provided)
        assert station.statuses() == START
        assert station.calls("validator_1/main", "validate_token") == []
        [(_, call)] = station.authorized()
        assert call["validation_result"] == accepted(parent_id_token=parent("GROUP"))


async def test_prevalidated_false_is_validated() -> None:
    async with Station() as station:
        await station.swipe(token(prevalidated=False))
        assert len(station.calls("validator_1/main", "validate_token")) == 1


async def test_a_validator_that_fails_counts_as_unknown_and_the_next_one_decides() -> None:
    def fail(args: dict[str, Any]) -> None:
        raise HandlerException("out of order")

    async with Station(validators=2) as station:
        station.answer("validator_1/main", "validate_token", fail)
        await station.swipe(token())
        assert station.statuses() == START


async def test_when_all_validators_fail_the_evses_hear_unknown() -> None:
    def fail(args: dict[str, Any]) -> None:
        raise HandlerException("out of order")

    async with Station() as station:
        station.answer("validator_1/main", "validate_token", fail)
        await station.swipe(token(connectors=[1]))
        assert station.statuses() == ["Processing", "Rejected"]
        assert station.authorized()[0][1]["validation_result"]["authorization_status"] == "Unknown"


async def test_validators_are_asked_one_after_the_other_in_their_order() -> None:
    async with Station(validators=3) as station:
        order: list[str] = []

        def answers(name: str) -> Any:
            async def answer(args: dict[str, Any]) -> dict[str, Any]:
                order.append(f"{name} asked")
                await asyncio.sleep(1)
                order.append(f"{name} answered")
                return INVALID

            return answer

        for validator in reversed(station.validators):
            station.answer(validator, "validate_token", answers(validator[10]))
        await station.swipe(token())
        await asyncio.sleep(5)
        assert order == [f"{n} {what}" for n in "123" for what in ("asked", "answered")]


# --- step 6


async def test_a_group_member_stops_the_group_s_transaction_when_nothing_is_free() -> None:
    async with Station(evses=1) as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.charge(1, token("TAG1"))
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == ["Processing", "UsedToStop"]
        [call] = station.calls("evse_1/evse", "stop_transaction")
        assert call["request"]["reason"] == "Local"
        assert station.status_messages("UsedToStop")[0]["token"]["connectors"] == [1]


async def test_a_group_member_starts_elsewhere_while_something_is_free() -> None:
    async with Station() as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.charge(1, token("TAG1"))
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == START
        assert station.count(1, "stop_transaction") == 0


async def test_without_priority_of_authorization_a_group_member_stops_first() -> None:
    async with Station(prioritize_authorization_over_stopping_transaction=False) as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.charge(1, token("TAG1"))
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == ["Processing", "UsedToStop"]
        assert station.count(1, "stop_transaction") == 1


async def test_a_group_member_before_the_transaction_is_ignored_but_not_for_ever() -> None:
    """DEPARTURE A2: the token is handled again later."""
    async with Station(evses=1) as station:
        station.validates(accepted(parent_id_token=parent("GROUP")))
        await station.swipe(token("TAG1"))
        await station.swipe(token("TAG2"))
        assert station.statuses()[3:] == ["Processing"]
        await station.start_transaction(1)
        await station.swipe(token("TAG2"))
        assert station.statuses()[4:] == ["Processing", "UsedToStop"]


async def test_the_master_pass_stops_every_transaction_and_starts_none() -> None:
    """DEPARTURE A1: the configured value counts from the start."""
    async with Station(evses=3, master_pass_group_id="MASTER") as station:
        await station.charge(1, token("TAG1"))
        await station.charge(2, token("TAG2"))
        station.validates(accepted(parent_id_token=parent("MASTER")))
        await station.swipe(token("CHIEF"))
        assert station.statuses()[6:] == ["Processing", "Rejected"]
        await station.swipe(token("CHIEF", connectors=[1, 2]))
        assert station.statuses()[8:] == ["Processing", "UsedToStop"]
        for n in (1, 2):
            [call] = station.calls(f"evse_{n}/evse", "stop_transaction")
            assert call["request"]["reason"] == "MasterPass"
        assert station.count(3, "stop_transaction") == 0


@pytest.mark.parametrize(("configured", "told"), [("MASTER", "GROUP"), ("", "")])
async def test_a_parent_id_that_is_not_the_master_pass_starts_as_any_other(configured: str, told: str) -> None:
    async with Station(master_pass_group_id=configured) as station:
        station.validates(accepted(parent_id_token=parent(told)))
        await station.swipe(token())
        assert station.statuses() == START


async def test_the_master_pass_stops_what_it_finds_without_priority_of_authorization() -> None:
    """Also where there was no transaction to stop (station 1.4 step 6)."""
    async with Station(
        master_pass_group_id="MASTER", prioritize_authorization_over_stopping_transaction=False
    ) as station:
        station.validates(accepted(parent_id_token=parent("master")))
        await station.swipe(token("CHIEF"))
        assert station.statuses() == ["Processing", "UsedToStop"]
        assert station.status_messages("UsedToStop")[0]["token"] == token("CHIEF", parent_id_token=parent("master"))
        assert [station.count(n, "stop_transaction") for n in (1, 2)] == [0, 0]


async def test_the_master_pass_group_can_be_set_and_switched_off_by_command() -> None:
    async with Station(evses=1) as station:
        await station.charge(1, token("TAG1"))
        station.validates(accepted(parent_id_token=parent("MASTER")))
        await station.call("main", "set_master_pass_group_id", {"master_pass_group_id": "MASTER"})
        await station.swipe(token("CHIEF"))
        await station.call("main", "set_master_pass_group_id", {"master_pass_group_id": ""})
        await station.swipe(token("CHIEF"))
        assert station.statuses()[3:] == ["Processing", "UsedToStop", "Processing", "Rejected"]
        assert station.count(1, "stop_transaction") == 1


# --- steps 8 to 10


async def test_with_authorizations_waiting_everywhere_a_further_card_is_rejected() -> None:
    async with Station() as station:
        await station.swipe(token("TAG1"))
        await station.swipe(token("TAG2"))
        await station.swipe(token("TAG3"))
        assert station.statuses()[6:] == ["Processing", "Rejected"]
        assert [evse for evse, _ in station.authorized()] == [1, 2]


async def test_the_first_accepting_validator_decides() -> None:
    async with Station(validators=3) as station:
        station.validates(INVALID, validator="validator_1/main")
        station.validates(accepted(parent_id_token=parent("TWO")), validator="validator_2/main")
        station.validates(accepted(parent_id_token=parent("THREE")), validator="validator_3/main")
        await station.swipe(token())
        [(_, call)] = station.authorized()
        assert call["validation_result"]["parent_id_token"] == parent("TWO")


async def test_a_result_for_other_evses_is_not_at_this_location_and_the_next_result_is_tried() -> None:
    async with Station(validators=2) as station:
        station.validates(accepted(evse_ids=[2]), validator="validator_1/main")
        station.validates(accepted(), validator="validator_2/main")
        await station.swipe(token(connectors=[1]))
        results = [call["validation_result"]["authorization_status"] for _, call in station.authorized()]
        assert results == ["NotAtThisLocation", "Accepted"]
        assert station.statuses()[-1] == "UsedToStart"


async def test_a_result_for_one_of_the_token_s_evses_is_good_enough() -> None:
    async with Station() as station:
        station.validates(accepted(evse_ids=[2, 9]))
        await station.swipe(token(connectors=[1, 2]))
        assert station.statuses() == START


async def test_find_first_ends_at_once_where_every_evse_was_lost_between_two_results() -> None:
    async with Station(validators=2) as station:
        station.validates(accepted(evse_ids=[7]), validator="validator_1/main")
        heard = asyncio.Event()
        station.answer("evse_1/evse", "authorize_response", lambda args: heard.wait())
        await station.swipe(token())
        for n in (1, 2):
            station.raise_error(f"evse_{n}/evse", {"type": "evse_manager/Inoperative"})
        await station.settle()
        heard.set()
        await station.settle()
        assert station.statuses() == ["Processing", "Accepted", "Accepted", "TimedOut"]
        assert len(station.authorized()) == 1


async def test_a_refusal_reaches_every_evse_that_the_token_named() -> None:
    async with Station() as station:
        station.validates(INVALID)
        await station.swipe(token(connectors=[1, 2, 9]))
        assert station.statuses() == ["Processing", "Rejected"]
        assert [(n, call["validation_result"]) for n, call in station.authorized()] == [(1, INVALID), (2, INVALID)]


async def test_a_refusal_of_a_token_without_connectors_reaches_no_evse() -> None:
    async with Station() as station:
        station.validates(INVALID)
        await station.swipe(token())
        assert station.statuses() == ["Processing", "Rejected"]
        assert station.authorized() == []


async def test_a_rejected_plug_and_charge_token_gets_back_to_its_evse() -> None:
    async with Station() as station:
        station.validates({**INVALID, "certificate_status": "CertificateExpired"})
        contract = {"id_token": {"value": "DE8AA1A2B3C4D5", "type": "eMAID"}, "authorization_type": "PlugAndCharge"}
        await station.swipe({**contract, "connectors": [2], "prevalidated": False})
        [(evse, call)] = station.authorized()
        assert (evse, call["validation_result"]["certificate_status"]) == (2, "CertificateExpired")


async def test_an_evse_that_fails_is_no_reason_to_stop_serving() -> None:
    def fail(args: dict[str, Any]) -> None:
        raise HandlerException("relay stuck")

    async with Station() as station:
        station.answer("evse_1/evse", "authorize_response", fail)
        await station.swipe(token("TAG1"))
        await station.swipe(token("TAG2"))
        assert station.statuses() == [*START, *START]


@pytest.mark.parametrize("hangs", ["evse_1/evse authorize_response", "validator_1/main validate_token"])
async def test_who_does_not_answer_one_card_keeps_no_other_back(hangs: str) -> None:
    async with Station(evses=3) as station:
        peer, command = hangs.split()
        answers = iter([asyncio.get_running_loop().create_future()])
        usual = accepted() if command == "validate_token" else None
        station.answer(peer, command, lambda args: next(answers, usual))
        await station.swipe(token("TAG1"))
        await station.swipe(token("TAG2"))
        used = [m["token"]["id_token"]["value"] for m in station.status_messages("UsedToStart")]
        assert used == ["TAG2"]
        await asyncio.sleep(400)
        assert station.statuses().count("TimedOut") == 2 - (command == "validate_token")


async def test_two_cards_at_once_get_two_evses() -> None:
    async with Station() as station:
        await station.settle()

        async def slow(args: dict[str, Any]) -> dict[str, Any]:
            await asyncio.sleep(1)
            return accepted()

        station.answer("validator_1/main", "validate_token", slow)
        station.publish("reader/main", "provided_token", token("TAG1"))
        station.publish("reader/main", "provided_token", token("TAG2"))
        await asyncio.sleep(3)
        assert [evse for evse, _ in station.authorized()] == [1, 2]


# --- validate_result_update


async def test_a_late_result_replaces_the_parent_id_of_the_identifier() -> None:
    async with Station(evses=1) as station:
        await station.charge(1, token())
        result = accepted(parent_id_token=parent("LATE"))
        station.publish("validator_1/main", "validate_result_update", {"connector_id": 1, "validation_result": result})
        await station.settle()
        assert station.status_messages("Accepted")[-1] == {
            "token": token(connectors=[1], parent_id_token=parent("LATE")),
            "status": "Accepted",
            "messages": [],
        }
        await station.swipe(token("LATE"))
        assert station.statuses()[-1] == "UsedToStop"


async def test_a_late_refusal_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with Station(evses=1) as station:
        await station.charge(1, token())
        station.publish("validator_1/main", "validate_result_update", {"connector_id": 1, "validation_result": INVALID})
        await station.settle()
        assert station.statuses() == START
        assert "validation result update Invalid for EVSE 1 has no effect" in caplog.text


@pytest.mark.parametrize("evse_id", [1, 9])
async def test_a_late_result_for_nobody_is_only_logged(evse_id: int, caplog: pytest.LogCaptureFixture) -> None:
    async with Station(evses=1) as station:
        await station.settle()
        update = {"connector_id": evse_id, "validation_result": accepted()}
        station.publish("validator_1/main", "validate_result_update", update)
        await station.settle()
        assert station.statuses() == []
        assert "has no effect" in caplog.text


async def test_no_evse_hears_accepted_of_a_token_that_is_refused_after_all() -> None:
    async with Station(validators=2) as station:
        station.validates(INVALID, validator="validator_1/main")
        station.validates(accepted(evse_ids=[2]), validator="validator_2/main")
        await station.swipe(token(connectors=[1]))
        results = [call["validation_result"]["authorization_status"] for _, call in station.authorized()]
        assert results == ["NotAtThisLocation", "NotAtThisLocation"]
        assert station.statuses() == ["Processing", "Accepted", "Rejected"]


async def test_the_last_validator_s_result_is_the_one_reported() -> None:
    async with Station(validators=2) as station:
        station.validates(accepted(evse_ids=[2]), validator="validator_1/main")
        station.validates({**INVALID, "authorization_status": "Expired"}, validator="validator_2/main")
        await station.swipe(token(connectors=[1]))
        results = [call["validation_result"]["authorization_status"] for _, call in station.authorized()]
        assert results == ["NotAtThisLocation", "Expired"]


async def test_an_evse_taken_by_another_card_meanwhile_hears_nothing_of_the_one_refused() -> None:
    """Two accepted results; while the EVSE hears of the first refusal another card gets it: no second Accepted."""
    async with Station(evses=1, validators=2) as station:
        station.validates(accepted(evse_ids=[7]), validator="validator_1/main")
        gate = asyncio.Event()
        answered: list[str] = []

        async def slow(args: dict[str, Any]) -> None:
            answered.append(args["validation_result"]["authorization_status"])
            if len(answered) == 1:
                await gate.wait()

        station.answer(station.evse(1), "authorize_response", slow)
        await station.swipe(token("TAG1", connectors=[1]))
        await station.swipe(token("TAG2", connectors=[1], prevalidated=True))
        gate.set()
        await station.settle()
        assert answered == ["NotAtThisLocation", "Accepted", "NotAtThisLocation"]
        assert station.statuses() == ["Processing", "Accepted", "Processing", "Accepted", "UsedToStart", "Rejected"]
