"""The OCPP module: builds the charge point and brings it to life in the order of libocpp 9.2.

What it provides is in provided.py, what the core asks for in orders.py, what the EVSEs tell in events.py and
readings.py, the order in which it is taken in gate.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from everest.contracts.interfaces.auth import AuthClient
from everest.contracts.interfaces.charger_information import ChargerInformationClient
from everest.contracts.interfaces.display_message import DisplayMessageClient
from everest.contracts.interfaces.evse_manager import EvseManagerClient
from everest.contracts.interfaces.evse_security import EvseSecurityClient
from everest.contracts.interfaces.external_energy_limits import ExternalEnergyLimitsClient
from everest.contracts.interfaces.iso15118_extensions import Iso15118ExtensionsClient
from everest.contracts.interfaces.ocpp_data_transfer import OcppDataTransferClient
from everest.contracts.interfaces.reservation import ReservationClient
from everest.contracts.interfaces.system import SystemClient
from everest.contracts.types import ocpp, system
from everest.contracts.types.energy import EnforcedLimits
from everest.contracts.types.evse_manager import SessionEvent, SessionEventEnum
from everest.runtime import Error, Module, ModuleContext, StartupError
from ocpp16 import ChargePoint, Configuration, ConfigurationError, Ocpp16Error
from ocpp16 import messages as m

from .connectors import ConnectorMap
from .copies import with_origin
from .errors import error_info
from .events import SessionEvents
from .gate import Gates
from .orders import CONFIGURATION_KEYS, Orders, attempt
from .provided import (
    AuthProvider,
    AuthValidator,
    ChargePoint16,
    DataTransfer,
    Generic,
    SessionCost,
)
from .readings import Readings
from .sessions import EvseSessions
from .start import EvseStarts
from .times import parse_time
from .trace import TracePublisher

log = logging.getLogger(__name__)

START_PATIENCE = 5.0
"""How long a command waits for the charge point to be initialised."""


class OCPP(Module):
    """EVerest's OCPP module for OCPP 1.6."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.evse_managers = self.connections("evse_manager", EvseManagerClient)
        self.energy_sinks = self.connections("evse_energy_sink", ExternalEnergyLimitsClient)
        self.extensions_15118 = self.connections("extensions_15118", Iso15118ExtensionsClient)
        self.reservation = self.connection("reservation", ReservationClient)
        self.auth = self.connection("auth", AuthClient)
        self.system = self.connection("system", SystemClient)
        self.security = self.connection("security", EvseSecurityClient)
        self.charger_information = self.optional_connection("charger_information", ChargerInformationClient)
        self.data_transfer_sink = self.optional_connection("data_transfer", OcppDataTransferClient)
        self.display_message = self.optional_connection("display_message", DisplayMessageClient)

        self.main = ChargePoint16(self)
        self.generic = Generic(self)
        self.auth_provider = AuthProvider()
        self.auth_validator = AuthValidator(self)
        self.provide("main", self.main)
        self.provide("ocpp_generic", self.generic)
        self.provide("auth_provider", self.auth_provider)
        self.provide("auth_validator", self.auth_validator)
        self.provide("data_transfer", DataTransfer(self))
        self.provide("session_cost", SessionCost())

        self.charge_point: ChargePoint | None = None
        self._configured = asyncio.Event()
        self._initialised = asyncio.Event()
        self._trace = TracePublisher(self)
        self.replaced: dict[str, Any] = {}
        """Parts of the charge point that a replay replaces (replay.py), by the names of its arguments."""
        self.reset_stop_delay = float(self.config["ResetStopDelay"])
        self._configuration: Configuration
        self._connectors: ConnectorMap | None = None
        self._events: SessionEvents
        self._gates = Gates(len(self.evse_managers))
        self._starts = EvseStarts(range(1, len(self.evse_managers) + 1))
        self._resumed: set[str] = set()
        self._sessions = EvseSessions()
        self._readings = Readings(self._sessions, self.clock)
        self._connected: bool | None = None

    # --- what the other files ask for --------------------------------------------------------------------------------

    @property
    def core(self) -> ChargePoint:
        """The charge point; only asked for after it was made."""
        assert self.charge_point is not None
        return self.charge_point

    async def initialised(self) -> ChargePoint | None:
        """The charge point once it can be asked; None if that takes longer than others should wait.

        Others call as soon as they are ready themselves: a card that is swiped while the station starts counts.
        """
        return await self._once(self._initialised)

    async def configured(self) -> ChargePoint | None:
        """The charge point once its configuration is loaded; None as with `initialised`."""
        return await self._once(self._configured)

    async def _once(self, event: asyncio.Event) -> ChargePoint | None:
        try:
            async with asyncio.timeout(START_PATIENCE):
                await event.wait()
        except TimeoutError:
            log.warning("a command came before the charge point was there, which still waits for the EVSEs: refused")
            return None
        return self.charge_point

    @property
    def connectors(self) -> ConnectorMap:
        assert self._connectors is not None
        return self._connectors

    def evse(self, evse_id: int) -> EvseManagerClient:
        """The connection of an EVSE id: ids are 1, 2, 3, ... in connection order."""
        return self.evse_managers[evse_id - 1]

    # --- init: before the module is ready ----------------------------------------------------------------------------

    async def init(self) -> None:
        self._check_configuration()
        self._configuration = self._load_configuration(len(self.evse_managers))
        self._trace.listen()
        self.subscribe_global_errors(self._error_raised, self._error_cleared)
        for evse_id, evse in enumerate(self.evse_managers, start=1):
            self._subscribe_evse(evse_id, evse)
        self.system.on_log_status(self._log_status)
        self.system.on_firmware_update_status(self._firmware_update_status)
        for number, gate in enumerate(self._gates):
            self.spawn(gate.run(), name=f"gate {number}")
        if self.config["EnableExternalWebsocketControl"]:
            self.mqtt_subscribe("everest_api/ocpp/cmd/connect", self._connect)
            self.mqtt_subscribe("everest_api/ocpp/cmd/disconnect", self._disconnect)

    def _check_configuration(self) -> None:
        backend = self.config["ConfigBackend"]
        if backend != "legacy":
            raise StartupError(f"ConfigBackend {backend!r} is not offered; set it to 'legacy' (JSON files)")
        for sink in self.energy_sinks:
            if sink.mapping is None:
                raise StartupError(
                    f"evse_energy_sink {sink.module_id} needs a mapping with the EVSE it limits (0 for the station)"
                )

    def _load_configuration(self, number_of_connectors: int) -> Configuration:
        path = self._find(str(self.config["ChargePointConfigPath"]))
        user_config = self._user_config(str(self.config["UserConfigPath"]))
        try:
            return Configuration.load(path, user_config=user_config, number_of_connectors=number_of_connectors)
        except ConfigurationError as error:
            raise StartupError(with_origin(str(error), path)) from error

    def _find(self, name: str) -> Path:
        """The base configuration: absolute, or in the share, the configuration or the working folder."""
        candidates = [folder / name for folder in (self.info.paths.share, self.info.paths.etc, Path.cwd())]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        places = ", ".join(str(candidate) for candidate in dict.fromkeys(candidates))
        raise StartupError(f"ChargePointConfigPath {name!r} names no file; looked for {places}")

    def _user_config(self, name: str) -> Path:
        """The overlay: an existing one in the share folder is kept in use, else it lives in the working directory."""
        shared = self.info.paths.share / name
        return shared if shared.is_file() else Path.cwd() / name

    def _subscribe_evse(self, evse_id: int, evse: EvseManagerClient) -> None:
        evse.on_waiting_for_external_ready(partial(self._waiting_for_external_ready, evse_id))
        evse.on_ready(partial(self._evse_ready, evse_id))
        evse.on_session_event(partial(self._session_event, evse_id))
        evse.on_powermeter(partial(self._readings.powermeter, evse_id))
        evse.on_ev_info(partial(self._readings.ev_info, evse_id))
        evse.on_enforced_limits(partial(self._enforced_limits, evse_id))
        evse.on_powermeter_public_key_ocmf(partial(self._readings.public_key, evse_id))

    # --- ready: everybody is there -----------------------------------------------------------------------------------

    async def ready(self) -> None:
        await self._map_connectors()
        self.charge_point = self._make_charge_point()
        self._configured.set()
        await self._readings.hand_over(self.core, self.connectors)
        self._events = SessionEvents(self.core, self.connectors, self._sessions, self.clock)
        orders = Orders(self)
        orders.register()
        late = await self._starts.wait(late_after=float(self.config["LateStartTimeout"]))
        for key in CONFIGURATION_KEYS:
            for entry in self.core.get_configuration_key([key]).configuration_key or ():
                await orders.forward_configuration(entry.key, entry.value or "")
        await self._tell_charger_information()
        try:
            resumed = self._resumed | await self._sessions_that_went_on(late)
            await self.core.init({}, resumed)
        except Ocpp16Error as error:
            raise StartupError(str(error)) from error
        self._initialised.set()
        for evse in self.evse_managers:
            start = evse.external_ready_to_start_charging()
            await attempt(start, f"external_ready_to_start_charging of {evse.module_id}", False)
        await asyncio.sleep(float(self.config["DelayOcppStart"]) / 1000)
        unknown = system.BootReason.Unknown
        boot_reason = await attempt(self.system.get_boot_reason(), "get_boot_reason", unknown)
        try:
            await self.core.start({}, boot_reason.value, resumed, start_connecting=False)
        except Ocpp16Error as error:
            raise StartupError(str(error)) from error
        await self._restore_states(late)
        await self._gates.open()
        await self.core.connect_websocket()  # not before: what has happened meanwhile is not the state to tell first

    async def _map_connectors(self) -> None:
        evses = [await evse.get_evse() for evse in self.evse_managers]
        try:
            self._connectors = ConnectorMap((evse.id, [c.id for c in evse.connectors]) for evse in evses)
        except ValueError as error:
            raise StartupError(str(error)) from error
        if len(self._connectors) != len(self.evse_managers):
            self._configuration = self._load_configuration(len(self._connectors))

    def _make_charge_point(self) -> ChargePoint:
        try:
            core = ChargePoint(
                self._configuration,
                share_path=self.info.paths.share,
                database_path=Path.cwd() / str(self.config["DatabasePath"]),
                message_log_path=Path(str(self.config["MessageLogPath"])),
                message_callback=self._ocpp_message,
                observer=self._trace,
                **self.replaced,
            )
        except Ocpp16Error as error:
            raise StartupError(str(error)) from error
        core.set_message_queue_resume_delay(float(self.config["MessageQueueResumeDelay"]))
        return core

    async def _tell_charger_information(self) -> None:
        if self.charger_information is None:
            return
        charger = await attempt(self.charger_information.get_charger_information(), "get_charger_information", None)
        if charger is not None:
            await self.core.update_chargepoint_information(
                charger.vendor,
                charger.model,
                charger.chargepoint_serial,
                charger.chargebox_serial,
                charger.firmware_version,
            )

    async def _sessions_that_went_on(self, late: set[int]) -> set[str]:
        """The open transactions of EVSEs that were running all the time (start.py). Of these, and of sessions that an
        EVSE has resumed, the connector is known from here on, whether their events name it or not."""
        for transaction in await self.core.open_transactions():
            place = self.connectors.to_bus(transaction.connector)
            if place is None or transaction.stop_reason is not None:
                continue
            if place.evse_id in late and self._began_anew(place.evse_id, transaction.meter_last):
                log.warning("session %s is over: the register of EVSE %d fell", transaction.session_id, place.evse_id)
                continue
            if place.evse_id in late:
                self._events.resumed_late[transaction.connector] = transaction.session_id
            if place.evse_id in late or transaction.session_id in self._resumed:
                self._sessions.resume(place.evse_id, transaction.session_id, place.connector_id)
        return set(self._events.resumed_late.values())

    def _began_anew(self, evse_id: int, last_Wh: int) -> bool:
        """Whether the register was set back since: that is done where another session begins (station 3.1). The last
        reading is in whole Wh, hence the room for one."""
        register = self._readings.register_Wh(evse_id)
        return register is not None and register + 1 < last_Wh

    async def _restore_states(self, late: set[int]) -> None:
        """A transaction that went on shows as Charging or SuspendedEV again, by the power its meter measures."""
        for evse_id in late:
            for connector in self.connectors.of_evse(evse_id):
                if connector not in self._events.resumed_late:
                    continue
                if self._readings.power_W(evse_id) > 0:
                    await self.core.on_resume_charging(connector)
                else:
                    await self.core.on_suspend_charging_ev(connector)

    # --- what the EVSEs tell -----------------------------------------------------------------------------------------

    def _waiting_for_external_ready(self, evse_id: int, waiting: bool) -> None:
        if waiting:
            self._starts.announced(evse_id, ready=False)

    def _evse_ready(self, evse_id: int, ready: bool) -> None:
        if ready:
            self._starts.announced(evse_id, ready=True)

    async def _session_event(self, evse_id: int, event: SessionEvent) -> None:
        if event.event is SessionEventEnum.SessionResumed:
            self._resumed.add(event.uuid)
            return
        self._starts.sign_of_life(evse_id)
        if event.event is SessionEventEnum.SessionFinished:
            self._readings.session_finished(evse_id)
        self._gates.evse(evse_id).pass_through(lambda: self._events.handle(evse_id, event))

    async def _enforced_limits(self, evse_id: int, limits: EnforcedLimits) -> None:
        self._starts.sign_of_life(evse_id)
        await self._readings.enforced_limits(evse_id, limits)

    def _error_connectors(self, error: Error) -> list[int]:
        """The connectors of an error's origin: all of its EVSE without a mapping to one of them, else the station."""
        mapping = error.origin.mapping
        if mapping is None or self._connectors is None:
            return [0]
        connector = None if mapping.connector is None else self.connectors.to_ocpp(mapping.evse, mapping.connector)
        return [connector] if connector is not None else self.connectors.of_evse(mapping.evse) or [0]

    async def _error_raised(self, error: Error) -> None:
        info = error_info(error, now=self.clock.now())

        async def tell() -> None:
            for connector in self._error_connectors(error):
                await self.core.on_error(connector, info)

        self._gates.evse(_evse_of(error)).pass_through(tell)

    async def _error_cleared(self, error: Error) -> None:
        async def tell() -> None:
            for connector in self._error_connectors(error):
                await self.core.on_error_cleared(connector, error.uuid)

        self._gates.evse(_evse_of(error)).pass_through(tell)

    async def _log_status(self, status: system.LogStatus) -> None:
        """What has no counterpart in OCPP is the core's business (DEPARTURE 50)."""
        name = status.log_status.value
        self._gates.system.pass_through(lambda: self.core.on_log_status_notification(status.request_id, name))

    async def _firmware_update_status(self, status: system.FirmwareUpdateStatus) -> None:
        metadata = status.firmware_update_metadata
        disable = metadata is None or metadata.disable_connectors_during_install is not False
        name = status.firmware_update_status.value
        self._gates.system.pass_through(
            lambda: self.core.on_firmware_update_status_notification(status.request_id, name, disable)
        )

    # --- commands and external topics --------------------------------------------------------------------------------

    async def stop_for_reset(self) -> None:
        """Stop the charge point, which goes on taking what the EVSEs tell: a transaction may begin before all ends."""
        await self.core.stop(taking_events=True)
        self.publish_connection(False)

    async def stop_by_command(self) -> bool:
        """Stop the charge point; session events are dropped until it is restarted."""
        if await self.initialised() is None:
            return False
        self._gates.shut()
        stopped = await self.core.stop()
        self.publish_connection(False)
        return stopped

    async def restart_by_command(self) -> bool:
        if self.charge_point is None or not await self.charge_point.restart():
            return False
        await self._gates.open()
        return True

    async def report_security_event(self, event: ocpp.SecurityEvent) -> None:
        core = await self.initialised()
        if core is not None:
            await core.on_security_event(
                event.type,
                event.info,
                event.critical,
                parse_time(event.timestamp),
            )

    def monitor_key(self, key: str, changed: Callable[[m.KeyValue], None]) -> None:
        """Call `changed` at each change of a key; the bus is told of it all the same (DEPARTURE 51)."""
        if self.charge_point is None:
            log.warning("configuration key %s cannot be monitored before the charge point is there", key)
            return
        orders = Orders(self)

        async def both(key_value: m.KeyValue) -> None:
            changed(key_value)
            await orders.configuration_key_changed(key_value)

        self.charge_point.register_configuration_key_changed_callback(key, both)

    async def _connect(self, _topic: str, _payload: str) -> None:
        if self.charge_point is not None:
            await self.charge_point.connect_websocket()

    async def _disconnect(self, _topic: str, _payload: str) -> None:
        if self.charge_point is not None:
            await self.charge_point.disconnect_websocket()

    def publish_connection(self, connected: bool) -> None:
        """The connection as the bus sees it, at each change, with all members also when disconnected (12.19)."""
        if connected == self._connected:
            return
        self._connected = connected
        self.generic.publish_connection_status(
            ocpp.ConnectionStatus(
                connected=connected,
                csms_url=self._configuration_text("CentralSystemURI"),
                identity=self._configuration_text("ChargePointId"),
                security_profile=int(self._configuration_text("SecurityProfile") or 0),
                configuration_slot=1,
                ocpp_interface="Any",
                ocpp_transport="JSON",
                ocpp_version="1.6",
            )
        )
        self.main.publish_is_connected(connected)

    def _configuration_text(self, key: str) -> str:
        entries = self.core.get_configuration_key([key]).configuration_key
        return (entries[0].value or "") if entries else ""

    def _ocpp_message(self, text: str, direction: str) -> None:
        self.generic.publish_ocpp_message(
            ocpp.Message(message=text, direction=ocpp.MessageDirection(direction), version="1.6")
        )

    async def shutdown(self) -> None:
        """The end of the process is a power loss, not a stop: open transactions stay (libocpp 12.1)."""
        if self.charge_point is not None:
            await self.charge_point.close()


def _evse_of(error: Error) -> int:
    """The EVSE that an error belongs to, 0 for none."""
    return 0 if error.origin.mapping is None else error.origin.mapping.evse
