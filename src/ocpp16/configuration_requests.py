"""GetConfiguration, ChangeConfiguration, and what a changed key sets in motion (OCPP 1.6 §5.3, §5.8; libocpp 1.6, 1.7).

Owns: `EFFECTS`, key -> effect. Reading, checking and keeping values is `configuration/`. May import: the capabilities
whose timers follow a key. Must not import: charge_point.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from ocpp16.configuration import Source
from ocpp16.context import Context
from ocpp16.messages import (
    ChangeConfigurationRequest,
    ChangeConfigurationResponse,
    ConfigurationStatus,
    GetConfigurationRequest,
    GetConfigurationResponse,
    KeyValue,
)
from ocpp16.router import After, Reply

Effect = Callable[[], Awaitable[None] | None]


class ConfigurationRequests:
    """One path for changes by the CSMS and by the integrator."""

    def __init__(self, context: Context, effects: Mapping[str, Effect]) -> None:
        self._context = context
        self._effects = {key.casefold(): effect for key, effect in effects.items()}

    async def get(self, request: GetConfigurationRequest) -> Reply:
        return Reply(self.report(request.key))

    def report(self, names: Sequence[str] | None) -> GetConfigurationResponse:
        """All visible keys, or those asked for (libocpp 1.6, 12.12)."""
        return self._context.configuration.report(names)

    async def change(self, request: ChangeConfigurationRequest) -> Reply:
        status, after = await self._change(request.key, request.value)
        return Reply(ChangeConfigurationResponse(status=status), after)

    async def set(self, key: str, value: str) -> ConfigurationStatus:
        """The same, asked by the integrator: effects are done when this returns."""
        status, after = await self._change(key, value, Source.API)
        if after is not None:
            await after()
        return status

    async def _change(
        self, key: str, value: str, source: Source = Source.CSMS
    ) -> tuple[ConfigurationStatus, After | None]:
        status = await self._context.configuration.change(key, value, source=source)
        if status is not ConfigurationStatus.Accepted:
            return status, None

        async def after() -> None:
            result = self._effects.get(key.casefold(), lambda: None)()
            if result is not None:
                await result
            self._tell(key, value)

        return status, after

    def _tell(self, key: str, value: str) -> None:
        """The callback of the key, or else the generic one; with the canonical spelling and the text as received."""
        known = self._context.configuration.report([key]).configuration_key
        changed = KeyValue(key=known[0].key if known else key, readonly=False, value=value)
        callback = self._context.callbacks.key_callback(changed.key)
        if callback is not None:
            self._context.lanes.post(0, "configuration_key_changed", changed, callback=callback)
        else:
            self._context.lanes.post(0, "generic_configuration_key_changed", changed)
