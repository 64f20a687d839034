"""`ocpp16 charge-point`: a charge point alone, without a bus, led by words on standard input (libocpp 10).

Its one connector is number 1; its callbacks print what is asked and answer positively. The session is kept between the
commands, and the end is a clean stop (DEPARTURE 54). Paths and commands are those of
libocpp's example; the folders can be named instead. May import: ocpp16. Nothing imports this but the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import logging.config
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocpp16.callbacks import Registration
from ocpp16.charge_point import ChargePoint
from ocpp16.configuration import Configuration
from ocpp16.errors import ConfigurationError
from ocpp16.logs import open_message_log
from ocpp16.messages import (
    AuthorizationStatus,
    DataTransferResponse,
    DataTransferStatus,
    GetLogResponse,
    LogStatusEnumType,
    Reason,
    ReservationStatus,
    UnlockStatus,
    UpdateFirmwareStatusEnumType,
)
from ocpp16.settings import log_settings
from ocpp16.system_clock import SystemClock, SystemRandomness

MODULE_FOLDER = Path("share/everest/modules/OCPP")
CONNECTOR = 1
TOKEN = "DEADBEEF"
ENERGY_WH = 2500.0

COMMANDS = {
    "auth": f"authorize {TOKEN}",
    "start_transaction": f"plug in, authorize {TOKEN}, start a transaction and charge",
    "stop_transaction": "stop the transaction and unplug",
    "help": "show this list",
    "end": "stop the charge point and leave",
}

ANSWERS: dict[str, Any] = {
    "enable_evse": True,
    "disable_evse": True,
    "pause_charging": True,
    "resume_charging": True,
    "provide_token": None,
    "stop_transaction": True,
    "reserve_now": ReservationStatus.Accepted,
    "cancel_reservation": True,
    "unlock_connector": UnlockStatus.Unlocked,
    "upload_diagnostics": GetLogResponse(status=LogStatusEnumType.Accepted, filename="diagnostics"),
    "upload_logs": GetLogResponse(status=LogStatusEnumType.Accepted, filename="logs"),
    "update_firmware": None,
    "signed_update_firmware": UpdateFirmwareStatusEnumType.Accepted,
    "all_connectors_unavailable": None,
    "set_connection_timeout": None,
    "set_system_time": None,
    "connection_state_changed": None,
    "data_transfer": DataTransferResponse(status=DataTransferStatus.Accepted),
}
"""Callbacks and what they answer. There is none for is_reset_allowed: Reset is Rejected (libocpp 10)."""


class _HelpWithStatusOne(argparse.Action):
    """libocpp's example ends with status 1 after its help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        parser.print_help()
        parser.exit(1)


def add_command(commands: Any) -> None:
    """`charge-point` under the top command."""
    text = "a charge point alone, led by words on standard input"
    command = commands.add_parser("charge-point", help=text, description=text, add_help=False)
    command.add_argument("-h", "--help", nargs=0, action=_HelpWithStatusOne, help="show this and end with status 1")
    command.add_argument("--maindir", type=Path, default=Path(), metavar="DIR", help=f"root; files in {MODULE_FOLDER}")
    command.add_argument("--conf", type=Path, default=Path("config.json"), metavar="FILE", help="the configuration")
    command.add_argument("--logconf", type=Path, metavar="FILE", help="logging configuration (Python's INI format)")
    for option, default in (
        ("--database-path", "/tmp/ocpp"),
        ("--user-config", "/tmp/user_config.json"),
        ("--message-log-path", "/tmp"),
    ):
        command.add_argument(option, type=Path, default=Path(default), metavar="PATH", help=f"default: {default}")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run until `end`, the end of the input, or a signal."""
    _set_up_logging(options)
    file = _existing(options.maindir / MODULE_FOLDER, options.conf)
    configuration = Configuration.load(file, user_config=options.user_config)
    asyncio.run(_run(configuration, options))
    return 0


def _existing(folder: Path, file: Path) -> Path:
    """libocpp looks in the module's folder; a path from here is taken too."""
    for candidate in (folder / file, file):
        if candidate.is_file():
            return candidate
    raise ConfigurationError(f"{folder / file}: there is no such file; name the configuration with --conf")


def _set_up_logging(options: argparse.Namespace) -> None:
    logging.getLogger().setLevel(logging.INFO)
    if options.logconf is None:
        return
    file = _existing(options.maindir / MODULE_FOLDER, options.logconf)
    try:
        logging.config.fileConfig(file, disable_existing_loggers=False)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"{file}: no logging configuration of Python ({error!r}); correct it") from error


async def _run(configuration: Configuration, options: argparse.Namespace) -> None:
    settings = log_settings(configuration, to_files=True)
    settings = replace(settings, formats=("console_detailed", *settings.formats[1:]))
    clock = SystemClock()
    charge_point = ChargePoint(
        configuration,
        database_path=options.database_path,
        message_log=open_message_log(settings, options.message_log_path, clock),
        clock=clock,
    )
    _register(charge_point)
    async with charge_point:
        await charge_point.start()
        _say(f"charge point {configuration.text('ChargePointId')} is running; `help` shows the commands")
        with _input_lines() as lines:
            await Console(charge_point).serve(lines)
        await charge_point.stop()


def _register(charge_point: Registration) -> None:
    for name, answer in ANSWERS.items():
        charge_point.callbacks.register(name, _printer(name, answer))


def _printer(name: str, answer: Any) -> Callable[..., Any]:
    async def callback(*arguments: Any) -> Any:
        _say(f"{name}({', '.join(map(repr, arguments))})")
        return answer

    return callback


class Console:
    """Takes the commands; remembers the session between them (DEPARTURE 54)."""

    def __init__(self, charge_point: ChargePoint) -> None:
        self._charge_point = charge_point
        self._clock = SystemClock()
        self._randomness = SystemRandomness()
        self._session_id: str | None = None

    async def serve(self, lines: asyncio.Queue[str | None]) -> None:
        """Until `end`, or None for the end of the input."""
        while (line := await lines.get()) is not None and line != "end":
            await self.obey(line)

    async def obey(self, line: str) -> None:
        """One command."""
        match line:
            case "auth":
                _say(f"{TOKEN}: {await self._authorize()}")
            case "start_transaction":
                await self._start()
            case "stop_transaction":
                await self._stop()
            case "help":
                _say("\n".join(f"{name:18} {text}" for name, text in COMMANDS.items()))
            case "":
                pass
            case _:
                _say("Received unknown command")

    async def _authorize(self) -> AuthorizationStatus:
        return (await self._charge_point.authorize_id_token(TOKEN)).id_tag_info.status

    async def _start(self) -> None:
        if self._session_id is not None:
            _say("a transaction is running already")
            return
        session_id = self._randomness.message_id()
        await self._charge_point.on_session_started(CONNECTOR, session_id, "EVConnected")
        status = await self._authorize()
        if status is not AuthorizationStatus.Accepted:
            _say(f"{TOKEN}: {status}")
            await self._charge_point.on_session_stopped(CONNECTOR, session_id)
            return
        self._session_id = session_id
        await self._charge_point.on_transaction_started(CONNECTOR, session_id, TOKEN, 0)
        await self._charge_point.on_resume_charging(CONNECTOR)
        _say(f"transaction started, session {session_id}")

    async def _stop(self) -> None:
        if self._session_id is None:
            _say("no transaction is running")
            return
        session_id, self._session_id = self._session_id, None
        await self._charge_point.on_transaction_stopped(
            CONNECTOR, session_id, Reason.Local, self._clock.now(), ENERGY_WH
        )
        await self._charge_point.on_session_stopped(CONNECTOR, session_id)
        _say("transaction stopped")


@contextmanager
def _input_lines() -> Iterator[asyncio.Queue[str | None]]:
    """Lines of standard input, None at its end and at SIGINT or SIGTERM.

    Read in a thread of its own that may stay behind: a blocking read cannot be ended from outside.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(line: str | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        for line in sys.stdin:
            tell(line.strip())
        tell(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lines.put_nowait, None)
    threading.Thread(target=read, name="standard input", daemon=True).start()
    try:
        yield lines
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
