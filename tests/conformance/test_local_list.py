"""The local authorization list (OCPP 1.6 §3.5.2, §5.10, §5.15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig

Make = Callable[..., Rig]


def entry(tag: str, status: str | None = "Accepted", **more: Any) -> dict[str, Any]:
    """With `status` None the entry is to be removed."""
    return {"idTag": tag} if status is None else {"idTag": tag, "idTagInfo": {"status": status, **more}}


async def send(csms: CentralSystem, kind: str, version: int, *entries: dict[str, Any]) -> str:
    request = call.SendLocalList(
        list_version=version, update_type=kind, local_authorization_list=list(entries) if entries else None
    )
    return str((await csms.call(request)).status)


async def version(csms: CentralSystem) -> int:
    return int((await csms.call(call.GetLocalListVersion())).list_version)


async def test_a_full_list_replaces_the_one_before(rig: Make, csms: CentralSystem) -> None:
    async with rig(LocalPreAuthorize=True) as station:
        assert await version(csms) == 0
        assert await send(csms, "Full", 1, entry("A"), entry("B")) == "Accepted"
        assert await send(csms, "Full", 7, entry("C")) == "Accepted"
        assert await version(csms) == 7
        assert await station.identify("C") == "Accepted"
        assert csms.calls("Authorize") == [], "the list knows C"
        await station.identify("A")
        assert csms.calls("Authorize") == [{"idTag": "A"}]


async def test_a_differential_list_adds_changes_and_removes(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await send(csms, "Full", 1, entry("A"), entry("B"), entry("C"))
        assert await send(csms, "Differential", 2, entry("A", "Blocked"), entry("B", None), entry("D")) == "Accepted"
        assert await version(csms) == 2
        await station.charge_point.disconnect_websocket()
        found = {tag: await station.identify(tag) for tag in ("A", "B", "C", "D")}
        assert found == {"A": "Blocked", "B": "Invalid", "C": "Accepted", "D": "Accepted"}


@pytest.mark.parametrize("number", [4, 5])
async def test_a_differential_list_that_is_not_newer_does_not_match(
    rig: Make, csms: CentralSystem, number: int
) -> None:
    async with rig():
        await send(csms, "Full", 5, entry("A"))
        assert await send(csms, "Differential", number, entry("B")) == "VersionMismatch"
        assert await version(csms) == 5


async def test_an_empty_full_list_empties_it(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        await send(csms, "Full", 5, entry("A"))
        assert await send(csms, "Full", 6) == "Accepted"
        assert await version(csms) == 0


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([entry("A"), entry("a")], id="twice"),
        pytest.param([entry("A", None)], id="full without idTagInfo"),
        pytest.param([entry(f"T{n}") for n in range(6)], id="more than SendLocalListMaxLength"),
    ],
)
async def test_a_list_with_a_fault_changes_nothing(
    rig: Make, csms: CentralSystem, entries: list[dict[str, Any]]
) -> None:
    async with rig():
        await send(csms, "Full", 1, entry("OLD"))
        assert await send(csms, "Full", 2, *entries) == "Failed"
        assert await version(csms) == 1


async def test_without_the_list_it_is_not_supported(rig: Make, csms: CentralSystem) -> None:
    async with rig(LocalAuthListEnabled=False):
        assert await send(csms, "Full", 1, entry("A")) == "NotSupported"
        assert await version(csms) == -1


async def test_the_list_goes_before_the_cache_and_outlives_a_power_cut(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await station.identify("A") == "Accepted"
        await send(csms, "Full", 3, entry("A", "Blocked"))
        await station.power_cut()
        await station.states(2)
        assert await version(csms) == 3
        await station.charge_point.disconnect_websocket()
        assert await station.identify("A") == "Blocked"


async def test_online_a_refused_entry_is_asked_for_again(rig: Make, csms: CentralSystem) -> None:
    async with rig(LocalPreAuthorize=True) as station:
        await send(csms, "Full", 1, entry("A", "Blocked"))
        assert await station.identify("A") == "Accepted"
        assert csms.calls("Authorize") == [{"idTag": "A"}]


async def test_an_entry_past_its_date_is_expired_offline(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await send(csms, "Full", 1, entry("A", expiryDate="2020-01-01T00:00:00Z"))
        await station.charge_point.disconnect_websocket()
        assert await station.identify("A") == "Expired"
