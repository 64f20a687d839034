"""The `on_*` handlers of the charge point (libocpp 2.5): what the integrator tells, served per connector in call order.

A handler returns once what it must keep is durable. It never waits for a callback while it holds its connector's turn,
so a callback may call it. Before `init` readings, offered limits and errors are kept; after `stop` the rest is dropped
with a log line. May import: core and what it is made of. Must not import: connection.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ocpp16.connector import Connector, ConnectorEvent, ErrorInfo
from ocpp16.core import Core
from ocpp16.errors import UsageError
from ocpp16.measurement import Measurement, SignedMeterValue
from ocpp16.messages import (
    AvailabilityStatus,
    AvailabilityType,
    ChangeAvailabilityRequest,
    ChangeAvailabilityResponse,
    ChargePointStatus,
    Reason,
    to_timestamp,
)
from ocpp16.metering import Readings
from ocpp16.transactions import Transaction

log = logging.getLogger("ocpp16")

_E = ConnectorEvent


class EventHandlers:
    """Mixed into `ChargePoint`."""

    _core: Core | None
    _ended: bool
    _readings: Readings
    _connectors: Mapping[int, Connector]

    def _running(self, handler: str) -> Core | None:
        """The run that takes the event; None after `stop` or `close` (the event is lost, as with libocpp)."""
        if self._core is None and not self._ended:
            raise UsageError(f"{handler} came before init(): call init() or start() first")
        if self._core is None:
            log.warning("%s after the end of the charge point is dropped", handler)
        return self._core

    def _check_connector(self, connector: int) -> None:
        if connector not in self._connectors:
            raise UsageError(f"there is no connector {connector}: NumberOfConnectors is {len(self._connectors) - 1}")

    async def _event(self, handler: str, connector: int, event: ConnectorEvent, info: str | None = None) -> None:
        core = self._running(handler)
        if core is not None:
            async with core.turn(connector):
                core.statuses.submit(connector, event, info)

    # --- readings ----------------------------------------------------------------------------------------------------

    async def on_meter_values(self, connector: int, measurement: Measurement) -> None:
        """The latest reading of a connector (0: the station's own meter)."""
        self._check_connector(connector)
        if self._core is None:
            self._readings.measurements[connector] = measurement
        else:
            self._core.metering.on_meter_values(connector, measurement)

    async def on_max_current_offered(self, connector: int, max_current: int) -> None:
        """Value of Current.Offered, in A."""
        self._check_connector(connector)
        self._readings.current_offered[connector] = max_current

    async def on_max_power_offered(self, connector: int, max_power: int) -> None:
        """Value of Power.Offered, in W."""
        self._check_connector(connector)
        self._readings.power_offered[connector] = max_power

    # --- sessions and transactions -----------------------------------------------------------------------------------

    async def on_session_started(
        self, connector: int, session_id: str, reason: str, session_logging_path: str | None = None
    ) -> None:
        """A session begins; `reason` is `EVConnected` or `Authorized`. A plugged-in EV does not end a reservation."""
        core = self._running("on_session_started")
        if core is None:
            return
        async with core.turn(connector):
            if session_logging_path:
                core.context.message_log.session_started(session_id, Path(session_logging_path))
            reserved = core.statuses[connector].state is ChargePointStatus.Reserved
            if not (reserved and reason == "EVConnected"):
                core.statuses.submit(connector, _E.UsageInitiated, reason)

    async def on_session_stopped(self, connector: int, session_id: str) -> None:
        """The session is over: the connector is free, and a change of its availability that waited is carried out."""
        core = self._running("on_session_stopped")
        if core is None:
            return
        async with core.turn(connector):
            if core.statuses[connector].state not in (ChargePointStatus.Reserved, ChargePointStatus.Unavailable):
                if core.availability.scheduled(connector) is AvailabilityType.Inoperative:
                    core.statuses.submit_silently(connector, _E.BecomeAvailable)
                else:
                    core.statuses.submit(connector, _E.BecomeAvailable)
            core.availability.run_scheduled(connector)
            core.context.message_log.session_ended(session_id)

    async def on_transaction_started(
        self,
        connector: int,
        session_id: str,
        id_token: str,
        meter_start: float,
        reservation_id: int | None = None,
        timestamp: datetime | None = None,
        signed_meter_value: SignedMeterValue | None = None,
    ) -> None:
        """A transaction began at `timestamp` (now) with `meter_start` Wh. Its StartTransaction.req is durable when this
        returns. Raises UsageError for an id token longer than 20 characters."""
        core = self._running("on_transaction_started")
        if core is None:
            return
        if not 0 < len(id_token) <= 20:
            raise UsageError(f"an idTag has 1 to 20 characters, not {len(id_token)}")
        async with core.turn(connector):
            if core.statuses[connector].state is ChargePointStatus.Reserved:
                core.statuses.submit(connector, _E.UsageInitiated)
            time = to_timestamp(timestamp or core.context.clock.now())
            await core.transactions.start(
                connector, session_id, id_token, meter_start, time, reservation_id, signed_meter_value
            )

    async def on_transaction_stopped(
        self,
        connector: int,
        session_id: str,
        reason: Reason,
        timestamp: datetime,
        energy_wh_import: float,
        id_tag_end: str | None = None,
        signed_meter_value: SignedMeterValue | None = None,
        start_signed_meter_value: SignedMeterValue | None = None,
    ) -> None:
        """A transaction ended with the import register at `energy_wh_import`. Its StopTransaction.req is durable when
        this returns. `id_tag_end` is the tag that stopped it, if one did."""
        core = self._running("on_transaction_stopped")
        if core is None:
            return
        async with core.turn(connector):
            transaction = await core.transactions.stop(
                connector,
                session_id,
                reason,
                to_timestamp(timestamp),
                energy_wh_import,
                _fitting(id_tag_end),
                signed_meter_value,
                start_signed_meter_value,
            )
            if transaction is not None:
                self._after_transaction(core, transaction, reason)

    @staticmethod
    def _after_transaction(core: Core, transaction: Transaction, reason: Reason) -> None:
        """An EV that was unplugged has left; otherwise the user has still something to do."""
        if reason is Reason.EVDisconnected:
            core.unlock.ev_disconnected(transaction.connector)
        else:
            core.statuses.submit(transaction.connector, _E.TransactionStoppedAndUserActionRequired)

    # --- charging ----------------------------------------------------------------------------------------------------

    async def on_suspend_charging_ev(self, connector: int, info: str | None = None) -> None:
        """The EV takes no energy."""
        await self._event("on_suspend_charging_ev", connector, _E.PauseChargingEV, info)

    async def on_suspend_charging_evse(self, connector: int, info: str | None = None) -> None:
        """Told again with another `info`, it counts only with ReportSuspendedEVSEReasonChange."""
        core = self._running("on_suspend_charging_evse")
        if core is None:
            return
        async with core.turn(connector):
            suspended = core.statuses[connector].state is ChargePointStatus.SuspendedEVSE
            if not suspended or core.reports_reason_change:
                core.statuses.submit(connector, _E.PauseChargingEVSE, info)

    async def on_resume_charging(self, connector: int) -> None:
        """Energy flows."""
        core = self._running("on_resume_charging")
        if core is None:
            return
        async with core.turn(connector):
            core.statuses.submit(connector, _E.StartCharging)
            core.transactions.charging_goes_on(connector)

    # --- errors ------------------------------------------------------------------------------------------------------

    async def on_error(self, connector: int, error: ErrorInfo) -> None:
        """An error is active; a fault makes the connector Faulted. A known uuid is ignored."""
        self._check_connector(connector)
        if self._core is None:
            self._connectors[connector].raise_error(error)
            return
        async with self._core.turn(connector):
            await self._core.statuses.raise_error(connector, error)

    async def on_error_cleared(self, connector: int, uuid: str) -> None:
        """The error of this uuid is over; an unknown uuid is ignored."""
        self._check_connector(connector)
        if self._core is None:
            self._connectors[connector].clear_error(uuid, report_cleared=False)
            return
        async with self._core.turn(connector):
            await self._core.statuses.clear_error(connector, uuid)

    async def on_all_errors_cleared(self, connector: int) -> None:
        """No error of this connector is active any more."""
        self._check_connector(connector)
        if self._core is None:
            self._connectors[connector].clear_all_errors()
            return
        async with self._core.turn(connector):
            await self._core.statuses.clear_all_errors(connector)

    # --- logs, firmware, reservations, availability ------------------------------------------------------------------

    async def on_log_status_notification(self, request_id: int, log_status: str) -> None:
        """Progress of an upload; request id -1 is that of GetDiagnostics."""
        core = self._running("on_log_status_notification")
        if core is not None:
            await core.firmware.log_status(request_id, log_status)

    async def on_firmware_update_status_notification(
        self, request_id: int, status: str, disable_connectors_during_install: bool = True
    ) -> None:
        """Progress of a firmware update; request id -1 is that of UpdateFirmware."""
        core = self._running("on_firmware_update_status_notification")
        if core is not None:
            await core.firmware.firmware_status(
                request_id, status, disable_connectors=disable_connectors_during_install
            )

    async def on_reservation_start(self, connector: int) -> None:
        """The connector is reserved."""
        await self._event("on_reservation_start", connector, _E.ReserveConnector)

    async def on_reservation_end(self, connector: int) -> None:
        """The reservation is over, used or not."""
        await self._event("on_reservation_end", connector, _E.ReservationEnd)

    async def on_enabled(self, connector: int) -> None:
        """The EVSE can be used. While a transaction runs this says nothing new, and is left out."""
        core = self._running("on_enabled")
        if core is None:
            return
        async with core.turn(connector):
            if core.transactions.active(connector) is None:
                core.statuses.submit(connector, _E.BecomeAvailable)

    async def on_disabled(self, connector: int) -> None:
        """The EVSE cannot be used. As the answer to an ordered change this is accepted from every state."""
        core = self._running("on_disabled")
        if core is None:
            return
        async with core.turn(connector):
            if core.availability.being_disabled(connector):
                core.statuses.force_unavailable(connector)
            else:
                core.statuses.submit(connector, _E.ChangeAvailabilityToUnavailable)

    async def on_plugin_timeout(self, connector: int) -> None:
        """Nobody plugged in after authorization."""
        await self._event(
            "on_plugin_timeout", connector, _E.TransactionStoppedAndUserActionRequired, "ConnectionTimeout"
        )

    async def on_security_event(
        self,
        event_type: str,
        tech_info: str | None = None,
        critical: bool | None = None,
        timestamp: datetime | None = None,
    ) -> None:
        """A security event of the integrator; the security event callback is not called for it."""
        core = self._running("on_security_event")
        if core is not None:
            await core.security_events.report(event_type, tech_info, critical=critical, timestamp=timestamp)

    async def on_change_availability(self, request: ChangeAvailabilityRequest) -> ChangeAvailabilityResponse:
        """ChangeAvailability asked by the integrator: as from the CSMS; carried out when this returns."""
        core = self._running("on_change_availability")
        if core is None:
            return ChangeAvailabilityResponse(status=AvailabilityStatus.Rejected)
        reply = await core.availability.change(request)
        if reply.after is not None:
            await reply.after()
        assert isinstance(reply.response, ChangeAvailabilityResponse)
        return reply.response


def _fitting(id_tag: str | None) -> str | None:
    """A stop must not be lost for a tag that is too long: it is cut, and said so."""
    if id_tag is not None and len(id_tag) > 20:
        log.error("The idTag that stopped a transaction has %d characters and is cut to 20", len(id_tag))
        return id_tag[:20]
    return id_tag or None
