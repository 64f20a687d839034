"""The simulated board: control pilot, contactor, phases, diode and residual current (station 3.4).

Pure: orders set fields, `step(car, enabled)` runs every 250 ms and returns what the board reports, as EVerest's
control pilot letters A..F and PowerOn/PowerOff. `board_support_AC` words for the same things: `EVENTS_AC`,
`events_ac()`.
"""

from __future__ import annotations

from dataclasses import dataclass

from everest.contracts.types.board_support import Event

from . import pilot
from .car import Car
from .states import ISO_DUTY

RCD_LIMIT_MA = 5.0

# control pilot before, now -> board_support_AC events; a pair that is missing reports nothing
EVENTS_AC: dict[tuple[str, str], tuple[Event, ...]] = {
    ("A", "B"): (Event.CarPluggedIn,),
    ("A", "C"): (Event.CarPluggedIn, Event.CarRequestedPower),
    ("B", "C"): (Event.CarRequestedPower,),
    ("C", "B"): (Event.CarRequestedStopPower,),
    ("B", "A"): (Event.CarUnplugged,),
    ("C", "A"): (Event.CarRequestedStopPower, Event.CarUnplugged),
    ("B", "E"): (Event.ErrorE, Event.BCDtoEF),
    ("C", "E"): (Event.ErrorE, Event.BCDtoEF),
    ("B", "F"): (Event.BCDtoEF,),
    ("C", "F"): (Event.BCDtoEF,),
    ("E", "A"): (Event.CarUnplugged,),
    ("E", "B"): (Event.EFtoBCD,),
    ("E", "C"): (Event.EFtoBCD, Event.CarRequestedPower),
    ("F", "B"): (Event.EFtoBCD,),
    ("F", "C"): (Event.EFtoBCD, Event.CarRequestedPower),
}

# board_support_AC event -> the control pilot letter or relay event it stands for (the way back)
LETTERS: dict[Event, str] = {
    Event.CarPluggedIn: "B",
    Event.CarRequestedPower: "C",
    Event.CarRequestedStopPower: "B",
    Event.CarUnplugged: "A",
    Event.ErrorE: "E",
    Event.PowerOn: "PowerOn",
    Event.PowerOff: "PowerOff",
}


def events_ac(previous: str, current: str) -> tuple[Event, ...]:
    """The board_support_AC events for a change of the control pilot; D counts as C."""
    return EVENTS_AC.get((previous.replace("D", "C"), current.replace("D", "C")), ())


@dataclass(frozen=True)
class BoardReport:
    """One thing the board noticed: a control pilot letter, PowerOn or PowerOff; and how board_support_AC calls it."""

    event: str
    events_ac: tuple[Event, ...]


class SimulatedBoard:
    """Board of one EVSE with a fixed type 2 cable."""

    def __init__(self, *, has_ventilation: bool = True) -> None:
        self.has_ventilation = has_ventilation
        self.enabled = False
        self.duty: float | None = None
        self.state_f = False
        self.power_allowed = False
        self.contactor_closed = False
        self.three_phases = True
        self.car_pilot = "A"
        """What the car showed last while the board could see it."""
        self._ordered = "A"
        self._reported: str | None = None

    # --- orders of the EVSE manager ---

    def enable(self, enabled: bool) -> None:
        """Disable: reports nothing any more; a change of the car meanwhile is lost."""
        self.enabled = enabled
        if not enabled:
            self.duty = None
            self.power_allowed = False

    def pwm_on(self, duty: float) -> None:
        """PWM with `duty` percent; 100 is constant +12 V."""
        self.state_f = False
        self.duty = duty if duty < 100.0 else None

    def x1(self) -> None:
        self.state_f, self.duty = False, None

    def f(self) -> None:
        self.state_f, self.duty = True, None

    def new_car(self) -> None:
        """The car simulation was switched on or off: whatever stood there is gone."""
        self.car_pilot = self._ordered = "A"

    # --- what follows ---

    @property
    def car_duty(self) -> float | None:
        """The PWM duty that the car sees."""
        return None if self.state_f else self.duty

    @property
    def diode_shown(self) -> bool:
        """Whether a diode fault would be noticed: it needs PWM and a car."""
        return self.duty is not None and self.car_pilot != "A"

    @property
    def lacks_ventilation(self) -> bool:
        """The car asks for ventilation (state D), and there is none."""
        return self.car_pilot == "D" and not self.has_ventilation

    @property
    def sees_no_car(self) -> bool:
        """Whether nobody is plugged in, as far as the board can tell: it cannot while its pilot is at F."""
        return self.car_pilot == "A" and not self.state_f

    def current_A(self, car: Car, told_A: float) -> float:
        """Current per active phase: what the PWM tells, or, at 5 %, what ISO 15118 does (`told_A`)."""
        if not self.contactor_closed or self.duty is None:
            return 0.0
        offered = told_A if self.duty == ISO_DUTY else pilot.current_from_duty(self.duty)
        return min(offered, car.max_current_A)

    def phases(self, car: Car) -> int:
        return 3 if self.three_phases and car.three_phases else 1

    def step(self, car: Car) -> list[BoardReport]:
        """Look at the car, switch the contactor; what changed, in order."""
        if not car.enabled:
            self._ordered = car.control_pilot
            return self._switch()
        if car.control_pilot != self._ordered:
            self._ordered = car.control_pilot
            plugs_in = self.car_pilot == "A"
            if not (self.state_f and plugs_in):  # a plug in while the pilot is at F is lost (station 3.4)
                self.car_pilot = car.control_pilot
        reports = self._report_pilot()
        return reports + self._switch()

    def _report_pilot(self) -> list[BoardReport]:
        shown = "F" if self.state_f else self.car_pilot
        if shown == self._reported or not (self.enabled or self.state_f):
            return []
        previous = self._reported or "A"
        self._reported = shown
        return [BoardReport(shown, events_ac(previous, shown))]

    def _switch(self) -> list[BoardReport]:
        asks = self.car_pilot == "C" or (self.car_pilot == "D" and self.has_ventilation)
        wanted = self.power_allowed and asks and not self.state_f
        if not self.contactor_closed:
            wanted = wanted and self.duty is not None  # closing needs PWM, staying closed does not
        if wanted == self.contactor_closed:
            return []
        self.contactor_closed = wanted
        event = Event.PowerOn if wanted else Event.PowerOff
        return [BoardReport(event.value, (event,))]
