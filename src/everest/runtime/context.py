"""The place where a module's parts meet: its deployment, its seat on the bus, its clock, its end.

Lives here: `ModuleContext`, made by the runtime and handed to the module's constructor. Module code treats it as
opaque.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everest.runtime.bus import Bus
from everest.runtime.clock import Clock
from everest.runtime.config_access import ConfigAccess
from everest.runtime.errors import ApiError, StartupError
from everest.runtime.model import Deployment
from everest.runtime.own_config import OwnConfig

if TYPE_CHECKING:
    from everest.runtime.connection import Connection
    from everest.runtime.global_errors import GlobalErrors
    from everest.runtime.inspection import Inspector
    from everest.runtime.module import Module
    from everest.runtime.provider import Provider
    from everest.runtime.validation import Validator


@dataclass
class ModuleContext:
    """Everything one module run shares.

    `validator` is there when `validate_schema` is on, `inspector` when tolerated deviations are to be reported.
    """

    deployment: Deployment
    bus: Bus
    clock: Clock
    request_exit: Callable[[int], None]
    validator: Validator | None = None
    inspector: Inspector | None = None
    providers: dict[str, Provider] = field(default_factory=dict)
    connections: dict[str, list[Connection]] = field(default_factory=dict)
    global_errors: GlobalErrors | None = None
    config_access: ConfigAccess = field(init=False)
    config: OwnConfig = field(init=False)
    _module: Module | None = None

    def __post_init__(self) -> None:
        self.config_access = ConfigAccess(self.bus)
        self.config = OwnConfig(self.deployment.configuration, self.config_access)

    @property
    def module(self) -> Module:
        """The module instance; known once its constructor has begun."""
        if self._module is None:
            raise ApiError("the module's constructor has not called super().__init__(context)")
        return self._module

    @module.setter
    def module(self, module: Module) -> None:
        self._module = module

    @property
    def module_id(self) -> str:
        return self.deployment.configuration.module_id

    def connected(self, requirement_id: str) -> list[Connection]:
        """All connections of a requirement, in config order. Errors: ApiError for an undeclared requirement."""
        if requirement_id not in self.deployment.manifest.requires:
            declared = ", ".join(sorted(self.deployment.manifest.requires)) or "none"
            raise ApiError(
                f"module {self.module_id} requires nothing called {requirement_id!r}; its manifest declares: {declared}"
            )
        return self.connections.get(requirement_id, [])

    def check_provided(self) -> None:
        """Before ready: each implementation of the manifest is provided.

        Errors: StartupError naming the missing ones.
        """
        missing = sorted(set(self.deployment.manifest.provides) - set(self.providers))
        if missing:
            raise StartupError(
                f"module {self.module_id} does not provide {', '.join(missing)}, which its manifest declares: "
                f"call provide() in the constructor of its class"
            )
