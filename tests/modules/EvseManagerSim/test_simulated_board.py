"""The simulated board: what it reports, when its contactor moves, what it cannot see (station 3.4)."""

from __future__ import annotations

import pytest

from modules.EvseManagerSim.board import EVENTS_AC, LETTERS, SimulatedBoard, events_ac
from modules.EvseManagerSim.car import Car, CarConfig


@pytest.fixture
def car() -> Car:
    made = Car(CarConfig(max_current_A=20.0))
    made.enable(True)
    return made


@pytest.fixture
def board() -> SimulatedBoard:
    made = SimulatedBoard()
    made.enable(True)
    return made


def step(board: SimulatedBoard, car: Car, pilot: str) -> list[str]:
    car.control_pilot = pilot
    return [report.event for report in board.step(car)]


def test_it_reports_changes_only(board: SimulatedBoard, car: Car) -> None:
    assert [step(board, car, pilot) for pilot in "AABBCA"] == [["A"], [], ["B"], [], ["C"], ["A"]]


def test_the_contactor_needs_c_pwm_and_leave(board: SimulatedBoard, car: Car) -> None:
    assert step(board, car, "C") == ["C"]
    board.power_allowed = True
    assert step(board, car, "C") == []
    board.pwm_on(50.0)
    assert step(board, car, "C") == ["PowerOn"]
    assert step(board, car, "B") == ["B", "PowerOff"]


def test_the_contactor_stays_closed_without_pwm_but_no_current_flows(board: SimulatedBoard, car: Car) -> None:
    board.power_allowed = True
    board.pwm_on(50.0)
    step(board, car, "C")
    assert (board.current_A(car, 0.0), board.phases(car)) == (20.0, 3)
    board.x1()
    assert step(board, car, "C") == []
    assert board.current_A(car, 16.0) == 0.0
    board.power_allowed = False
    assert step(board, car, "C") == ["PowerOff"]


def test_the_current_follows_the_smaller_of_pwm_and_car(board: SimulatedBoard, car: Car) -> None:
    board.power_allowed = True
    board.pwm_on(10.0 / 0.6)
    step(board, car, "C")
    assert board.current_A(car, 16.0) == pytest.approx(10.0)
    board.pwm_on(5.0)  # ISO 15118 tells the current
    assert board.current_A(car, 16.0) == 16.0
    assert board.current_A(car, 32.0) == 20.0
    board.three_phases = False
    assert board.phases(car) == 1


@pytest.mark.parametrize(("has_ventilation", "reports"), [(True, ["D", "PowerOn"]), (False, ["D"])])
def test_a_car_that_needs_ventilation_gets_power_only_with_it(
    car: Car, has_ventilation: bool, reports: list[str]
) -> None:
    board = SimulatedBoard(has_ventilation=has_ventilation)
    board.enable(True)
    board.power_allowed = True
    board.pwm_on(50.0)
    assert step(board, car, "D") == reports
    assert board.lacks_ventilation is not has_ventilation


def test_a_plug_in_while_the_pilot_is_f_is_lost(board: SimulatedBoard, car: Car) -> None:
    step(board, car, "A")
    board.f()
    assert step(board, car, "B") == ["F"]
    board.x1()
    assert step(board, car, "B") == ["A"]
    assert step(board, car, "A") == []
    assert step(board, car, "B") == ["B"]


def test_an_unplug_while_the_pilot_is_f_is_seen_afterwards(board: SimulatedBoard, car: Car) -> None:
    step(board, car, "C")
    board.f()
    assert step(board, car, "A") == ["F"]
    board.x1()
    assert step(board, car, "A") == ["A"]


def test_a_shorted_pilot_stays_so_until_the_board_is_disabled(board: SimulatedBoard, car: Car) -> None:
    assert [step(board, car, pilot) for pilot in "BECA"] == [["B"], ["E"], [], []]
    board.enable(False)
    assert step(board, car, "A") == []
    board.enable(True)
    assert [step(board, car, pilot) for pilot in "AB"] == [["A"], ["B"]]
    step(board, car, "E")
    board.new_car()
    assert step(board, car, "B") == ["B"]


def test_a_disabled_board_and_a_disabled_car_report_nothing(board: SimulatedBoard, car: Car) -> None:
    board.enable(False)
    assert step(board, car, "B") == []
    board.enable(True)
    assert step(board, car, "B") == ["B"]
    car.enabled = False
    assert step(board, car, "A") == []


def test_every_event_of_board_support_ac_that_stands_for_a_letter_leads_back_to_it() -> None:
    for (_, current), events in EVENTS_AC.items():
        letters = [LETTERS[event] for event in events if event in LETTERS]
        assert letters in ([], [current], ["B", current])
    assert [event.value for event in events_ac("A", "D")] == ["CarPluggedIn", "CarRequestedPower"]
    assert events_ac("A", "F") == ()


def test_a_board_that_is_disabled_opens_its_contactor(board: SimulatedBoard, car: Car) -> None:
    board.power_allowed = True
    board.pwm_on(50.0)
    assert step(board, car, "C") == ["C", "PowerOn"]
    board.enable(False)
    assert (step(board, car, "C"), board.duty) == (["PowerOff"], None)
