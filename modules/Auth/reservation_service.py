"""Carries out what the reservation book decides: EVSE commands, updates, expiry, persistence (station 1.10).

Lives here: `ReservationService`. Changes that talk to EVSEs take turns under one lock, in the order they came. An EVSE
that does not answer holds the lock for a few seconds once (`patience.py`), and not at all as long as it stays silent.
May not be imported here: the token flow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from everest.contracts.types.reservation import (
    Reservation,
    ReservationResult,
    ReservationUpdateStatus,
)
from everest.contracts.types.reservation import (
    ReservationUpdateStatusReservationStatus as ReservationStatus,
)
from everest.runtime.clock import parse_timestamp

from .evse_commands import EvseCommands
from .reservations import ReservationBook
from .timers import Spawn, Timers

log = logging.getLogger(__name__)
GLOBAL_ID = -1
"""Reservation id of an EVSE that is held for the global reservations as a whole."""

Save = Callable[[list[dict[str, Any]]], Awaitable[None]]


class ReservationService:
    """The provider's side of `reservation`, over a `ReservationBook`."""

    def __init__(
        self,
        book: ReservationBook,
        evses: EvseCommands,
        *,
        spawn: Spawn,
        now: Callable[[], datetime],
        publish: Callable[[ReservationUpdateStatus], None],
        save: Save | None = None,
    ) -> None:
        self.book = book
        self._evses = evses
        self._spawn = spawn
        self._now = now
        self._send = publish
        self._save_entries = save
        self._expiry_timers = Timers(spawn, "reservation expiry")
        self._unconfirmed: set[int] = set()
        """Stored reservations that their EVSE, which comes up just now, has not taken yet."""
        self._turn = asyncio.Lock()

    def _publish(self, reservation_id: int, status: ReservationStatus) -> None:
        self._send(ReservationUpdateStatus(reservation_id=reservation_id, reservation_status=status))

    # ------------------------------------------------------------------------------------------------- commands

    async def reserve_now(self, reservation: Reservation) -> ReservationResult:
        """The table of station 1.10; an accepted reservation is announced, timed and stored."""
        async with self._turn:
            result = await self._make(reservation)
            await self._changed()
            return result

    async def _make(self, reservation: Reservation, *, stored: bool = False) -> ReservationResult:
        """`stored`: an EVSE that refuses is asked again when it has come up."""
        expiry = parse_timestamp(reservation.expiry_time)
        if expiry is None or expiry <= self._now():
            why = "is no time" if expiry is None else "has passed"
            log.warning("reservation %d: expiry_time %r %s", reservation.reservation_id, reservation.expiry_time, why)
            return ReservationResult.Rejected
        replaced = self._forget(reservation.reservation_id)
        result = self.book.place(reservation)
        taken = result is ReservationResult.Accepted and await self._reserve_evse(reservation)
        if result is ReservationResult.Accepted and not taken and not stored:
            self.book.remove(reservation.reservation_id)
            result = ReservationResult.Rejected
        accepted = result is ReservationResult.Accepted
        if replaced is not None and not (accepted and replaced == reservation.evse_id):
            await self._evses.cancel_reservation(replaced)
        if accepted:
            self._keep(reservation, expiry, taken=taken)
        return result

    def _forget(self, reservation_id: int) -> int | None:
        """Take a reservation out of book and timers; returns its EVSE, if it had one."""
        self._expiry_timers.stop(reservation_id)
        self._unconfirmed.discard(reservation_id)
        entry = self.book.remove(reservation_id)
        return entry[0] if entry is not None else None

    async def _reserve_evse(self, reservation: Reservation) -> bool:
        if reservation.evse_id is None:
            return True
        return await self._evses.reserve(reservation.evse_id, reservation.reservation_id)

    def _keep(self, reservation: Reservation, expiry: datetime, *, taken: bool) -> None:
        """Time the reservation, and announce it once its EVSE has taken it."""
        reservation_id = reservation.reservation_id
        if self.book.find(reservation_id) is None:
            return  # a token used it while the EVSE was being asked
        delay = (expiry - self._now()).total_seconds()
        self._expiry_timers.start(reservation_id, delay, lambda: self._end(reservation_id, ReservationStatus.Expired))
        if taken:
            self._publish(reservation_id, ReservationStatus.Placed)
        else:
            self._unconfirmed.add(reservation_id)

    async def _confirm(self) -> None:
        """Offer the stored reservations again to the EVSEs that did not take them when the station came up."""
        for reservation_id in sorted(self._unconfirmed):
            entry = self.book.find(reservation_id)
            if entry is None:
                continue  # used while another EVSE was being asked
            if await self._reserve_evse(entry[1]) and reservation_id in self._unconfirmed:
                self._unconfirmed.discard(reservation_id)
                self._publish(reservation_id, ReservationStatus.Placed)

    async def cancel(self, reservation_id: int) -> bool:
        """cancel_reservation: True if there was such a reservation. No update is published."""
        async with self._turn:
            entry = self.book.find(reservation_id)
            if entry is None:
                return False
            evse_id = self._forget(reservation_id)
            if evse_id is not None:
                await self._evses.cancel_reservation(evse_id)
            await self._changed()
            return True

    # ------------------------------------------------------------------------------------------------- ends

    async def _end(self, reservation_id: int, status: ReservationStatus) -> None:
        """A reservation ends without a command: expired, or no longer to be kept."""
        async with self._turn:
            await self._drop(reservation_id, status)
            await self._changed()

    async def _drop(self, reservation_id: int, status: ReservationStatus) -> None:
        if self.book.find(reservation_id) is None:
            return
        evse_id = self._forget(reservation_id)
        if evse_id is not None:
            await self._evses.cancel_reservation(evse_id)
        self._publish(reservation_id, status)

    def use(self, reservation_id: int) -> None:
        """A token used the reservation; its EVSE drops it by itself with the transaction."""
        self._forget(reservation_id)
        self.refresh()

    def refresh(self) -> None:
        """See which EVSEs are held, and store everything."""
        self._spawn(self._refresh(), name="reservations changed")

    async def _refresh(self) -> None:
        async with self._turn:
            await self._changed()

    def ended_by_evse(self, evse_id: int) -> None:
        """The EVSE published ReservationEnd. If the book still holds a reservation there, the EVSE ended it by
        itself.
        """
        self.book.held.discard(evse_id)
        reservation = self.book.by_evse.get(evse_id)
        if reservation is not None:
            ending = self._end(reservation.reservation_id, ReservationStatus.Removed)
            self._spawn(ending, name=f"reservation {reservation.reservation_id} ended by EVSE {evse_id}")

    def review(self) -> None:
        """Connectors changed: end what cannot be kept, and see which EVSEs the global reservations need."""
        if self.book.by_evse or self.book.anywhere:
            self._spawn(self._review(), name="reservation review")

    async def _review(self) -> None:
        async with self._turn:
            lost = self.book.lost()
            await asyncio.gather(*(self._drop(reservation_id, ReservationStatus.Removed) for reservation_id in lost))
            await self._confirm()
            if lost:
                await self._changed()
            else:
                await self._hold_evses()

    async def _changed(self) -> None:
        await self._hold_evses()
        await self._save()

    async def _hold_evses(self) -> None:
        """Reserve the EVSEs that global reservations need all of, release those no longer needed (station 1.10)."""
        wanted = self.book.exhausted() | self.book.occupied_holds()
        await asyncio.gather(
            *(self._hold(evse_id) for evse_id in sorted(wanted - self.book.held)),
            *(self._release(evse_id) for evse_id in sorted(self.book.held - wanted)),
        )

    async def _hold(self, evse_id: int) -> None:
        if await self._evses.reserve(evse_id, GLOBAL_ID):
            self.book.held.add(evse_id)
            self._publish(GLOBAL_ID, ReservationStatus.Placed)

    async def _release(self, evse_id: int) -> None:
        self.book.held.discard(evse_id)
        if self.book.is_releasable(evse_id):
            await self._evses.cancel_reservation(evse_id)

    # ------------------------------------------------------------------------------------------------- persistence

    async def _save(self) -> None:
        if self._save_entries is None:
            return
        entries: list[dict[str, Any]] = []
        for evse_id, reservation in self.book.all():
            entry = {} if evse_id is None else {"evse_id": evse_id}
            entries.append({**entry, "reservation": msgspec.to_builtins(reservation)})
        await self._save_entries(entries)

    async def load(self, entries: object) -> None:
        """Make the stored reservations again by the same rules; refused ones are reported as Removed.

        An EVSE that is not enabled yet, as every one is that waits for OCPP, takes no reservation: it is asked again
        when it tells of itself, and Auth keeps its place meanwhile.
        """
        if entries is None:
            return
        async with self._turn:
            for entry in entries if isinstance(entries, list) else [entries]:
                reservation = _stored(entry)
                if reservation is None:
                    log.error("stored reservation dropped, it cannot be read: %r", entry)
                elif await self._make(reservation, stored=True) is not ReservationResult.Accepted:
                    self._publish(reservation.reservation_id, ReservationStatus.Removed)
            await self._changed()

    def close(self) -> None:
        """Stop the expiry timers; the reservations stay stored."""
        self._expiry_timers.stop_all()


def _stored(entry: object) -> Reservation | None:
    """One entry `{"evse_id": n, "reservation": {...}}` of the store; None if it is none."""
    if not isinstance(entry, dict):
        return None
    try:
        reservation = msgspec.convert(entry.get("reservation"), Reservation)
        evse_id = msgspec.convert(entry.get("evse_id"), int | None)
    except msgspec.ValidationError:
        return None
    return reservation if evse_id is None else msgspec.structs.replace(reservation, evse_id=evse_id)
