"""What ends a module process (bus 7.5, 3.2): exceptions that escape a handler, and a broker that goes away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from everest.framework import Module
from tests.everest.framework.station import (
    PATIENCE,
    Config,
    Heard,
    Station,
    clean_environment,
    connected,
    connection,
    to,
)
from tests.everest.manager.manager_process import ManagerProcess
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

pytestmark = [pytest.mark.stack, *needs_mosquitto]


@pytest.fixture
def station(tmp_path: Path, mosquitto: Mosquitto) -> Station:
    return Station(tmp_path, mosquitto)


@contextmanager
def faulty(
    station: Station, where: str = "nowhere", *arguments: str, sink: Heard | None = None, **settings: Any
) -> Iterator[tuple[ManagerProcess, Module]]:
    """A stack of the faulty module and the probe, which is its sink."""
    modules: Config = {
        "faulty": {
            "module": "PyFaulty",
            "config_module": {"where": where},
            "connections": {"sink": to("probe", "sink")},
        },
        "probe": {"module": "ProbeModule", "standalone": True, "connections": {"faulty": to("faulty")}},
    }
    with (
        station.running(modules, *arguments, **settings) as process,
        connected(station.session()) as probe,
    ):
        ready = Heard()
        probe.implement_command("sink", "store", sink or Heard())
        probe.shutdown_handler(lambda: None)
        probe.init_done(ready)
        ready.next()
        yield process, probe


def crashed(process: ManagerProcess, *texts: str) -> None:
    """The module has said why, at critical level and with the traceback, and the manager has stopped with 1."""
    assert process.ended() == 1
    assert "(exit status 1)" in process.stderr
    _, mark, last_words = process.stderr.partition("[CRIT] faulty ")
    assert mark and "Traceback (most recent call last)" in last_words
    for text in texts:
        assert text in last_words


def test_a_command_handler_that_raises_answers_first_and_then_ends_the_module(station: Station) -> None:
    with faulty(station) as (process, probe):
        with pytest.raises(RuntimeError, match=r"^out of paper$") as caught:
            probe.call_command(connection(probe, "faulty"), "fail", {"reason": "out of paper"})
        assert type(caught.value) is RuntimeError
        crashed(process, "ValueError: out of paper", "command faulty->main.fail")


def test_a_command_handler_whose_own_call_fails_passes_that_on_as_its_own_failure(station: Station) -> None:
    def fail(args: Any) -> None:
        raise OSError("no paper at all")

    sink = Heard()
    sink.answer = fail
    with (
        faulty(station, sink=sink, forward_exceptions=True) as (_, probe),
        pytest.raises(RuntimeError, match="no paper at all"),
    ):
        probe.call_command(connection(probe, "faulty"), "call_sink", {"key": "ab"})


def test_a_result_that_is_no_json_is_the_handlers_failure(station: Station) -> None:
    with faulty(station) as (process, probe):
        with pytest.raises(RuntimeError, match="no JSON value"):
            probe.call_command(connection(probe, "faulty"), "odd", {})
        crashed(process, "no JSON value")


def test_forwarded_exceptions_leave_the_module_alive(station: Station) -> None:
    with faulty(station, forward_exceptions=True) as (process, probe):
        for _ in range(2):
            with pytest.raises(RuntimeError, match="out of paper"):
                probe.call_command(connection(probe, "faulty"), "fail", {"reason": "out of paper"})
        assert probe.call_command(connection(probe, "faulty"), "works", {}) is True
        process.signal()
        assert process.ended() == 0


def test_a_variable_callback_that_raises_ends_the_module(station: Station) -> None:
    with faulty(station) as (process, probe):
        probe.publish_variable("sink", "noted", "good")
        probe.publish_variable("sink", "noted", "bad")
        crashed(process, "raised in variable")


def test_an_error_callback_that_raises_ends_the_module(station: Station) -> None:
    with faulty(station) as (process, probe):
        factory = probe.get_error_factory("sink")
        assert factory is not None
        probe.raise_error("sink", factory.create_error("sink/Full", "", ""))
        crashed(process, "raised in error sink/Full")


def test_a_ready_callback_that_raises_ends_the_module(station: Station) -> None:
    with faulty(station, "ready") as (process, _):
        crashed(process, "LookupError: raised in ready")


def test_a_ready_callback_that_exits_ends_the_module_too(station: Station) -> None:
    with faulty(station, "exit") as (process, _):
        crashed(process, "SystemExit", "this is no way to end")


def test_a_shutdown_callback_that_raises_spoils_a_clean_end(station: Station) -> None:
    with faulty(station, "shutdown", "--graceful-shutdown") as (process, _):
        process.signal()
        assert process.ended() == 0
        assert "LookupError: raised in shutdown" in process.stderr
        assert "ALL_MODULES_STOPPED_CLEAN" not in process.lines


SCRIPT = """
import threading
from everest.framework import Module, RuntimeSession
module = Module(RuntimeSession())
module.implement_command("main", "double", lambda args: 0)
module.init_done()
{end}
"""


def started(station: Station, end: str) -> subprocess.Popen[bytes]:
    """A script started by hand as the standalone module `doubler`."""
    script = station.folder / "script.py"
    script.write_text(SCRIPT.format(end=end), encoding="utf-8")
    environment = clean_environment(station.environment("doubler"))
    return subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.PIPE)


STANDALONE: Config = {"doubler": {"module": "PyDoubler", "standalone": True}}


def test_a_lost_broker_ends_the_process_with_1_even_while_the_main_thread_waits(station: Station) -> None:
    with station.running(STANDALONE) as process:
        process.wait_for_text("module doubler:PyDoubler is")
        script = started(station, "print('waiting', flush=True); threading.Event().wait()")
        process.wait_for_line("ALL_MODULES_STARTED")
        station.broker.stop()
        _, errors = script.communicate(timeout=PATIENCE)
        assert script.returncode == 1
        assert b"lost the connection to the MQTT broker" in errors


def test_a_script_that_ends_sends_what_is_queued_and_disconnects(station: Station) -> None:
    modules = STANDALONE | {
        "probe": {"module": "ProbeModule", "standalone": True, "connections": {"doubler": to("doubler")}},
        "publisher": {"module": "PyPublisher"},
    }
    end = "\nfor number in range(200): module.publish_variable('main', 'last', number)"
    with station.running(modules) as process, connected(station.session()) as probe:
        heard = Heard()
        probe.subscribe_variable(connection(probe, "doubler"), "last", heard)
        script = started(station, end)
        assert heard.several(200) == list(range(200))
        _, errors = script.communicate(timeout=PATIENCE)
        assert script.returncode == 0, errors
        assert process.process.poll() is None
