"""The manager's exception tree.

    ManagerError                 one line for people; the manager ends with status 1
    ├── BootError                the surroundings are wrong: directories, settings, program files, the fifo
    ├── BrokerError              no broker, or the broker went away
    └── ConfigError              the files are wrong; carries every Problem that was found

No import of the rest of the package but `problems`.
"""

from __future__ import annotations

from collections.abc import Sequence

from everest.manager.problems import Problem


class ManagerError(Exception):
    """Base of everything the manager reports in one line and answers with exit status 1."""


class BootError(ManagerError):
    """The surroundings do not allow a start (bus 2.1, 1.1)."""


class BrokerError(ManagerError):
    """The MQTT broker cannot be reached, or the connection to it was lost (bus 1.2)."""


class ConfigError(ManagerError):
    """Config, manifests or interfaces are wrong. `problems` holds all that was found, `warnings` what is no mistake."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(str(problem) for problem in self.problems))
