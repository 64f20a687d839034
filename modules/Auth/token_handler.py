"""The flow of a token, step by step as station 1.4 numbers them, and withdraw_authorization (station 1.8).

Lives here: `TokenHandler`, one coroutine per token; several may run at once. Decisions and the changes of state that
follow from them happen without an `await` between them, so no lock is held while an EVSE or a validator is asked.
May not be imported here: the module class (`auth.py`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from everest.contracts.interfaces.auth_token_validator import AuthTokenValidatorClient
from everest.contracts.types.authorization import (
    AuthorizationStatus,
    ProvidedIdToken,
    TokenValidationStatus,
    TokenValidationStatusMessage,
    ValidationResult,
    ValidationResultUpdate,
    WithdrawAuthorizationRequest,
    WithdrawAuthorizationResult,
)
from everest.contracts.types.evse_manager import StopTransactionReason
from everest.contracts.types.text_message import MessageContent
from everest.runtime import CommandError

from . import tokens
from .evse_commands import EvseCommands
from .reservation_service import ReservationService
from .states import Evse, StationState
from .timers import Timers

log = logging.getLogger(__name__)


@dataclass
class Settings:
    """The configuration of station 1.1; `connection_timeout` and the master pass group can be set by command."""

    selection_algorithm: tokens.SelectionAlgorithm
    connection_timeout: float
    master_pass_group_id: str
    prioritize_authorization_over_stopping_transaction: bool
    ignore_connector_faults: bool
    plug_in_timeout_enabled: bool
    stop_transaction_on_reswipe: bool


class Outcome(NamedTuple):
    """How a token ended: the status to publish, and the token as it is published."""

    status: TokenValidationStatus
    token: ProvidedIdToken


class _Ignored(NamedTuple):
    """A token that ends without a status (station 1.4 step 6, no transaction yet)."""


@dataclass(eq=False)
class TokenInWork:
    """A token while it is handled. `wake` is set by a plug in and by a withdrawal."""

    token: ProvidedIdToken
    evse_ids: frozenset[int]
    withdrawn: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, request: WithdrawAuthorizationRequest) -> bool:
        """Whether a withdrawal speaks of this token (station 1.8)."""
        if request.id_token is not None and not tokens.same_token(request.id_token, self.token.id_token):
            return False
        return request.evse_id is None or request.evse_id in self.evse_ids


class TokenHandler:
    """Walks tokens through station 1.4; owns the connection timers."""

    def __init__(
        self,
        station: StationState,
        settings: Settings,
        reservations: ReservationService,
        evses: EvseCommands,
        validators: Sequence[AuthTokenValidatorClient],
        timers: Timers,
        publish: Callable[[TokenValidationStatusMessage], None],
    ) -> None:
        self._station = station
        self._settings = settings
        self._reservations = reservations
        self._evses = evses
        self._validators = validators
        self._connection_timers = timers
        self._send = publish
        self._in_work: list[TokenInWork] = []

    def _publish(
        self, token: ProvidedIdToken, status: TokenValidationStatus, messages: Sequence[MessageContent] = ()
    ) -> None:
        self._send(TokenValidationStatusMessage(token=token, status=status, messages=list(messages)))

    def wake(self) -> None:
        """A car was plugged in: tokens that wait for one look again."""
        for work in self._in_work:
            work.wake.set()

    # ------------------------------------------------------------------------------------------------- one token

    async def handle(self, token: ProvidedIdToken) -> None:
        """Handle one provided token from start to end; publishes its statuses (station 1.7)."""
        referenced = self._station.referenced(token.connectors)
        if tokens.is_in_process(token, (work.token.id_token.value for work in self._in_work), referenced):
            log.info("token ignored, it is in process already")
            return
        work = TokenInWork(token, frozenset(evse.id for evse in referenced))
        self._in_work.append(work)
        try:
            self._publish(token, TokenValidationStatus.Processing)
            outcome = await self._walk(work, referenced)
            if isinstance(outcome, Outcome):
                self._publish(outcome.token, outcome.status)
        finally:
            self._in_work.remove(work)
            work.done.set()

    async def _walk(self, work: TokenInWork, referenced: list[Evse]) -> Outcome | _Ignored:
        token, settings = work.token, self._settings
        rejected = Outcome(TokenValidationStatus.Rejected, token)
        stopped = tokens.stopped_by_swipe(token, referenced)
        if stopped is not None:
            return await self._stop(stopped, token)
        if tokens.is_refused_early(token, referenced, self._reservations.book, settings.master_pass_group_id):
            return rejected
        results = await self._validate(token)
        referenced = self._station.referenced(token.connectors)
        nothing_free = not any(evse.available for evse in referenced)
        if nothing_free or not settings.prioritize_authorization_over_stopping_transaction:
            outcome = await self._stop_by_parent(token, referenced, results)
            if outcome is not None:
                return outcome
        if not any(evse.available for evse in referenced):
            return rejected
        return await self._authorize(work, referenced, results)

    async def _validate(self, token: ProvidedIdToken) -> list[ValidationResult]:
        """Step 5: every validator in order; one that fails counts as Unknown."""
        if token.prevalidated:
            return [tokens.prevalidated_result(token)]
        results = []
        for validator in self._validators:
            try:
                results.append(await validator.validate_token(provided_token=token))
            except CommandError as error:
                log.error("validator %s failed: %s: %s", validator.module_id, type(error).__name__, error)
                unknown = ValidationResult(authorization_status=AuthorizationStatus.Unknown, tariff_messages=[])
                results.append(unknown)
        return results

    # ------------------------------------------------------------------------------------------------- stopping

    async def _stop(self, evse: Evse, token: ProvidedIdToken) -> Outcome:
        """Step 3 and the second half of step 6: stop the EVSE's transaction, or reauthorize if so configured."""
        parent = evse.identifier.parent_id_token if evse.identifier is not None else None
        told = tokens.at_evse(token, evse.id, parent)
        if not self._settings.stop_transaction_on_reswipe:
            return Outcome(TokenValidationStatus.UsedToReauthorize, told)
        await self._evses.stop_transaction(evse.id, StopTransactionReason.Local, token)
        return Outcome(TokenValidationStatus.UsedToStop, told)

    async def _stop_by_parent(
        self, token: ProvidedIdToken, referenced: Sequence[Evse], results: Sequence[ValidationResult]
    ) -> Outcome | _Ignored | None:
        """Step 6. None: no parent id stops anything, go on."""
        for result in tokens.accepted(results):
            parent = result.parent_id_token
            if parent is None:
                continue
            if tokens.is_master_pass(parent, self._settings.master_pass_group_id):
                return await self._stop_all(tokens.with_parent(token, result), referenced)
            evse = tokens.used_at(referenced, parent.value)
            if evse is not None:
                if evse.transaction_active:
                    return await self._stop(evse, tokens.with_parent(token, result))
                log.info("token ignored, its group waits for a transaction at EVSE %d", evse.id)
                return _Ignored()
        return None

    async def _stop_all(self, token: ProvidedIdToken, referenced: Sequence[Evse]) -> Outcome:
        """The master pass stops every referenced transaction."""
        active = [evse.id for evse in referenced if evse.transaction_active]
        await asyncio.gather(
            *(self._evses.stop_transaction(id, StopTransactionReason.MasterPass, token) for id in active)
        )
        return Outcome(TokenValidationStatus.UsedToStop, token)

    # ------------------------------------------------------------------------------------------------- starting

    async def _authorize(
        self, work: TokenInWork, referenced: Sequence[Evse], results: Sequence[ValidationResult]
    ) -> Outcome:
        """Steps 8 to 10. What step 10 reports is the last result as it was judged: no EVSE hears Accepted of a refused
        token.
        """
        token, judged = work.token, list(results)
        for index, result in enumerate(results):
            if result.authorization_status != AuthorizationStatus.Accepted:
                continue
            candidates = [evse for evse in referenced if evse.identifier is None]
            if not candidates:
                break
            if tokens.is_master_pass(result.parent_id_token, self._settings.master_pass_group_id):
                return Outcome(TokenValidationStatus.Rejected, token)
            told = tokens.with_parent(token, result)
            self._publish(told, TokenValidationStatus.Accepted, result.tariff_messages)
            selected = await self._select(work, candidates)
            if not isinstance(selected, Evse):
                return Outcome(selected, told)
            verdict = tokens.judge(result, token, selected, candidates, self._reservations.book)
            if verdict.authorization_status == AuthorizationStatus.Accepted:
                await self._accept(selected, told, verdict)
                return Outcome(TokenValidationStatus.UsedToStart, tokens.at_evse(told, selected.id))
            await self._evses.authorize_response(selected.id, told, verdict)
            judged[index] = verdict
        await self._report_refusal(token, judged)
        return Outcome(TokenValidationStatus.Rejected, token)

    async def _accept(self, evse: Evse, token: ProvidedIdToken, result: ValidationResult) -> None:
        """Station 1.6: remember who it is and start the connection timer, then tell the EVSE."""
        evse.identifier = tokens.identifier_of(token, result)
        self._station.unplugged(evse.id)
        told = tokens.at_evse(token, evse.id)
        self._connection_timers.start(
            evse.id, self._settings.connection_timeout, lambda: self._connection_timeout(evse, told)
        )
        if result.reservation_id is not None:
            self._reservations.use(result.reservation_id)
        await self._evses.authorize_response(evse.id, told, result)

    async def _connection_timeout(self, evse: Evse, token: ProvidedIdToken) -> None:
        if evse.transaction_active or evse.identifier is None:
            return  # the event came in the very moment the timer fired
        evse.identifier = None
        await self._evses.withdraw_authorization(evse.id)
        self._publish(token, TokenValidationStatus.TimedOut)

    async def _report_refusal(self, token: ProvidedIdToken, results: Sequence[ValidationResult]) -> None:
        """Step 10: the EVSEs that the token named learn of its refusal."""
        refusals = [result for result in results if result.authorization_status != AuthorizationStatus.Accepted]
        named = [id for id in dict.fromkeys(token.connectors or []) if id in self._evses.clients] if refusals else []
        await asyncio.gather(*(self._evses.authorize_response(id, token, refusals[-1]) for id in named))

    async def _select(self, work: TokenInWork, candidates: Sequence[Evse]) -> Evse | TokenValidationStatus:
        """Station 1.5: the EVSE, or the status that ends the token (TimedOut, Withdrawn, Rejected)."""
        algorithm = self._settings.selection_algorithm
        deadline = asyncio.get_running_loop().time() + self._settings.connection_timeout
        while True:
            work.wake.clear()
            evse = tokens.select_at_once(candidates, self._station, algorithm)
            if evse is None and work.withdrawn:
                return TokenValidationStatus.Withdrawn
            if evse is None and algorithm is tokens.SelectionAlgorithm.UserInput:
                log.error(
                    "token refused: selection_algorithm UserInput cannot choose between %d EVSEs", len(candidates)
                )
                return TokenValidationStatus.Rejected
            if evse is not None or algorithm not in tokens.WAITING:
                return evse or TokenValidationStatus.TimedOut
            try:
                async with asyncio.timeout_at(deadline):
                    await work.wake.wait()
            except TimeoutError:
                return TokenValidationStatus.TimedOut

    # ------------------------------------------------------------------------------------------------- afterwards

    async def withdraw(self, request: WithdrawAuthorizationRequest) -> WithdrawAuthorizationResult:
        """Station 1.8. The request is forgotten when this returns (DEPARTURE A3)."""
        if request.evse_id is not None and request.evse_id not in self._station.evses:
            return WithdrawAuthorizationResult.EvseNotFound
        in_work = [work for work in self._in_work if work.matches(request)]
        for work in in_work:
            work.withdrawn = True
            work.wake.set()
        for work in in_work:
            await work.done.wait()
        meant = [evse for evse in self._station.evses.values() if self._is_meant(evse, request)]
        await asyncio.gather(*(self._withdraw_from(evse) for evse in meant))
        found = bool(in_work or meant)
        return WithdrawAuthorizationResult.Accepted if found else WithdrawAuthorizationResult.AuthorizationNotFound

    @staticmethod
    def _is_meant(evse: Evse, request: WithdrawAuthorizationRequest) -> bool:
        if evse.identifier is None or request.evse_id not in (None, evse.id):
            return False
        return request.id_token is None or tokens.same_token(request.id_token, evse.identifier.id_token)

    async def _withdraw_from(self, evse: Evse) -> None:
        if evse.identifier is None:
            return  # gone this very moment
        if evse.transaction_active:
            await self._evses.stop_transaction(evse.id, StopTransactionReason.DeAuthorized)
            return
        token = tokens.token_of(evse.identifier, evse.id)
        await self._evses.withdraw_authorization(evse.id)
        self._publish(token, TokenValidationStatus.Withdrawn)

    def update(self, update: ValidationResultUpdate) -> None:
        """A validator changed its mind after the fact, favourably (station 1.7, last case)."""
        evse = self._station.evses.get(update.connector_id)
        result = update.validation_result
        if evse is None or evse.identifier is None or result.authorization_status != AuthorizationStatus.Accepted:
            status = result.authorization_status
            log.error("validation result update %s for EVSE %d has no effect", status, update.connector_id)
            return
        evse.identifier = dataclasses.replace(
            evse.identifier, status=result.authorization_status, parent_id_token=result.parent_id_token
        )
        token = tokens.token_of(evse.identifier, evse.id)
        self._publish(token, TokenValidationStatus.Accepted, result.tariff_messages)
