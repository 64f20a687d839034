"""Charging sessions over a real websocket against an independent central system that validates every message.

Scenarios of the certification of OCPP 1.6 stations, as far as the library alone reaches: cold boot, a session started
locally and by the CSMS, offline behaviour, and the example of the documentation.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16 import ChargePoint, Configuration, Measurement, PhaseValues, Powermeter, SignedMeterValue
from ocpp16.messages import Reason

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as central_system:
        yield central_system


def configuration(csms: CentralSystem, **core: Any) -> Configuration:
    base = json.loads((ROOT / "config" / "ocpp" / "config-sil.json").read_text())
    base["Internal"] |= {"CentralSystemURI": csms.url, "RetryBackoffWaitMinimum": 0, "RetryBackoffRandomRange": 0}
    base["Internal"]["LogMessagesFormat"] = ["log", "security"]
    base["Core"] |= {"MeterValueSampleInterval": 1, "SupportedFeatureProfiles": "Core,RemoteTrigger"} | core
    return Configuration.load(base)


@pytest.fixture
async def charge_point(csms: CentralSystem, tmp_path: Path) -> AsyncIterator[ChargePoint]:
    async with ChargePoint(configuration(csms), database_path=tmp_path, message_log_path=tmp_path) as station:
        await station.start()
        await csms.wait_for(lambda: len(csms.calls("StatusNotification")) == 3, what="the states of all connectors")
        yield station


def reading(energy: float) -> Measurement:
    return Measurement(
        power_meter=Powermeter(
            timestamp=datetime.now(UTC),
            energy_Wh_import=PhaseValues(total=energy, L1=energy / 3, L2=energy / 3, L3=energy / 3),
            power_W=PhaseValues(total=11000, L1=3667, L2=3667, L3=3666),
            voltage_V=PhaseValues(L1=230, L2=230, L3=230),
            current_A=PhaseValues(L1=16, L2=16, L3=16, N=0.1),
        )
    )


async def charge(charge_point: ChargePoint, csms: CentralSystem, stop: Callable[[float], Awaitable[None]]) -> None:
    """A transaction with rising meter values; `stop` ends it."""
    signed = SignedMeterValue(signed_meter_data="OCMF|{}|{}")
    await charge_point.on_meter_values(1, reading(100.4))
    await charge_point.on_transaction_started(1, "session-1", "TAG1", 100.4, signed_meter_value=signed)
    await charge_point.on_resume_charging(1)
    for count, energy in enumerate((512.3, 923.9), start=2):
        await charge_point.on_meter_values(1, reading(energy))
        await csms.wait_for(lambda count=count: len(csms.calls("MeterValues")) >= count, what="MeterValues")
    await stop(1100.4)
    await charge_point.on_session_stopped(1, "session-1")
    await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 1 and p["status"] == "Finishing")


def judge(csms: CentralSystem) -> None:
    """One transaction, complete and consistent; no refusal on either side."""
    assert csms.call_errors == [] and csms.garbage == []
    assert len(csms.calls("StartTransaction")) == len(csms.calls("StopTransaction")) == 1
    transaction = csms.transactions[1]
    assert transaction.stop is not None
    assert transaction.start["meter_start"] == 100
    assert transaction.stop["meter_stop"] == 1100
    energies = [
        float(value["value"])
        for payload in csms.calls("MeterValues")
        for value in payload["meterValue"][0]["sampledValue"]
        if value.get("measurand") == "Energy.Active.Import.Register" and "phase" not in value
    ]
    assert energies == sorted(energies) and energies[-1] <= transaction.stop["meter_stop"]
    assert len(set(energies)) >= 2
    assert {payload["transactionId"] for payload in csms.calls("MeterValues")} == {1}


async def test_a_local_session_is_told_without_a_single_refusal(charge_point: ChargePoint, csms: CentralSystem) -> None:
    assert (await charge_point.authorize_id_token("TAG1")).id_tag_info.status == "Accepted"
    await charge_point.on_session_started(1, "session-1", "Authorized")

    async def stop(energy: float) -> None:
        now = datetime.now(UTC)
        await charge_point.on_transaction_stopped(1, "session-1", Reason.Local, now, energy, id_tag_end="TAG1")

    await charge(charge_point, csms, stop)
    judge(csms)
    assert csms.calls("BootNotification")[0]["chargePointVendor"] == "EVerest"
    assert csms.calls("StopTransaction")[0]["transactionData"][0]["sampledValue"][0]["format"] == "SignedData"


async def test_a_session_started_and_stopped_by_the_csms(charge_point: ChargePoint, csms: CentralSystem) -> None:
    tokens: asyncio.Queue[tuple[str, list[int], bool]] = asyncio.Queue()
    stops: asyncio.Queue[Reason] = asyncio.Queue()

    async def provide_token(id_token: str, connectors: list[int], prevalidated: bool) -> None:
        tokens.put_nowait((id_token, connectors, prevalidated))

    async def stop_transaction(connector: int, reason: Reason) -> bool:
        stops.put_nowait(reason)
        return True

    charge_point.register_provide_token_callback(provide_token)
    charge_point.register_stop_transaction_callback(stop_transaction)
    started = await csms.call(call.RemoteStartTransaction(id_tag="TAG1", connector_id=1))
    assert started.status == "Accepted"
    async with asyncio.timeout(5):
        assert await tokens.get() == ("TAG1", [1], True)
    await charge_point.on_session_started(1, "session-1", "Authorized")

    async def stop(energy: float) -> None:
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=1))
        assert answer.status == "Accepted"
        async with asyncio.timeout(5):
            reason = await stops.get()
        await charge_point.on_transaction_stopped(1, "session-1", reason, datetime.now(UTC), energy)

    await charge(charge_point, csms, stop)
    judge(csms)
    assert csms.calls("StopTransaction")[0]["reason"] == "Remote"


async def test_every_call_of_the_core_profile_gets_an_answer_that_fits_its_schema(
    charge_point: ChargePoint, csms: CentralSystem
) -> None:
    expected: list[tuple[Any, str | None]] = [
        (call.ChangeAvailability(connector_id=1, type="Operative"), "Accepted"),
        (call.ChangeConfiguration(key="MeterValueSampleInterval", value="7"), "Accepted"),
        (call.ChangeConfiguration(key="NumberOfConnectors", value="7"), "Rejected"),
        (call.ClearCache(), "Accepted"),
        (call.DataTransfer(vendor_id="nobody"), "UnknownVendorId"),
        (call.GetConfiguration(), None),
        (call.RemoteStopTransaction(transaction_id=77), "Rejected"),
        (call.Reset(type="Soft"), "Rejected"),
        (call.TriggerMessage(requested_message="Heartbeat"), "Accepted"),
        (call.UnlockConnector(connector_id=1), "NotSupported"),
    ]
    for request, status in expected:
        answer = await csms.call(request)
        if status is not None:
            assert answer.status == status, request
    await csms.wait_for(lambda: len(csms.calls("Heartbeat")), what="the triggered Heartbeat")
    assert csms.call_errors == []


async def test_a_session_while_the_csms_is_away_is_delivered_in_order_when_it_is_back(
    charge_point: ChargePoint, csms: CentralSystem
) -> None:
    await csms.close()
    await charge_point.on_session_started(1, "session-1", "EVConnected")
    await charge_point.on_transaction_started(1, "session-1", "TAG1", 100)
    await charge_point.on_transaction_stopped(1, "session-1", Reason.EVDisconnected, datetime.now(UTC), 1100)
    await charge_point.on_session_stopped(1, "session-1")
    await csms.start()
    stop = await csms.wait_for_call("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"]) == (1, 1100)
    assert len(csms.calls("BootNotification")) == 1
    assert csms.call_errors == []


async def test_the_example_plays_its_session(csms: CentralSystem, tmp_path: Path) -> None:
    example = ROOT / "examples" / "charge_point.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(example), csms.url, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert output.decode().splitlines() == ["tag: Accepted", "the CSMS has acknowledged the transaction"]
    assert csms.calls("StopTransaction")[0]["meterStop"] == 2500
    assert csms.call_errors == []
