"""The implementation `evse` (evse_manager): commands in, session events and variables out (station 2.3 to 2.9).

Thin: commands become inputs of the session machine, effects become messages. Is the `Outlet` of the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import getLogger

from everest.contracts.interfaces.evse_manager import EvseManagerImplementation
from everest.contracts.types.authorization import (
    AuthorizationStatus,
    AuthorizationType,
    ProvidedIdToken,
    ValidationResult,
)
from everest.contracts.types.evse_manager import (
    Connector,
    EnableDisableSource,
    EVInfo,
    Evse,
    HlcSessionFailedEvent,
    HlcSessionFailedReasonEnum,
    PlugAndChargeConfiguration,
    SessionEventEnum,
    SetDerAvailableResult,
    StartSessionReason,
    StopTransactionReason,
    StopTransactionRequest,
    UpdateAllowedEnergyTransferModesResult,
)
from everest.contracts.types.iso15118 import EnergyTransferMode
from everest.contracts.types.powermeter import TransactionRequestStatus
from everest.contracts.types.units_signed import SignedMeterValue
from everest.runtime import Clock, Severity
from everest.runtime.clock import timestamp

from . import events
from .availability import HIGHEST_PRIORITY, is_allowed
from .billing import Billing, transaction_request
from .commands import shown
from .controller import Controller
from .faults import Inoperative
from .hardware import Lock
from .register import Register
from .session_log import SessionLog
from .settings import Settings
from .states import BeginTransaction, Emit, EndTransaction, State
from .v2g import V2G

log = getLogger(__name__)

INOPERATIVE = "evse_manager/Inoperative"
MREC9 = "evse_manager/MREC9AuthorizationTimeout"
METER_START_FAILED = "evse_manager/PowermeterTransactionStartFailed"

LOCKED_FROM_B = frozenset({State.WaitingForAuthentication})
V2G_OVER = frozenset({State.Idle, State.Finished, State.Disabled})
"""States in which no car can be talked to by ISO 15118 any more."""
UNLOCKED_IN_B = frozenset({State.ChargingPausedEV, State.ChargingPausedEVSE, State.Finished})
"""States with the contactor open, in which a lock that holds only while charging lets go."""


class EvseManager(EvseManagerImplementation):
    """One EVSE on the bus."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        controller: Controller,
        billing: Billing,
        lock: Lock | None,
        v2g: V2G,
        session_store: tuple[Register, str] | None,
        on_state: Callable[[State], None],
        on_free_session: Callable[[], None],
    ) -> None:
        self.external_ready = asyncio.Event()
        self._settings = settings
        self._clock = clock
        self._controller = controller
        self._machine = controller.machine
        self._billing = billing
        self._lock = lock
        self._v2g = v2g
        self._session_store = session_store
        self._on_state = on_state
        self._on_free_session = on_free_session
        self.session_log = SessionLog.from_settings(settings)
        self._protocol = events.UNKNOWN_PROTOCOL
        self._signed_start: SignedMeterValue | None = None
        self._signed_stop: SignedMeterValue | None = None
        self._tariff_text: str | None = None
        self._unlock_when_open = False
        self._own_errors: set[str] = set()

    # --- commands ---

    async def get_evse(self) -> Evse:
        connector = Connector(id=1, type=self._settings.connector_type)
        return Evse(id=self._settings.connector_id, connectors=[connector])

    async def enable_disable(self, connector_id: int, cmd_source: EnableDisableSource) -> bool:
        """True if the EVSE is enabled afterwards, also where the call is refused for its priority (station 2.6)."""
        if not is_allowed(cmd_source):
            what = f"enable_priority {cmd_source.enable_priority} is not 0 to {HIGHEST_PRIORITY}"
            log.error("enable_disable of %s is refused: %s", cmd_source.enable_source, what)
            return self._machine.table.enabled
        enabled = self._machine.set_availability(cmd_source, connector_id)
        await self._controller.drive()
        return enabled

    async def authorize_response(self, provided_token: ProvidedIdToken, validation_result: ValidationResult) -> None:
        kind = provided_token.authorization_type
        if validation_result.authorization_status is not AuthorizationStatus.Accepted:
            if kind is AuthorizationType.PlugAndCharge:
                self._v2g.refused()
            return
        if not self._v2g.takes(kind):
            log.warning("the token %s is ignored: the car's contract is waited for", provided_token.id_token.value)
            return
        if self._machine.authorize(provided_token, validation_result.reservation_id):
            self._tariff_text = next((text.content for text in validation_result.tariff_messages), None)
            self._v2g.accepted(kind)
        else:
            log.warning("authorize_response in state %s is ignored", self._machine.state)
        self._controller.wake()

    async def withdraw_authorization(self) -> None:
        plug_in_timeout = self._machine.withdraw()
        if plug_in_timeout:
            self._v2g.refused()
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
        """Counts from the next session set-up on (station 2.9)."""
        self._v2g.configure(plug_and_charge_configuration)

    async def update_allowed_energy_transfer_modes(
        self, allowed_energy_transfer_modes: list[EnergyTransferMode]
    ) -> UpdateAllowedEnergyTransferModesResult:
        """DEPARTURE E2: the list is taken; the simulated car has one mode only and does not choose."""
        if not self._settings.hlc:
            return UpdateAllowedEnergyTransferModesResult.NoHlc
        return UpdateAllowedEnergyTransferModesResult.Accepted

    async def set_der_available(self, available: bool) -> SetDerAvailableResult:
        return SetDerAvailableResult.Accepted if self._settings.hlc else SetDerAvailableResult.NoHlc

    # --- effects (Outlet) ---

    def session_event(self, effect: Emit) -> None:
        """Publish a session event and, where it follows, selected_protocol."""
        now = self._clock.now()
        self._protocol = events.PROTOCOL_FROM.get(effect.event, self._protocol)
        if effect.event is SessionEventEnum.SessionStarted:
            self.session_log.open(effect.uuid, timestamp(now))
        event = events.build(
            effect,
            self._billing.latest,
            timestamp(now),
            signed_start=self._signed_start,
            signed_stop=self._signed_stop,
            logging_path=self.session_log.path,
        )
        self.publish_session_event(event)
        self.session_log.write(event)
        if effect.event in events.PROTOCOL_FOLLOWS:
            self.publish_selected_protocol(self._protocol)
        if effect.start_reason is StartSessionReason.EVConnected and self._settings.flag("disable_authentication"):
            self._on_free_session()

    def speaks(self, protocol: str) -> None:
        """The protocol that car and EVSE agreed on; named only where there is a session log (station 2.3)."""
        if self._settings.flag("session_logging"):
            self._protocol = protocol

    def entered(self, state: State) -> None:
        self._move_lock(state)
        if state in (State.Idle, State.WaitingForAuthentication):
            self._v2g.plug_changed()
        if state in V2G_OVER:
            self._v2g.end()
        self._on_state(state)

    def _move_lock(self, state: State) -> None:
        """Locked with a car, or only while charging (lock_connector_in_state_b); an unlock that waits comes first."""
        if self._lock is None:
            return
        if self._unlock_when_open and not self._machine.contactor_closed:
            self._unlock_when_open = False
            self._lock.release()
            return
        wish = self._lock_wish(state)
        if wish is not None:
            self._lock.engage() if wish else self._lock.release()

    def _lock_wish(self, state: State) -> bool | None:
        """True: locked from here on; None: as it is."""
        in_b = self._settings.flag("lock_connector_in_state_b")
        if state is State.Charging or (in_b and state in LOCKED_FROM_B):
            return True
        done = state is State.Finished and self._settings.flag("unlock_when_deauthorized")
        return False if done or (not in_b and state in UNLOCKED_IN_B) else None

    def session_changes(self) -> None:
        self.publish_ev_info(EVInfo())
        self._v2g.set_up(session=bool(self._machine.uuid))

    async def begin_transaction(self, effect: BeginTransaction) -> bool:
        """Station 2.10: meter, store, then TransactionStarted. False: the meter could not, there is no transaction."""
        self._signed_start = self._signed_stop = None
        request = transaction_request(self._settings.text("evse_id"), effect.uuid, effect.id_tag, self._tariff_text)
        answer = await self._billing.start(request)
        if answer.status is TransactionRequestStatus.UNEXPECTED_ERROR:
            log.error("the power meter did not start the transaction: %s", answer.error)
            if self._settings.flag("fail_on_powermeter_errors"):
                text = answer.error or "The power meter did not start the transaction"
                self.raise_own(METER_START_FAILED, text, Severity.Medium)
                return False
        self._signed_start = answer.signed_meter_value
        await self._remember(effect.uuid)
        return True

    async def end_transaction(self, effect: EndTransaction) -> None:
        """Station 2.10: a last reading and the meter's stop, before ChargingFinished and TransactionFinished."""
        await self._billing.settle()
        await self._stop_meter(effect.uuid)

    async def _stop_meter(self, uuid: str) -> None:
        answer = await self._billing.stop(uuid)
        if answer.status is not TransactionRequestStatus.OK:
            log.error("the power meter did not stop transaction %s: %s %s", uuid, answer.status, answer.error)
        self._signed_start = self._signed_start or answer.start_signed_meter_value
        self._signed_stop = answer.signed_meter_value

    async def forget_transaction(self) -> None:
        await self._remember("")

    def give_up_hlc(self) -> None:
        """No charge loop in time: the car's V2G session ends, the EVSE's goes on (station 4.2)."""
        log.warning("the car did not begin to charge by ISO 15118 in time; the PWM tells it its current from now on")
        self._v2g.end()
        reason = HlcSessionFailedReasonEnum.EnergyTransferSetupFailed
        self.publish_hlc_session_failed(HlcSessionFailedEvent(uuid=self._machine.uuid, reason=reason))

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

    async def clean_up(self) -> None:
        """What the life before this one left behind: a transaction of the session, one of the meter (station 2.10)."""
        await self._report_power_loss()
        await self._billing.clean_up()

    async def _report_power_loss(self) -> None:
        """SessionResumed, TransactionFinished(PowerLoss) for a transaction that a kill cut off (2.10, DEPARTURE E3)."""
        if self._session_store is None:
            return
        register, key = self._session_store
        uuid = await register.load(key)
        if uuid is not None and not isinstance(uuid, str):
            log.error(
                "the stored %s is no session id but %s: a transaction that was open cannot be ended; "
                "store its session id there as a text, or delete the key",
                key,
                shown(repr(uuid)),
            )
        if not isinstance(uuid, str) or not uuid:
            return
        log.warning("the transaction of session %s was cut off; it is reported as PowerLoss", uuid)
        self.session_event(Emit(SessionEventEnum.SessionResumed, uuid))
        await self._stop_meter(uuid)
        self.session_event(
            Emit(SessionEventEnum.TransactionFinished, uuid, stop_reason=StopTransactionReason.PowerLoss)
        )
        await self._remember("")

    async def _remember(self, uuid: str) -> None:
        if self._session_store is not None:
            register, key = self._session_store
            await register.store(key, uuid)
