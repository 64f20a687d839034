"""What the simulated hardware provides on the bus beside the EVSE: board (twice), connector lock, RCD, meter.

Thin: commands become orders to the simulated board, errors of the simulation are raised on the implementation that
declares them.
"""

from __future__ import annotations

from logging import getLogger

from everest.contracts.interfaces.ac_rcd import AcRcdImplementation
from everest.contracts.interfaces.board_support_AC import BoardSupportACImplementation
from everest.contracts.interfaces.connector_lock import ConnectorLockImplementation
from everest.contracts.interfaces.evse_board_support import EvseBoardSupportImplementation
from everest.contracts.interfaces.powermeter import PowermeterImplementation
from everest.contracts.types import board_support
from everest.contracts.types.evse_board_support import HardwareCapabilities, PowerOnOff
from everest.contracts.types.powermeter import (
    TransactionReq,
    TransactionStartResponse,
    TransactionStopResponse,
)
from everest.runtime import Implementation, Severity

from .billing import Billing
from .board import SimulatedBoard
from .faults import AC_EVENT_ERRORS, RCD_DC, VENTILATION

log = getLogger(__name__)

INJECTED = "Simulated fault event"
MEASURED = {
    RCD_DC: "Residual current too high",
    VENTILATION: "The car asks for ventilation (state D), and there is none",
}
"""Messages of what the simulated devices notice by themselves; else that of an injected error."""

CABLE_A = 32.0
"""What the proximity pilot's 220 ohm stand for."""


class BoardSupportAC(BoardSupportACImplementation):
    """The simulated board in the words of board_support_AC (2023)."""

    def __init__(self, board: SimulatedBoard, capabilities: HardwareCapabilities) -> None:
        self._board = board
        self._capabilities = capabilities

    async def setup(self, three_phases: bool, has_ventilation: bool, country_code: str, rcd_enabled: bool) -> None:
        self._board.three_phases = three_phases
        self._board.has_ventilation = has_ventilation

    async def get_hw_capabilities(self) -> board_support.HardwareCapabilities:
        names = board_support.HardwareCapabilities.__struct_fields__
        return board_support.HardwareCapabilities(**{name: getattr(self._capabilities, name) for name in names})

    async def enable(self, value: bool) -> None:
        self._board.enable(value)

    async def pwm_on(self, value: float) -> None:
        self._board.pwm_on(value * 100.0)

    async def pwm_off(self) -> None:
        self._board.x1()

    async def pwm_F(self) -> None:
        self._board.f()

    async def allow_power_on(self, value: bool) -> None:
        self._board.power_allowed = value

    async def force_unlock(self) -> bool:
        return not self._board.contactor_closed

    async def switch_three_phases_while_charging(self, value: bool) -> None:
        self._board.three_phases = value

    async def evse_replug(self, value: int) -> None:
        log.warning("evse_replug is not supported by the simulated board; ignored")

    async def read_pp_ampacity(self) -> float:
        return CABLE_A


class EvseBoardSupport(EvseBoardSupportImplementation):
    """The simulated board in the words of evse_board_support."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board

    async def enable(self, value: bool) -> None:
        self._board.enable(value)

    async def pwm_on(self, value: float) -> None:
        self._board.pwm_on(value)

    async def cp_state_X1(self) -> None:
        self._board.x1()

    async def cp_state_F(self) -> None:
        self._board.f()

    async def cp_state_E(self) -> None:
        log.error("cp_state_E: the simulated board cannot (supports_cp_state_E is false); ignored")

    async def allow_power_on(self, value: PowerOnOff) -> None:
        self._board.power_allowed = value.allow_power_on

    async def ac_switch_three_phases_while_charging(self, value: bool) -> None:
        self._board.three_phases = value

    async def ac_set_overcurrent_limit_A(self, value: float) -> None:
        """The simulated board has no over current protection of its own; the EVSE manager watches."""


class ConnectorLock(ConnectorLockImplementation):
    """The simulated lock; it moves only while no error says that it cannot."""

    def __init__(self) -> None:
        self.locked = False

    async def lock(self) -> None:
        self.engage()

    async def unlock(self) -> None:
        self.release()

    def engage(self) -> None:
        if not self.is_error_active("connector_lock/ConnectorLockFailedLock"):
            self.locked = True

    def release(self) -> bool:
        """Unlock; False if the lock is faulty."""
        if self.is_error_active("connector_lock/ConnectorLockFailedUnlock"):
            return False
        self.locked = False
        return True


class Rcd(AcRcdImplementation):
    """The simulated residual current device."""

    async def self_test(self) -> None:
        """Nothing to test: the simulated device works unless an error was injected."""

    async def reset(self) -> bool:
        return not self.is_error_active(RCD_DC)


class PowermeterFace(PowermeterImplementation):
    """The simulated meter; its transactions always succeed (station 3.4)."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing

    async def start_transaction(self, value: TransactionReq) -> TransactionStartResponse:
        return await self._billing.start(value)

    async def stop_transaction(self, transaction_id: str) -> TransactionStopResponse:
        return await self._billing.stop(transaction_id)


class ErrorFaces:
    """Raises and clears an error of the simulation where it is declared (station 3.5), and as a board_support_AC
    event.
    """

    def __init__(
        self,
        board_ac: BoardSupportAC,
        board: EvseBoardSupport,
        rcd: Rcd,
        lock: ConnectorLock,
        powermeter: PowermeterFace,
    ) -> None:
        self._board_ac = board_ac
        self._rcd = rcd
        self._by_namespace: dict[str, Implementation] = {
            "evse_board_support": board,
            "ac_rcd": board,
            "connector_lock": lock,
            "powermeter": powermeter,
        }
        self._events = {kind: board_support.Event(name) for name, kind in AC_EVENT_ERRORS.items()}

    def is_active(self, error_type: str) -> bool:
        return any(face.is_error_active(error_type) for face in self._faces(error_type))

    def raise_error(self, error_type: str, *, measured: bool) -> None:
        """measured: by the simulated devices themselves, not injected."""
        face = self._rcd if measured and error_type == RCD_DC else self._face(error_type)
        message = MEASURED.get(error_type, INJECTED) if measured else INJECTED
        face.raise_error(error_type, message=message, severity=Severity.High)
        if error_type in self._events:
            self._board_ac.publish_event(self._events[error_type])

    def clear_error(self, error_type: str) -> None:
        for face in self._faces(error_type):
            if face.is_error_active(error_type):
                face.clear_error(error_type)
        if error_type in self._events:
            self._board_ac.publish_event(board_support.Event.EFtoBCD)

    def _face(self, error_type: str) -> Implementation:
        return self._by_namespace[error_type.partition("/")[0]]

    def _faces(self, error_type: str) -> list[Implementation]:
        return [self._face(error_type), self._rcd] if error_type == RCD_DC else [self._face(error_type)]
