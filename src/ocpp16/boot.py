"""From the first connection to Accepted, and what the station may do in each registration state. Heartbeat.

Owns: `Registration` (libocpp 3.1 with DEPARTURE 8, 9), `CALLS` (which CALLs are taken up in which state),
BootNotification.req and its repetition, the heartbeat. May import: context, status_notifications, metering. Must not
import: the router.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.dispatcher import Answered, Outcome
from ocpp16.errors import ConfigurationError
from ocpp16.messages import (
    BootNotificationRequest,
    BootNotificationResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    RegistrationStatus,
    format_timestamp,
)
from ocpp16.metering import Metering
from ocpp16.status_notifications import StatusNotifications
from ocpp16.tasks import Timer

RETRY_WITHOUT_INTERVAL = 60.0
"""Seconds until the next BootNotification.req when the CSMS named no interval."""


class Registration(StrEnum):
    """Where the station stands with the CSMS."""

    Disconnected = "Disconnected"
    Connected = "Connected"
    Pending = "Pending"
    Rejected = "Rejected"
    Booted = "Booted"


class Treatment(StrEnum):
    """What becomes of a CALL from the CSMS."""

    Ignore = "no answer at all"
    RefuseRemote = "handled, but RemoteStart and RemoteStop are Rejected"
    Handle = "handled"


CALLS: Mapping[Registration, Treatment] = {
    Registration.Disconnected: Treatment.Ignore,
    Registration.Connected: Treatment.Ignore,
    Registration.Pending: Treatment.RefuseRemote,
    Registration.Rejected: Treatment.Ignore,
    Registration.Booted: Treatment.Handle,
}

AFTER_RESPONSE: Mapping[RegistrationStatus, Registration] = {
    RegistrationStatus.Accepted: Registration.Booted,
    RegistrationStatus.Pending: Registration.Pending,
    RegistrationStatus.Rejected: Registration.Rejected,
}


def retry_wait(interval: int) -> float:
    """Seconds until the next BootNotification.req after Pending or Rejected."""
    return float(interval) if interval > 0 else RETRY_WITHOUT_INTERVAL


class Boot:
    """Registration and heartbeat of one run."""

    def __init__(self, context: Context, statuses: StatusNotifications, metering: Metering) -> None:
        self._context = context
        self._statuses = statuses
        self._metering = metering
        self.state = Registration.Disconnected
        self.on_first_accepted: list[Callable[[], Awaitable[None]]] = []
        """Called when the station may speak, after it has told its states."""
        self._retry = Timer(context.tasks, "boot_retry")
        self._heartbeat = Timer(context.tasks, "heartbeat")

    # --- BootNotification --------------------------------------------------------------------------------------------

    def request(self) -> BootNotificationRequest:
        """BootNotification.req out of the configuration (libocpp 3.1.2)."""
        configuration = self._context.configuration
        return BootNotificationRequest(
            charge_point_vendor=configuration[keys.ChargePointVendor],
            charge_point_model=configuration[keys.ChargePointModel],
            charge_point_serial_number=configuration[keys.ChargePointSerialNumber],
            charge_box_serial_number=configuration[keys.ChargeBoxSerialNumber],
            firmware_version=configuration[keys.FirmwareVersion],
            iccid=configuration[keys.ICCID],
            imsi=configuration[keys.IMSI],
            meter_type=configuration[keys.MeterType],
            meter_serial_number=configuration[keys.MeterSerialNumber],
        )

    async def notify(self) -> None:
        """Queue BootNotification.req: at start, on a trigger, and after a wait. The dispatcher repeats it while nobody
        answers (libocpp 3.1.4)."""
        await self._context.dispatcher.enqueue(self.request(), before_accepted=True)

    async def answered(self, outcome: Outcome) -> None:
        """BootNotification.conf; also one to a triggered request while Booted (DEPARTURE 9)."""
        if not isinstance(outcome, Answered) or not isinstance(outcome.response, BootNotificationResponse):
            return
        response = outcome.response
        was_booted = self.state is Registration.Booted
        self.state = AFTER_RESPONSE[response.status]
        self._retry.stop()
        self._context.log.info("BootNotification answered: %s", response.status)
        if self.state is Registration.Booted:
            await self._accepted(response, repeated=was_booted)
        else:
            self._context.dispatcher.accepted(False)
            self._heartbeat.stop()
            self._retry.start(self._notify_after(retry_wait(response.interval)))
        self._context.lanes.post(0, "boot_notification_response", response)

    async def _accepted(self, response: BootNotificationResponse, *, repeated: bool) -> None:
        self.set_time(response)
        if response.interval > 0:
            await self._store_interval(response.interval)
        self._context.dispatcher.accepted()
        self.start_heartbeat()
        if not repeated:
            self._metering.start_aligned()
            await self._statuses.send_all(self._statuses.reports())
            for speak in self.on_first_accepted:
                await speak()
            self.on_first_accepted.clear()

    async def _store_interval(self, interval: int) -> None:
        """Accepted names the heartbeat interval; other statuses do not (DEPARTURE 8)."""
        if interval == self._context.configuration[keys.HeartbeatInterval]:
            return
        try:
            await self._context.configuration.store(keys.HeartbeatInterval, interval)
        except ConfigurationError as error:
            self._context.log.error("The heartbeat interval of the CSMS is not kept: %s", error)

    async def _notify_after(self, wait: float) -> None:
        await self._retry.wait(wait)
        if await self._context.tell(self.request(), before_accepted=True) is None:
            self._retry.start(self._notify_after(RETRY_WITHOUT_INTERVAL))

    # --- connection --------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The websocket is open. A station that is Booted tells all its states again, as they are now (libocpp
        3.1.6)."""
        if self.state is Registration.Disconnected:
            self.state = Registration.Connected
        elif self.state is Registration.Booted:
            reports = self._statuses.reports()
            self._context.tasks.spawn(self._statuses.send_all(reports), name="status_after_reconnect")

    # --- heartbeat ---------------------------------------------------------------------------------------------------

    def start_heartbeat(self) -> None:
        """One Heartbeat.req every HeartbeatInterval, whatever else is sent; 0 stops it."""
        interval = int(self._context.configuration[keys.HeartbeatInterval])
        if interval > 0 and self.state is Registration.Booted:
            self._heartbeat.start(self._beat(interval))
        else:
            self._heartbeat.stop()

    async def _beat(self, interval: int) -> None:
        while True:
            await self._heartbeat.wait(interval)
            await self.heartbeat()

    async def heartbeat(self) -> None:
        await self._context.tell(HeartbeatRequest())

    async def triggered_heartbeat(self) -> None:
        await self._context.tell(HeartbeatRequest(), before_accepted=True)

    def heartbeat_answered(self, outcome: Outcome) -> None:
        if isinstance(outcome, Answered) and isinstance(outcome.response, HeartbeatResponse):
            self.set_time(outcome.response)

    def set_time(self, response: BootNotificationResponse | HeartbeatResponse) -> None:
        """The clock of the CSMS (Accepted and every Heartbeat.conf)."""
        self._context.lanes.post(0, "set_system_time", format_timestamp(response.current_time))
