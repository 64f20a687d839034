"""Twenty faults, each planted alone in a copy of the library: the tests of the rule must find every one.

A fault is a literal edit (file, text, other text) and the tests that hold the rule. They run in a process of their own
on the copy; a fault that they let pass is a defect of the tests. A text that is gone means the rule has moved: move the
fault with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
TESTS_FAILED = 1
"""pytest's exit status: tests ran, and some failed. Anything else (no such test, broken copy) finds nothing."""


class Fault(NamedTuple):
    name: str
    file: str
    text: str
    planted: str
    tests: tuple[str, ...]
    """Relative to tests/ocpp16."""


FAULTS = (
    Fault(
        "a cell of the status table names another state",
        "connector.py",
        "_E.ReservationEnd: _S.Available,",
        "_E.ReservationEnd: _S.Preparing,",
        ("test_connector.py::test_every_cell_of_the_table_is_that_of_the_specification",),
    ),
    Fault(
        "a fault does not cover the state",
        "connector.py",
        "return ChargePointStatus.Faulted if self.faulted else self.state",
        "return self.state",
        ("test_connector.py::test_a_fault_covers_the_state_which_goes_on_underneath",),
    ),
    Fault(
        "the same status is reported twice",
        "status_notifications.py",
        "and report.key != self._last.get(connector):",
        "and report.key:",
        ("test_status_notifications.py::test_a_state_that_comes_back_within_the_duration_is_not_reported_twice",),
    ),
    Fault(
        "one attempt too many",
        "queue.py",
        "attempts >= attempts_allowed",
        "attempts > attempts_allowed",
        ("test_queue.py::test_a_message_leaves_after_its_attempts",),
    ),
    Fault(
        "the wait between attempts does not grow",
        "queue.py",
        "return timedelta(seconds=retry_interval * attempts)",
        "return timedelta(seconds=retry_interval)",
        ("test_queue.py::test_the_wait_for_a_repetition_grows_with_the_attempts_done",),
    ),
    Fault(
        "newer transaction messages overtake older reports",
        "queue.py",
        "head.message.timestamp > normal.message.timestamp",
        "head.message.timestamp < normal.message.timestamp",
        ("test_queue.py::test_the_older_of_the_two_heads_goes_first_and_the_transaction_message_if_they_are_equal",),
    ),
    Fault(
        "a message sent before takes a new id on a new connection",
        "dispatcher.py",
        "if ticket.connection == self._connection:",
        "if message.sent:",
        ("test_dispatcher.py::test_a_lost_connection_costs_no_attempt_and_keeps_id_and_payload",),
    ),
    Fault(
        "own CALLs go out while one of the CSMS is being answered",
        "pause.py",
        "self._held += 1",
        "self._held += 0",
        ("test_dispatcher.py::test_no_call_is_sent_while_a_call_of_the_csms_is_being_answered",),
    ),
    Fault(
        "late answers are forgotten",
        "settlement.py",
        "ticket.earlier_ids.add(message.message_id)",
        "ticket.earlier_ids.clear()",
        ("test_dispatcher.py::test_a_late_answer_stops_the_repetition_that_waits",),
    ),
    Fault(
        "a message that comes back to its queue stands behind newer ones",
        "queue.py",
        "insort(line, waiting, key=_place)",
        "insort(line, waiting, key=_place) if waiting.is_boot else line.append(waiting)",
        ("test_dispatcher_machine.py",),
    ),
    Fault(
        "a blocked tag may charge offline where strangers may",
        "authorization.py",
        "(known.local_authorize_offline or not _accepted(local.info))",
        "known.local_authorize_offline and _accepted(local.info)",
        ("test_authorization.py::test_the_decision_and_its_reason",),
    ),
    Fault(
        "a disabled cache is written",
        "authorization.py",
        "if info is None or not self.cache_enabled:",
        "if info is None:",
        ("test_authorization.py::test_a_disabled_cache_is_not_written",),
    ),
    Fault(
        "a pending station takes remote starts",
        "boot.py",
        "Registration.Pending: Treatment.RefuseRemote,",
        "Registration.Pending: Treatment.Handle,",
        ("test_boot.py::test_what_is_answered_in_each_registration_state",),
    ),
    Fault(
        "a transaction cut off ends when it began",
        "transactions.py",
        "end = row.time_end or row.meter_last_time",
        "end = row.time_end or row.time_start",
        ("test_transactions.py::test_a_transaction_cut_off_ends_by_power_loss_with_the_last_reading",),
    ),
    Fault(
        "a refused tag stops a transaction that is not its own",
        "transactions.py",
        "if not exhausted or not transaction.active or transaction.told_to_pause:",
        "if not exhausted or transaction.told_to_pause:",
        ("test_transactions.py::test_a_refused_tag_of_a_transaction_that_has_ended_does_not_hit_the_next_one",),
    ),
    Fault(
        "energy is cut instead of rounded",
        "meter_values.py",
        "return math.floor(energy + 0.5)",
        "return math.floor(energy)",
        ("test_meter_values.py::test_energy_is_rounded_half_up",),
    ),
    Fault(
        "thinning loses the last value",
        "meter_values.py",
        "if index % 2 == 0 or index == len(values) - 1)",
        "if index % 2 == 0)",
        ("test_meter_values.py::test_thinning_takes_every_second_value_and_keeps_the_first_and_the_last",),
    ),
    Fault(
        "a differential list of the same version is taken",
        "local_list.py",
        "await self._context.store.local_list_version() >= request.list_version",
        "await self._context.store.local_list_version() > request.list_version",
        ("test_local_list.py::test_full_and_differential_updates_with_their_versions",),
    ),
    Fault(
        "an older scheduled change of availability is carried out too",
        "availability.py",
        "            self._scheduled.pop(each, None)\n",
        "            self._scheduled.get(each)\n",
        ("test_availability.py::test_a_newer_request_replaces_a_scheduled_one",),
    ),
    Fault(
        "clock-aligned values skip every second boundary",
        "metering.py",
        "timedelta(seconds=interval * (passed + 1))",
        "timedelta(seconds=interval * (passed + 2))",
        ("test_metering.py::test_boundaries_are_multiples_from_midnight",),
    ),
)


def test_there_are_twenty_faults_in_rules_of_the_library() -> None:
    assert len(FAULTS) == len({fault.name for fault in FAULTS}) == 20
    for fault in FAULTS:
        text = (SOURCE / "ocpp16" / fault.file).read_text(encoding="utf-8")
        assert text.count(fault.text) == 1, f"{fault.file} has the text {text.count(fault.text)} times: {fault.text}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_suite_finds(fault: Fault, tmp_path: Path) -> None:
    copy = tmp_path / "src"
    for package in ("ocpp16", "evse_security"):
        shutil.copytree(SOURCE / package, copy / package)
    planted = copy / "ocpp16" / fault.file
    planted.write_text(planted.read_text(encoding="utf-8").replace(fault.text, fault.planted), encoding="utf-8")
    found = _run(copy, [f"tests/ocpp16/{test}" for test in fault.tests])
    assert found.returncode == TESTS_FAILED, f"not found by {fault.tests}:\n{found.stdout[-3000:]}"
    assert str(copy) in found.stdout, "the tests did not run on the copy"


def _run(source: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """The tests on this source, one after the other, until the first failure."""
    options = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", f"pythonpath={source} {ROOT}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "planted",
    }
    show = ["--tb=line", "-p", "tests.support.where"]
    command = [sys.executable, "-m", "pytest", *options, *show, *tests]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
