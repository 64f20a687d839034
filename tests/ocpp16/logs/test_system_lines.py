"""The lines of the message log that are no messages (libocpp 8.2), from a charge point that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocpp16 import ChargePoint
from ocpp16.store.memory import MemoryStore
from tests.support.ocpp16.doubles import VirtualClock
from tests.support.ocpp16_station import ScriptedCsms, configuration, settled


@pytest.mark.looptime
async def test_the_life_of_the_connection_is_in_the_log(tmp_path: Path) -> None:
    clock = VirtualClock()
    csms = ScriptedCsms(clock)
    settings = configuration(
        clock,
        LogMessagesFormat=["log"],
        AuthorizationKey="0123456789abcdef",
        SecurityProfile=1,
        RetryBackoffWaitMinimum=1,
        RetryBackoffRandomRange=0,
    )
    async with ChargePoint(
        settings, store=MemoryStore(), clock=clock, dialer=csms.dial, message_log_path=tmp_path
    ) as charge_point:
        await charge_point.start()
        await settled()
        await csms.call("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "20"})
        await csms.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": "fedcba9876543210"})
        await settled(10)
        csms.drop()
        await settled(10)
        await charge_point.disconnect_websocket()
        await settled()
        await charge_point.disconnect_websocket()
        await settled()
    await csms.close()
    (file,) = tmp_path.iterdir()
    lines = [line.partition(": SYS ")[2] for line in file.read_text().splitlines() if ": SYS " in line]
    assert lines == [
        "Connected",
        "WebSocketPingInterval changed",
        *("Reconnecting", "Disconnected", "Connected"),
        *("Disconnected", "Connected"),
        *("Disconnecting", "Disconnected"),
    ]
