"""Reads ProvidedIdToken JSON from an external topic and publishes it unchanged (station 3.6).

Lives here: the whole module. A payload that is no token is logged with the reason and dropped.
"""

from __future__ import annotations

import logging

import msgspec

from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderImplementation
from everest.contracts.types.authorization import ProvidedIdToken
from everest.runtime import Module, ModuleContext

log = logging.getLogger(__name__)


def topic_of(configured: str, module_id: str) -> str:
    """The topic to listen on; an empty configuration value means the default."""
    return configured or f"everest_api/{module_id}/cmd/provide"


def decode(payload: str) -> ProvidedIdToken:
    """The token in `payload`. Errors: `ValueError` that says what is wrong with it."""
    try:
        return msgspec.json.decode(payload, type=ProvidedIdToken)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


class TokenProvider(AuthTokenProviderImplementation):
    """Implementation `main`; it has no commands."""


class DummyTokenProviderManual(Module):
    """One topic in, one variable out."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self._main = TokenProvider()
        self.provide("main", self._main)
        configured = str(self.implementation_config("main")["mqtt_topic"])
        self._topic = topic_of(configured, self.info.id)

    async def ready(self) -> None:
        """Listen from now on; a token before all modules are ready would be lost."""
        self.mqtt_subscribe(self._topic, self._on_payload)

    def _on_payload(self, topic: str, payload: str) -> None:
        try:
            token = decode(payload)
        except ValueError as error:
            log.error("%s: payload is no ProvidedIdToken, dropped: %s", topic, error)
            return
        self._main.publish_provided_token(token)
