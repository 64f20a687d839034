"""The small tables: availability, reservation, budget, faults, register files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from everest.contracts.types.energy import (
    EnforcedLimits,
    IntegerWithSource,
    LimitsReq,
    LimitsRes,
    NumberWithSource,
    ScheduleReqEntry,
)
from everest.contracts.types.evse_manager import EnableDisableSource
from everest.contracts.types.evse_manager import EnableDisableSourceEnableSource as Source
from everest.contracts.types.evse_manager import EnableDisableSourceEnableState as State
from modules.EvseManagerSim import budget, faults
from modules.EvseManagerSim.availability import AvailabilityTable
from modules.EvseManagerSim.register import FileRegister
from modules.EvseManagerSim.reservation import Reservation

# --- availability (station 2.6) ---


def row(source: Source, state: State, priority: int) -> EnableDisableSource:
    return EnableDisableSource(enable_source=source, enable_state=state, enable_priority=priority)


def test_an_empty_table_is_enabled() -> None:
    assert AvailabilityTable().enabled


@pytest.mark.parametrize(
    ("rows", "enabled"),
    [
        ([row(Source.CSMS, State.Disable, 5000)], False),
        ([row(Source.CSMS, State.Disable, 5000), row(Source.CSMS, State.Enable, 5000)], True),
        ([row(Source.CSMS, State.Disable, 5000), row(Source.LocalAPI, State.Enable, 100)], True),
        ([row(Source.CSMS, State.Disable, 5000), row(Source.LocalAPI, State.Enable, 6000)], False),
        ([row(Source.CSMS, State.Enable, 5000), row(Source.LocalAPI, State.Disable, 5000)], False),
        ([row(Source.CSMS, State.Disable, 5000), row(Source.CSMS, State.Unassigned, 1)], True),
    ],
)
def test_the_lowest_number_wins_and_disable_wins_a_draw(rows: list[EnableDisableSource], enabled: bool) -> None:
    table = AvailabilityTable()
    results = [table.set(entry) for entry in rows]
    assert results[-1] is table.enabled is enabled


# --- reservation (station 2.8) ---


@pytest.mark.parametrize(
    ("ids", "answers"),
    [
        ([7, 7], [(True, True), (True, False)]),
        ([7, 8], [(True, True), (False, False)]),
        ([-1, -1], [(True, True), (True, True)]),
        ([-1, 7], [(True, True), (True, True)]),
        ([7, -1], [(True, True), (False, False)]),
    ],
)
def test_who_may_reserve_and_what_is_announced(ids: list[int], answers: list[tuple[bool, bool]]) -> None:
    reservation = Reservation()
    assert [reservation.reserve(number) for number in ids] == answers


def test_a_used_reservation_is_dropped_without_end() -> None:
    reservation = Reservation()
    reservation.reserve(7)
    assert reservation.shown_id == 7
    reservation.drop()
    assert reservation.end() is False


# --- budget (station 2.9, 7.1, 7.2) ---

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
HARDWARE = budget.Hardware()


def entry(timestamp: str = "2026-01-01T00:00:00Z", **limits: float) -> ScheduleReqEntry:
    root = LimitsReq(**{name: NumberWithSource(value=value, source=name) for name, value in limits.items()})
    return ScheduleReqEntry(timestamp=timestamp, limits_to_root=root, limits_to_leaves=LimitsReq())


def own(*external: ScheduleReqEntry, phases: int = 3, wanted: bool = True) -> tuple[float, str]:
    made = budget.own_budget(
        module_id="evse", hardware=HARDWARE, external=external, phases=phases, wanted=wanted, now="T"
    )
    current = made.limits_root_side.ac_max_current_A
    assert current is not None
    return round(current.value, 3), current.source


def test_the_smallest_limit_wins_and_names_its_source() -> None:
    assert own() == (32.0, "evse/evse_board_support_caps")
    assert own(entry(ac_max_current_A=16.0)) == (16.0, "ac_max_current_A")
    assert own(entry(ac_max_current_A=64.0)) == (32.0, "evse/evse_board_support_caps")
    assert own(entry(ac_max_current_A=16.0, total_power_W=6900.0)) == (10.0, "total_power_W")
    assert own(entry(total_power_W=6900.0), phases=1) == (30.0, "total_power_W")


def test_below_the_minimum_there_is_nothing() -> None:
    assert own(entry(ac_max_current_A=5.9))[0] == 0.0
    assert own(entry(ac_max_current_A=6.0))[0] == 6.0
    assert own(entry(ac_max_current_A=-8.0))[0] == 0.0
    assert own(wanted=False)[0] == 0.0


def test_the_first_entry_counts_at_once_and_each_until_the_next() -> None:
    schedule = [entry("2026-01-05T11:00:00Z"), entry("2026-01-05T12:00:00Z")]
    assert budget.active_entry([], NOW) is None
    assert budget.active_entry(schedule, NOW) is schedule[0]
    assert budget.active_entry(schedule, NOW.replace(hour=12)) is schedule[1]
    assert budget.active_entry(schedule, NOW.replace(hour=23)) is schedule[1]


@pytest.mark.parametrize(
    ("root", "amps"),
    [
        (LimitsRes(), 0.0),
        (LimitsRes(ac_max_current_A=NumberWithSource(value=16.0, source="")), 16.0),
        (LimitsRes(ac_max_current_A=NumberWithSource(value=-16.0, source="")), 0.0),
        (
            LimitsRes(
                ac_max_current_A=NumberWithSource(value=16.0, source=""),
                total_power_W=NumberWithSource(value=6900.0, source=""),
            ),
            10.0,
        ),
    ],
)
def test_the_offered_current_of_a_budget(root: LimitsRes, amps: float) -> None:
    limits = EnforcedLimits(uuid="evse", valid_for=10, limits_root_side=root, schedule=[])
    assert budget.offered_current(limits, nominal_voltage_V=230.0, phases=3) == amps


def test_the_smallest_phase_count_counts() -> None:
    limited = entry()
    limited.limits_to_leaves = LimitsReq(ac_max_phase_count=IntegerWithSource(value=1, source="ocpp"))
    made = budget.own_budget(module_id="e", hardware=HARDWARE, external=[limited], phases=3, wanted=True, now="T")
    assert budget.offered_phases(made) == 1


# --- faults (station 2.7, 3.5) ---


def test_inoperative_names_all_causes_in_order_and_the_first_in_its_message() -> None:
    book = faults.FaultBook()
    assert book.inoperative() is None
    book.raised("powermeter/VendorWarning")
    book.raised("evse_board_support/VendorWarning")
    book.raised("ac_rcd/DC", "x")
    found = book.inoperative()
    assert found == faults.Inoperative("ac_rcd/DC", "DC/x, VendorWarning", "EVerest")
    book.cleared("ac_rcd/DC", "x")
    book.cleared("powermeter/VendorWarning")
    assert book.inoperative() is None


def test_causes_are_listed_in_everest_s_order_whenever_they_came() -> None:
    kinds = [
        "evse_manager/Internal", "evse_board_support/BrownOut", "connector_lock/VendorError", "ac_rcd/AC",
        "isolation_monitor/DeviceFault", "power_supply_DC/VendorError", "powermeter/VendorError",
        "generic/CommunicationFault", "over_voltage_monitor/MREC5OverVoltage",
    ]  # fmt: skip
    book = faults.FaultBook()
    for kind in reversed(kinds):
        book.raised(kind)
    found = book.inoperative()
    assert found is not None
    assert (found.message, found.description) == (kinds[0], ", ".join(kind.partition("/")[2] for kind in kinds))


@pytest.mark.parametrize(
    "kind",
    [
        "evse_manager/Inoperative", "evse_board_support/MREC3HighTemperature",
        "evse_board_support/MREC18CableOverTempDerate", "evse_board_support/VendorWarning",
        "connector_lock/VendorWarning", "ac_rcd/VendorWarning", "isolation_monitor/VendorWarning",
        "power_supply_DC/VendorWarning", "over_voltage_monitor/VendorWarning", "generic/VendorWarning",
    ],
)  # fmt: skip
def test_only_these_errors_leave_the_evse_operative(kind: str) -> None:
    book = faults.FaultBook()
    book.raised(kind)
    assert book.inoperative() is None
    assert len(faults.NOT_FATAL) == 10


def test_inoperative_can_carry_the_vendor_of_its_cause() -> None:
    book = faults.FaultBook(use_vendor_id=True)
    book.raised("evse_board_support/VendorError", "", "acme")
    found = book.inoperative()
    assert found is not None and found.vendor_id == "acme"


def test_every_injectable_error_has_a_known_namespace() -> None:
    assert len(faults.INJECTABLE) == 24 + 5 + 7 + 1
    namespaces = {kind.partition("/")[0] for kind in faults.INJECTABLE.values()}
    assert namespaces == {"evse_board_support", "connector_lock", "ac_rcd", "powermeter"}


def test_a_missing_raise_clears() -> None:
    assert faults.parse_injection('{"error_type": "DiodeFault"}') == faults.Injection(faults.DIODE_FAULT, False)
    assert faults.parse_injection('{"error_type": "DiodeFault", "raise": "True"}').raised is False


def test_over_current_trips_after_its_time_and_starts_anew_after_a_pause() -> None:
    watch = faults.OverCurrentWatch(noise_A=0.5, tolerance_percent=10.0, timeout_s=7.0)
    assert not watch.tripped(0.0, 18.1, 16.0)  # (16 + 0.5) * 1.1 = 18.15
    assert not watch.tripped(1.0, 18.2, 16.0)
    assert not watch.tripped(7.9, 18.2, 16.0)
    assert watch.tripped(8.0, 18.2, 16.0)
    assert not watch.tripped(9.0, 10.0, 16.0)
    assert not watch.tripped(10.0, 18.2, 16.0)


# --- register (station 2.10) ---


async def test_a_file_register_keeps_values_and_survives_rubbish(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register = FileRegister(tmp_path)
    assert await register.load("meter") is None
    await register.store("meter", {"L1": 1.5})
    assert await FileRegister(tmp_path).load("meter") == {"L1": 1.5}
    (tmp_path / "meter.json").write_text("{")
    assert await register.load("meter") is None
    assert "meter.json" in caplog.text
    await FileRegister(tmp_path / "absent").store("meter", {})
    assert "cannot be written" in caplog.text
