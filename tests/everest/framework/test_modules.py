"""Modules written for EVerest's binding, unmodified, as processes under our manager; the test plays the probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everest.framework import Module, error
from tests.everest.framework.station import Config, Heard, Station, connected, connection, session_of, to
from tests.everest.manager.manager_process import ManagerProcess
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto, running_mosquitto

__all__ = ["mosquitto"]

pytestmark = [pytest.mark.stack, *needs_mosquitto]

MODULES: Config = {
    "doubler": {
        "module": "PyDoubler",
        "config_module": {"factor": 3},
        "connections": {"log_sink": to("probe", "sink")},
    },
    "ping": {"module": "PyPingPong", "connections": {"peer": to("pong")}},
    "pong": {"module": "PyPingPong", "connections": {"peer": to("ping")}},
    "publisher": {"module": "PyPublisher"},
    "keeper": {"module": "PyKeeper", "connections": {"doubler": to("doubler")}},
    "tuned": {"module": "PyKeeper", "connections": {"doubler": to("doubler")}},
    "watcher": {"module": "PyKeeper", "connections": {"doubler": to("doubler"), "peer": to("keeper")}},
    "probe": {
        "module": "ProbeModule",
        "standalone": True,
        "connections": {name: to(name) for name in ("doubler", "ping", "publisher", "keeper", "tuned", "watcher")},
        "access": {"config": {"modules": {"tuned": {"allow_read": True, "allow_write": False}}}},
    },
}


class Stack:
    """A running stack and its probe."""

    def __init__(self, process: ManagerProcess, probe: Module, stored: Heard, ready: Heard) -> None:
        self.process, self.probe, self.stored, self.ready = process, probe, stored, ready

    def call(self, module_id: str, command: str, **args: Any) -> Any:
        return self.probe.call_command(connection(self.probe, module_id), command, args)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("stack")
    with (
        running_mosquitto(folder) as broker,
        Station(folder, broker).running(MODULES) as process,
        connected(session_of(folder)) as probe,
    ):
        stored, ready = Heard(), Heard()
        probe.implement_command("sink", "store", stored)
        probe.init_done(ready)
        ready.next()
        yield Stack(process, probe, stored, ready)


def test_the_minimal_example_of_the_reference_doubles_publishes_and_calls_its_sink(stack: Stack) -> None:
    last = Heard()
    stack.probe.subscribe_variable(connection(stack.probe, "doubler"), "last", last)
    assert stack.call("doubler", "double", x=4) == 12.0
    assert last.next() == 12.0
    assert stack.stored.next() == {"key": "doubler", "value": "up"}


def test_a_module_calls_back_into_its_caller_from_a_command_handler(stack: Stack) -> None:
    assert stack.call("ping", "ask", text="hello") == "hello from pong to ping"


def test_what_several_threads_publish_all_arrives_each_thread_in_its_order(stack: Stack) -> None:
    items = Heard()
    stack.probe.subscribe_variable(connection(stack.probe, "publisher"), "item", items)
    assert stack.call("publisher", "burst", threads=4, count=50) == 200
    received = items.several(200)
    for thread in range(4):
        assert [number for owner, number in received if owner == thread] == list(range(50))


def test_errors_are_raised_seen_by_others_and_cleared(stack: Stack) -> None:
    keeper = connection(stack.probe, "keeper")
    raised, cleared = Heard(), Heard()
    stack.probe.subscribe_all_errors(keeper, raised, cleared)
    monitor = stack.probe.get_error_state_monitor_req(keeper)
    assert monitor is not None
    assert [stack.call("keeper", "keep", value=1) for _ in range(4)] == [1, 2, 3, 4]
    seen = raised.next()
    assert (seen.type, seen.sub_type, seen.message, seen.severity) == ("keeper/OverLimit", "", "3 kept", error.High)
    assert seen.description == "More than the limit" and seen.state is error.Active
    assert (seen.origin.module_id, seen.origin.implementation_id, seen.origin.mapping) == ("keeper", "main", None)
    assert monitor.is_error_active("keeper/OverLimit", "")
    stack.call("keeper", "empty")
    gone = cleared.next()
    assert (gone.uuid, gone.timestamp, gone.message) == (seen.uuid, seen.timestamp, "3 kept")
    assert gone.state is error.ClearedByModule
    assert not monitor.is_error_active("keeper/OverLimit", "") and raised.nothing
    assert stack.call("watcher", "report")["seen"] == [
        ["raised", "keeper/OverLimit", "3 kept", "High", "keeper"],
        ["cleared", "keeper/OverLimit", "ClearedByModule"],
    ]


def test_configuration_is_read_changed_and_judged_by_the_module(stack: Stack) -> None:
    report = stack.call("tuned", "report")
    assert report["stored"] == {"status": "Ok", "status_info": "", "value": 2}
    assert report["mode"] == {"status": "Ok", "status_info": "", "value": "quiet"}
    assert report["weight"]["value"] == 1.0 and isinstance(report["weight"]["value"], float)
    assert stack.call("tuned", "change", name="limit", value="5") == {
        "status": "Ok",
        "status_info": "",
        "set_status": "Accepted",
    }
    report = stack.call("tuned", "report")
    assert report["limit"] == 5 and report["stored"]["value"] == 5


@pytest.mark.parametrize(
    ("name", "value", "set_status", "info"),
    [
        ("limit", "0", "RebootRequired", "Runtime change rejected by module"),
        ("limit", "1", "RebootRequired", "Runtime change rejected by module"),
        ("limit", "13", "RebootRequired", "Runtime change rejected by module"),
        ("limit", "many", "Rejected", None),
        ("weight", "2.5", "RebootRequired", ""),
        ("height", "1", "Rejected", None),
    ],
)
def test_a_change_that_is_not_taken_at_run_time_is_answered_not_raised(
    stack: Stack, name: str, value: str, set_status: str, info: str | None
) -> None:
    answer = stack.call("tuned", "change", name=name, value=value)
    assert answer["set_status"] == set_status and answer["status"] == ("Error" if name == "height" else "Ok")
    assert answer["status_info"] == info if info is not None else answer["status_info"]


def test_access_to_the_configuration_of_others_is_answered_as_the_manager_grants_it(stack: Stack) -> None:
    assert stack.probe.get_config_value("tuned", "limit", "main")["status"] == "Ok"
    denied = stack.probe.set_config_value(module_id="tuned", param_name="limit", value="3", impl_id="main")
    assert (denied["status"], denied["set_status"]) == ("AccessDenied", "Rejected") and denied["status_info"]
    unreadable = stack.probe.get_config_value("doubler", "factor")
    assert (unreadable["status"], unreadable["value"]) == ("AccessDenied", "")


def test_a_graceful_shutdown_runs_the_shutdown_handlers_and_every_module_exits_with_0(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    modules = {name: MODULES[name] for name in ("ping", "pong", "publisher")} | {"doubler": {"module": "PyDoubler"}}
    with Station(tmp_path, mosquitto).running(modules, "--graceful-shutdown") as process:
        process.wait_for_text("[INFO] doubler         running")
        process.signal()
        assert process.ended() == 0
        assert "ALL_MODULES_STOPPED_CLEAN" in process.lines, process.stderr
