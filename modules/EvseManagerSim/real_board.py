"""The board module that drives the session in place of the simulated one, if one is connected (station 2.1, 2.9).

Takes `bsp` (evse_board_support) or the older `bsp_ac` (board_support_AC), at most one of them: orders go to it, what it
tells about itself, its cable and its phases goes to the EVSE and its energy. The links themselves are in hardware.py.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger

import msgspec

from everest.contracts.interfaces.board_support_AC import BoardSupportACClient
from everest.contracts.interfaces.evse_board_support import EvseBoardSupportClient
from everest.contracts.types import board_support
from everest.contracts.types.board_support_common import ProximityPilot, ProximityPilotAmpacity
from everest.contracts.types.evse_board_support import (
    HardwareCapabilities,
    HardwareCapabilitiesConnectorType,
    Telemetry,
)
from everest.contracts.types.evse_manager import StopTransactionRequest
from everest.runtime import ApiError, CommandError

from .controller import Controller
from .energy import Energy
from .evse import EvseManager
from .hardware import BusBoard, BusBoardAC
from .settings import Settings, hardware_of

log = getLogger(__name__)

CABLES_A = {
    ProximityPilotAmpacity.A_13: 13.0,
    ProximityPilotAmpacity.A_20: 20.0,
    ProximityPilotAmpacity.A_32: 32.0,
    ProximityPilotAmpacity.A_63_3ph_70_1ph: 63.0,
}


class RealBoard:
    """`link` is what the session machine orders; None: no board is connected. Errors: ApiError for two boards."""

    def __init__(
        self,
        settings: Settings,
        clients: tuple[EvseBoardSupportClient | None, BoardSupportACClient | None],
        controller: Controller,
        evse: EvseManager,
        energy: Energy,
        tell: Callable[[Telemetry], None],
    ) -> None:
        bsp, self._bsp_ac = clients
        if bsp is not None and self._bsp_ac is not None:
            raise ApiError("connect either bsp or bsp_ac, not both")
        self._settings = settings
        self._evse = evse
        self._energy = energy
        self._tell = tell
        self._socket = False
        self._bus: BusBoard | None = None
        self.link: BusBoard | BusBoardAC | None = None
        if bsp is not None:
            self.link = self._bus = BusBoard(bsp, controller)
            self._listen(bsp)
        elif self._bsp_ac is not None:
            link = BusBoardAC(self._bsp_ac, controller)
            link.set_up(has_ventilation=settings.flag("has_ventilation"))
            self._bsp_ac.on_nr_of_phases_available(energy.use_phases)
            self._bsp_ac.on_telemetry(self._take_older_telemetry)
            self.link = link

    def _listen(self, bsp: EvseBoardSupportClient) -> None:
        bsp.on_capabilities(self._take_capabilities)
        bsp.on_request_stop_transaction(self._stop_requested)
        bsp.on_ac_pp_ampacity(self._take_cable)
        bsp.on_ac_nr_of_phases_available(self._energy.use_phases)
        bsp.on_telemetry(self._tell)

    def limit_current(self, amps: float) -> None:
        """The offer is new; a board of `bsp` goes by it with its own protection."""
        if self._bus is not None and not self._settings.dc:
            self._bus.limit_current(amps)

    async def announce(self) -> None:
        """hw_capabilities of a board of `bsp_ac`, which must be asked; one of `bsp` tells them itself.

        It names neither its connector nor state E: these stay as configured here.
        """
        if self._bsp_ac is None:
            return
        own = self._settings.capabilities()
        try:
            known = await self._bsp_ac.get_hw_capabilities()
        except CommandError as error:
            log.error("the board of bsp_ac does not tell its capabilities (%r); the configured ones are used", error)
            self._evse.publish_hw_capabilities(own)
            return
        self._take_capabilities(msgspec.structs.replace(own, **msgspec.structs.asdict(known)))

    async def _stop_requested(self, request: StopTransactionRequest) -> None:
        await self._evse.stop_transaction(request)

    def _take_cable(self, cable: ProximityPilot) -> None:
        """The cable of a socket limits the current (station 2.9); a fixed one is the board's own business."""
        self._energy.plug_cable(CABLES_A.get(cable.ampacity) if self._socket else None)

    def _take_capabilities(self, capabilities: HardwareCapabilities) -> None:
        self._socket = capabilities.connector_type is HardwareCapabilitiesConnectorType.IEC62196Type2Socket
        self._energy.hardware = hardware_of(capabilities, self._settings.number("ac_nominal_voltage"))
        self._evse.publish_hw_capabilities(capabilities)
        self._energy.publish_limits(with_uuid=self._energy.started)

    def _take_older_telemetry(self, telemetry: board_support.Telemetry) -> None:
        self._tell(
            Telemetry(
                evse_temperature_C=telemetry.temperature,
                fan_rpm=telemetry.fan_rpm,
                supply_voltage_12V=telemetry.supply_voltage_12V,
                supply_voltage_minus_12V=telemetry.supply_voltage_minus_12V,
                relais_on=telemetry.relais_on,
            )
        )
