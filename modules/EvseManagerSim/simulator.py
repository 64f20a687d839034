"""The simulated hardware at work: car, board and meter step together every 250 ms (station 3.4).

Owns the loop of the simulation and publishes on the faces; reports to a `BoardListener`. Car and board rules are in
car.py and board.py, the session's in session.py.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger
from typing import NamedTuple

from everest.contracts.interfaces.car_simulator import CarSimulatorImplementation
from everest.contracts.interfaces.ev_manager import EvManagerImplementation
from everest.contracts.types import board_support
from everest.contracts.types.board_support_common import BspEvent, BspEventEvent
from everest.contracts.types.evse_board_support import Telemetry
from everest.contracts.types.evse_manager import EVInfo

from .board import RCD_LIMIT_MA, BoardReport, SimulatedBoard
from .car import TICK_S, Car
from .commands import CommandSyntaxError, NotNowError, shown
from .cross_boot import PlugMemory
from .dc_meter import DcMeter
from .derate import DcDerate, PlugTemperature
from .faces import BoardSupportAC, ErrorFaces, EvseBoardSupport, Rcd
from .faults import DIODE_FAULT, RCD_DC, VENTILATION, InjectionError, parse_injection
from .hardware import BoardListener
from .metering import Metering
from .pace import ticks
from .settings import Settings
from .states import Pilot

log = getLogger(__name__)


class SimulatedLink:
    """Board port straight to the simulated board."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board

    def enable(self, enabled: bool) -> None:
        self._board.enable(enabled)

    def set_pilot(self, pilot: Pilot) -> None:
        if pilot.duty is not None:
            self._board.pwm_on(pilot.duty)
        elif pilot.state_f:
            self._board.f()
        else:
            self._board.x1()

    def allow_power(self, allowed: bool) -> None:
        self._board.power_allowed = allowed

    def set_phases(self, three_phases: bool) -> None:
        self._board.three_phases = three_phases


class Offered(NamedTuple):
    """What the budget offers: A per phase, and the W that are all of them."""

    amps: float
    watts: float


class CarSimulatorFace(CarSimulatorImplementation):
    """`car_simulator`: the car's commands on the bus, as its topics have them."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def enable(self, value: bool) -> None:
        self._simulator.enable("true" if value else "false")

    async def execute_charging_session(self, value: str) -> None:
        self._simulator.execute(value)


class EvManagerFace(EvManagerImplementation):
    """`ev_manager`: what the car sees and tells."""


class Simulator:
    """Car, board and meter of one EVSE. `listener` is None while a real board drives the session."""

    def __init__(
        self,
        settings: Settings,
        car: Car,
        board: SimulatedBoard,
        metering: Metering,
        errors: ErrorFaces,
        faces: tuple[BoardSupportAC, EvseBoardSupport, Rcd],
        listener: BoardListener | None,
        offered: Callable[[], Offered],
        memory: PlugMemory,
    ) -> None:
        self.car = car
        self._settings = settings
        self._board = board
        self._metering = metering
        self._errors = errors
        self._board_ac, self._board_face, self._rcd = faces
        self._listener = listener
        self._offered = offered
        self._memory = memory
        self.car_face = CarSimulatorFace(self)
        self.ev_face = EvManagerFace()
        self.derate = DcDerate(dc=settings.dc, bidirectional=settings.bidirectional)
        self._plug = PlugTemperature(metering.meter.temperature_C())
        self._last_tick: float | None = None

    @property
    def drives_session(self) -> bool:
        """False while a board on the bus does."""
        return self._listener is not None

    # --- orders from outside ---

    def enable(self, payload: str) -> None:
        """carsim/cmd/enable: `true`, anything else is false."""
        wanted = payload.strip() == "true"
        if self.car.enable(wanted):
            self._board.new_car()
            self.car_face.publish_enabled(wanted)
        else:
            log.warning("carsim/cmd/enable: the car simulation is already %s", "on" if wanted else "off")

    def execute(self, payload: str) -> None:
        """carsim/cmd/execute_charging_session."""
        self._take("execute", self.car.execute, payload)

    def modify(self, payload: str) -> None:
        """carsim/cmd/modify_charging_session."""
        self._take("modify", self.car.modify, payload)

    def _take(self, name: str, order: Callable[[str], None], payload: str) -> None:
        """At a bad time refused with a warning (station 3.2), for its text with an error (3.3)."""
        try:
            order(payload)
            self._memory.commands(payload)
        except NotNowError as refusal:
            log.warning("carsim/cmd/%s_charging_session refused: %s", name, refusal)
        except CommandSyntaxError as error:
            log.error("carsim/cmd/%s_charging_session refused: %s", name, error)

    async def inject(self, payload: str) -> None:
        """carsim/error (station 3.5)."""
        try:
            injection = parse_injection(payload)
        except InjectionError as error:
            log.error("carsim/error ignored: %s", shown(str(error)))
            return
        await self._set_error(injection.type, injection.raised)
        if injection.type == DIODE_FAULT and injection.raised and self._board.car_pilot == "A":
            await self._set_error(DIODE_FAULT, False)

    # --- the loop ---

    async def run(self) -> None:
        if self._settings.flag("auto_enable"):
            self.enable("true")
            if self._settings.flag("auto_exec"):
                self.execute(self._settings.text("auto_exec_commands"))
        if (command := await self._memory.recall()) is not None:
            log.info("a car was plugged in before the restart; it is plugged in again")
            self.modify(command)
        async for now in ticks(TICK_S):
            await self.step(now)

    async def step(self, now: float) -> None:
        """One tick: car, board, meter, then what they noticed."""
        self.car.powered = self._board.contactor_closed
        finished = self.car.enabled and self.car.tick(now, self._board.car_duty)
        if finished and self._settings.flag("auto_exec") and self._settings.flag("auto_exec_infinite"):
            self.execute(self._settings.text("auto_exec_commands"))
        seen = self._board.car_pilot
        reports = self._board.step(self.car)
        await self._memory.plugged(self._board.car_pilot != "A")
        self._load_meter(now)
        if seen == "A" != self._board.car_pilot:
            await self._plugged_in()
            self.ev_face.publish_ev_info(self.ev_info())
        if self._board.lacks_ventilation:  # known before it could be taken for a pause of the car
            await self._set_error(VENTILATION, True, measured=True)
        for report in reports:
            await self._report(report)
        if any(report.event in ("PowerOn", "PowerOff") for report in reports):
            await self._metering.take()
        unplugged = self._board.sees_no_car or any(report.event == "A" for report in reports)
        await self._watch_faults(unplugged=unplugged)

    def telemetry(self) -> Telemetry:
        return Telemetry(
            evse_temperature_C=round(self._metering.meter.temperature_C(), 3),
            fan_rpm=1500.0,
            supply_voltage_12V=12.01,
            supply_voltage_minus_12V=-11.8,
            relais_on=self._board.contactor_closed,
        )

    def publish_telemetry(self) -> Telemetry:
        """Telemetry on both faces of the board; returns it for the EVSE."""
        telemetry = self.telemetry()
        self._board_face.publish_telemetry(telemetry)
        self._board_ac.publish_telemetry(
            board_support.Telemetry(
                temperature=telemetry.evse_temperature_C,
                fan_rpm=telemetry.fan_rpm,
                supply_voltage_12V=telemetry.supply_voltage_12V,
                supply_voltage_minus_12V=telemetry.supply_voltage_minus_12V,
                rcd_current=self.car.rcd_current_mA,
                relais_on=telemetry.relais_on,
            )
        )
        self._rcd.publish_rcd_current_mA(self.car.rcd_current_mA)
        if self._settings.dc and self.drives_session:
            self.derate.publish_plug_temperature_C(round(self._plug.value_C, 3))
        return telemetry

    def ev_info(self) -> EVInfo:
        """What the car tells about itself (station 3.3)."""
        battery = self.car.battery
        return EVInfo(
            soc=round(battery.soc_percent, 3),
            battery_capacity=battery.config.capacity_Wh,
            battery_full_soc=100.0,
            target_current=self._settings.number("dc_target_current") if self._settings.dc else self.car.max_current_A,
            target_voltage=battery.config.full_voltage_V if self._settings.dc else 0.0,
        )

    def _load_meter(self, now: float) -> None:
        """What the car takes from now on of what it is offered."""
        seconds = 0.0 if self._last_tick is None else now - self._last_tick
        self._last_tick = now
        meter = self._metering.meter
        if isinstance(meter, DcMeter):
            self._plug.step(self.car.battery.current_A, seconds)
            meter.set_dc_load(now, self._dc_current(seconds), self.car.battery.voltage_V)
        else:
            phases = self._board.phases(self.car)
            amps = self._board.current_A(self.car, self._offered().amps)
            meter.set_load(now, self.car.take(amps, phases, seconds), phases)
        if self.car.battery.current_A != 0.0:
            self.ev_face.publish_ev_info(self.ev_info())

    def _dc_current(self, seconds: float) -> float:
        """What flows to a DC car now; negative: back from it, where less than nothing is offered."""
        closed = self._board.contactor_closed and self._board.duty is not None
        watts = self._offered().watts if closed else 0.0
        number = self._settings.number
        if watts < 0.0:
            most = min(number("dc_discharge_target_current"), number("dc_discharge_max_current_limit"))
            return -self.car.give_dc(*self.derate.from_car(-watts, most), seconds)
        most = min(number("dc_target_current"), number("dc_max_current_limit"))
        return self.car.take_dc(*self.derate.to_car(watts, most), seconds)

    async def _plugged_in(self) -> None:
        if self._settings.flag("reset_powermeter_on_session_start"):
            await self._metering.take(reset=True)

    async def _report(self, report: BoardReport) -> None:
        for event in report.events_ac:
            self._board_ac.publish_event(event)
        letter = BspEvent(event=BspEventEvent(report.event))
        self._board_face.publish_event(letter)
        self.ev_face.publish_bsp_event(letter)
        if self._listener is not None:
            await self._listener.board_event(report.event)

    async def _watch_faults(self, *, unplugged: bool) -> None:
        if self.car.diode_fault and self._board.diode_shown:
            await self._set_error(DIODE_FAULT, True, measured=True)
        elif unplugged and self._errors.is_active(DIODE_FAULT):
            await self._set_error(DIODE_FAULT, False)
        if unplugged:
            await self._set_error(VENTILATION, False)
        leaking = self.car.rcd_current_mA > RCD_LIMIT_MA
        if leaking and not self._rcd.is_error_active(RCD_DC):
            await self._set_error(RCD_DC, True, measured=True)
        elif not leaking and self._rcd.is_error_active(RCD_DC):
            await self._set_error(RCD_DC, False)

    async def _set_error(self, error_type: str, raised: bool, *, measured: bool = False) -> None:
        """Raise or clear; raising an active one and clearing an inactive one do nothing."""
        if self._errors.is_active(error_type) == raised:
            return
        if raised:
            self._errors.raise_error(error_type, measured=measured)
        else:
            self._errors.clear_error(error_type)
        if self._listener is not None:
            await self._listener.board_error(error_type, "", "everest", raised=raised)
