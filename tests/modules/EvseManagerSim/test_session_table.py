"""The session machine by itself: pure steps without bus or clock (station 2.4)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everest.contracts.types.authorization import AuthorizationType, IdToken, IdTokenType, ProvidedIdToken
from everest.contracts.types.evse_manager import EnableDisableSource, StopTransactionReason
from everest.contracts.types.evse_manager import EnableDisableSourceEnableSource as Source
from everest.contracts.types.evse_manager import EnableDisableSourceEnableState as Wanted
from modules.EvseManagerSim.session import SessionMachine
from modules.EvseManagerSim.session_table import ENTRY_EVENTS, TABLE
from modules.EvseManagerSim.states import STATE_TOPICS, AllowPower, Emit, Pilot, State

TOKEN = ProvidedIdToken(
    id_token=IdToken(value="TAG", type=IdTokenType.ISO14443), authorization_type=AuthorizationType.RFID
)


def machine() -> SessionMachine:
    numbers = itertools.count(1)
    made = SessionMachine(lambda: f"session-{next(numbers)}")
    made.offer(16.0)
    made.start(0.0)
    made.step(0.0)
    made.take_effects()
    return made


def charging(now: float = 0.0) -> SessionMachine:
    made = machine()
    made.plug("B")
    made.authorize(TOKEN, None)
    made.step(now)
    made.plug("C")
    made.step(now)
    made.contactor(True)
    made.take_effects()
    assert made.state is State.Charging
    return made


def kinds(made: SessionMachine) -> list[str]:
    return [effect.event.value for effect in made.take_effects() if isinstance(effect, Emit)]


def test_every_state_has_a_row_and_a_topic_text() -> None:
    assert set(TABLE) == set(State) == set(STATE_TOPICS)
    assert sorted(number for number, _ in STATE_TOPICS.values()) == list(range(12))


def test_the_pwm_changes_at_most_every_five_seconds_while_charging() -> None:
    made = charging()
    made.offer(10.0)
    made.step(1.0)
    assert not any(isinstance(effect, Pilot) for effect in made.take_effects())
    assert made.deadline(1.0) == 5.0
    made.step(5.0)
    assert [effect for effect in made.take_effects() if isinstance(effect, Pilot)] == [Pilot(duty=10.0 / 0.6)]


@pytest.mark.parametrize(("amps", "available"), [(5.9, False), (5.91, True), (6.0, True)])
def test_power_is_available_above_5_9_a(amps: float, available: bool) -> None:
    made = machine()
    made.offer(amps)
    assert made.power_available is available


def test_a_contactor_that_does_not_open_is_taken_as_open_after_20_seconds() -> None:
    made = charging()
    made.stop(StopTransactionReason.Local)
    made.step(1.0)
    assert kinds(made) == ["StoppingCharging"]
    made.step(7.0)
    assert AllowPower(False) in made.take_effects()
    made.step(20.9)
    assert kinds(made) == []
    made.step(21.0)
    assert kinds(made) == ["ChargingFinished", "TransactionFinished"]


def test_a_new_fault_while_paused_shows_state_f_for_its_time() -> None:
    made = charging()
    made.pause()
    made.step(1.0)
    made.plug("B")
    made.contactor(False)
    made.step(1.1)
    made.take_effects()
    made.set_fault(True, 2.0)
    made.step(2.0)
    assert Pilot(state_f=True) in made.take_effects()
    assert made.deadline(2.0) == 2.3
    made.step(2.3)
    assert made.take_effects() == [Pilot()]


def test_reasons_of_a_pause_are_listed_in_order_and_told_again_only_when_they_change() -> None:
    made = charging()
    made.pause()
    made.step(1.0)
    made.contactor(False)
    made.step(1.0)
    made.take_effects()
    made.set_fault(True, 2.0)
    made.offer(0.0)
    made.step(2.0)
    made.step(2.1)
    paused = [effect for effect in made.take_effects() if isinstance(effect, Emit)]
    assert [[reason.value for reason in effect.pause_reasons] for effect in paused] == [
        ["Error", "NoEnergy", "UserPause"]
    ]


def test_a_late_authorization_is_ignored_after_a_stop_and_while_disabled() -> None:
    made = charging()
    made.stop(StopTransactionReason.Local)
    assert made.authorize(TOKEN, None) is False
    idle = machine()
    row = EnableDisableSource(enable_source=Source.CSMS, enable_state=Wanted.Disable, enable_priority=1)
    assert idle.set_availability(row, 0) is False
    assert idle.authorize(TOKEN, None) is False


def test_a_car_that_outlives_its_session_gives_one_more_session_finished_without_uuid() -> None:
    made = machine()
    made.plug("B")
    made.step(0.0)
    made.authorized = True  # authorized, but no transaction came to be
    made.withdraw()
    made.take_effects()
    made.plug("A")
    made.step(1.0)
    last = [effect for effect in made.take_effects() if isinstance(effect, Emit)]
    assert [(effect.event.value, effect.uuid) for effect in last] == [("SessionFinished", "")]


def test_a_car_that_comes_before_the_contactor_of_the_one_before_is_open_does_not_inherit_its_transaction() -> None:
    made = charging()
    made.plug("A")
    made.step(1.0)
    made.plug("B")
    made.step(1.1)
    made.contactor(False)
    made.step(1.2)
    assert kinds(made) == ["StoppingCharging", "ChargingFinished", "TransactionFinished"]
    made.plug("A")
    made.step(2.0)
    assert kinds(made) == ["SessionFinished"]


def helping(state: State) -> SessionMachine:
    """A machine in one of the helper states."""
    if state is State.SwitchPhases:
        made = charging()
        made.allow_three_phases(operator=False)
        made.step(1.0)
    else:
        made = machine()
        made.plug("B")
        made.authorize(TOKEN, None)
        for now in (0.0, 30.0, *([34.0] if state is State.T_step_X1 else [])):
            made.step(now)
    made.take_effects()
    assert made.state is state
    return made


@pytest.mark.parametrize("state", [State.T_step_EF, State.T_step_X1, State.SwitchPhases])
@pytest.mark.parametrize("why", ["stop", "A", "disable", "fault"])
def test_the_helper_states_are_left_at_once_when_charging_cannot_go_on(state: State, why: str) -> None:
    made = helping(state)
    feed(made, why, 34.1)
    made.step(34.1)
    assert kinds(made)[0] == "StoppingCharging"
    assert made.state is not state


def test_phases_are_switched_only_when_the_contactor_is_open() -> None:
    made = helping(State.SwitchPhases)
    made.step(20.0)
    assert made.state is State.SwitchPhases
    made.contactor(False)
    made.step(20.1)
    assert kinds(made)[0] == "PrepareCharging"


def test_a_faulty_evse_begins_no_session_whatever_its_board_sees() -> None:
    made = machine()
    made.set_fault(True, 0.0)
    made.plug("B")
    made.step(1.0)
    assert kinds(made) == []
    made.set_fault(False, 2.0)
    made.step(2.0)
    assert kinds(made) == ["SessionStarted", "AuthRequired"]


@pytest.mark.parametrize("why", ["fault", "A", "disable"])
def test_no_transaction_begins_where_authorization_and_its_hindrance_come_at_once(why: str) -> None:
    made = machine()
    made.plug("B")
    made.step(0.0)
    made.authorize(TOKEN, None)
    feed(made, why, 0.0)
    made.step(0.0)
    assert "TransactionStarted" not in kinds(made)
    assert not made.transaction


def test_ventilation_decides_about_state_d() -> None:
    without = SessionMachine(lambda: "x", has_ventilation=False)
    without.plug("D")
    assert not without.wants_power
    made = machine()
    made.plug("D")
    assert made.wants_power


INPUTS = st.lists(
    st.sampled_from(
        ["A", "B", "C", "E", "F", "open", "closed", "swipe", "withdraw", "stop", "pause", "resume", "fault", "no fault",
         "disable", "enable", "power", "no power", "one phase", "three phases", "reserve", "cancel", "1s", "40s"]
    ),
    max_size=40,
)  # fmt: skip


@given(INPUTS)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_sessions_and_transactions_are_well_formed(inputs: list[str]) -> None:
    made = machine()
    now, told = 0.0, []
    for word in inputs:
        now += {"1s": 1.0, "40s": 40.0}.get(word, 0.0)
        feed(made, word, now)
        made.step(now)
        told += [effect for effect in made.take_effects() if isinstance(effect, Emit)]
        deadline = made.deadline(now)
        assert deadline is None or deadline > now
    assert_well_formed(told)


def feed(made: SessionMachine, word: str, now: float) -> None:
    if word in "ABCEF":
        made.plug(word)
    elif word in ("open", "closed"):
        made.contactor(word == "closed")
    elif word in ("fault", "no fault"):
        made.set_fault(word == "fault", now)
    elif word in ("power", "no power"):
        made.offer(16.0 if word == "power" else 0.0)
    elif word in ("one phase", "three phases"):
        made.allow_three_phases(operator=word == "three phases")
    elif word in ("disable", "enable"):
        wanted = Wanted.Disable if word == "disable" else Wanted.Enable
        made.set_availability(EnableDisableSource(enable_source=Source.CSMS, enable_state=wanted, enable_priority=1), 0)
    else:
        orders = {
            "swipe": lambda: made.authorize(TOKEN, None),
            "withdraw": made.withdraw,
            "stop": lambda: made.stop(StopTransactionReason.Local),
            "pause": made.pause,
            "resume": made.resume,
            "reserve": lambda: made.reserve(7),
            "cancel": made.cancel_reservation,
        }
        orders.get(word, lambda: None)()


def assert_well_formed(told: list[Emit]) -> None:
    """One uuid per session, a transaction inside its session, ChargingFinished right before TransactionFinished."""
    session, transaction, seen = "", False, set()
    for before, effect in itertools.pairwise([None, *told]):
        assert effect is not None
        kind = effect.event.value
        if kind == "SessionStarted":
            assert session == "" and effect.uuid not in seen
            session = effect.uuid
            seen.add(session)
        elif kind in ("Enabled", "Disabled", "ReservationStart", "ReservationEnd"):
            assert effect.uuid == ""
        elif kind == "SessionFinished":
            assert not transaction and effect.uuid == session
            session = ""
        else:
            assert effect.uuid == session != ""
        if kind == "TransactionStarted":
            assert not transaction
            transaction = True
        elif kind == "TransactionFinished":
            assert transaction and before is not None and before.event.value == "ChargingFinished"
            transaction = False
        elif effect.event in set(ENTRY_EVENTS.values()) - {"AuthRequired"}:
            assert transaction
