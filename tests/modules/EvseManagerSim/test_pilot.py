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


@pytest.mark.parametrize(
    ("duty", "ready", "running"),
    [
        (None, False, False), (4.0, False, False), (4.1, False, True), (5.0, False, True), (7.0, False, True),
        (7.1, True, True), (96.9, True, True), (97.0, False, False), (100.0, False, False),
    ],
)  # fmt: skip
def test_what_a_car_takes_as_power_and_as_running(duty: float | None, ready: bool, running: bool) -> None:
    assert (pilot.is_power_ready(duty), pilot.is_running(duty)) == (ready, running)


def test_more_than_80_a_are_told_as_80_a() -> None:
    assert pilot.duty_from_current(1000.0) == pilot.duty_from_current(80.0) == 96.0
