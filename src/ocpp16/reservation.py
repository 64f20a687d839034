"""ReserveNow and CancelReservation (OCPP 1.6 §5.1, §5.13; libocpp 3.12, 12.21).

Reservations themselves are kept, expired and matched by the integrator; here is only what the station answers.
May import: context, availability, status_notifications. Must not import: other capabilities.
"""

from __future__ import annotations

from collections.abc import Mapping

from ocpp16.availability import Availability
from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.messages import (
    AvailabilityType,
    CancelReservationRequest,
    CancelReservationResponse,
    CancelReservationStatus,
    ChargePointStatus,
    ReservationStatus,
    ReserveNowRequest,
    ReserveNowResponse,
    format_timestamp,
)
from ocpp16.router import Reply
from ocpp16.status_notifications import StatusNotifications

BY_STATUS: Mapping[ChargePointStatus, ReservationStatus] = {
    ChargePointStatus.Faulted: ReservationStatus.Faulted,
    ChargePointStatus.Preparing: ReservationStatus.Occupied,
}
"""Statuses that decide by themselves; in all others the integrator does."""


class Reservation:
    def __init__(self, context: Context, statuses: StatusNotifications, availability: Availability) -> None:
        self._context = context
        self._statuses = statuses
        self._availability = availability

    async def reserve(self, request: ReserveNowRequest) -> Reply:
        return Reply(ReserveNowResponse(status=await self._decide(request)))

    async def _decide(self, request: ReserveNowRequest) -> ReservationStatus:
        connector = request.connector_id
        if connector not in self._statuses:
            return ReservationStatus.Rejected
        by_status = BY_STATUS.get(self._statuses[connector].status)
        if by_status is not None:
            return by_status
        if not self._supported(connector):
            return ReservationStatus.Rejected
        if self._availability.wanted(connector) is AvailabilityType.Inoperative:
            return ReservationStatus.Unavailable
        answer = await self._context.callbacks.ask(
            "reserve_now",
            request.reservation_id,
            connector,
            format_timestamp(request.expiry_date),
            request.id_tag,
            request.parent_id_tag,
            default=ReservationStatus.Rejected,
        )
        return ReservationStatus(answer)

    def _supported(self, connector: int) -> bool:
        zero = connector != 0 or bool(self._context.configuration[keys.ReserveConnectorZeroSupported])
        return self._context.profile_active("Reservation") and self._context.callbacks.has("reserve_now") and zero

    async def cancel(self, request: CancelReservationRequest) -> Reply:
        known = await self._context.callbacks.ask("cancel_reservation", request.reservation_id, default=False)
        status = CancelReservationStatus.Accepted if known else CancelReservationStatus.Rejected
        return Reply(CancelReservationResponse(status=status))
