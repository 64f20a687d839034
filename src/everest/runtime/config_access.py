"""Configuration at run time: reading and writing parameters, and following changes of one's own (bus 6.7).

Lives here: `ConfigAccess`, one per module, on its event loop. May not be imported here: modules, contracts, manager.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from everest.runtime import wire
from everest.runtime.bus import Bus
from everest.runtime.errors import WireError
from everest.runtime.model import MODULE_LEVEL, convert
from everest.runtime.wire import ConfigurationResponse, Envelope, MessageType

logger = logging.getLogger(__name__)

VERDICTS = frozenset({"Accepted", "Rejected", "RebootRequired"})


class Verdict(NamedTuple):
    """What a module says to a new value of its own parameter; a status outside VERDICTS counts as Rejected."""

    status: str
    reason: str = ""


ChangeHandler = Callable[[str], Awaitable[Verdict]]


class ConfigAccess:
    """See the module docstring. Requests of one module go out strictly one after the other (bus 2.3)."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._order = asyncio.Lock()
        self._handlers: dict[tuple[str, str], ChangeHandler] = {}

    async def get_value(self, module_id: str, parameter: str, implementation_id: str | None) -> ConfigurationResponse:
        """Ask for one parameter. Errors: StartupError when no manager answers, BrokerLost."""
        body = {"type": "Value", "identifier": _identifier(module_id, parameter, implementation_id)}
        return await self._ask("Get", body)

    async def get(self, kind: str) -> ConfigurationResponse:
        """Ask for `All` or `AllMappings`. Errors: StartupError when no manager answers, BrokerLost."""
        return await self._ask("Get", {"type": kind})

    async def set_value(
        self, module_id: str, parameter: str, value: str, implementation_id: str | None
    ) -> ConfigurationResponse:
        """Ask to change one parameter. Errors: StartupError when no manager answers, BrokerLost."""
        body = {"identifier": _identifier(module_id, parameter, implementation_id), "value": value}
        return await self._ask("Set", body)

    async def _ask(self, kind: str, body: dict[str, Any]) -> ConfigurationResponse:
        bus = self._bus

        def ask() -> None:
            request = wire.build_configuration_request(bus.module_id, body, type=kind, dialect=bus.dialect)
            bus.publish("configuration_request", bus.topics.config_request, request)

        async with self._order:
            answer = await bus.get(bus.topics.config_response(bus.module_id), ask)
        response: ConfigurationResponse = convert(answer, ConfigurationResponse, "the configuration answer")
        return response

    # --- changes of own parameters -----------------------------------------------------------------------------------

    def on_change(self, scope: str, parameter: str, handler: ChangeHandler) -> None:
        """Ask `handler` about every new value of an own parameter; `scope` is an implementation id or `!module`.

        A parameter has one handler, the last one given.
        """
        if not self._handlers:
            topic = self._bus.topics.set_request(self._bus.module_id)
            kinds = frozenset({MessageType.ConfigurationRequest})
            self._bus.listen(topic, kinds, self._requested, "configuration change handler")
        self._handlers[scope, parameter] = handler

    async def _requested(self, envelope: Envelope) -> None:
        try:
            request = wire.parse_set_request(envelope)
        except WireError as error:
            self._bus.deviations.warn(error.topic, error.reason)
            return
        verdict = await self._judge(request)
        status = verdict.status if verdict.status in VERDICTS else "Rejected"
        payload = wire.build_configuration_response(
            {"status": status, "status_info": ""}, type="Set", status_info=verdict.reason, dialect=self._bus.dialect
        )
        self._bus.publish("set_response", self._bus.topics.set_response(self._bus.module_id), payload)

    async def _judge(self, request: wire.SetRequest) -> Verdict:
        identifier = request.identifier
        scope = identifier.get("module_implementation_id") or MODULE_LEVEL
        name = identifier.get("configuration_parameter_name")
        handler = self._handlers.get((str(scope), str(name)))
        if handler is None:
            return Verdict("Rejected", f"module {self._bus.module_id} has no handler for {scope}/{name}")
        try:
            return await handler(request.value)
        except Exception as error:
            logger.exception("the handler of the configuration parameter %s failed; the new value is refused", name)
            return Verdict("Rejected", str(error) or type(error).__name__)


def _identifier(module_id: str, parameter: str, implementation_id: str | None) -> dict[str, str]:
    identifier = {"module_id": module_id, "configuration_parameter_name": parameter}
    if implementation_id is not None:
        identifier["module_implementation_id"] = implementation_id
    return identifier
