"""Control pilot arithmetic: PWM duty cycle and current (IEC 61851-1; station 2.4). Pure numbers."""

from __future__ import annotations

MAX_LINEAR_CURRENT_A = 51.0
MAX_TOLD_A = 80.0
"""More a PWM cannot tell."""


def duty_from_current(amps: float) -> float:
    """Duty cycle in percent that offers `amps`; 100 (constant +12 V) under 5.9 A."""
    if amps < 5.9:
        return 100.0
    if amps <= MAX_LINEAR_CURRENT_A:
        return amps / 0.6
    if amps <= 52.5:
        return 85.0
    return min(amps, MAX_TOLD_A) / 2.5 + 64.0


def current_from_duty(duty: float) -> float:
    """What a car may draw at a duty cycle in percent: 0 outside 8..97 %, 6 A from 8 to 10 %."""
    if duty < 8.0 or duty > 97.0:
        return 0.0
    if duty < 10.0:
        return 6.0
    if duty <= 85.0:
        return duty * 0.6
    return min((duty - 64.0) * 2.5, MAX_TOLD_A)


def is_power_ready(duty: float | None) -> bool:
    """PWM that a car takes as "power is ready" (station 3.3): 7 < d < 97 %."""
    return duty is not None and 7.0 < duty < 97.0


def is_running(duty: float | None) -> bool:
    """PWM that a car takes as running, the 5 % of ISO 15118 included: 4 < d < 97 %."""
    return duty is not None and 4.0 < duty < 97.0
