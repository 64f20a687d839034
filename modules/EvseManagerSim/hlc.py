"""The EVSE's side of ISO 15118 as the bus shows it: EvseV2G and its `extensions` (station 4). No ISO stack is here.

`Hlc` plays one V2G session from iso_start_v2g_session to the answer of Auth: who the car is, its payment option, a
contract if it needs one, the token. State and rules are in v2g.py, certificates in contract.py.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from datetime import timedelta
from logging import getLogger
from pathlib import Path
from typing import Any

from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderImplementation
from everest.contracts.interfaces.evse_security import EvseSecurityClient
from everest.contracts.interfaces.iso15118_extensions import Iso15118ExtensionsImplementation
from everest.contracts.types.authorization import AuthorizationType, IdToken, IdTokenType, ProvidedIdToken
from everest.contracts.types.evse_manager import (
    CarManufacturer,
    EVInfo,
    HlcSessionFailedEvent,
    HlcSessionFailedReasonEnum,
)
from everest.contracts.types.evse_security import CertificateValidationResult, LeafCertificateType, OCSPRequestData
from everest.contracts.types.iso15118 import (
    CertificateActionEnum,
    CertificateHashDataInfo,
    CertificateHashDataInfoHashAlgorithm,
    RequestExiStreamSchema,
    ResponseExiStreamStatus,
    ResponseExiStreamStatusStatus,
)
from everest.runtime import Clock, CommandError
from everest.runtime.clock import timestamp

from .contract import Contract, ContractError, Wallet, read_contract
from .evse import EvseManager
from .exi_messages import SCHEMA_VERSION
from .installation import request, session_id
from .session import SessionMachine
from .settings import Settings
from .v2g import V2G, Payment, Wish, choose

log = getLogger(__name__)

CERTIFICATE_RESPONSE_S = 4.5
TOKEN_AFTER_S = 1.0
PNC_TIMEOUT_S = 55.0
EIM_TIMEOUT_S = 300.0
MAX_HASHES = 4
MAX_REQUEST = 4200
"""Octets of a certificate request: 5600 characters of base64 (station 4.3)."""
PROTOCOL = "ISO15118-2-2013"

MANUFACTURERS: dict[str, CarManufacturer] = {
    "00:7D:FA": CarManufacturer.VolkswagenGroup,
    "0C:29:8F": CarManufacturer.Tesla,
    "4C:FC:AA": CarManufacturer.Tesla,
    "54:F8:F0": CarManufacturer.Tesla,
    "98:ED:5C": CarManufacturer.Tesla,
}
"""First half of a MAC address -> maker."""

NO_ROOT = CertificateValidationResult.IssuerNotFound


Reason = HlcSessionFailedReasonEnum


class V2GFailedError(Exception):
    """The V2G session cannot go on; the message says why, `reason` in the words of the bus."""

    def __init__(self, message: str, reason: Reason = Reason.AuthorizationFailed) -> None:
        super().__init__(message)
        self.reason = reason


class TokenProvider(AuthTokenProviderImplementation):
    """`token_provider`: contracts, Autocharge, and the token of `disable_authentication`."""


class Extensions(Iso15118ExtensionsImplementation):
    """`extensions`: certificate requests of the car on their way to the CSMS."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[ResponseExiStreamStatus] | None = None

    async def set_get_certificate_response(self, certificate_response: ResponseExiStreamStatus) -> None:
        if self._waiting is None or self._waiting.done():
            log.warning("set_get_certificate_response: no car is waiting for it (any more); ignored")
        else:
            self._waiting.set_result(certificate_response)

    async def ask(self, exi_request: bytes) -> ResponseExiStreamStatus:
        """Publish the request and wait for the answer. Errors: TimeoutError after 4.5 s (station 4.3)."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.publish_iso15118_certificate_request(
            RequestExiStreamSchema(
                exi_request=base64.b64encode(exi_request).decode(),
                iso15118_schema_version=SCHEMA_VERSION,
                certificate_action=CertificateActionEnum.Install,
            )
        )
        try:
            async with asyncio.timeout(CERTIFICATE_RESPONSE_S):
                return await self._waiting
        finally:
            self._waiting = None


class Hlc:
    """Plays V2G sessions. `spawn` owns their tasks; `car_info` is what the car tells when it charges."""

    def __init__(
        self,
        settings: Settings,
        machine: SessionMachine,
        v2g: V2G,
        evse: EvseManager,
        security: EvseSecurityClient | None,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        car_info: Callable[[], EVInfo],
    ) -> None:
        self.tokens = TokenProvider()
        self.extensions = Extensions()
        self._settings = settings
        self._machine = machine
        self._v2g = v2g
        self._evse = evse
        self._security = security
        self._clock = clock
        self._spawn = spawn
        self._car_info = car_info
        self._wallet = Wallet(Path.cwd() / settings.text("contract_pki"), settings.text("contract_ocsp_url"))
        self._installed = settings.flag("contract_installed")
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._known: EVInfo | None = None
        self._told: EVInfo | None = None
        self._wish: Wish | None = None
        v2g.started, v2g.ended, v2g.news = self._begin, self._end, self._news.set
        v2g.paused, v2g.matched = machine.sleep, self._matched

    def prepare(self) -> None:
        """Make the authority, so that who validates contracts can have its root before the first one comes."""
        if not self._settings.hlc or self._settings.text("contract_chain_file"):
            return
        try:
            self._wallet.authority(self._clock.now())
        except ContractError as error:
            log.error("the simulated car has no contract: %s", error)

    # --- one V2G session

    def _begin(self, wish: Wish) -> None:
        self._wish = wish
        self._told = None
        self._news.clear()
        self._task = self._spawn(self._play(wish), "V2G session")

    def _end(self) -> None:
        task, self._task = self._task, None
        self._known = None
        if task is not None and not task.done():
            task.cancel()

    async def _play(self, wish: Wish) -> None:
        try:
            await self._session(wish)
        except V2GFailedError as failure:
            log.warning("the V2G session has failed: %s", failure)
            self._task = None
            self._v2g.end()
            if self._machine.uuid:
                event = HlcSessionFailedEvent(uuid=self._machine.uuid, reason=failure.reason)
                self._evse.publish_hlc_session_failed(event)

    async def _session(self, wish: Wish) -> None:
        while not self._machine.plugged:
            self._news.clear()
            await self._news.wait()
        self._introduce()
        if (wish.mode == "dc") != self._settings.dc:
            what = f"the car wants {wish.mode.upper()}, the EVSE offers the other (charge_mode)"
            raise V2GFailedError(what, Reason.ChargingParametersNotAccepted)
        contract = self._contract()
        forced = self._settings.flag("force_payment_option")
        payment = choose(wish.payment, offered=self._v2g.offered, has_contract=contract is not None, forced=forced)
        log.info("the car pays by %s", payment)
        if payment is None:
            what = f"the EVSE offers no payment by {'anything' if wish.payment is Payment.auto else wish.payment}"
            raise V2GFailedError(f"{what} (payment_enable_eim, payment_enable_contract)")
        if wish.payment is Payment.contract and payment is not Payment.contract:
            log.warning("iso_start_v2g_session: the EVSE does not offer payment by contract now")
        if not self._machine.authorized:
            await (self._by_contract(contract) if payment is Payment.contract else self._by_others())
        self._v2g.authorized = True
        self._machine.hlc_asleep = False

    def _introduce(self) -> None:
        """The car's MAC address: evcc_id, maker, and its token where Autocharge is on."""
        mac = self._settings.evcc_id
        self._known = EVInfo(evcc_id=mac)
        self.tell()
        self._evse.publish_car_manufacturer(MANUFACTURERS.get(mac[:8].upper(), CarManufacturer.Unknown))
        self._evse.speaks(PROTOCOL)
        if not self._settings.flag("autocharge_use_slac_instead_of_hlc"):
            self._autocharge()

    def _matched(self) -> None:
        """SLAC tells the MAC address too, before the V2G session."""
        if self._settings.flag("autocharge_use_slac_instead_of_hlc"):
            self._autocharge()

    def _autocharge(self) -> None:
        if self._settings.flag("enable_autocharge") and not self._machine.authorized:
            value = IdToken(value="VID:" + self._settings.evcc_id.replace(":", ""), type=IdTokenType.MacAddress)
            self._provide(ProvidedIdToken(id_token=value, authorization_type=AuthorizationType.Autocharge))

    async def _by_others(self) -> None:
        """EIM: any accepted token."""
        await self._authorization(EIM_TIMEOUT_S)

    async def _by_contract(self, contract: Contract | None) -> None:
        if contract is None:
            contract = await self._install()
        hashes = await self._hash_data(contract)
        await asyncio.sleep(TOKEN_AFTER_S)
        if self._machine.authorized:
            return
        self._v2g.waiting_for_pnc = True
        self._provide(
            ProvidedIdToken(
                id_token=IdToken(value=contract.emaid, type=IdTokenType.eMAID),
                authorization_type=AuthorizationType.PlugAndCharge,
                certificate=contract.pem,
                iso15118CertificateHashData=hashes or None,
            )
        )
        await self._authorization(PNC_TIMEOUT_S)

    def _provide(self, token: ProvidedIdToken) -> None:
        token.connectors = [self._settings.connector_id]
        self.tokens.publish_provided_token(token)

    async def _authorization(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not self._machine.authorized:
                    if self._v2g.is_refused:
                        raise V2GFailedError("the authorization was refused")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise V2GFailedError(f"no authorization within {seconds:g} s") from None

    # --- the contract

    def _contract(self) -> Contract | None:
        """What the car has: a chain of the user's, the one of the wallet, or none (yet)."""
        own = self._settings.text("contract_chain_file")
        emaid, now = self._settings.emaid, self._clock.now()
        try:
            if own:
                return read_contract(Path.cwd() / own)
            found = self._wallet.contract(emaid, now)
            if found is None and self._installed:
                found = self._wallet.install(emaid, now)
            return found
        except ContractError as error:
            raise V2GFailedError(f"the car's contract cannot be used: {error}") from error

    async def _install(self) -> Contract:
        """Station 4.3: the car asks the CSMS for a contract and takes the one that the answer delivers."""
        if not self._v2g.offer.installation:
            raise V2GFailedError("the car has no contract, and none can be installed here")
        try:
            answer = await self.extensions.ask(self._installation_request())
        except TimeoutError:
            raise V2GFailedError(f"no answer to the certificate request within {CERTIFICATE_RESPONSE_S} s") from None
        if answer.status is not ResponseExiStreamStatusStatus.Accepted:
            raise V2GFailedError(f"the car got no contract certificate: the answer is {answer.status}")
        try:
            exi = base64.b64decode(answer.exi_response or "", validate=True)
            return self._wallet.accept(self._settings.emaid, exi, self._clock.now())
        except ValueError as error:
            raise V2GFailedError(f"the car got no contract certificate: {error}") from error

    def _installation_request(self) -> bytes:
        recorded = self._settings.text("certificate_request_file")
        try:
            if recorded:
                made = (Path.cwd() / recorded).read_bytes()
            else:
                car, roots = self._wallet.provisioning(self._clock.now())
                made = request(session_id(self._machine.uuid), car, roots)
        except (OSError, ValueError) as error:
            raise V2GFailedError(f"no certificate request can be made: {error}") from error
        if len(made) > MAX_REQUEST:
            raise V2GFailedError(f"the certificate request has {len(made)} octets, {MAX_REQUEST} are allowed")
        return made

    async def _hash_data(self, contract: Contract) -> list[CertificateHashDataInfo]:
        """Station 4.1 step 5: [] where the chain is not verified here. A chain that may not go on ends the session."""
        if not self._settings.flag("verify_contract_cert_chain"):
            return []
        try:
            result = await self._verify(contract)
            if result is CertificateValidationResult.Valid and self._security is not None:
                asked = await self._security.get_mo_ocsp_request_data(contract.pem)
                return [found for data in asked.ocsp_request_data_list if (found := _hash_info(data))][:MAX_HASHES]
        except CommandError as error:
            log.error("evse_security did not verify the contract: %r", error)
            result = NO_ROOT
        if result is NO_ROOT and self._v2g.offer.central_validation:
            log.info("the contract's root is not installed; the CSMS is to validate it")
            return []
        raise V2GFailedError(f"the contract certificate is not valid: {result}")

    async def _verify(self, contract: Contract) -> CertificateValidationResult:
        if self._security is None:
            log.warning("verify_contract_cert_chain: the requirement security is not connected")
            return NO_ROOT
        return await self._security.verify_certificate(contract.pem, [LeafCertificateType.V2G, LeafCertificateType.MO])

    # --- what the car tells

    def tell(self) -> None:
        """ev_info, whenever it is new (station 2.9)."""
        if self._known is None or not self._machine.uuid or not self._machine.plugged:
            return
        info = self._with_parameters(self._known) if self._v2g.authorized else self._known
        if info != self._told:
            self._told = info
            self._evse.publish_ev_info(info)

    def _with_parameters(self, known: EVInfo) -> EVInfo:
        """Charge parameters: the car names them once it may charge."""
        settings = self._settings
        info = self._car_info() if settings.dc or settings.flag("ac_with_soc") else EVInfo()
        info.evcc_id = known.evcc_id
        if not settings.dc:
            info.maximum_current_limit = settings.number("max_current")
            info.maximum_voltage_limit = settings.number("ac_nominal_voltage")
        if known.departure_time is None and self._wish is not None:
            known.departure_time = self._departure(self._wish.departure_s)
            amount = self._wish.amount_Wh
            known.remaining_energy_needed = self._settings.number("e_amount") if amount is None else amount
        info.departure_time = known.departure_time
        info.remaining_energy_needed = known.remaining_energy_needed
        return info

    def _departure(self, seconds: int | None) -> str:
        """Both kinds of seconds are bounded: DEPARTURE of commands.py, and the manifest."""
        wanted = int(self._settings.number("departure_time")) if seconds is None else seconds
        return timestamp(self._clock.now() + timedelta(seconds=wanted))


def _hash_info(data: OCSPRequestData) -> CertificateHashDataInfo | None:
    """In the words of the token; None without responder or hashes."""
    hashes = data.certificate_hash_data
    if hashes is None or not data.responder_url:
        return None
    return CertificateHashDataInfo(
        hashAlgorithm=CertificateHashDataInfoHashAlgorithm(hashes.hash_algorithm.value),
        issuerNameHash=hashes.issuer_name_hash,
        issuerKeyHash=hashes.issuer_key_hash,
        serialNumber=hashes.serial_number,
        responderURL=data.responder_url,
    )
