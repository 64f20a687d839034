"""The implementation `evse` (evse_manager): commands in, session events and variables out (station 2.3 to 2.9).

Thin: commands become inputs of the session machine, effects become messages. Is the `Outlet` of the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import getLogger

from everest.contracts.interfaces.evse_manager import EvseManagerImplementation
from everest.contracts.types.authorization import AuthorizationStatus, ProvidedIdToken, ValidationResult
from everest.contracts.types.evse_manager import (
    Connector,
    EnableDisableSource,
    EVInfo,
    Evse,
    PlugAndChargeConfiguration,
    SessionEventEnum,
    SetDerAvailableResult,
    StartSessionReason,
    StopTransactionReason,
    StopTransactionRequest,
    UpdateAllowedEnergyTransferModesResult,
)
from everest.contracts.types.iso15118 import EnergyTransferMode
from everest.contracts.types.units_signed import SignedMeterValue
from everest.runtime import Clock, Severity
from everest.runtime.clock import timestamp

from . import events
from .controller import Controller
from .faces import ConnectorLock
from .faults import Inoperative
from .metering import Metering
from .register import Register
from .session_log import SessionLog
from .settings import Settings
from .states import BeginTransaction, Emit, EndTransaction, State

log = getLogger(__name__)

INOPERATIVE = "evse_manager/Inoperative"
MREC9 = "evse_manager/MREC9AuthorizationTimeout"


class EvseManager(EvseManagerImplementation):
    """One EVSE on the bus."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        controller: Controller,
        metering: Metering,
        lock: ConnectorLock | None,
        session_store: tuple[Register, str] | None,
        on_state: Callable[[State], None],
        on_free_session: Callable[[], None],
    ) -> None:
        self.external_ready = asyncio.Event()
        self._settings = settings
        self._clock = clock
        self._controller = controller
        self._machine = controller.machine
        self._metering = metering
        self._lock = lock
        self._session_store = session_store
        self._on_state = on_state
        self._on_free_session = on_free_session
        self._session_log = SessionLog.from_settings(settings)
        self._protocol = events.UNKNOWN_PROTOCOL
        self._signed_start: SignedMeterValue | None = None
        self._signed_stop: SignedMeterValue | None = None
        self._unlock_when_open = False
        self._own_errors: set[str] = set()

    # --- commands ---

    async def get_evse(self) -> Evse:
        connector = Connector(id=1, type=self._settings.connector_type)
        return Evse(id=self._settings.connector_id, connectors=[connector])

    async def enable_disable(self, connector_id: int, cmd_source: EnableDisableSource) -> bool:
        enabled = self._machine.set_availability(cmd_source, connector_id)
        await self._controller.drive()
        return enabled

    async def authorize_response(self, provided_token: ProvidedIdToken, validation_result: ValidationResult) -> None:
        if validation_result.authorization_status is not AuthorizationStatus.Accepted:
            return
        if not self._machine.authorize(provided_token, validation_result.reservation_id):
            log.warning("authorize_response in state %s is ignored", self._machine.state)
        self._controller.wake()

    async def withdraw_authorization(self) -> None:
        plug_in_timeout = self._machine.withdraw()
        if plug_in_timeout and self._settings.flag("raise_mrec9"):
            self.raise_own(MREC9, "No authorization in time after plug in", Severity.Medium)
        self._controller.wake()

    async def reserve(self, reservation_id: int) -> bool:
        reserved = self._machine.reserve(reservation_id)
        await self._controller.drive()
        return reserved

    async def cancel_reservation(self) -> None:
        self._machine.cancel_reservation()
        await self._controller.drive()

    async def pause_charging(self) -> bool:
        self._controller.wake()
        return self._machine.pause()

    async def resume_charging(self) -> bool:
        self._controller.wake()
        return self._machine.resume()

    async def stop_transaction(self, request: StopTransactionRequest) -> bool:
        self._controller.wake()
        return self._machine.stop(request.reason, request.id_tag)

    async def force_unlock(self, connector_id: int) -> bool:
        """Stop a transaction (UnlockCommand), then unlock, at once or when the contactor is open (station 2.9)."""
        if self._lock is None:
            return False
        self._machine.stop(StopTransactionReason.UnlockCommand)
        self._controller.wake()
        if self._machine.contactor_closed:
            self._unlock_when_open = True
            return True
        return self._lock.release()

    async def external_ready_to_start_charging(self) -> bool:
        if not self._settings.flag("external_ready_to_start_charging"):
            return False
        self.external_ready.set()
        return True

    async def set_plug_and_charge_configuration(
        self, plug_and_charge_configuration: PlugAndChargeConfiguration
    ) -> None:
        """Without ISO 15118 there is nothing that would use it."""
        log.info("set_plug_and_charge_configuration has no effect: this EVSE has no ISO 15118")

    async def update_allowed_energy_transfer_modes(
        self, allowed_energy_transfer_modes: list[EnergyTransferMode]
    ) -> UpdateAllowedEnergyTransferModesResult:
        return UpdateAllowedEnergyTransferModesResult.NoHlc

    async def set_der_available(self, available: bool) -> SetDerAvailableResult:
        return SetDerAvailableResult.NoHlc

    # --- effects (Outlet) ---

    def session_event(self, effect: Emit) -> None:
        """Publish a session event and, where it follows, selected_protocol."""
        now = self._clock.now()
        self._protocol = events.PROTOCOL_FROM.get(effect.event, self._protocol)
        if effect.event is SessionEventEnum.SessionStarted:
            self._session_log.open(effect.uuid, timestamp(now))
        event = events.build(
            effect,
            self._metering.latest,
            timestamp(now),
            signed_start=self._signed_start,
            signed_stop=self._signed_stop,
            logging_path=self._session_log.path,
        )
        self.publish_session_event(event)
        self._session_log.write(event)
        if effect.event in events.PROTOCOL_FOLLOWS:
            self.publish_selected_protocol(self._protocol)
        if effect.start_reason is StartSessionReason.EVConnected and self._settings.flag("disable_authentication"):
            self._on_free_session()

    def entered(self, state: State) -> None:
        if state is State.WaitingForAuthentication and self._lock is not None:
            self._lock.locked = not self._lock.is_error_active("connector_lock/ConnectorLockFailedLock")
        if self._unlock_when_open and self._lock is not None and not self._machine.contactor_closed:
            self._unlock_when_open = False
            self._lock.release()
        self._on_state(state)

    def session_changes(self) -> None:
        self.publish_ev_info(EVInfo())

    async def begin_transaction(self, effect: BeginTransaction) -> None:
        """Station 2.10: meter, store, then TransactionStarted."""
        sends_start = self._metering.meter.config.send_on_transaction_start
        self._signed_start = self._metering.meter.signed_start() if sends_start else None
        await self._remember(effect.uuid)

    async def end_transaction(self, effect: EndTransaction) -> None:
        """Station 2.10: a last reading and the meter's stop, before ChargingFinished and TransactionFinished."""
        await self._metering.take()
        self._signed_start = self._metering.meter.signed_start()
        self._signed_stop = self._metering.meter.signed_stop()

    async def forget_transaction(self) -> None:
        await self._remember("")

    def unplugged(self) -> None:
        for error_type in self._own_errors:
            self.clear_error(error_type)
            self._controller.faults.cleared(error_type)
        if self._own_errors:
            self._own_errors.clear()
            self._controller.refresh_faults()
        if self._lock is not None:
            self._lock.release()

    def show_inoperative(self, inoperative: Inoperative | None) -> None:
        self.clear_error(INOPERATIVE)
        if inoperative is not None:
            self.raise_error(
                INOPERATIVE,
                message=inoperative.message,
                description=inoperative.description,
                severity=Severity.High,
                vendor_id=inoperative.vendor_id,
            )

    # --- errors and power loss ---

    def raise_own(self, error_type: str, message: str, severity: Severity) -> None:
        """An error of the EVSE itself; it is cleared at unplug (station 2.7)."""
        self.raise_error(error_type, message=message, severity=severity)
        self._own_errors.add(error_type)
        self._controller.faults.raised(error_type)
        self._controller.refresh_faults()

    async def report_power_loss(self) -> None:
        """SessionResumed, TransactionFinished(PowerLoss) for a transaction that a kill cut off (2.10, DEPARTURE E3)."""
        if self._session_store is None:
            return
        register, key = self._session_store
        uuid = await register.load(key)
        if not isinstance(uuid, str) or not uuid:
            return
        log.warning("the transaction of session %s was cut off; it is reported as PowerLoss", uuid)
        self.session_event(Emit(SessionEventEnum.SessionResumed, uuid))
        self._signed_start = self._metering.meter.signed_start()
        self._signed_stop = self._metering.meter.signed_stop()
        self.session_event(
            Emit(SessionEventEnum.TransactionFinished, uuid, stop_reason=StopTransactionReason.PowerLoss)
        )
        await self._remember("")

    async def _remember(self, uuid: str) -> None:
        if self._session_store is not None:
            register, key = self._session_store
            await register.store(key, uuid)
