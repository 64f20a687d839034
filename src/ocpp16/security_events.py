"""Security events: what they are called, which are critical, where they go (libocpp 4.9, DEPARTURE 39).

Every event goes to the security log; a critical one also as SecurityEventNotification.req (durable, in the transaction
queue) unless DisableSecurityEventNotifications. May import: context. Must not import: other capabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from ocpp16.configuration import keys
from ocpp16.connector import cut
from ocpp16.context import Context
from ocpp16.errors import StoreError
from ocpp16.messages import SecurityEventNotificationRequest


class BootReason(StrEnum):
    """Why the station starts, as the integrator says it."""

    ApplicationReset = "ApplicationReset"
    FirmwareUpdate = "FirmwareUpdate"
    LocalReset = "LocalReset"
    PowerUp = "PowerUp"
    RemoteReset = "RemoteReset"
    ScheduledReset = "ScheduledReset"
    Triggered = "Triggered"
    Unknown = "Unknown"
    Watchdog = "Watchdog"


CRITICAL: Mapping[str, bool] = {
    "FirmwareUpdated": True,
    "ResetOrReboot": True,
    "StartupOfTheDevice": True,
    "SecurityLogWasCleared": True,
    "SettingSystemTime": True,
    "MemoryExhaustion": True,
    "TamperDetectionActivated": True,
    "FailedToAuthenticateAtCentralSystem": False,
    "CentralSystemFailedToAuthenticate": False,
    "ReconfigurationOfSecurityParameters": False,
    "InvalidMessages": False,
    "AttemptedReplayAttacks": False,
    "InvalidFirmwareSignature": False,
    "InvalidFirmwareSigningCertificate": False,
    "InvalidCentralSystemCertificate": False,
    "InvalidChargePointCertificate": False,
    "CSRGenerationFailed": False,
    "InvalidCsmsCertificate": False,
    "InvalidChargingStationCertificate": False,
    "InvalidTLSVersion": False,
    "InvalidTLSCipherSuite": False,
    "MaintenanceLoginAccepted": False,
    "MaintenanceLoginFailed": False,
}
"""Whether an event is sent to the CSMS where the caller does not say so. Names of the 1.6 whitepaper."""

OTHER_NAMES: Mapping[str, str] = {
    "FailedToAuthenticateAtCsms": "FailedToAuthenticateAtCentralSystem",
    "CsmsFailedToAuthenticate": "CentralSystemFailedToAuthenticate",
}
"""OCPP 2.0.1 names that integrators pass, and what 1.6 calls them (DEPARTURE 39)."""

_REBOOT = "Charging Station rebooted due to"

BOOT_EVENTS: Mapping[BootReason, tuple[str, str]] = {
    BootReason.FirmwareUpdate: ("FirmwareUpdated", f"{_REBOOT} firmware update!"),
    BootReason.RemoteReset: ("ResetOrReboot", f"{_REBOOT} requested remote reset!"),
    BootReason.ScheduledReset: ("ResetOrReboot", f"{_REBOOT} a scheduled reset!"),
}
"""The event of a start by its reason; any other reason is an ordinary start-up."""

STARTUP = ("StartupOfTheDevice", "The Charge Point has booted")

SECURITY_LOG_CLEARED = (
    "SecurityLogWasCleared",
    "Security log was rotated and an old log was deleted in the process",
)


class SecurityEvents:
    """Raises security events."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def boot(self, reason: BootReason) -> None:
        """Exactly one event per start."""
        event_type, tech_info = BOOT_EVENTS.get(reason, STARTUP)
        await self.raise_event(event_type, tech_info)

    async def raise_event(self, event_type: str, tech_info: str | None = None, *, critical: bool | None = None) -> None:
        """An event of the charge point itself: also told to the integrator, critical or not. A store that refuses it
        costs this event, and not what it is an event of."""
        try:
            await self.report(event_type, tech_info, critical=critical)
        except StoreError as error:
            self._context.log.error("The security event %s is lost, it cannot be queued: %s", event_type, error)
        self._context.lanes.post(0, "security_event", OTHER_NAMES.get(event_type, event_type), tech_info or "")

    async def report(
        self,
        event_type: str,
        tech_info: str | None = None,
        *,
        critical: bool | None = None,
        timestamp: datetime | None = None,
    ) -> None:
        """Log an event and, if it is critical, queue it durably. Type is cut to 50, techInfo to 255 characters. Raises
        StoreError."""
        name = OTHER_NAMES.get(event_type, event_type)[:50]
        time = timestamp or self._context.clock.now()
        text = cut(tech_info, 255)
        self._context.message_log.security(name, time, text)
        if critical is None:
            critical = CRITICAL.get(name, True)
        if critical and not self._context.configuration[keys.DisableSecurityEventNotifications]:
            await self._context.dispatcher.enqueue(
                SecurityEventNotificationRequest(type=name, timestamp=time, tech_info=text)
            )
