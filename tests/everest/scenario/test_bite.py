"""A station that says something wrong fails the scenarios: the verdict bites."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from everest.manager import paths
from everest.scenario import reading
from everest.scenario.csms import CentralSystem, Line
from everest.scenario.run import play

Fields = dict[str, Any]
Change = Callable[[Fields], None]


def put(**fields: Any) -> Change:
    return lambda payload: payload.update(fields)


def instead(field: str, old: Any, new: Any) -> Change:
    return lambda payload: payload.update({field: new}) if payload.get(field) == old else None


CASES: list[tuple[str, str, Change]] = [
    ("unplug_while_charging", "StopTransaction", put(reason="Other")),
    ("unplug_while_charging", "StopTransaction", put(meterStop=0)),
    ("stop_by_card", "StopTransaction", put(idTag="SOMEBODY")),
    ("stop_by_card", "StatusNotification", instead("status", "Finishing", "Available")),
    ("unplug_while_charging", "StopTransaction", put(transactionId=99)),
    ("remote_start_stop", "StartTransaction", put(connectorId=2)),
    ("cert_cold_boot", "StatusNotification", put(errorCode="OtherError")),
    ("reservation_used", "StartTransaction", put(reservationId=8)),
    ("offline_session", "StartTransaction", put(timestamp="2027-01-01T00:00:00Z")),
    ("fault_while_charging", "StatusNotification", instead("status", "Faulted", "Unavailable")),
    ("cert_meter_values_sampled", "MeterValues", put(transactionId=5)),
    ("cert_firmware", "FirmwareStatusNotification", instead("status", "Installing", "Downloaded")),
    ("cert_reservation_group", "StartTransaction", put(reservationId=6)),
    ("cert_reservation_expires", "StartTransaction", put(reservationId=7)),
    ("cert_power_failure_unavailable", "StatusNotification", instead("status", "Unavailable", "Available")),
    ("cert_offline_stop", "StopTransaction", put(timestamp="2027-01-01T00:00:00Z")),
    ("cert_identification_first_timeout", "StatusNotification", instead("status", "Available", "Finishing")),
    ("cert_trigger_message", "MeterValues", put(transactionId=1)),
    ("cert_stop_parent_id", "StopTransaction", put(idTag="ANNA")),
    ("cert_meter_values_aligned", "MeterValues", put(transactionId=1)),
    ("cert_data_transfer_to_csms", "DataTransfer", put(data="something else")),
    ("cert_fault", "StatusNotification", instead("status", "Faulted", "Unavailable")),
    ("transaction_number_zero", "StopTransaction", put(transactionId=1)),
    ("two_faults", "StatusNotification", instead("status", "Faulted", "Unavailable")),
]


@pytest.mark.parametrize(("name", "action", "change"), CASES)
def test_a_wrong_field_fails_the_scenario(
    name: str, action: str, change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = CentralSystem.heard

    def misheard(self: CentralSystem, line: Line, text: str) -> None:
        message = json.loads(text)
        if message[0] == 2 and message[2] == action:
            change(message[3])
        heard(self, line, json.dumps(message))

    monkeypatch.setattr(CentralSystem, "heard", misheard)
    file = paths.resolve().data_dir / "scenarios" / f"{name}.yaml"
    outcome = play(reading.load(file), tmp_path, virtual=True)
    assert [verdict.problem for verdict in outcome.verdicts if verdict.problem]
