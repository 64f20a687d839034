"""Start-up on the bus: station 2.2, 9.1, 9.2, 9.6."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.modules.EvseManagerSim.charger import Charger

pytestmark = pytest.mark.looptime


async def test_nothing_is_published_before_global_ready() -> None:
    async with Charger(global_ready=False) as charger:
        await asyncio.sleep(5)
        assert charger.readings() == []
        assert charger.events() == []


async def test_the_first_enabled_names_no_source_yet() -> None:
    async with Charger() as charger:
        await asyncio.sleep(0.5)
        event = charger.events()[0]
        assert event == {
            "event": "Enabled",
            "source": {"enable_priority": 10000, "enable_source": "Unspecified", "enable_state": "Unassigned"},
            "timestamp": event["timestamp"],
            "uuid": "",
        }
        assert charger.published("evse", "ready") == [True]
        assert charger.published("evse", "waiting_for_external_ready") == [False]


async def test_without_external_ready_no_session_and_no_ready_but_readings() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        await asyncio.sleep(1)
        await charger.plug_in()
        assert charger.published("evse", "waiting_for_external_ready") == [True]
        assert charger.events() == []
        assert charger.published("evse", "ready") == []
        assert len(charger.readings()) >= 4
        assert await charger.call("evse", "external_ready_to_start_charging") is True
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Enabled", "SessionStarted", "AuthRequired"]
        assert await charger.call("evse", "external_ready_to_start_charging") is True


async def test_limits_come_without_uuid_first_then_with_zero_then_with_a_budget() -> None:
    async with Charger() as charger:
        await asyncio.sleep(2)
        limits = charger.published("evse", "limits")
        assert limits[0] == {"max_current": 0.0, "nr_of_phases_available": 3}
        assert limits[1] == {"max_current": 0.0, "nr_of_phases_available": 3, "uuid": "evse_manager_1"}
        assert limits[-1] == {"max_current": 32.0, "nr_of_phases_available": 3, "uuid": "evse_manager_1"}
        enforced = charger.published("evse", "enforced_limits")[-1]
        assert enforced["uuid"] == "evse_manager_1"
        assert enforced["valid_for"] == 10
        assert enforced["limits_root_side"]["ac_max_current_A"]["value"] == 32.0


async def test_a_disable_before_the_start_makes_it_start_disabled() -> None:
    async with Charger(external_ready_to_start_charging=True) as charger:
        await charger.set_available("Disable")
        await charger.call("evse", "external_ready_to_start_charging")
        await asyncio.sleep(1)
        assert [event["event"] for event in charger.events()] == ["Disabled"]


@pytest.mark.parametrize(
    ("connector_type", "connector"), [("cType2", {"id": 1, "type": "cType2"}), ("no such type", {"id": 1})]
)
async def test_get_evse_leaves_an_invalid_connector_type_out(connector_type: str, connector: dict[str, Any]) -> None:
    async with Charger(connector_id=7, connector_type=connector_type) as charger:
        assert await charger.call("evse", "get_evse") == {"id": 7, "connectors": [connector]}


async def test_an_everest_configuration_with_all_its_keys_loads() -> None:
    """Keys as EVerest's SIL configurations have them for EvseManager."""
    keys = {
        "evse_id": "DE*PNX*E12345*1",
        "session_logging": False,
        "ac_hlc_enabled": False,
        "ac_hlc_use_5percent": False,
        "ac_enforce_hlc": False,
        "request_zero_power_in_idle": True,
        "payment_enable_contract": True,
        "charge_mode": "AC",
        "has_ventilation": True,
        "ac_with_soc": False,
        "session_id_type": "UUID",
        "bpt_channel": "None",
    }
    async with Charger(**keys) as charger:
        await asyncio.sleep(1)
        assert charger.published("evse", "evse_id") == ["DE*PNX*E12345*1"]
