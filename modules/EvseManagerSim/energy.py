"""The EVSE's energy on the bus: its own budget each second, external limits, and an energy tree if there is one.

Shell around budget.py: provides `external_limits` and `energy_grid`, tells the machine what may be offered,
publishes `enforced_limits` and `limits`. From the first enforce_limits on, the tree's budget replaces the EVSE's own
(station 2.9, 7.2).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from logging import getLogger

from everest.contracts.interfaces.energy import EnergyImplementation
from everest.contracts.interfaces.external_energy_limits import ExternalEnergyLimitsImplementation
from everest.contracts.types.energy import (
    CapabilityLimits,
    EnergyFlowRequest,
    EnforcedLimits,
    EvseState,
    ExternalLimits,
    IntegerWithSource,
    LimitsReq,
    NodeType,
    NumberWithSource,
    ScheduleReqEntry,
)
from everest.contracts.types.evse_manager import Limits
from everest.contracts.types.uk_random_delay import CountDown
from everest.runtime import Clock
from everest.runtime.clock import timestamp

from .budget import (
    Hardware,
    active_entry,
    discharge_under_limits,
    offered_current,
    offered_phases,
    own_budget,
    parse_time,
    under_limits,
)
from .random_delay import RandomDelay, RandomDelayFace
from .session import SessionMachine
from .states import State

log = getLogger(__name__)

PERIOD_S = 1.0

# how the energy tree calls the states (station 2.9)
EVSE_STATES: dict[State, EvseState] = {
    State.Disabled: EvseState.Disabled,
    State.Idle: EvseState.Unplugged,
    State.WaitingForAuthentication: EvseState.WaitForAuth,
    State.PrepareCharging: EvseState.PrepareCharging,
    State.Charging: EvseState.Charging,
    State.ChargingPausedEV: EvseState.PausedEV,
    State.ChargingPausedEVSE: EvseState.PausedEVSE,
    State.StoppingCharging: EvseState.Charging,
    State.Finished: EvseState.Finished,
    State.T_step_EF: EvseState.PrepareCharging,
    State.T_step_X1: EvseState.PrepareCharging,
    State.SwitchPhases: EvseState.PrepareCharging,
}


class ExternalLimitsFace(ExternalEnergyLimitsImplementation):
    """`external_energy_limits` of this EVSE: each call replaces the limits before it (station 7.1)."""

    def __init__(self) -> None:
        self.limits: ExternalLimits | None = None
        self.changed: Callable[[], None] = lambda: None

    async def set_external_limits(self, value: ExternalLimits) -> None:
        for name, schedule in (("schedule_import", value.schedule_import), ("schedule_export", value.schedule_export)):
            try:
                for entry in schedule:
                    parse_time(entry.timestamp)
            except ValueError as error:
                log.error("set_external_limits refused: %s has an unusable timestamp: %s", name, error)
                return
        if value.schedule_setpoints:
            log.warning("set_external_limits: schedule_setpoints are not supported and have no effect")
        self.limits = value
        self.changed()


class EnergyGrid(EnergyImplementation):
    """`energy_grid`: where an energy manager may enforce limits."""

    def __init__(self) -> None:
        self.enforced: Callable[[EnforcedLimits], None] = lambda limits: None

    async def enforce_limits(self, value: EnforcedLimits) -> None:
        self.enforced(value)


class Energy:
    """Budget of one EVSE. `publish(budget, limits)` puts both on the bus, `wake` steps the session machine."""

    def __init__(
        self,
        module_id: str,
        hardware: Hardware,
        machine: SessionMachine,
        clock: Clock,
        *,
        zero_power_in_idle: bool,
        bidirectional: bool,
        publish: Callable[[EnforcedLimits | None, Limits], None],
        wake: Callable[[], None],
        delay: RandomDelay,
    ) -> None:
        self.grid = EnergyGrid()
        self.external = ExternalLimitsFace()
        self.hardware = hardware
        self.external.changed = self.refresh
        self.grid.enforced = self._take
        self.delay_face = RandomDelayFace(delay)
        self.delay_face.changed = self._delay_changed
        self._delay = delay
        self._delay_began: str | None = None
        self._wanted_A = 0.0
        self._module_id = module_id
        self._machine = machine
        self._clock = clock
        self._zero_power_in_idle = zero_power_in_idle
        self._bidirectional = bidirectional
        self._publish = publish
        self._wake = wake
        self.started = False
        self._tree: EnforcedLimits | None = None
        self._cap: LimitsReq | None = None
        self.cable_A: float | None = None
        """What the plugged in cable is made for; None: a fixed cable, or none that limits."""
        self.phases_available = hardware.max_phases
        self._valid_until: float | None = None

    def announce(self) -> None:
        """What the node can do; once at ready (station 7.1)."""
        hardware = self.hardware
        self.external.publish_capabilities(
            CapabilityLimits(
                max_current_A=hardware.max_current_A,
                max_phase_count=hardware.max_phases,
                nominal_voltage_V=hardware.nominal_voltage_V,
                total_power_W=hardware.max_current_A * hardware.nominal_voltage_V * hardware.max_phases,
            )
        )

    def publish_limits(self, *, with_uuid: bool = True) -> None:
        """`limits` as they stand (station 2.2, 2.9)."""
        self._publish(None, self._limits(with_uuid=with_uuid))

    def begin(self) -> None:
        """From now on there are budgets (station 2.2: none before ready)."""
        self.started = True
        self.refresh(priority=True)

    def entered(self, state: State) -> None:
        """A new state may ask for another budget; plug in and Finished ask for it at once (station 2.9)."""
        self.refresh(priority=state in (State.WaitingForAuthentication, State.Finished))

    def refresh(self, *, priority: bool = False) -> None:
        """A budget now: at each second, at a new state and at new limits."""
        if not self.started:
            return
        self.grid.publish_energy_flow_request(self.request(priority=priority))
        if self._tree is None:
            self._apply(self._own())
        elif self._valid_until is not None and self._bounded and not self._expired():
            self._apply(self._under_own_limits(self._tree))
        elif self._valid_until is not None and self._expired():
            log.warning("the last budget of the energy manager has expired; no power is offered")
            self._valid_until = None
            self._wanted_A = self._delay.force(0.0)
            self._offer()
            self.publish_limits()
            self._wake()
        elif self._delay.running or self._delay.enabled:
            self._offer_anew()

    def _take(self, value: EnforcedLimits) -> None:
        """A budget of the energy manager; those for another node are not ours."""
        if value.uuid != self._module_id:
            return
        if self._tree is None:
            log.info("an energy manager enforces limits: the EVSE's own budget is off from now on")
        self._tree = value
        self._valid_until = asyncio.get_running_loop().time() + value.valid_for
        if self.started:
            self._apply(self._under_own_limits(value))

    def cap(self, limits: LimitsReq | None) -> None:
        """This EVSE's share of a station wide limit (station.py); None: there is none."""
        if limits != self._cap:
            self._cap = limits
            self.refresh()

    def plug_cable(self, amps: float | None) -> None:
        """The coding of a plugged in cable was read; None: it does not limit."""
        self.cable_A = amps
        self.refresh()

    def use_phases(self, count: int) -> None:
        """So many phases are connected to the board."""
        self.phases_available = max(1, count)
        self.publish_limits(with_uuid=self.started)
        self.refresh()

    def _expired(self) -> bool:
        return self._valid_until is not None and asyncio.get_running_loop().time() >= self._valid_until

    def _external(self) -> list[ScheduleReqEntry]:
        """What limits this EVSE from outside now: own external limits, share of the station's, cable."""
        now = self._clock.now()
        entry = None
        if self.external.limits is not None:
            entry = active_entry(self.external.limits.schedule_import, now)
        found = [] if entry is None else [entry]
        more = [] if self._cap is None else [self._cap]
        if self.cable_A is not None:
            current = NumberWithSource(value=self.cable_A, source=f"{self._module_id}/cable")
            more.append(LimitsReq(ac_max_current_A=current))
        moment = timestamp(now)
        return found + [
            ScheduleReqEntry(timestamp=moment, limits_to_root=limits, limits_to_leaves=LimitsReq()) for limits in more
        ]

    def _under_own_limits(self, budget: EnforcedLimits) -> EnforcedLimits:
        count = self.phase_count
        if self._current_of(budget) < 0.0:
            return discharge_under_limits(budget, hardware=self.hardware, external=self._export_limits(), phases=count)
        return under_limits(budget, hardware=self.hardware, external=self._external(), phases=count)

    def _export_limits(self) -> list[ScheduleReqEntry]:
        limits = self.external.limits
        entry = None if limits is None else active_entry(limits.schedule_export, self._clock.now())
        return [] if entry is None else [entry]

    @property
    def _bounded(self) -> bool:
        """Whether limits of this EVSE bound what an energy manager enforces."""
        return bool(self._external() or self._export_limits())

    def _current_of(self, budget: EnforcedLimits) -> float:
        volts, phases = self.hardware.nominal_voltage_V, self.phase_count
        return offered_current(budget, nominal_voltage_V=volts, phases=phases, bidirectional=self._bidirectional)

    def _apply(self, budget: EnforcedLimits) -> None:
        machine = self._machine
        phases = offered_phases(budget)
        if phases is not None and self.hardware.switches_phases:
            machine.allow_three_phases(budget=phases == 3)
        self._wanted_A = self._current_of(budget)
        self._offer()
        self._publish(budget, self._limits(with_uuid=True))
        self._wake()

    def _offer(self) -> None:
        """Tell the machine what it may offer: what the budget wants, or what a random delay lets through."""
        machine = self._machine
        now = asyncio.get_running_loop().time()
        machine.begins_without_power = self._delay.enabled
        machine.offer(self._delay.offer(self._wanted_A, now, active=machine.transaction))
        self._count_down(now)

    def _offer_anew(self) -> None:
        """Under a budget of an energy manager: what a random delay changes between two of them."""
        before = self._machine.offered_A
        self._offer()
        if self._machine.offered_A != before:
            self.publish_limits()
            self._wake()

    def _delay_changed(self) -> None:
        if self.started:
            self._offer_anew()

    def _count_down(self, now: float) -> None:
        """`countdown` while a delay is running, and once when it is over."""
        delay = self._delay
        if not delay.running and self._delay_began is None:
            return
        began = self._delay_began or timestamp(self._clock.now())
        self._delay_began = began if delay.running else None
        self.delay_face.publish_countdown(
            CountDown(
                countdown_s=math.ceil(delay.left_s(now)),
                current_limit_after_delay_A=delay.after_A,
                current_limit_during_delay_A=delay.during_A,
                start_time=began,
            )
        )

    def _own(self) -> EnforcedLimits:
        return own_budget(
            module_id=self._module_id,
            hardware=self.hardware,
            external=self._external(),
            phases=self.phase_count,
            wanted=not self._zero_power_in_idle or self._machine.asks_for_energy,
            now=timestamp(self._clock.now()),
        )

    @property
    def phase_count(self) -> int:
        return min(3 if self._machine.three_phases else 1, self.hardware.max_phases, self.phases_available)

    def _limits(self, *, with_uuid: bool) -> Limits:
        return Limits(
            uuid=self._module_id if with_uuid else None,
            max_current=float(self._machine.offered_A),
            nr_of_phases_available=self.phase_count,
        )

    def _export(self, moment: str, source: str) -> list[ScheduleReqEntry]:
        """What the EVSE could give of a car's energy."""
        if not self._bidirectional:
            return []
        root = LimitsReq(
            ac_max_current_A=NumberWithSource(value=self.hardware.max_export_A, source=source),
            ac_max_phase_count=IntegerWithSource(value=self.hardware.max_phases, source=source),
        )
        return [ScheduleReqEntry(timestamp=moment, limits_to_root=root, limits_to_leaves=LimitsReq())]

    def request(self, *, priority: bool = False) -> EnergyFlowRequest:
        """What the EVSE asks its energy node for (station 2.9)."""
        source = f"{self._module_id}/evse_board_support_caps"
        hardware = self.hardware
        root = LimitsReq(
            ac_max_current_A=NumberWithSource(value=hardware.max_current_A, source=source),
            ac_min_current_A=NumberWithSource(value=hardware.min_current_A, source=source),
            ac_max_phase_count=IntegerWithSource(value=hardware.max_phases, source=source),
            ac_min_phase_count=IntegerWithSource(value=hardware.min_phases, source=source),
            ac_supports_changing_phases_during_charging=hardware.switches_phases,
            ac_number_of_active_phases=self.phase_count,
        )
        idle = self._zero_power_in_idle and not self._machine.asks_for_energy
        leaves = LimitsReq(ac_max_current_A=NumberWithSource(value=0.0, source=source)) if idle else LimitsReq()
        entry = ScheduleReqEntry(timestamp=timestamp(self._clock.now()), limits_to_root=root, limits_to_leaves=leaves)
        return EnergyFlowRequest(
            uuid=self._module_id,
            children=[],
            node_type=NodeType.Evse,
            priority_request=True if priority else None,
            evse_state=EVSE_STATES[self._machine.state],
            schedule_import=[entry],
            schedule_export=self._export(entry.timestamp, source),
            schedule_setpoints=[],
        )
