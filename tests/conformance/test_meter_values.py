"""Meter values: sampled, aligned to the clock, in the stop of a transaction (OCPP 1.6 §4.7, §4.10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16 import SignedMeterValue
from tests.support.conformance import Rig, reading

Make = Callable[..., Rig]


def values(payload: dict[str, Any]) -> dict[tuple[str, str | None], str]:
    """(measurand, phase) -> value of the first meter value."""
    return {(v["measurand"], v.get("phase")): v["value"] for v in payload["meterValue"][0]["sampledValue"]}


async def test_samples_of_a_transaction_carry_its_id_and_the_wanted_measurands(rig: Make, csms: CentralSystem) -> None:
    wanted = "Energy.Active.Import.Register,Voltage.L2"
    async with rig(MeterValueSampleInterval=1, MeterValuesSampledData=wanted) as station:
        await station.charge_point.on_meter_values(1, reading(512.3))
        transaction_id = await station.charging()
        told = await station.told("MeterValues")
        assert (told["connectorId"], told["transactionId"]) == (1, transaction_id)
        assert values(told) == {("Energy.Active.Import.Register", None): "512.00", ("Voltage", "L2"): "230.00"}
        assert {v["context"] for v in told["meterValue"][0]["sampledValue"]} == {"Sample.Periodic"}


async def test_aligned_values_come_for_all_connectors_also_without_transaction(rig: Make, csms: CentralSystem) -> None:
    async with rig(ClockAlignedDataInterval=1, MeterValuesAlignedData="Power.Active.Import") as station:
        for connector in (1, 2):
            await station.charge_point.on_meter_values(connector, reading(1))
        await station.told("MeterValues", 2)
        first = csms.calls("MeterValues")[:2]
        assert [p["connectorId"] for p in first] == [1, 2]
        assert all("transactionId" not in p for p in first)
        assert {v["context"] for p in first for v in p["meterValue"][0]["sampledValue"]} == {"Sample.Clock"}


async def test_the_stop_carries_begin_and_end_of_the_wanted_measurands(rig: Make, csms: CentralSystem) -> None:
    async with rig(StopTxnSampledData="Energy.Active.Import.Register,SoC") as station:
        await station.charge_point.on_meter_values(1, reading(100))
        await station.charging()
        await station.charge_point.on_meter_values(1, reading(1100))
        await station.stop()
        data = (await station.told("StopTransaction"))["transactionData"]
        contexts = {v["context"]: v["value"] for value in data for v in value["sampledValue"] if "phase" not in v}
        assert contexts == {"Transaction.Begin": "100.00", "Transaction.End": "1100.00"}


async def test_a_signed_begin_goes_out_with_the_transaction_id(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.plug_in()
        await station.start(signed_meter_value=SignedMeterValue(signed_meter_data="OCMF|{}|{}"))
        told = await station.told("MeterValues")
        (sampled,) = told["meterValue"][0]["sampledValue"]
        assert told["transactionId"] == 1
        assert sampled == {"value": "OCMF|{}|{}", "context": "Transaction.Begin", "format": "SignedData"}


async def test_a_changed_interval_counts_at_once(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charge_point.on_meter_values(1, reading(7))
        await station.charging()
        assert csms.calls("MeterValues") == []
        await csms.call(call.ChangeConfiguration(key="MeterValueSampleInterval", value="1"))
        await station.told("MeterValues")
