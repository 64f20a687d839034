"""A connector under any sequence of events, errors and orders, against a model that knows only the specification."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from ocpp16 import ErrorInfo
from ocpp16.connector import Connector, ConnectorEvent
from ocpp16.messages import ChargePointErrorCode, ChargePointStatus
from tests.ocpp16.test_connector import cells

S, E = ChargePointStatus, ConnectorEvent
T0 = datetime(2026, 1, 1, tzinfo=UTC)
SPECIFIED = {(state, event): new for state, event, new in cells() if new is not None}
ZERO = {
    (S.Available, E.ChangeAvailabilityToUnavailable): S.Unavailable,
    (S.Unavailable, E.BecomeAvailable): S.Available,
}
BASE_STATES = [status for status in S if status is not S.Faulted]


class ConnectorMachine(RuleBasedStateMachine):
    """`number` 1 runs on the whole table, connector 0 on two cells of it."""

    number = 1
    errors = Bundle("errors")

    def __init__(self) -> None:
        super().__init__()
        self.connector = Connector(self.number)
        self.state = S.Available
        self.reason: str | None = None
        self.active: dict[str, ErrorInfo] = {}
        self.count = 0

    @rule(event=st.sampled_from(list(E)), info=st.sampled_from([None, "limit", "schedule"]))
    def event(self, event: ConnectorEvent, info: str | None) -> None:
        new = (SPECIFIED if self.number else ZERO).get((self.state, event))
        counts = new is not None and (new is not self.state or info != self.reason)
        assert self.connector.apply(event, info) is counts
        if new is not None and counts:
            self.state = new
            self.reason = info if new is S.SuspendedEVSE else None

    @rule()
    def ordered_out_of_service(self) -> None:
        assert self.connector.force_unavailable() is (self.state is not S.Unavailable)
        self.state, self.reason = S.Unavailable, None

    @rule(status=st.sampled_from(list(S)))
    def reset(self, status: ChargePointStatus) -> None:
        self.connector.reset(status)
        self.state, self.reason = (S.Available if status is S.Faulted else status), None

    @rule(
        target=errors,
        is_fault=st.booleans(),
        code=st.sampled_from([ChargePointErrorCode.GroundFailure, ChargePointErrorCode.HighTemperature]),
        vendor_code=st.sampled_from([None, "CX002"]),
        order=st.integers(0, 3),
    )
    def error(self, is_fault: bool, code: ChargePointErrorCode, vendor_code: str | None, order: int) -> str:
        self.count += 1
        error = ErrorInfo(
            uuid=f"e{self.count}",
            error_code=code,
            is_fault=is_fault,
            timestamp=T0 + timedelta(seconds=10 * order, microseconds=self.count),
            vendor_error_code=vendor_code,
        )
        self.active[error.uuid] = error
        report = self.connector.raise_error(error)
        assert report is not None
        assert (report.error_code, report.status) == (code, self.status)
        assert self.connector.raise_error(error) is None, "a known error is no news"
        return error.uuid

    @rule(uuid=consumes(errors), report_cleared=st.booleans())
    def error_is_over(self, uuid: str, report_cleared: bool) -> None:
        cleared = self.active.pop(uuid, None)
        report = self.connector.clear_error(uuid, report_cleared=report_cleared)
        silent = cleared is None or (self.faulted and not report_cleared)
        assert (report is None) is silent
        if report is not None and cleared is not None:
            assert (report.status, report.error_code) == (self.status, self.latest_code)
            if report_cleared:
                assert report.info == (f"{cleared.vendor_error_code} resolved" if cleared.vendor_error_code else None)

    @rule()
    def all_errors_are_over(self) -> None:
        self.active.clear()
        report = self.connector.clear_all_errors()
        assert (report.status, report.error_code) == (self.state, ChargePointErrorCode.NoError)

    @property
    def faulted(self) -> bool:
        return any(error.is_fault for error in self.active.values())

    @property
    def status(self) -> ChargePointStatus:
        return S.Faulted if self.faulted else self.state

    @property
    def latest_code(self) -> ChargePointErrorCode:
        newest = max(self.active.values(), key=lambda error: error.timestamp, default=None)
        return ChargePointErrorCode.NoError if newest is None else newest.error_code

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        assert self.connector.state is self.state
        assert self.connector.status is self.status
        assert self.connector.state in BASE_STATES
        report = self.connector.full_report()
        assert (report.connector, report.status, report.error_code) == (self.number, self.status, self.latest_code)
        assert self.connector.suspended_evse_info == self.reason


class StationMachine(ConnectorMachine):
    number = 0


@pytest.mark.parametrize("machine", [ConnectorMachine, StationMachine])
def test_no_sequence_of_events_and_errors_leaves_the_specification(machine: Any) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
