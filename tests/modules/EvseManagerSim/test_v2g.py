"""What car and EVSE agree on by ISO 15118: wishes, payment options, and whose token counts (station 3.3, 4.1, 4.4)."""

from __future__ import annotations

import pytest

from everest.contracts.types.authorization import AuthorizationType
from everest.contracts.types.evse_manager import PlugAndChargeConfiguration
from modules.EvseManagerSim.v2g import V2G, Offer, Payment, Wish, choose, parse_wish

EIM, CONTRACT = Payment.externalpayment, Payment.contract
BOTH = frozenset({EIM, CONTRACT})


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("ac", Wish("ac")),
        ("dc contract", Wish("dc", CONTRACT)),
        ("ac 3600 5000", Wish("ac", departure_s=3600, amount_Wh=5000.0)),
        ("ac externalpayment 3600 0", Wish("ac", EIM, 3600, 0.0)),
        ("ac bitcoin", Wish("ac")),
        ("ac  86400 0", Wish("ac", departure_s=86400, amount_Wh=0.0)),
        ("wireless", None),
    ],
)
def test_the_forms_of_iso_start_v2g_session(text: str, wish: Wish | None) -> None:
    assert parse_wish(tuple(text.split(" "))) == wish


@pytest.mark.parametrize(
    ("wish", "offered", "has_contract", "chosen"),
    [
        (Payment.auto, BOTH, True, CONTRACT),
        (Payment.auto, BOTH, False, EIM),
        (Payment.auto, frozenset({EIM}), True, EIM),
        (Payment.auto, frozenset({CONTRACT}), False, CONTRACT),
        (CONTRACT, BOTH, False, CONTRACT),
        (CONTRACT, frozenset({EIM}), True, EIM),
        (EIM, BOTH, True, EIM),
        (EIM, frozenset({CONTRACT}), True, CONTRACT),
        (Payment.auto, frozenset(), True, None),
    ],
)
def test_the_car_chooses_among_what_is_offered(
    wish: Payment, offered: frozenset[Payment], has_contract: bool, chosen: Payment | None
) -> None:
    assert choose(wish, offered=offered, has_contract=has_contract) is chosen


def test_a_forced_wish_takes_no_other_payment_option() -> None:
    assert choose(CONTRACT, offered=frozenset({EIM}), has_contract=True, forced=True) is None
    assert choose(CONTRACT, offered=BOTH, has_contract=True, forced=True) is CONTRACT
    assert choose(Payment.auto, offered=frozenset({EIM}), has_contract=True, forced=True) is EIM


def v2g(*, authorized: bool = False, offer: Offer | None = None) -> V2G:
    return V2G(offer or Offer(), lambda: authorized)


def test_a_contract_is_offered_only_while_nothing_else_has_authorized_the_session() -> None:
    assert v2g().offered == BOTH
    paid = v2g(authorized=True)
    assert paid.offered == {EIM}
    paid.accepted(AuthorizationType.PlugAndCharge)
    assert paid.offered == BOTH
    paid.set_up(session=True)
    assert paid.offered == BOTH
    paid.set_up(session=False)
    assert paid.offered == {EIM}


def test_switches_count_from_the_next_session_set_up_on_and_absent_ones_stay() -> None:
    session = v2g(offer=Offer(eim=False))
    session.configure(PlugAndChargeConfiguration(pnc_enabled=False))
    session.configure(PlugAndChargeConfiguration(central_contract_validation_allowed=True))
    assert session.offer == Offer(eim=False)
    session.set_up(session=True)
    assert session.offer == Offer(eim=False, pnc=False, central_validation=True)
    assert session.offered == frozenset()


def test_an_authorization_is_a_session_set_up_too() -> None:
    session = v2g()
    session.configure(PlugAndChargeConfiguration(contract_certificate_installation_enabled=False))
    session.accepted(AuthorizationType.RFID)
    assert session.offer == Offer(installation=False)


def test_while_a_contract_is_waited_for_other_tokens_do_not_count() -> None:
    session = v2g()
    assert session.takes(AuthorizationType.RFID)
    session.waiting_for_pnc = True
    assert not session.takes(AuthorizationType.RFID)
    assert session.takes(AuthorizationType.PlugAndCharge)
    session.plug_changed()
    assert session.takes(AuthorizationType.RFID)


def test_asking_anew_ends_the_session_before_and_an_end_is_told_once() -> None:
    told: list[str] = []
    session = v2g()
    session.started = lambda wish: told.append(wish.mode)
    session.ended = lambda: told.append("end")
    session.end()
    session.request(Wish("ac"))
    session.request(Wish("dc"))
    session.end()
    session.end()
    assert told == ["ac", "end", "dc", "end"]


def test_a_charge_loop_needs_an_authorization_and_power_and_ends_with_its_session() -> None:
    told: list[str] = []
    power = [False]
    session = V2G(Offer(), lambda: False, lambda: power[0])
    session.begun = lambda: told.append("begun")
    session.match()
    assert session.talks
    session.request(Wish("ac"))
    assert session.begin_charging() is session.charging is False
    session.authorized = True
    assert (session.begin_charging(), session.charging) == (False, True)
    power[0] = True
    assert session.begin_charging() is True
    assert told == ["begun"]
    session.end()
    assert not session.charging and not session.talks
