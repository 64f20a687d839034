"""Get- and ChangeConfiguration as messages, with what a change sets in motion (libocpp 1.6, 1.7)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp16 import ConnectionFailed
from ocpp16.messages import KeyValue
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


async def change(station: Station, key: str, value: str) -> str:
    status: str = (await station.csms.call("ChangeConfiguration", {"key": key, "value": value}))["status"]
    await settled()
    return status


async def test_keys_come_in_the_order_asked_for_and_unknown_ones_apart() -> None:
    async with Station() as station:
        await station.boot()
        answer = await station.csms.call(
            "GetConfiguration", {"key": ["numberofconnectors", "Nonsense", "HeartbeatInterval"]}
        )
    assert answer["configurationKey"] == [
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        {"key": "HeartbeatInterval", "readonly": False, "value": "86400"},
    ]
    assert answer["unknownKey"] == ["Nonsense"]


async def test_all_keys_are_listed_without_the_password() -> None:
    async with Station(AuthorizationKey="0123456789abcdef") as station:
        await station.boot()
        answer = await station.csms.call("GetConfiguration")
    names = [entry["key"] for entry in answer["configurationKey"]]
    assert "ChargePointModel" in names and "AuthorizationKey" not in names
    assert "unknownKey" not in answer


async def test_a_changed_key_calls_its_own_callback_or_else_the_generic_one() -> None:
    own: list[KeyValue] = []
    async with Station() as station:
        await station.boot()
        station.charge_point.register_configuration_key_changed_callback("LocalPreAuthorize", own.append)
        assert await change(station, "localpreauthorize", "TRUE") == "Accepted"
        assert await change(station, "ResetRetries", "5") == "Accepted"
        assert await change(station, "NumberOfConnectors", "5") == "Rejected"
        assert await change(station, "Nonsense", "5") == "NotSupported"
        assert str(await station.charge_point.set_configuration_key("BlinkRepeat", "1")) == "NotSupported"
        assert str(await station.charge_point.set_configuration_key("ResetRetries", "7")) == "Accepted"
        await settled()
    assert own == [KeyValue(key="LocalPreAuthorize", readonly=False, value="TRUE")]
    generic: list[Any] = [args[0] for args in station.asked_for("generic_configuration_key_changed")]
    assert [(entry.key, entry.value) for entry in generic] == [("ResetRetries", "5"), ("ResetRetries", "7")]


async def test_connection_time_out_is_told_at_start_and_at_each_change() -> None:
    async with Station() as station:
        await station.boot()
        await change(station, "ConnectionTimeOut", "5")
        await station.charge_point.call_set_connection_timeout()
        await settled()
    assert station.asked_for("set_connection_timeout") == [[60], [5], [5]]


async def test_a_new_password_logs_in_again_after_the_answer_in_profile_1_only() -> None:
    for profile, connections in ((0, 1), (1, 2)):
        async with Station(SecurityProfile=profile, AuthorizationKey="0123456789abcdef") as station:
            await station.boot()
            assert await change(station, "AuthorizationKey", "fedcba9876543210") == "Accepted"
            await settled(10)
            assert station.csms.connections == connections


async def test_a_security_profile_that_does_not_connect_is_taken_back() -> None:
    async with Station(AuthorizationKey="0123456789abcdef") as station:
        await station.boot()

        def profile() -> Any:
            keys = station.charge_point.get_configuration_key(["SecurityProfile"]).configuration_key
            return keys[0].value if keys else None

        dial = station.csms.dial

        async def refuse(options: Any) -> Any:
            if any(name == "Authorization" for name, _ in options.headers):
                raise ConnectionFailed("401", status=401)
            return await dial(options)

        station.charge_point._network._dialer = refuse  # type: ignore[union-attr]
        assert await change(station, "SecurityProfile", "1") == "Accepted"
        await settled(10)
        assert profile() == "1"
        await settled(20)
        assert profile() == "0"
        assert station.csms.connections == 2


async def test_a_security_profile_that_connects_stays() -> None:
    async with Station(AuthorizationKey="0123456789abcdef") as station:
        await station.boot()
        assert await change(station, "SecurityProfile", "1") == "Accepted"
        await settled(60)
        keys = station.charge_point.get_configuration_key(["SecurityProfile"]).configuration_key
    assert keys is not None and keys[0].value == "1"
    assert station.csms.connections == 2
