"""The register on the bus: integral of power, order against events, reset, survival of a kill (station 2.10, 3.4)."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from everest.runtime.testing import ModuleBench
from tests.modules.EvseManagerSim.charger import ROOT, Charger, LoopClock, token

pytestmark = pytest.mark.looptime


def total(reading: dict[str, Any]) -> float:
    return float(reading["energy_Wh_import"]["total"])


class TimedCharger(Charger):
    """Notes when every reading was published, and the highest register before each session event."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.timed: list[tuple[float, dict[str, Any]]] = []
        self.event_limits: list[tuple[dict[str, Any], float]] = []
        self.contactor: list[tuple[float, str]] = []

    def _note(self, envelope: Any) -> None:
        super()._note(envelope)
        if envelope.topic.endswith("impl/evse/var/powermeter"):
            self.timed.append((asyncio.get_running_loop().time(), self.readings()[-1]))
        elif envelope.topic.endswith("impl/board_support/var/event"):
            event = self.published("board_support", "event")[-1]
            if event.startswith("Power"):
                self.contactor.append((asyncio.get_running_loop().time(), event))
        elif envelope.topic.endswith("impl/evse/var/session_event"):
            self.event_limits.append((self.events()[-1], total(self.readings()[-1])))


async def test_energy_is_the_integral_of_the_published_power() -> None:
    async with TimedCharger() as charger:
        await charger.charge(600)
        await charger.call("evse", "pause_charging")
        await asyncio.sleep(60)
        await charger.call("evse", "resume_charging")
        await asyncio.sleep(300)
        await charger.stop()
    since = max(index for index, (_, reading) in enumerate(charger.timed) if total(reading) == 0.0)
    readings = charger.timed[since:]
    integral = sum(
        (later - earlier) * reading["power_W"]["total"] / 3600.0
        for (earlier, reading), (later, _) in pairwise(readings)
    )
    energy = total(readings[-1][1])
    assert energy > 2000.0
    assert abs(energy - integral) <= 1.0 + 0.005 * energy


async def test_a_change_of_the_contactor_is_read_at_once() -> None:
    """So that power and energy add up whoever integrates them, in short sessions too."""
    async with TimedCharger() as charger:
        await charger.charge(10)
        await charger.stop()
    assert [event for _, event in charger.contactor] == ["PowerOn", "PowerOff"]
    for moment, event in charger.contactor:
        powers = [reading["power_W"]["total"] for when, reading in charger.timed if when == moment]
        assert (event == "PowerOn") in [power > 0 for power in powers]


async def test_no_event_carries_a_register_that_was_not_published_before() -> None:
    async with TimedCharger() as charger:
        await charger.charge(30)
        await charger.stop()
        await charger.unplug()
    for event, highest in charger.event_limits:
        for detail in event.values():
            if isinstance(detail, dict) and "meter_value" in detail:
                assert total(detail["meter_value"]) == highest


async def test_the_final_reading_holds_all_energy_of_the_session() -> None:
    async with Charger() as charger:
        await charger.charge(30)
        await charger.stop()
        finished = charger.last("TransactionFinished")["transaction_finished"]
        await asyncio.sleep(5)
        assert (
            total(finished["meter_value"]) == charger.energy() == max(total(reading) for reading in charger.readings())
        )


async def test_the_register_is_reset_at_plug_in_and_the_reset_is_read_before_the_session_starts() -> None:
    """DEPARTURE S2: authorized before the plug in, so that the transaction starts at once."""
    async with Charger() as charger:
        await charger.charge(30)
        await charger.unplug()
        assert charger.energy() > 0
        await charger.swipe()
        await charger.plug_in()
        assert total(charger.last("TransactionStarted")["transaction_started"]["meter_value"]) == 0.0


async def test_the_register_goes_on_where_the_configuration_keeps_it() -> None:
    async with Charger(reset_powermeter_on_session_start=False) as charger:
        await charger.charge(30)
        await charger.unplug()
        before = charger.energy()
        await charger.charge(1)
        assert total(charger.last("TransactionStarted")["transaction_started"]["meter_value"]) == before > 0


async def test_a_kill_in_mid_session_is_reported_as_power_loss_with_the_register_before_enabled() -> None:
    store: dict[str, Any] = {}
    async with Charger(store=store) as charger:
        await charger.charge(30)
        uuid = charger.last("SessionStarted")["uuid"]
        seen = charger.energy()
    assert store["evse_manager_1_session"] == uuid  # the module was ended without a word, as by SIGKILL
    async with Charger(store=store) as charger:
        await asyncio.sleep(1)
        resumed, finished, enabled = charger.events()
        assert (resumed["event"], resumed["uuid"]) == ("SessionResumed", uuid)
        assert (finished["event"], finished["uuid"]) == ("TransactionFinished", uuid)
        assert finished["transaction_finished"]["reason"] == "PowerLoss"
        assert "id_tag" not in finished["transaction_finished"]
        assert finished["transaction_finished"]["signed_meter_value"]["signed_meter_data"] == "test stop value"
        assert seen <= total(finished["transaction_finished"]["meter_value"]) <= seen + 2.0
        assert enabled["event"] == "Enabled"
        assert store["evse_manager_1_session"] == ""


async def test_a_transaction_that_ended_is_not_reported_again_after_a_restart() -> None:
    store: dict[str, Any] = {}
    async with Charger(store=store) as charger:
        await charger.charge(10)
        await charger.stop()
    async with Charger(store=store) as charger:
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled"]


async def test_a_restart_after_a_session_without_transaction_tells_nothing() -> None:
    store: dict[str, Any] = {}
    async with Charger(store=store) as charger:
        await charger.swipe()
    async with Charger(store=store) as charger:
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled"]


async def test_a_reading_is_stored_before_it_is_published() -> None:
    async with Charger() as charger:
        stored: list[float] = []

        def keep(arguments: dict[str, Any]) -> None:
            if arguments["key"] == "evse_manager_1_meter":
                stored.append(sum(arguments["value"].values()))
                assert charger.energy() <= stored[-1]

        charger.answer("store/main", "store", keep)
        await charger.charge(30)
        assert charger.energy() <= stored[-1]
        assert len(stored) > 20


async def test_a_store_that_fails_does_not_stop_charging() -> None:
    async with Charger() as charger:
        charger.answer("store/main", "store", broken)
        await charger.charge(30)
        assert await charger.stop()
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "Local"


def broken(arguments: dict[str, Any]) -> None:
    raise RuntimeError("disk full")


async def test_without_a_store_the_register_survives_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def bench() -> ModuleBench:
        config = {"connector_id": 1, "auto_enable": True, "reset_powermeter_on_session_start": False}
        folder = ROOT / "modules/EvseManagerSim"
        return ModuleBench(folder, module_id="evse", config=config, clock=LoopClock())

    async with bench() as first:
        await asyncio.sleep(1)
        first.external(
            "everest_external/nodered/1/carsim/cmd/execute_charging_session", "sleep 1;draw_power_fixed 16,3;sleep 99"
        )
        await asyncio.sleep(2)
        result = {"authorization_status": "Accepted", "tariff_messages": []}
        await first.call("evse", "authorize_response", {"provided_token": token(), "validation_result": result})
        await asyncio.sleep(30)
        before = total(first.published("evse", "powermeter")[-1])
    async with bench() as second:
        await asyncio.sleep(1)
        assert total(second.published("evse", "powermeter")[0]) >= before > 0
        assert [event["event"] for event in second.published("evse", "session_event")] == ["Enabled"]


async def test_the_signed_start_value_comes_at_the_end_where_it_is_not_sent_at_the_start() -> None:
    async with Charger(dummy_meter_value_send_on_transaction_start=False) as charger:
        await charger.charge(5)
        await charger.stop()
        assert "signed_meter_value" not in charger.last("TransactionStarted")["transaction_started"]
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert finished["start_signed_meter_value"]["signed_meter_data"] == "test start value"


@pytest.mark.parametrize("stored", [17, True, ["a"], {"uuid": "x" * 5000}])
async def test_a_stored_session_that_is_none_is_named_with_its_key(
    stored: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Charger(store={"evse_manager_1_session": stored}) as charger:
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled"]
        (line,) = (message for message in caplog.messages if "evse_manager_1_session" in message)
        assert "delete the key" in line and len(line) < 400


HUGE = dict.fromkeys(("L1", "L2", "L3", "export"), 1e308)


@pytest.mark.parametrize("stored", [HUGE, {"L1": 10**400}, {"L1": None}, [1], "x", 7])
async def test_an_unusable_register_is_refused_by_name_and_the_meter_begins_at_0(
    stored: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Charger(store={"evse_manager_1_meter": stored}) as charger:
        await charger.charge(5)
        assert "the stored meter register evse_manager_1_meter is unusable" in caplog.text
        assert 0.0 <= charger.energy() < 100.0
