"""What the core asks for, as commands and variables of the bus (libocpp 9.5).

A failing bus command never stops the core: it is logged, and the answer is the one a station gives that cannot do it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from everest.contracts.types import authorization, evse_manager, ocpp, system
from everest.contracts.types import reservation as bus_reservation
from everest.runtime import ApiError, CommandError, Shutdown
from ocpp16 import ReservationCheckStatus
from ocpp16 import messages as m

from .connectors import EvseConnector
from .times import format_time

if TYPE_CHECKING:
    from .ocpp import OCPP

log = logging.getLogger(__name__)
T = TypeVar("T")

CSMS_PRIORITY = 5000
FILE_NAME_LENGTH = 255
UNSIGNED_REQUEST = -1
"""The request_id that stands for the unsigned messages GetDiagnostics and UpdateFirmware."""

CONFIGURATION_KEYS = ("ConnectionTimeOut", "ISO15118PnCEnabled", "CentralContractValidationAllowed")
"""Keys whose value the bus is told, at start and at each change."""


async def attempt(call: Awaitable[T], what: str, default: T) -> T:
    """The result of a bus command, or `default` where it failed or its interface forbids it (validate_schema)."""
    try:
        return await call
    except Shutdown:
        log.debug("%s was not answered before the end", what)
        return default
    except (CommandError, ApiError) as error:
        log.error("%s failed: %s: %s", what, type(error).__name__, error)
        return default


class Orders:
    """The core's callbacks. `register` puts all of them in place.

    All are async, also those that only publish: the core runs plain callbacks in a worker thread, and the bus belongs
    to the event loop.
    """

    def __init__(self, module: OCPP) -> None:
        self._module = module

    def register(self) -> None:
        core = self._module.core
        core.register_pause_charging_callback(self.pause_charging)
        core.register_resume_charging_callback(self.resume_charging)
        core.register_stop_transaction_callback(self.stop_transaction)
        core.register_unlock_connector_callback(self.unlock_connector)
        core.register_enable_evse_callback(self.enable_evse)
        core.register_disable_evse_callback(self.disable_evse)
        core.register_reserve_now_callback(self.reserve_now)
        core.register_cancel_reservation_callback(self.cancel_reservation)
        core.register_is_token_reserved_for_connector_callback(self.is_token_reserved_for_connector)
        core.register_upload_diagnostics_callback(self.upload_diagnostics)
        core.register_upload_logs_callback(self.upload_logs)
        core.register_update_firmware_callback(self.update_firmware)
        core.register_signed_update_firmware_callback(self.signed_update_firmware)
        core.register_all_connectors_unavailable_callback(self.all_connectors_unavailable)
        core.register_provide_token_callback(self.provide_token)
        core.register_set_system_time_callback(self.set_system_time)
        core.register_is_reset_allowed_callback(self.is_reset_allowed)
        core.register_reset_callback(self.reset)
        core.register_connection_state_changed_callback(self.connection_state_changed)
        core.register_security_event_callback(self.security_event)
        core.register_transaction_started_callback(self.transaction_started)
        core.register_transaction_updated_callback(self.transaction_updated)
        core.register_transaction_stopped_callback(self.transaction_stopped)
        core.register_boot_notification_response_callback(self.boot_notification_response)
        core.register_generic_configuration_key_changed_callback(self.configuration_key_changed)
        if self._module.data_transfer_sink is not None:
            core.register_data_transfer_callback(self.data_transfer)

    # --- EVSE --------------------------------------------------------------------------------------------------------

    def _place(self, connector: int) -> EvseConnector | None:
        place = self._module.connectors.to_bus(connector)
        if place is None:
            log.error("the core asked for connector %d, which does not exist", connector)
        return place

    async def pause_charging(self, connector: int) -> bool:
        place = self._place(connector)
        if place is None:
            return False
        return await attempt(self._module.evse(place.evse_id).pause_charging(), "pause_charging", False)

    async def resume_charging(self, connector: int) -> bool:
        place = self._place(connector)
        if place is None:
            return False
        return await attempt(self._module.evse(place.evse_id).resume_charging(), "resume_charging", False)

    async def stop_transaction(self, connector: int, reason: m.Reason) -> bool:
        place = self._place(connector)
        if place is None:
            return False
        request = evse_manager.StopTransactionRequest(reason=evse_manager.StopTransactionReason(reason.value))
        return await attempt(self._module.evse(place.evse_id).stop_transaction(request), "stop_transaction", False)

    async def unlock_connector(self, connector: int) -> m.UnlockStatus:
        place = self._place(connector)
        if place is None:
            return m.UnlockStatus.NotSupported
        unlock = self._module.evse(place.evse_id).force_unlock(place.connector_id)
        return m.UnlockStatus.Unlocked if await attempt(unlock, "force_unlock", False) else m.UnlockStatus.NotSupported

    async def enable_evse(self, connector: int) -> bool:
        return await self._enable_disable(connector, evse_manager.EnableDisableSourceEnableState.Enable)

    async def disable_evse(self, connector: int) -> bool:
        return await self._enable_disable(connector, evse_manager.EnableDisableSourceEnableState.Disable)

    async def _enable_disable(self, connector: int, state: evse_manager.EnableDisableSourceEnableState) -> bool:
        """The whole EVSE is meant (connector 0), as the original does, unless it has several connectors. There is no
        command for the station itself."""
        if connector == 0:
            return True
        place = self._place(connector)
        if place is None:
            return False
        alone = len(self._module.connectors.of_evse(place.evse_id)) == 1
        source = evse_manager.EnableDisableSource(
            enable_source=evse_manager.EnableDisableSourceEnableSource.CSMS,
            enable_state=state,
            enable_priority=CSMS_PRIORITY,
        )
        wanted = state is evse_manager.EnableDisableSourceEnableState.Enable
        order = self._module.evse(place.evse_id).enable_disable(0 if alone else place.connector_id, source)
        return await attempt(order, "enable_disable", not wanted) == wanted

    # --- tokens and reservations -------------------------------------------------------------------------------------

    async def provide_token(self, id_token: str, connectors: list[int], prevalidated: bool) -> None:
        places = [self._module.connectors.to_bus(connector) for connector in connectors]
        self._module.auth_provider.publish_provided_token(
            authorization.ProvidedIdToken(
                id_token=authorization.IdToken(value=id_token, type=authorization.IdTokenType.Central),
                authorization_type=authorization.AuthorizationType.OCPP,
                connectors=list(dict.fromkeys(place.evse_id for place in places if place is not None)),
                prevalidated=prevalidated,
            )
        )

    async def reserve_now(
        self, reservation_id: int, connector: int, expiry_date: str, id_tag: str, parent_id: str | None = None
    ) -> m.ReservationStatus:
        place = self._place(connector) if connector else None
        if connector and place is None:
            return m.ReservationStatus.Rejected
        request = bus_reservation.Reservation(
            reservation_id=reservation_id,
            id_token=id_tag,
            expiry_time=expiry_date,
            parent_id_token=parent_id,
            evse_id=None if place is None else place.evse_id,
        )
        rejected = bus_reservation.ReservationResult.Rejected
        result = await attempt(self._module.reservation.reserve_now(request), "reserve_now", rejected)
        return m.ReservationStatus(result.value)

    async def cancel_reservation(self, reservation_id: int) -> bool:
        return await attempt(self._module.reservation.cancel_reservation(reservation_id), "cancel_reservation", False)

    async def is_token_reserved_for_connector(self, connector: int, id_token: str) -> ReservationCheckStatus:
        place = self._place(connector) if connector else None
        check = bus_reservation.ReservationCheck(id_token=id_token, evse_id=None if place is None else place.evse_id)
        unknown = bus_reservation.ReservationCheckStatus.NotReserved
        result = await attempt(self._module.reservation.exists_reservation(check), "exists_reservation", unknown)
        return ReservationCheckStatus(result.value)

    # --- system ------------------------------------------------------------------------------------------------------

    async def upload_diagnostics(self, request: m.GetDiagnosticsRequest) -> m.GetLogResponse:
        return await self._upload(
            system.UploadLogsRequest(
                location=request.location,
                oldest_timestamp=_optional_time(request.start_time),
                latest_timestamp=_optional_time(request.stop_time),
                retries=_attempts(request.retries),
                retry_interval_s=request.retry_interval,
            )
        )

    async def upload_logs(self, request: m.GetLogRequest) -> m.GetLogResponse:
        return await self._upload(
            system.UploadLogsRequest(
                location=request.log.remote_location,
                oldest_timestamp=_optional_time(request.log.oldest_timestamp),
                latest_timestamp=_optional_time(request.log.latest_timestamp),
                retries=_attempts(request.retries),
                retry_interval_s=request.retry_interval,
                type=request.log_type.value,
                request_id=request.request_id,
            )
        )

    async def _upload(self, request: system.UploadLogsRequest) -> m.GetLogResponse:
        rejected = system.UploadLogsResponse(upload_logs_status=system.UploadLogsStatus.Rejected)
        answer = await attempt(self._module.system.upload_logs(request), "upload_logs", rejected)
        return m.GetLogResponse(
            status=m.LogStatusEnumType(answer.upload_logs_status.value),
            filename=None if answer.file_name is None else answer.file_name[:FILE_NAME_LENGTH],
        )

    async def update_firmware(self, request: m.UpdateFirmwareRequest) -> None:
        await self._update(
            system.FirmwareUpdateRequest(
                location=request.location,
                request_id=UNSIGNED_REQUEST,
                retrieve_timestamp=format_time(request.retrieve_date),
                retries=_attempts(request.retries),
                retry_interval_s=request.retry_interval,
            )
        )

    async def signed_update_firmware(self, request: m.SignedUpdateFirmwareRequest) -> m.UpdateFirmwareStatusEnumType:
        firmware = request.firmware
        answer = await self._update(
            system.FirmwareUpdateRequest(
                location=firmware.location,
                request_id=request.request_id,
                retrieve_timestamp=format_time(firmware.retrieve_date_time),
                install_timestamp=_optional_time(firmware.install_date_time),
                signature=firmware.signature,
                signing_certificate=firmware.signing_certificate,
                retries=_attempts(request.retries),
                retry_interval_s=request.retry_interval,
            )
        )
        return m.UpdateFirmwareStatusEnumType(answer.value)

    async def _update(self, request: system.FirmwareUpdateRequest) -> system.UpdateFirmwareResponse:
        rejected = system.UpdateFirmwareResponse.Rejected
        return await attempt(self._module.system.update_firmware(request), "update_firmware", rejected)

    async def all_connectors_unavailable(self) -> None:
        await attempt(self._module.system.allow_firmware_installation(), "allow_firmware_installation", None)

    async def set_system_time(self, timestamp: str) -> None:
        await attempt(self._module.system.set_system_time(timestamp), "set_system_time", False)

    async def is_reset_allowed(self, reset_type: m.ResetType) -> bool:
        allowed = self._module.system.is_reset_allowed(system.ResetType(reset_type.value))
        return await attempt(allowed, "is_reset_allowed", False)

    async def reset(self, reset_type: m.ResetType) -> None:
        """Stop the core, then the station. The system module ends everything, this module included."""
        await asyncio.sleep(self._module.reset_stop_delay)
        await self._module.stop_for_reset()
        await attempt(self._module.system.reset(system.ResetType(reset_type.value), False), "reset", None)

    # --- what the bus is told ----------------------------------------------------------------------------------------

    async def connection_state_changed(self, is_connected: bool, *_slot_and_profile: object) -> None:
        self._module.publish_connection(is_connected)

    async def security_event(self, event_type: str, tech_info: str) -> None:
        event = ocpp.SecurityEvent(type=event_type, info=tech_info)
        self._module.generic.publish_security_event(event)
        self._module.main.publish_security_event(event)

    async def transaction_started(self, connector: int, session_id: str) -> None:
        self._transaction(ocpp.TransactionEvent.Started, connector, session_id, None)

    async def transaction_updated(
        self, connector: int, session_id: str, transaction_id: int, id_tag_info: m.IdTagInfo
    ) -> None:
        self._transaction(ocpp.TransactionEvent.Updated, connector, session_id, transaction_id)
        place = self._place(connector)
        if id_tag_info.parent_id_tag is None or place is None:
            return
        self._module.auth_validator.publish_validate_result_update(
            authorization.ValidationResultUpdate(
                connector_id=place.evse_id,
                validation_result=authorization.ValidationResult(
                    authorization_status=authorization.AuthorizationStatus(id_tag_info.status.value),
                    tariff_messages=[],
                    parent_id_token=authorization.IdToken(
                        value=id_tag_info.parent_id_tag, type=authorization.IdTokenType.ISO14443
                    ),
                ),
            )
        )

    async def transaction_stopped(self, connector: int, session_id: str, transaction_id: int) -> None:
        self._transaction(ocpp.TransactionEvent.Ended, connector, session_id, transaction_id)

    def _transaction(
        self, kind: ocpp.TransactionEvent, connector: int, session_id: str, transaction_id: int | None
    ) -> None:
        # The original puts the OCPP connector where an EVSE id belongs; with one connector per EVSE they are equal.
        place = self._place(connector)
        self._module.generic.publish_ocpp_transaction_event(
            ocpp.OcppTransactionEvent(
                transaction_event=kind,
                session_id=session_id,
                transaction_id=None if transaction_id is None else str(transaction_id),
                evse=None if place is None else ocpp.EVSE(id=place.evse_id, connector_id=place.connector_id),
            )
        )

    async def boot_notification_response(self, response: m.BootNotificationResponse) -> None:
        self._module.generic.publish_boot_notification_response(
            ocpp.BootNotificationResponse(
                status=ocpp.RegistrationStatus(response.status.value),
                current_time=format_time(response.current_time),
                interval=response.interval,
            )
        )

    async def data_transfer(self, request: m.DataTransferRequest) -> m.DataTransferResponse:
        sink = self._module.data_transfer_sink
        offline = ocpp.DataTransferResponse(status=ocpp.DataTransferStatus.Offline)
        assert sink is not None
        bus_request = ocpp.DataTransferRequest(
            vendor_id=request.vendor_id, message_id=request.message_id, data=request.data
        )
        answer = await attempt(sink.data_transfer(bus_request), "data_transfer", offline)
        if answer.status is ocpp.DataTransferStatus.Offline:
            return m.DataTransferResponse(status=m.DataTransferStatus.UnknownVendorId)
        return m.DataTransferResponse(status=m.DataTransferStatus(answer.status.value), data=answer.data)

    # --- configuration -----------------------------------------------------------------------------------------------

    async def configuration_key_changed(self, key_value: m.KeyValue) -> None:
        await self.forward_configuration(key_value.key, key_value.value or "")

    async def forward_configuration(self, key: str, value: str) -> None:
        """Tell the bus the value of one of CONFIGURATION_KEYS (text as OCPP writes it)."""
        enabled = value.casefold() == "true"
        if key == "ConnectionTimeOut":
            await self.set_connection_timeout(int(value))
        elif key == "ISO15118PnCEnabled":
            await self._plug_and_charge(evse_manager.PlugAndChargeConfiguration(pnc_enabled=enabled))
        elif key == "CentralContractValidationAllowed":
            await self._plug_and_charge(
                evse_manager.PlugAndChargeConfiguration(central_contract_validation_allowed=enabled)
            )

    async def set_connection_timeout(self, seconds: int) -> None:
        """As given, also outside the 10..300 s of the interface (libocpp, precision 16)."""
        what = f"set_connection_timeout of {seconds} s, which Auth therefore does not use,"
        await attempt(self._module.auth.set_connection_timeout(seconds), what, None)

    async def _plug_and_charge(self, configuration: evse_manager.PlugAndChargeConfiguration) -> None:
        for evse in self._module.evse_managers:
            call = evse.set_plug_and_charge_configuration(configuration)
            await attempt(call, "set_plug_and_charge_configuration", None)


def _attempts(retries: int | None) -> int | None:
    """OCPP counts repeats, the bus counts attempts."""
    return None if retries is None else retries + 1


def _optional_time(time: Any) -> str | None:
    return None if time is None else format_time(time)
