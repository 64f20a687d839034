"""Limits close the loop: whoever set them, they show on the bus, in the current and in the meter (station 2.9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.EvseManagerSim.station import Wish, share_out, shares
from tests.modules.EvseManagerSim.charger import Charger

virtual = pytest.mark.looptime
OTHER = "evse_manager_2/energy_grid"
NOON = "2026-01-01T00:00:00Z"


def amps(value: float, source: str = "ocpp") -> dict[str, Any]:
    return {"ac_max_current_A": {"value": value, "source": source}}


def watts(value: float) -> dict[str, Any]:
    return {"total_power_W": {"value": value, "source": "ocpp"}}


def phases(value: int) -> dict[str, Any]:
    return {"ac_max_phase_count": {"value": value, "source": "ocpp"}}


def entry(root: dict[str, Any], at: str = NOON) -> dict[str, Any]:
    return {"timestamp": at, "limits_to_root": {}, "limits_to_leaves": root}


class Limited(Charger):
    async def limit(self, *entries: dict[str, Any], face: str = "external_limits") -> None:
        value = {"schedule_import": list(entries), "schedule_export": [], "schedule_setpoints": []}
        await self.call(face, "set_external_limits", {"value": value})

    async def tree(self, amps: float, valid_for: int = 10) -> None:
        root = {"ac_max_current_A": {"value": amps, "source": "tree"}}
        budget = {"uuid": "evse_manager_1", "valid_for": valid_for, "limits_root_side": root, "schedule": []}
        await self.call("energy_grid", "enforce_limits", {"value": budget})

    @property
    def offered(self) -> float:
        return float(self.published("evse", "limits")[-1]["max_current"])

    @property
    def enforced(self) -> dict[str, Any]:
        found: dict[str, Any] = self.published("evse", "enforced_limits")[-1]["limits_root_side"]
        return found

    @property
    def drawn(self) -> float:
        return float(self.readings()[-1]["current_A"]["L1"])


@virtual
@pytest.mark.parametrize("face", ["external_limits", "station_limits"])
@pytest.mark.parametrize(
    ("root", "offered"), [(amps(10.0), 10.0), (watts(8280.0), 12.0), (amps(5.0), 0.0), (amps(0.0), 0.0)]
)
async def test_a_limit_shows_on_the_bus_within_a_second_and_in_the_meter_within_the_pwm_time(
    face: str, root: dict[str, Any], offered: float
) -> None:
    async with Limited() as charger:
        await charger.charge(10)
        await charger.limit(entry(root), face=face)
        await asyncio.sleep(0.9)
        assert charger.offered == offered
        assert charger.enforced["ac_max_current_A"] == {"value": offered, "source": "ocpp"}
        await asyncio.sleep(6)
        assert charger.drawn == pytest.approx(offered, rel=0.02)
        await charger.limit(face=face)
        await asyncio.sleep(12)
        assert charger.drawn == pytest.approx(16.0, rel=0.02)


@virtual
async def test_a_limit_in_watts_shows_as_one_until_it_is_gone() -> None:
    topic = "everest_external/nodered/1/state/max_watt"
    async with Limited() as charger:
        await charger.charge(5)
        assert charger._externals[topic] == []
        await charger.limit(entry({**watts(9200.0), **amps(15.0)}))
        assert charger.enforced["total_power_W"] == {"value": 9200.0, "source": "ocpp"}
        assert charger.offered == pytest.approx(9200.0 / 690.0)
        assert charger._externals[topic][-1] == "9200.00000"
        await charger.tree(14.0)
        assert (charger.enforced["total_power_W"]["value"], charger.offered) == (9200.0, pytest.approx(9200.0 / 690.0))
        await charger.limit()
        await charger.tree(14.0)
        assert "total_power_W" not in charger.enforced


@virtual
async def test_each_entry_of_a_schedule_counts_from_its_time_on() -> None:
    async with Limited() as charger:
        await charger.charge(5)
        begin = asyncio.get_running_loop().time()
        moments = [charger._clock.now().timestamp() + seconds for seconds in (0, 20, 40)]
        await charger.limit(
            *(entry(amps(value), stamp(t)) for value, t in zip((14.0, 8.0, 12.0), moments, strict=True))
        )
        for after, offered in ((1, 14.0), (19, 14.0), (21.1, 8.0), (39, 8.0), (41.1, 12.0), (400, 12.0)):
            await asyncio.sleep(begin + after - asyncio.get_running_loop().time())
            assert charger.offered == offered


@virtual
async def test_a_phase_limit_switches_the_phases_and_back() -> None:
    async with Limited() as charger:
        await charger.charge(5)
        for count in (1, 3):
            await charger.limit(entry(phases(count)))
            await asyncio.sleep(0.9)
            assert charger.enforced["ac_max_phase_count"]["value"] == count
            assert "SwitchingPhases" in charger.kinds()
            await asyncio.sleep(15)
            drawing = [name for name, value in charger.readings()[-1]["current_A"].items() if value > 1 and name != "N"]
            assert len(drawing) == count
            assert charger.published("evse", "limits")[-1]["nr_of_phases_available"] == count


@virtual
async def test_own_limits_hold_under_an_energy_manager_too() -> None:
    async with Limited() as charger:
        await charger.charge(5)
        await charger.tree(14.0)
        assert charger.enforced["ac_max_current_A"] == {"value": 14.0, "source": "tree"}
        await charger.limit(entry(amps(9.0)))
        await asyncio.sleep(0.9)
        assert (charger.offered, charger.enforced["ac_max_current_A"]["source"]) == (9.0, "ocpp")
        await charger.tree(13.0)
        assert charger.offered == 9.0
        await charger.tree(7.0)
        assert (charger.offered, charger.enforced["ac_max_current_A"]["source"]) == (7.0, "tree")
        await asyncio.sleep(11)
        assert charger.offered == 0.0  # the tree's budget has expired, whatever the own limits say


# --- the station's limit


def stamp(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat().replace("+00:00", "Z")


def request(state: str, most: float = 32.0) -> dict[str, Any]:
    root = {**amps(most), "ac_min_current_A": {"value": 6.0, "source": "caps"}}
    flow = {"timestamp": NOON, "limits_to_root": root, "limits_to_leaves": {}}
    return {
        "uuid": "evse_manager_2",
        "children": [],
        "node_type": "Evse",
        "evse_state": state,
        "priority_request": True,
        "schedule_import": [flow],
        "schedule_export": [],
        "schedule_setpoints": [],
    }


@virtual
async def test_a_station_limit_is_shared_with_the_other_evse_and_given_back() -> None:
    async with Limited(connections={"energy_consumer": [OTHER]}) as charger:
        told: list[float] = []
        root = "limits_root_side"
        charger.answer(
            OTHER, "enforce_limits", lambda args: told.append(args["value"][root]["ac_max_current_A"]["value"])
        )
        charger.publish(OTHER, "energy_flow_request", request("Unplugged"))
        await charger.charge(5)
        assert told == []  # nobody limited the station
        await charger.limit(entry(amps(20.0)), face="station_limits")
        await asyncio.sleep(0.5)
        assert charger.offered == 20.0
        charger.publish(OTHER, "energy_flow_request", request("Charging"))
        await asyncio.sleep(0.5)
        assert (charger.offered, told[-1]) == (10.0, 10.0)
        charger.publish(OTHER, "energy_flow_request", request("Finished"))
        await asyncio.sleep(0.5)
        assert charger.offered == 20.0
        await charger.limit(face="station_limits")
        await asyncio.sleep(0.5)
        assert (charger.offered, told[-1]) == (32.0, 32.0)


@pytest.mark.parametrize(
    ("limit", "wishes", "parts"),
    [
        (32.0, [Wish(6, 32), Wish(6, 32)], [16.0, 16.0]),
        (10.0, [Wish(6, 32), Wish(6, 32)], [10.0, 0.0]),
        (30.0, [Wish(6, 8), Wish(6, 32)], [8.0, 22.0]),
        (5.0, [Wish(6, 32)], [0.0]),
        (20.0, [Wish(6, 32), Wish(6, 32, charging=False)], [20.0, 10.0]),
        (20.0, [Wish(6, 0), Wish(6, 32)], [0.0, 20.0]),
    ],
)
def test_minimum_first_then_slices_in_turn(limit: float, wishes: list[Wish], parts: list[float]) -> None:
    assert share_out(limit, wishes) == parts


@given(
    limit=st.floats(0, 200),
    wishes=st.lists(st.tuples(st.sampled_from([0.0, 6.0]), st.floats(0, 64)).map(lambda pair: Wish(*pair)), max_size=6),
)
def test_shares_never_exceed_the_limit_nor_anybody_s_wish(limit: float, wishes: list[Wish]) -> None:
    parts = shares(limit, wishes)
    assert sum(parts) <= limit + 1e-6
    for wish, part in zip(wishes, parts, strict=True):
        assert part == 0.0 or wish.least - 1e-9 <= part <= wish.most + 1e-9
