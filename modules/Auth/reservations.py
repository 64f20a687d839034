"""The reservation book: which reservation exists, which fits, and whom it is for (station 1.10).

Lives here: `ReservationBook`, a synchronous model over `StationState`. It decides and remembers; it neither calls
EVSEs nor publishes nor watches the clock, `reservation_service.py` does. The arrival rule of global reservations is in
`arrivals.py`.
May not be imported here: asyncio, everest.runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from everest.contracts.types.evse_manager import ConnectorTypeEnum
from everest.contracts.types.reservation import (
    Reservation,
    ReservationCheck,
    ReservationCheckStatus,
    ReservationResult,
)

from .arrivals import Types, every_arrival_finds_a_place
from .states import ConnectorState, Evse, StationState


def same_id(one: str, other: str) -> bool:
    """Token values are compared without regard to case (station 1.10)."""
    return one.casefold() == other.casefold()


def matches(reservation: Reservation, id_token: str, parent_id_token: str | None) -> bool:
    """Whether the reservation is for this token: by value, or by parent ids that are both known and equal."""
    if same_id(reservation.id_token, id_token):
        return True
    parent = reservation.parent_id_token
    return parent is not None and parent_id_token is not None and same_id(parent, parent_id_token)


def _wanted(reservation: Reservation) -> ConnectorTypeEnum:
    return reservation.connector_type or ConnectorTypeEnum.Unknown


def _suits(wanted: ConnectorTypeEnum, offered: ConnectorTypeEnum) -> bool:
    return wanted == offered or ConnectorTypeEnum.Unknown in (wanted, offered)


def _has_type(evse: Evse, wanted: ConnectorTypeEnum) -> bool:
    return any(_suits(wanted, connector.type) for connector in evse.connectors.values())


def _free_types(evse: Evse) -> Types:
    """The connector types an arriving car finds usable here."""
    return frozenset(c.type for c in evse.connectors.values() if c.state is ConnectorState.AVAILABLE)


def _refusal_by_connectors(evses: list[Evse], wanted: ConnectorTypeEnum) -> ReservationResult:
    """Why none of the suitable connectors can be had (station 1.10): any of them in use, or free at an EVSE that is
    not; else faulted, else unavailable.
    """
    states = {c.state for e in evses for c in e.connectors.values() if _suits(wanted, c.type)}
    if states & {ConnectorState.OCCUPIED, ConnectorState.AVAILABLE}:
        return ReservationResult.Occupied
    if states & {ConnectorState.FAULTED, ConnectorState.UNAVAILABLE_FAULTED, ConnectorState.FAULTED_OCCUPIED}:
        return ReservationResult.Faulted
    return ReservationResult.Unavailable


@dataclass
class ReservationBook:
    """All reservations: `by_evse` those of one EVSE, `anywhere` the global ones in the order they were made."""

    station: StationState
    by_evse: dict[int, Reservation] = field(default_factory=dict)
    anywhere: list[Reservation] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    """EVSEs that hold `reserve(-1)` because the global reservations need every one of them."""

    def all(self) -> Iterator[tuple[int | None, Reservation]]:
        """Every reservation with its EVSE (None: global)."""
        yield from self.by_evse.items()
        for reservation in self.anywhere:
            yield None, reservation

    def find(self, reservation_id: int) -> tuple[int | None, Reservation] | None:
        """The reservation with this id and its EVSE."""
        return next((entry for entry in self.all() if entry[1].reservation_id == reservation_id), None)

    def remove(self, reservation_id: int) -> tuple[int | None, Reservation] | None:
        """Forget the reservation; returns what was removed."""
        entry = self.find(reservation_id)
        self.by_evse = {evse_id: r for evse_id, r in self.by_evse.items() if r.reservation_id != reservation_id}
        self.anywhere = [r for r in self.anywhere if r.reservation_id != reservation_id]
        return entry

    # ------------------------------------------------------------------------------------------------- making one

    def place(self, reservation: Reservation) -> ReservationResult:
        """Decide on a new reservation by the table of station 1.10 and remember it if Accepted.

        Expiry, the replacement of an equal id and the answer of the EVSE itself are the caller's rows of the table.
        """
        evse_id = reservation.evse_id
        result = self._judge_anywhere(reservation) if evse_id is None else self._judge_evse(evse_id, reservation)
        if result is ReservationResult.Accepted:
            if evse_id is None:
                self.anywhere.append(reservation)
            else:
                self.by_evse[evse_id] = reservation
        return result

    def _judge_evse(self, evse_id: int, reservation: Reservation) -> ReservationResult:
        wanted = _wanted(reservation)
        if evse_id in self.by_evse:
            return ReservationResult.Occupied
        evse = self.station.evses.get(evse_id)
        if evse is None or not _has_type(evse, wanted):
            return ReservationResult.Rejected
        states = {connector.state for connector in evse.connectors.values()}
        if ConnectorState.FAULTED_OCCUPIED in states:
            return ReservationResult.Faulted
        if evse.plugged_in or ConnectorState.OCCUPIED in states:
            return ReservationResult.Occupied
        if not any(_suits(wanted, type) for type in _free_types(evse)):
            return _refusal_by_connectors([evse], wanted)
        if not self._fits(self.anywhere, {**self.by_evse, evse_id: reservation}):
            return self._refusal([evse], wanted)
        return ReservationResult.Accepted

    def _judge_anywhere(self, reservation: Reservation) -> ReservationResult:
        wanted = _wanted(reservation)
        suitable = [evse for evse in self.station.evses.values() if _has_type(evse, wanted)]
        if not suitable:
            return ReservationResult.Rejected
        if not self._fits([*self.anywhere, reservation], self.by_evse):
            return self._refusal(suitable, wanted)
        return ReservationResult.Accepted

    def _refusal(self, evses: list[Evse], wanted: ConnectorTypeEnum) -> ReservationResult:
        """The last row of the table; the `evses` are those with a connector of the type."""
        if self.by_evse or self.anywhere or any(evse.plugged_in for evse in self.station.evses.values()):
            return ReservationResult.Occupied
        return _refusal_by_connectors(evses, wanted)

    # ------------------------------------------------------------------------------------------------- room

    def _places(self, taken: Mapping[int, Reservation], *, keeping: bool = False) -> list[Types]:
        """What each free, unreserved EVSE offers. `keeping`: a car that only plugged in does not take a place yet."""
        return [
            _free_types(evse)
            for evse in self.station.evses.values()
            if evse.id not in taken and self._free(evse, keeping=keeping)
        ]

    @staticmethod
    def _free(evse: Evse, *, keeping: bool) -> bool:
        if evse.in_use or evse.identifier is not None or evse.plug_in_timeout:
            return False
        return keeping or not evse.plugged_in

    def _fits(self, anywhere: list[Reservation], by_evse: Mapping[int, Reservation], *, keeping: bool = False) -> bool:
        """Whether these reservations are possible together (station 1.10). That they are no more than there are EVSEs
        follows from the places.
        """
        wanted = Counter(_wanted(reservation) for reservation in anywhere)
        return every_arrival_finds_a_place(wanted, self._places(by_evse, keeping=keeping))

    def leaves_room_at(self, evse_id: int) -> bool:
        """Whether somebody without a reservation may charge here: not reserved, and the global ones still fit without
        it.
        """
        if evse_id in self.by_evse:
            return False
        stranger = Reservation(reservation_id=-1, id_token="", expiry_time="")
        return self._fits(self.anywhere, {**self.by_evse, evse_id: stranger})

    def exhausted(self) -> set[int]:
        """The free EVSEs that global reservations need all of: those of a type of which one more would not fit.

        Where there are as many global reservations as free EVSEs, that is every free EVSE.
        """
        free = [
            evse
            for evse in self.station.evses.values()
            if evse.available and not evse.plugged_in and evse.id not in self.by_evse
        ]
        scarce = {
            wanted
            for wanted in {_wanted(reservation) for reservation in self.anywhere}
            if not self._fits([*self.anywhere, self._one_more(wanted)], self.by_evse)
        }
        return {evse.id for evse in free if any(_has_type(evse, wanted) for wanted in scarce)}

    def occupied_holds(self) -> set[int]:
        """Held EVSEs that stay held: a car stands there, perhaps that of a global reservation, and nobody is
        authorized.
        """
        if not self.anywhere:
            return set()
        return {id for id in self.held if self.station.evses[id].plugged_in and self.is_releasable(id)}

    def is_releasable(self, evse_id: int) -> bool:
        """Whether a held EVSE has to be told that it is free again (else its session or its own end took the hold)."""
        evse = self.station.evses[evse_id]
        used = evse.in_use or evse.identifier is not None or evse.unavailable
        return not used and evse_id not in self.by_evse

    @staticmethod
    def _one_more(wanted: ConnectorTypeEnum) -> Reservation:
        return Reservation(reservation_id=-1, id_token="", expiry_time="", connector_type=wanted)

    def lost(self) -> list[int]:
        """Ids of the reservations that can no longer be kept: a connector was disabled, faulted or taken."""
        gone = [r.reservation_id for evse_id, r in self.by_evse.items() if not self._keepable(evse_id, r)]
        kept_here = {evse_id: r for evse_id, r in self.by_evse.items() if r.reservation_id not in gone}
        kept: list[Reservation] = []
        for reservation in self.anywhere:
            if self._fits([*kept, reservation], kept_here, keeping=True):
                kept.append(reservation)
            else:
                gone.append(reservation.reservation_id)
        return gone

    def _keepable(self, evse_id: int, reservation: Reservation) -> bool:
        evse = self.station.evses[evse_id]
        return not evse.in_use and any(_suits(_wanted(reservation), type) for type in _free_types(evse))

    # ------------------------------------------------------------------------------------------------- using one

    def match(self, evse_id: int, id_token: str, parent_id_token: str | None) -> int | None:
        """The id of the reservation this token may use at the EVSE: that of the EVSE hides the global ones."""
        here = self.by_evse.get(evse_id)
        candidates = self.anywhere if here is None else [here]
        return next((r.reservation_id for r in candidates if matches(r, id_token, parent_id_token)), None)

    def has_parent(self, evse_id: int) -> bool:
        """Whether a reservation that concerns this EVSE names a parent id, so that only validation can tell."""
        here = self.by_evse.get(evse_id)
        candidates = self.anywhere if here is None else [here]
        return any(reservation.parent_id_token is not None for reservation in candidates)

    def check(self, request: ReservationCheck) -> ReservationCheckStatus:
        """exists_reservation (station 1.10), with the given EVSE tested (DEPARTURE A4)."""
        if request.evse_id is None:
            if any(matches(r, request.id_token, request.group_id_token) for r in self.anywhere):
                return ReservationCheckStatus.ReservedForToken
            return ReservationCheckStatus.NotReserved
        here = self.by_evse.get(request.evse_id)
        if here is None:
            return ReservationCheckStatus.NotReserved
        if matches(here, request.id_token, request.group_id_token):
            return ReservationCheckStatus.ReservedForToken
        if request.group_id_token is None and here.parent_id_token is not None:
            return ReservationCheckStatus.ReservedForOtherTokenAndHasParentToken
        return ReservationCheckStatus.ReservedForOtherToken
