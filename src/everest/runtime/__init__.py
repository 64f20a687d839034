"""The bus for modules: what a module author imports (everest.runtime is asyncio only).

A module is a subclass of `Module`; its folder's `module.py` says `launch(__file__)`. Typed interfaces come from
`everest.contracts`. Tests of a module use `everest.runtime.testing.ModuleBench`. See docs/modules.md.
May not be imported here: everest.contracts, everest.framework, everest.manager, ocpp16, evse_security.
"""

from everest.runtime.clock import Clock, SystemClock
from everest.runtime.config_access import Verdict
from everest.runtime.context import ModuleContext
from everest.runtime.contract_base import Client, Command, Implementation
from everest.runtime.dictionaries import DictClient, DictImplementation
from everest.runtime.error_state import Error, ErrorCondition, Origin, Severity, State, StateMonitor
from everest.runtime.errors import (
    ApiError,
    BrokerLost,
    BrokerRefused,
    CmdTimeout,
    CommandError,
    ConfigAccessError,
    EverestError,
    HandlerException,
    MessageParsingError,
    ModuleCrashed,
    NotReady,
    SchemaValidationError,
    Shutdown,
    StartupError,
    TransportError,
    WireError,
)
from everest.runtime.launch import launch
from everest.runtime.memory import MemoryBroker, MemoryTransport
from everest.runtime.model import Fulfillment, Mapping, ModuleInfo, Paths
from everest.runtime.module import Module
from everest.runtime.run import run_module
from everest.runtime.topics import Topics
from everest.runtime.transport import Message, Transport
from everest.runtime.wire import Dialect

__all__ = [
    "ApiError",
    "BrokerLost",
    "BrokerRefused",
    "Client",
    "Clock",
    "CmdTimeout",
    "Command",
    "CommandError",
    "ConfigAccessError",
    "Dialect",
    "DictClient",
    "DictImplementation",
    "Error",
    "ErrorCondition",
    "EverestError",
    "Fulfillment",
    "HandlerException",
    "Implementation",
    "Mapping",
    "MemoryBroker",
    "MemoryTransport",
    "Message",
    "MessageParsingError",
    "Module",
    "ModuleContext",
    "ModuleCrashed",
    "ModuleInfo",
    "NotReady",
    "Origin",
    "Paths",
    "SchemaValidationError",
    "Severity",
    "Shutdown",
    "StartupError",
    "State",
    "StateMonitor",
    "SystemClock",
    "Topics",
    "Transport",
    "TransportError",
    "Verdict",
    "WireError",
    "launch",
    "run_module",
]
