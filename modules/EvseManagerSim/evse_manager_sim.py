"""The module: composes session machine, simulated hardware, meter and energy; starts them as station 2.2 says.

Only wiring and the three loops (meter 0.5 s, energy 1 s, simulation 0.25 s). Rules live in the pure files beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import getLogger
from pathlib import Path

from everest.contracts.interfaces.ac_rcd import AcRcdClient
from everest.contracts.interfaces.board_support_AC import BoardSupportACClient
from everest.contracts.interfaces.connector_lock import ConnectorLockClient
from everest.contracts.interfaces.energy import EnergyClient
from everest.contracts.interfaces.evse_board_support import EvseBoardSupportClient
from everest.contracts.interfaces.evse_security import EvseSecurityClient
from everest.contracts.interfaces.kvs import KvsClient
from everest.contracts.interfaces.powermeter import PowermeterClient
from everest.contracts.types.authorization import AuthorizationType, IdToken, IdTokenType, ProvidedIdToken
from everest.contracts.types.board_support_common import ProximityPilot, ProximityPilotAmpacity
from everest.contracts.types.energy import EnforcedLimits
from everest.contracts.types.evse_board_support import (
    Telemetry,
)
from everest.contracts.types.evse_manager import EnableDisableSource, EVInfo, Limits
from everest.contracts.types.evse_manager import EnableDisableSourceEnableSource as EnableSource
from everest.contracts.types.evse_manager import EnableDisableSourceEnableState as EnableState
from everest.contracts.types.powermeter import Powermeter
from everest.runtime import ApiError, Module, ModuleContext, Severity, StartupError

from .billing import Billing, BusMeter, SimulatedBilling
from .board import SimulatedBoard
from .car import Car
from .chance import Dice, Noise, session_id
from .controller import Controller
from .cross_boot import PlugMemory
from .dc_meter import DcMeter
from .energy import PERIOD_S, Energy
from .evse import EvseManager
from .faces import BoardSupportAC, ConnectorLock, ErrorFaces, EvseBoardSupport, PowermeterFace, Rcd
from .faults import FaultBook, OverCurrentWatch
from .hardware import BusLock, Lock, OrderQueue, OtherDevice, watch
from .hlc import Hlc
from .meter import Meter, highest_current
from .metering import Metering
from .pace import ticks
from .random_delay import RandomDelay
from .real_board import RealBoard
from .register import FileRegister, KvsRegister, Register
from .sanity import check
from .session import SessionMachine
from .settings import Settings, hardware_of
from .signing import FixedTexts, KeyFileError, OcmfSigner, Signer, load_key
from .simulator import Offered, SimulatedLink, Simulator
from .states import State
from .station import StationShare
from .topics import Topics
from .v2g import V2G

log = getLogger(__name__)

PayloadHandler = Callable[[str], Awaitable[None] | None]

METER_PERIOD_S = 0.5
OVER_CURRENT = "evse_manager/MREC4OverCurrentFailure"
ONLY_WATCHED = ("slac", "hlc", "imd", "over_voltage_monitor", "powersupply_DC")
"""Requirements that EVerest configurations connect; their errors count, and they are not used for anything else."""


class EvseManagerSim(Module):
    """One simulated EVSE."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        check(self.config)
        self.settings = Settings(self.config)
        self.machine = SessionMachine(
            lambda: session_id(self.settings.text("session_id_type")),
            self.settings.times(),
            has_ventilation=self.settings.flag("has_ventilation"),
        )
        self.topics = Topics(self.settings.connector_id, self.info.id, self.mqtt_publish)
        self.controller = Controller(self.machine, self._fault_book())
        machine = self.machine
        self.v2g = V2G(self.settings.offer(), lambda: machine.authorized, lambda: machine.offers_power)
        store = self.optional_connection("store", KvsClient)
        self.register: Register = FileRegister(Path.cwd()) if store is None else KvsRegister(store)
        register = self.register
        self.metering = Metering(self._meter(), register, f"{self.info.id}_meter", self.clock, self._publish_reading)
        self.signer = self._signer()
        simulated = SimulatedBilling(self.metering, self.signer, register, f"{self.info.id}_meter")
        self._provide_hardware(simulated)
        self.queues: list[OrderQueue] = []
        self.bus_meter = self._bus_meter()
        self.evse = EvseManager(
            self.settings,
            self.clock,
            self.controller,
            simulated if self.bus_meter is None else self.bus_meter,
            self._lock(),
            self.v2g,
            None if store is None else (register, f"{self.info.id}_session"),
            self._entered,
            self._free_session,
        )
        self.evse.session_log.tell = self.topics.hlc_log
        self.provide("evse", self.evse)
        self._provide_energy()
        self._connect_board()
        self._provide_hlc()
        self._watch_others()

    def _fault_book(self) -> FaultBook:
        return FaultBook(
            use_vendor_id=self.settings.flag("inoperative_error_use_vendor_id"),
            fail_on_powermeter_errors=self.settings.flag("fail_on_powermeter_errors"),
        )

    def _meter(self) -> Meter:
        noise = Noise(self.settings.seed, enabled=self.settings.flag("noise"))
        kind = DcMeter if self.settings.dc else Meter
        return kind(self.settings.meter(), noise, asyncio.get_running_loop().time())

    def _signer(self) -> Signer:
        config = self.settings.meter()
        if self.settings.text("meter_signing") == "dummy":
            return FixedTexts(config, self.settings.connector_id)
        name = self.settings.text("ocmf_key") or f"{self.info.id}_ocmf_key.pem"
        try:
            key = load_key(Path.cwd() / name)
        except KeyFileError as error:
            fix = "name a PEM file that can be read, or that can be made, or set meter_signing to dummy"
            raise StartupError(f"configuration key {error}; {fix}") from None
        return OcmfSigner(key, f"{config.meter_id}_{self.settings.connector_id}", dc=self.settings.dc)

    def _bus_meter(self) -> BusMeter | None:
        """The meter on the car's side bills, else the one on the grid's side, else the simulated one (station 2.1)."""
        car, grid = (self.optional_connection(f"powermeter_{side}_side", PowermeterClient) for side in ("car", "grid"))
        client = car or grid
        if client is None:
            return None
        client.on_public_key_ocmf(lambda key: self.evse.publish_powermeter_public_key_ocmf(key))
        watch(client, self.controller)
        return BusMeter(client, self._publish_bill)

    def _lock(self) -> Lock | None:
        """A connected lock, else the simulated one where the configuration has it."""
        client = self.optional_connection("connector_lock", ConnectorLockClient)
        if client is None:
            return self.lock if self.settings.flag("connector_lock") else None
        watch(client, self.controller)
        lock = BusLock(client)
        self.queues.append(lock.orders)
        return lock

    def _watch_others(self) -> None:
        """The errors of the residual current device, and of what belongs to ISO 15118 and DC (station 2.7)."""
        rcd = self.optional_connection("ac_rcd", AcRcdClient)
        if rcd is not None:
            watch(rcd, self.controller)
        for name in ONLY_WATCHED:
            device = self.optional_connection(name, OtherDevice)
            if device is not None:
                watch(device, self.controller)
                log.warning("of %s only the errors count: this EVSE simulates its car itself", name)

    def _provide_hardware(self, billing: Billing) -> None:
        self.car = Car(self.settings.car(), self.v2g)
        self.board = SimulatedBoard(has_ventilation=self.settings.flag("has_ventilation"))
        self.capabilities = self.settings.capabilities()
        self.board_ac = BoardSupportAC(self.board, self.capabilities)
        self.board_face = EvseBoardSupport(self.board)
        self.rcd = Rcd()
        self.lock = ConnectorLock()
        self.powermeter = PowermeterFace(billing)
        self.provide("board_support", self.board_ac)
        self.provide("evse_board_support", self.board_face)
        self.provide("rcd", self.rcd)
        self.provide("connector_lock", self.lock)
        self.provide("powermeter", self.powermeter)

    def _provide_energy(self) -> None:
        self.energy = Energy(
            self.info.id,
            hardware_of(self.capabilities, self.settings.number("ac_nominal_voltage")),
            self.machine,
            self.clock,
            zero_power_in_idle=self.settings.flag("request_zero_power_in_idle"),
            bidirectional=self.settings.bidirectional,
            publish=self._publish_budget,
            wake=self.controller.wake,
            delay=self._random_delay(),
        )
        self.provide("energy_grid", self.energy.grid)
        self.provide("random_delay", self.energy.delay_face)
        self.provide("external_limits", self.energy.external)
        self.station = StationShare(
            self.connections("energy_consumer", EnergyClient),
            self.clock,
            nominal_voltage_V=self.settings.number("ac_nominal_voltage"),
            own_request=self.energy.request,
            give_own=self.energy.cap,
        )
        self.provide("station_limits", self.station.face)

    def _random_delay(self) -> RandomDelay:
        return RandomDelay(
            Dice(self.settings.seed).seconds,
            enabled=self.settings.flag("uk_smartcharging_random_delay_enable"),
            longest_s=int(self.settings.number("uk_smartcharging_random_delay_max_duration")),
            at_any_change=self.settings.flag("uk_smartcharging_random_delay_at_any_change"),
        )

    def _connect_board(self) -> None:
        """A real board over `bsp` or `bsp_ac` drives the session instead of the simulated one."""
        self.real_board = RealBoard(
            self.settings,
            (
                self.optional_connection("bsp", EvseBoardSupportClient),
                self.optional_connection("bsp_ac", BoardSupportACClient),
            ),
            self.controller,
            self.evse,
            self.energy,
            self._tell_health,
        )
        link = self.real_board.link
        if link is not None:
            self.queues.append(link.orders)
        self.controller.attach(link or SimulatedLink(self.board), self.evse)
        self.simulator = Simulator(
            self.settings,
            self.car,
            self.board,
            self.metering,
            ErrorFaces(self.board_ac, self.board_face, self.rcd, self.lock, self.powermeter),
            (self.board_ac, self.board_face, self.rcd),
            self.controller if link is None else None,
            self._offered,
            PlugMemory(self.register if self.settings.flag("keep_cross_boot_plugin_state") else None, self.info.id),
        )
        self.provide("car_simulator", self.simulator.car_face)
        self.provide("ev_manager", self.simulator.ev_face)
        self.provide("dc_external_derate", self.simulator.derate)

    def _provide_hlc(self) -> None:
        self.hlc = Hlc(
            self.settings,
            self.machine,
            self.v2g,
            self.evse,
            self.optional_connection("security", EvseSecurityClient),
            self.clock,
            lambda session, name: self.spawn(session, name=name),
            self._car_info,
        )
        if self.simulator.drives_session:
            self.machine.loop.dialogue = self.v2g
            self.v2g.begun = self.controller.wake
        else:
            self.v2g.matched = lambda: None
            self.v2g.started = lambda wish: log.warning(
                "iso_start_v2g_session: a real board drives the session, the simulated car talks to nobody"
            )
        self.provide("token_provider", self.hlc.tokens)
        self.provide("extensions", self.hlc.extensions)

    # --- life ---

    async def ready(self) -> None:
        """Start-up in the order of station 2.2."""
        self._subscribe_topics()
        self.energy.publish_limits(with_uuid=False)
        self.hlc.prepare()
        await self._announce_hardware()
        self.evse.publish_evse_id(self.settings.text("evse_id"))
        await self.metering.restore()
        await self.metering.take()
        self.spawn(self._meter_loop(), name="meter")
        self.spawn(self.simulator.run(), name="simulation")
        for number, queue in enumerate(self.queues):
            self.spawn(queue.run(), name=f"orders {number}")
        await self._first_bill()
        await self.evse.clean_up()
        self.energy.publish_limits()
        waits = self.settings.flag("external_ready_to_start_charging")
        self.evse.publish_waiting_for_external_ready(waits)
        if waits:
            await self.evse.external_ready.wait()
        await self._start_sessions()

    async def _announce_hardware(self) -> None:
        self.powermeter.publish_public_key_ocmf(self.signer.public_key)
        if self.bus_meter is None:
            self.evse.publish_powermeter_public_key_ocmf(self.signer.public_key)
        self.board_face.publish_capabilities(self.capabilities)
        self.board_face.publish_ac_pp_ampacity(ProximityPilot(ampacity=ProximityPilotAmpacity.A_32))
        self.board_face.publish_ac_nr_of_phases_available(3)
        self.board_ac.publish_nr_of_phases_available(3)
        await self.real_board.announce()
        if self.simulator.drives_session:
            self.evse.publish_hw_capabilities(self.capabilities)
        self.energy.announce()

    def _announce_transfer_modes(self) -> None:
        """Without HLC there is none, and the empty list is told all the same, as the original does (station 2.2). Its
        definition wants one, so where definitions count it stays untold."""
        modes = self.settings.energy_transfer_modes
        try:
            self.evse.publish_supported_energy_transfer_modes(modes)
        except ApiError:
            if modes:
                raise

    async def _start_sessions(self) -> None:
        self._announce_transfer_modes()
        await self.controller.start()
        self.evse.publish_ready(True)
        self.energy.begin()
        self.spawn(self.controller.run(), name="session")
        self.spawn(self._energy_loop(), name="energy")
        self.spawn(self.station.run(), name="station limits")

    async def _first_bill(self) -> None:
        """Station 2.2 step 4: a meter on the bus gets some time for its first reading."""
        timeout = self.settings.number("initial_meter_value_timeout_ms") / 1000.0
        if self.bus_meter is None or timeout <= 0.0:
            return
        try:
            async with asyncio.timeout(timeout):
                await self.bus_meter.first_reading.wait()
        except TimeoutError:
            log.warning("the power meter gave no reading in %g s; starting without one", timeout)

    def _subscribe_topics(self) -> None:
        handlers: tuple[tuple[str, PayloadHandler], ...] = (
            ("cmd/enable", lambda payload: self._set_available(EnableState.Enable)),
            ("cmd/disable", lambda payload: self._set_available(EnableState.Disable)),
            ("cmd/pause_charging", lambda payload: self._pause(True)),
            ("cmd/resume_charging", lambda payload: self._pause(False)),
            ("cmd/switch_three_phases_while_charging", self._switch_phases),
            ("carsim/cmd/enable", self.simulator.enable),
            ("carsim/cmd/execute_charging_session", self.simulator.execute),
            ("carsim/cmd/modify_charging_session", self.simulator.modify),
            ("carsim/error", self.simulator.inject),
        )
        for name, handler in handlers:
            self._subscribe(name, handler)

    def _subscribe(self, name: str, handler: PayloadHandler) -> None:
        self.mqtt_subscribe(self.topics.command(name), lambda topic, payload: handler(payload))

    # --- loops ---

    async def _meter_loop(self) -> None:
        watch = OverCurrentWatch(
            noise_A=self.settings.number("soft_over_current_measurement_noise_A"),
            tolerance_percent=self.settings.number("soft_over_current_tolerance_percent"),
            timeout_s=self.settings.number("soft_over_current_timeout_ms") / 1000.0,
        )
        async for now in ticks(METER_PERIOD_S):
            reading = await self.metering.take()
            telemetry = self.simulator.publish_telemetry()
            if self.simulator.drives_session:
                self._tell_health(telemetry)
            if self.settings.flag("legacy_topics"):
                self.topics.legacy(reading, telemetry.evse_temperature_C)
            amps = highest_current(reading if self.bus_meter is None else self.bus_meter.latest)
            offered = self.machine.offered_A
            self.hlc.tell()
            if self.settings.dc:
                continue
            if self.machine.state is State.Charging and watch.tripped(now, amps, offered):
                self.evse.raise_own(OVER_CURRENT, f"{amps:.1f} A drawn, {offered:.1f} A offered", Severity.High)

    async def _energy_loop(self) -> None:
        async for _ in ticks(PERIOD_S):
            self.energy.refresh()

    # --- small handlers ---

    def _offered(self) -> Offered:
        """What the budget offers; to a DC car the AC side's power."""
        amps = self.machine.offered_A
        return Offered(amps, amps * self.settings.number("ac_nominal_voltage") * self.energy.phase_count)

    def _car_info(self) -> EVInfo:
        """What the car tells by ISO 15118 while it charges."""
        info = self.simulator.ev_info()
        if self.settings.dc:
            battery = self.car.battery
            info.present_voltage, info.present_current = round(battery.voltage_V, 1), round(battery.current_A, 1)
            info.maximum_current_limit = self.settings.number("dc_max_current_limit")
            info.maximum_voltage_limit = self.settings.number("dc_max_voltage_limit")
            info.maximum_power_limit = self.settings.number("dc_max_power_limit")
        return info

    def _publish_reading(self, reading: Powermeter) -> None:
        """A reading of the simulated meter."""
        self.powermeter.publish_powermeter(reading)
        if self.bus_meter is None:
            self._publish_bill(reading)

    def _publish_bill(self, reading: Powermeter) -> None:
        """A reading of the meter that bills."""
        self.evse.publish_powermeter(reading)
        self.topics.powermeter(reading)

    def _publish_budget(self, budget: EnforcedLimits | None, limits: Limits) -> None:
        if budget is not None:
            self.evse.publish_enforced_limits(budget)
            if budget.limits_root_side.total_power_W is not None:
                self.topics.max_watt(budget.limits_root_side.total_power_W.value)
        self.real_board.limit_current(limits.max_current)
        self.evse.publish_limits(limits)
        self.topics.max_current(limits.max_current)

    def _entered(self, state: State) -> None:
        self.topics.state(state)
        self.energy.entered(state)
        self.station.wake()

    def _free_session(self) -> None:
        """disable_authentication: the EVSE presents its own token (station 2.5)."""
        self.hlc.tokens.publish_provided_token(
            ProvidedIdToken(
                id_token=IdToken(value="FREESERVICE", type=IdTokenType.Local),
                authorization_type=AuthorizationType.RFID,
                prevalidated=True,
            )
        )

    async def _set_available(self, state: EnableState) -> None:
        """Topics cmd/enable and cmd/disable (station 2.6)."""
        row = EnableDisableSource(enable_source=EnableSource.LocalAPI, enable_state=state, enable_priority=100)
        await self.evse.enable_disable(0, row)

    async def _pause(self, pause: bool) -> None:
        """Topics cmd/pause_charging and cmd/resume_charging."""
        await (self.evse.pause_charging() if pause else self.evse.resume_charging())

    def _switch_phases(self, payload: str) -> None:
        if not self.energy.hardware.switches_phases:
            log.warning("switch_three_phases_while_charging ignored: the board cannot change phases while charging")
            return
        self.machine.allow_three_phases(operator=payload.strip() == "true")
        self.controller.wake()

    def _tell_health(self, telemetry: Telemetry) -> None:
        """Telemetry of the board that drives the session."""
        self.evse.publish_telemetry(telemetry)
        self.topics.telemetry(telemetry)
        if telemetry.plug_temperature_C is not None:
            self.simulator.derate.publish_plug_temperature_C(telemetry.plug_temperature_C)
