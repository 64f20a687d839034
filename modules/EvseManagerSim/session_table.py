"""The session machine's table: state -> guards in order of precedence and where they lead (station 2.4, 2.5).

Pure predicates over the machine's fields. What entering a state does is in session.py; a guard that is not here means
"stay".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from everest.contracts.types.evse_manager import SessionEventEnum as Ev

from .states import State

if TYPE_CHECKING:
    from .session import SessionMachine

Guard: TypeAlias = "Callable[[SessionMachine, float], bool]"

PWM_STATES = frozenset({State.PrepareCharging, State.Charging, State.ChargingPausedEV})

# the event that entering a state announces (ChargingPausedEVSE announces its reasons itself)
ENTRY_EVENTS: dict[State, Ev] = {
    State.WaitingForAuthentication: Ev.AuthRequired,
    State.PrepareCharging: Ev.PrepareCharging,
    State.Charging: Ev.ChargingStarted,
    State.StoppingCharging: Ev.StoppingCharging,
    State.ChargingPausedEV: Ev.ChargingPausedEV,
    State.SwitchPhases: Ev.SwitchingPhases,
}


def _enabled(m: SessionMachine, now: float) -> bool:
    return m.table.enabled


def _disabled(m: SessionMachine, now: float) -> bool:
    return not m.table.enabled


def _car_there(m: SessionMachine, now: float) -> bool:
    return m.plugged and not m.stale_car and not m.fatal


def _car_gone(m: SessionMachine, now: float) -> bool:
    return not m.plugged


def _fatal(m: SessionMachine, now: float) -> bool:
    return m.fatal


def _transaction_to_end(m: SessionMachine, now: float) -> bool:
    return m.transaction and m.end_wanted


def _transaction_faulted(m: SessionMachine, now: float) -> bool:
    return m.transaction and m.fatal


def _charge_loop_missing(m: SessionMachine, now: float) -> bool:
    return m.loop.missing(now)


def _may_prepare(m: SessionMachine, now: float) -> bool:
    return m.transaction and not m.loop.awaited


def _end(m: SessionMachine, now: float) -> bool:
    return m.end_wanted


def _charging_possible(m: SessionMachine, now: float) -> bool:
    return m.power_available and m.wants_power and m.loop.allows


def _wake_up(m: SessionMachine, now: float) -> bool:
    return not m.woken and m.car_unresponsive(now)


def _car_unresponsive(m: SessionMachine, now: float) -> bool:
    return m.car_unresponsive(now)


def _held_back(m: SessionMachine, now: float) -> bool:
    return bool(m.pause_reasons())


def _nothing_holds_back(m: SessionMachine, now: float) -> bool:
    return not m.pause_reasons()


def _no_power(m: SessionMachine, now: float) -> bool:
    return not m.power_available


def _car_pauses(m: SessionMachine, now: float) -> bool:
    return not m.wants_power


def _car_wants_power(m: SessionMachine, now: float) -> bool:
    return m.car_asks_for_power(now)


def _switch_phases(m: SessionMachine, now: float) -> bool:
    return m.phase_switch_due()


def _state_f_over(m: SessionMachine, now: float) -> bool:
    return m.since(now) >= m.times.wake_up_state_f_s


def _x1_over(m: SessionMachine, now: float) -> bool:
    return m.since(now) >= m.times.wake_up_x1_s


def _phases_switched(m: SessionMachine, now: float) -> bool:
    return not m.contactor_closed and m.since(now) >= m.times.phase_switch_s


def _open_to_end(m: SessionMachine, now: float) -> bool:
    return _power_off(m, now) and m.end_wanted


def _open_and_held_back(m: SessionMachine, now: float) -> bool:
    return _power_off(m, now) and bool(m.pause_reasons())


def _power_off(m: SessionMachine, now: float) -> bool:
    return not m.contactor_closed or m.since(now) >= m.times.force_power_off_s


TABLE: dict[State, tuple[tuple[Guard, State], ...]] = {
    State.Disabled: ((_enabled, State.Idle),),
    State.Idle: ((_disabled, State.Disabled), (_car_there, State.WaitingForAuthentication)),
    State.WaitingForAuthentication: (
        (_transaction_to_end, State.StoppingCharging),
        (_transaction_faulted, State.StoppingCharging),
        (_disabled, State.Disabled),
        (_car_gone, State.Idle),
        (_fatal, State.Finished),
        (_charge_loop_missing, State.T_step_EF),
        (_may_prepare, State.PrepareCharging),
    ),
    State.PrepareCharging: (
        (_end, State.StoppingCharging),
        (_fatal, State.StoppingCharging),
        (_charging_possible, State.Charging),
        (_wake_up, State.T_step_EF),
        (_car_unresponsive, State.ChargingPausedEV),
    ),
    State.T_step_EF: (
        (_end, State.StoppingCharging),
        (_fatal, State.StoppingCharging),
        (_state_f_over, State.T_step_X1),
    ),
    State.T_step_X1: (
        (_end, State.StoppingCharging),
        (_fatal, State.StoppingCharging),
        (_x1_over, State.PrepareCharging),
    ),
    State.Charging: (
        (_end, State.StoppingCharging),
        (_held_back, State.StoppingCharging),
        (_car_pauses, State.StoppingCharging),
        (_switch_phases, State.SwitchPhases),
    ),
    State.SwitchPhases: (
        (_end, State.StoppingCharging),
        (_fatal, State.StoppingCharging),
        (_phases_switched, State.PrepareCharging),
    ),
    State.StoppingCharging: (
        (_open_to_end, State.Finished),
        (_open_and_held_back, State.ChargingPausedEVSE),
        (_power_off, State.ChargingPausedEV),
    ),
    State.ChargingPausedEV: (
        (_end, State.StoppingCharging),
        (_car_wants_power, State.PrepareCharging),
        (_no_power, State.ChargingPausedEVSE),
    ),
    State.ChargingPausedEVSE: ((_end, State.StoppingCharging), (_nothing_holds_back, State.PrepareCharging)),
    State.Finished: ((_disabled, State.Disabled), (_car_gone, State.Idle)),
}
