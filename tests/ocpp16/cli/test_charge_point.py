"""`ocpp16 charge-point` as a person runs it: a process, words on standard input, a CSMS at the other end."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from ocpp16.cli.main import main
from tests.support.configurations import document as minimal


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as central_system:
        yield central_system


@asynccontextmanager
async def running(csms: CentralSystem, tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    document = minimal()
    document["Internal"]["CentralSystemURI"] = csms.url
    (tmp_path / "config.json").write_text(json.dumps(document))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ocpp16.cli", "charge-point", "--conf", str(tmp_path / "config.json")),
        *("--database-path", str(tmp_path / "db"), "--user-config", str(tmp_path / "user.json")),
        *("--message-log-path", str(tmp_path / "logs")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def say(process: asyncio.subprocess.Process, *lines: str) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())


async def end(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_transaction_by_words(csms: CentralSystem, tmp_path: Path) -> None:
    async with running(csms, tmp_path) as process:
        await csms.wait_for(lambda: len(csms.calls("StatusNotification")) == 2, what="the states of both connectors")
        say(process, "help", "dance", "stop_transaction", "auth", "start_transaction")
        await csms.wait_for_call("StatusNotification", lambda call: call["status"] == "Charging")
        say(process, "start_transaction", "stop_transaction")
        await csms.wait_for_call("StatusNotification", lambda call: call["status"] == "Finishing")
        say(process, "end")
        status, out = await end(process)
    assert status == 0, out
    start, stop = csms.calls("StartTransaction"), csms.calls("StopTransaction")
    assert [(call["idTag"], call["meterStart"]) for call in start] == [("DEADBEEF", 0)]
    assert [(call["meterStop"], call["reason"], call["transactionId"]) for call in stop] == [(2500, "Local", 1)]
    for line in ("Received unknown command", "no transaction is running", "a transaction is running already"):
        assert line in out
    assert "DEADBEEF: Accepted" in out and "stop_transaction   stop the transaction" in out
    assert "ChargePoint: BootNotification [2," in out, "the first log format is console_detailed"


@pytest.mark.parametrize("how", ["signal", "end of input"])
async def test_it_also_ends_by_a_signal_and_with_its_input(csms: CentralSystem, tmp_path: Path, how: str) -> None:
    async with running(csms, tmp_path) as process:
        await csms.wait_for_call("BootNotification")
        if how == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin is not None
            process.stdin.close()
        status, out = await end(process)
    assert status == 0, out
    assert "Traceback" not in out


def test_a_missing_configuration_ends_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["charge-point", "--maindir", str(tmp_path), "--conf", "none.json"]) == 1
    assert str(tmp_path / "share/everest/modules/OCPP/none.json") in capsys.readouterr().err
    with pytest.raises(SystemExit) as help_:
        main(["charge-point", "--help"])
    assert help_.value.code == 1


def test_a_logging_configuration_is_read_and_a_wrong_one_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logging.ini"
    file.write_text("[Core]\nDisableLogging=false\n")
    assert main(["charge-point", "--conf", "none.json", "--logconf", str(file)]) == 1
    assert f"{file}: no logging configuration of Python" in capsys.readouterr().err
    log = tmp_path / "station.log"
    file.write_text(
        "[loggers]\nkeys=root,quiet\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
        "[logger_root]\nhandlers=\n[logger_quiet]\nqualname=test.quiet\nhandlers=file\n"
        f"[handler_file]\nclass=FileHandler\nargs=({str(log)!r},)\n"
    )
    before = logging.getLogger().handlers[:]
    try:
        assert main(["charge-point", "--conf", "none.json", "--logconf", str(file)]) == 1
    finally:
        logging.getLogger().handlers[:] = before
    assert "none.json" in capsys.readouterr().err
    assert log.exists()
