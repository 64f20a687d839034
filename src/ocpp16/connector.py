"""The state of a connector: the status table, its pure `step`, and the errors that lie over it. No I/O, no clock.

Owns: `TRANSITIONS` (OCPP 1.6 §4.9, libocpp 3.2.1), `CONNECTOR_ZERO` (libocpp DEPARTURE 10), `Connector` (base state,
active errors, text of the last suspension). Reports are values (`StatusReport`); `status_notifications.py` sends them.
May import: messages. Must not import: dispatcher, store, asyncio.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from ocpp16.messages import ChargePointErrorCode, ChargePointStatus


class ConnectorEvent(StrEnum):
    """What moves a connector (libocpp 3.2.1)."""

    BecomeAvailable = "BecomeAvailable"
    UsageInitiated = "UsageInitiated"
    StartCharging = "StartCharging"
    PauseChargingEV = "PauseChargingEV"
    PauseChargingEVSE = "PauseChargingEVSE"
    ReserveConnector = "ReserveConnector"
    TransactionStoppedAndUserActionRequired = "TransactionStoppedAndUserActionRequired"
    ChangeAvailabilityToUnavailable = "ChangeAvailabilityToUnavailable"
    ReservationEnd = "ReservationEnd"


_S = ChargePointStatus
_E = ConnectorEvent

Table = Mapping[ChargePointStatus, Mapping[ConnectorEvent, ChargePointStatus]]

TRANSITIONS: Table = {
    _S.Available: {
        _E.UsageInitiated: _S.Preparing,
        _E.StartCharging: _S.Charging,
        _E.PauseChargingEV: _S.SuspendedEV,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
        _E.ReserveConnector: _S.Reserved,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
    },
    _S.Preparing: {
        _E.BecomeAvailable: _S.Available,
        _E.StartCharging: _S.Charging,
        _E.PauseChargingEV: _S.SuspendedEV,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
        _E.TransactionStoppedAndUserActionRequired: _S.Finishing,
    },
    _S.Charging: {
        _E.BecomeAvailable: _S.Available,
        _E.PauseChargingEV: _S.SuspendedEV,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
        _E.TransactionStoppedAndUserActionRequired: _S.Finishing,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
    },
    _S.SuspendedEV: {
        _E.BecomeAvailable: _S.Available,
        _E.StartCharging: _S.Charging,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
        _E.TransactionStoppedAndUserActionRequired: _S.Finishing,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
    },
    _S.SuspendedEVSE: {
        _E.BecomeAvailable: _S.Available,
        _E.StartCharging: _S.Charging,
        _E.PauseChargingEV: _S.SuspendedEV,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
        _E.TransactionStoppedAndUserActionRequired: _S.Finishing,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
    },
    _S.Finishing: {
        _E.BecomeAvailable: _S.Available,
        _E.UsageInitiated: _S.Preparing,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
    },
    _S.Reserved: {
        _E.BecomeAvailable: _S.Available,
        _E.UsageInitiated: _S.Preparing,
        _E.ChangeAvailabilityToUnavailable: _S.Unavailable,
        _E.ReservationEnd: _S.Available,
    },
    _S.Unavailable: {
        _E.BecomeAvailable: _S.Available,
        _E.UsageInitiated: _S.Preparing,
        _E.StartCharging: _S.Charging,
        _E.PauseChargingEV: _S.SuspendedEV,
        _E.PauseChargingEVSE: _S.SuspendedEVSE,
    },
}
"""From state, by event, to state. A missing entry: the event is ignored and nothing is reported."""

CONNECTOR_ZERO: Table = {
    _S.Available: {_E.ChangeAvailabilityToUnavailable: _S.Unavailable},
    _S.Unavailable: {_E.BecomeAvailable: _S.Available},
}
"""The station itself knows no charging states (libocpp DEPARTURE 10)."""

ZERO_STATES = frozenset({_S.Available, _S.Unavailable, _S.Faulted})
"""What connector 0 may be told to be at start."""


def step(table: Table, state: ChargePointStatus, event: ConnectorEvent) -> ChargePointStatus | None:
    """The new state, or None where the event is ignored in this state."""
    return table.get(state, {}).get(event)


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An active error of a connector (libocpp 3.2.4). Texts longer than their field are cut when reported."""

    uuid: str
    error_code: ChargePointErrorCode
    is_fault: bool
    timestamp: datetime
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a StatusNotification.req but for its time stamp."""

    connector: int
    status: ChargePointStatus
    error_code: ChargePointErrorCode = ChargePointErrorCode.NoError
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None

    @property
    def key(self) -> tuple[ChargePointStatus, ChargePointErrorCode, str | None]:
        """What makes two reports of a connector the same (libocpp DEPARTURE 11)."""
        return self.status, self.error_code, self.info


def cut(text: str | None, length: int) -> str | None:
    """`text` shortened to what the OCPP field holds; an empty text is no text."""
    return text[:length] if text else None


class Connector:
    """One connector: base state, active errors over it, and what the state was last reported with."""

    def __init__(self, number: int, state: ChargePointStatus = ChargePointStatus.Available) -> None:
        self.number = number
        self.state = state
        self.errors: dict[str, ErrorInfo] = {}
        self.suspended_evse_info: str | None = None
        self._table = TRANSITIONS if number else CONNECTOR_ZERO

    def reset(self, state: ChargePointStatus) -> None:
        """Set the base state without a report. `Faulted` is no base state: the connector is Available under it."""
        self.state = ChargePointStatus.Available if state is ChargePointStatus.Faulted else state
        self.suspended_evse_info = None

    @property
    def faulted(self) -> bool:
        return any(error.is_fault for error in self.errors.values())

    @property
    def status(self) -> ChargePointStatus:
        """What is to be told to the CSMS: `Faulted` covers the base state."""
        return ChargePointStatus.Faulted if self.faulted else self.state

    @property
    def latest_error(self) -> ErrorInfo | None:
        return max(self.errors.values(), key=lambda error: error.timestamp, default=None)

    def apply(self, event: ConnectorEvent, info: str | None = None) -> bool:
        """Take one step; True if the transition was accepted. The self transition of SuspendedEVSE counts only if
        its text differs from the one before."""
        new = step(self._table, self.state, event)
        if new is None or (new is self.state and info == self.suspended_evse_info):
            return False
        self._enter(new, info)
        return True

    def force_unavailable(self) -> bool:
        """An ordered change to Inoperative is accepted from every state (libocpp 12.3); True if the state changed."""
        if self.state is ChargePointStatus.Unavailable:
            return False
        self._enter(ChargePointStatus.Unavailable, None)
        return True

    def _enter(self, state: ChargePointStatus, info: str | None) -> None:
        self.state = state
        self.suspended_evse_info = info if state is ChargePointStatus.SuspendedEVSE else None

    def report(self, info: str | None = None) -> StatusReport:
        """The present status with the latest error's code and vendor fields; `info` is the event's text."""
        error = self.latest_error
        if error is None:
            return StatusReport(connector=self.number, status=self.status, info=cut(info, 50))
        return StatusReport(
            connector=self.number,
            status=self.status,
            error_code=error.error_code,
            info=cut(info, 50),
            vendor_id=cut(error.vendor_id, 255),
            vendor_error_code=cut(error.vendor_error_code, 50),
        )

    def full_report(self) -> StatusReport:
        """As `report`, with the text of the latest error: for boot, reconnect, triggers and errors."""
        error = self.latest_error
        return self.report(error.info if error is not None else None)

    def raise_error(self, error: ErrorInfo) -> StatusReport | None:
        """Take an error up; its report, or None if it is known already."""
        if error.uuid in self.errors:
            return None
        self.errors[error.uuid] = error
        return StatusReport(
            connector=self.number,
            status=self.status,
            error_code=error.error_code,
            info=cut(error.info, 50),
            vendor_id=cut(error.vendor_id, 255),
            vendor_error_code=cut(error.vendor_error_code, 50),
        )

    def clear_error(self, uuid: str, *, report_cleared: bool) -> StatusReport | None:
        """Drop an error; the report of libocpp 3.2.4, or None where there is nothing to tell."""
        cleared = self.errors.pop(uuid, None)
        if cleared is None:
            return None
        if not report_cleared:
            return None if self.faulted else self.full_report()
        code = cut(cleared.vendor_error_code, 50)
        latest = self.latest_error
        return StatusReport(
            connector=self.number,
            status=self.status,
            error_code=latest.error_code if latest is not None else ChargePointErrorCode.NoError,
            info=cut(f"{code} resolved", 50) if code else None,
            vendor_id=cut(cleared.vendor_id, 255),
            vendor_error_code=code,
        )

    def clear_all_errors(self) -> StatusReport:
        """Drop all errors; reported also if there was none (libocpp DEPARTURE 12)."""
        self.errors.clear()
        return self.report()
