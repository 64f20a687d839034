"""The words of the session machine: states, what it orders from the outside, and its times.

Pure data (station 2.4, 2.11). The machine that uses them is session.py; nothing here knows the bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from everest.contracts.types.authorization import ProvidedIdToken
from everest.contracts.types.evse_manager import (
    EnableDisableSource,
    PauseChargingEVSEReasonEnum,
    SessionEventEnum,
    StartSessionReason,
    StopTransactionReason,
)


class State(StrEnum):
    """States of an EVSE; names of EVerest's Charger."""

    Disabled = "Disabled"
    Idle = "Idle"
    WaitingForAuthentication = "WaitingForAuthentication"
    PrepareCharging = "PrepareCharging"
    Charging = "Charging"
    ChargingPausedEV = "ChargingPausedEV"
    ChargingPausedEVSE = "ChargingPausedEVSE"
    StoppingCharging = "StoppingCharging"
    Finished = "Finished"
    T_step_EF = "T_step_EF"
    T_step_X1 = "T_step_X1"
    SwitchPhases = "SwitchPhases"


# state -> (number, text) of the external topics state/state and state/state_string (station 2.4, 2.11)
STATE_TOPICS: dict[State, tuple[int, str]] = {
    State.Disabled: (0, "Disabled"),
    State.Idle: (1, "Idle"),
    State.WaitingForAuthentication: (2, "Wait for Auth"),
    State.PrepareCharging: (3, "PrepareCharging"),
    State.Charging: (4, "Charging"),
    State.ChargingPausedEV: (5, "Car Paused"),
    State.ChargingPausedEVSE: (6, "EVSE Paused"),
    State.StoppingCharging: (7, "StoppingCharging"),
    State.Finished: (8, "Finished"),
    State.T_step_EF: (9, "T_step_EF"),
    State.T_step_X1: (10, "T_step_X1"),
    State.SwitchPhases: (11, "SwitchPhases"),
}

ISO_DUTY = 5.0
"""PWM that says: ISO 15118 tells the current."""

MINIMUM_CURRENT_A = 5.9
"""An offer above this counts as power (station 2.4)."""


@dataclass(frozen=True)
class Times:
    """Seconds of the machine (station 2.4); `state_f_s` and `phase_switch_s` come from the configuration."""

    wake_up_after_s: float = 30.0
    wake_up_state_f_s: float = 4.0
    wake_up_x1_s: float = 0.75
    car_paused_after_wake_up_s: float = 10.0
    open_contactor_after_s: float = 6.0
    force_power_off_s: float = 20.0
    pwm_change_s: float = 5.0
    state_f_s: float = 0.3
    phase_switch_s: float = 10.0
    phase_switch_state_f: bool = False
    fixed_duty: float | None = None
    """PWM in percent that does not tell the current; None: it does."""
    waiting_duty: float | None = None
    """PWM in percent while waiting for authorization: the car may talk. None: no PWM then."""
    waiting_duty_after_s: float = 0.5
    five_percent_start: bool = False
    """A car that talks ISO 15118 is told its current by that from its authorization on, whoever pays (AC)."""
    enforce_hlc: bool = False
    """Power is given by ISO 15118 only: the PWM never tells the current (AC)."""
    charge_loop_within_s: float = 10.0
    """So long after the authorization a car may take to begin to charge by ISO 15118, before the PWM tells it."""
    longest_toggle_s: float = 3.0
    """A state C of a sleeping car (ISO 15118) that is shorter than this only wakes the EVSE."""

    def of(self, state: State) -> tuple[float, ...]:
        """Seconds after entering `state` at which something may be due."""
        return {
            State.T_step_EF: (self.wake_up_state_f_s,),
            State.T_step_X1: (self.wake_up_x1_s,),
            State.SwitchPhases: (self.open_contactor_after_s, self.phase_switch_s),
            State.WaitingForAuthentication: (self.waiting_duty_after_s,),
            State.StoppingCharging: (self.open_contactor_after_s, self.force_power_off_s),
        }.get(state, ())


# --- effects: what the machine asks the shell to do, strictly in this order ---


@dataclass(frozen=True)
class Emit:
    """Publish a session_event. Only the fields its kind carries are set; the shell adds meter value and time."""

    event: SessionEventEnum
    uuid: str = ""
    start_reason: StartSessionReason | None = None
    stop_reason: StopTransactionReason | None = None
    id_tag: ProvidedIdToken | None = None
    reservation_id: int | None = None
    pause_reasons: tuple[PauseChargingEVSEReasonEnum, ...] = ()
    source: EnableDisableSource | None = None
    connector_id: int | None = None


@dataclass(frozen=True)
class Enter:
    """The state changed: external state topics, energy request."""

    state: State


@dataclass(frozen=True)
class Pilot:
    """Control pilot of the EVSE: `duty` percent while PWM runs, else None; `state_f` orders state F, else X1."""

    duty: float | None = None
    state_f: bool = False


@dataclass(frozen=True)
class AllowPower:
    """Allow the contactor to close, or order it open."""

    allowed: bool


@dataclass(frozen=True)
class EnableBoard:
    enabled: bool


@dataclass(frozen=True)
class SetPhases:
    three_phases: bool


@dataclass(frozen=True)
class BeginTransaction:
    """Start the meter's transaction and remember `uuid` over a power loss (station 2.10)."""

    uuid: str
    id_tag: ProvidedIdToken


@dataclass(frozen=True)
class EndTransaction:
    """End the meter's transaction: a last reading and its signature."""

    uuid: str


@dataclass(frozen=True)
class ForgetTransaction:
    """Forget the stored id. After TransactionFinished: a kill in between repeats the event, it never loses it."""


@dataclass(frozen=True)
class SessionOpened:
    """A session began (before its SessionStarted): an empty ev_info goes out."""

    uuid: str


@dataclass(frozen=True)
class SessionClosing:
    """A session ends (before its SessionFinished): an empty ev_info goes out."""

    uuid: str


@dataclass(frozen=True)
class GiveUpHlc:
    """The car did not begin to charge by ISO 15118 in time: the V2G session is over, the PWM tells the current."""


@dataclass(frozen=True)
class Unplugged:
    """The EVSE became Idle: own errors are cleared, the connector is unlocked."""


Effect = (
    Emit
    | Enter
    | Pilot
    | AllowPower
    | EnableBoard
    | SetPhases
    | BeginTransaction
    | EndTransaction
    | ForgetTransaction
    | SessionOpened
    | SessionClosing
    | GiveUpHlc
    | Unplugged
)
