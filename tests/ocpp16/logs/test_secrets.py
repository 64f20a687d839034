"""`ChargePoint(log_secrets=...)`, from the wire to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocpp16 import ChargePoint
from ocpp16.store.memory import MemoryStore
from tests.support.ocpp16.doubles import VirtualClock
from tests.support.ocpp16_station import ScriptedCsms, configuration, settled

PASSWORD = "0123456789abcdef"


@pytest.mark.looptime
@pytest.mark.parametrize("secrets", [False, True])
async def test_a_password_is_in_the_logs_only_where_the_integrator_wants_it(tmp_path: Path, secrets: bool) -> None:
    clock = VirtualClock()
    csms = ScriptedCsms(clock)
    async with ChargePoint(
        configuration(clock, LogMessagesFormat=["log", "html"], LogMessagesRaw=True),
        store=MemoryStore(),
        clock=clock,
        dialer=csms.dial,
        message_log_path=tmp_path,
        log_secrets=secrets,
    ) as charge_point:
        await charge_point.start()
        await settled()
        answer = await csms.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": PASSWORD})
        assert answer == {"status": "Accepted"}
    await csms.close()
    files = {path.name: PASSWORD in path.read_text() for path in tmp_path.iterdir()}
    assert len(files) == 4 and set(files.values()) == {secrets}
