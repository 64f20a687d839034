"""SendLocalList and GetLocalListVersion (libocpp 3.12, DEPARTURE 29)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ocpp16_station import Station

pytestmark = pytest.mark.looptime


def entry(tag: str, status: str | None = "Accepted") -> dict[str, Any]:
    return {"idTag": tag} | ({"idTagInfo": {"status": status}} if status else {})


async def send(station: Station, version: int, kind: str, entries: list[dict[str, Any]] | None = None) -> str:
    payload: dict[str, Any] = {"listVersion": version, "updateType": kind}
    if entries is not None:
        payload["localAuthorizationList"] = entries
    status: str = (await station.csms.call("SendLocalList", payload))["status"]
    return status


async def version(station: Station) -> int:
    number: int = (await station.csms.call("GetLocalListVersion"))["listVersion"]
    return number


async def test_full_and_differential_updates_with_their_versions() -> None:
    async with Station() as station:
        await station.boot()
        assert await version(station) == 0
        assert await send(station, 5, "Full", [entry("A"), entry("B")]) == "Accepted"
        assert await version(station) == 5
        assert await send(station, 5, "Differential", [entry("C")]) == "VersionMismatch"
        assert await send(station, 6, "Differential", [entry("C", "Blocked"), entry("A", None)]) == "Accepted"
        assert await station.store.local_list_entry("A") is None
        blocked = await station.store.local_list_entry("c")
        assert blocked is not None and blocked.info.status == "Blocked"
        assert await send(station, 7, "Differential") == "Accepted"
        assert await version(station) == 7
        assert await send(station, 8, "Full") == "Accepted"
        assert await version(station) == 0


FAULTS = [
    (1, "Full", [entry("A"), entry("a")]),
    (1, "Full", [entry("A", None)]),
    (-1, "Full", [entry("A")]),
    (0, "Full", [entry("A")]),
    (0, "Differential", []),
    (1, "Full", [entry(str(number)) for number in range(4)]),
    (3, "Differential", [entry(str(number)) for number in range(2)]),
]


@pytest.mark.parametrize(("number", "kind", "entries"), FAULTS)
async def test_an_update_with_a_fault_changes_nothing(number: int, kind: str, entries: list[dict[str, Any]]) -> None:
    async with Station(SendLocalListMaxLength=3, LocalAuthListMaxLength=2) as station:
        await station.boot()
        assert await send(station, 2, "Full", [entry("OLD")]) == "Accepted"
        assert await send(station, number, kind, entries) == "Failed"
        assert await version(station) == 2
        assert await station.store.local_list_size() == 1


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"SendLocalListMaxLength": 2, "LocalAuthListMaxLength": 9}, "Full"),
        ({"SendLocalListMaxLength": 2, "LocalAuthListMaxLength": 9}, "Differential"),
        ({"SendLocalListMaxLength": 9, "LocalAuthListMaxLength": 2}, "Full"),
        ({"SendLocalListMaxLength": 9, "LocalAuthListMaxLength": 2}, "Differential"),
    ],
)
async def test_each_of_the_two_limits_of_the_list_is_kept_by_itself(keys: dict[str, int], kind: str) -> None:
    async with Station(**keys) as station:
        await station.boot()
        assert await send(station, 1, kind, [entry(str(number)) for number in range(2)]) == "Accepted"
        assert await send(station, 2, kind, [entry(str(number)) for number in range(3)]) == "Failed"
        assert await station.store.local_list_size() == 2


async def test_version_zero_with_an_empty_full_list_empties_it() -> None:
    async with Station() as station:
        await station.boot()
        await send(station, 2, "Full", [entry("OLD")])
        assert await send(station, 0, "Full", []) == "Accepted"
        assert await station.store.local_list_size() == 0


@pytest.mark.parametrize("keys", [{"LocalAuthListEnabled": False}, {"SupportedFeatureProfiles": "Core"}])
async def test_without_a_local_list_the_answers_say_so(keys: dict[str, Any]) -> None:
    async with Station(**keys) as station:
        await station.boot()
        assert await version(station) == -1
        assert await send(station, 1, "Full", []) == "NotSupported"


async def test_a_replaced_entry_does_not_count_twice() -> None:
    async with Station(SendLocalListMaxLength=3, LocalAuthListMaxLength=2) as station:
        await station.boot()
        await send(station, 1, "Full", [entry("A"), entry("B")])
        assert (
            await send(station, 2, "Differential", [entry("a", "Blocked"), entry("B", None), entry("C")]) == "Accepted"
        )
        assert await station.store.local_list_size() == 2
