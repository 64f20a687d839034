"""When meter values are sent: sampled, clock aligned, triggered (libocpp 3.7.1)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ocpp16.metering import next_boundary
from ocpp16.store.memory import MemoryStore
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def test_samples_come_every_interval_of_a_transaction_and_end_with_it() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.read_meter(100)
        await settled(30)
        assert station.csms.requests("MeterValues") == []
        await station.begin()
        for _ in range(3):
            await settled(10.1)
            await station.read_meter(1000)
        await station.end()
        await settled(50)
    got = [g for g in station.csms.got if g.action == "MeterValues"]
    assert len(got) == 3
    assert [g.time - got[0].time for g in got] == pytest.approx([0, 10, 20], abs=0.01)
    first = got[0].payload
    assert (first["connectorId"], first["transactionId"], len(first["meterValue"])) == (1, 1, 1)
    values = first["meterValue"][0]["sampledValue"]
    assert [v["measurand"] for v in values] == ["Energy.Active.Import.Register", "Power.Active.Import"]
    assert {v["context"] for v in values} == {"Sample.Periodic"}


class SlowStore(MemoryStore):
    """Takes its time to read the samples of a transaction, as a disk does."""

    async def samples(self, session_id: str) -> list[bytes]:
        await asyncio.sleep(2.0)
        return await super().samples(session_id)


async def test_a_sample_that_is_due_while_the_end_is_being_stored_is_left_out() -> None:
    async with Station(store=SlowStore(), MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(1000)
        await settled(9)
        await station.end()
        await settled(30)
    assert [g.action for g in station.csms.got if g.action in ("MeterValues", "StopTransaction")] == ["StopTransaction"]


async def test_the_time_stamp_is_that_of_the_meter() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        reading = station.clock.now()
        await settled(11)
    value = station.csms.requests("MeterValues")[0]["meterValue"][0]
    assert value["timestamp"][:19] == reading.isoformat()[:19]


async def test_without_a_reading_or_a_wanted_value_nothing_is_sent() -> None:
    async with Station(MeterValueSampleInterval=10) as station:
        await station.boot()
        await station.begin()
        await settled(15)
        assert station.csms.requests("MeterValues") == []
        await station.read_meter(500)
        await station.csms.call("ChangeConfiguration", {"key": "MeterValuesSampledData", "value": "SoC"})
        await settled(15)
        assert station.csms.requests("MeterValues") == []


async def test_a_changed_sample_interval_counts_for_running_transactions_and_zero_stops() -> None:
    async with Station(MeterValueSampleInterval=100) as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        await station.csms.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"})
        await settled(11)
        assert len(station.csms.requests("MeterValues")) == 2
        await station.csms.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "0"})
        await settled(300)
        assert len(station.csms.requests("MeterValues")) == 2


@pytest.mark.parametrize(
    ("now", "interval", "expected"),
    [
        ((12, 0, 1), 900, (12, 15, 0)),
        ((12, 0, 0), 900, (12, 15, 0)),
        ((23, 59, 59), 900, (0, 0, 0)),
        ((23, 50, 0), 7000, (0, 0, 0)),
        ((0, 0, 0), 86400, (0, 0, 0)),
    ],
)
async def test_boundaries_are_multiples_from_midnight(
    now: tuple[int, int, int], interval: int, expected: tuple[int, int, int]
) -> None:
    boundary = next_boundary(datetime(2026, 1, 1, *now, tzinfo=UTC), interval)
    assert (boundary.hour, boundary.minute, boundary.second) == expected


async def test_clock_aligned_values_come_at_the_quarter_hour_for_all_connectors_also_without_transaction() -> None:
    async with Station(ClockAlignedDataInterval=900, StopTxnAlignedData="Energy.Active.Import.Register") as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        await station.read_meter(600, 2)
        await settled(900)
        assert station.clock.now().minute == 15
        await station.end()
        await settled()
    sent = station.csms.requests("MeterValues")
    assert [(p["connectorId"], p.get("transactionId")) for p in sent] == [(1, 1), (2, None)]
    assert sent[0]["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"
    data = station.csms.requests("StopTransaction")[0]["transactionData"]
    assert [v["sampledValue"][0]["context"] for v in data] == ["Sample.Clock"]


async def test_a_meter_of_the_whole_station_has_its_clock_aligned_values_too() -> None:
    async with Station(ClockAlignedDataInterval=900) as station:
        await station.boot()
        await station.read_meter(1, 1)
        await station.read_meter(5000, 0)
        await settled(900)
    assert [p["connectorId"] for p in station.csms.requests("MeterValues")] == [0, 1]


async def test_clock_aligned_values_follow_a_clock_that_is_set() -> None:
    async with Station(ClockAlignedDataInterval=3600) as station:
        await station.boot()
        await station.read_meter(500)
        await settled(60)
        station.clock.set(datetime(2026, 1, 1, 15, 59, 30, tzinfo=UTC))
        await settled(60)
        assert len(station.csms.requests("MeterValues")) == 1
        station.clock.set(datetime(2026, 1, 1, 9, 59, 0, tzinfo=UTC))
        await settled(120)
        assert len(station.csms.requests("MeterValues")) == 2


async def test_triggered_values_are_not_part_of_transaction_data() -> None:
    async with Station(StopTxnSampledData="Power.Active.Import") as station:
        await station.boot()
        await station.begin()
        await station.read_meter(500)
        answer = await station.csms.call("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        await settled()
        await station.end()
        await settled()
    assert answer == {"status": "Accepted"}
    sent = station.csms.requests("MeterValues")
    assert [p["meterValue"][0]["sampledValue"][0]["context"] for p in sent] == ["Trigger"]
    data = station.csms.requests("StopTransaction")[0].get("transactionData", [])
    assert all(v["sampledValue"][0]["context"] == "Transaction.End" for v in data)


async def test_offered_values_are_those_of_the_integrator() -> None:
    async with Station(MeterValueSampleInterval=10, MeterValuesSampledData="Current.Offered,Power.Offered") as station:
        await station.boot()
        await station.charge_point.on_max_current_offered(1, 16)
        await station.begin()
        await station.read_meter(500)
        await settled(11)
    values = station.csms.requests("MeterValues")[0]["meterValue"][0]["sampledValue"]
    assert [v["value"] for v in values] == ["16.00", "0.00"]


async def test_a_changed_aligned_interval_counts_at_once_and_zero_stops() -> None:
    async with Station() as station:
        await station.boot()
        await station.read_meter(500)
        change = station.charge_point.set_configuration_key
        await settled(1000)
        assert station.csms.requests("MeterValues") == []
        await change("ClockAlignedDataInterval", "60")
        await settled(120)
        assert len(station.csms.requests("MeterValues")) == 2
        await change("ClockAlignedDataInterval", "0")
        await settled(120)
    assert len(station.csms.requests("MeterValues")) == 2


async def test_clock_aligned_values_have_the_measurands_of_their_own_key() -> None:
    async with Station(ClockAlignedDataInterval=60, MeterValuesAlignedData="Power.Active.Import") as station:
        await station.boot()
        await station.read_meter(500, power=11000)
        await settled(60)
    (value,) = station.csms.requests("MeterValues")[0]["meterValue"]
    assert [s["measurand"] for s in value["sampledValue"]] == ["Power.Active.Import"]
