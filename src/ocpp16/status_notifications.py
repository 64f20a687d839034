"""When and how connector states are told to the CSMS: MinimumStatusDuration, duplicates, boot, reconnect, triggers.

Owns: the connectors 0..N of this run and the reports that wait. The table itself is in `connector.py` (libocpp 3.2,
3.1.6). May import: context, connector. Must not import: transactions or any other capability.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import msgspec

from ocpp16.configuration import keys
from ocpp16.connector import Connector, ConnectorEvent, ErrorInfo, StatusReport
from ocpp16.context import Context
from ocpp16.messages import ChargePointErrorCode, ChargePointStatus, StatusNotificationRequest
from ocpp16.tasks import Timer

ReportKey = tuple[ChargePointStatus, ChargePointErrorCode, str | None]


class StatusNotifications:
    """The connectors and their StatusNotification.req."""

    def __init__(self, context: Context, connectors: Mapping[int, Connector]) -> None:
        self._context = context
        self._connectors = connectors
        self._last: dict[int, ReportKey] = {}
        self._sending = asyncio.Lock()
        self._waiting: dict[int, deque[tuple[ChargePointStatus, str | None]]] = {
            number: deque() for number in connectors
        }
        self._timers = {number: Timer(context.tasks, f"status[{number}]") for number in connectors}

    # --- state -----------------------------------------------------------------------------------------------------

    def __getitem__(self, connector: int) -> Connector:
        return self._connectors[connector]

    def __contains__(self, connector: object) -> bool:
        return connector in self._connectors

    def submit(self, connector: int, event: ConnectorEvent, info: str | None = None) -> None:
        """Feed an event to the state machine; an accepted transition is reported unless a fault covers it."""
        if self._connectors[connector].apply(event, info):
            self._report_change(connector, info)

    def submit_silently(self, connector: int, event: ConnectorEvent) -> None:
        """Feed an event whose report would be overtaken at once by that of another change; see `tell`."""
        self._connectors[connector].apply(event)

    def tell(self, connector: int) -> None:
        """Report the present state, unless that is what was reported last."""
        self._report_change(connector, None)

    def force_unavailable(self, connector: int) -> None:
        """The ordered change to Inoperative has been carried out (libocpp 12.3)."""
        if self._connectors[connector].force_unavailable():
            self._report_change(connector, None)

    def _report_change(self, connector: int, info: str | None) -> None:
        if self._connectors[connector].faulted:
            return
        delay = int(self._context.configuration[keys.MinimumStatusDuration] or 0)
        waiting, timer = self._waiting[connector], self._timers[connector]
        if delay > 0:
            waiting.clear()
            timer.stop()
        waiting.append((self._connectors[connector].state, info))
        if not timer.running:
            timer.start(self._send_waiting(connector, delay))

    async def _send_waiting(self, connector: int, delay: int) -> None:
        """Send the reports that wait; without MinimumStatusDuration there may be several, each is sent."""
        if delay > 0:
            await self._timers[connector].wait(delay)
        else:
            await asyncio.sleep(0)
        waiting = self._waiting[connector]
        while waiting:
            status, info = waiting.popleft()
            report = msgspec.structs.replace(self._connectors[connector].report(info), status=status)
            async with self._sending:
                if not self._connectors[connector].faulted and report.key != self._last.get(connector):
                    await self._enqueue(report)

    # --- errors ----------------------------------------------------------------------------------------------------

    async def raise_error(self, connector: int, error: ErrorInfo) -> None:
        await self._send_if(self._connectors[connector].raise_error(error))

    async def clear_error(self, connector: int, uuid: str) -> None:
        report_cleared = bool(self._context.configuration[keys.ReportClearedErrors])
        await self._send_if(self._connectors[connector].clear_error(uuid, report_cleared=report_cleared))

    async def clear_all_errors(self, connector: int) -> None:
        await self._send_if(self._connectors[connector].clear_all_errors())

    async def _send_if(self, report: StatusReport | None) -> None:
        if report is not None:
            await self._send(report)

    # --- reports that are always sent --------------------------------------------------------------------------------

    def reports(self) -> list[StatusReport]:
        """Connectors 0, 1..N in that order, with the content they have now (boot; reconnect: libocpp 12.6).

        Changes that still wait to be told are in it; told after it, they would be older than what was said last.
        """
        for waiting in self._waiting.values():
            waiting.clear()
        return [connector.full_report() for _, connector in sorted(self._connectors.items())]

    async def send_all(self, reports: list[StatusReport]) -> None:
        """Send these before any newer report, so that the last word on a connector is its present state."""
        async with self._sending:
            for report in reports:
                await self._enqueue(report)

    async def trigger(self, connector: int, *, with_reason: bool) -> None:
        """The present state on demand; with the text of SuspendedEVSE where ReportSuspendedEVSEReasonChange is set."""
        state = self._connectors[connector]
        report = state.full_report()
        if with_reason and state.suspended_evse_info and not state.errors:
            report = state.report(state.suspended_evse_info)
        await self._send(report, before_accepted=True)

    async def _send(self, report: StatusReport, *, before_accepted: bool = False) -> None:
        async with self._sending:
            await self._enqueue(report, before_accepted=before_accepted)

    async def _enqueue(self, report: StatusReport, *, before_accepted: bool = False) -> None:
        request = StatusNotificationRequest(
            connector_id=report.connector,
            error_code=report.error_code,
            status=report.status,
            info=report.info,
            timestamp=self._context.clock.now(),
            vendor_id=report.vendor_id,
            vendor_error_code=report.vendor_error_code,
        )
        online = self._context.online
        message = await self._context.tell(request, before_accepted=before_accepted)
        if message is not None and online:
            self._last[report.connector] = report.key
