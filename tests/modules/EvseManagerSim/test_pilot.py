"""Duty cycle and current (station 2.4)."""

from __future__ import annotations

import pytest

from modules.EvseManagerSim import pilot


@pytest.mark.parametrize(
    ("amps", "duty"),
    [(0.0, 100.0), (5.8, 100.0), (6.0, 10.0), (16.0, 26.667), (32.0, 53.333), (51.0, 85.0), (52.0, 85.0), (63.0, 89.2)],
)
def test_duty_cycle_of_a_current(amps: float, duty: float) -> None:
    assert pilot.duty_from_current(amps) == pytest.approx(duty, abs=1e-3)


@pytest.mark.parametrize("amps", [6.0, 10.0, 16.0, 32.0, 51.0, 63.0, 80.0])
def test_the_car_reads_the_current_that_was_offered(amps: float) -> None:
    assert pilot.current_from_duty(pilot.duty_from_current(amps)) == pytest.approx(amps)


@pytest.mark.parametrize(("duty", "amps"), [(5.0, 0.0), (7.9, 0.0), (9.0, 6.0), (98.0, 0.0), (100.0, 0.0)])
def test_the_edges_of_the_duty_cycle(duty: float, amps: float) -> None:
    assert pilot.current_from_duty(duty) == amps


def test_power_ready_excludes_the_five_percent_that_running_includes() -> None:
    assert (pilot.is_power_ready(5.0), pilot.is_running(5.0)) == (False, True)
    assert (pilot.is_power_ready(10.0), pilot.is_running(10.0)) == (True, True)
    assert (pilot.is_power_ready(None), pilot.is_running(None)) == (False, False)
    assert (pilot.is_power_ready(97.0), pilot.is_running(97.0)) == (False, False)
