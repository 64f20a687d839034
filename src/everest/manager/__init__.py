"""The manager of an EVerest stack: configuration, modules, life cycle (`everest-manager`).

    cli.py            command line          config.py, check.py, ...   files into a checked Stack
    lifecycle.py      start, ready, stop    distribution.py            a Stack into bus payloads
    processes.py      modules as processes  inprocess.py               modules as tasks
    run.py, broker.py `everest-manager run`: a broker of its own, a state directory, companions

Imports everest.runtime; never everest.demo, everest.trace, ocpp16.
"""

from everest.manager.errors import BootError, BrokerError, ConfigError, ManagerError

__all__ = ["BootError", "BrokerError", "ConfigError", "ManagerError"]
