"""What the session's state means for the board: control pilot, contactor, phases (station 2.4, 2.7).

Pure: `orders(machine, now)` compares what the board was told last with what the state wants; returns the difference.
Part of the session machine (session.py), which owns one; it knows the machine's fields and nothing of the bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import pilot
from .charge_loop import SLACK_S
from .session_table import PWM_STATES
from .states import ISO_DUTY, AllowPower, Effect, Pilot, SetPhases, State, Times

if TYPE_CHECKING:
    from .session import SessionMachine


class BoardDrive:
    """Memory of what the board was told, and since when."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._pilot: Pilot | None = None
        self._pilot_since = 0.0
        self._power_allowed = False
        self._state_f_until: float | None = None
        self.pwm_since: float | None = None
        """Since when PWM has been running in the present state."""

    def entered(self) -> None:
        """A new state: its times begin anew."""
        self.pwm_since = None
        self._state_f_until = None

    def show_fault(self, now: float) -> None:
        """State F for `state_F_after_fault_ms`."""
        self._state_f_until = now + self._times.state_f_s

    def disable(self, now: float) -> Effect:
        """State F for as long as the EVSE is disabled."""
        return self._told(Pilot(state_f=True), now)

    def orders(self, machine: SessionMachine, now: float) -> list[Effect]:
        """What the board must be told now: phases, then contactor, then pilot."""
        return [*self._phases(machine), *self._contactor(machine, now), *self._control_pilot(machine, now)]

    def due(self, state: State) -> list[float]:
        """Moments at which orders may change by themselves."""
        moments = [] if self._state_f_until is None else [self._state_f_until]
        return [*moments, self._pilot_since + self._times.pwm_change_s] if state is State.Charging else moments

    def _phases(self, machine: SessionMachine) -> list[Effect]:
        if not machine.phase_switch_due() or machine.contactor_closed:
            return []
        machine.three_phases = machine.wanted_three_phases
        return [SetPhases(machine.three_phases)]

    def _contactor(self, machine: SessionMachine, now: float) -> list[Effect]:
        """Closed while charging; a car that stays in C after that keeps it for a while, unless there is a fault."""
        lingers = (
            machine.state in (State.StoppingCharging, State.SwitchPhases)
            and self._power_allowed
            and not machine.fatal
            and machine.wants_power
            and machine.since(now) < self._times.open_contactor_after_s
        )
        allowed = machine.state is State.Charging or lingers
        if allowed == self._power_allowed:
            return []
        self._power_allowed = allowed
        return [AllowPower(allowed)]

    def _control_pilot(self, machine: SessionMachine, now: float) -> list[Effect]:
        if machine.state is State.Disabled:
            return []
        wanted = self._wanted(machine, now)
        told = wanted != self._pilot and self._change_allowed(machine, wanted, now)
        effects = [self._told(wanted, now)] if told else []
        if wanted.duty is None:
            self.pwm_since = None
        elif self.pwm_since is None:
            self.pwm_since = now
        return effects

    def _wanted(self, machine: SessionMachine, now: float) -> Pilot:
        if self._state_f_until is not None and now + SLACK_S >= self._state_f_until:
            self._state_f_until = None
        idle_fault = machine.state is State.Idle and machine.fatal
        switching = machine.state is State.SwitchPhases and self._times.phase_switch_state_f
        if machine.state is State.T_step_EF or idle_fault or switching or self._state_f_until is not None:
            return Pilot(state_f=True)
        if machine.state in PWM_STATES and machine.power_available:
            told = pilot.duty_from_current(machine.offered_A)
            return Pilot(duty=ISO_DUTY if machine.loop.needed else self._times.fixed_duty or told)
        if machine.state is State.WaitingForAuthentication and machine.loop.needed:
            return Pilot(duty=ISO_DUTY)
        if machine.state is State.WaitingForAuthentication and machine.since(now) >= self._times.waiting_duty_after_s:
            return Pilot(duty=self._times.waiting_duty)
        return Pilot()

    def _change_allowed(self, machine: SessionMachine, wanted: Pilot, now: float) -> bool:
        """While charging the PWM changes at most every `pwm_change_s`."""
        regulating = machine.state is State.Charging and wanted.duty is not None
        if not regulating or self._pilot is None or self._pilot.duty is None:
            return True
        return now - self._pilot_since + SLACK_S >= self._times.pwm_change_s

    def _told(self, order: Pilot, now: float) -> Effect:
        self._pilot, self._pilot_since = order, now
        return order
