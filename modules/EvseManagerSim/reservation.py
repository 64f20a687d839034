"""The reservation that an EVSE remembers (station 2.8). Pure; Auth owns the rules of who may use it."""

from __future__ import annotations


class Reservation:
    """Free, reserved without id, or reserved with an id."""

    def __init__(self) -> None:
        self._reserved = False
        self._id: int | None = None

    @property
    def shown_id(self) -> int | None:
        """The id that SessionStarted and TransactionStarted carry."""
        return self._id if self._reserved else None

    def reserve(self, reservation_id: int) -> tuple[bool, bool]:
        """(accepted, announce ReservationStart). A negative id reserves without id and is announced always."""
        wanted = None if reservation_id < 0 else reservation_id
        if self._reserved and self._id is not None and self._id != wanted:
            return False, False
        announce = not self._reserved or wanted is None or self._id != wanted
        self._reserved, self._id = True, wanted
        return True, announce

    def store(self, reservation_id: int) -> None:
        """Remember the id without an event (authorize_response with a reservation)."""
        self._reserved = True
        self._id = None if reservation_id < 0 else reservation_id

    def drop(self) -> None:
        """The reservation was used: no ReservationEnd."""
        self._reserved, self._id = False, None

    def end(self) -> bool:
        """End it; True if there was one (then ReservationEnd is due)."""
        was = self._reserved
        self.drop()
        return was
