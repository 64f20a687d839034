"""What Auth knows of each EVSE: connector states, identifier, plug in, and what a session event changes (station 1.3).

Lives here: the connector state table, `Evse`, `StationState` and `apply_session_event`. Pure values and functions; no
timers, no bus calls. What has to happen next is told as `Consequence`s, which `auth.py` carries out.
May not be imported here: asyncio, everest.runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from everest.contracts.types.authorization import AuthorizationStatus, AuthorizationType, IdToken
from everest.contracts.types.evse_manager import ConnectorTypeEnum, SessionEvent, SessionEventEnum, StartSessionReason


class ConnectorState(StrEnum):
    """States of a connector (station 1.3)."""

    AVAILABLE = "AVAILABLE"
    UNAVAILABLE = "UNAVAILABLE"
    FAULTED = "FAULTED"
    OCCUPIED = "OCCUPIED"
    UNAVAILABLE_FAULTED = "UNAVAILABLE_FAULTED"
    FAULTED_OCCUPIED = "FAULTED_OCCUPIED"


class ConnectorEvent(StrEnum):
    """What moves a connector from state to state: session events and `evse_manager/Inoperative`."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"
    INOPERATIVE_RAISED = "InoperativeRaised"
    INOPERATIVE_CLEARED = "InoperativeCleared"
    TRANSACTION_STARTED = "TransactionStarted"
    SESSION_FINISHED = "SessionFinished"


_S, _E = ConnectorState, ConnectorEvent

TRANSITIONS: Mapping[ConnectorState, Mapping[ConnectorEvent, ConnectorState]] = MappingProxyType(
    {
        _S.AVAILABLE: {
            _E.DISABLED: _S.UNAVAILABLE,
            _E.INOPERATIVE_RAISED: _S.FAULTED,
            _E.TRANSACTION_STARTED: _S.OCCUPIED,
        },
        _S.UNAVAILABLE: {
            _E.ENABLED: _S.AVAILABLE,
            _E.INOPERATIVE_RAISED: _S.UNAVAILABLE_FAULTED,
        },
        _S.FAULTED: {
            _E.DISABLED: _S.UNAVAILABLE_FAULTED,
            _E.INOPERATIVE_CLEARED: _S.AVAILABLE,
        },
        _S.OCCUPIED: {
            _E.INOPERATIVE_RAISED: _S.FAULTED_OCCUPIED,
            _E.SESSION_FINISHED: _S.AVAILABLE,
        },
        _S.FAULTED_OCCUPIED: {
            _E.INOPERATIVE_CLEARED: _S.OCCUPIED,
            _E.SESSION_FINISHED: _S.FAULTED,
        },
        _S.UNAVAILABLE_FAULTED: {
            _E.ENABLED: _S.FAULTED,
            _E.INOPERATIVE_CLEARED: _S.UNAVAILABLE,
        },
    }
)
"""The connector state table of station 1.3; a missing entry means: nothing changes."""

IN_USE = frozenset({ConnectorState.OCCUPIED, ConnectorState.FAULTED_OCCUPIED})
OUT_OF_SERVICE = frozenset({ConnectorState.UNAVAILABLE, ConnectorState.UNAVAILABLE_FAULTED})


def step(state: ConnectorState, event: ConnectorEvent) -> ConnectorState:
    """The next state by `TRANSITIONS`; the same state where the table says nothing."""
    return TRANSITIONS[state].get(event, state)


@dataclass
class Connector:
    """One connector of an EVSE; `type` is `Unknown` where get_evse does not tell."""

    id: int
    type: ConnectorTypeEnum = ConnectorTypeEnum.Unknown
    state: ConnectorState = ConnectorState.AVAILABLE


@dataclass(frozen=True)
class Identifier:
    """Who is authorized at an EVSE: the accepted token with what its validation said."""

    id_token: IdToken
    authorization_type: AuthorizationType
    status: AuthorizationStatus
    parent_id_token: IdToken | None = None
    expiry_time: str | None = None


@dataclass
class Evse:
    """State of one EVSE (station 1.3)."""

    id: int
    connectors: dict[int, Connector]
    identifier: Identifier | None = None
    transaction_active: bool = False
    plugged_in: bool = False
    plug_in_timeout: bool = False

    @property
    def in_use(self) -> bool:
        """Whether a connector is OCCUPIED or FAULTED_OCCUPIED."""
        return any(connector.state in IN_USE for connector in self.connectors.values())

    @property
    def available(self) -> bool:
        """Whether a token can be used here (station 1.3)."""
        blocked = self.plug_in_timeout or self.identifier is not None or self.in_use
        broken = {ConnectorState.UNAVAILABLE, ConnectorState.FAULTED, ConnectorState.UNAVAILABLE_FAULTED}
        return not blocked and any(connector.state not in broken for connector in self.connectors.values())

    @property
    def unavailable(self) -> bool:
        """Whether every token passes this EVSE over: all its connectors are out of service."""
        return all(connector.state in OUT_OF_SERVICE for connector in self.connectors.values())


class Consequence(Enum):
    """What a session event asks of the timers, the waiting tokens and the reservations."""

    STOP_CONNECTION_TIMER = auto()
    START_PLUG_IN_TIMER = auto()
    STOP_PLUG_IN_TIMER = auto()
    WAKE_SELECTION = auto()
    REVIEW_RESERVATIONS = auto()
    RESERVATION_ENDED = auto()


@dataclass
class StationState:
    """All EVSEs in configuration order, and the plug in queue: EVSE ids plugged in and not yet authorized, oldest
    first.
    """

    evses: dict[int, Evse] = field(default_factory=dict)
    plug_in_queue: list[int] = field(default_factory=list)

    def referenced(self, connectors: Iterable[int] | None) -> list[Evse]:
        """The EVSEs a token speaks of (station 1.4): the known ones of its `connectors`, or all; unavailable ones left
        out.
        """
        ids = self.evses if connectors is None else [id for id in dict.fromkeys(connectors) if id in self.evses]
        return [self.evses[id] for id in ids if not self.evses[id].unavailable]

    def plugged(self, evse_id: int) -> None:
        """Append the EVSE to the plug in queue, once."""
        self.unplugged(evse_id)
        self.plug_in_queue.append(evse_id)

    def unplugged(self, evse_id: int) -> None:
        """Take the EVSE out of the plug in queue."""
        self.plug_in_queue = [id for id in self.plug_in_queue if id != evse_id]


def _step_connectors(evse: Evse, connector_id: int | None, event: ConnectorEvent) -> None:
    """Move the connector (missing means 1, 0 means every one; an unknown id changes nothing)."""
    number = 1 if connector_id is None else connector_id
    for connector in evse.connectors.values():
        if number in (0, connector.id):
            connector.state = step(connector.state, event)


def apply_session_event(station: StationState, evse_id: int, event: SessionEvent) -> tuple[Consequence, ...]:
    """Change the state as station 1.3 says and return what must follow; events of no meaning for Auth return ()."""
    evse = station.evses[evse_id]
    match event.event:
        case SessionEventEnum.Enabled:
            _step_connectors(evse, event.connector_id, ConnectorEvent.ENABLED)
            return (Consequence.REVIEW_RESERVATIONS,)
        case SessionEventEnum.Disabled:
            _step_connectors(evse, event.connector_id, ConnectorEvent.DISABLED)
            return (Consequence.REVIEW_RESERVATIONS,)
        case SessionEventEnum.SessionStarted:
            return _session_started(station, evse, event)
        case SessionEventEnum.TransactionStarted:
            evse.transaction_active = evse.plugged_in = True
            _step_connectors(evse, event.connector_id, ConnectorEvent.TRANSACTION_STARTED)
            return (Consequence.STOP_CONNECTION_TIMER, Consequence.REVIEW_RESERVATIONS)
        case SessionEventEnum.TransactionFinished:
            evse.transaction_active = False
            evse.identifier = None
            return ()
        case SessionEventEnum.SessionFinished:
            return _session_finished(station, evse, event)
        case SessionEventEnum.Deauthorized:
            evse.identifier = None
            return (Consequence.STOP_CONNECTION_TIMER,)
        case SessionEventEnum.ReservationEnd:
            return (Consequence.RESERVATION_ENDED,)
        case _:
            return ()


def _session_started(station: StationState, evse: Evse, event: SessionEvent) -> tuple[Consequence, ...]:
    if event.session_started is None or event.session_started.reason != StartSessionReason.EVConnected:
        return ()
    evse.plugged_in = True
    station.plugged(evse.id)
    return (Consequence.START_PLUG_IN_TIMER, Consequence.WAKE_SELECTION)


def _session_finished(station: StationState, evse: Evse, event: SessionEvent) -> tuple[Consequence, ...]:
    evse.plugged_in = evse.plug_in_timeout = False
    evse.transaction_active = False
    evse.identifier = None
    station.unplugged(evse.id)
    _step_connectors(evse, event.connector_id, ConnectorEvent.SESSION_FINISHED)
    return (Consequence.STOP_CONNECTION_TIMER, Consequence.STOP_PLUG_IN_TIMER, Consequence.REVIEW_RESERVATIONS)


def apply_inoperative(evse: Evse, connector_id: int | None, *, raised: bool) -> tuple[Consequence, ...]:
    """Change the connector of `evse_manager/Inoperative` (from the error's mapping; missing means 1)."""
    _step_connectors(
        evse, connector_id, ConnectorEvent.INOPERATIVE_RAISED if raised else ConnectorEvent.INOPERATIVE_CLEARED
    )
    return (Consequence.REVIEW_RESERVATIONS,)
