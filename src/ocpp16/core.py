"""One run of the charge point, from `init` to `stop`: its capabilities, wired together, and the table of CALL handlers.

`charge_point.py` makes one for each start, so that a restart begins with the boot procedure (libocpp DEPARTURE 7).
May import: every capability. Must not import: charge_point, connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ocpp16.answers import Answers
from ocpp16.authorization import Authorization
from ocpp16.availability import Availability
from ocpp16.boot import Boot
from ocpp16.configuration import keys
from ocpp16.configuration_requests import ConfigurationRequests
from ocpp16.connector import ZERO_STATES, Connector
from ocpp16.context import Context
from ocpp16.data_transfer import DataTransfer
from ocpp16.errors import UsageError
from ocpp16.firmware import Firmware
from ocpp16.local_list import LocalList
from ocpp16.messages import (
    AvailabilityType,
    ChargePointStatus,
    ClearCacheRequest,
    ClearCacheResponse,
)
from ocpp16.metering import Metering, Readings
from ocpp16.remote import Remote
from ocpp16.reservation import Reservation
from ocpp16.reset import Reset
from ocpp16.router import Handler, Reply, Router
from ocpp16.security_events import SecurityEvents
from ocpp16.status_notifications import StatusNotifications
from ocpp16.transactions import Transactions
from ocpp16.trigger import Trigger
from ocpp16.unlock import Unlock

Reconnect = Callable[[], Awaitable[None]]


class Core:
    """The capabilities of one run."""

    def __init__(
        self,
        context: Context,
        answers: Answers,
        connectors: Mapping[int, Connector],
        readings: Readings,
        connection_effects: Mapping[str, Callable[[], Awaitable[None] | None]],
    ) -> None:
        self.context = context
        self.statuses = StatusNotifications(context, connectors)
        self.authorization = Authorization(context)
        self.transactions = Transactions(context, self.authorization)
        self.metering = Metering(context, self.transactions, readings)
        self.boot = Boot(context, self.statuses, self.metering)
        self.security_events = SecurityEvents(context)
        self.availability = Availability(context, self.statuses, self.transactions)
        self.firmware = Firmware(context, self.availability, self.transactions, self.security_events)
        self.boot.on_first_accepted.append(self.firmware.accepted)
        self.data_transfer = DataTransfer(context)
        self.unlock = Unlock(context, self.transactions)
        effects = {
            "HeartbeatInterval": self.boot.start_heartbeat,
            "MeterValueSampleInterval": self.metering.sample_interval_changed,
            "ClockAlignedDataInterval": self.metering.start_aligned,
            "ConnectionTimeOut": self.set_connection_timeout,
            **connection_effects,
        }
        self.configuration_requests = ConfigurationRequests(context, effects)
        self.router = Router(context, self.boot, self.security_events, self._handlers())
        answers.boot, answers.transactions = self.boot, self.transactions
        self._turns: dict[int, asyncio.Lock] = {number: asyncio.Lock() for number in connectors}

    def _handlers(self) -> dict[str, Handler]:
        """Who answers which CALL. What is missing is answered NotSupported."""
        context = self.context
        remote = Remote(context, self.statuses, self.transactions)
        reset = Reset(context, self.statuses, self.transactions)
        trigger = Trigger(context, self.boot, self.statuses, self.metering, self.firmware)
        reservation = Reservation(context, self.statuses, self.availability)
        local_list = LocalList(context)
        return {
            "CancelReservation": reservation.cancel,
            "ChangeAvailability": self.availability.change,
            "ChangeConfiguration": self.configuration_requests.change,
            "ClearCache": self._clear_cache,
            "DataTransfer": self.data_transfer.handle,
            "ExtendedTriggerMessage": trigger.handle_extended,
            "GetConfiguration": self.configuration_requests.get,
            "GetDiagnostics": self.firmware.get_diagnostics,
            "GetLocalListVersion": local_list.version,
            "GetLog": self.firmware.get_log,
            "RemoteStartTransaction": remote.start,
            "RemoteStopTransaction": remote.stop,
            "ReserveNow": reservation.reserve,
            "Reset": reset.handle,
            "SendLocalList": local_list.update,
            "TriggerMessage": trigger.handle,
            "UnlockConnector": self.unlock.handle,
            "UpdateFirmware": self.firmware.update_firmware,
        }

    async def _clear_cache(self, request: ClearCacheRequest) -> Reply:
        return Reply(ClearCacheResponse(status=await self.authorization.clear_cache()))

    def turn(self, connector: int) -> asyncio.Lock:
        """What serves the handlers of a connector in the order of their calls. Never held while a callback runs."""
        if connector not in self._turns:
            raise UsageError(f"there is no connector {connector}: NumberOfConnectors is {len(self._turns) - 1}")
        return self._turns[connector]

    # --- init --------------------------------------------------------------------------------------------------------

    async def init(
        self, connector_status_map: Mapping[int, ChargePointStatus], resuming_session_ids: Iterable[str]
    ) -> None:
        """Take up the state of the store (libocpp 2.2). Callbacks to enable or disable EVSEs may be called."""
        context = self.context
        disabled = bool(context.configuration[keys.DisableSecurityEventNotifications])
        await self.availability.load()
        if connector_status_map:
            self.set_states(connector_status_map)
        queued = await context.store.messages()
        await context.dispatcher.load(discard_security_events=disabled)
        await self.transactions.restore(resuming_session_ids, queued)
        self.router.start()
        if not connector_status_map:
            self._set_states_from_store()
            await self.availability.order_all()

    def set_states(self, connector_status_map: Mapping[int, ChargePointStatus]) -> None:
        """Set all connectors without a report. Raises UsageError for a map that does not fit."""
        check_states(connector_status_map, len(self._turns))
        for connector, status in connector_status_map.items():
            self.statuses[connector].reset(status)

    def _set_states_from_store(self) -> None:
        """Operative: Available, or Charging where a transaction goes on; Inoperative: Unavailable."""
        for connector in self._turns:
            operative = self.availability.wanted(connector) is AvailabilityType.Operative
            status = ChargePointStatus.Available if operative else ChargePointStatus.Unavailable
            if self.transactions.active(connector) is not None:
                status = ChargePointStatus.Charging
            self.statuses[connector].reset(status)

    @property
    def reports_reason_change(self) -> bool:
        return bool(self.context.configuration[keys.ReportSuspendedEVSEReasonChange])

    def set_connection_timeout(self) -> None:
        """Tell the integrator `ConnectionTimeOut`."""
        seconds = int(self.context.configuration[keys.ConnectionTimeOut])
        self.context.lanes.post(0, "set_connection_timeout", seconds)


def check_states(states: Mapping[int, ChargePointStatus], count: int) -> None:
    """Refuse a connector status map that is not 0..N, or gives connector 0 a charging state."""
    if sorted(states) != list(range(count)):
        raise UsageError(f"the connector status map must name the connectors 0 to {count - 1}, not {sorted(states)}")
    if states[0] not in ZERO_STATES:
        raise UsageError(f"connector 0 can only be {', '.join(sorted(ZERO_STATES))}, not {states[0]}")
