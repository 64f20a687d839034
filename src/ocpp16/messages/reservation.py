"""Messages of the profile Reservation (OCPP 1.6 §5.2, §5.13).

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum

from ocpp16.messages.base import IdToken, Integer, Request, Response, Timestamp


class CancelReservationStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"


class ReservationStatus(StrEnum):
    Accepted = "Accepted"
    Faulted = "Faulted"
    Occupied = "Occupied"
    Rejected = "Rejected"
    Unavailable = "Unavailable"


class CancelReservationRequest(Request):
    reservation_id: Integer


class CancelReservationResponse(Response):
    status: CancelReservationStatus


class ReserveNowRequest(Request):
    connector_id: Integer
    expiry_date: Timestamp
    id_tag: IdToken
    reservation_id: Integer
    parent_id_tag: IdToken | None = None

    def __post_init__(self) -> None:
        self._settle("expiry_date")


class ReserveNowResponse(Response):
    status: ReservationStatus
