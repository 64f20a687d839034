"""The table of actions against the specification's and libocpp's lists."""

from __future__ import annotations

import pytest

from ocpp16.actions import ACTIONS, Direction, accepted, transaction_related
from ocpp16.messages import request_types

ACCEPTED_BY = {
    "Core": "ChangeAvailability ChangeConfiguration ClearCache DataTransfer GetConfiguration RemoteStartTransaction "
    "RemoteStopTransaction Reset UnlockConnector",
    "FirmwareManagement": "GetDiagnostics UpdateFirmware",
    "RemoteTrigger": "TriggerMessage",
    "Reservation": "CancelReservation",
    "SmartCharging": "ClearChargingProfile GetCompositeSchedule SetChargingProfile",
}
ALWAYS = (
    "CertificateSigned DeleteCertificate ExtendedTriggerMessage GetInstalledCertificateIds GetLog InstallCertificate "
    "SignedUpdateFirmware GetLocalListVersion SendLocalList ReserveNow"
)
FROM_THE_STATION = (
    "Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat "
    "LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification "
    "StartTransaction StatusNotification StopTransaction"
)


def test_all_39_actions_are_in_the_table_with_their_messages() -> None:
    assert ACTIONS.keys() == request_types().keys()
    assert len(ACTIONS) == 39
    for name, row in ACTIONS.items():
        assert (row.request.__name__, row.response.__name__) == (f"{name}Request", f"{name}Response")


@pytest.mark.parametrize("profile", ACCEPTED_BY)
def test_a_profile_opens_its_calls_and_no_others(profile: str) -> None:
    opened = {name for name in ACTIONS if accepted(name, {profile})} - {name for name in ACTIONS if accepted(name, ())}
    assert opened == set(ACCEPTED_BY[profile].split())


def test_security_and_the_calls_that_answer_for_themselves_are_always_accepted() -> None:
    assert {name for name in ACTIONS if accepted(name, ())} == set(ALWAYS.split())


def test_calls_of_the_station_are_never_accepted_from_the_csms() -> None:
    everything = {row.profile for row in ACTIONS.values()}
    up = {name for name, row in ACTIONS.items() if row.direction is not Direction.CSMS_TO_STATION}
    assert up == set(FROM_THE_STATION.split())
    assert {name for name in up if accepted(name, everything)} == {"DataTransfer"}


def test_an_unknown_action_is_not_accepted() -> None:
    assert not accepted("Dance", {"Core"})
    assert not transaction_related("Dance")


def test_four_messages_go_through_the_transaction_queue() -> None:
    assert {name for name in ACTIONS if transaction_related(name)} == {
        "StartTransaction",
        "StopTransaction",
        "MeterValues",
        "SecurityEventNotification",
    }
