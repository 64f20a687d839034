"""The simulated car's battery: state of charge, charging curve with taper, pack voltage, ramp of the current.

Pure: seconds, A, V and W in, A out. The curve is a share of `max_power_W` over the state of charge: all of it up to
`taper_from_percent`, then falling in a straight line to TAPER_END at full.
"""

from __future__ import annotations

from dataclasses import dataclass

TAPER_END = 0.02
VOLTAGE_SPREAD = 0.15
"""An empty pack has this much less than its voltage when full."""


@dataclass(frozen=True)
class BatteryConfig:
    """What the battery is like. `max_power_W`: most that it takes; `ramp_A_per_s` 0: at once."""

    soc_percent: float = 30.0
    capacity_Wh: float = 60000.0
    max_power_W: float = 150000.0
    taper_from_percent: float = 80.0
    ramp_A_per_s: float = 0.0
    standby_W: float = 0.0
    full_voltage_V: float = 400.0
    most_given_W: float = 150000.0
    """Most that it gives back."""
    minimal_soc_percent: float = 20.0
    """From here on it gives nothing back."""


class Battery:
    """One pack with its charger."""

    def __init__(self, config: BatteryConfig) -> None:
        self.config = config
        self.soc_percent = config.soc_percent
        self.current_A = 0.0
        """What flows into the car now, per phase or on the DC side; negative: back out of it."""

    @property
    def full(self) -> bool:
        return self.soc_percent >= 100.0

    @property
    def voltage_V(self) -> float:
        """Pack voltage; it rises with the state of charge."""
        return self.config.full_voltage_V * (1.0 - VOLTAGE_SPREAD * (1.0 - self.soc_percent / 100.0))

    @property
    def power_limit_W(self) -> float:
        """What the charging curve allows now; a full battery takes the standby draw only."""
        if self.full:
            return self.config.standby_W
        taper_from = self.config.taper_from_percent
        if self.soc_percent <= taper_from or taper_from >= 100.0:
            return self.config.max_power_W
        done = (self.soc_percent - taper_from) / (100.0 - taper_from)
        return self.config.max_power_W * (1.0 - (1.0 - TAPER_END) * done)

    def take(self, offered_A: float, volts: float, seconds: float) -> float:
        """The current that flows after `seconds`, at `volts` (phases times voltage, or the pack's): up along the ramp,
        down at once; never more than offered, never less than the standby draw that is offered.
        """
        wanted = max(min(offered_A, self.power_limit_W / volts), min(self.config.standby_W / volts, offered_A))
        if self.config.ramp_A_per_s > 0.0:
            wanted = min(wanted, max(self.current_A, 0.0) + self.config.ramp_A_per_s * max(seconds, 0.0))
        self.current_A = wanted
        return wanted

    def give(self, asked_A: float, volts: float, seconds: float) -> float:
        """The current that flows back (positive) of what is asked for, up along the ramp, down at once."""
        enough = self.soc_percent > self.config.minimal_soc_percent
        wanted = min(asked_A, self.config.most_given_W / volts) if enough else 0.0
        if self.config.ramp_A_per_s > 0.0:
            wanted = min(wanted, max(-self.current_A, 0.0) + self.config.ramp_A_per_s * max(seconds, 0.0))
        self.current_A = -wanted
        return wanted

    def fill(self, watts: float, seconds: float) -> None:
        """Charge with `watts` for `seconds`, negative: discharge; the standby draw does not fill it."""
        net = watts if watts < 0.0 else max(0.0, watts - self.config.standby_W)
        change = 100.0 * net * seconds / 3600.0 / self.config.capacity_Wh
        self.soc_percent = min(100.0, max(0.0, self.soc_percent + change))
