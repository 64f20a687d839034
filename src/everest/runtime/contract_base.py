"""The two bases that generated contract classes stand on, and the tables they carry.

Lives here: `Command`, `Implementation` (provider side), `Client` (requirer side) and the hooks that the generated code in
`everest.contracts.interfaces` calls. The generator (`everest.codegen`) writes subclasses of these two and nothing else, so
the names and signatures below are the whole seam between generated code and runtime.
May not be imported here: everest.contracts, everest.framework, everest.manager.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

VariableHandler: TypeAlias = Callable[[Any], Awaitable[None] | None]


class Command(NamedTuple):
    """Python types of one command: what msgspec decodes the arguments and the result into.

    `arguments` maps argument name -> type in the order of the interface file; all are mandatory on the wire (bus 6.4).
    `result` is the type of `retval`; None for a command without a result (`"retval": null`).
    """

    arguments: Mapping[str, Any]
    result: Any


class Contract:
    """The tables that both generated classes of an interface share; generated as literals.

    `errors` lists the declared error types as `namespace/Name`.
    """

    interface: ClassVar[str]
    commands: ClassVar[Mapping[str, Command]]
    variables: ClassVar[Mapping[str, Any]]
    errors: ClassVar[tuple[str, ...]]


class Implementation(Contract, ABC):
    """What a provider implements: one abstract async method per command, `publish_<variable>` per variable.

    The runtime calls the method named like the command with the decoded arguments as keywords.
    """

    def _publish(self, variable: str, value: Any) -> None:
        """Queue `value` for the variable's topic, in program order; called by the generated `publish_<variable>`."""
        raise NotImplementedError


class Client(Contract):
    """What a requirer holds per connection: one async method per command, `on_<variable>` per variable."""

    async def _call(self, command: str, arguments: Mapping[str, Any], result: Any) -> Any:
        """Call `command` at the provider; `arguments` are typed values, the reply is decoded into the type `result`.

        Errors: subclasses of `everest.runtime.CommandError`.
        """
        raise NotImplementedError

    def _subscribe(self, variable: str, type: Any, handler: VariableHandler) -> None:
        """Have `handler` called with every value of `variable`, decoded into `type`; handlers may be plain or async."""
        raise NotImplementedError
