"""The energy checker: what it finds in good and in planted bad recordings, and the recordings of the original."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from everest.trace.energy import Sample, balance, check, main, read, stretches

RECORDINGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "traces").rglob("*.jsonl.gz")
    if not path.name.endswith((".ocpp.jsonl.gz", ".marks.jsonl.gz"))
)


def charging(watts: float = 11000.0, seconds: int = 120, factor: float = 1.0, step: float = 0.5) -> list[Sample]:
    """A meter in whole Wh that counts `factor` times what it shows."""
    times = [number * step for number in range(int(seconds / step) + 1)]
    return [Sample(t, float(int(factor * watts * t / 3600.0)), watts) for t in times]


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.004, True), (1.02, False), (0.98, False), (0.0, False)])
def test_half_a_percent_and_one_watt_hour_are_allowed(factor: float, holds: bool) -> None:
    assert balance("meter", charging(factor=factor)).holds is holds


def test_a_step_that_is_made_up_for_later_is_found_all_the_same() -> None:
    readings = charging()
    readings[100] = Sample(readings[100].t, readings[100].energy_Wh + 5.0, 11000.0)
    for index in range(101, 110):
        readings[index] = Sample(readings[index].t, readings[100].energy_Wh, 11000.0)
    assert balance("meter", readings).holds is False


def test_where_the_power_jumps_only_its_bounds_are_known() -> None:
    off, on = Sample(0.0, 0.0, 0.0), 11000.0
    late = balance("meter", [off, Sample(1.0, 0.0, on), Sample(2.0, 3.0, on)])
    early = balance("meter", [off, Sample(1.0, 3.0, on), Sample(2.0, 6.0, on)])
    assert (late.holds, early.holds) == (True, True)
    assert balance("meter", [off, Sample(1.0, 5.0, on)]).holds is False


def test_a_register_that_falls_begins_a_new_stretch() -> None:
    readings = charging(seconds=10)
    again = [Sample(20.0 + sample.t, sample.energy_Wh, sample.power_W) for sample in readings]
    assert list(stretches(readings + again)) == [readings, again]


def test_readings_too_far_apart_are_not_judged() -> None:
    assert balance("meter", charging(factor=0.5, step=5.0)).holds is None


def test_the_fractions_of_short_sessions_do_not_add_up_to_a_fault() -> None:
    short = [Sample(0.0, 0.0, 0.0), Sample(0.5, 0.0, 3600.0), Sample(1.2, 0.0, 3600.0), Sample(1.7, 0.0, 0.0)]
    readings = [
        Sample(10.0 * number + sample.t, sample.energy_Wh, sample.power_W, number)
        for number in range(8)
        for sample in short
    ]
    assert [balance("meter", stretch).holds for stretch in stretches(readings)] == [True] * 8
    assert balance("meter", readings).holds is False


def test_a_session_that_begins_is_seen_in_a_recording_and_what_is_no_text_is_passed_over(tmp_path: Path) -> None:
    event = {"msg_type": "Var", "data": {"data": {"event": "SessionStarted", "uuid": "1"}}}
    topic = "everest/modules/evse_1/impl/evse/var/session_event"
    rest = [
        json.dumps({"t": 5.2, "topic": topic, "payload": json.dumps(event)}) + "\n",
        json.dumps({"t": 5.3, "topic": "any", "payload_base64": "//6A"}) + "\n",
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(lines(charging(seconds=5)) + rest + lines([Sample(5.5, 15.0, 11000.0)])))
    assert [result.readings for result in check(read(path))] == [11, 1]


@pytest.mark.parametrize(("grown", "stretches_found"), [(2.0, 2), (20.0, 1)])
def test_a_station_that_was_off_begins_a_new_stretch_with_what_was_on_its_way(
    grown: float, stretches_found: int
) -> None:
    before = charging(seconds=10)
    after = [Sample(100.0 + sample.t, before[-1].energy_Wh + grown, 0.0) for sample in before]
    assert len(list(stretches(before + after))) == stretches_found


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_energy_and_power_add_up_in_every_recording(path: Path) -> None:
    found = check(read(path))
    assert [str(result) for result in found if result.holds is False] == []
    drawing = {result.meter for result in found if "evse_manager" in result.meter}
    assert drawing <= {result.meter for result in found if result.holds}


def test_the_recordings_hold_something_to_judge() -> None:
    judged = [result for path in RECORDINGS for result in check(read(path)) if result.holds]
    assert sum(result.energy_Wh for result in judged) > 100.0


def test_the_command_names_the_meter_that_does_not_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.jsonl.gz", tmp_path / "bad.jsonl"
    with gzip.open(good, "wt") as file:
        file.writelines(lines(charging()))
    with bad.open("w") as file:
        file.writelines(lines(charging(factor=2.0)))
    assert main([str(good)]) == 0
    assert main([str(good), str(bad)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("bad.jsonl: evse_1/evse: DOES NOT ADD UP")


def test_what_is_no_recording_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(b"no gzip")
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def lines(readings: list[Sample]) -> list[str]:
    result = []
    for sample in readings:
        value = {"energy_Wh_import": {"total": sample.energy_Wh}, "power_W": {"total": sample.power_W}}
        payload = json.dumps({"msg_type": "Var", "data": {"data": value}})
        topic = "everest/modules/evse_1/impl/evse/var/powermeter"
        result.append(json.dumps({"t": sample.t, "topic": topic, "payload": payload}) + "\n")
    return result
