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


def test_a_register_that_was_reset_begins_a_new_stretch() -> None:
    readings = charging(seconds=10)
    again = [Sample(20.0 + sample.t, sample.energy_Wh, sample.power_W, reset=sample.t == 0.0) for sample in readings]
    assert list(stretches(readings + again)) == [readings, again]


def falling(*, power: float = 7200.0, at: float = 10.0, to: float = 0.0) -> list[Sample]:
    """A meter of the rate of 7200 W whose register falls at `at`."""
    times = [number / 2 for number in range(40)]
    return [Sample(t, (2 * t if t < at else to + 2 * (t - at)) * power / 7200.0, power) for t in times]


def test_a_register_that_falls_in_mid_charge_is_a_fault_that_is_named() -> None:
    (result,) = check(records(falling(to=15.0)))
    assert result.holds is False
    assert "DOES NOT ADD UP: the register fell from 19.0 to 15.0 Wh after 10.0 s" in str(result)


def test_a_fall_within_the_tolerance_is_a_fault_too() -> None:
    readings = [Sample(0.0, 10.0, 0.0), Sample(0.5, 9.5, 0.0), Sample(1.0, 9.5, 0.0)]
    assert balance("meter", readings).holds is False


@pytest.mark.parametrize("event", ["SessionStarted", "SessionFinished"])
@pytest.mark.parametrize(("t", "holds"), [(8.0, True), (10.4, True), (12.0, True), (3.0, False), (17.0, False)])
def test_a_register_may_be_reset_where_a_session_begins_or_ends(event: str, t: float, holds: bool) -> None:
    found = check([*records(falling(), until=t), session_event(t, event), *records(falling(), since=t)])
    assert all(result.holds is not False for result in found) is holds


@pytest.mark.parametrize(("under_way", "power", "holds"), [(30.0, 0.0, True), (5.0, 0.0, False), (30.0, 7200.0, False)])
def test_a_register_may_be_reset_at_plug_in_long_after_the_card(under_way: float, power: float, holds: bool) -> None:
    said = [session_event(-5.0, "SessionStarted"), *records(falling()), session_event(under_way, "TransactionStarted")]
    readings = [(t, topic, payload.replace("7200.0", str(power))) for t, topic, payload in said]
    found = check(sorted(readings))
    assert any("the register fell" in str(result) for result in found) is not holds


@pytest.mark.parametrize(("module", "holds"), [("evse_1", True), ("evse_2", False)])
def test_a_register_may_be_reset_where_its_module_starts_anew(module: str, holds: bool) -> None:
    ready = (10.2, f"everest/modules/{module}/ready", "true")
    found = check([*records(falling(), until=10.2), ready, *records(falling(), since=10.2)])
    assert all(result.holds for result in found) is holds


@pytest.mark.parametrize("others", [[], ["SessionFinished"]])
def test_a_meter_whose_module_knows_no_sessions_may_be_reset_with_those_of_others(others: list[str]) -> None:
    topic = "everest/modules/driver/impl/powermeter/var/powermeter"
    driver = [(t, topic, payload) for t, _, payload in records(falling())]
    found = check([*driver[:20], *(session_event(10.0, event) for event in others), *driver[20:]])
    assert all(result.holds for result in found) is bool(others)


def test_a_register_that_is_lower_after_an_outage_was_reset() -> None:
    before = charging(seconds=10)
    after = [Sample(100.0 + sample.t, sample.energy_Wh, sample.power_W) for sample in before]
    assert [result.holds for result in check(records(before + after))] == [True, True]


def test_a_fall_is_named_in_thin_readings_too() -> None:
    (result,) = check(records([Sample(t, energy, 7200.0) for t, energy in ((0.0, 0.0), (5.0, 10.0), (10.0, 4.0))]))
    assert "the register fell from 10.0 to 4.0 Wh" in str(result)


def test_what_was_wrong_stays_wrong_when_the_readings_grow_thin() -> None:
    readings = [*charging(factor=2.0), Sample(200.0, 1000.0, 11000.0)]
    assert balance("meter", readings).holds is False


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.004, True), (1.02, False), (5.0, False), (0.0, False)])
def test_export_is_held_against_the_negative_power(factor: float, holds: bool) -> None:
    readings = [Sample(one.t, 7.0, -one.power_W, 0, one.energy_Wh) for one in charging(factor=factor)]
    (result,) = check(records(readings))
    assert (result.meter, result.holds) == ("evse_1/evse export", holds)


def test_import_and_export_are_judged_each_for_itself() -> None:
    there = [Sample(one.t, one.energy_Wh, one.power_W, 0, 0.0) for one in charging()]
    back = [Sample(121.0 + one.t, there[-1].energy_Wh, -one.power_W, 0, one.energy_Wh) for one in charging()]
    found = check(records(there + back))
    assert {result.meter: result.holds for result in found} == {"evse_1/evse": True, "evse_1/evse export": True}


def test_an_export_register_that_falls_is_a_fault() -> None:
    readings = [Sample(one.t, 0.0, -one.power_W, 0, one.energy_Wh) for one in falling()]
    (result,) = check(records(readings))
    assert "the register fell" in result.fault


def test_a_total_that_is_missing_is_the_sum_of_the_phases() -> None:
    whole = records(charging(watts=9000.0))
    phases = '"power_W": {"L1": 3000, "L2": 3000, "L3": 3000}'
    by_phase = [(t, topic, payload.replace('"power_W": {"total": 9000.0}', phases)) for t, topic, payload in whole]
    assert by_phase != whole
    assert check(by_phase) == check(whole)


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
    assert any(result.holds for result in found)
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


SKIPPED = {
    "the payload is no JSON": "garbage",
    "the value is no object": json.dumps({"msg_type": "Var", "data": {"data": None}}),
    "there is no energy_Wh_import": json.dumps({"power_W": {"total": 1.0}}),
    "there is no power_W": json.dumps({"energy_Wh_import": {"total": 1.0}, "power_W": {"total": None}}),
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_a_reading_that_cannot_be_read_is_named_and_the_rest_is_judged(
    reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    spoilt = json.dumps(
        {"t": 0.1, "topic": "everest/modules/evse_1/impl/evse/var/powermeter", "payload": SKIPPED[reason]}
    )
    path.write_text(spoilt + "\n" + "".join(lines(charging())))
    assert main([str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == f"x.jsonl: warning: evse_1/evse: {reason}; messages that were skipped: 1\n"
    assert "adds up" in said.out


def test_bytes_that_are_no_text_and_a_number_that_is_none_are_skipped() -> None:
    good = records(charging())
    nan = (5.1, good[0][1], good[0][2].replace("0.0", "NaN"))
    assert [result.holds for result in check([*good[:10], (4.6, good[0][1], "\ufffd"), nan, *good[10:]])] == [True]


@pytest.mark.parametrize(
    "readings",
    [[], charging(factor=0.5, step=5.0), charging()[:1], charging()[::-1]],
    ids=["none", "too far apart", "one alone", "backwards in time"],
)
def test_a_file_in_which_nothing_is_judged_passes_no_gate(
    readings: list[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(lines(readings)))
    assert main([str(path)]) == 3
    assert "x.jsonl: NOTHING JUDGED: " in capsys.readouterr().out


def test_a_meter_at_rest_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(lines(charging(watts=0.0))))
    assert main([str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_file_that_was_not_written_to_its_end_is_judged_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(lines([*charging(seconds=1800)]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert main([str(path)]) == 0
    assert "ends in the middle" in caplog.text


def test_all_files_are_judged_and_the_worst_status_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {0: charging(), 1: charging(factor=2.0), 3: []}
    for number, readings in files.items():
        (tmp_path / f"{number}.jsonl").write_text("".join(lines(readings)))
    (tmp_path / "2.jsonl").write_text("no trace\n")

    def status(*names: int) -> int:
        return main([str(tmp_path / f"{name}.jsonl") for name in names])

    assert [status(2, 0, 1), status(1, 2), status(3, 1), status(1, 3), status(0, 3), status(0, 0)] == [2, 2, 1, 1, 3, 0]
    status(2, 3, 1, 0)
    said = capsys.readouterr().out.splitlines()[-3:]
    assert [line[:2] for line in said] == ["3.", "1.", "0."]


def test_what_is_no_recording_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(b"no gzip")
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def records(readings: list[Sample], since: float = -1.0, until: float = 1e9) -> list[tuple[float, str, str]]:
    """Bus messages of the readings from `since` until before `until`."""
    result = []
    for sample in readings:
        value = {"energy_Wh_import": {"total": sample.energy_Wh}, "power_W": {"total": sample.power_W}}
        exported = {} if sample.export_Wh is None else {"energy_Wh_export": {"total": sample.export_Wh}}
        payload = json.dumps({"msg_type": "Var", "data": {"data": {**value, **exported}}})
        result.append((sample.t, "everest/modules/evse_1/impl/evse/var/powermeter", payload))
    return [record for record in result if since <= record[0] < until]


def session_event(t: float, event: str) -> tuple[float, str, str]:
    payload = {"msg_type": "Var", "data": {"data": {"event": event, "uuid": "1"}}}
    return t, "everest/modules/evse_1/impl/evse/var/session_event", json.dumps(payload)


def lines(readings: list[Sample]) -> list[str]:
    return [json.dumps({"t": t, "topic": topic, "payload": payload}) + "\n" for t, topic, payload in records(readings)]
