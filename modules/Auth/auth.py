"""The module class of Auth: connections, order of start, events (station 1.1, 1.2).

Lives here: what is queued or dropped until ready has finished, the plug in timer, the two provided implementations.
The token flow is in `token_handler.py`, reservations in `reservation_service.py`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from everest.contracts.interfaces.auth import AuthImplementation
from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderClient
from everest.contracts.interfaces.auth_token_validator import AuthTokenValidatorClient
from everest.contracts.interfaces.evse_manager import EvseManagerClient
from everest.contracts.interfaces.kvs import KvsClient
from everest.contracts.interfaces.reservation import ReservationImplementation
from everest.contracts.types.authorization import (
    ProvidedIdToken,
    ValidationResultUpdate,
    WithdrawAuthorizationRequest,
    WithdrawAuthorizationResult,
)
from everest.contracts.types.evse_manager import ConnectorTypeEnum, SessionEvent
from everest.contracts.types.evse_manager import Evse as EvseDescription
from everest.contracts.types.reservation import (
    Reservation,
    ReservationCheck,
    ReservationCheckStatus,
    ReservationResult,
)
from everest.runtime import CommandError, Error, Module, ModuleContext, StartupError

from .evse_commands import EvseCommands
from .patience import Line
from .reservation_service import ReservationService
from .reservations import ReservationBook
from .states import Connector, Consequence, Evse, StationState, apply_inoperative, apply_session_event
from .timers import Timers
from .token_handler import Settings, TokenHandler
from .tokens import SelectionAlgorithm

log = logging.getLogger(__name__)
INOPERATIVE = "evse_manager/Inoperative"


class AuthMain(AuthImplementation):
    """Implementation `main`."""

    def __init__(self, settings: Settings, tokens: TokenHandler) -> None:
        super().__init__()
        self._settings = settings
        self._tokens = tokens

    async def set_connection_timeout(self, connection_timeout: int) -> None:
        """From now on; timers that run keep their time."""
        self._settings.connection_timeout = connection_timeout

    async def set_master_pass_group_id(self, master_pass_group_id: str) -> None:
        """The empty string switches the master pass off."""
        self._settings.master_pass_group_id = master_pass_group_id

    async def withdraw_authorization(self, request: WithdrawAuthorizationRequest) -> WithdrawAuthorizationResult:
        """Station 1.8."""
        return await self._tokens.withdraw(request)


class AuthReservation(ReservationImplementation):
    """Implementation `reservation`."""

    def __init__(self, service: ReservationService) -> None:
        super().__init__()
        self._service = service

    async def reserve_now(self, request: Reservation) -> ReservationResult:
        """Station 1.10."""
        return await self._service.reserve_now(request)

    async def cancel_reservation(self, reservation_id: int) -> bool:
        """True if there was such a reservation."""
        return await self._service.cancel(reservation_id)

    async def exists_reservation(self, request: ReservationCheck) -> ReservationCheckStatus:
        """Station 1.10, DEPARTURE A4."""
        return self._service.book.check(request)


class Auth(Module):
    """Composition of the module; owns the station's state."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self._settings = _settings(self.config)
        self._station = StationState()
        self._evses = EvseCommands(self.spawn)
        self._evse_clients = self.connections("evse_manager", EvseManagerClient)
        self._store = self.optional_connection("kvs", KvsClient)
        self._warn_of_selection()
        self._providers = self.connections("token_provider", AuthTokenProviderClient)
        self._validators = self.connections("token_validator", AuthTokenValidatorClient)
        self._connection_timers = Timers(self.spawn, "connection timeout of EVSE")
        self._plug_in_timers = Timers(self.spawn, "plug in timeout of EVSE")
        self._waiting: deque[Callable[[], None]] = deque()
        self._ready = False
        self._compose()

    def _compose(self) -> None:
        book = ReservationBook(self._station)
        self._reservations = ReservationService(
            book,
            self._evses,
            spawn=self.spawn,
            now=self.clock.now,
            publish=lambda update: self._reservation.publish_reservation_update(update),
            save=self._save_reservations if self._store is not None else None,
        )
        self._evses.on_recovered = self._reservations.review
        self._store_line = Line(self.spawn, self._reservations.refresh)
        self._tokens = TokenHandler(
            self._station,
            self._settings,
            self._reservations,
            self._evses,
            self._validators,
            self._connection_timers,
            publish=lambda status: self._main.publish_token_validation_status(status),
        )
        self._main = AuthMain(self._settings, self._tokens)
        self._reservation = AuthReservation(self._reservations)
        self.provide("main", self._main)
        self.provide("reservation", self._reservation)

    def _warn_of_selection(self) -> None:
        """UserInput fails when a choice is needed, not before: tokens that name one EVSE need none (station 1.5)."""
        if self._settings.selection_algorithm is SelectionAlgorithm.UserInput and len(self._evse_clients) > 1:
            log.error(
                "module %s: selection_algorithm UserInput cannot choose between EVSEs: a token that could mean several "
                "of the %d is refused. Set it to FindFirst, PlugEvents or PlugEventsLIFO",
                self.info.id,
                len(self._evse_clients),
            )

    # ------------------------------------------------------------------------------------------------- start

    async def init(self) -> None:
        """Subscribe everything; session events wait in a queue until ready has finished (station 1.2)."""
        for index, client in enumerate(self._evse_clients):
            client.on_session_event(self._session_event_handler(index))
            if not self._settings.ignore_connector_faults:
                client.on_error(self._error_handler(index, raised=True), self._error_handler(index, raised=False))
        for provider in self._providers:
            provider.on_provided_token(self._on_token)
        for validator in self._validators:
            validator.on_validate_result_update(self._on_update)

    def _session_event_handler(self, index: int) -> Callable[[SessionEvent], None]:
        def handler(event: SessionEvent) -> None:
            self._in_order(lambda: self._session_event(index, event))

        return handler

    def _error_handler(self, index: int, *, raised: bool) -> Callable[[Error], None]:
        def handler(error: Error) -> None:
            if error.type == INOPERATIVE:
                self._in_order(lambda: self._inoperative(index, error, raised=raised))

        return handler

    def _in_order(self, action: Callable[[], None]) -> None:
        """Do it now, or after everything that waits for ready."""
        if self._ready:
            action()
        else:
            self._waiting.append(action)

    async def ready(self) -> None:
        """Ask every EVSE who it is, work off the queue, then load the stored reservations (station 1.2)."""
        self._evse_ids: list[int] = []
        for client in self._evse_clients:
            self._add_evse(client, await self._describe(client))
        while self._waiting:
            self._waiting.popleft()()
        self._ready = True
        await self._load_reservations()

    async def _describe(self, client: EvseManagerClient) -> EvseDescription:
        try:
            return await client.get_evse()
        except CommandError as error:
            raise StartupError(
                f"module {self.info.id}: {client.module_id} does not say which EVSE it is (get_evse: "
                f"{type(error).__name__}: {error})"
            ) from error

    def _add_evse(self, client: EvseManagerClient, description: EvseDescription) -> None:
        if description.id in self._station.evses:
            raise StartupError(
                f"module {self.info.id}: {client.module_id} says it is EVSE {description.id}, which another one is "
                "already; give each its own connector_id"
            )
        connectors = {c.id: Connector(c.id, c.type or ConnectorTypeEnum.Unknown) for c in description.connectors}
        self._station.evses[description.id] = Evse(description.id, connectors)
        self._evses.clients[description.id] = client
        self._evse_ids.append(description.id)

    async def shutdown(self) -> None:
        """Stop the timers; nothing is withdrawn."""
        self._connection_timers.stop_all()
        self._plug_in_timers.stop_all()
        self._reservations.close()

    # ------------------------------------------------------------------------------------------------- inputs

    def _on_token(self, token: ProvidedIdToken) -> None:
        """Each token is handled in a task of its own, so that a waiting one keeps none back."""
        if not self._ready:
            log.warning("token dropped, the module is not ready yet")
            return
        self.spawn(self._tokens.handle(token), name="token")

    def _on_update(self, update: ValidationResultUpdate) -> None:
        if not self._ready:
            log.warning("validation result update dropped, the module is not ready yet")
            return
        self._tokens.update(update)

    def _session_event(self, index: int, event: SessionEvent) -> None:
        evse_id = self._evse_ids[index]
        self._follow(evse_id, apply_session_event(self._station, evse_id, event))

    def _inoperative(self, index: int, error: Error, *, raised: bool) -> None:
        evse_id = self._evse_ids[index]
        mapping = error.origin.mapping
        connector_id = mapping.connector if mapping is not None else None
        self._follow(evse_id, apply_inoperative(self._station.evses[evse_id], connector_id, raised=raised))

    def _follow(self, evse_id: int, consequences: tuple[Consequence, ...]) -> None:
        for consequence in consequences:
            match consequence:
                case Consequence.STOP_CONNECTION_TIMER:
                    self._connection_timers.stop(evse_id)
                case Consequence.START_PLUG_IN_TIMER:
                    self._start_plug_in_timer(evse_id)
                case Consequence.STOP_PLUG_IN_TIMER:
                    self._plug_in_timers.stop(evse_id)
                case Consequence.WAKE_SELECTION:
                    self._tokens.wake()
                case Consequence.REVIEW_RESERVATIONS:
                    self._reservations.review()
                case Consequence.RESERVATION_ENDED:
                    self._reservations.ended_by_evse(evse_id)

    def _start_plug_in_timer(self, evse_id: int) -> None:
        """Station 1.6: only where configured and where there is more than one EVSE."""
        if self._settings.plug_in_timeout_enabled and len(self._station.evses) > 1:
            self._plug_in_timers.start(
                evse_id, self._settings.connection_timeout, lambda: self._plug_in_timeout(evse_id)
            )

    async def _plug_in_timeout(self, evse_id: int) -> None:
        """Nothing happens to an EVSE that is not pending any more: authorized, or unplugged and forgotten."""
        if evse_id not in self._station.plug_in_queue:
            return
        self._station.evses[evse_id].plug_in_timeout = True
        self._station.unplugged(evse_id)
        await self._evses.withdraw_authorization(evse_id)

    # ------------------------------------------------------------------------------------------------- store

    @property
    def _key(self) -> str:
        return f"reservation_{self.info.id}"

    async def _save_reservations(self, entries: list[dict[str, Any]]) -> None:
        """A store that is silent is not asked again; when it has answered, all is stored as it is then."""

        async def store() -> None:
            assert self._store is not None
            try:
                await self._store.store(key=self._key, value=entries)
            except CommandError as error:
                log.error("reservations could not be stored: %s: %s", type(error).__name__, error)

        await self._store_line.ask("storing reservations", store, None, skip=True)

    async def _load_reservations(self) -> None:
        if self._store is None:
            return
        try:
            entries = await self._store.load(key=self._key)
        except CommandError as error:
            log.error("stored reservations could not be loaded: %s: %s", type(error).__name__, error)
            return
        await self._reservations.load(entries)


def _settings(config: Any) -> Settings:
    return Settings(
        selection_algorithm=SelectionAlgorithm(config["selection_algorithm"]),
        connection_timeout=config["connection_timeout"],
        master_pass_group_id=config["master_pass_group_id"],
        prioritize_authorization_over_stopping_transaction=config["prioritize_authorization_over_stopping_transaction"],
        ignore_connector_faults=config["ignore_connector_faults"],
        plug_in_timeout_enabled=config["plug_in_timeout_enabled"],
        stop_transaction_on_reswipe=config["stop_transaction_on_reswipe"],
    )
