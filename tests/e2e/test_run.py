"""`everest-manager run` as a user has it: the played session, scripts, Ctrl-C, somebody's own CSMS, wrong input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem
from tests.support.stack import ROOT, module_processes

pytestmark = pytest.mark.stack

RUN = [sys.executable, "-m", "everest.manager", "run"]
needs_broker = pytest.mark.mosquitto
KINDS = [pytest.param([], id="mosquitto", marks=needs_broker), pytest.param(["--in-process"], id="in-process")]


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("EV_", "MQTT_"))}


async def run(folder: Path, *arguments: str, script: str = "", seconds: float = 90) -> tuple[int, str]:
    """Exit status and everything that was printed."""
    process = await asyncio.create_subprocess_exec(
        *RUN, "--state-dir", str(folder / "state"), *arguments,
        cwd=folder, env=environment(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(script.encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode is not None
    return process.returncode, output.decode()


def assert_told(output: str, parts: Iterable[str]) -> None:
    """All parts occur, in this order."""
    position = 0
    for part in parts:
        found = output.find(part, position)
        assert found >= 0, f"{part!r} is not told after position {position}:\n{output}"
        position = found


SESSION = (
    "BootNotification",
    "a car arrives",
    "session starts (EVConnected)",
    "-> Authorize",
    "DEADBEEF: UsedToStart",
    "-> StartTransaction",
    "<- StartTransaction",
    "-> MeterValues",
    "DEADBEEF: UsedToStop",
    "-> StopTransaction",
    "<- StopTransaction",
    "the session is over: transaction 1",
)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_session_is_played_told_and_ends_well(tmp_path: Path, kind: list[str]) -> None:
    status, output = await run(tmp_path, *kind)
    assert status == 0, output
    assert_told(output, SESSION)
    assert "CALLERROR" not in output
    assert "\x1b[" not in output, "no colours in a pipe"
    assert "Traceback" not in output


@pytest.mark.parametrize("kind", KINDS)
async def test_piped_commands_are_a_script_each_line_waiting_for_its_effect(tmp_path: Path, kind: list[str]) -> None:
    script = "plug 2\nswipe CARD1 2\nwait 1.5\nswipe CARD1 2\nunplug 2\n"
    status, output = await run(tmp_path, *kind, "--no-play", script=script)
    assert status == 0, output
    told = "\n".join(" ".join(line.split()) for line in output.splitlines())
    parts = ("EVSE 2 session starts", "CARD1: UsedToStart", "CARD1: UsedToStop", "EVSE 2 session is over")
    assert_told(told, parts)


@pytest.mark.parametrize("closed", [False, True])
async def test_a_service_without_a_terminal_stays_until_it_is_told_to_end(tmp_path: Path, closed: bool) -> None:
    words = [*RUN, "--state-dir", str(tmp_path / "state"), "--in-process", "--no-play"]
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *words] if closed else words
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=environment(),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"state and message logs" not in (line := await process.stdout.readline()):
            assert line, "it has ended"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                assert await process.stdout.readline() != b"", "it has ended"
                await process.wait()
        process.terminate()
        rest = await process.stdout.read()
        assert (await process.wait(), b"Traceback" in rest) == (0, False), rest.decode()


async def test_a_script_that_leaves_a_session_open_or_is_not_understood_fails(tmp_path: Path) -> None:
    status, output = await run(tmp_path, "--in-process", "--no-play", script="plug 1\n")
    assert status == 1
    assert "a session is still open on EVSE 1" in output
    status, output = await run(tmp_path, "--in-process", "--no-play", script="dance\n")
    assert status == 1
    assert "not understood: 'dance'" in output


async def test_a_fault_is_shown_on_both_sides(tmp_path: Path) -> None:
    script = "fault 1 MREC6UnderVoltage\nwait 1\nclear 1 MREC6UnderVoltage\nwait 1\n"
    status, output = await run(tmp_path, "--in-process", "--no-play", script=script)
    assert status == 0, output
    assert_told(output, ("MREC6UnderVoltage raised", "connector 1 Faulted", "MREC6UnderVoltage cleared"))


async def test_a_csms_of_ones_own_is_used_instead_of_the_demo_one(tmp_path: Path) -> None:
    async with CentralSystem() as csms:
        status, output = await run(tmp_path, "--in-process", "--csms", csms.url + "steve/websocket")
        assert status == 0, output
        assert len(csms.calls("StopTransaction")) == 1
        assert csms.call_errors == []
    assert "demo central system" not in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--csms", "http://somewhere/"], "is no websocket address; write it as ws://host:port/path"),
        (["--csms", "ws://127.0.0.1:99999/"], "is no websocket address; write it as ws://host:port/path"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--unknown"], "--unknown"),
    ],
)
async def test_wrong_words_get_one_clear_line_and_status_1(tmp_path: Path, arguments: list[str], text: str) -> None:
    status, output = await run(tmp_path, "--in-process", *arguments)
    assert status == 1
    assert text in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("heartbeat", "name", "text"),
    [
        ("often", "mine.json", "Core.HeartbeatInterval: 'often' is not of type 'integer'"),
        (0, "nowhere.json", "names no file in any of "),
    ],
)
async def test_a_fault_in_ones_own_ocpp_configuration_is_one_line_that_names_ones_own_file(
    tmp_path: Path, heartbeat: object, name: str, text: str
) -> None:
    keys = json.loads((ROOT / "config/ocpp/config-sil.json").read_text())
    keys["Core"]["HeartbeatInterval"] = heartbeat
    (tmp_path / "mine.json").write_text(json.dumps(keys))
    stack = (ROOT / "manifest.yaml").read_text().replace("ocpp/config-sil.json", str(tmp_path / name))
    (tmp_path / "own.yaml").write_text(stack)
    words = ("--in-process", "--config", str(tmp_path / "own.yaml"), "--csms", "ws://127.0.0.1:1/")
    status, output = await run(tmp_path, *words)
    (line,) = [line for line in output.splitlines() if text in line]
    assert (status, str(tmp_path / name) in line) == (1, True)
    assert "Traceback" not in output and "PosixPath" not in output


@contextlib.asynccontextmanager
async def at_a_terminal(folder: Path, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """`run` with a terminal as its standard input and output; yields the process and our side of the terminal."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *RUN, "--state-dir", str(folder / "state"), *(arguments or ["--no-play"]),
        cwd=folder, env={**environment(), "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        yield process, ours
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        with contextlib.suppress(OSError):
            os.close(ours)


async def read_until(descriptor: int, text: str, *, seconds: float = 40) -> str:
    loop = asyncio.get_running_loop()
    seen = b""
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(seconds):
            while text.encode() not in seen:
                await readable.wait()
                readable.clear()
                with contextlib.suppress(BlockingIOError):
                    seen += os.read(descriptor, 65536)
    except TimeoutError:
        raise AssertionError(f"{text!r} was not shown:\n{seen.decode(errors='replace')}") from None
    finally:
        loop.remove_reader(descriptor)
    return seen.decode(errors="replace")


@needs_broker
@pytest.mark.parametrize("end", ["Ctrl-D", "Ctrl-C", "SIGTERM", "two SIGINT"])
async def test_every_process_is_gone_after_the_end(tmp_path: Path, end: str) -> None:
    async with at_a_terminal(tmp_path) as (process, terminal):
        await read_until(terminal, "type help")
        pids = [pid for _, pid in module_processes(process.pid)]
        brokers = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and parent_of(entry) == process.pid and int(entry.name) not in pids
        ]
        assert len(pids) == 8
        assert len(brokers) == 2, "the private mosquitto and the warm parent of the modules"
        if end == "Ctrl-D":
            os.write(terminal, b"\x04")
        elif end == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGTERM if end == "SIGTERM" else signal.SIGINT)
            if end == "two SIGINT":
                process.send_signal(signal.SIGINT)
        if end != "two SIGINT":
            await read_until(terminal, "everything has ended")
        async with asyncio.timeout(20):
            status = await process.wait()
        assert status == 0 or end == "two SIGINT"
        assert await gone([*pids, *brokers]) == []


@needs_broker
@pytest.mark.parametrize("end", ["Ctrl-D", "closed"])
async def test_the_end_of_the_terminal_ends_a_played_session_at_once(tmp_path: Path, end: str) -> None:
    async with at_a_terminal(tmp_path, "--play") as (process, terminal):
        await read_until(terminal, "StartTransaction")
        pids = [pid for _, pid in module_processes(process.pid)]
        assert len(pids) == 8
        if end == "Ctrl-D":
            os.write(terminal, b"\x04")
            shown = await read_until(terminal, "everything has ended")
            assert "StopTransaction" not in shown, "not after the story"
        else:
            os.close(terminal)
        async with asyncio.timeout(20):
            status = await process.wait()
        assert status == 0 or end == "closed"
        assert await gone(pids) == []


def parent_of(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


async def gone(pids: list[int], *, seconds: float = 10) -> list[int]:
    """The processes that are still there after waiting for their end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(os.path.exists(f"/proc/{pid}") for pid in pids):
                await asyncio.sleep(0.02)
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


@needs_broker
async def test_the_station_is_driven_by_hand_at_a_terminal(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path) as (_process, terminal):
        await read_until(terminal, "type help")
        os.write(terminal, b"help\n")
        await read_until(terminal, "swipe TAG [EVSE]")
        os.write(terminal, b"plug 1\n")
        await read_until(terminal, "waits for authorization")
        os.write(terminal, b"swipe DEADBEEF 1\n")
        shown = await read_until(terminal, "StartTransaction")
        assert "\x1b[" in shown, "colours at a terminal"
        os.write(terminal, b"unplug 1\n")
        await read_until(terminal, "session is over")


async def test_a_csms_that_nobody_answers_for_is_told_and_the_refused_card_named(tmp_path: Path) -> None:
    status, output = await run(tmp_path, "--in-process", "--csms", "ws://127.0.0.1:1/nobody")
    assert status == 1
    assert "the CSMS has not accepted the station yet" in output
    assert "the card was Rejected; there is no CSMS to ask" in output
    assert "Traceback" not in output
