"""What the integrator may ask of the CSMS and of the core's knowledge (libocpp 2.4).

Plug & Charge and composite schedules belong to capabilities that this version does not have: they answer as a station
without them. May import: core. Must not import: connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from ocpp16.core import Core
from ocpp16.errors import NotSupportedError, UsageError
from ocpp16.messages import AuthorizationStatus, ChargingRateUnitType, DataTransferResponse, IdTagInfo
from ocpp16.ports import Store
from ocpp16.store.rows import TransactionRow


class AuthorizationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tag. `tariff_message` comes with the pricing extension only."""

    id_tag_info: IdTagInfo
    tariff_message: Any = None


class AuthorizationStatusEnumType(StrEnum):
    """Status of an OCPP 2.0.1 AuthorizeResponse, as far as it is answered here."""

    Invalid = "Invalid"


class PncAuthorizeResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a contract of Plug & Charge (libocpp 5.4)."""

    status: AuthorizationStatusEnumType = AuthorizationStatusEnumType.Invalid
    certificate_status: str | None = None


class ProtocolMethods:
    """Mixed into `ChargePoint`."""

    _core: Core | None
    _ended: bool
    _store: Store
    _open_store: Callable[[], Awaitable[None]]

    async def authorize_id_token(self, id_token: str) -> AuthorizationResult:
        """Whether this tag may charge (libocpp 3.4); up to 60 s. Invalid after `stop`. Raises UsageError for more than
        20 characters."""
        if self._core is None and self._ended:
            return AuthorizationResult(id_tag_info=IdTagInfo(status=AuthorizationStatus.Invalid))
        authorization = self._needed("authorize_id_token").authorization
        return AuthorizationResult(id_tag_info=await authorization.authorize_id_token(id_token))

    async def data_transfer(
        self, vendor_id: str, message_id: str | None = None, data: str | None = None
    ) -> DataTransferResponse | None:
        """DataTransfer.req; None if offline, refused or not answered in 60 s."""
        if self._core is None and self._ended:
            return None
        return await self._needed("data_transfer").data_transfer.send(vendor_id, message_id, data)

    async def data_transfer_pnc_authorize(
        self,
        emaid: str,
        certificate: str | None = None,
        iso15118_certificate_hash_data: Sequence[Any] | None = None,
    ) -> PncAuthorizeResponse:
        """A contract nobody checks is not accepted: Invalid."""
        return PncAuthorizeResponse()

    async def data_transfer_pnc_get_15118_ev_certificate(
        self, connector: int, exi_request: str, iso15118_schema_version: str, certificate_action: Any
    ) -> None:
        """Raises NotSupportedError: Plug & Charge comes with a later version."""
        raise NotSupportedError("contract certificates need Plug & Charge, which this version does not have")

    async def get_all_composite_charging_schedules(
        self, duration_s: int, unit: ChargingRateUnitType = ChargingRateUnitType.A
    ) -> Mapping[int, Any]:
        """Raises NotSupportedError: smart charging comes with a later version."""
        raise NotSupportedError("composite schedules need SmartCharging, which this version does not have")

    async def get_all_enhanced_composite_charging_schedules(
        self, duration_s: int, unit: ChargingRateUnitType = ChargingRateUnitType.A
    ) -> Mapping[int, Any]:
        """Raises NotSupportedError: smart charging comes with a later version."""
        raise NotSupportedError("composite schedules need SmartCharging, which this version does not have")

    # --- not in libocpp: for an integrator that starts while EVSEs are charging ---------------------------------------

    async def open_transactions(self) -> list[TransactionRow]:
        """Transactions that the CSMS has not acknowledged, oldest first; also before `init`."""
        await self._open_store()
        return await self._store.open_transactions()

    async def end_unfinished_transaction(self, connector: int, session_id: str) -> None:
        """A transaction taken as going on has ended unseen: StopTransaction.req by PowerLoss, from the meter
        register."""
        core = self._needed("end_unfinished_transaction")
        async with core.turn(connector):
            await core.transactions.end_unfinished(session_id)

    def _needed(self, method: str) -> Core:
        if self._core is None:
            raise UsageError(f"{method} needs an initialised charge point: call init() or start() first")
        return self._core
