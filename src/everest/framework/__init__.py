"""Drop-in for EVerest's Python binding: `from everest.framework import Module, RuntimeSession, log, error`.

The names, signatures and threads of bus 7 over everest.runtime, which does all the talking. See docs/framework.md.
    session.py  where the broker is      module.py   what scripts call, from any thread
    bridge.py   the module on the bus    life.py     its event loop in a background thread   workers.py  handler threads
    model.py, error.py, log.py, values.py            what scripts see
May not be imported here: everest.contracts, everest.manager, ocpp16, evse_security.
"""

from everest.framework import error, log
from everest.framework.model import (
    Fulfillment,
    Interface,
    ModuleInfo,
    ModuleInfoPaths,
    ModuleSetup,
    ModuleSetupConfigurations,
)
from everest.framework.module import Module
from everest.framework.session import RuntimeSession

__version__ = "0.25.0"
"""EVerest's own number: modules that ask which framework they run on get the answer they know."""

__all__ = [
    "Fulfillment",
    "Interface",
    "Module",
    "ModuleInfo",
    "ModuleInfoPaths",
    "ModuleSetup",
    "ModuleSetupConfigurations",
    "RuntimeSession",
    "__version__",
    "error",
    "log",
]
