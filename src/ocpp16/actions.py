"""The table of actions: request, response, who may start it, which feature profile it belongs to, how it is queued.

OCPP 1.6 edition 2 (28 actions) and Security Whitepaper edition 3 (11 actions); profiles as in libocpp 1.4.
May import: messages. Must not import: anything that sends, stores or decides.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import msgspec

from ocpp16 import messages
from ocpp16.messages import Request, Response


class FeatureProfile(StrEnum):
    """Names known in `SupportedFeatureProfiles`, in the order of GetConfiguration (libocpp 1.3, 1.6)."""

    Internal = "Internal"
    Core = "Core"
    CostAndPrice = "CostAndPrice"
    FirmwareManagement = "FirmwareManagement"
    LocalAuthListManagement = "LocalAuthListManagement"
    Reservation = "Reservation"
    SmartCharging = "SmartCharging"
    RemoteTrigger = "RemoteTrigger"
    Security = "Security"
    PnC = "PnC"
    Custom = "Custom"


class Direction(StrEnum):
    """Who may send the CALL."""

    STATION_TO_CSMS = "station to CSMS"
    CSMS_TO_STATION = "CSMS to station"
    BOTH = "both"


class Action(msgspec.Struct, frozen=True):
    """One row. `always` marks what is taken up without its profile: its handler answers by itself (libocpp 1.4)."""

    name: str
    request: type[Request]
    response: type[Response]
    direction: Direction
    profile: FeatureProfile
    transaction_related: bool = False
    """Sent through the transaction queue, in order and persistent (libocpp 3.8.1)."""
    always: bool = False


_UP, _DOWN, _BOTH = Direction.STATION_TO_CSMS, Direction.CSMS_TO_STATION, Direction.BOTH
_P = FeatureProfile


def _row(
    name: str,
    direction: Direction,
    profile: FeatureProfile,
    *,
    transaction_related: bool = False,
    always: bool = False,
) -> Action:
    request, response = messages.request_types()[name], messages.response_types()[name]
    return Action(name, request, response, direction, profile, transaction_related, always)


ACTIONS: dict[str, Action] = {
    row.name: row
    for row in (
        _row("Authorize", _UP, _P.Core),
        _row("BootNotification", _UP, _P.Core),
        _row("ChangeAvailability", _DOWN, _P.Core),
        _row("ChangeConfiguration", _DOWN, _P.Core),
        _row("ClearCache", _DOWN, _P.Core),
        _row("DataTransfer", _BOTH, _P.Core),
        _row("GetConfiguration", _DOWN, _P.Core),
        _row("Heartbeat", _UP, _P.Core),
        _row("MeterValues", _UP, _P.Core, transaction_related=True),
        _row("RemoteStartTransaction", _DOWN, _P.Core),
        _row("RemoteStopTransaction", _DOWN, _P.Core),
        _row("Reset", _DOWN, _P.Core),
        _row("StartTransaction", _UP, _P.Core, transaction_related=True),
        _row("StatusNotification", _UP, _P.Core),
        _row("StopTransaction", _UP, _P.Core, transaction_related=True),
        _row("UnlockConnector", _DOWN, _P.Core),
        _row("DiagnosticsStatusNotification", _UP, _P.FirmwareManagement),
        _row("FirmwareStatusNotification", _UP, _P.FirmwareManagement),
        _row("GetDiagnostics", _DOWN, _P.FirmwareManagement),
        _row("UpdateFirmware", _DOWN, _P.FirmwareManagement),
        _row("GetLocalListVersion", _DOWN, _P.LocalAuthListManagement, always=True),
        _row("SendLocalList", _DOWN, _P.LocalAuthListManagement, always=True),
        _row("CancelReservation", _DOWN, _P.Reservation),
        _row("ReserveNow", _DOWN, _P.Reservation, always=True),
        _row("ClearChargingProfile", _DOWN, _P.SmartCharging),
        _row("GetCompositeSchedule", _DOWN, _P.SmartCharging),
        _row("SetChargingProfile", _DOWN, _P.SmartCharging),
        _row("TriggerMessage", _DOWN, _P.RemoteTrigger),
        _row("CertificateSigned", _DOWN, _P.Security),
        _row("DeleteCertificate", _DOWN, _P.Security),
        _row("ExtendedTriggerMessage", _DOWN, _P.Security),
        _row("GetInstalledCertificateIds", _DOWN, _P.Security),
        _row("GetLog", _DOWN, _P.Security),
        _row("InstallCertificate", _DOWN, _P.Security),
        _row("LogStatusNotification", _UP, _P.Security),
        _row("SecurityEventNotification", _UP, _P.Security, transaction_related=True),
        _row("SignCertificate", _UP, _P.Security),
        _row("SignedFirmwareStatusNotification", _UP, _P.Security),
        _row("SignedUpdateFirmware", _DOWN, _P.Security),
    )
}


def accepted(action: str, active_profiles: Collection[str]) -> bool:
    """Whether a CALL from the CSMS is taken up with these active profiles (libocpp 1.4). Security is always on.

    False for a known action means CALLERROR NotSupported; an unknown action is NotImplemented (DEPARTURE 1).
    """
    row = ACTIONS.get(action)
    if row is None or row.direction is Direction.STATION_TO_CSMS:
        return False
    return row.always or row.profile is FeatureProfile.Security or row.profile in active_profiles


def transaction_related(action: str) -> bool:
    """Whether this own CALL goes through the transaction queue (libocpp 3.8.1). False for unknown actions."""
    row = ACTIONS.get(action)
    return row is not None and row.transaction_related
