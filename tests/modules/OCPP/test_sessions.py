"""Which connector of an EVSE is in use, and what its meter says to the others (DEPARTURE 48)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from everest.contracts.types.evse_manager import SessionEvent, SessionEventEnum
from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.units import Current, Energy, Power, Voltage
from modules.OCPP.meter import measurement, resting
from modules.OCPP.sessions import WHOLE_EVSE, EvseSessions

TIME = "2026-03-01T12:00:00.000Z"


def event(kind: SessionEventEnum, session: str = "s", **fields: Any) -> SessionEvent:
    return SessionEvent(event=kind, uuid=session, timestamp=TIME, **fields)


def test_the_connector_of_a_session_is_in_use_until_the_session_is_over() -> None:
    sessions = EvseSessions()
    assert sessions.connector_in_use(1) is None
    sessions.follow(1, event(SessionEventEnum.SessionStarted, connector_id=2))
    assert (sessions.connector_in_use(1), sessions.connector_in_use(2)) == (2, None)
    finished = sessions.follow(1, event(SessionEventEnum.TransactionFinished))
    assert (finished.connector_id, sessions.connector_in_use(1)) == (2, 2)
    assert sessions.follow(1, event(SessionEventEnum.SessionFinished, "")).connector_id == 2
    assert sessions.connector_in_use(1) is None


def test_a_session_that_names_no_connector_is_at_the_first() -> None:
    sessions = EvseSessions()
    sessions.follow(1, event(SessionEventEnum.SessionStarted, connector_id=2))
    assert sessions.follow(1, event(SessionEventEnum.SessionStarted, "other")).connector_id == 1
    assert sessions.connector_in_use(1) == 1


def test_a_session_that_was_running_before_is_known_by_its_connector() -> None:
    sessions = EvseSessions()
    sessions.resume(2, "s", 3)
    assert sessions.connector_in_use(2) == 3
    assert sessions.follow(2, event(SessionEventEnum.ChargingPausedEV)).connector_id == 3


@pytest.mark.parametrize("kind", sorted(WHOLE_EVSE))
def test_what_is_about_the_evse_stays_so_and_touches_no_session(kind: SessionEventEnum) -> None:
    sessions = EvseSessions()
    sessions.follow(1, event(SessionEventEnum.SessionStarted, connector_id=2))
    assert sessions.follow(1, event(kind, "")).connector_id is None
    assert sessions.follow(1, event(kind, "", connector_id=1)).connector_id == 1
    assert sessions.connector_in_use(1) == 2


def test_an_idle_connector_has_the_register_of_its_evse_but_no_flow_and_no_car() -> None:
    reading = Powermeter(
        timestamp=TIME,
        energy_Wh_import=Energy(total=1234.0),
        power_W=Power(total=7400.0),
        current_A=Current(L1=32.0),
        voltage_V=Voltage(L1=230.0),
    )
    values = resting(measurement(reading, soc=55.0, now=datetime(2026, 3, 1, tzinfo=UTC)))
    meter = values.power_meter
    assert meter.energy_Wh_import.total == 1234.0
    assert meter.voltage_V is not None and meter.voltage_V.L1 == 230.0
    assert (meter.power_W, meter.current_A, meter.VAR, values.soc_Percent) == (None, None, None, None)
