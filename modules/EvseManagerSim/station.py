"""A limit of the whole station, shared among its EVSEs (station 7.1, 7.2): as much energy manager as that takes.

`shares` is pure: everybody's minimum as far as it goes, then slices of 0.5 A in turn. `StationShare` is the shell: the
EVSE whose `station_limits` were set hears what the others (`energy_consumer`) want, tells them their share by
enforce_limits, and gives its own to the energy of its own EVSE. Without a station limit it says nothing to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import getLogger

from everest.contracts.interfaces.energy import EnergyClient
from everest.contracts.types.energy import (
    EnergyFlowRequest,
    EnforcedLimits,
    EvseState,
    IntegerWithSource,
    LimitsReq,
    LimitsRes,
    NumberWithSource,
    ScheduleResEntry,
)
from everest.runtime import Clock, CommandError
from everest.runtime.clock import timestamp

from .budget import VALID_FOR_S, active_entry
from .energy import PERIOD_S, ExternalLimitsFace

log = getLogger(__name__)

SLICE_A = 0.5
NOT_CHARGING = frozenset({EvseState.Unplugged, EvseState.Finished, EvseState.Disabled})
"""An EVSE in one of these states leaves its share to the others; it is offered what it would get with a car."""


@dataclass(frozen=True)
class Wish:
    """What one EVSE can use, in A per phase; most 0: nothing. charging False: there is no car to charge."""

    least: float
    most: float
    charging: bool = True

    @property
    def now(self) -> Wish:
        return self if self.charging else Wish(self.least, 0.0)


def share_out(limit_A: float, wishes: Sequence[Wish]) -> list[float]:
    """Shares of those that charge; to each of the others what it would get if it charged too."""
    now = [wish.now for wish in wishes]
    parts = shares(limit_A, now)
    for index, wish in enumerate(wishes):
        if not wish.charging:
            parts[index] = shares(limit_A, [*now[:index], wish, *now[index + 1 :]])[index]
    return parts


def shares(limit_A: float, wishes: Sequence[Wish]) -> list[float]:
    """Each wish's part of `limit_A`, in the order given: nothing, or its least at least."""
    left = limit_A
    found = [0.0] * len(wishes)
    for index, wish in enumerate(wishes):
        if wish.most > 0.0 and wish.least <= min(left, wish.most):
            found[index] = wish.least
            left -= wish.least
    hungry = [
        index for index, amps in enumerate(found) if amps > 0.0 or wishes[index].least == 0.0 < wishes[index].most
    ]
    while hungry and left > 1e-9:
        for index in list(hungry):
            step = min(SLICE_A, left, wishes[index].most - found[index])
            if step <= 1e-9:
                hungry.remove(index)
                continue
            found[index] += step
            left -= step
    return found


def wish_of(request: EnergyFlowRequest) -> Wish:
    """What a node's request asks for."""
    sides = [side for entry in request.schedule_import[:1] for side in (entry.limits_to_root, entry.limits_to_leaves)]
    currents = [side.ac_max_current_A.value for side in sides if side.ac_max_current_A is not None]
    least = next((side.ac_min_current_A.value for side in sides if side.ac_min_current_A is not None), 0.0)
    return Wish(least, min(currents, default=0.0), request.evse_state not in NOT_CHARGING)


def _fewest_phases(sides: list[LimitsReq]) -> IntegerWithSource | None:
    counts = [side.ac_max_phase_count for side in sides if side.ac_max_phase_count is not None]
    return min(counts, key=lambda count: count.value, default=None)


class StationShare:
    """`own_request` tells what the EVSE itself wants, `give_own` limits it (None: no station limit)."""

    def __init__(
        self,
        consumers: Sequence[EnergyClient],
        clock: Clock,
        *,
        nominal_voltage_V: float,
        own_request: Callable[[], EnergyFlowRequest],
        give_own: Callable[[LimitsReq | None], None],
    ) -> None:
        self.face = ExternalLimitsFace()
        self.face.changed = self.wake
        self._clock = clock
        self._voltage_V = nominal_voltage_V
        self._own_request = own_request
        self._give_own = give_own
        self._consumers = list(consumers)
        self._requests: dict[int, EnergyFlowRequest] = {}
        self._changed = asyncio.Event()
        for index, consumer in enumerate(self._consumers):
            consumer.on_energy_flow_request(lambda request, index=index: self._take(index, request))  # type: ignore[misc]

    def wake(self) -> None:
        """Share again soon."""
        self._changed.set()

    async def run(self) -> None:
        """Share each second, and at once when the limit or somebody's urgent wish is new."""
        while True:
            await self.share()
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def share(self) -> None:
        """One round: everybody is told what may be drawn."""
        if self.face.limits is None:
            return
        entry = active_entry(self.face.limits.schedule_import, self._clock.now())
        sides = [] if entry is None else [entry.limits_to_root, entry.limits_to_leaves]
        own = self._own_request()
        others = [(self._consumers[index], request) for index, request in sorted(self._requests.items())]
        wishes = [wish_of(request) for request in (own, *(request for _, request in others))]
        limit = self._limit(sides)
        parts = [wish.most for wish in wishes] if limit is None else share_out(limit.value, wishes)
        source = f"{own.uuid}/station_limits" if limit is None else limit.source
        currents = [NumberWithSource(value=amps, source=source) for amps in parts]
        phases = _fewest_phases(sides)
        limited = limit is not None or phases is not None
        self._give_own(LimitsReq(ac_max_current_A=currents[0], ac_max_phase_count=phases) if limited else None)
        for (consumer, request), current in zip(others, currents[1:], strict=True):
            await self._enforce(consumer, request.uuid, current, phases)

    def _limit(self, sides: list[LimitsReq]) -> NumberWithSource | None:
        """The station's limit in A per phase; a power counts over three phases."""
        found = [side.ac_max_current_A for side in sides if side.ac_max_current_A is not None]
        for power in (side.total_power_W for side in sides if side.total_power_W is not None):
            found.append(NumberWithSource(value=power.value / self._voltage_V / 3.0, source=power.source))
        return min(found, key=lambda number: number.value, default=None)

    async def _enforce(
        self, consumer: EnergyClient, uuid: str, current: NumberWithSource, phases: IntegerWithSource | None
    ) -> None:
        result = LimitsRes(ac_max_current_A=current, ac_max_phase_count=phases)
        now = timestamp(self._clock.now())
        budget = EnforcedLimits(
            uuid=uuid,
            valid_for=VALID_FOR_S,
            limits_root_side=result,
            schedule=[ScheduleResEntry(timestamp=now, limits_to_root=result)],
        )
        try:
            await consumer.enforce_limits(budget)
        except CommandError as error:
            log.error("%s was not told its share of the station's limit: %r", uuid, error)

    def _take(self, index: int, request: EnergyFlowRequest) -> None:
        self._requests[index] = request
        if request.priority_request:
            self.wake()
