"""Answers to configuration requests: Get and Set with their access rules (bus 6.7).

`ConfigurationService` holds the values that are in force; `get` is pure. `set` persists first, then asks the module
through the `forward` function it was given. Where it persists: slots.py. Envelopes and topics: bus.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from everest.manager import distribution
from everest.manager.errors import ManagerError
from everest.manager.model import MODULE_SCOPE, Access, Parameter, Scalar, Stack
from everest.manager.parameters import parameter_json, parsed
from everest.manager.slots import FileSlot, Slot
from everest.runtime import Dialect

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: `data` of a ConfigurationResponse. `type` None leaves the key out (bus 2.3, error reply)."""

    response: Any
    type: str | None
    status: str = "Ok"
    status_info: str = ""


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """What the module said to a forwarded Set: outer status and info, inner status."""

    status: str
    status_info: str
    verdict: str


class ModuleSilent(ManagerError):
    """The module never answered a forwarded Set."""


Forward = Callable[[str, Mapping[str, Any], str], Awaitable[ForwardResult]]
"""(module id, identifier, value) -> what the module said. Raises ModuleSilent."""


def unknown_origin(origin: str) -> Answer:
    return Answer(None, None, "Error", f"there is no module {origin}")


class ConfigurationService:
    """The configuration in force, as the modules see and change it. Dialect A knows no run-time changes (bus 8)."""

    def __init__(
        self, stack: Stack, forward: Forward, slot: Slot | None = None, *, dialect: Dialect = Dialect.B
    ) -> None:
        self._stack = stack
        self._slot = slot or FileSlot(stack)
        self._dialect = dialect
        self._forward = forward
        self._parameters = {module_id: dict(module.parameters) for module_id, module in stack.modules.items()}
        self._order = asyncio.Lock()
        self.running = False
        """True between global ready and stop; only then run-time changes reach modules."""
        self.at_rest = False
        """True when modules neither start nor stop nor run."""

    def knows(self, module_id: str) -> bool:
        return module_id in self._stack.modules

    def get(self, origin: str, request: Mapping[str, Any]) -> Answer:
        """Answer a Get of a known module."""
        match request.get("type"):
            case "Module":
                module = self._stack.modules[origin]
                data: Any = distribution.module_response(self._stack, module, self._parameters[origin])
            case "All":
                data = self._all(origin)
            case "AllMappings":
                data = {
                    module_id: self._stack.modules[module_id].mapping.as_json()
                    for module_id in self._stack.modules
                    if self._may_read(origin, module_id)
                }
            case "Value":
                return self._value(origin, request.get("identifier"))
            case other:
                return Answer(None, None, "Error", f"unknown request type {other!r}")
        return Answer({"type": request["type"], "data": data}, "Get")

    def _all(self, origin: str) -> dict[str, Any]:
        access = self._access(origin)
        result = {}
        for module_id, parameters in self._parameters.items():
            if not self._may_read(origin, module_id):
                continue
            rights = access.modules.get(module_id)
            shown = access.allow_set_read_only or (rights is not None and rights.allow_set_read_only)
            result[module_id] = distribution.parameters_json(parameters, read_write=shown)
        return result

    def _value(self, origin: str, identifier: object) -> Answer:
        empty = {"type": "Value", "data": None}
        found = _identifier(identifier)
        if found is None:
            return Answer(empty, "Get", "Error", "the identifier is incomplete")
        module_id, scope, name = found
        if not self._may_read(origin, module_id):
            return Answer(empty, "Get", "AccessDenied", f"{origin} may not read the configuration of {module_id}")
        parameter = self._find(module_id, scope, name)
        if parameter is None:
            return Answer(empty, "Get", "Error", f"there is no parameter {module_id}/{scope}/{name}")
        return Answer({"type": "Value", "data": parameter_json(parameter)}, "Get")

    async def set(self, origin: str, request: Mapping[str, Any]) -> Answer:
        """Answer a Set of a known module: persist, then hand it to the module if it can change at run time."""
        found = _identifier(request.get("identifier"))
        value = request.get("value")
        if found is None or not isinstance(value, str):
            return _set_answer("Rejected", "Error", "the identifier is incomplete or the value is no text")
        module_id, scope, name = found
        if not self._may_write(origin, module_id):
            return _set_answer("Rejected", "AccessDenied", f"{origin} may not write the configuration of {module_id}")
        async with self._order:
            return await self._apply(module_id, scope, name, value)

    async def _apply(self, module_id: str, scope: str, name: str, text: str) -> Answer:
        parameter = self._find(module_id, scope, name)
        if parameter is None:
            return _set_answer("Rejected", "Error", f"there is no parameter {module_id}/{scope}/{name}")
        if not self.running and not self.at_rest:
            return _set_answer("Rejected")
        value = parsed(text, parameter.datatype)
        if value is None:
            return _set_answer("Rejected", info=f"{text!r} is not of type {parameter.datatype}")
        failure = self._persist(module_id, scope, name, value)
        if failure is not None:
            return _set_answer("Rejected", info=failure)
        if parameter.mutability != "ReadWrite" or not self.running or self._dialect is Dialect.A:
            return _set_answer("RebootRequired")
        return await self._hand_over(module_id, scope, parameter, text, value)

    async def _hand_over(self, module_id: str, scope: str, parameter: Parameter, text: str, value: Scalar) -> Answer:
        identifier = {"module_id": module_id, "configuration_parameter_name": parameter.name}
        if scope != MODULE_SCOPE:
            identifier["module_implementation_id"] = scope
        try:
            result = await self._forward(module_id, identifier, text)
        except ModuleSilent as error:
            return Answer(None, None, "Error", str(error))
        if result.status != "Ok":
            return _set_answer("RebootRequired", info="Module not responding")
        if result.verdict == "Accepted":
            self._replace(module_id, scope, dataclasses.replace(parameter, value=value))
            return _set_answer("Accepted")
        if result.verdict == "RebootRequired":
            return _set_answer("RebootRequired")
        return _set_answer("RebootRequired", info="Runtime change rejected by module")

    def _replace(self, module_id: str, scope: str, changed: Parameter) -> None:
        parameters = self._parameters[module_id]
        parameters[scope] = tuple(changed if entry.name == changed.name else entry for entry in parameters[scope])

    def _persist(self, module_id: str, scope: str, name: str, value: Scalar) -> str | None:
        """Make the value durable; the reason when that fails."""
        try:
            self._slot.store(module_id, scope, name, value)
        except (OSError, ManagerError) as error:
            logger.warning("%s/%s/%s cannot be stored: %s", module_id, scope, name, error)
            return f"cannot be stored: {error}"
        return None

    def _find(self, module_id: str, scope: str, name: str) -> Parameter | None:
        entries = self._parameters.get(module_id, {}).get(scope, ())
        return next((entry for entry in entries if entry.name == name), None)

    def _access(self, origin: str) -> Access:
        return self._stack.modules[origin].access or Access()

    def _may_read(self, origin: str, module_id: str) -> bool:
        access = self._access(origin)
        rights = access.modules.get(module_id)
        return origin == module_id or access.allow_global_read or (rights is not None and rights.allow_read)

    def _may_write(self, origin: str, module_id: str) -> bool:
        access = self._access(origin)
        rights = access.modules.get(module_id)
        return origin == module_id or access.allow_global_write or (rights is not None and rights.allow_write)


def _identifier(value: object) -> tuple[str, str, str] | None:
    """(module id, scope, parameter name) of an identifier; None when a part is missing or no text."""
    if not isinstance(value, Mapping):
        return None
    module_id, name = value.get("module_id"), value.get("configuration_parameter_name")
    scope = value.get("module_implementation_id") or MODULE_SCOPE
    if isinstance(module_id, str) and isinstance(name, str) and isinstance(scope, str):
        return module_id, scope, name
    return None


def _set_answer(verdict: str, status: str = "Ok", info: str = "") -> Answer:
    return Answer({"status": verdict, "status_info": info}, "Set", status, info)
