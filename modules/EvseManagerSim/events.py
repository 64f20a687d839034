"""Session events as they go on the bus: effects of the machine -> SessionEvent (station 2.3, DEPARTURES E1, E3).

Pure: the meter value, the time and the signed values come in.
"""

from __future__ import annotations

from everest.contracts.types.evse_manager import (
    AuthorizationEvent,
    ChargingPausedEVSEReasons,
    ChargingStateChangedEvent,
    SessionEvent,
    SessionFinished,
    SessionStarted,
    TransactionFinished,
    TransactionStarted,
)
from everest.contracts.types.evse_manager import SessionEventEnum as Ev
from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.units_signed import SignedMeterValue

from .states import Emit

# events after which selected_protocol is published (station 2.3)
PROTOCOL_FOLLOWS = frozenset(
    {
        Ev.Authorized,
        Ev.Deauthorized,
        Ev.AuthRequired,
        Ev.PrepareCharging,
        Ev.ChargingStarted,
        Ev.ChargingPausedEV,
        Ev.StoppingCharging,
        Ev.ChargingFinished,
        Ev.SessionFinished,
        Ev.Enabled,
        Ev.Disabled,
        Ev.PluginTimeout,
        Ev.SwitchingPhases,
    }
)

IEC61851 = "IEC61851-1"
UNKNOWN_PROTOCOL = "Unknown"

# events that change what selected_protocol says
PROTOCOL_FROM: dict[Ev, str] = {
    Ev.SessionStarted: IEC61851,
    Ev.TransactionFinished: UNKNOWN_PROTOCOL,
    Ev.SessionFinished: UNKNOWN_PROTOCOL,
}

WITH_AUTHORIZATION = frozenset({Ev.Authorized, Ev.Deauthorized})
WITH_CHARGING_STATE = frozenset({Ev.ChargingStarted, Ev.ChargingPausedEV, Ev.ChargingPausedEVSE})


def build(
    effect: Emit,
    meter_value: Powermeter,
    timestamp: str,
    *,
    signed_start: SignedMeterValue | None = None,
    signed_stop: SignedMeterValue | None = None,
    logging_path: str | None = None,
) -> SessionEvent:
    """The event with exactly the detail objects of its kind.

    signed_start goes to TransactionStarted, both to TransactionFinished; logging_path to SessionStarted.
    """
    event = SessionEvent(
        uuid=effect.uuid,
        timestamp=timestamp,
        event=effect.event,
        source=effect.source,
        connector_id=effect.connector_id,
    )
    if effect.event is Ev.SessionStarted and effect.start_reason is not None:
        event.session_started = SessionStarted(
            reason=effect.start_reason,
            meter_value=meter_value,
            id_tag=effect.id_tag,
            reservation_id=effect.reservation_id,
            logging_path=logging_path,
        )
    elif effect.event is Ev.SessionFinished:
        event.session_finished = SessionFinished(meter_value=meter_value)
    elif effect.event is Ev.TransactionStarted and effect.id_tag is not None:
        event.transaction_started = TransactionStarted(
            id_tag=effect.id_tag,
            meter_value=meter_value,
            signed_meter_value=signed_start,
            reservation_id=effect.reservation_id,
        )
    elif effect.event is Ev.TransactionFinished:
        event.transaction_finished = TransactionFinished(
            meter_value=meter_value,
            reason=effect.stop_reason,
            id_tag=effect.id_tag,
            start_signed_meter_value=signed_start,
            signed_meter_value=signed_stop,
        )
    elif effect.event in WITH_AUTHORIZATION:
        event.authorization_event = AuthorizationEvent(meter_value=meter_value)
    elif effect.event in WITH_CHARGING_STATE:
        event.charging_state_changed_event = ChargingStateChangedEvent(meter_value=meter_value)
    if effect.pause_reasons:
        event.charging_paused_evse = ChargingPausedEVSEReasons(reasons=list(effect.pause_reasons))
    return event
