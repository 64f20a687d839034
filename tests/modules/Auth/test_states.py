"""The connector state table and what a session event changes (station 1.3)."""

import itertools
from typing import Any

import msgspec
import pytest

from everest.contracts.types.authorization import AuthorizationStatus, AuthorizationType, IdToken, IdTokenType
from everest.contracts.types.evse_manager import SessionEvent
from modules.Auth.states import (
    Connector,
    ConnectorEvent,
    ConnectorState,
    Consequence,
    Evse,
    Identifier,
    StationState,
    apply_inoperative,
    apply_session_event,
    step,
)

METER = {"timestamp": "2026-01-05T10:00:00.000Z", "energy_Wh_import": {"total": 0.0}}
COLUMNS = ("Disabled", "Enabled", "InoperativeRaised", "InoperativeCleared", "TransactionStarted", "SessionFinished")
TABLE = {
    "AVAILABLE": ("UNAVAILABLE", "-", "FAULTED", "-", "OCCUPIED", "-"),
    "UNAVAILABLE": ("-", "AVAILABLE", "UNAVAILABLE_FAULTED", "-", "-", "-"),
    "FAULTED": ("UNAVAILABLE_FAULTED", "-", "-", "AVAILABLE", "-", "-"),
    "OCCUPIED": ("-", "-", "FAULTED_OCCUPIED", "-", "-", "AVAILABLE"),
    "FAULTED_OCCUPIED": ("-", "-", "-", "OCCUPIED", "-", "FAULTED"),
    "UNAVAILABLE_FAULTED": ("-", "FAULTED", "-", "UNAVAILABLE", "-", "-"),
}
"""The table of station 1.3, typed off a second time."""


@pytest.mark.parametrize(("state", "event"), list(itertools.product(TABLE, COLUMNS)))
def test_connectors_move_as_the_table_of_the_reference_says(state: str, event: str) -> None:
    expected = TABLE[state][COLUMNS.index(event)]
    assert step(ConnectorState(state), ConnectorEvent(event)) == (state if expected == "-" else expected)


def an_evse(evse_id: int = 1, *states: str) -> Evse:
    kinds = states or ("AVAILABLE",)
    connectors = {n: Connector(n, state=ConnectorState(state)) for n, state in enumerate(kinds, 1)}
    return Evse(evse_id, connectors)


def an_identifier() -> Identifier:
    return Identifier(
        IdToken(value="TAG", type=IdTokenType.ISO14443), AuthorizationType.RFID, AuthorizationStatus.Accepted
    )


def happens(station: StationState, event: str, **fields: Any) -> tuple[Consequence, ...]:
    value = {"uuid": "1", "timestamp": "2026-01-05T10:00:00.000Z", "event": event, **fields}
    return apply_session_event(station, 1, msgspec.convert(value, SessionEvent))


@pytest.fixture
def station() -> StationState:
    return StationState({1: an_evse()})


def plug_in(station: StationState) -> tuple[Consequence, ...]:
    return happens(station, "SessionStarted", session_started={"reason": "EVConnected", "meter_value": METER})


def test_a_fresh_evse_is_available(station: StationState) -> None:
    assert station.evses[1].available
    assert not station.evses[1].unavailable


@pytest.mark.parametrize(
    ("states", "available", "unavailable"),
    [
        (("AVAILABLE",), True, False),
        (("UNAVAILABLE",), False, True),
        (("FAULTED",), False, False),
        (("OCCUPIED",), False, False),
        (("UNAVAILABLE_FAULTED",), False, True),
        (("FAULTED_OCCUPIED",), False, False),
        (("UNAVAILABLE", "AVAILABLE"), True, False),
        (("UNAVAILABLE", "UNAVAILABLE_FAULTED"), False, True),
        (("AVAILABLE", "OCCUPIED"), False, False),
        (("AVAILABLE", "FAULTED"), True, False),
    ],
)
def test_availability_of_an_evse_follows_from_its_connectors(
    states: tuple[str, ...], available: bool, unavailable: bool
) -> None:
    evse = an_evse(1, *states)
    assert (evse.available, evse.unavailable) == (available, unavailable)


def test_an_evse_with_identifier_or_plug_in_timeout_is_not_available() -> None:
    with_identifier, timed_out = an_evse(), an_evse()
    with_identifier.identifier = an_identifier()
    timed_out.plug_in_timeout = True
    assert not with_identifier.available
    assert not timed_out.available


def test_plugging_in_enters_the_queue_but_does_not_occupy_the_connector(station: StationState) -> None:
    consequences = plug_in(station)
    assert station.plug_in_queue == [1]
    assert station.evses[1].plugged_in
    assert station.evses[1].connectors[1].state is ConnectorState.AVAILABLE
    assert consequences == (Consequence.START_PLUG_IN_TIMER, Consequence.WAKE_SELECTION)


def test_a_car_stands_in_the_queue_once_and_at_its_last_place() -> None:
    station = StationState({1: an_evse(1), 2: an_evse(2)})
    plug_in(station)
    station.plugged(2)
    plug_in(station)
    assert station.plug_in_queue == [2, 1]


def test_a_session_that_starts_with_authorization_is_no_plug_in(station: StationState) -> None:
    assert happens(station, "SessionStarted", session_started={"reason": "Authorized", "meter_value": METER}) == ()
    assert happens(station, "SessionStarted") == ()
    assert station.plug_in_queue == []
    assert not station.evses[1].plugged_in


def test_a_transaction_occupies_until_the_session_is_finished(station: StationState) -> None:
    evse = station.evses[1]
    evse.identifier = an_identifier()
    id_tag = {"id_token": {"value": "TAG", "type": "ISO14443"}, "authorization_type": "RFID"}
    consequences = happens(station, "TransactionStarted", transaction_started={"id_tag": id_tag, "meter_value": METER})
    assert consequences == (Consequence.STOP_CONNECTION_TIMER, Consequence.REVIEW_RESERVATIONS)
    assert (evse.transaction_active, evse.plugged_in) == (True, True)
    happens(station, "TransactionFinished", transaction_finished={"meter_value": METER})
    assert (evse.transaction_active, evse.identifier) == (False, None)
    assert evse.connectors[1].state is ConnectorState.OCCUPIED
    happens(station, "SessionFinished", session_finished={"meter_value": METER})
    assert evse.connectors[1].state is ConnectorState.AVAILABLE


def test_the_end_of_a_session_clears_everything(station: StationState) -> None:
    evse = station.evses[1]
    plug_in(station)
    evse.identifier, evse.plug_in_timeout, evse.transaction_active = an_identifier(), True, True
    consequences = happens(station, "SessionFinished", session_finished={"meter_value": METER})
    assert (evse.identifier, evse.plugged_in, evse.plug_in_timeout, station.plug_in_queue) == (None, False, False, [])
    assert not evse.transaction_active
    assert Consequence.STOP_CONNECTION_TIMER in consequences
    assert Consequence.STOP_PLUG_IN_TIMER in consequences


def test_deauthorized_takes_the_identifier_and_stops_the_timer(station: StationState) -> None:
    station.evses[1].identifier = an_identifier()
    assert happens(station, "Deauthorized") == (Consequence.STOP_CONNECTION_TIMER,)
    assert station.evses[1].identifier is None


def test_a_missing_connector_id_means_connector_1_and_0_means_all() -> None:
    station = StationState({1: an_evse(1, "AVAILABLE", "AVAILABLE")})
    states = lambda: [connector.state for connector in station.evses[1].connectors.values()]  # noqa: E731
    happens(station, "Disabled")
    assert states() == [ConnectorState.UNAVAILABLE, ConnectorState.AVAILABLE]
    happens(station, "Disabled", connector_id=2)
    assert states() == [ConnectorState.UNAVAILABLE, ConnectorState.UNAVAILABLE]
    happens(station, "Enabled", connector_id=0)
    assert states() == [ConnectorState.AVAILABLE, ConnectorState.AVAILABLE]


def test_an_event_of_an_unknown_connector_changes_nothing(station: StationState) -> None:
    happens(station, "Disabled", connector_id=7)
    assert station.evses[1].connectors[1].state is ConnectorState.AVAILABLE


def test_inoperative_faults_the_connector_of_its_mapping() -> None:
    evse = an_evse(1, "AVAILABLE", "AVAILABLE")
    apply_inoperative(evse, 2, raised=True)
    assert [c.state for c in evse.connectors.values()] == [ConnectorState.AVAILABLE, ConnectorState.FAULTED]
    apply_inoperative(evse, 2, raised=False)
    apply_inoperative(evse, None, raised=True)
    assert [c.state for c in evse.connectors.values()] == [ConnectorState.FAULTED, ConnectorState.AVAILABLE]


def test_a_token_speaks_of_its_known_connectors_or_of_all_but_never_of_unavailable_ones() -> None:
    station = StationState({n: an_evse(n) for n in (1, 2, 3)})
    station.evses[2].connectors[1].state = ConnectorState.UNAVAILABLE
    assert [evse.id for evse in station.referenced(None)] == [1, 3]
    assert [evse.id for evse in station.referenced([9, 3, 2, 3])] == [3]
    assert station.referenced([]) == []
