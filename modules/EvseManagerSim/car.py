"""The simulated car: it walks a command list and decides the control pilot state it orders (station 3.2, 3.3).

Pure: `tick(now, duty)` is called every 250 ms with the nominal time of the tick, so that `sleep` does not drift. The
board (board.py) takes `control_pilot`, `max_current_A`, `three_phases`, `diode_fault` and `rcd_current_mA` from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from logging import getLogger
from typing import ClassVar

from . import pilot
from .battery import Battery, BatteryConfig
from .commands import (
    CHARGE,
    CURRENT,
    RESIDUAL,
    SECONDS,
    TOGGLES,
    CarCommand,
    NotNowError,
    check_count,
    parse,
    shown,
)
from .v2g import V2G, Offer, parse_wish

log = getLogger(__name__)

TICK_S = 0.25
MAX_COMMANDS_PER_TICK = 1000
RCD_REST_MA = 0.1
_TOO_LONG = f"it is too long: more than {MAX_COMMANDS_PER_TICK} commands in a row of which none waits (sleep ...)"
_ENDLESS = "it does not end: plugin_commands contains `plugin`"


class CarState(StrEnum):
    """What the command list made of the car."""

    unplugged = "unplugged"
    plugged_in = "plugged_in"
    charging_regulated = "charging_regulated"
    charging_fixed = "charging_fixed"
    charging_iso = "charging_iso"
    toggling = "toggling"
    error_e = "error_e"


@dataclass(frozen=True)
class CarConfig:
    """Configuration of EvManager that the car uses (station 3.1)."""

    max_current_A: float = 16.0
    three_phases: bool = True
    battery: BatteryConfig = field(default_factory=BatteryConfig)
    nominal_voltage_V: float = 230.0
    plugin_commands: str = ""
    stops_when_full: bool = True
    iso15118: bool = False
    """Whether the commands of ISO 15118 are known."""


class Car:
    """One simulated car at the EVSE."""

    def __init__(self, config: CarConfig, v2g: V2G | None = None) -> None:
        self.config = config
        self._v2g = v2g or V2G(Offer(), lambda: False)
        self.enabled = False
        self.control_pilot = "A"
        """State A..E that the car shows; the board decides whether it can see it."""
        self.diode_fault = False
        self.rcd_current_mA = RCD_REST_MA
        self.needs_ventilation = False
        """The car asks for power by state D, not C, until it is unplugged."""
        self.max_current_A = config.max_current_A
        self.three_phases = config.three_phases
        self.battery = Battery(config.battery)
        self.powered = False
        """Whether the contactor is closed; the simulation tells."""
        self.state = CarState.unplugged
        self._toggles = 0
        self._commands: list[CarCommand] | None = None
        self._sleep_until: float | None = None

    @property
    def running(self) -> bool:
        """Whether a command list is being worked off."""
        return self._commands is not None

    def enable(self, enabled: bool) -> bool:
        """Switch the simulation on or off; False if it already is so (then nothing happens)."""
        if enabled == self.enabled:
            return False
        self.enabled = enabled
        self.needs_ventilation = False
        self._commands = None
        self._reset()
        self.max_current_A = self.config.max_current_A
        self.three_phases = self.config.three_phases
        self.control_pilot = "A"
        return True

    def execute(self, text: str) -> None:
        """Start a command list from an unplugged car. Errors: CommandSyntaxError, NotNowError at a bad time."""
        if not self.enabled:
            raise NotNowError("the car simulation is not enabled")
        if self.running:
            raise NotNowError("a charging session is still being executed; use modify_charging_session")
        commands = parse(text, iso=self.config.iso15118)
        self.needs_ventilation = False
        self._reset()
        self._start(commands)

    def modify(self, text: str) -> None:
        """Replace the running list, keeping the car's state. Errors: CommandSyntaxError, NotNowError while disabled."""
        if not self.enabled:
            raise NotNowError("the car simulation is not enabled")
        self._start(parse(text, iso=self.config.iso15118))

    def tick(self, now: float, duty: float | None) -> bool:
        """Execute commands until one blocks, then apply the car's state once. True when the list has just finished."""
        if self._commands is None:
            return False
        self._work_off(now, duty)
        self._apply(duty)
        if self._commands:
            return False
        self._commands = None
        self._reset()
        return True

    @property
    def soc_percent(self) -> float:
        return self.battery.soc_percent

    def take(self, offered_A: float, phases: int, seconds: float) -> float:
        """The current per phase that flows of what is offered; the battery takes what flowed before."""
        volts = self.config.nominal_voltage_V * phases
        self.battery.fill(self.battery.current_A * volts, seconds)
        return self.battery.take(offered_A, volts, seconds)

    def take_dc(self, offered_W: float, most_A: float, seconds: float) -> float:
        """The DC current that flows of the power that is offered."""
        self.battery.fill(self.battery.current_A * self.battery.voltage_V, seconds)
        return self.battery.take(min(offered_W / self.battery.voltage_V, most_A), self.battery.voltage_V, seconds)

    def give_dc(self, asked_W: float, most_A: float, seconds: float) -> float:
        """The DC current that flows back of the power that is asked for."""
        self.battery.fill(self.battery.current_A * self.battery.voltage_V, seconds)
        return self.battery.give(min(asked_W / self.battery.voltage_V, most_A), self.battery.voltage_V, seconds)

    @property
    def _wants_no_more(self) -> bool:
        return self.config.stops_when_full and self.battery.full

    def _work_off(self, now: float, duty: float | None) -> None:
        plugins = 0
        for _ in range(MAX_COMMANDS_PER_TICK):
            if not self._commands:
                return
            command = self._commands[0]
            plugins += command.name == "plugin"
            if not self._execute(command, now, duty):
                return
            if self._commands[0] is command:
                self._commands.pop(0)
        if not self._commands:
            return
        log.error("the list of car commands is dropped: %s", _ENDLESS if plugins > 1 else _TOO_LONG)
        self._commands = []

    def _start(self, commands: list[CarCommand]) -> None:
        self._commands = commands
        self._sleep_until = None

    def _reset(self) -> None:
        """Simulation data as at the start. Control pilot and current stay as they are (station 3.3)."""
        self.state = CarState.unplugged
        self.battery.soc_percent = self.config.battery.soc_percent
        self._toggles = 0

    def _apply(self, duty: float | None) -> None:
        if self.state is CarState.charging_regulated:
            self.control_pilot = "C" if pilot.is_power_ready(duty) and not self._wants_no_more else "B"
        elif self.state is CarState.charging_iso:
            self._v2g.begin_charging()
            self.control_pilot = "C" if pilot.is_running(duty) and not self._wants_no_more else "B"
        else:
            self.control_pilot = {
                CarState.unplugged: "A",
                CarState.plugged_in: "B",
                CarState.charging_fixed: "C",
                CarState.toggling: "C",
                CarState.error_e: "E",
            }[self.state]
        if self.control_pilot == "C" and self.needs_ventilation:
            self.control_pilot = "D"
        if self.control_pilot == "A":
            self.rcd_current_mA = RCD_REST_MA
            self.diode_fault = False
            self._v2g.end()

    def _execute(self, command: CarCommand, now: float, duty: float | None) -> bool:
        """Carry out one command; False while it blocks. A command that fails is logged and skipped (station 3.3)."""
        try:
            check_count(command)
            return self._HANDLERS[command.name](self, command.arguments, now, duty)
        except (ValueError, TypeError) as error:
            log.error("car command %s %s failed: %s; skipped", command.name, shown(" ".join(command.arguments)), error)
            return True

    def _sleep(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        (seconds,) = arguments
        if self._sleep_until is None:
            self._sleep_until = now + SECONDS.read(seconds)
        if now + 1e-6 < self._sleep_until:
            return False
        self._sleep_until = None
        return True

    def _wait_power_ready(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.plugged_in
        return pilot.is_power_ready(duty)

    def _wait_pwm_running(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.plugged_in
        return pilot.is_running(duty)

    def _draw(self, arguments: tuple[str, ...], state: CarState) -> bool:
        current, phases = arguments
        self.max_current_A = CURRENT.read(current)
        self.three_phases = phases == "3"
        self.state = state
        return True

    def _draw_regulated(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return self._draw(arguments, CarState.charging_regulated)

    def _draw_fixed(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return self._draw(arguments, CarState.charging_fixed)

    def _pause(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.plugged_in
        return True

    def _unplug(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.unplugged
        self.needs_ventilation = False
        return True

    def _need_ventilation(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.needs_ventilation = True
        return True

    def _error_e(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.error_e
        return True

    def _diode_fail(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.diode_fault = True
        return True

    def _rcd_current(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        (milliamperes,) = arguments
        self.rcd_current_mA = RESIDUAL.read(milliamperes)
        return True

    def _wait_for_real_plugin(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.plugged_in
        return self.control_pilot == "A"

    def _plugin(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        if not self.config.plugin_commands:
            raise ValueError("the configuration key plugin_commands is empty")
        self._commands = parse(self.config.plugin_commands, iso=self.config.iso15118)
        return True

    def _set_soc(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        (percent,) = arguments
        self.battery.soc_percent = CHARGE.read(percent)
        return True

    def _wait_matched(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self.state = CarState.plugged_in
        matched = self.control_pilot == "B"
        if matched:
            self._v2g.match()
        return matched

    def _start_v2g(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        """Begin a V2G session; an unknown mode blocks for ever (station 3.3)."""
        wish = parse_wish(arguments)
        if wish is None:
            return False
        self._v2g.request(wish)
        return True

    def _wait_iso_power(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        """The V2G session has led to an authorization, the car begins its charge loop, and the EVSE gives power."""
        if not self._v2g.begin_charging() or not pilot.is_running(duty):
            return False
        self.state = CarState.charging_iso
        return True

    def _draw_iso(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return self._draw(arguments, CarState.charging_iso)

    def _power_on(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return self._wait_iso_power(arguments, now, duty)

    def _stop_iso(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self._v2g.end()
        return self._pause(arguments, now, duty)

    def _pause_iso(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        self._v2g.pause()
        return self._pause(arguments, now, duty)

    def _wait_for_stop(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        """Time over, or the EVSE took the PWM away."""
        if not self._sleep(arguments, now, duty) and pilot.is_running(duty):
            return False
        self._sleep_until = None
        return self._stop_iso((), now, duty)

    def _wait_session_stopped(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return not self.powered and not self._v2g.active

    def _for_ever(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        return False

    def _bcb_toggle(self, arguments: tuple[str, ...], now: float, duty: float | None) -> bool:
        """B, C, B ... each tick: `count` times C, at most three."""
        (count,) = arguments
        wanted = min(TOGGLES.read(count), 3)
        if self.state is CarState.toggling:
            self.state = CarState.plugged_in
            return False
        if self._toggles >= wanted:
            self._toggles = 0
            return self._pause((), now, duty)
        self._toggles += 1
        self.state = CarState.toggling
        return False

    _Handler = Callable[["Car", tuple[str, ...], float, float | None], bool]
    _HANDLERS: ClassVar[dict[str, _Handler]] = {
        "sleep": _sleep,
        "iec_wait_pwr_ready": _wait_power_ready,
        "iso_wait_pwm_is_running": _wait_pwm_running,
        "draw_power_regulated": _draw_regulated,
        "draw_power_fixed": _draw_fixed,
        "iso_draw_power_regulated": _draw_iso,
        "iso_wait_slac_matched": _wait_matched,
        "iso_start_v2g_session": _start_v2g,
        "iso_wait_pwr_ready": _wait_iso_power,
        "iso_dc_power_on": _power_on,
        "iso_stop_charging": _stop_iso,
        "iso_wait_for_stop": _wait_for_stop,
        "iso_wait_v2g_session_stopped": _wait_session_stopped,
        "iso_pause_charging": _pause_iso,
        "iso_wait_for_resume": _for_ever,
        "iso_start_bcb_toggle": _bcb_toggle,
        "pause": _pause,
        "unplug": _unplug,
        "error_e": _error_e,
        "diode_fail": _diode_fail,
        "rcd_current": _rcd_current,
        "wait_for_real_plugin": _wait_for_real_plugin,
        "plugin": _plugin,
        "set_soc": _set_soc,
        "need_ventilation": _need_ventilation,
    }
