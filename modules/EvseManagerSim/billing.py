"""The meter that a session is billed by: the simulated one, or a meter module on the bus (station 2.9, 2.10, 9.3).

Two `Billing`s behind one face. What the session's events carry as meter_value is `latest`; start and stop answers are
those of a `powermeter`. `transaction_request` is the request itself. Async shell; no rules of the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from logging import getLogger
from typing import Protocol, TypeVar

from everest.contracts.interfaces.powermeter import PowermeterClient
from everest.contracts.types.authorization import IdTokenType, ProvidedIdToken
from everest.contracts.types.powermeter import (
    OCMFIdentificationType,
    OCMFUserIdentificationStatus,
    Powermeter,
    TransactionReq,
    TransactionRequestStatus,
    TransactionStartResponse,
    TransactionStopResponse,
)
from everest.contracts.types.units_signed import SignedMeterValue
from everest.runtime import CommandError, Shutdown

from .commands import shown
from .metering import Metering, no_reading
from .register import Register
from .signing import Begin, Reading, Signer, from_stored, to_stored

log = getLogger(__name__)
T = TypeVar("T")

HIGHEST_PAGE = 2**53
ANSWER_TIMEOUT_S = 15.0
"""So long a meter on the bus may think about a start or a stop."""

# id token type -> identification type of the request (station 2.10)
IDENTIFICATION: dict[IdTokenType, OCMFIdentificationType] = {
    IdTokenType.Central: OCMFIdentificationType.CENTRAL,
    IdTokenType.eMAID: OCMFIdentificationType.EMAID,
    IdTokenType.ISO14443: OCMFIdentificationType.ISO14443,
    IdTokenType.ISO15693: OCMFIdentificationType.ISO15693,
    IdTokenType.KeyCode: OCMFIdentificationType.KEY_CODE,
    IdTokenType.Local: OCMFIdentificationType.LOCAL,
    IdTokenType.NoAuthorization: OCMFIdentificationType.NONE,
    IdTokenType.MacAddress: OCMFIdentificationType.UNDEFINED,
}

OK = TransactionRequestStatus.OK
FAILED = TransactionRequestStatus.UNEXPECTED_ERROR


def transaction_request(evse_id: str, session: str, token: ProvidedIdToken, tariff_text: str | None) -> TransactionReq:
    """What a meter is asked to open (station 2.10)."""
    return TransactionReq(
        evse_id=evse_id,
        transaction_id=session,
        identification_status=OCMFUserIdentificationStatus.ASSIGNED,
        identification_flags=[],
        identification_type=IDENTIFICATION.get(token.id_token.type, OCMFIdentificationType.UNDEFINED),
        identification_data=token.id_token.value,
        tariff_text=tariff_text,
    )


class Billing(Protocol):
    """The meter of a session."""

    @property
    def latest(self) -> Powermeter:
        """The last reading; an empty one of 0 Wh before the first."""
        ...

    async def settle(self) -> None:
        """Bring `latest` up to date, where the meter can be asked."""
        ...

    async def start(self, request: TransactionReq) -> TransactionStartResponse: ...

    async def stop(self, transaction_id: str) -> TransactionStopResponse: ...

    async def clean_up(self) -> None:
        """At the start: end whatever transaction the meter still has (station 2.10)."""
        ...


class SimulatedBilling:
    """The simulated meter with its signer. What a transaction began with survives a restart under `key`."""

    def __init__(self, metering: Metering, signer: Signer, register: Register, key: str) -> None:
        self._metering = metering
        self._signer = signer
        self._register = register
        self._key = key
        self._page: int | None = None
        self._begun: dict[str, Begin] = {}

    @property
    def latest(self) -> Powermeter:
        return self._metering.latest

    async def settle(self) -> None:
        await self._metering.take()

    async def start(self, request: TransactionReq) -> TransactionStartResponse:
        """Always OK; the signed value only where the configuration sends it at the start (station 3.4)."""
        begin = Begin(request, self._reading())
        begin = replace(begin, signed=self._signer.start(begin, await self._next_page()))
        self._begun = {request.transaction_id: begin}
        if self._signer.paged:
            await self._register.store(self._key + "_begin", to_stored(begin))
        sent = self._metering.meter.config.send_on_transaction_start
        return TransactionStartResponse(status=OK, signed_meter_value=begin.signed if sent else None)

    async def stop(self, transaction_id: str) -> TransactionStopResponse:
        """Always OK. Of a transaction that is not known any more only the end is signed."""
        known = self._begun.get(transaction_id)
        begin = known or await self._stored(transaction_id)
        if begin is not None and begin.signed is not None:
            start: SignedMeterValue | None = begin.signed
        else:
            start = self._signer.start(begin, await self._next_page())
        cut_off = known is None and begin is not None
        stop = self._signer.stop(begin, self._reading(), await self._next_page(), power_lost=cut_off)
        return TransactionStopResponse(status=OK, start_signed_meter_value=start, signed_meter_value=stop)

    async def clean_up(self) -> None:
        """The simulated meter has none."""

    def _reading(self) -> Reading:
        latest = self._metering.latest
        return Reading(at=latest.timestamp.removesuffix("Z"), total_Wh=latest.energy_Wh_import.total)

    async def _stored(self, transaction_id: str) -> Begin | None:
        stored = await self._register.load(self._key + "_begin") if self._signer.paged else None
        if stored is None:
            return None
        try:
            begin = from_stored(stored)
        except ValueError as error:
            log.error("the stored start of transaction %s is unusable: %s", transaction_id, shown(str(error)))
            return None
        return begin if begin.request.transaction_id == transaction_id else None

    async def _next_page(self) -> int:
        """The number of the next document; a meter never uses one twice."""
        if not self._signer.paged:
            return 0
        if self._page is None:
            stored = await self._register.load(self._key + "_page")
            self._page = stored if isinstance(stored, int) and 0 < stored <= HIGHEST_PAGE else 0
            if stored is not None and stored != self._page:
                log.error(
                    "the stored %s_page is no page of a meter: %s; they begin at 1", self._key, shown(repr(stored))
                )
        self._page += 1
        await self._register.store(self._key + "_page", self._page)
        return self._page


class BusMeter:
    """A meter module behind `powermeter_car_side` or `powermeter_grid_side`; its readings are passed on as they are."""

    def __init__(self, client: PowermeterClient, passed_on: Callable[[Powermeter], None]) -> None:
        self._client = client
        self._passed_on = passed_on
        self._latest = no_reading()
        self.first_reading = asyncio.Event()
        client.on_powermeter(self._take)

    @property
    def latest(self) -> Powermeter:
        return self._latest

    async def settle(self) -> None:
        """The meter publishes when it likes: nothing to be asked."""

    async def start(self, request: TransactionReq) -> TransactionStartResponse:
        answer = await self._ask(lambda: self._client.start_transaction(request), "start_transaction")
        return answer or TransactionStartResponse(status=FAILED, error="no answer")

    async def stop(self, transaction_id: str) -> TransactionStopResponse:
        answer = await self._ask(lambda: self._client.stop_transaction(transaction_id), "stop_transaction")
        return answer or TransactionStopResponse(status=FAILED, error="no answer")

    async def clean_up(self) -> None:
        await self._ask(lambda: self._client.stop_transaction(""), "stop_transaction")

    async def _ask(self, call: Callable[[], Awaitable[T]], what: str) -> T | None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await call()
        except Shutdown:
            log.debug("the module is ending; the meter was not asked to %s", what)
        except (CommandError, TimeoutError) as error:
            log.error("the power meter did not answer %s: %r", what, error)
        return None

    def _take(self, reading: Powermeter) -> None:
        self._latest = reading
        self.first_reading.set()
        self._passed_on(reading)
