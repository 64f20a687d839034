"""Between the websocket and the core: what a dial needs, frames in and out, online and offline, changed credentials.

Owns: the link of one run (libocpp 4.2 to 4.6, 12.5), or the feeds of a connection that the integrator owns.
May import: core, connection, configuration. Must not import: charge_point.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

from ocpp16.configuration import Configuration, authorization_key_bytes, keys
from ocpp16.connection import websocket
from ocpp16.connection.link import RECONNECT_WAIT, Link, LinkSettings
from ocpp16.connection.options import ConnectionOptions, ConnectionSettings, build_options
from ocpp16.context import Context
from ocpp16.core import Core
from ocpp16.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from ocpp16.ports import Connection
from ocpp16.tasks import Timer

SLOT = 1
"""OCPP 1.6 has one network profile; it is told to the integrator as this configuration slot."""

UNAUTHORIZED = 401
STOP_PATIENCE = 2.0
"""Seconds that `stop` waits for the closing handshake."""
DEFAULT_SWITCH_TIMEOUT = 20

Dialer = Callable[[ConnectionOptions], Awaitable[Connection]]
"""Opens a websocket; raises ConnectionFailed. Replaced by tests."""


class ConnectivityManager(Protocol):
    """A connection that the integrator owns. It tells of itself by `ChargePoint.on_websocket_*`."""

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def reconnect(self, min_wait: float = RECONNECT_WAIT) -> None: ...

    async def send(self, frame: str) -> None:
        """Raises ConnectionLost once the websocket is gone."""
        ...

    def register_message_callback(self, callback: Callable[[str | bytes], None]) -> None:
        """`callback` takes every received frame."""
        ...


def connection_settings(configuration: Configuration, everest_version: str | None) -> ConnectionSettings:
    """What the configuration says of the connection, at this moment."""
    key = configuration[keys.AuthorizationKey]
    return ConnectionSettings(
        charge_point_id=configuration[keys.ChargePointId],
        central_system_uri=configuration[keys.CentralSystemURI],
        security_profile=configuration[keys.SecurityProfile],
        authorization_key=authorization_key_bytes(key) if key else None,
        host_name=configuration[keys.HostName],
        everest_version=everest_version,
        interface=configuration[keys.IFace],
    )


class Network:
    """The way to the CSMS of one run."""

    def __init__(
        self,
        context: Context,
        settings: LinkSettings,
        *,
        dialer: Dialer | None = None,
        manager: ConnectivityManager | None = None,
        everest_version: str | None = None,
    ) -> None:
        self._context = context
        self._dialer = dialer or websocket.dial
        self._manager = manager
        self._everest_version = everest_version
        self._core: Core | None = None
        self._connection: Connection | None = None
        self._silent = False
        self._warned = False
        self._interface_address: str | None = None
        self._proven_profile = context.configuration[keys.SecurityProfile]
        self._switch = Timer(context.tasks, "security_profile_switch")
        self._link = Link(self._dial, settings, context.randomness, self, before_dial=self._network_ready)
        if manager is not None:
            manager.register_message_callback(self.on_frame)

    def attach(self, core: Core) -> None:
        """The core that takes the frames; before the first connection."""
        self._core = core

    # --- orders -----------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        self._warn_of_profile_0()
        (self._manager or self._link).connect()

    def disconnect(self) -> None:
        self._log_line("Disconnecting")
        (self._manager or self._link).disconnect()

    def reconnect(self) -> None:
        self._log_line("Reconnecting")
        (self._manager or self._link).reconnect()

    async def close(self, *, silently: bool) -> None:
        """End the connection; `silently` asks no callback, as at the end of the process (libocpp 12.1)."""
        self._silent = silently
        self._log_line("Disconnecting")
        if self._manager is None:
            await self._link.close(patience=0.0 if silently else STOP_PATIENCE)

    def _log_line(self, text: str) -> None:
        """A system line of the message log about a connection that is open (libocpp 8.2)."""
        if self._context.dispatcher.online:
            self._context.message_log.system(text)

    # --- dialling ---------------------------------------------------------------------------------------------------

    async def _dial(self) -> Connection:
        settings = connection_settings(self._context.configuration, self._everest_version)
        if self._interface_address is not None:
            settings = replace(settings, interface=self._interface_address)
        return await self._dialer(build_options(settings))

    def _warn_of_profile_0(self) -> None:
        """Profile 0 is allowed in 1.6, and no secret that it protects nothing (libocpp 4.1). Said once per run."""
        if self._context.configuration[keys.SecurityProfile] == 0 and not self._warned:
            self._warned = True
            self._context.log.warning(
                "SecurityProfile 0: nobody proves who they are, nothing is encrypted; use it in trusted networks only"
            )

    async def _network_ready(self) -> bool:
        """The integrator brings the network up, if it wants to be asked, and may name the address to dial from
        (libocpp 2.6)."""
        if not self._context.callbacks.has("configure_network_connection_profile"):
            return True
        answer: Any = await self._context.callbacks.ask(
            "configure_network_connection_profile", SLOT, self._profile(), default=False
        )
        address = getattr(answer, "interface_address", None)
        self._interface_address = str(address) if address else None
        return bool(getattr(answer, "success", answer))

    def _profile(self) -> ConnectionSettings:
        """What the integrator is shown: everything but the password."""
        settings = connection_settings(self._context.configuration, self._everest_version)
        return replace(settings, authorization_key=None)

    def _tell(self, connected: bool) -> None:
        self._context.lanes.post(0, "connection_state_changed", connected, SLOT, self._profile())

    # --- what the connection tells (`link.LinkHandler`, and the feeds) ----------------------------------------------

    def on_connected(self, connection: Connection) -> None:
        self._connection = connection
        self._online()

    def on_external_connected(self) -> None:
        self._connection = None
        self._online()

    def _online(self) -> None:
        self._switch.stop()
        self._proven_profile = self._context.configuration[keys.SecurityProfile]
        self._context.message_log.system("Connected")
        self._context.observer.connection(True)
        self._context.dispatcher.connected(self._writer())
        if self._core is not None:
            self._core.router.connected()
            self._core.boot.connected()
        self._tell(True)

    def on_disconnected(self) -> None:
        """Offline from this moment (libocpp 12.5)."""
        self._connection = None
        self._context.message_log.system("Disconnected")
        self._context.observer.connection(False)
        self._context.dispatcher.disconnected()
        if not self._silent:
            self._tell(False)

    def on_frame(self, frame: str | bytes) -> None:
        if self._core is not None:
            self._core.router.received(frame, self._writer())

    async def ready_for_frame(self) -> None:
        """Reading waits while too many CALLs do."""
        if self._core is not None:
            await self._core.router.room()

    def on_attempt_failed(self, reason: ConnectionFailed | ConfigurationError) -> None:
        if isinstance(reason, ConnectionFailed) and reason.status == UNAUTHORIZED:
            self.authentication_failed("FailedToAuthenticateAtCentralSystem")

    def authentication_failed(self, event_type: str, *, critical: bool | None = None) -> None:
        if self._core is not None:
            event = self._core.security_events.raise_event(event_type, critical=critical)
            self._context.tasks.spawn(event, name=event_type)

    def _writer(self) -> Callable[[str, str], Awaitable[None]]:
        """Writes to the connection that is open now, and to no later one: an answer belongs where its CALL came
        from."""
        connection, manager, log = self._connection, self._manager, self._context.message_log
        observer = self._context.observer

        async def write(frame: str, action: str) -> None:
            if connection is not None:
                await connection.send(frame)
            elif manager is not None:
                await manager.send(frame)
            else:
                raise ConnectionLost("the connection is gone")
            log.sent(frame, action)
            log.raw(frame, sent=True)
            observer.frame(frame, sent=True)

        return write

    def ping_interval_changed(self) -> None:
        """The link reads the interval at each use."""
        self._log_line("WebSocketPingInterval changed")

    # --- changed credentials ----------------------------------------------------------------------------------------

    def authorization_key_changed(self) -> None:
        """Profile 1 and 2 log in again with the new password (libocpp 1.7)."""
        if self._context.configuration[keys.SecurityProfile] in (1, 2):
            self.reconnect()

    def security_profile_changed(self) -> None:
        """Dial with the new profile; if that does not connect in time, go back to the old one (libocpp 4.4, 12.22)."""
        self._switch.start(self._fall_back(self._proven_profile))
        self.reconnect()

    async def _fall_back(self, old: int) -> None:
        configuration = self._context.configuration
        await self._switch.wait(configuration[keys.SwitchSecurityProfileConnectionTimeout] or DEFAULT_SWITCH_TIMEOUT)
        self._context.log.warning("No connection with the new SecurityProfile: going back to %d", old)
        try:
            await configuration.store(keys.SecurityProfile, old)
        except ConfigurationError as error:
            self._context.log.error("The old SecurityProfile cannot be stored: %s", error)
            return
        if self._manager is None:
            self._link.redial()
        else:
            self._manager.reconnect()
