"""A module's own parameters while it runs, and those of others: the typed face of `config_access` (bus 6.7).

Lives here: `OwnConfig`, `ValueHandler`, the conversion of texts to declared types. On the bus a new value is always a
text; here it has its type, and an accepted one becomes what `Module.config` shows.
May not be imported here: transports, modules, contracts, manager.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any, TypeAlias

from everest.runtime.config_access import ConfigAccess, Verdict
from everest.runtime.errors import ApiError, ConfigAccessError, StartupError
from everest.runtime.model import MODULE_LEVEL, ConfigEntries, ConfigValue, Mappings, ModuleConfiguration, convert
from everest.runtime.wire import ConfigurationResponse

logger = logging.getLogger(__name__)

ValueHandler: TypeAlias = Callable[[Any], Awaitable[Verdict | None] | Verdict | None]
"""Gets the new value in its declared type; None means accepted."""

_INTEGER = re.compile(r"\s*[+-]?\d+")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def typed(text: str, like: ConfigValue) -> ConfigValue:
    """A new value as the type of the present one (bus 6.7: leading digits suffice). Errors: ValueError."""
    if isinstance(like, bool):
        return text in ("true", "1")
    if isinstance(like, str):
        return text
    pattern = _INTEGER if isinstance(like, int) else _NUMBER
    found = pattern.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no {'integer' if isinstance(like, int) else 'number'}")
    return int(found[0]) if isinstance(like, int) else float(found[0])


def as_text(value: ConfigValue) -> str:
    """A value as it is sent to be set."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class OwnConfig:
    """One per module; see the module docstring."""

    def __init__(self, configuration: ModuleConfiguration, access: ConfigAccess) -> None:
        self._module_id = configuration.module_id
        self._mutabilities = configuration.mutabilities
        self._access = access
        scopes = {**configuration.implementations, MODULE_LEVEL: configuration.module}
        self._values = {scope: dict(entries) for scope, entries in scopes.items()}

    def values(self, scope: str = MODULE_LEVEL) -> ConfigEntries:
        """A live view of the parameters of an implementation or the module."""
        return MappingProxyType(self._values.setdefault(scope, {}))

    def on_change(self, implementation_id: str | None, parameter: str, handler: ValueHandler) -> None:
        """See `Module.on_config_change`."""
        scope = MODULE_LEVEL if implementation_id is None else implementation_id
        values = self._values.get(scope, {})
        if parameter not in values:
            raise ApiError(f"module {self._module_id} has no parameter {parameter!r} of {scope}")
        if self._mutabilities.get((scope, parameter), "ReadOnly") != "ReadWrite":
            logger.warning("module %s: %s of %s is not ReadWrite; it never changes", self._module_id, parameter, scope)

        async def decide(text: str) -> Verdict:
            value = typed(text, values[parameter])
            answer = handler(value)
            verdict = await answer if inspect.isawaitable(answer) else answer
            verdict = verdict or Verdict("Accepted")
            if verdict.status == "Accepted":
                values[parameter] = value
            return verdict

        self._access.on_change(scope, parameter, decide)

    # --- parameters of others ----------------------------------------------------------------------------------------

    async def get(self, module_id: str, parameter: str, implementation_id: str | None) -> ConfigValue:
        """See `Module.get_config_value`."""
        what = f"{parameter} of {module_id}"
        try:
            answer = await self._access.get_value(module_id, parameter, implementation_id)
        except StartupError as error:
            raise ConfigAccessError(what, "Error", str(error)) from None
        data = _data(answer, what)
        value = data.get("value") if isinstance(data, dict) else None
        if not isinstance(value, bool | int | float | str):
            raise ConfigAccessError(what, "Error", "the answer holds no value")
        number = data["characteristics"].get("datatype") if isinstance(data.get("characteristics"), dict) else None
        return float(value) if number == "number" and isinstance(value, int) else value

    async def set(self, module_id: str, parameter: str, value: ConfigValue, implementation_id: str | None) -> Verdict:
        """See `Module.set_config_value`."""
        what = f"{parameter} of {module_id}"
        try:
            answer = await self._access.set_value(module_id, parameter, as_text(value), implementation_id)
        except StartupError as error:
            raise ConfigAccessError(what, "Error", str(error)) from None
        if answer.status != "Ok":
            raise ConfigAccessError(what, answer.status, answer.status_info)
        inner = answer.response if isinstance(answer.response, dict) else {}
        return Verdict(str(inner.get("status", "Rejected")), answer.status_info or str(inner.get("status_info") or ""))

    async def get_all(self) -> dict[str, dict[str, dict[str, ConfigValue]]]:
        """See `Module.get_all_config_values`."""
        data = await self._ask("All", "all configurations")
        found: dict[str, dict[str, list[dict[str, Any]]]] = _shaped(data, dict[str, dict[str, list[dict[str, Any]]]])
        return {
            module_id: {
                scope: {str(item.get("name")): item.get("value", "") for item in items}
                for scope, items in scopes.items()
            }
            for module_id, scopes in found.items()
        }

    async def get_mappings(self) -> dict[str, Mappings | None]:
        """See `Module.get_all_mappings`."""
        found: dict[str, Mappings | None] = _shaped(
            await self._ask("AllMappings", "all mappings"), dict[str, Mappings | None]
        )
        return found

    async def _ask(self, kind: str, what: str) -> Any:
        try:
            return _data(await self._access.get(kind), what)
        except StartupError as error:
            raise ConfigAccessError(what, "Error", str(error)) from None


def _data(answer: ConfigurationResponse, what: str) -> Any:
    """`response.data` of a good answer. Errors: ConfigAccessError."""
    if answer.status != "Ok":
        raise ConfigAccessError(what, answer.status, answer.status_info)
    if not isinstance(answer.response, dict):
        raise ConfigAccessError(what, "Error", "the answer holds no response")
    return answer.response.get("data")


def _shaped(data: Any, type: Any) -> Any:
    try:
        return convert(data, type, "the answer")
    except StartupError as error:
        raise ConfigAccessError("the configuration", "Error", str(error)) from None
