"""A module as a process: environment, loader, signals, exit status and the lines it leaves (bus 2.5, 2.8, 7.1, 7.4)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from everest.runtime import Dialect, StartupError, wire
from everest.runtime.launch import Environment
from everest.runtime.mqtt import MqttTransport
from everest.runtime.topics import Topics
from tests.everest.runtime.world import SETTINGS
from tests.support.mosquitto import Mosquitto, free_port, needs_mosquitto

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 20

INIT = "from .parts import Parrot as module_class\n"
PARTS = """\
from __future__ import annotations

import asyncio

from everest.runtime import Module

from .words import GREETING


class Parrot(Module):
    async def init(self) -> None:
        import colorsys

        assert colorsys.rgb_to_hls
        self.mqtt_subscribe("parrot/#", self.hear)

    async def ready(self) -> None:
        self.mqtt_publish("said", GREETING)

    async def hear(self, topic: str, payload: str) -> None:
        if payload == "raise":
            raise RuntimeError("polly is sick")
        if payload == "exit":
            self.request_exit(3)
        self.mqtt_publish("said", payload)

    async def shutdown(self) -> None:
        self.mqtt_publish("said", "goodbye")
        print("shutdown ran", flush=True)
"""
LAUNCHER = "from everest.runtime import launch\n\nlaunch(__file__)\n"
MANIFEST = {
    "description": "Repeats what it hears",
    "provides": {},
    "metadata": {"license": "https://opensource.org/licenses/Apache-2.0", "authors": ["Ada"]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A module folder with a launcher and two files that import each other relatively."""
    found = tmp_path / "modules" / "Parrot"
    found.mkdir(parents=True)
    (found / "__init__.py").write_text(INIT)
    (found / "parts.py").write_text(PARTS)
    (found / "words.py").write_text('GREETING = "hello"\n')
    (found / "module.py").write_text(LAUNCHER)
    (found / "colorsys.py").write_text("raise ImportError('a file of the module hides the standard library')\n")
    return found


def environment(port: int, **changes: str) -> dict[str, str]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("EV_", "MQTT_"))}
    return {
        **keep,
        "PYTHONPATH": str(ROOT / "src"),
        "EV_MODULE": "polly",
        "EV_MQTT_BROKER_HOST": "127.0.0.1",
        "EV_MQTT_BROKER_PORT": str(port),
        "EV_MQTT_EVEREST_PREFIX": "everest",
        **changes,
    }


class Process:
    """One module process and the manager's side of its bus."""

    def __init__(self, process: asyncio.subprocess.Process, bus: MqttTransport) -> None:
        self.process = process
        self.bus = bus
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def hear(self) -> str:
        return await asyncio.wait_for(self.said.get(), LIMIT)

    async def end(self) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        out, err = await asyncio.wait_for(self.process.communicate(), LIMIT)
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


async def manage(process: Process, topics: Topics) -> None:
    """Answer the configuration request, say global ready, collect what the parrot says."""
    ready = topics.module_ready("polly")
    async for message in process.bus.messages():
        if message.topic == topics.config_request:
            config = {"module_id": "polly", "module_name": "Parrot", "configuration_parameters": {"!module": []}}
            body = {"type": "Module", "data": {"module_config": config, "mappings": {}}}
            answer = wire.build_configuration_response(body, dialect=Dialect.B)
            process.bus.publish(topics.config_response("polly"), answer)
        elif message.topic == ready:
            process.bus.publish(topics.global_ready, wire.build_global_ready())
        elif message.topic == "said":
            process.said.put_nowait(message.payload.decode())


@asynccontextmanager
async def running(folder: Path, broker: Mosquitto, **changes: str) -> AsyncIterator[Process]:
    topics = Topics()
    bus = MqttTransport(broker.host, broker.port)
    await bus.connect()
    data: dict[str, Any] = {
        topics.interfaces: [],
        topics.types: [],
        topics.settings: SETTINGS,
        topics.manifest("Parrot"): MANIFEST,
        topics.module_names: {"polly": "Parrot"},
    }
    for topic, value in data.items():
        bus.publish(topic, wire.build_metadata(value, dialect=Dialect.B), retain=True)
    await bus.subscribe(topics.config_request, topics.module_ready("polly"), "said")
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(folder / "module.py"),
        env=environment(broker.port, **changes),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    process = Process(child, bus)
    manager = asyncio.create_task(manage(process, topics))
    try:
        yield process
    finally:
        manager.cancel()
        await asyncio.gather(manager, return_exceptions=True)
        if child.returncode is None:
            child.kill()
            await child.wait()
        await bus.close()


@pytest.fixture
async def parrot(folder: Path, mosquitto: Mosquitto) -> AsyncIterator[Process]:
    """A parrot that has said hello."""
    async with running(folder, mosquitto) as process:
        assert await process.hear() == "hello"
        yield process


real = needs_mosquitto


@pytest.mark.mosquitto
@real[1]
async def test_a_module_process_starts_works_and_ends_as_it_asks(parrot: Process) -> None:
    parrot.bus.publish("parrot/1", b"42")
    assert await parrot.hear() == "42"
    parrot.bus.publish("parrot/1", b"exit")
    assert (await parrot.end())[0] == 3
    assert [await parrot.hear(), await parrot.hear()] == ["exit", "goodbye"]


@pytest.mark.mosquitto
@real[1]
async def test_a_graceful_shutdown_ends_with_status_0(parrot: Process) -> None:
    parrot.bus.publish("everest/shutdown", wire.build_shutdown())
    status, out, _ = await parrot.end()
    assert (status, out) == (0, "shutdown ran\n")
    assert await parrot.hear() == "goodbye"


@pytest.mark.mosquitto
@real[1]
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order_and_silently_and_it_dies_of_it(
    parrot: Process, number: signal.Signals
) -> None:
    parrot.process.send_signal(number)
    status, out, err = await parrot.end()
    assert (status, out) == (-number, "shutdown ran\n")
    assert "Traceback" not in err
    await parrot.bus.flush()
    assert parrot.said.empty()


@pytest.mark.mosquitto
@real[1]
async def test_a_blocked_sigint_stays_blocked(folder: Path, mosquitto: Mosquitto) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        async with running(folder, mosquitto) as process:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            assert await process.hear() == "hello"
            process.process.send_signal(signal.SIGINT)
            process.bus.publish("parrot", b"still here")
            assert await process.hear() == "still here"
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@pytest.mark.mosquitto
@real[1]
async def test_a_crash_leaves_its_traceback_at_critical_level_and_status_1(parrot: Process) -> None:
    parrot.bus.publish("parrot/x", b"raise")
    status, _, err = await parrot.end()
    assert status == 1
    [line] = [line for line in err.splitlines() if "[CRIT]" in line]
    assert "polly" in line and "external MQTT handler of parrot/x" in line
    assert "Traceback (most recent call last)" in err and "RuntimeError: polly is sick" in err


@pytest.mark.mosquitto
@real[1]
async def test_a_lost_broker_ends_it_with_one_line_and_status_1(parrot: Process, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    status, _, err = await parrot.end()
    assert status == 1
    [line] = err.splitlines()
    assert line.endswith(f"lost the connection to the MQTT broker at 127.0.0.1:{mosquitto.port}")


@pytest.mark.mosquitto
@real[1]
@pytest.mark.parametrize("same", [True, False])
async def test_a_lost_broker_is_left_to_a_manager_that_watches_the_same_one(
    folder: Path, mosquitto: Mosquitto, same: bool
) -> None:
    watched = f"127.0.0.1:{mosquitto.port if same else 1}"
    async with running(folder, mosquitto, EVEREST_BROKER_WATCHED=watched) as process:
        await process.hear()
        mosquitto.stop()
        status, _, err = await process.end()
    assert status == 1
    assert ("lost the connection" in err) is not same


@pytest.mark.mosquitto
@real[1]
async def test_a_module_that_alone_loses_its_connection_says_so_itself(folder: Path, mosquitto: Mosquitto) -> None:
    lines: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours, theirs = await asyncio.open_connection(mosquitto.host, mosquitto.port)
        lines.extend((writer, theirs))
        await asyncio.gather(pump(reader, theirs), pump(ours, writer), return_exceptions=True)

    port = free_port()
    async with await asyncio.start_server(relay, "127.0.0.1", port):
        changes = {"EV_MQTT_BROKER_PORT": str(port), "EVEREST_BROKER_WATCHED": f"127.0.0.1:{port}"}
        async with running(folder, mosquitto, **changes) as process:
            await process.hear()
            for line in lines:
                line.close()
            status, _, err = await process.end()
        for line in lines:
            line.close()
    assert status == 1
    [complaint] = err.splitlines()
    assert complaint.endswith(f"lost the connection to the MQTT broker at 127.0.0.1:{port}")


@pytest.mark.mosquitto
@real[1]
async def test_the_mqtt_server_variables_are_not_for_modules(folder: Path, mosquitto: Mosquitto) -> None:
    changes = {"MQTT_SERVER_ADDRESS": "192.0.2.1", "MQTT_SERVER_PORT": "1"}
    async with running(folder, mosquitto, **changes) as process:
        assert await process.hear() == "hello"


@pytest.mark.mosquitto
@real[1]
async def test_a_foreign_everest_framework_first_on_the_path_is_not_touched(
    folder: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    decoy = tmp_path / "decoy" / "everest" / "framework"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise SystemExit('the decoy was imported')\n")
    path = f"{tmp_path / 'decoy'}:{ROOT / 'src'}"
    async with running(folder, mosquitto, PYTHONPATH=path) as process:
        assert await process.hear() == "hello"


@pytest.mark.mosquitto
@real[1]
async def test_the_logging_file_filters_by_severity(folder: Path, mosquitto: Mosquitto, tmp_path: Path) -> None:
    config = tmp_path / "logging.cfg"
    config.write_text('[Core]\nDisableLogging=false\nFilter="%Severity% >= CRIT"\n')
    for path, expected in ((config, 0), (tmp_path / "missing.cfg", 1)):
        async with running(folder, mosquitto, EV_LOG_CONF_FILE=str(path)) as process:
            assert await process.hear() == "hello"
            process.bus.publish("parrot", b"exit")
            _, _, err = await process.end()
            assert len(err.splitlines()) == expected, err


def ended(folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Exit status and stderr of a module that ends at once."""
    command = [sys.executable, str(folder / "module.py")]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LIMIT, check=False)
    return result.returncode, result.stderr


def test_a_refusing_broker_is_one_line_and_status_1(folder: Path) -> None:
    port = free_port()
    status, err = ended(folder, environment(port))
    assert status == 1
    [line] = err.splitlines()
    assert f"cannot connect to the MQTT broker at 127.0.0.1:{port}" in line and "polly" in line


def test_without_ev_module_the_line_says_what_to_set(folder: Path) -> None:
    environ = environment(1)
    del environ["EV_MODULE"]
    status, err = ended(folder, environ)
    assert status == 1
    [line] = err.splitlines()
    assert line.startswith("Parrot: EV_MODULE is not set")


@pytest.mark.mosquitto
@real[1]
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "has no __init__.py"),
        ("module_class = int\n", "must name the module's class"),
        ("", "must name the module's class"),
    ],
)
async def test_a_folder_without_a_module_class_is_one_line(
    folder: Path, mosquitto: Mosquitto, text: str | None, expected: str
) -> None:
    if text is None:
        (folder / "__init__.py").unlink()
    else:
        (folder / "__init__.py").write_text(text)
    async with running(folder, mosquitto) as process:
        status, _, err = await process.end()
    assert status == 1
    [line] = err.splitlines()
    assert expected in line and "Traceback" not in err


def test_slow_libraries_stay_out_of_module_processes() -> None:
    script = (
        "import json, sys; import everest.runtime, everest.runtime.mqtt, everest.runtime.loader; print(json.dumps("
        "[name for name in ('jsonschema', 'jsonschema_rs', 'rich', 'httpx', 'typer', 'yaml', 'peewee', 'cryptography')"
        " if name in sys.modules]))"
    )
    command = [sys.executable, "-c", script]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert json.loads(result.stdout) == []


# --- environment ---------------------------------------------------------------------------------------------------


def test_the_environment_has_its_defaults() -> None:
    read = Environment.read({"EV_MODULE": "m"})
    assert (read.host, read.port, read.socket_path) == ("localhost", 1883, None)
    assert (read.everest_prefix, read.external_prefix, read.log_config) == ("everest", "", None)


def test_an_unusable_port_counts_as_1883_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert Environment.read({"EV_MODULE": "m", "EV_MQTT_BROKER_PORT": "many"}).port == 1883
    assert "EV_MQTT_BROKER_PORT='many'" in capsys.readouterr().err


def test_without_module_id_there_is_no_environment() -> None:
    with pytest.raises(StartupError, match="EV_MODULE"):
        Environment.read({})


def test_a_broker_socket_is_taken_before_host_and_port(tmp_path: Path) -> None:
    read = Environment.read({"EV_MODULE": "m", "EV_MQTT_BROKER_SOCKET_PATH": "/run/mqtt.sock"})
    transport = read.transport()
    assert isinstance(transport, MqttTransport) and transport.address == "/run/mqtt.sock"
