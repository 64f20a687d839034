"""The simulated meter by itself (station 3.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.EvseManagerSim.chance import Noise, session_id
from modules.EvseManagerSim.dc_meter import DcMeter
from modules.EvseManagerSim.meter import Meter, MeterConfig


def meter(*, noise: bool = False, seed: int = 1) -> Meter:
    return Meter(MeterConfig(), Noise(seed, enabled=noise), 0.0)


def test_three_phases_at_16_a_for_an_hour() -> None:
    one = meter()
    one.set_load(0.0, 16.0, 3)
    reading = one.reading(3600.0, "T")
    assert reading.voltage_V is not None and reading.voltage_V.L1 == 222.0  # 0.5 V drop per A
    assert reading.power_W is not None and reading.power_W.total == 3 * 16 * 222
    assert reading.energy_Wh_import.total == 3 * 16 * 222


def test_one_phase_loads_l1_only() -> None:
    one = meter()
    one.set_load(0.0, 10.0, 1)
    reading = one.reading(3600.0, "T")
    assert reading.current_A is not None
    assert (reading.current_A.L1, reading.current_A.L2, reading.current_A.N) == (10.0, 0.0, 10.0)
    assert (reading.energy_Wh_import.L1, reading.energy_Wh_import.L2) == (2250.0, 0.0)


def test_noise_is_small_and_repeatable_by_seed() -> None:
    def voltages(seed: int) -> list[float | None]:
        one = meter(noise=True, seed=seed)
        readings = [one.reading(float(second), "T") for second in range(20)]
        return [reading.voltage_V.L1 if reading.voltage_V else None for reading in readings]

    assert voltages(1) == voltages(1) != voltages(2)
    assert all(value is not None and abs(value - 230.0) <= 2.301 for value in voltages(1))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 80), st.sampled_from([1, 3])), max_size=20))
def test_the_register_never_falls_and_is_shown_in_whole_watt_hours(loads: list[tuple[float, float, int]]) -> None:
    one = meter(noise=True)
    now, shown = 0.0, 0.0
    for seconds, amps, phases in loads:
        now += seconds
        one.set_load(now, amps, phases)
        reading = one.reading(now, "T")
        assert reading.energy_Wh_import.total == int(reading.energy_Wh_import.total) >= shown
        shown = reading.energy_Wh_import.total


@pytest.mark.parametrize(("amps", "celsius"), [(0.0, 25.0), (16.0, 57.0), (32.0, 89.0), (80.0, 90.0), (1000.0, 90.0)])
def test_the_meter_gets_warm_and_not_hotter_than_a_connector(amps: float, celsius: float) -> None:
    one = meter()
    one.set_load(0.0, amps, 3)
    assert one.temperature_C() == pytest.approx(celsius)


@pytest.mark.parametrize(
    ("amps", "celsius"), [(0.0, 25.0), (61.0, 30.1), (-61.0, 30.1), (200.0, 55.0), (300.0, 66.5), (10000.0, 85.0)]
)
def test_a_dc_cable_gets_as_warm_as_dc_cables_do(amps: float, celsius: float) -> None:
    one = DcMeter(MeterConfig(), Noise(1, enabled=False), 0.0)
    one.set_dc_load(0.0, amps, 400.0)
    assert one.temperature_C() == pytest.approx(celsius, abs=0.1)
    (shown,) = one.reading(0.0, "T").temperatures or []
    assert shown.temperature == pytest.approx(celsius, abs=0.1)


def test_time_that_runs_backwards_adds_nothing() -> None:
    one = meter()
    one.set_load(10.0, 16.0, 3)
    before = one.total_Wh
    one.advance(5.0)
    assert one.total_Wh == before


def test_register_stored_and_restored() -> None:
    one, other = meter(), meter()
    one.set_load(0.0, 16.0, 3)
    one.advance(100.0)
    other.restore(one.register())
    assert other.total_Wh == one.total_Wh > 0
    for nonsense in ({"L1": "x"}, {"L1": -1.0}, {"L1": float("nan")}, {"L2": 1e308}, {"export": 10**400}):
        with pytest.raises(ValueError):
            other.restore(nonsense)
        assert other.register() == one.register()


@pytest.mark.parametrize(("kind", "length"), [("UUID", 36), ("UUID_BASE64", 22), ("SHORT_BASE64", 16)])
def test_session_ids_have_the_form_that_the_configuration_names(kind: str, length: int) -> None:
    first, second = session_id(kind), session_id(kind)
    assert len(first) == length
    assert first != second


def test_each_quantity_has_its_own_measure_of_noise() -> None:
    """Station 3.4: one percent on voltage and current, a quarter on the frequency; and it is used."""
    one = meter(noise=True)
    one.set_load(0.0, 10.0, 3)
    found = [one.reading(float(second), "T") for second in range(300)]
    currents = [reading.current_A.L1 for reading in found if reading.current_A is not None]
    frequencies = [reading.frequency_Hz.L1 for reading in found if reading.frequency_Hz is not None]
    assert max(abs((amps or 0.0) / 10.0 - 1.0) for amps in currents) == pytest.approx(0.01, rel=0.1)
    assert max(abs(hertz / 50.0 - 1.0) for hertz in frequencies) == pytest.approx(0.0025, rel=0.1)


def test_the_voltage_drops_to_nothing_and_not_below() -> None:
    one = Meter(MeterConfig(nominal_voltage_V=50.0), Noise(1, enabled=False), 0.0)
    one.set_load(0.0, 1000.0, 3)
    reading = one.reading(3600.0, "T")
    assert reading.voltage_V is not None and reading.power_W is not None
    assert (reading.voltage_V.L1, reading.power_W.total, reading.energy_Wh_import.total) == (0.0, 0.0, 0.0)
    assert one.exported_Wh == 0.0
