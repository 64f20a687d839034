"""`ChargePoint`: the public face of the library, with libocpp's names (libocpp 2.1 to 2.6). It only composes.

    async with ChargePoint("config.json", database_path="db", message_log_path="logs") as charge_point:
        await charge_point.start()

What happens is in `core.py` (one run) and in the capabilities; handlers (`on_*`) are in `handlers.py`, registrations
(`register_*_callback`) in `callbacks.py`, information methods in `information.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ocpp16.answers import Answers
from ocpp16.callbacks import CallbackRegistry, Lanes, Registration
from ocpp16.configuration import Configuration, keys
from ocpp16.connector import Connector
from ocpp16.context import Context
from ocpp16.core import Core
from ocpp16.dispatcher import MessageDispatcher
from ocpp16.errors import UsageError
from ocpp16.handlers import EventHandlers
from ocpp16.information import Information
from ocpp16.logs import MessageDirection, open_message_log
from ocpp16.messages import ChargePointStatus, Reason
from ocpp16.metering import Readings
from ocpp16.network import ConnectivityManager, Dialer, Network
from ocpp16.observer import NobodyLooks, Observer
from ocpp16.ports import Clock, MessageLog, Randomness, Store
from ocpp16.protocol_methods import ProtocolMethods
from ocpp16.security_events import SECURITY_LOG_CLEARED, BootReason
from ocpp16.settings import Settings, log_settings
from ocpp16.store.sqlite import SqliteStore, database_file
from ocpp16.system_clock import SystemClock, SystemRandomness
from ocpp16.tasks import TaskOwner

log = logging.getLogger("ocpp16")

MessageCallback = Callable[[str, MessageDirection], None]
"""`(message, direction)`: every message, if `LogMessagesFormat` has `callback`; called in the event loop, so be
quick."""

EVEREST_VERSION = Path("../../version_information.txt")


class ChargePoint(Registration, EventHandlers, Information, ProtocolMethods):
    """An OCPP 1.6J charge point. All methods are to be called in one event loop."""

    def __init__(
        self,
        configuration: Configuration | str | Path,
        *,
        share_path: str | Path | None = None,
        database_path: str | Path | None = None,
        message_log_path: str | Path | None = None,
        user_config_path: str | Path | None = None,
        evse_security: Any = None,
        message_callback: MessageCallback | None = None,
        connectivity_manager: ConnectivityManager | None = None,
        store: Store | None = None,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        dialer: Dialer | None = None,
        message_log: MessageLog | None = None,
        observer: Observer | None = None,
        log_secrets: bool = False,
    ) -> None:
        """`configuration`: loaded, or the path of its JSON file (with `user_config_path` for the overlay).

        `database_path` is the folder of `<ChargePointId>.db` and `message_log_path` that of the message logs.
        `share_path` is only looked at for the version file of the `EVerest-Version` header. `store` to `message_log`
        replace what the charge point would make itself; `store` makes `database_path` unnecessary.
        `observer` looks on (observer.py). With `log_secrets`
        passwords and private keys stay readable in the message logs. Raises
        ConfigurationError, and UsageError where neither a store nor a folder for one is given.
        """
        if not isinstance(configuration, Configuration):
            configuration = Configuration.load(configuration, user_config=user_config_path)
        self.configuration = configuration
        self.callbacks = CallbackRegistry()
        self.evse_security = evse_security
        self._store = store or self._make_store(database_path)
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._log = message_log
        self._log_secrets = log_secrets
        self._log_path = Path(message_log_path) if message_log_path is not None else None
        self._message_callback = message_callback
        self._dialer = dialer
        self._observer = observer or NobodyLooks()
        self._manager = connectivity_manager
        self._everest_version = _everest_version(share_path)
        self._settings = Settings(configuration)
        self._readings = Readings()
        numbers = range(int(configuration[keys.NumberOfConnectors]) + 1)
        self._connectors = {number: Connector(number) for number in numbers}
        self._core: Core | None = None
        self._network: Network | None = None
        self._started = False
        self._stopped = False
        self._ended = False
        self._store_open = False
        self._life = asyncio.Lock()

    def _make_store(self, database_path: str | Path | None) -> Store:
        if database_path is None:
            raise UsageError("pass database_path, the folder of the database, or a store")
        return SqliteStore(database_file(Path(database_path), self.configuration[keys.ChargePointId]))

    # --- life cycle (libocpp 2.2) ------------------------------------------------------------------------------------

    async def init(
        self,
        connector_status_map: Mapping[int, ChargePointStatus] | None = None,
        resuming_session_ids: Iterable[str] = (),
    ) -> bool:
        """Open the store, take up queued messages and open transactions, set the connectors. False if done before.

        Without a map the connectors are as the store has them, and each is enabled or disabled by callback. Open
        transactions whose session is not in `resuming_session_ids` end by PowerLoss.
        """
        async with self._life:
            return await self._init(connector_status_map or {}, resuming_session_ids)

    async def _init(
        self, connector_status_map: Mapping[int, ChargePointStatus], resuming_session_ids: Iterable[str]
    ) -> bool:
        if self._core is not None:
            return False
        await self._open_store()
        context, answers = self._make_context()
        network = self._make_network(context)
        effects = {
            "AuthorizationKey": network.authorization_key_changed,
            "SecurityProfile": network.security_profile_changed,
            "WebSocketPingInterval": network.ping_interval_changed,
        }
        core = Core(context, answers, self._connectors, self._readings, effects)
        network.attach(core)
        self._core, self._network = core, network
        try:
            await core.init(connector_status_map, resuming_session_ids)
        except BaseException:
            await self._end(silently=True)
            raise
        self._stopped = self._ended = False
        return True

    async def _open_store(self) -> None:
        if not self._store_open:
            await self._store.open()
            self._store_open = True

    def _make_context(self) -> tuple[Context, Answers]:
        answers = Answers()
        tasks = TaskOwner("ocpp16", timer_fired=self._observer.timer)
        context = Context(
            configuration=self.configuration,
            store=self._store,
            clock=self._clock,
            randomness=self._randomness,
            dispatcher=MessageDispatcher(self._store, self._clock, self._randomness, self._settings, answers, log=log),
            callbacks=self.callbacks,
            lanes=Lanes(self.callbacks, tasks),
            tasks=tasks,
            message_log=self._message_log(),
            observer=self._observer,
            log=log,
        )
        return context, answers

    def _make_network(self, context: Context) -> Network:
        return Network(
            context,
            self._settings,
            dialer=self._dialer,
            manager=self._manager,
            everest_version=self._everest_version,
        )

    async def start(
        self,
        connector_status_map: Mapping[int, ChargePointStatus] | None = None,
        bootreason: BootReason | str = BootReason.PowerUp,
        resuming_session_ids: Iterable[str] = (),
        start_connecting: bool = True,
    ) -> bool:
        """`init` if that was not done; dial, queue BootNotification, raise the start-up event. False if running."""
        reason = BootReason(bootreason)
        async with self._life:
            if self._started:
                return False
            if self._stopped:  # taking events
                await self._end(silently=True)
            await self._init(connector_status_map or {}, resuming_session_ids)
            await self._start(reason, start_connecting)
            return True

    async def _start(self, reason: BootReason, start_connecting: bool) -> None:
        core, network = self._running_core(), self._network
        assert network is not None
        self._started = True
        await core.boot.notify()
        await core.security_events.boot(reason)
        core.set_connection_timeout()
        if start_connecting:
            network.connect()

    async def stop(self, *, taking_events: bool = False) -> bool:
        """Ask for the end of all transactions (reason Other), then go offline and close everything. False if stopped.

        `taking_events`, before a reset: the store stays open, and what the EVSEs still tell is kept for the next
        start, a transaction that begins in the last moment too. `close` follows.
        Ending the process is not this: use `close`, and open transactions are taken up by the next start.
        """
        async with self._life:
            core = self._core
            if core is None:
                return False
            for transaction in core.transactions.all_active():
                await self.callbacks.ask("stop_transaction", transaction.connector, Reason.Other, default=False)
            self._stopped = True
            if taking_events:
                await self._go_offline(core, silently=False)
            else:
                await self._end(silently=False)
            return True

    async def _go_offline(self, core: Core, *, silently: bool) -> None:
        network, self._network, self._started = self._network, None, False
        if network is not None:
            await network.close(silently=silently)
        core.context.dispatcher.disconnected()
        if not silently:
            await core.context.lanes.drain()

    async def restart(
        self,
        connector_status_map: Mapping[int, ChargePointStatus] | None = None,
        bootreason: BootReason | str = BootReason.ApplicationReset,
    ) -> bool:
        """Start again after `stop`, from the boot procedure on (DEPARTURE 7). False if not stopped."""
        if not self._stopped:
            return False
        return await self.start(connector_status_map, bootreason)

    async def close(self) -> None:
        """End as a power loss does (libocpp 12.1): no callback, no message; what is open is taken up at the next
        start."""
        async with self._life:
            await self._end(silently=True)
            self.callbacks.close()

    async def _end(self, *, silently: bool) -> None:
        """Close all of a run; the readings, errors and callbacks stay for the next one."""
        core, self._core = self._core, None
        self._ended = self._ended or core is not None
        if core is not None:
            await self._go_offline(core, silently=silently)
            await core.context.dispatcher.close()
            await core.context.tasks.close()
            await core.context.message_log.close()
        if self._store_open:
            self._store_open = False
            await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def reset_state_machine(self, connector_status_map: Mapping[int, ChargePointStatus]) -> None:
        """Set the states of all connectors without telling the CSMS."""
        self._running_core().set_states(connector_status_map)

    # --- connection --------------------------------------------------------------------------------------------------

    async def connect_websocket(self) -> None:
        """Dial now, unless connected."""
        if self._network is not None:
            self._network.connect()

    async def disconnect_websocket(self) -> None:
        """Go offline, until `connect_websocket`."""
        if self._network is not None:
            self._network.disconnect()

    async def reload_network_profiles(self) -> None:
        """Connection data is read from the configuration at each dial: the next one has what was changed."""

    async def on_websocket_connected(self, slot: int = 1, profile: Any = None, version: str = "1.6") -> None:
        """Feed of a connectivity manager: its websocket is open."""
        if self._network is not None:
            self._network.on_external_connected()

    async def on_websocket_disconnected(self, slot: int = 1, profile: Any = None) -> None:
        """Feed of a connectivity manager: its websocket is gone."""
        if self._network is not None:
            self._network.on_disconnected()

    async def on_websocket_connection_failed(self, reason: str) -> None:
        """Feed of a connectivity manager: `FailedToAuthenticateAtCsms` or `InvalidCSMSCertificate`."""
        if self._network is None:
            return
        if reason == "FailedToAuthenticateAtCsms":
            self._network.authentication_failed("FailedToAuthenticateAtCentralSystem")
        else:
            self._network.authentication_failed("InvalidCentralSystemCertificate", critical=True)

    def set_message_queue_resume_delay(self, seconds: float) -> None:
        """How long queued messages wait after a reconnect (not after the first connection)."""
        self._settings.message_queue_resume_delay = seconds

    # --- inside ------------------------------------------------------------------------------------------------------

    def _running_core(self) -> Core:
        if self._core is None:
            raise UsageError("the charge point is not running: call init() or start() first")
        return self._core

    def _message_log(self) -> MessageLog:
        return self._log or open_message_log(
            log_settings(self.configuration, to_files=self._log_path is not None, secrets=self._log_secrets),
            self._log_path or Path(),
            self._clock,
            message_callback=self._message_callback,
            on_security_log_cleared=self._security_log_cleared,
        )

    def _security_log_cleared(self) -> None:
        core = self._core
        if core is not None:
            event = core.security_events.raise_event(*SECURITY_LOG_CLEARED)
            core.context.tasks.spawn(event, name="security_log_cleared")


def _everest_version(share_path: str | Path | None) -> str | None:
    """First line of the version file, for the header `EVerest-Version`; None if there is none (libocpp 4.2)."""
    if share_path is None:
        return None
    try:
        lines = (Path(share_path) / EVEREST_VERSION).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return lines[0] if lines else None
