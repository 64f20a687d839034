"""What the module provides to others on the bus (libocpp 9.7): thin, every answer is the core's.

What comes before the core is initialised waits a while for it, and is then answered with the refusal of its contract.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderImplementation
from everest.contracts.interfaces.auth_token_validator import AuthTokenValidatorImplementation
from everest.contracts.interfaces.ocpp import OcppImplementation
from everest.contracts.interfaces.ocpp_1_6_charge_point import Ocpp16ChargePointImplementation
from everest.contracts.interfaces.ocpp_data_transfer import OcppDataTransferImplementation
from everest.contracts.interfaces.session_cost import SessionCostImplementation
from everest.contracts.types import authorization, ocpp
from ocpp16 import ChargePoint, UsageError
from ocpp16 import messages as m

from .times import format_time

if TYPE_CHECKING:
    from .ocpp import OCPP

log = logging.getLogger(__name__)

ID_TAG_LENGTH = 20

GET_STATUS = ocpp.GetVariableStatusEnumType
SET_STATUS: dict[m.ConfigurationStatus, ocpp.SetVariableStatusEnumType] = {
    m.ConfigurationStatus.Accepted: ocpp.SetVariableStatusEnumType.Accepted,
    m.ConfigurationStatus.Rejected: ocpp.SetVariableStatusEnumType.Rejected,
    m.ConfigurationStatus.RebootRequired: ocpp.SetVariableStatusEnumType.RebootRequired,
    m.ConfigurationStatus.NotSupported: ocpp.SetVariableStatusEnumType.UnknownVariable,
}


class AuthProvider(AuthTokenProviderImplementation):
    """Tokens of remote starts; published by orders.py."""


class SessionCost(SessionCostImplementation):
    """Costs of the California pricing extension; nothing is published without it."""


class AuthValidator(AuthTokenValidatorImplementation):
    """Asks the core about a token."""

    def __init__(self, module: OCPP) -> None:
        self._module = module

    async def validate_token(self, provided_token: authorization.ProvidedIdToken) -> authorization.ValidationResult:
        core = await self._module.initialised()
        value = provided_token.id_token.value
        plug_and_charge = provided_token.authorization_type is authorization.AuthorizationType.PlugAndCharge
        if core is None or plug_and_charge or not 0 < len(value) <= ID_TAG_LENGTH:
            # Plug & Charge over OCPP 1.6 is not offered yet: a contract that nobody checks is not accepted.
            return _result(authorization.AuthorizationStatus.Unknown)
        info = (await core.authorize_id_token(value)).id_tag_info
        return authorization.ValidationResult(
            authorization_status=authorization.AuthorizationStatus(info.status.value),
            tariff_messages=[],
            expiry_time=None if info.expiry_date is None else format_time(info.expiry_date),
            parent_id_token=None
            if info.parent_id_tag is None
            else authorization.IdToken(value=info.parent_id_tag, type=authorization.IdTokenType.Central),
        )


def _result(status: authorization.AuthorizationStatus) -> authorization.ValidationResult:
    return authorization.ValidationResult(authorization_status=status, tariff_messages=[])


class DataTransfer(OcppDataTransferImplementation):
    """DataTransfer from another module to the CSMS."""

    def __init__(self, module: OCPP) -> None:
        self._module = module

    async def data_transfer(self, request: ocpp.DataTransferRequest) -> ocpp.DataTransferResponse:
        core = await self._module.initialised()
        try:
            answer = None
            if core is not None:
                answer = await core.data_transfer(request.vendor_id, request.message_id, request.data)
        except UsageError as error:
            log.error("data of another module cannot be sent: %s", error)
            return ocpp.DataTransferResponse(status=ocpp.DataTransferStatus.Rejected)
        if answer is None:
            return ocpp.DataTransferResponse(status=ocpp.DataTransferStatus.Offline)
        return ocpp.DataTransferResponse(status=ocpp.DataTransferStatus(answer.status.value), data=answer.data)


class ChargePoint16(Ocpp16ChargePointImplementation):
    """`main`: control and configuration by OCPP 1.6 keys."""

    def __init__(self, module: OCPP) -> None:
        self._module = module

    async def stop(self) -> bool:
        return await self._module.stop_by_command()

    async def restart(self) -> bool:
        return await self._module.restart_by_command()

    async def get_configuration_key(self, keys: list[str]) -> ocpp.GetConfigurationResponse:
        core = await self._module.configured()
        if core is None:
            return ocpp.GetConfigurationResponse(configuration_keys=[], unknown_keys=keys)
        report = core.get_configuration_key(keys)
        return ocpp.GetConfigurationResponse(
            configuration_keys=[_key_value(entry) for entry in report.configuration_key or ()],
            unknown_keys=list(report.unknown_key or ()),
        )

    async def set_configuration_key(self, key: str, value: str) -> ocpp.ConfigurationStatus:
        core = await self._module.configured()
        if core is None:
            return ocpp.ConfigurationStatus.Rejected
        return ocpp.ConfigurationStatus((await core.set_configuration_key(key, value)).value)

    async def monitor_configuration_keys(self, keys: list[str]) -> None:
        await self._module.configured()
        for key in keys:
            self._module.monitor_key(key, lambda changed: self.publish_configuration_key(_key_value(changed)))

    async def security_event(self, type: str, info: str) -> None:
        await self._module.report_security_event(ocpp.SecurityEvent(type=type, info=info))


def _key_value(entry: m.KeyValue) -> ocpp.KeyValue:
    return ocpp.KeyValue(key=entry.key, read_only=entry.readonly, value=entry.value)


class Generic(OcppImplementation):
    """`ocpp_generic`: what all OCPP versions have in common. Component and instance are ignored (DEPARTURE 52)."""

    def __init__(self, module: OCPP) -> None:
        self._module = module

    async def stop(self) -> bool:
        return await self._module.stop_by_command()

    async def restart(self) -> bool:
        return await self._module.restart_by_command()

    async def security_event(self, event: ocpp.SecurityEvent) -> None:
        await self._module.report_security_event(event)

    async def get_variables(self, requests: list[ocpp.GetVariableRequest]) -> list[ocpp.GetVariableResult]:
        core = await self._module.configured()
        return [self._get_variable(core, request.component_variable.variable.name) for request in requests]

    def _get_variable(self, core: ChargePoint | None, name: str) -> ocpp.GetVariableResult:
        if core is None:
            return ocpp.GetVariableResult(status=GET_STATUS.Rejected, component_variable=_component_variable(name))
        found = core.get_configuration_key([name]).configuration_key
        if not found or found[0].value is None:
            return ocpp.GetVariableResult(
                status=GET_STATUS.UnknownVariable, component_variable=_component_variable(name)
            )
        return ocpp.GetVariableResult(
            status=GET_STATUS.Accepted,
            component_variable=_component_variable(name),
            attribute_type=ocpp.AttributeEnum.Actual,
            value=found[0].value,
        )

    async def set_variables(self, requests: list[ocpp.SetVariableRequest], source: str) -> list[ocpp.SetVariableResult]:
        return [await self._set_variable(request) for request in requests]

    async def _set_variable(self, request: ocpp.SetVariableRequest) -> ocpp.SetVariableResult:
        core = await self._module.configured()
        status = ocpp.SetVariableStatusEnumType.Rejected
        if core is not None:
            name = request.component_variable.variable.name
            status = SET_STATUS[await core.set_configuration_key(name, request.value)]
        return ocpp.SetVariableResult(status=status, component_variable=request.component_variable)

    async def change_availability(self, request: ocpp.ChangeAvailabilityRequest) -> ocpp.ChangeAvailabilityResponse:
        core = await self._module.initialised()
        rejected = ocpp.ChangeAvailabilityStatusEnumType.Rejected
        if core is None:
            return ocpp.ChangeAvailabilityResponse(status=rejected)
        connector = self._connector(request.evse)
        if connector is None:
            info = ocpp.StatusInfoType(
                reason_code="InvalidInput", additional_info="evse must name an existing EVSE and its connector_id"
            )
            return ocpp.ChangeAvailabilityResponse(status=rejected, status_info=info)
        answer = await core.on_change_availability(
            m.ChangeAvailabilityRequest(
                connector_id=connector, type=m.AvailabilityType(request.operational_status.value)
            )
        )
        return ocpp.ChangeAvailabilityResponse(status=ocpp.ChangeAvailabilityStatusEnumType(answer.status.value))

    def _connector(self, evse: ocpp.EVSE | None) -> int | None:
        if evse is None:
            return 0
        if evse.connector_id is None:
            return None
        return self._module.connectors.to_ocpp(evse.id, evse.connector_id)

    async def monitor_variables(self, component_variables: list[ocpp.ComponentVariable]) -> None:
        await self._module.configured()
        for component_variable in component_variables:
            self._monitor(component_variable)

    def _monitor(self, component_variable: ocpp.ComponentVariable) -> None:
        def changed(key_value: m.KeyValue) -> None:
            self.publish_event_data(
                ocpp.EventData(
                    component_variable=component_variable,
                    event_id=0,
                    timestamp=format_time(self._module.clock.now()),
                    trigger=ocpp.EventTriggerEnum.Alerting,
                    actual_value=key_value.value or "",
                    event_notification_type=ocpp.EventNotificationType.CustomMonitor,
                )
            )

        self._module.monitor_key(component_variable.variable.name, changed)


def _component_variable(name: str) -> ocpp.ComponentVariable:
    return ocpp.ComponentVariable(component=ocpp.Component(name=""), variable=ocpp.Variable(name=name))
