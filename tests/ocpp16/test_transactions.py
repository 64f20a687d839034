"""Transactions: ids, late and missing answers, stop, power loss, resumption, refused tags (libocpp 3.5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ocpp16 import SignedMeterValue, StoreError, UsageError
from ocpp16.messages import Reason
from ocpp16.ports import Store
from ocpp16.store.memory import MemoryStore
from ocpp16.store.sqlite import SqliteStore
from tests.support.ocpp16_station import SILENCE, Station, settled

pytestmark = pytest.mark.looptime

ACCEPTED = {"idTagInfo": {"status": "Accepted"}}


async def test_a_start_is_in_the_store_when_the_handler_returns() -> None:
    async with Station() as station:
        station.csms.answers["BootNotification"] = SILENCE
        await station.boot()
        await station.begin(meter=100.5, reservation_id=0)
        rows = await station.store.open_transactions()
        queued = await station.store.messages()
    assert [(row.session_id, row.meter_start, row.transaction_id) for row in rows] == [("session-1", 101, None)]
    assert rows[0].internal_id < 0 and rows[0].reservation_id == 0
    assert [message.action for message in queued] == ["SecurityEventNotification", "StartTransaction"]
    assert b'"reservationId":0' in queued[1].payload


async def test_the_stop_of_a_transaction_that_ended_before_its_start_was_answered_gets_the_id_of_the_csms() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.charge_point.disconnect_websocket()
        await station.begin()
        await station.read_meter(500)
        await settled(11)
        await station.end()
        await station.charge_point.connect_websocket()
        station.csms.answers["StartTransaction"] = ACCEPTED | {"transactionId": 0}
        await station.csms.wait_for("StopTransaction")
    assert [p.get("transactionId") for p in station.csms.requests("MeterValues")] == [0]
    assert station.csms.requests("StopTransaction")[0]["transactionId"] == 0


async def test_a_start_that_is_given_up_is_followed_by_a_stop_with_the_internal_id() -> None:
    async with Station(TransactionMessageAttempts=2, TransactionMessageRetryInterval=1) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = ("InternalError", "")
        await station.begin()
        await station.end()
        stop = await station.csms.wait_for("StopTransaction")
        await settled()
        rows = await station.store.open_transactions()
    assert len(station.csms.requests("StartTransaction")) == 2
    assert stop["transactionId"] < 0
    assert rows == []


async def test_a_stop_answered_after_a_retry_still_finds_its_transaction() -> None:
    async with Station(TransactionMessageRetryInterval=1) as station:
        await station.boot()
        await station.begin()
        await settled()
        station.csms.answers["StopTransaction"] = ("InternalError", "")
        await station.end()
        await station.csms.wait_for("StopTransaction")
        station.csms.answers.clear()
        await station.csms.wait_for("StopTransaction", 2)
        await settled()
        assert await station.store.open_transactions() == []


async def test_0_is_an_ordinary_transaction_id() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = ACCEPTED | {"transactionId": 0}
        await station.begin(reservation_id=0)
        await station.read_meter(500)
        await settled(11)
        assert await station.csms.call("RemoteStopTransaction", {"transactionId": 0}) == {"status": "Accepted"}
        await station.end()
        await settled()
    assert station.csms.requests("StartTransaction")[0]["reservationId"] == 0
    assert [p["transactionId"] for p in station.csms.requests("MeterValues")] == [0]
    assert [p["transactionId"] for p in station.csms.requests("StopTransaction")] == [0]
    assert station.asked_for("stop_transaction") == [[1, Reason.Remote]]
    assert station.asked_for("transaction_stopped") == [[1, "session-1", 0]]


async def test_the_parent_of_the_tag_is_kept_with_the_transaction() -> None:
    async with Station() as station:
        await station.boot()
        info = {"status": "Accepted", "parentIdTag": "FAMILY"}
        station.csms.answers["StartTransaction"] = {"transactionId": 3, "idTagInfo": info}
        await station.begin()
        await settled()
        row = await station.store.transaction("session-1")
        update = station.asked_for("transaction_updated")[0]
    assert row is not None and row.parent_id_tag == "FAMILY"
    assert update[3].parent_id_tag == "FAMILY"


async def test_meter_values_of_a_start_that_is_given_up_carry_no_id() -> None:
    async with Station(MeterValueSampleInterval=10, TransactionMessageAttempts=1) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = ("InternalError", "")
        await station.begin()
        await station.read_meter(500)
        await settled(11)
    assert [p.get("transactionId", "none") for p in station.csms.requests("MeterValues")] == ["none"]


async def test_two_transactions_with_the_same_id_do_not_touch_each_other() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = ACCEPTED | {"transactionId": 7}
        await station.begin(1, "first")
        await station.begin(2, "second", "TAG2")
        await settled()
        await station.end(1, "first")
        await settled()
        rows = await station.store.open_transactions()
    assert [row.session_id for row in rows] == ["second"]


async def test_a_stop_without_transaction_sends_nothing() -> None:
    async with Station() as station:
        await station.boot()
        await station.end()
        await station.begin()
        await station.end(session="another session")
        await settled()
    assert station.csms.requests("StopTransaction") == []


async def test_a_second_start_of_the_same_session_is_ignored() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await station.begin()
        await settled()
    assert len(station.csms.requests("StartTransaction")) == 1


async def test_a_start_on_a_connector_with_an_open_transaction_ends_the_earlier_one_first() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(session="first")
        await station.read_meter(612.3)
        await station.begin(session="second", meter=700)
        await settled()
    actions = [action for action in station.csms.actions() if action.endswith("Transaction")]
    stop = station.csms.requests("StopTransaction")[0]
    assert actions == ["StartTransaction", "StopTransaction", "StartTransaction"]
    assert (stop["reason"], stop["meterStop"], stop["transactionId"]) == ("PowerLoss", 612, 1)
    assert "idTag" not in stop


async def test_an_id_tag_that_is_too_long_loses_nothing_silently() -> None:
    async with Station() as station:
        await station.boot()
        with pytest.raises(UsageError):
            await station.begin(id_tag="x" * 21)


@pytest.mark.parametrize("stop_on_invalid", [True, False])
async def test_a_refused_tag_pauses_and_on_demand_stops(stop_on_invalid: bool) -> None:
    async with Station(StopTransactionOnInvalidId=stop_on_invalid) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}
        await station.begin()
        await settled()
    assert station.asked_for("pause_charging") == [[1]]
    assert station.asked_for("stop_transaction") == ([[1, Reason.DeAuthorized]] if stop_on_invalid else [])
    assert station.asked_for("transaction_updated")[0][:3] == [1, "session-1", 3]


async def test_a_refused_tag_of_a_transaction_that_has_ended_does_not_hit_the_next_one() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.disconnect_websocket()
        await station.begin(session="first")
        await station.end(session="first")
        await station.begin(session="second", meter=1100)
        answers = [{"status": "Invalid"}, {"status": "Accepted"}]
        station.csms.answers["StartTransaction"] = lambda payload: {"transactionId": 1, "idTagInfo": answers.pop(0)}
        await station.charge_point.connect_websocket()
        await settled(5)
    assert len(station.csms.requests("StartTransaction")) == 2
    assert station.asked_for("pause_charging") == [] and station.asked_for("stop_transaction") == []


async def test_energy_flows_up_to_max_energy_on_invalid_id() -> None:
    async with Station(StopTransactionOnInvalidId=False, MaxEnergyOnInvalidId=500) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}
        await station.begin(meter=100)
        await settled()
        await station.read_meter(599)
        await settled()
        assert station.asked_for("pause_charging") == []
        await station.read_meter(600)
        await station.read_meter(601)
        await settled()
    assert station.asked_for("pause_charging") == [[1]]


REFUSED = {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """What the station of a test remembers with: handed over in memory, or on disk."""
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "cp001.db")


async def test_the_energy_left_to_a_refused_tag_is_the_same_after_a_restart(store: Store) -> None:
    async with Station(store=store, StopTransactionOnInvalidId=False, MaxEnergyOnInvalidId=500) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = REFUSED
        await station.begin(meter=100)
        await settled()
        await station.read_meter(400)
        await station.kill_and_restart(resuming=["session-1"])
        await station.charge_point.on_resume_charging(1)
        await station.read_meter(599)
        await settled()
        assert station.asked_for("pause_charging") == []
        await station.read_meter(600)
        await settled()
        assert station.asked_for("pause_charging") == [[1]]
        assert station.asked_for("stop_transaction") == []
        await station.end(meter=600)
        await settled()
    assert [p["meterStop"] for p in station.csms.requests("StopTransaction")] == [600]


async def test_a_tag_that_has_had_its_energy_is_paused_again_after_a_restart(store: Store) -> None:
    async with Station(store=store, StopTransactionOnInvalidId=False, MaxEnergyOnInvalidId=500) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = REFUSED
        await station.begin(meter=100)
        await settled()
        await station.read_meter(600)
        await settled(20)
        await station.kill_and_restart(resuming=["session-1"])
        assert station.asked_for("pause_charging") == [[1]]
        await station.charge_point.on_resume_charging(1)
        await settled()
    assert station.asked_for("pause_charging") == [[1], [1]]


@pytest.mark.parametrize("stop", [False, True])
async def test_a_refused_tag_without_allowance_charges_on_after_no_restart(store: Store, stop: bool) -> None:
    async with Station(store=store, StopTransactionOnInvalidId=stop) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = REFUSED
        await station.begin(meter=100)
        await settled()
        station.asked.clear()
        await station.kill_and_restart(resuming=["session-1"])
        await station.read_meter(101)
        await station.read_meter(102)
        await settled()
    assert station.asked_for("pause_charging") == [[1]]
    assert station.asked_for("stop_transaction") == [[1, Reason.DeAuthorized]] * stop


async def test_a_refused_tag_that_charges_again_is_paused_again() -> None:
    async with Station(StopTransactionOnInvalidId=False) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = REFUSED
        await station.begin(meter=100)
        await settled()
        await station.charge_point.on_resume_charging(1)
        await settled()
        assert station.asked_for("pause_charging") == [[1], [1]]
        await station.end()
        station.csms.answers.clear()
        await station.begin(session="session-2")
        await settled()
        await station.charge_point.on_resume_charging(1)
        await settled()
    assert station.asked_for("pause_charging") == [[1], [1]]


async def test_callbacks_tell_of_start_update_and_stop_in_order() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()
        await station.end()
        await settled()
        told = [entry[:3] for entry in station.asked if entry[0].startswith("transaction_")]
    assert told == [
        ("transaction_started", 1, "session-1"),
        ("transaction_updated", 1, "session-1"),
        ("transaction_stopped", 1, "session-1"),
    ]
    assert station.asked_for("transaction_stopped")[0][2] == 1


async def test_the_stop_of_an_unplugged_ev_unlocks_and_does_not_finish() -> None:
    async with Station() as station:
        unlocked: list[int] = []
        station.charge_point.register_unlock_connector_callback(unlocked.append)  # type: ignore[arg-type]
        await station.boot()
        await station.begin()
        await station.charge_point.on_resume_charging(1)
        await station.end(reason=Reason.EVDisconnected)
        await settled()
    assert unlocked == [1]
    assert station.csms.statuses(1)[-1] == "Charging"


# --- meterStop and MeterValues ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("energy", [1000.0, 1000.2, 1000.49, 1000.5, 1000.99])
async def test_meter_stop_is_the_rounded_end_and_not_below_any_meter_values(energy: float) -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(energy)
        await settled(11)
        await station.end(meter=energy)
        await settled()
    sampled = float(station.csms.requests("MeterValues")[0]["meterValue"][0]["sampledValue"][0]["value"])
    stop = station.csms.requests("StopTransaction")[0]["meterStop"]
    assert stop == int(energy + 0.5)
    assert sampled <= stop and energy - sampled < 0.5


async def test_meter_stop_is_not_below_what_was_sent_even_if_the_meter_went_back() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(1000)
        await settled(11)
        await station.end(meter=900)
        await settled()
    assert station.csms.requests("StopTransaction")[0]["meterStop"] == 1000


# --- signed values and transactionData -------------------------------------------------------------------------------


def contexts(values: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(v["sampledValue"][0]["context"], v["sampledValue"][0]["format"]) for v in values]


async def test_a_signed_start_value_is_sent_with_the_transaction_id_and_recorded() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|start"))
        await settled()
        await station.end(
            signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|end"),
            start_signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|again"),
        )
        await settled()
    sent = station.csms.requests("MeterValues")
    assert sent[0]["transactionId"] == 1
    assert sent[0]["meterValue"][0]["sampledValue"] == [
        {"value": "OCMF|start", "context": "Transaction.Begin", "format": "SignedData"}
    ]
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    assert [value["sampledValue"][0]["value"] for value in data] == ["OCMF|start", "OCMF|end"]
    assert contexts(data) == [("Transaction.Begin", "SignedData"), ("Transaction.End", "SignedData")]


async def test_a_signed_start_that_comes_with_the_stop_takes_the_place_of_the_unsigned_one() -> None:
    async with Station(StopTxnSampledData="Energy.Active.Import.Register") as station:
        await station.boot()
        await station.begin()
        await station.end(start_signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|start"))
        await settled()
    assert station.csms.requests("MeterValues") == []
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    assert contexts(data) == [("Transaction.Begin", "SignedData"), ("Transaction.End", "Raw")]


async def test_a_signed_start_that_comes_with_the_stop_stands_before_the_samples() -> None:
    async with Station(StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await settled(5)
        await station.read_meter(500)
        await settled(6)
        await station.end(start_signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|start"))
        await settled()
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    assert [context for context, _ in contexts(data)] == ["Transaction.Begin", "Sample.Periodic", "Transaction.End"]
    assert [value["timestamp"] for value in data] == sorted(value["timestamp"] for value in data)


async def test_transaction_data_has_begin_samples_and_end_for_the_wanted_measurands() -> None:
    async with Station(StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin(meter=100.2)
        await station.read_meter(500, power=11000)
        await settled(11)
        await station.end(meter=1100.4)
        await settled()
    stop = station.csms.requests("StopTransaction")[0]
    values = [[s["value"] for s in value["sampledValue"]] for value in stop["transactionData"]]
    assert values == [["100.00"], ["500.00"], ["1100.00"]]
    assert [c for c, _ in contexts(stop["transactionData"])] == [
        "Transaction.Begin",
        "Sample.Periodic",
        "Transaction.End",
    ]
    assert len(station.csms.requests("MeterValues")) == 1
    assert stop["transactionData"][2]["timestamp"] == stop["timestamp"]


async def test_clock_aligned_and_other_values_of_a_transaction_are_filtered_each_by_its_own_key() -> None:
    keys = {
        "ClockAlignedDataInterval": 20,
        "MeterValueSampleInterval": 15,
        "MeterValuesAlignedData": "Energy.Active.Import.Register,Power.Active.Import",
        "StopTxnAlignedData": "Power.Active.Import",
        "StopTxnSampledData": "Energy.Active.Import.Register",
    }
    async with Station(**keys) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500, power=11000)
        await settled(25)
        await station.end()
        await settled()
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    kept = {(s["context"], s["measurand"]) for value in data for s in value["sampledValue"]}
    assert kept == {
        ("Transaction.Begin", "Energy.Active.Import.Register"),
        ("Sample.Periodic", "Energy.Active.Import.Register"),
        ("Sample.Clock", "Power.Active.Import"),
        ("Transaction.End", "Energy.Active.Import.Register"),
    }


async def test_without_stop_measurands_and_signed_values_there_is_no_transaction_data() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        await settled(11)
        await station.end()
        await settled()
    assert "transactionData" not in station.csms.requests("StopTransaction")[0]


async def test_transaction_data_is_thinned_to_max_message_size_keeping_first_and_last() -> None:
    async with Station(
        StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval=1, MaxMessageSize=32000
    ) as station:
        await station.boot()
        await station.begin()
        for second in range(400):
            await station.read_meter(200 + second)
            await settled(1)
        await station.end(meter=700)
        await settled()
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    first, last = (data[i]["sampledValue"][0] for i in (0, -1))
    assert 50 < len(data) < 300
    assert (first["context"], last["context"]) == ("Transaction.Begin", "Transaction.End")


# --- power loss ------------------------------------------------------------------------------------------------------


async def test_a_transaction_cut_off_ends_by_power_loss_with_the_last_reading() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()
        await station.read_meter(777.7)
        reading = station.clock.now()
        await settled(5)
        await station.kill_and_restart()
    stop = station.csms.requests("StopTransaction")
    assert [(p["reason"], p["meterStop"], p["transactionId"]) for p in stop] == [("PowerLoss", 778, 1)]
    assert "idTag" not in stop[0]
    assert stop[0]["timestamp"].startswith(reading.strftime("%Y-%m-%dT%H:%M:%S"))


async def test_a_transaction_without_any_reading_ends_with_its_start() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(meter=100)
        await station.kill_and_restart()
    assert station.csms.requests("StopTransaction")[0]["meterStop"] == 100


async def test_meter_last_is_written_throttled() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()
        writes = 0
        apply = station.store.apply

        async def counted(*args: Any, **options: Any) -> None:
            nonlocal writes
            writes += 1
            await apply(*args, **options)

        station.store.apply = counted  # type: ignore[method-assign]
        for tenth in range(100):
            await station.read_meter(200 + tenth)
            await settled(0.1)
        await settled(2)
        row = await station.store.transaction("session-1")
    assert row is not None and row.meter_last == 299
    assert 9 <= writes <= 12


async def test_a_resumed_transaction_samples_on_and_keeps_what_was_recorded() -> None:
    keys = {"MeterValueSampleInterval": 10, "StopTxnSampledData": "Energy.Active.Import.Register"}
    async with Station(**keys) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        await settled(11)
        await station.kill_and_restart(resuming=["session-1"])
        assert station.csms.requests("StopTransaction") == []
        await station.read_meter(900)
        await settled(10)
        await station.charge_point.set_configuration_key("MeterValueSampleInterval", "2")
        await settled(3)
        await station.end()
        await settled()
    assert [p["transactionId"] for p in station.csms.requests("MeterValues")] == [1, 1, 1]
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    assert [v["sampledValue"][0]["value"] for v in data] == ["100.00", "500.00", "900.00", "900.00", "1100.00"]
    assert station.csms.statuses(1)[-1] == "Finishing"


async def test_a_resumed_transaction_without_confirmed_id_sends_no_internal_one() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        station.csms.answers["StartTransaction"] = SILENCE
        await station.boot()
        await station.begin()
        await settled(5)
        await station.charge_point.close()
        station.charge_point = station.make()
        station.csms.answers["StartTransaction"] = ACCEPTED | {"transactionId": 44}
        await station.charge_point.start(resuming_session_ids=["session-1"])
        await station.read_meter(500)
        await settled(12)
    assert [p["transactionId"] for p in station.csms.requests("MeterValues")] == [44]
    starts = [got for got in station.csms.got if got.action == "StartTransaction"]
    assert len(starts) == 2 and starts[0].message_id == starts[1].message_id
    assert starts[0].payload == starts[1].payload


async def test_a_stop_that_waits_in_the_queue_is_not_doubled_by_a_restart() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin()
        await settled()
        station.csms.answers["StopTransaction"] = SILENCE
        await station.end(meter=1000)
        await settled()
        station.csms.answers.clear()
        await station.kill_and_restart(resuming=["session-1"])
        rows = await station.store.open_transactions()
    stops = [got for got in station.csms.got if got.action == "StopTransaction"]
    assert [got.payload["meterStop"] for got in stops] == [1000, 1000]
    assert stops[0].message_id == stops[1].message_id
    assert rows == []


async def test_acknowledged_transactions_are_forgotten_after_a_week() -> None:
    async with Station() as station:
        await station.boot()
        await station.begin(session="old")
        await station.end(session="old")
        await settled()
        station.clock.set(station.clock.now() + timedelta(days=8))
        assert await station.store.transaction("old") is not None
        await station.begin(session="new")
        await station.end(session="new")
        await settled()
        assert await station.store.transaction("old") is None
        assert await station.store.transaction("new") is not None


# --- a store that refuses --------------------------------------------------------------------------------------------


class Refusing:
    """Makes `apply` of a store fail while `active`."""

    def __init__(self, station: Station) -> None:
        self.active = False
        apply = station.store.apply

        async def refuse(*args: Any, **options: Any) -> None:
            if self.active:
                raise StoreError("disk full")
            await apply(*args, **options)

        station.store.apply = refuse  # type: ignore[method-assign]


async def test_events_that_the_store_refuses_raise_and_can_be_told_again() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        refusing = Refusing(station)
        refusing.active = True
        with pytest.raises(StoreError):
            await station.begin()
        refusing.active = False
        await station.begin()
        await station.read_meter(500)
        await settled(11)
        refusing.active = True
        with pytest.raises(StoreError):
            await station.end()
        refusing.active = False
        await settled(10)
        await station.end()
        await settled()
    assert len(station.csms.requests("StartTransaction")) == 1
    assert len(station.csms.requests("StopTransaction")) == 1
    assert len(station.csms.requests("MeterValues")) == 2


async def test_a_sample_that_the_store_refuses_is_lost_but_not_the_next_one() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        await settled(2)
        refusing = Refusing(station)
        refusing.active = True
        await settled(10)
        refusing.active = False
        await settled(10)
    assert len(station.csms.requests("MeterValues")) == 1


async def test_power_loss_reports_no_less_than_a_meter_values_that_left_before_the_register_was_written() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await settled(9.7)
        await station.read_meter(500)
        await settled(0.1)
        await station.read_meter(600)
        await settled(0.3)
        assert station.csms.requests("MeterValues")[0]["meterValue"][0]["sampledValue"][0]["value"] == "600.00"
        await station.kill_and_restart()
    assert station.csms.requests("StopTransaction")[0]["meterStop"] == 600


async def test_an_id_that_comes_while_the_stop_is_being_stored_is_not_written_over() -> None:
    class SlowStore(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.ready = asyncio.Event()
            self.ready.set()

        async def next_key(self) -> int:
            await self.ready.wait()
            return await super().next_key()

    store = SlowStore()
    async with Station(store=store) as station:
        await station.boot()
        answered = asyncio.Event()

        async def answer(_payload: Any) -> Any:
            await answered.wait()
            return {"idTagInfo": {"status": "Accepted"}, "transactionId": 17}

        station.csms.answers["StartTransaction"] = answer
        await station.begin()
        await settled(0.1)
        store.ready.clear()
        stopping = asyncio.create_task(station.end())
        await settled(0.1)
        answered.set()
        await settled(0.1)
        station.csms.answers["StopTransaction"] = SILENCE
        store.ready.set()
        await stopping
        row = await store.transaction("session-1")
    assert row is not None
    assert (row.transaction_id, row.meter_stop) == (17, 1100)


@pytest.mark.parametrize(
    ("answer", "starts", "number"),
    [
        ({"transactionId": 7, "idTagInfo": {"status": "Accepted", "expiryDate": ""}}, 1, 7),
        ({"transactionId": 7, "idTagInfo": {"status": "Accepted", "parentIdTag": "x" * 30}}, 1, 7),
        ({"transactionId": "7", "idTagInfo": {"status": "Accepted"}}, 1, 7),
        ({"transactionId": 7, "idTagInfo": {"status": "perhaps"}}, 2, None),
        ({"transactionId": 2**70, "idTagInfo": {"status": "Accepted"}}, 2, None),
        ({"transactionId": 7}, 2, None),
        ({"idTagInfo": {"status": "Accepted"}}, 2, None),
    ],
)
async def test_of_a_malformed_start_answer_id_and_status_count_where_they_can_be_read(
    answer: dict[str, Any], starts: int, number: int | None
) -> None:
    async with Station(TransactionMessageAttempts=2, TransactionMessageRetryInterval=1) as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = answer
        await station.begin()
        await settled(20)
        await station.end()
        stop = await station.csms.wait_for("StopTransaction")
        await settled()
    assert len(station.csms.requests("StartTransaction")) == starts
    assert stop["transactionId"] == number if number else stop["transactionId"] < 0
    assert "InvalidMessages" in [event[0] for event in station.asked_for("security_event")]
    assert station.asked_for("stop_transaction") == []
