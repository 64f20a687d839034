"""What every capability is given: configuration, store, clock, chance, dispatcher, callbacks, tasks. One per start.

A `Context` lives from `init` to `stop` (or `close`); `restart` makes a new one, so that nothing of an earlier run can
leak into the next (libocpp DEPARTURE 7). Must not import: any capability.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from ocpp16.callbacks import CallbackRegistry, Lanes
from ocpp16.configuration import Configuration, keys
from ocpp16.dispatcher import MessageDispatcher
from ocpp16.errors import StoreError
from ocpp16.messages import Request
from ocpp16.observer import NobodyLooks, Observer
from ocpp16.ports import Clock, MessageLog, Randomness, Store
from ocpp16.store.rows import Change, QueuedMessage
from ocpp16.tasks import TaskOwner


@dataclass(frozen=True)
class Context:
    """The shared parts of one run of the charge point."""

    configuration: Configuration
    store: Store
    clock: Clock
    randomness: Randomness
    dispatcher: MessageDispatcher
    callbacks: CallbackRegistry
    lanes: Lanes
    tasks: TaskOwner
    message_log: MessageLog
    observer: Observer = field(default_factory=NobodyLooks)
    log: logging.Logger = field(default=logging.getLogger("ocpp16"))

    async def tell(
        self,
        request: Request,
        *,
        session_id: str | None = None,
        with_changes: Sequence[Change] = (),
        before_accepted: bool = False,
    ) -> QueuedMessage | None:
        """Queue a message that no caller waits for. A store that refuses costs this message, and a log line: the task
        that sends it goes on."""
        try:
            return await self.dispatcher.enqueue(
                request, session_id=session_id, with_changes=with_changes, before_accepted=before_accepted
            )
        except StoreError as error:
            self.log.error("%s is lost, it cannot be queued: %s", request.action, error)
            return None

    @property
    def connectors(self) -> range:
        """Connector numbers 1..N."""
        return range(1, int(self.configuration[keys.NumberOfConnectors]) + 1)

    @property
    def online(self) -> bool:
        """The websocket is open (libocpp 3.4); before Accepted nothing is sent over it all the same."""
        return self.dispatcher.online

    def profile_active(self, profile: str) -> bool:
        return profile in self.configuration.active_profiles

    @property
    def local_list_enabled(self) -> bool:
        return self.profile_active("LocalAuthListManagement") and bool(self.configuration[keys.LocalAuthListEnabled])
