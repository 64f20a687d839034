"""`Module` of EVerest's binding: what scripts call, from any thread (bus 7.2).

Lives here: `Module`. Every call is handed to the module's own event loop (life.py) and, where the script waits for an
answer, waited for. Framework exceptions are RuntimeErrors.
May not be imported here: everest.contracts, everest.manager.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, overload

from msgspec import Raw

from everest.framework.bridge import ChangeCallback, CommandHandler, DictionaryClient, ErrorCallback
from everest.framework.error import Error, ErrorFactory, ErrorStateMonitor, sent
from everest.framework.life import Life
from everest.framework.model import (
    Fulfillment,
    Interface,
    ModuleInfo,
    ModuleSetup,
    info_of,
    interface_of,
    setup_of,
)
from everest.framework.session import RuntimeSession
from everest.framework.values import to_json
from everest.runtime import wire
from everest.runtime.error_state import Origin, StateMonitor
from everest.runtime.errors import ApiError
from everest.runtime.wire import ConfigurationResponse


class Module:
    """One module, connected and configured: the constructor returns when the manager has told everything.

    `Module(session)` takes its id from EV_MODULE. The script registers its handlers, says `init_done` and keeps its
    main thread alive. Dropping the object disconnects. Errors: RuntimeError when broker or manager do not answer.
    """

    @overload
    def __init__(self, session: RuntimeSession, /) -> None: ...
    @overload
    def __init__(self, module_id: str, session: RuntimeSession, /) -> None: ...
    def __init__(self, *arguments: Any) -> None:
        module_id, session = _id_and_session(arguments)
        self._session = session
        self._life = Life(session._broker, module_id)
        self._bridge = self._life.start()
        self._disconnect = weakref.finalize(self, self._life.close)
        self._context = self._bridge.context
        self._deployment = self._context.deployment

    # --- life --------------------------------------------------------------------------------------------------------

    def say_hello(self) -> ModuleSetup:
        """Configuration and connections of this module."""
        if self._life.thread.closed:
            raise RuntimeError(f"module {self.info.id} is disconnected")
        return setup_of(self._deployment)

    @overload
    def init_done(self, /) -> None: ...
    @overload
    def init_done(self, on_ready: Callable[[], None] | None, /) -> None: ...
    def init_done(self, on_ready: Callable[[], None] | None = None, /) -> None:
        """Report this module ready; `on_ready()` runs in a thread of its own when all modules are.

        Errors: RuntimeError while a command of a provided interface has no handler.
        """
        self._life.call(self._bridge.init_done, on_ready)

    def shutdown_handler(self, callback: Callable[[], None], /) -> None:
        """Have `callback()` called on a graceful shutdown, while commands still work."""
        self._life.call(self._bridge.set_shutdown_handler, callback)

    # --- commands and variables --------------------------------------------------------------------------------------

    def call_command(self, fulfillment: Fulfillment, name: str, args: dict[str, Any], /) -> Any:
        """Call a command of a connection and wait for its result, 300 s at most.

        Errors: RuntimeError with the provider's reason, or for a command that its interface does not have.
        """
        return self._life.run(self._call, fulfillment, name, to_json(args))

    async def _call(self, fulfillment: Fulfillment, name: str, args: dict[str, Any]) -> Any:
        return await self._client(fulfillment).call(name, args)

    def implement_command(self, impl_id: str, name: str, handler: CommandHandler, /) -> None:
        """Have `handler(args)` answer a command. Errors: RuntimeError when it is undeclared or has one already."""
        self._life.call(self._bridge.implement, impl_id, name, handler)

    def publish_variable(self, impl_id: str, name: str, value: Any, /) -> None:
        """Publish a variable of a provided implementation; one thread's publications stay in order.

        Errors: RuntimeError for a value that is no JSON and, with `validate_schema`, for one that is not as declared.
        """
        text = wire.encode(to_json(value))
        self._check_variable(impl_id, name, text)
        bus = self._context.bus
        topic = bus.topics.variable(self.info.id, impl_id, name)
        self._life.thread.post(bus.publish, "variable", topic, wire.build_var(Raw(text)))

    def _check_variable(self, impl_id: str, name: str, text: bytes) -> None:
        """Bus 3.4: only with `validate_schema`."""
        if self._context.validator is None:
            return
        provision = self._deployment.manifest.provides.get(impl_id)
        if provision is None:
            raise RuntimeError(f"module {self.info.id} provides no implementation {impl_id!r}")
        try:
            self._context.validator.check_variable(provision.interface, name, text)
        except RuntimeError as error:
            raise RuntimeError(f"{impl_id}.{name} cannot be published: {error}") from error

    def subscribe_variable(self, fulfillment: Fulfillment, name: str, callback: Callable[[Any], None], /) -> None:
        """Have `callback(value)` called with every value of a variable; several callbacks are allowed.

        Errors: RuntimeError for a variable that the interface does not declare.
        """
        self._life.run(self._subscribe_variable, fulfillment, name, callback)

    async def _subscribe_variable(self, fulfillment: Fulfillment, name: str, callback: Callable[[Any], None]) -> None:
        await self._bridge.subscribe_variable(self._client(fulfillment), name, callback)

    def _client(self, fulfillment: Fulfillment) -> DictionaryClient:
        return self._bridge.client(fulfillment._requirement_id, fulfillment._index)

    # --- errors of own implementations -------------------------------------------------------------------------------

    def raise_error(self, impl_id: str, error: Error, /) -> None:
        """Raise an error; an undeclared type is logged and ignored, one that is active already ignored.

        Errors: RuntimeError for an unknown implementation.
        """
        complete = sent(error)
        self._life.call(lambda: self._bridge.provider(impl_id).submit_error(complete))

    def clear_error(self, impl_id: str, type: str, sub_type: str = "") -> None:
        """Clear exactly this error; nothing happens when it is not active."""
        self._life.call(lambda: self._bridge.provider(impl_id).clear_error(type, sub_type))

    def clear_all_errors_of_impl(self, impl_id: str, type: str | None = None) -> None:
        """Clear all errors of an implementation, or all of one type; one message each."""
        self._life.call(lambda: self._bridge.provider(impl_id).clear_all_errors(type))

    def get_error_state_monitor_impl(self, impl_id: str, /) -> ErrorStateMonitor | None:
        """Questions about the errors of an own implementation; None for an unknown one."""
        provider = self._context.providers.get(impl_id)
        return None if provider is None else self._monitor(provider.errors.monitor)

    def get_error_factory(self, impl_id: str, /) -> ErrorFactory | None:
        """What makes errors of an own implementation; None for an unknown one."""
        provider = self._context.providers.get(impl_id)
        if provider is None:
            return None
        origin = Origin(self.info.id, impl_id, provider.mapping)
        return ErrorFactory(origin, provider.describe)

    # --- errors of others --------------------------------------------------------------------------------------------

    def subscribe_error(
        self, fulfillment: Fulfillment, type: str, raised_cb: ErrorCallback, cleared_cb: ErrorCallback, /
    ) -> None:
        """Have `raised_cb(error)` and `cleared_cb(error)` called for one type; an undeclared one is only logged.

        Errors: RuntimeError when the manifest ignores the errors of the requirement.
        """
        self._life.call(lambda: self._bridge.subscribe_error(self._client(fulfillment), type, raised_cb, cleared_cb))

    def subscribe_all_errors(
        self, fulfillment: Fulfillment, raised_cb: ErrorCallback, cleared_cb: ErrorCallback, /
    ) -> None:
        """As `subscribe_error`, for every error type of the interface."""
        self._life.call(lambda: self._bridge.subscribe_error(self._client(fulfillment), None, raised_cb, cleared_cb))

    def get_error_state_monitor_req(self, fulfillment: Fulfillment, /) -> ErrorStateMonitor | None:
        """Questions about the errors of a connection; None for an unknown one, or when the manifest ignores them."""
        try:
            monitor = self._client(fulfillment).errors_active
        except ApiError:
            return None
        return None if monitor is None else self._monitor(monitor)

    def _monitor(self, monitor: StateMonitor) -> ErrorStateMonitor:
        return ErrorStateMonitor(monitor, self._ask)

    def _ask(self, question: Callable[[], bool]) -> bool:
        """Ask on the loop, which changes what is asked about; once that has ended, nothing changes any more."""
        return question() if self._life.thread.closed else self._life.call(question)

    # --- configuration -----------------------------------------------------------------------------------------------

    def set_config_value(
        self, module_id: str, param_name: str, value: str, impl_id: str | None = None
    ) -> dict[str, str]:
        """Ask the manager to change a parameter: `status` and `status_info` of the request, `set_status` of the change.

        Errors: RuntimeError when no manager answers; a refusal is no error.
        """
        access = self._bridge.config_access
        answer = self._life.run(access.set_value, module_id, param_name, value, impl_id)
        inner = answer.response if isinstance(answer.response, dict) else {}
        return {
            "status": answer.status,
            "status_info": answer.status_info or str(inner.get("status_info") or ""),
            "set_status": str(inner.get("status") or "Rejected"),
        }

    def get_config_value(self, module_id: str, param_name: str, impl_id: str | None = None) -> dict[str, Any]:
        """Ask the manager for a parameter: `status`, `status_info`, and `value` ("" unless the status is Ok).

        Errors: RuntimeError when no manager answers; a refusal is no error.
        """
        answer = self._life.run(self._bridge.config_access.get_value, module_id, param_name, impl_id)
        return {"status": answer.status, "status_info": answer.status_info, "value": _value(answer)}

    def register_config_change_handler(self, impl_id: str, param_name: str, handler: ChangeCallback) -> None:
        """Have `handler(new value as text)` decide about changes of an own parameter.

        `impl_id` is `"!module"` for parameters of the module. The handler answers `{"status": "Accepted" | "Rejected" |
        "RebootRequired", "reason": text}`; anything else counts as Rejected, an exception too.
        """
        self._life.run(self._bridge.decide_config_change, impl_id, param_name, handler)

    # --- properties --------------------------------------------------------------------------------------------------

    @property
    def info(self) -> ModuleInfo:
        """Who this module is."""
        return info_of(self._deployment)

    @property
    def implementations(self) -> dict[str, Interface]:
        """What this module provides."""
        provides = self._deployment.manifest.provides
        return {name: interface_of(self._deployment, item.interface) for name, item in provides.items()}

    @property
    def requirements(self) -> dict[str, Interface]:
        """What the manifest requires, connected or not."""
        requires = self._deployment.manifest.requires
        return {name: interface_of(self._deployment, item.interface) for name, item in requires.items()}

    @property
    def fulfillments(self) -> dict[str, list[Fulfillment]]:
        """Always empty, as in the original; use `say_hello().connections`."""
        return {}


def _id_and_session(arguments: tuple[Any, ...]) -> tuple[str, RuntimeSession]:
    match arguments:
        case (RuntimeSession() as session,):
            module_id = os.environ.get("EV_MODULE", "")
            if not module_id:
                raise RuntimeError("EV_MODULE is not set: say Module(module_id, session)")
            return module_id, session
        case (str() as module_id, RuntimeSession() as session):
            return module_id, session
    raise TypeError("Module takes (session) or (module_id, session)")


def _value(answer: ConfigurationResponse) -> Any:
    """The value of a configuration answer; a `number` is a float, whatever the manager wrote."""
    data = answer.response.get("data") if isinstance(answer.response, dict) else None
    if answer.status != "Ok" or not isinstance(data, dict):
        return ""
    value = data.get("value", "")
    kind = (data.get("characteristics") or {}).get("datatype")
    return float(value) if kind == "number" and isinstance(value, int) and not isinstance(value, bool) else value
