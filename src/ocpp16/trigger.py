"""TriggerMessage and ExtendedTriggerMessage (OCPP 1.6 §5.17, Security whitepaper; libocpp 3.14, DEPARTURE 13, 35).

Owns: which message may be triggered by which request. The answer goes first, then the message, also before Accepted.
May import: the capabilities whose messages are triggered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ocpp16.boot import Boot
from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.firmware import Firmware
from ocpp16.messages import (
    ExtendedTriggerMessageRequest,
    ExtendedTriggerMessageResponse,
    MessageTrigger,
    TriggerMessageRequest,
    TriggerMessageResponse,
    TriggerMessageStatus,
)
from ocpp16.metering import Metering
from ocpp16.router import Reply
from ocpp16.status_notifications import StatusNotifications

_M = MessageTrigger
_ACCEPTED = TriggerMessageStatus.Accepted
_REJECTED = TriggerMessageStatus.Rejected
_NOT_IMPLEMENTED = TriggerMessageStatus.NotImplemented

ActionTable = Mapping[MessageTrigger, Callable[[list[int]], Awaitable[None]]]


class Trigger:
    """Both trigger messages, as a table each from the requested message to what is done."""

    def __init__(
        self,
        context: Context,
        boot: Boot,
        statuses: StatusNotifications,
        metering: Metering,
        firmware: Firmware,
    ) -> None:
        self._context = context
        self._statuses = statuses
        self._metering = metering
        common: ActionTable = {
            _M.BootNotification: lambda _: boot.notify(),
            _M.Heartbeat: lambda _: boot.triggered_heartbeat(),
            _M.MeterValues: self._meter_values,
        }
        self._plain: ActionTable = {
            **common,
            _M.StatusNotification: lambda connectors: self._status(connectors, with_reason=True),
        }
        if context.profile_active("FirmwareManagement"):
            self._plain = {
                **self._plain,
                _M.DiagnosticsStatusNotification: lambda _: firmware.trigger_diagnostics(),
                _M.FirmwareStatusNotification: lambda _: firmware.trigger_firmware(),
            }
        self._extended: ActionTable = {
            **common,
            _M.StatusNotification: lambda connectors: self._status(connectors, with_reason=False),
            _M.FirmwareStatusNotification: lambda _: firmware.trigger_signed_firmware(),
            _M.LogStatusNotification: lambda _: firmware.trigger_log(),
        }

    async def handle(self, request: TriggerMessageRequest) -> Reply:
        status, connectors = self._decide(self._plain, request)
        return Reply(TriggerMessageResponse(status=status), self._after(self._plain, request, status, connectors))

    async def handle_extended(self, request: ExtendedTriggerMessageRequest) -> Reply:
        status, connectors = self._decide(self._extended, request)
        response = ExtendedTriggerMessageResponse(status=status)
        return Reply(response, self._after(self._extended, request, status, connectors))

    def _decide(
        self, table: ActionTable, request: TriggerMessageRequest | ExtendedTriggerMessageRequest
    ) -> tuple[TriggerMessageStatus, list[int]]:
        """The answer, and the connectors concerned: the one asked for, or 0..N in order."""
        if request.requested_message not in table:
            return _NOT_IMPLEMENTED, []
        everything = [0, *self._context.connectors]
        if request.connector_id is not None and request.connector_id not in everything:
            return _REJECTED, []
        connectors = everything if request.connector_id is None else [request.connector_id]
        if request.requested_message is _M.MeterValues:
            connectors = [connector for connector in connectors if self._metering.can_trigger(connector)]
            return (_ACCEPTED if connectors else _REJECTED), connectors
        return _ACCEPTED, connectors

    @staticmethod
    def _after(
        table: ActionTable,
        request: TriggerMessageRequest | ExtendedTriggerMessageRequest,
        status: TriggerMessageStatus,
        connectors: list[int],
    ) -> Callable[[], Awaitable[None]] | None:
        if status is not _ACCEPTED:
            return None
        return lambda: table[request.requested_message](connectors)

    async def _meter_values(self, connectors: list[int]) -> None:
        for connector in connectors:
            await self._metering.trigger(connector)

    async def _status(self, connectors: list[int], *, with_reason: bool) -> None:
        with_reason = with_reason and bool(self._context.configuration[keys.ReportSuspendedEVSEReasonChange])
        for connector in connectors:
            await self._statuses.trigger(connector, with_reason=with_reason)
