"""The energy budget of one EVSE without an energy tree (station 7.1, 7.2): minimum of hardware and external limits.

Pure: `own_budget()` makes the EnforcedLimits that the EVSE gives itself each second; `offered_current()` reads one
(its own or an energy manager's) as station 2.9 says. Sources are named like EVerest's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from everest.contracts.types.energy import (
    EnforcedLimits,
    IntegerWithSource,
    LimitsReq,
    LimitsRes,
    NumberWithSource,
    ScheduleReqEntry,
    ScheduleResEntry,
)

VALID_FOR_S = 10


@dataclass(frozen=True)
class Hardware:
    """What the board can do."""

    min_current_A: float = 6.0
    max_current_A: float = 32.0
    max_phases: int = 3
    min_phases: int = 1
    switches_phases: bool = True
    """While charging."""
    nominal_voltage_V: float = 230.0
    max_export_A: float = 0.0


def active_entry(schedule: list[ScheduleReqEntry], now: datetime) -> ScheduleReqEntry | None:
    """The entry that counts: the last that began, else the first; None for an empty schedule (station 7.1)."""
    current = schedule[0] if schedule else None
    for entry in schedule:
        if parse_time(entry.timestamp) <= now:
            current = entry
    return current


def parse_time(text: str) -> datetime:
    """RFC 3339 to aware datetime; ValueError names the text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without zone: {text!r}")
    return moment


def own_budget(
    *,
    module_id: str,
    hardware: Hardware,
    external: Iterable[ScheduleReqEntry],
    phases: int,
    wanted: bool,
    now: str,
) -> EnforcedLimits:
    """The limits that hold now. wanted False: the EVSE is idle and asks for nothing (request_zero_power_in_idle)."""
    limits = [side for entry in external for side in (entry.limits_to_root, entry.limits_to_leaves)]
    current = _smallest_current(f"{module_id}/evse_board_support_caps", hardware, limits, phases)
    if not wanted:
        current = NumberWithSource(value=0.0, source=f"{module_id}/request_zero_power_in_idle")
    elif current.value < hardware.min_current_A:
        current = NumberWithSource(value=0.0, source=current.source)
    result = LimitsRes(
        ac_max_current_A=current,
        ac_max_phase_count=_smallest_phase_count(module_id, hardware, limits),
        total_power_W=_smallest_power(limits),
    )
    return EnforcedLimits(
        uuid=module_id,
        valid_for=VALID_FOR_S,
        limits_root_side=result,
        schedule=[ScheduleResEntry(timestamp=now, limits_to_root=result)],
    )


def under_limits(
    budget: EnforcedLimits, *, hardware: Hardware, external: Iterable[ScheduleReqEntry], phases: int
) -> EnforcedLimits:
    """A budget of an energy manager with the EVSE's own external limits on top of it."""
    limits = [side for entry in external for side in (entry.limits_to_root, entry.limits_to_leaves)]
    root = budget.limits_root_side
    if not limits or root.ac_max_current_A is None:
        return budget
    limits.append(
        LimitsReq(
            ac_max_current_A=root.ac_max_current_A,
            ac_max_phase_count=root.ac_max_phase_count,
            total_power_W=root.total_power_W,
        )
    )
    current = _smallest_current(root.ac_max_current_A.source, hardware, limits, phases)
    if current.value < hardware.min_current_A:
        current = NumberWithSource(value=0.0, source=current.source)
    counts = [limit.ac_max_phase_count for limit in limits if limit.ac_max_phase_count is not None]
    count = min(counts, key=lambda number: number.value, default=None)
    power = _smallest_power(limits)
    result = replace(root, ac_max_current_A=current, ac_max_phase_count=count, total_power_W=power)
    return replace(budget, limits_root_side=result)


def discharge_under_limits(
    budget: EnforcedLimits, *, hardware: Hardware, external: Iterable[ScheduleReqEntry], phases: int
) -> EnforcedLimits:
    """A budget that asks a car for energy, within what the board and external limits of export let through."""
    limits = [side for entry in external for side in (entry.limits_to_root, entry.limits_to_leaves)]
    volts = hardware.nominal_voltage_V * max(phases, 1)
    asked = -offered_current(budget, nominal_voltage_V=hardware.nominal_voltage_V, phases=phases, bidirectional=True)
    found = [asked, hardware.max_export_A]
    found += [limit.ac_max_current_A.value for limit in limits if limit.ac_max_current_A is not None]
    found += [limit.total_power_W.value / volts for limit in limits if limit.total_power_W is not None]
    amps = max(0.0, min(found))
    root = budget.limits_root_side
    source = next((limit.source for limit in (root.total_power_W, root.ac_max_current_A) if limit is not None), "")
    result = replace(
        root,
        ac_max_current_A=NumberWithSource(value=-amps, source=source),
        total_power_W=NumberWithSource(value=-amps * volts, source=source),
    )
    return replace(budget, limits_root_side=result)


def _smallest_current(source: str, hardware: Hardware, limits: list[LimitsReq], phases: int) -> NumberWithSource:
    found = [NumberWithSource(value=hardware.max_current_A, source=source)]
    for limit in limits:
        if limit.ac_max_current_A is not None:
            found.append(limit.ac_max_current_A)
        if limit.total_power_W is not None:
            amps = limit.total_power_W.value / hardware.nominal_voltage_V / max(phases, 1)
            found.append(NumberWithSource(value=amps, source=limit.total_power_W.source))
    smallest = min(found, key=lambda number: number.value)
    return NumberWithSource(value=max(0.0, smallest.value), source=smallest.source)


def _smallest_power(limits: list[LimitsReq]) -> NumberWithSource | None:
    """A limit in W stays one beside the current it means; None without one."""
    found = [limit.total_power_W for limit in limits if limit.total_power_W is not None]
    return min(found, key=lambda number: number.value, default=None)


def _smallest_phase_count(module_id: str, hardware: Hardware, limits: list[LimitsReq]) -> IntegerWithSource:
    found = [IntegerWithSource(value=hardware.max_phases, source=f"{module_id}/evse_board_support_caps")]
    found += [limit.ac_max_phase_count for limit in limits if limit.ac_max_phase_count is not None]
    return min(found, key=lambda number: number.value)


def offered_current(
    budget: EnforcedLimits, *, nominal_voltage_V: float, phases: int, bidirectional: bool = False
) -> float:
    """The current per phase that a budget allows; missing is 0, and so is negative, but for a car that gives energy
    back (station 2.9).
    """
    root = budget.limits_root_side
    current = root.ac_max_current_A.value if root.ac_max_current_A is not None else 0.0
    if root.total_power_W is not None:
        current = min(current, root.total_power_W.value / nominal_voltage_V / max(phases, 1))
    return current if bidirectional else max(0.0, current)


def offered_phases(budget: EnforcedLimits) -> int | None:
    """The phase count a budget allows, if it says so."""
    count = budget.limits_root_side.ac_max_phase_count
    return None if count is None else count.value
