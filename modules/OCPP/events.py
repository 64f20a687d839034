"""Session events of the EVSEs as calls of the core's handlers (libocpp 9.3).

Every event finds its OCPP connector through the one map (DEPARTURE 48). No event is lost to bad content: unreadable
times become now, id tokens are cut to the 20 characters of OCPP 1.6 (DEPARTURE 49).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from everest.contracts.types.evse_manager import SessionEvent, SessionEventEnum, StopTransactionReason
from everest.runtime import Clock
from ocpp16 import ChargePoint, SignedMeterValue
from ocpp16.messages import Reason

from .connectors import ConnectorMap
from .sessions import WHOLE_EVSE, EvseSessions
from .times import parse_time

log = logging.getLogger(__name__)

ID_TAG_LENGTH = 20

STOP_REASONS: dict[StopTransactionReason, Reason] = {
    reason: Reason(reason.value) if reason.value in Reason.__members__.values() else Reason.Other
    for reason in StopTransactionReason
}
"""Same name where OCPP 1.6 has it, else Other."""

Handler = Callable[["SessionEvents", int, SessionEvent], Awaitable[None]]


class SessionEvents:
    """Translates for one charge point. `resumed_late` maps a connector to a session taken to go on (see start.py)."""

    def __init__(self, core: ChargePoint, connectors: ConnectorMap, sessions: EvseSessions, clock: Clock) -> None:
        self._core = core
        self._connectors = connectors
        self._sessions = sessions
        self._clock = clock
        self.resumed_late: dict[int, str] = {}
        self._out_of_service: set[int] = set()

    async def handle(self, evse_id: int, event: SessionEvent) -> None:
        """One session event of an EVSE."""
        event = self._sessions.follow(evse_id, event)
        handler = HANDLERS.get(event.event)
        if handler is None:
            return
        await self._close_missed(evse_id, event)
        for connector in self._concerned(evse_id, event):
            await handler(self, connector, event)

    def _concerned(self, evse_id: int, event: SessionEvent) -> list[int]:
        """The connectors of an event. One about the whole EVSE leaves those alone that are disabled by themselves."""
        if event.event in WHOLE_EVSE and not event.connector_id:
            every = self._connectors.of_evse(evse_id)
            if event.event is SessionEventEnum.Enabled and len(every) > 1:
                return [connector for connector in every if connector not in self._out_of_service]
            return every
        connector = self._connectors.to_ocpp(evse_id, event.connector_id)
        if connector is None:
            log.error("session event %s of unknown connector %s of EVSE %d", event.event, event.connector_id, evse_id)
            return []
        if event.event is SessionEventEnum.Disabled:
            self._out_of_service.add(connector)
        elif event.event is SessionEventEnum.Enabled:
            self._out_of_service.discard(connector)
        return [connector]

    async def _close_missed(self, evse_id: int, event: SessionEvent) -> None:
        """The session that was taken to go on has ended unseen, if the EVSE begins another one or it is over."""
        for connector in self._connectors.of_evse(evse_id):
            session_id = self.resumed_late.get(connector)
            if session_id is None:
                continue
            if event.event is SessionEventEnum.TransactionFinished and event.uuid == session_id:
                del self.resumed_late[connector]
            elif event.event in NEW_SESSION or (event.event in SESSION_OVER and event.uuid in (session_id, "")):
                del self.resumed_late[connector]
                await self._core.end_unfinished_transaction(connector, session_id)

    def _time(self, event: SessionEvent) -> datetime:
        return parse_time(event.timestamp) or self._clock.now()

    async def _enabled(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_enabled(connector)

    async def _disabled(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_disabled(connector)

    async def _session_started(self, connector: int, event: SessionEvent) -> None:
        started = event.session_started
        reason = "EVConnected" if started is None else started.reason.value
        logging_path = None if started is None else started.logging_path
        await self._core.on_session_started(connector, event.uuid, reason, logging_path)
        if reason == "Authorized":
            await self._free_siblings(connector)

    async def _transaction_started(self, connector: int, event: SessionEvent) -> None:
        started = event.transaction_started
        if started is None:
            log.error("TransactionStarted of session %s has no details; it cannot be reported", event.uuid)
            return
        await self._core.on_transaction_started(
            connector,
            event.uuid,
            id_tag(started.id_tag.id_token.value),
            started.meter_value.energy_Wh_import.total,
            timestamp=self._time(event),
            reservation_id=started.reservation_id,
            signed_meter_value=_signed(started.signed_meter_value),
        )
        await self._free_siblings(connector)

    async def _free_siblings(self, connector: int) -> None:
        """A reservation of the EVSE is used up with the session it was made for, without an event (station 2.8)."""
        place = self._connectors.to_bus(connector)
        for other in self._connectors.of_evse(place.evse_id) if place is not None else ():
            if other != connector:
                await self._core.on_reservation_end(other)

    async def _transaction_finished(self, connector: int, event: SessionEvent) -> None:
        finished = event.transaction_finished
        if finished is None:
            log.error("TransactionFinished of session %s has no details; it cannot be reported", event.uuid)
            return
        await self._core.on_transaction_stopped(
            connector,
            event.uuid,
            STOP_REASONS.get(finished.reason, Reason.Other) if finished.reason else Reason.Other,
            self._time(event),
            finished.meter_value.energy_Wh_import.total,
            id_tag_end=None if finished.id_tag is None else id_tag(finished.id_tag.id_token.value),
            signed_meter_value=_signed(finished.signed_meter_value),
            start_signed_meter_value=_signed(finished.start_signed_meter_value),
        )

    async def _charging_started(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_resume_charging(connector)

    async def _paused_by_ev(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_suspend_charging_ev(connector)

    async def _paused_by_evse(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_suspend_charging_evse(connector)

    async def _switching_phases(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_suspend_charging_evse(connector, "SwitchingPhases")

    async def _session_finished(self, connector: int, event: SessionEvent) -> None:
        await self._core.on_session_stopped(connector, event.uuid)

    async def _reservation_start(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_reservation_start(connector)

    async def _reservation_end(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_reservation_end(connector)

    async def _plugin_timeout(self, connector: int, _event: SessionEvent) -> None:
        await self._core.on_plugin_timeout(connector)


NEW_SESSION = {SessionEventEnum.SessionStarted, SessionEventEnum.TransactionStarted}
SESSION_OVER = {SessionEventEnum.SessionFinished}

HANDLERS: dict[SessionEventEnum, Handler] = {
    SessionEventEnum.Enabled: SessionEvents._enabled,
    SessionEventEnum.Disabled: SessionEvents._disabled,
    SessionEventEnum.SessionStarted: SessionEvents._session_started,
    SessionEventEnum.TransactionStarted: SessionEvents._transaction_started,
    SessionEventEnum.ChargingStarted: SessionEvents._charging_started,
    SessionEventEnum.ChargingPausedEV: SessionEvents._paused_by_ev,
    SessionEventEnum.ChargingPausedEVSE: SessionEvents._paused_by_evse,
    SessionEventEnum.SwitchingPhases: SessionEvents._switching_phases,
    SessionEventEnum.TransactionFinished: SessionEvents._transaction_finished,
    SessionEventEnum.SessionFinished: SessionEvents._session_finished,
    SessionEventEnum.ReservationStart: SessionEvents._reservation_start,
    SessionEventEnum.ReservationEnd: SessionEvents._reservation_end,
    SessionEventEnum.PluginTimeout: SessionEvents._plugin_timeout,
}
"""Authorized, Deauthorized, AuthRequired, PrepareCharging, StoppingCharging and ChargingFinished mean nothing to OCPP;
SessionResumed is taken before the charge point starts (ocpp.py)."""


def id_tag(token: str) -> str:
    """A token of the bus (up to 36 characters) as an idTag."""
    if len(token) > ID_TAG_LENGTH:
        log.warning("id token of %d characters cut to the %d of OCPP 1.6", len(token), ID_TAG_LENGTH)
    return token[:ID_TAG_LENGTH]


def _signed(value: object) -> SignedMeterValue | None:
    data = getattr(value, "signed_meter_data", None)
    if not data:
        return None
    return SignedMeterValue(signed_meter_data=data, timestamp=parse_time(getattr(value, "timestamp", None)))
