"""The session machine of one EVSE (station 2.4 to 2.8): a literal table of guards, and what entering a state does.

Pure and synchronous: the shell reports what happened (`plug`, `contactor`, `authorize`, `stop` ...) with the time in
seconds of a monotonic clock, calls `step(now)`, and carries out `take_effects()` in order. `deadline(now)` says when
the next step is due. DEPARTURES: E1 and E3 (time and uuid) are the shell's; E4 in availability.py; E6: no state is
announced twice for a fatal error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from everest.contracts.types.authorization import AuthorizationType, ProvidedIdToken
from everest.contracts.types.evse_manager import (
    EnableDisableSource,
    PauseChargingEVSEReasonEnum,
    SessionEventEnum,
    StartSessionReason,
    StopTransactionReason,
)

from .availability import AvailabilityTable
from .board_drive import BoardDrive
from .charge_loop import SLACK_S, ChargeLoop
from .reservation import Reservation
from .session_table import ENTRY_EVENTS, PWM_STATES, TABLE
from .states import (
    MINIMUM_CURRENT_A,
    BeginTransaction,
    Effect,
    Emit,
    EnableBoard,
    EndTransaction,
    Enter,
    ForgetTransaction,
    GiveUpHlc,
    SessionClosing,
    SessionOpened,
    State,
    Times,
    Unplugged,
)

Ev = SessionEventEnum


@dataclass
class Stop:
    """What ended the transaction: the reason and the token of the last stop request."""

    reason: StopTransactionReason = StopTransactionReason.EVDisconnected
    id_tag: ProvidedIdToken | None = None


class SessionMachine:
    """State of one EVSE. Create it, then `start()`; see the module's head for the contract."""

    def __init__(
        self, new_session_id: Callable[[], str], times: Times | None = None, *, has_ventilation: bool = True
    ) -> None:
        self.times = times or Times()
        self.has_ventilation = has_ventilation
        self.table = AvailabilityTable()
        self.reservation = Reservation()
        self.state = State.Disabled
        self.uuid = ""
        self.transaction = False
        self.authorized = False
        self.token: ProvidedIdToken | None = None
        self.plugged = False
        self.wants_power = False
        self.contactor_closed = False
        self.hlc_asleep = False
        """The car paused by ISO 15118: a short state C only wakes the EVSE, it does not ask for power."""
        self.loop = ChargeLoop(self.times)
        self._wants_since: float | None = None
        self.fatal = False
        self.user_pause = False
        self.offered_A = 0.0
        self.begins_without_power = False
        """Whether a transaction begins with nothing offered (random delay)."""
        self.three_phases = True
        self._budget_three_phases = True
        self._operator_three_phases = True
        self._new_session_id = new_session_id
        self._started = False
        self._stop: Stop | None = None
        self.stale_car = False
        self._entered = 0.0
        self.woken = False
        self._announced: tuple[PauseChargingEVSEReasonEnum, ...] = ()
        self._connector: int | None = None
        self._drive = BoardDrive(self.times)
        self._effects: list[Effect] = []

    # --- what the shell reports ---

    def start(self, now: float) -> None:
        """Announce Enabled or Disabled and begin (station 2.2, step 10). Called once."""
        self._started = True
        if self.table.enabled:
            self._enter(State.Idle, now)
        else:
            self._enter_disabled(now)

    def plug(self, control_pilot: str) -> None:
        """A control pilot event A..F of the board. E (0 V) takes the power demand away; F is the EVSE's own doing."""
        if control_pilot == "A":
            if self.transaction and self._stop is None:
                self._stop = Stop()  # whoever is plugged in before the contactor is open is another car
            self.plugged = self.wants_power = self.stale_car = self.hlc_asleep = False
        elif control_pilot in ("B", "C", "D"):
            self.plugged = True
            self.wants_power = control_pilot == "C" or (control_pilot == "D" and self.has_ventilation)
        elif control_pilot == "E":
            self.wants_power = False

    def sleep(self) -> None:
        """The car pauses by ISO 15118."""
        self.hlc_asleep = True

    def contactor(self, closed: bool) -> None:
        self.contactor_closed = closed

    def authorize(self, token: ProvidedIdToken, reservation_id: int | None) -> bool:
        """An accepted authorization; False (ignored) after a stop, while disabling, or when already authorized."""
        if self._stop is not None or not self.table.enabled or self.state is State.Disabled or self.authorized:
            return False
        if not self.uuid:
            self._open_session(StartSessionReason.Authorized, token)
            self.reservation.drop()
        self.authorized = True
        self.token = token
        self._emit(Ev.Authorized)
        if reservation_id is not None and self.state is State.Idle:
            self.reservation.store(reservation_id)
        return True

    def withdraw(self) -> bool:
        """Ends a session without transaction (station 2.5). True if it was a plug in timeout."""
        if not self.uuid:
            return False
        unused = not self.transaction and self.state in (State.Idle, State.WaitingForAuthentication)
        if self.authorized and unused:
            if self.reservation.end():
                self._emit(Ev.ReservationEnd, uuid="")
            self._emit(Ev.Deauthorized)
            self._close_session()
            return False
        if not self.authorized and not (unused and self.plugged):
            return False
        self._emit(Ev.Deauthorized)
        if not self.authorized:
            self._emit(Ev.PluginTimeout)
            return True
        return False

    def stop(self, reason: StopTransactionReason, id_tag: ProvidedIdToken | None = None) -> bool:
        """Ask for the end of the transaction; False if there is none. The last request's reason counts."""
        if not self.transaction:
            return False
        self._stop = Stop(reason, id_tag)
        return True

    def pause(self) -> bool:
        """Set the user's pause; False (and nothing) without transaction. Only the charging states look at it."""
        if self.transaction:
            self.user_pause = True
        return self.transaction

    def resume(self) -> bool:
        if self.transaction:
            self.user_pause = False
        return self.transaction

    def set_availability(self, row: EnableDisableSource, connector_id: int) -> bool:
        """enable_disable (station 2.6); returns the resulting availability."""
        self._connector = 1 if connector_id != 0 else None
        enabled = self.table.set(row)
        if not enabled and self.transaction:
            self._stop = Stop(StopTransactionReason.EVSEDisabled)
        return enabled

    def set_fault(self, fatal: bool, now: float) -> None:
        """The first fatal error came, or the last one went (station 2.7)."""
        new = fatal and not self.fatal
        self.fatal = fatal
        if not new:
            return
        self._end_reservation()
        if self.state is State.ChargingPausedEVSE:
            self._drive.show_fault(now)

    def reserve(self, reservation_id: int) -> bool:
        """Command reserve (station 2.8)."""
        if self.state is not State.Idle or self.fatal or self.uuid or not self.table.enabled:
            return False
        accepted, announce = self.reservation.reserve(reservation_id)
        if announce:
            self._emit(Ev.ReservationStart, uuid="")
        return accepted

    def cancel_reservation(self) -> None:
        self._end_reservation()

    def offer(self, amps: float) -> None:
        """The current that the energy budget allows per phase; negative: what the car is to give back."""
        self.offered_A = amps

    def allow_three_phases(self, *, budget: bool | None = None, operator: bool | None = None) -> None:
        """Whether budget and operator allow three phases; both must. Switched with a pause while charging."""
        self._budget_three_phases = self._budget_three_phases if budget is None else budget
        self._operator_three_phases = self._operator_three_phases if operator is None else operator

    @property
    def wanted_three_phases(self) -> bool:
        return self._budget_three_phases and self._operator_three_phases

    def take_effects(self) -> list[Effect]:
        """The effects since the last call, in order."""
        effects, self._effects = self._effects, []
        return effects

    # --- the machine ---

    def step(self, now: float) -> None:
        """Follow the table until no guard is true, then bring pilot and contactor in line."""
        if not self._started:
            return
        if not self.wants_power or self._wants_since is None:
            self._wants_since = now if self.wants_power else None
        for _ in range(len(TABLE)):
            if self._transaction_due:
                self._begin_transaction(now)
            target = next((target for guard, target in TABLE[self.state] if guard(self, now)), None)
            if target is None:
                break
            self._enter(target, now)
        self._announce_pause()
        self._effects += self._drive.orders(self, now)

    def deadline(self, now: float) -> float | None:
        """When a guard or an order that depends on time may become true; None: only something new can."""
        due = self._drive.due(self.state)
        if self.state is State.PrepareCharging and self._drive.pwm_since is not None:
            due.append(self._drive.pwm_since + self._patience())
        if self.loop.until is not None:
            due.append(self.loop.until)
        if self.state is State.ChargingPausedEV and self.hlc_asleep and self._wants_since is not None:
            due.append(self._wants_since + self.times.longest_toggle_s)
        due += [self._entered + seconds for seconds in self.times.of(self.state)]
        return min((moment for moment in due if moment > now), default=None)

    @property
    def power_available(self) -> bool:
        return self.offered_A > MINIMUM_CURRENT_A or self.offered_A < 0.0

    @property
    def offers_power(self) -> bool:
        """A car that wants to charge now would be given power."""
        return self.state in PWM_STATES and self.power_available

    @property
    def asks_for_energy(self) -> bool:
        """False: request_zero_power_in_idle applies. DEPARTURE E5: every state with a transaction asks for energy."""
        return self.transaction or self.state is State.WaitingForAuthentication

    @property
    def end_wanted(self) -> bool:
        return self._stop is not None or not self.plugged or not self.table.enabled

    def pause_reasons(self) -> tuple[PauseChargingEVSEReasonEnum, ...]:
        """Why the EVSE does not let the car charge, in EVerest's order."""
        reasons = (
            (self.fatal, PauseChargingEVSEReasonEnum.Error),
            (not self.power_available, PauseChargingEVSEReasonEnum.NoEnergy),
            (self.user_pause, PauseChargingEVSEReasonEnum.UserPause),
        )
        return tuple(reason for holds, reason in reasons if holds)

    def since(self, now: float) -> float:
        """Seconds in the present state, with a little slack for floating point."""
        return now - self._entered + SLACK_S

    @property
    def _transaction_due(self) -> bool:
        """Plugged in and authorized (station 2.5), with nothing that forbids it."""
        waits = self.state is State.WaitingForAuthentication and self.authorized and not self.transaction
        return waits and not self.end_wanted and not self.fatal

    def car_asks_for_power(self, now: float) -> bool:
        """State C, and not one that is a wake-up signal."""
        if not self.loop.allows:
            return False
        if not self.wants_power or not self.hlc_asleep:
            return self.wants_power
        return self._wants_since is not None and now - self._wants_since + SLACK_S >= self.times.longest_toggle_s

    def phase_switch_due(self) -> bool:
        return self.wanted_three_phases != self.three_phases

    def car_unresponsive(self, now: float) -> bool:
        """PWM offers power since long enough and the car did not go to C."""
        since = self._drive.pwm_since
        return since is not None and now - since + SLACK_S >= self._patience()

    def _patience(self) -> float:
        return self.times.car_paused_after_wake_up_s if self.woken else self.times.wake_up_after_s

    # --- entering states ---

    def _enter(self, target: State, now: float) -> None:
        source = self.state
        if target is State.Disabled:
            self._enter_disabled(now)
            return
        if target is State.Idle:
            self._enter_idle(source)
        if source is State.WaitingForAuthentication and self.transaction:
            self.loop.end_wait()
            if target is State.T_step_EF:
                self._effects.append(GiveUpHlc())
        if target is State.WaitingForAuthentication and not self.uuid:
            self._open_session(StartSessionReason.EVConnected, None)
        self.state = target
        self._entered = now
        self._drive.entered()
        self._effects.append(Enter(target))
        if target is State.Finished:
            self._end_transaction()
        if target is State.T_step_EF and source is State.PrepareCharging:
            self.woken = True
        if target is State.ChargingPausedEVSE:
            self._announced = ()
            if self.fatal:
                self._drive.show_fault(now)
        elif target in ENTRY_EVENTS:
            self._emit(ENTRY_EVENTS[target])

    def _enter_idle(self, source: State) -> None:
        self._close_session()
        if source is State.Disabled:
            self._emit(Ev.Enabled, uuid="", source=self.table.winner, connector_id=self._connector)
            self._effects.append(EnableBoard(True))
        self._effects.append(Unplugged())

    def _enter_disabled(self, now: float) -> None:
        self._close_session()
        self._end_reservation()
        self.stale_car = self.plugged
        self.state = State.Disabled
        self._entered = now
        self._effects.append(Enter(State.Disabled))
        self._emit(Ev.Disabled, uuid="", source=self.table.winner, connector_id=self._connector)
        self._effects.append(self._drive.disable(now))
        self._effects.append(EnableBoard(False))

    def _open_session(self, reason: StartSessionReason, token: ProvidedIdToken | None) -> None:
        self.uuid = self._new_session_id()
        self.woken = False
        self._effects.append(SessionOpened(self.uuid))
        self._emit(Ev.SessionStarted, start_reason=reason, id_tag=token, reservation_id=self.reservation.shown_id)

    def _close_session(self) -> None:
        if self.uuid:
            self._effects.append(SessionClosing(self.uuid))
            self._emit(Ev.SessionFinished)
        elif self.state is State.WaitingForAuthentication and not self.plugged:
            # the car outlived its session (deauthorized while plugged in): EVerest reports its unplug once more
            self._emit(Ev.SessionFinished, uuid="")
        self.uuid = ""
        self.authorized = self.user_pause = False
        self.token = None
        self._stop = None

    def _begin_transaction(self, now: float) -> None:
        assert self.token is not None
        self.transaction = True
        self.loop.begin(now, by_contract=self.token.authorization_type is AuthorizationType.PlugAndCharge)
        if self.begins_without_power:
            self.offered_A = 0.0
        self._effects.append(BeginTransaction(self.uuid, self.token))
        self._emit(Ev.TransactionStarted, id_tag=self.token, reservation_id=self.reservation.shown_id)
        self.reservation.drop()

    def abort_transaction(self, now: float) -> None:
        """The meter did not start: no transaction and no charging until replug."""
        self.transaction = self.authorized = False
        self.loop.end()
        self.state = State.Finished
        self._entered = now
        self._effects.append(Enter(State.Finished))

    def _end_transaction(self) -> None:
        if not self.transaction:
            return
        stop = self._stop or Stop()
        self.transaction = self.authorized = False
        self.loop.end()
        self._effects.append(EndTransaction(self.uuid))
        self._emit(Ev.ChargingFinished)
        self._emit(Ev.TransactionFinished, stop_reason=stop.reason, id_tag=stop.id_tag)
        self._effects.append(ForgetTransaction())

    def _end_reservation(self) -> None:
        if self.reservation.end():
            self._emit(Ev.ReservationEnd, uuid="")

    def _emit(
        self,
        event: SessionEventEnum,
        *,
        uuid: str | None = None,
        start_reason: StartSessionReason | None = None,
        stop_reason: StopTransactionReason | None = None,
        id_tag: ProvidedIdToken | None = None,
        reservation_id: int | None = None,
        pause_reasons: tuple[PauseChargingEVSEReasonEnum, ...] = (),
        source: EnableDisableSource | None = None,
        connector_id: int | None = None,
    ) -> None:
        session = self.uuid if uuid is None else uuid
        self._effects.append(
            Emit(event, session, start_reason, stop_reason, id_tag, reservation_id, pause_reasons, source, connector_id)
        )

    def _announce_pause(self) -> None:
        """ChargingPausedEVSE, again only when the list of reasons changes."""
        if self.state is not State.ChargingPausedEVSE:
            return
        reasons = self.pause_reasons()
        if reasons and reasons != self._announced:
            self._announced = reasons
            self._emit(Ev.ChargingPausedEVSE, pause_reasons=reasons)
