"""The car's command language and what commands do (station 3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.EvseManagerSim.car import MAX_COMMANDS_PER_TICK, TICK_S, Car, CarConfig
from modules.EvseManagerSim.commands import FORMS, ISO_FORMS, CarCommand, CommandSyntaxError, parse
from modules.EvseManagerSim.v2g import V2G, Offer, Wish

DUTY_16_A = 26.667
NUMERIC = ("sleep", "rcd_current", "set_soc", "iso_wait_for_stop", "iso_start_bcb_toggle")


def car(**config: object) -> Car:
    made = Car(CarConfig(**config))  # type: ignore[arg-type]
    made.enable(True)
    return made


def states(one: Car, duties: list[float | None]) -> list[str]:
    """The control pilot after each tick with these duty cycles."""
    seen = []
    for number, duty in enumerate(duties):
        one.tick(number * TICK_S, duty)
        seen.append(one.control_pilot)
    return seen


def test_separators_case_and_trailing_semicolon() -> None:
    text = "Sleep 1;IEC_wait_pwr_ready\ndraw_power_regulated 16,3;"
    assert parse(text) == [
        CarCommand("sleep", ("1",)),
        CarCommand("iec_wait_pwr_ready"),
        CarCommand("draw_power_regulated", ("16", "3")),
    ]


def test_two_blanks_give_an_empty_argument() -> None:
    assert parse("draw_power_regulated 16  3") == [CarCommand("draw_power_regulated", ("16", "", "3"))]


@pytest.mark.parametrize("text", ["", ";", "sleep 1;;unplug", " unplug", "sleep 1; unplug", "test", "sleep 1;fly"])
def test_unknown_and_empty_names_refuse_the_whole_string(text: str) -> None:
    with pytest.raises(CommandSyntaxError):
        parse(text)


@pytest.mark.parametrize("text", ["a" * 200_000, " " + "a" * 200_000])
def test_what_is_refused_stands_shortened_in_the_message(text: str) -> None:
    with pytest.raises(CommandSyntaxError, match=r"aaa\.\.\. \(20000\d characters\)") as refusal:
        parse(text)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("name", sorted(ISO_FORMS))
def test_commands_of_the_iso_stack_say_what_is_missing(name: str) -> None:
    with pytest.raises(CommandSyntaxError, match="ISO 15118"):
        parse(f"sleep 1;{name}")


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        commands = parse(text)
    except CommandSyntaxError:
        return
    assert all(command.name in FORMS for command in commands)


def test_execute_begins_unplugged_and_sleep_has_the_tick_grid() -> None:
    one = car()
    one.execute("sleep 1;pause;sleep 99")
    assert states(one, [None] * 6) == ["A", "A", "A", "A", "B", "B"]


def test_commands_that_do_not_block_act_as_one_per_tick() -> None:
    one = car()
    one.execute("pause;unplug;draw_power_fixed 16,3;sleep 9")
    assert states(one, [None]) == ["C"]


def test_waiting_for_power_plugs_in_and_regulated_drawing_follows_the_pwm() -> None:
    one = car()
    one.execute("iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 99")
    assert states(one, [None, 5.0, DUTY_16_A, DUTY_16_A, None, DUTY_16_A]) == ["B", "B", "C", "C", "B", "C"]


def test_fixed_drawing_ignores_the_pwm() -> None:
    one = car()
    one.execute("draw_power_fixed 16,1;sleep 99")
    assert states(one, [None, DUTY_16_A, None]) == ["C", "C", "C"]
    assert (one.max_current_A, one.three_phases) == (16.0, False)


def test_a_finished_list_leaves_the_car_as_it_is_and_deaf_to_the_pwm() -> None:
    one = car()
    one.execute("draw_power_regulated 10,3")
    assert states(one, [DUTY_16_A, None, None]) == ["C", "C", "C"]
    assert not one.running
    assert one.max_current_A == 10.0


def test_modify_keeps_the_state_and_execute_is_refused_while_running() -> None:
    one = car()
    one.execute("pause;sleep 99")
    states(one, [None])
    with pytest.raises(CommandSyntaxError, match="still being executed"):
        one.execute("sleep 1")
    one.modify("sleep 1")
    assert states(one, [None]) == ["B"]


def test_a_disabled_car_refuses_commands_and_says_so() -> None:
    one = Car(CarConfig())
    for order in (one.execute, one.modify):
        with pytest.raises(CommandSyntaxError, match="not enabled"):
            order("sleep 1")


@pytest.mark.parametrize(
    "bad",
    [
        "sleep",
        "sleep x",
        "sleep 1 2",
        "unplug 3",
        "diode_fail now",
        "draw_power_fixed 16",
        "draw_power_fixed -1,3",
        "draw_power_fixed nan,3",
        "set_soc 101",
        "sleep -1",
        "iso_start_bcb_toggle -1",
        "iso_start_bcb_toggle 1.5",
        "iso_start_v2g_session ac 1e400 0",
        "iso_start_v2g_session ac 1000000000000 0",
        "iso_start_v2g_session ac -1 0",
        "iso_start_v2g_session ac 3600 1e400",
        "iso_start_v2g_session ac contract 3600 nan",
        *(f"{name} {text}" for name in NUMERIC for text in ("nan", "inf", "-inf", "1e400", "9" * 5000, "", "\u00bd")),
    ],
)
def test_a_command_that_fails_is_logged_and_skipped(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    one = car(iso15118=True)
    before = (one.rcd_current_mA, one.max_current_A, one.soc_percent)
    one.execute(f"{bad};pause;sleep 9")
    assert states(one, [None]) == ["B"]
    assert (one.rcd_current_mA, one.max_current_A, one.soc_percent) == before
    (line,) = caplog.messages
    assert "failed" in line and len(line) < 400


def test_plugin_without_configured_commands_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    one = car()
    one.execute("plugin;pause;sleep 9")
    assert states(one, [None]) == ["B"]
    assert "plugin_commands is empty" in caplog.text


def test_plugin_stands_for_the_configured_commands() -> None:
    one = car(plugin_commands="pause;sleep 99")
    one.execute("plugin;unplug")
    assert states(one, [None, None]) == ["B", "B"]


def test_plugin_that_calls_itself_ends_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    one = car(plugin_commands="plugin")
    one.execute("plugin")
    one.tick(0.0, None)
    assert not one.running
    assert "plugin_commands contains `plugin`" in caplog.text


def test_a_list_without_a_command_that_waits_is_called_too_long(caplog: pytest.LogCaptureFixture) -> None:
    one = car()
    one.execute("pause;" * 20_000)
    one.tick(0.0, None)
    assert not one.running
    assert "too long" in caplog.text
    assert "plugin" not in caplog.text
    caplog.clear()
    one.execute("pause;" * MAX_COMMANDS_PER_TICK)
    one.tick(0.0, None)
    assert (one.running, one.control_pilot, caplog.text) == (False, "B", "")


def test_error_e_diode_and_residual_current_until_unplugged() -> None:
    one = car()
    one.execute("error_e;diode_fail;rcd_current 12.5;sleep 0.25;unplug;sleep 99")
    assert states(one, [None]) == ["E"]
    assert (one.diode_fault, one.rcd_current_mA) == (True, 12.5)
    one.tick(0.25, None)
    assert (one.control_pilot, one.diode_fault, one.rcd_current_mA) == ("A", False, 0.1)


def test_set_soc_sets_the_battery() -> None:
    one = car()
    one.execute("set_soc 20;sleep 1")
    one.tick(0.0, None)
    assert one.soc_percent == 20.0


def test_enabling_what_is_enabled_is_told_apart() -> None:
    one = car()
    assert one.enable(True) is False
    assert one.enable(False) is True
    assert one.control_pilot == "A"


@pytest.mark.parametrize(("count", "letters"), [("1", "BCB"), ("3", "BCBCBCB"), ("9", "BCBCBCB")])
def test_a_car_toggles_at_most_three_times(count: str, letters: str) -> None:
    one = car(iso15118=True)
    one.execute(f"pause;sleep 0.25;iso_start_bcb_toggle {count};sleep 99")
    shown = states(one, [5.0] * 12)
    assert "".join(letter for before, letter in zip(["", *shown], shown, strict=False) if letter != before) == letters


def test_the_end_of_a_list_resets_the_battery_and_not_the_current() -> None:
    one = car()
    one.execute("set_soc 90;draw_power_fixed 6,1;sleep 0.25")
    one.tick(0.0, None)
    assert (one.soc_percent, one.max_current_A) == (90.0, 6.0)
    one.tick(0.25, None)
    assert not one.running
    assert (one.soc_percent, one.max_current_A, one.three_phases, one.control_pilot) == (30.0, 6.0, False, "C")


def test_switching_the_simulation_resets_the_whole_car() -> None:
    one = car()
    one.execute("draw_power_fixed 6,1;sleep 99")
    one.tick(0.0, None)
    one.enable(False)
    assert (one.max_current_A, one.three_phases, one.control_pilot, one.running) == (16.0, True, "A", False)


def test_a_car_waits_for_the_end_of_its_v2g_session_with_and_without_power() -> None:
    v2g = V2G(Offer(), lambda: False)
    one = Car(CarConfig(iso15118=True), v2g)
    one.enable(True)
    one.execute("pause;iso_wait_v2g_session_stopped;unplug;sleep 99")
    v2g.request(Wish("ac"))
    assert states(one, [5.0, 5.0]) == ["B", "B"]
    v2g.end()
    one.powered = True
    assert states(one, [5.0]) == ["B"]
    one.powered = False
    assert states(one, [5.0]) == ["A"]
