"""Logging of module processes: one line per entry on stderr, the module id as label, EVerest's severity filter.

Lives here: `configure`, `module_label` (who speaks, per task) and the reader of EVerest's logging INI (bus 7.4).
May not be imported here: anything else of this project.
"""

from __future__ import annotations

import configparser
import logging
import re
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import IO

_first_label = ""
"""Who speaks in a thread that no task has begun: the process."""
module_label: ContextVar[str] = ContextVar("module_label", default="")
"""The module id of the running task; several modules may share one process."""

_process_name = ""

SEVERITIES = {
    "VERB": logging.DEBUG - 5,
    "DEBG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERRO": logging.ERROR,
    "CRIT": logging.CRITICAL,
}
COLOURS = {"VERB": "2", "DEBG": "2", "INFO": "32", "WARN": "33", "ERRO": "31", "CRIT": "1;31"}

_FILTER = re.compile(r"%Severity%\s*(>=|>)\s*\"?([A-Z]{4})\"?", re.IGNORECASE)


def severity(level: int) -> str:
    """EVerest's four letters for a Python level."""
    return next((name for name, value in reversed(SEVERITIES.items()) if level >= value), "VERB")


def level_from(path: Path | None) -> int:
    """The lowest level that passes the INI's `[Core] Filter`; INFO when there is no usable file or filter.

    `DisableLogging=true` switches everything off.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        if path is None or not parser.read(path, encoding="utf-8"):
            return logging.INFO
    except (configparser.Error, UnicodeDecodeError):
        return logging.INFO
    if parser.get("Core", "DisableLogging", fallback="false").strip().lower() == "true":
        return logging.CRITICAL + 1
    found = _FILTER.search(parser.get("Core", "Filter", fallback=""))
    if found is None or found[2].upper() not in SEVERITIES:
        return logging.INFO
    level = SEVERITIES[found[2].upper()]
    return level + 1 if found[1] == ">" else level


def set_process_name(name: str) -> None:
    """Name all log lines of this process, whichever thread or task speaks (the drop-in binding's way, bus 7.4)."""
    global _process_name
    _process_name = name


class LineFormatter(logging.Formatter):
    """`2026-03-01 12:00:00.123 [INFO] system          text`; coloured severity on a terminal."""

    default_msec_format = "%s.%03d"

    def __init__(self, *, colour: bool) -> None:
        super().__init__("%(asctime)s [%(severity)s] %(label)s %(message)s")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        name = severity(record.levelno)
        record.severity = f"\x1b[{COLOURS[name]}m{name}\x1b[0m" if self._colour else name
        record.label = f"{_process_name or module_label.get() or _first_label:15.15}"
        return super().format(record)


def line_handler(stream: IO[str]) -> logging.Handler:
    """A handler that writes such lines to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(colour=stream.isatty()))
    return handler


def configure(label: str, log_config: Path | None = None, stream: IO[str] | None = None) -> None:
    """Send all logging of this process to stderr, named by `label`, filtered as the INI says."""
    global _first_label
    stream = stream or sys.stderr
    module_label.set(label)
    _first_label = label
    level = level_from(log_config)
    logging.basicConfig(level=level, handlers=[line_handler(stream)], force=True)
    for chatty in ("aiomqtt", "mqtt", "asyncio", "websockets", "httpx", "peewee"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
