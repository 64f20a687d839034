"""Which connector of an EVSE a session uses, by its session events. Holds state, does no I/O.

An EVSE has one session at a time, however many connectors it has. Its meter and its car are those of the connector in
use: the others of the EVSE rest. May not be imported here: the core.
"""

from __future__ import annotations

from msgspec.structs import replace

from everest.contracts.types.evse_manager import SessionEvent, SessionEventEnum

WHOLE_EVSE = frozenset(
    {
        SessionEventEnum.Enabled,
        SessionEventEnum.Disabled,
        SessionEventEnum.ReservationStart,
        SessionEventEnum.ReservationEnd,
    }
)
"""Events that mean the EVSE with all its connectors where they name none; all others belong to a session."""


class EvseSessions:
    """The session of each EVSE, as far as it was told."""

    def __init__(self) -> None:
        self._by_evse: dict[int, tuple[str, int]] = {}

    def connector_in_use(self, evse_id: int) -> int | None:
        """The connector (of the EVSE, from 1) that has the session, None without a session."""
        session = self._by_evse.get(evse_id)
        return None if session is None else session[1]

    def resume(self, evse_id: int, session_id: str, connector_id: int) -> None:
        """A session that was running before anything was told about it."""
        self._by_evse[evse_id] = (session_id, connector_id)

    def follow(self, evse_id: int, event: SessionEvent) -> SessionEvent:
        """Take note of the next event of an EVSE; returned with its connector where only its session tells that.

        An event of a session that names no connector concerns that of the session's earlier events, else the first
        (libocpp 9.3).
        """
        if event.event in WHOLE_EVSE:
            return event
        event = replace(event, connector_id=event.connector_id or self._known(evse_id, event.uuid))
        if event.event is SessionEventEnum.SessionFinished:
            self._by_evse.pop(evse_id, None)
        elif event.uuid and event.connector_id is not None:
            self._by_evse[evse_id] = (event.uuid, event.connector_id)
        return event

    def _known(self, evse_id: int, session_id: str) -> int:
        session = self._by_evse.get(evse_id)
        return session[1] if session is not None and session_id in (session[0], "") else 1
