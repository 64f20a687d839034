"""All errors of the whole stack, for modules whose manifest says `enable_global_errors: true` (bus 4.3).

Lives here: `GlobalErrors`. May not be imported here: contracts, manager.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everest.runtime.connection import ErrorListener
from everest.runtime.wire import Dialect

if TYPE_CHECKING:
    from everest.runtime.context import ModuleContext


class GlobalErrors:
    """Follows every declared error of every implementation of every module, the module's own included."""

    def __init__(self, context: ModuleContext) -> None:
        self._context = context
        deployment = context.deployment
        self._implementations = [
            (module_id, implementation_id, sorted(deployment.interface(provision.interface).error_types))
            for module_id, module_name in sorted(deployment.module_names.items())
            for implementation_id, provision in sorted(deployment.manifests[module_name].provides.items())
        ]
        declared = {error_type for *_, types in self._implementations for error_type in types}
        self.listener = ErrorListener(context, declared, "all errors")

    def follow(self) -> None:
        """Subscribe; dialect A takes one filter per implementation, B one topic per declared type (bus 8)."""
        bus = self._context.bus
        for module_id, implementation_id, types in self._implementations:
            names = ["#"] if bus.dialect is Dialect.A else types
            for name in names:
                self.listener.follow(bus.topics.error(module_id, implementation_id, name))
