"""The `log` sub-module of EVerest's binding (bus 7.4): lines on stderr, filtered as the logging configuration says.

Everything of the package `everest` comes through here; a script's own use of `logging` is left alone.
May not be imported here: the rest of the framework.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from everest.runtime import logs

_everest = logging.getLogger("everest")
_logger = logging.getLogger("everest.framework.script")


def verbose(message: str, /) -> None:
    """Log with severity VERB."""
    _log("VERB", message)


def debug(message: str, /) -> None:
    """Log with severity DEBG."""
    _log("DEBG", message)


def info(message: str, /) -> None:
    """Log with severity INFO."""
    _log("INFO", message)


def warning(message: str, /) -> None:
    """Log with severity WARN."""
    _log("WARN", message)


def error(message: str, /) -> None:
    """Log with severity ERRO."""
    _log("ERRO", message)


def critical(message: str, /) -> None:
    """Log with severity CRIT."""
    _log("CRIT", message)


def update_process_name(name: str, /) -> None:
    """Change the label of this process in log lines (15 characters are shown)."""
    logs.set_process_name(name)


def _log(severity: str, message: str) -> None:
    _logger.log(logs.SEVERITIES[severity], "%s", message, stacklevel=3)


def configure(label: str, log_config: Path) -> None:
    """Send what `everest` logs in this process to stderr; called again, it replaces what was there."""
    for handler in list(_everest.handlers):
        _everest.removeHandler(handler)
    _everest.addHandler(logs.line_handler(sys.stderr))
    _everest.setLevel(logs.level_from(log_config))
    _everest.propagate = False
    logs.set_process_name(label)
