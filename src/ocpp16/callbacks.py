"""What the integrator can be asked and told: the registry of `register_*_callback` (libocpp 2.6) and how they are run.

A callback is async (awaited) or plain (run in a worker thread, so it may block). Each has a time limit (`LIMITS`). One
that raises or is late is logged by name, and the answer is the defined default. Callbacks that only tell something are
posted to a lane (one per connector, 0 = station): in order, never awaited by the caller, so a callback may call `on_*`
and wait. May import: messages, tasks. Must not import: any capability.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from ocpp16.messages import (
    BootNotificationResponse,
    DataTransferRequest,
    DataTransferResponse,
    GetDiagnosticsRequest,
    GetLogRequest,
    GetLogResponse,
    IdTagInfo,
    KeyValue,
    Reason,
    ReservationStatus,
    ResetType,
    SignedUpdateFirmwareRequest,
    UnlockStatus,
    UpdateFirmwareRequest,
    UpdateFirmwareStatusEnumType,
)
from ocpp16.tasks import TaskOwner

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 30.0
"""Seconds a callback may take."""

LIMITS: Mapping[str, float] = {
    "configure_network_connection_profile": 60.0,
    "reset": 120.0,
    "unlock_connector": 60.0,
}
"""Callbacks with another limit, in seconds. A reset waits for `ResetStopDelay` and stops the charge point."""

DRAIN_LIMIT = 5.0
"""Seconds a stop waits for callbacks that were posted."""

T = TypeVar("T")
Maybe: TypeAlias = T | Awaitable[T]
"""A plain callback returns the value, an async one an awaitable of it."""


class CallbackRegistry:
    """Holds the registered callbacks and runs them."""

    def __init__(self) -> None:
        self._callbacks: dict[str, Callable[..., Any]] = {}
        self._key_callbacks: dict[str, Callable[..., Any]] = {}
        self._data_transfer: dict[tuple[str, str], Callable[..., Any]] = {}
        self._executor: ThreadPoolExecutor | None = None

    def register(self, name: str, callback: Callable[..., Any]) -> None:
        """Set the callback `name`; a second registration replaces the first."""
        self._callbacks[name] = callback

    def register_key(self, key: str, callback: Callable[..., Any]) -> None:
        self._key_callbacks[key.casefold()] = callback

    def register_data_transfer(self, vendor_id: str, message_id: str, callback: Callable[..., Any]) -> None:
        self._data_transfer[vendor_id, message_id] = callback

    def has(self, name: str) -> bool:
        return name in self._callbacks

    def key_callback(self, key: str) -> Callable[..., Any] | None:
        return self._key_callbacks.get(key.casefold())

    def data_transfer(self, vendor_id: str, message_id: str) -> Callable[..., Any] | None:
        return self._data_transfer.get((vendor_id, message_id))

    def knows_vendor(self, vendor_id: str) -> bool:
        return any(vendor == vendor_id for vendor, _ in self._data_transfer)

    async def ask(self, name: str, *args: Any, default: T) -> T:
        """The answer of callback `name`, or `default` where there is none or it failed."""
        callback = self._callbacks.get(name)
        if callback is None:
            return default
        return await self.run(name, callback, *args, default=default)

    async def run(self, name: str, callback: Callable[..., Any], *args: Any, default: T) -> T:
        """Run one callback under its time limit. What it raises is the integrator's error: logged, answered by
        default."""
        limit = LIMITS.get(name, DEFAULT_LIMIT)
        try:
            async with asyncio.timeout(limit):
                result: T = await self._run(callback, args)
        except TimeoutError:
            logger.error("The callback %s took longer than %g s; going on with %r", name, limit, default)
            return default
        except Exception:
            logger.exception("The callback %s failed; going on with %r", name, default)
            return default
        return result

    async def _run(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__):
            return await callback(*args)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="ocpp16-callback")
        result = await asyncio.get_running_loop().run_in_executor(self._executor, callback, *args)
        return await result if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Let the worker threads end. A callback that still blocks keeps its own thread until it returns."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


class Lanes:
    """Runs posted callbacks of one connector (0 = station) one after the other, in the order they were posted."""

    def __init__(self, callbacks: CallbackRegistry, tasks: TaskOwner) -> None:
        self._callbacks = callbacks
        self._tasks = tasks
        self._waiting: dict[int, deque[tuple[str, Callable[..., Any] | None, tuple[Any, ...]]]] = {}
        self._running: dict[int, asyncio.Task[Any]] = {}

    def post(self, lane: int, name: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Queue the callback `name` (or the given one under that name). Not registered: nothing happens."""
        if callback is None and not self._callbacks.has(name):
            return
        queue = self._waiting.get(lane)
        if queue is not None:
            queue.append((name, callback, args))
            return
        self._waiting[lane] = deque([(name, callback, args)])
        self._running[lane] = self._tasks.spawn(self._run(lane), name=f"callbacks[{lane}]")

    async def drain(self) -> None:
        """Wait until what was posted has been told, `DRAIN_LIMIT` at most; not for a callback that waits for this."""
        running = {task for task in self._running.values() if task is not asyncio.current_task()}
        if running:
            await asyncio.wait(running, timeout=DRAIN_LIMIT)

    async def _run(self, lane: int) -> None:
        queue = self._waiting[lane]
        try:
            while queue:
                name, callback, args = queue.popleft()
                if callback is None:
                    await self._callbacks.ask(name, *args, default=None)
                else:
                    await self._callbacks.run(name, callback, *args, default=None)
        finally:
            del self._waiting[lane], self._running[lane]


class Registration:
    """The `register_*_callback` methods of the charge point (libocpp 2.6), each with the signature it expects."""

    callbacks: CallbackRegistry

    def register_enable_evse_callback(self, callback: Callable[[int], Maybe[bool]]) -> None:
        """A connector becomes Operative: change of availability, start, end of a firmware update."""
        self.callbacks.register("enable_evse", callback)

    def register_disable_evse_callback(self, callback: Callable[[int], Maybe[bool]]) -> None:
        """A connector becomes Inoperative."""
        self.callbacks.register("disable_evse", callback)

    def register_pause_charging_callback(self, callback: Callable[[int], Maybe[bool]]) -> None:
        """StartTransaction.conf was not Accepted."""
        self.callbacks.register("pause_charging", callback)

    def register_resume_charging_callback(self, callback: Callable[[int], Maybe[bool]]) -> None:
        """Kept for symmetry with libocpp, which never calls it either."""
        self.callbacks.register("resume_charging", callback)

    def register_provide_token_callback(self, callback: Callable[[str, list[int], bool], Maybe[None]]) -> None:
        """RemoteStartTransaction was accepted: `(id_token, connectors, prevalidated)`."""
        self.callbacks.register("provide_token", callback)

    def register_stop_transaction_callback(self, callback: Callable[[int, Reason], Maybe[bool]]) -> None:
        """The transaction of a connector has to end."""
        self.callbacks.register("stop_transaction", callback)

    def register_reserve_now_callback(self, callback: Callable[..., Maybe[ReservationStatus]]) -> None:
        """ReserveNow: `(reservation_id, connector, expiry_date, id_tag, parent_id | None)`."""
        self.callbacks.register("reserve_now", callback)

    def register_cancel_reservation_callback(self, callback: Callable[[int], Maybe[bool]]) -> None:
        """CancelReservation: `(reservation_id)`; True if there was such a reservation."""
        self.callbacks.register("cancel_reservation", callback)

    def register_unlock_connector_callback(self, callback: Callable[[int], Maybe[UnlockStatus]]) -> None:
        """UnlockConnector, and a transaction that ended by EVDisconnected (libocpp 3.5.4; its result is ignored
        then)."""
        self.callbacks.register("unlock_connector", callback)

    def register_upload_diagnostics_callback(
        self, callback: Callable[[GetDiagnosticsRequest], Maybe[GetLogResponse]]
    ) -> None:
        """GetDiagnostics; only the file name of the answer is used."""
        self.callbacks.register("upload_diagnostics", callback)

    def register_upload_logs_callback(self, callback: Callable[[GetLogRequest], Maybe[GetLogResponse]]) -> None:
        """GetLog; the answer goes to the CSMS as it is."""
        self.callbacks.register("upload_logs", callback)

    def register_update_firmware_callback(self, callback: Callable[[UpdateFirmwareRequest], Maybe[None]]) -> None:
        """UpdateFirmware, before it is answered."""
        self.callbacks.register("update_firmware", callback)

    def register_signed_update_firmware_callback(
        self, callback: Callable[[SignedUpdateFirmwareRequest], Maybe[UpdateFirmwareStatusEnumType]]
    ) -> None:
        """SignedUpdateFirmware with a valid signing certificate."""
        self.callbacks.register("signed_update_firmware", callback)

    def register_all_connectors_unavailable_callback(self, callback: Callable[[], Maybe[None]]) -> None:
        """All connectors are inoperative for a firmware installation that waits."""
        self.callbacks.register("all_connectors_unavailable", callback)

    def register_set_connection_timeout_callback(self, callback: Callable[[int], Maybe[None]]) -> None:
        """`ConnectionTimeOut` in seconds: at start and at each change."""
        self.callbacks.register("set_connection_timeout", callback)

    def register_configure_network_connection_profile_callback(self, callback: Callable[..., Maybe[Any]]) -> None:
        """Before each dial: `(slot, profile)`; a result that is false, or has `success` false, skips the attempt. An
        `interface_address` in the result is dialled from, in place of IFace."""
        self.callbacks.register("configure_network_connection_profile", callback)

    def register_is_reset_allowed_callback(self, callback: Callable[[ResetType], Maybe[bool]]) -> None:
        """Reset: may the station be reset now? Without this callback a Reset is Rejected."""
        self.callbacks.register("is_reset_allowed", callback)

    def register_reset_callback(self, callback: Callable[[ResetType], Maybe[bool | None]]) -> None:
        """All transactions have ended (or the time limit is over): reset now. The integrator calls `stop`. One that
        raises or returns False is tried again, ResetRetries times."""
        self.callbacks.register("reset", callback)

    def register_set_system_time_callback(self, callback: Callable[[str], Maybe[None]]) -> None:
        """The time of the CSMS as RFC 3339 text: Accepted BootNotification.conf and each Heartbeat.conf."""
        self.callbacks.register("set_system_time", callback)

    def register_boot_notification_response_callback(
        self, callback: Callable[[BootNotificationResponse], Maybe[None]]
    ) -> None:
        """Every BootNotification.conf."""
        self.callbacks.register("boot_notification_response", callback)

    def register_signal_set_charging_profiles_callback(self, callback: Callable[[], Maybe[None]]) -> None:
        """Charging profiles have changed."""
        self.callbacks.register("signal_set_charging_profiles", callback)

    def register_connection_state_changed_callback(self, callback: Callable[[bool, int, Any], Maybe[None]]) -> None:
        """Connected or not: `(is_connected, slot, connection options)`."""
        self.callbacks.register("connection_state_changed", callback)

    def register_get_15118_ev_certificate_response_callback(self, callback: Callable[..., Maybe[None]]) -> None:
        """Answer to `data_transfer_pnc_get_15118_ev_certificate`: `(connector, response, action)`."""
        self.callbacks.register("get_15118_ev_certificate_response", callback)

    def register_transaction_started_callback(self, callback: Callable[[int, str], Maybe[None]]) -> None:
        """StartTransaction.req is queued: `(connector, session_id)`."""
        self.callbacks.register("transaction_started", callback)

    def register_transaction_updated_callback(
        self, callback: Callable[[int, str, int, IdTagInfo], Maybe[None]]
    ) -> None:
        """StartTransaction.conf came: `(connector, session_id, transaction_id, id_tag_info)`."""
        self.callbacks.register("transaction_updated", callback)

    def register_transaction_stopped_callback(self, callback: Callable[[int, str, int], Maybe[None]]) -> None:
        """StopTransaction.req is queued: `(connector, session_id, transaction_id)`; negative if the id is not known."""
        self.callbacks.register("transaction_stopped", callback)

    def register_configuration_key_changed_callback(
        self, key: str, callback: Callable[[KeyValue], Maybe[None]]
    ) -> None:
        """This configuration key was changed."""
        self.callbacks.register_key(key, callback)

    def register_generic_configuration_key_changed_callback(self, callback: Callable[[KeyValue], Maybe[None]]) -> None:
        """A configuration key without a callback of its own was changed."""
        self.callbacks.register("generic_configuration_key_changed", callback)

    def register_security_event_callback(self, callback: Callable[[str, str], Maybe[None]]) -> None:
        """A security event was raised inside the charge point: `(type, tech_info or "")`."""
        self.callbacks.register("security_event", callback)

    def register_is_token_reserved_for_connector_callback(self, callback: Callable[[int, str], Maybe[Any]]) -> None:
        """Whether a connector is reserved: `(connector, id_token)` -> `ReservationCheckStatus`."""
        self.callbacks.register("is_token_reserved_for_connector", callback)

    def register_data_transfer_callback(
        self,
        vendor_id: str | Callable[[DataTransferRequest], Maybe[DataTransferResponse]],
        message_id: str | None = None,
        callback: Callable[[str | None], Maybe[DataTransferResponse]] | None = None,
    ) -> None:
        """DataTransfer from the CSMS (libocpp 3.16): for a vendor and message, or (callback alone) for all others."""
        if not isinstance(vendor_id, str):
            self.callbacks.register("data_transfer", vendor_id)
        elif callback is not None:
            self.callbacks.register_data_transfer(vendor_id, message_id or "", callback)

    def register_session_cost_callback(self, callback: Callable[..., Maybe[DataTransferResponse]]) -> None:
        """RunningCost and FinalCost of the pricing extension: `(running_cost, number_of_decimals)`."""
        self.callbacks.register("session_cost", callback)

    def register_tariff_message_callback(self, callback: Callable[..., Maybe[DataTransferResponse]]) -> None:
        """SetUserPrice of the pricing extension: `(tariff_message)`."""
        self.callbacks.register("tariff_message", callback)

    def register_default_price_callback(self, callback: Callable[..., Maybe[None]]) -> None:
        """Default price of the pricing extension: `(tariff_message)`."""
        self.callbacks.register("default_price", callback)

    def register_set_display_message_callback(self, callback: Callable[..., Maybe[DataTransferResponse]]) -> None:
        """Display messages of the pricing extension: `([display_message])`; libocpp's 1.6 core never calls it."""
        self.callbacks.register("set_display_message", callback)
