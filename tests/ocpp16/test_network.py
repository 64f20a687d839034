"""Between the websocket and the core: what is dialled, and what the integrator says about the network."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from ocpp16.connection.options import ConnectionOptions
from ocpp16.ports import Connection
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("answer", "interface"),
    [
        (SimpleNamespace(success=True, interface_address="127.0.0.2"), "127.0.0.2"),
        (SimpleNamespace(success=True, interface_address=None), "127.0.0.9"),
        (True, "127.0.0.9"),
    ],
)
async def test_the_network_callback_may_name_the_address_to_dial_from(answer: Any, interface: str) -> None:
    async with Station(IFace="127.0.0.9") as station:
        dialled: list[ConnectionOptions] = []

        async def dial(options: ConnectionOptions) -> Connection:
            dialled.append(options)
            return await station.csms.dial(options)

        async def network_up(slot: int, profile: Any) -> Any:
            return answer

        station.charge_point._dialer = dial
        station.charge_point.register_configure_network_connection_profile_callback(network_up)
        await station.boot()
        assert [options.interface for options in dialled] == [interface]


async def test_a_network_that_does_not_come_up_is_asked_for_again() -> None:
    async with Station() as station:
        answers = [False, SimpleNamespace(success=False), True]

        async def network_up(slot: int, profile: Any) -> Any:
            return answers.pop(0)

        station.charge_point.register_configure_network_connection_profile_callback(network_up)
        await station.boot()
        assert station.csms.connections == 0
        await settled(4)
        assert station.csms.connections == 1


@pytest.mark.parametrize(("profile", "warnings"), [(0, 1), (1, 0)])
async def test_a_station_without_security_says_so_once(
    profile: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "ocpp16"):
        async with Station(SecurityProfile=profile, AuthorizationKey="0123456789abcdef") as station:
            await station.boot()
            await station.charge_point.disconnect_websocket()
            await settled()
            await station.charge_point.connect_websocket()
            await settled()
    assert len([r for r in caplog.records if "SecurityProfile 0" in r.message]) == warnings
