"""The status table, its step, and the errors that lie over it (OCPP 1.6 §4.9, libocpp 3.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ocpp16 import ErrorInfo
from ocpp16.connector import CONNECTOR_ZERO, TRANSITIONS, Connector, ConnectorEvent, step
from ocpp16.messages import ChargePointErrorCode, ChargePointStatus

S, E = ChargePointStatus, ConnectorEvent
T0 = datetime(2026, 1, 1, tzinfo=UTC)

SPECIFICATION = """
from          BecomeAvailable UsageInitiated StartCharging PauseChargingEV PauseChargingEVSE ReserveConnector TransactionStoppedAndUserActionRequired ChangeAvailabilityToUnavailable ReservationEnd
Available     -               Preparing      Charging      SuspendedEV     SuspendedEVSE     Reserved         -                                       Unavailable                     -
Preparing     Available       -              Charging      SuspendedEV     SuspendedEVSE     -                Finishing                               -                               -
Charging      Available       -              -             SuspendedEV     SuspendedEVSE     -                Finishing                               Unavailable                     -
SuspendedEV   Available       -              Charging      -               SuspendedEVSE     -                Finishing                               Unavailable                     -
SuspendedEVSE Available       -              Charging      SuspendedEV     SuspendedEVSE     -                Finishing                               Unavailable                     -
Finishing     Available       Preparing      -             -               -                 -                -                                       Unavailable                     -
Reserved      Available       Preparing      -             -               -                 -                -                                       Unavailable                     Available
Unavailable   Available       Preparing      Charging      SuspendedEV     SuspendedEVSE     -                -                                       -                               -
"""  # noqa: E501


def cells() -> list[tuple[ChargePointStatus, ConnectorEvent, ChargePointStatus | None]]:
    header, *rows = [line.split() for line in SPECIFICATION.strip().splitlines()]
    return [
        (S(row[0]), E(event), None if cell == "-" else S(cell))
        for row in rows
        for event, cell in zip(header[1:], row[1:], strict=True)
    ]


@pytest.mark.parametrize(("state", "event", "expected"), cells(), ids=lambda value: str(value))
def test_every_cell_of_the_table_is_that_of_the_specification(
    state: ChargePointStatus, event: ConnectorEvent, expected: ChargePointStatus | None
) -> None:
    assert step(TRANSITIONS, state, event) is expected


def test_connector_zero_knows_only_available_and_unavailable() -> None:
    reachable = {new for row in CONNECTOR_ZERO.values() for new in row.values()}
    assert reachable == {S.Available, S.Unavailable}
    connector = Connector(0)
    assert not connector.apply(E.UsageInitiated)
    assert connector.apply(E.ChangeAvailabilityToUnavailable)
    assert connector.status is S.Unavailable


def test_the_self_transition_of_suspended_evse_counts_only_with_another_text() -> None:
    connector = Connector(1, S.Charging)
    assert connector.apply(E.PauseChargingEVSE, "limit")
    assert not connector.apply(E.PauseChargingEVSE, "limit")
    assert connector.apply(E.PauseChargingEVSE, "schedule")
    assert connector.apply(E.StartCharging)
    assert connector.suspended_evse_info is None


def error(uuid: str, *, fault: bool = False, seconds: int = 0, code: str | None = "CX1") -> ErrorInfo:
    return ErrorInfo(
        uuid=uuid,
        error_code=ChargePointErrorCode.GroundFailure,
        is_fault=fault,
        timestamp=T0 + timedelta(seconds=seconds),
        info="text",
        vendor_id="vendor",
        vendor_error_code=code,
    )


def test_a_fault_covers_the_state_which_goes_on_underneath() -> None:
    connector = Connector(1)
    report = connector.raise_error(error("a", fault=True))
    assert report is not None and (report.status, report.error_code) == (S.Faulted, "GroundFailure")
    connector.apply(E.UsageInitiated)
    assert connector.status is S.Faulted
    cleared = connector.clear_error("a", report_cleared=False)
    assert cleared is not None and (cleared.status, cleared.error_code) == (S.Preparing, "NoError")


def test_an_error_that_is_no_fault_is_reported_with_the_base_state() -> None:
    connector = Connector(1, S.Charging)
    report = connector.raise_error(error("a"))
    assert report is not None and (report.status, report.vendor_error_code, report.info) == (S.Charging, "CX1", "text")
    assert connector.raise_error(error("a")) is None


def test_the_newest_error_is_the_one_that_is_told() -> None:
    connector = Connector(1)
    connector.raise_error(error("new", seconds=5, code="NEW"))
    connector.raise_error(error("old", code="OLD"))
    assert connector.report().vendor_error_code == "NEW"
    report = connector.clear_error("new", report_cleared=False)
    assert report is not None and report.vendor_error_code == "OLD"


def test_clearing_one_of_two_faults_says_nothing_unless_cleared_errors_are_reported() -> None:
    connector = Connector(1)
    for uuid in ("a", "b", "c"):
        connector.raise_error(error(uuid, fault=True))
    assert connector.clear_error("a", report_cleared=False) is None
    report = connector.clear_error("b", report_cleared=True)
    assert report is not None and (report.status, report.info) == (S.Faulted, "CX1 resolved")
    assert report.error_code == "GroundFailure"
    last = connector.clear_error("c", report_cleared=True)
    assert last is not None and (last.status, last.error_code) == (S.Available, "NoError")
    assert last.vendor_error_code == "CX1"
    assert connector.clear_error("c", report_cleared=True) is None


def test_a_cleared_error_without_vendor_code_is_resolved_without_text() -> None:
    connector = Connector(1)
    connector.raise_error(error("a", code=None))
    report = connector.clear_error("a", report_cleared=True)
    assert report is not None and report.info is None


def test_all_errors_cleared_is_reported_even_if_there_was_none() -> None:
    assert Connector(1).clear_all_errors().error_code == "NoError"


def test_texts_are_cut_to_their_fields() -> None:
    connector = Connector(1)
    long = ErrorInfo(
        uuid="x",
        error_code=ChargePointErrorCode.OtherError,
        is_fault=False,
        timestamp=T0,
        info="i" * 60,
        vendor_id="v" * 300,
        vendor_error_code="c" * 60,
    )
    report = connector.raise_error(long)
    assert report is not None
    assert (len(report.info or ""), len(report.vendor_id or ""), len(report.vendor_error_code or "")) == (50, 255, 50)


def test_an_ordered_change_to_inoperative_is_accepted_from_every_state() -> None:
    for state in S:
        if state is S.Faulted:
            continue
        connector = Connector(1, state)
        assert connector.force_unavailable() is (state is not S.Unavailable)
        assert connector.state is S.Unavailable
