"""Each member of `Module` (bus 7.2), played by two modules in the test's own process under a real manager."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import threading
from pathlib import Path
from typing import Any

import pytest

from everest.framework import Interface, Module, ModuleSetup, RuntimeSession, error
from everest.runtime import bus as runtime_bus
from everest.runtime.wire import ConfigurationResponse
from tests.everest.framework.conftest import Pair
from tests.everest.framework.station import PATIENCE, Heard, Station, connected, connection, shut_down
from tests.everest.manager.manager_process import wait_until
from tests.support.mosquitto import needs_mosquitto

pytestmark = needs_mosquitto

KEYWORDS_ALLOWED = {
    "clear_error",
    "clear_all_errors_of_impl",
    "set_config_value",
    "get_config_value",
    "register_config_change_handler",
}
MEMBERS = KEYWORDS_ALLOWED | {
    "say_hello",
    "init_done",
    "shutdown_handler",
    "call_command",
    "implement_command",
    "publish_variable",
    "subscribe_variable",
    "raise_error",
    "get_error_state_monitor_impl",
    "get_error_factory",
    "subscribe_error",
    "subscribe_all_errors",
    "get_error_state_monitor_req",
    "info",
    "implementations",
    "requirements",
    "fulfillments",
}


def test_module_has_the_members_of_the_original_and_no_others() -> None:
    assert {name for name in vars(Module) if not name.startswith("_")} == MEMBERS


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_arguments_are_positional_only_except_where_the_original_takes_keywords(name: str) -> None:
    member = vars(Module)[name]
    if isinstance(member, property):
        assert member.fset is None
        return
    parameters = list(inspect.signature(member).parameters.values())[1:]
    kinds = {parameter.kind for parameter in parameters}
    wanted = inspect.Parameter.POSITIONAL_OR_KEYWORD if name in KEYWORDS_ALLOWED else inspect.Parameter.POSITIONAL_ONLY
    assert kinds <= {wanted}


# --- what a module knows of itself -----------------------------------------------------------------------------------


def test_info_tells_identity_authors_and_folders(pair: Pair, played_station: Station) -> None:
    info, prefix = pair.box.info, played_station.house.root
    assert (info.name, info.id, info.authors, info.telemetry_enabled) == ("Box", "box", ["Nobody"], False)
    assert info.license == "https://opensource.org/licenses/Apache-2.0"
    assert info.paths.etc == prefix / "etc" / "everest" and isinstance(info.paths.etc, Path)
    assert info.paths.libexec == prefix / "libexec" / "everest" / "modules" / "Box"
    assert info.paths.share == prefix / "share" / "everest" / "modules" / "Box"


def test_say_hello_tells_configuration_and_every_requirement(pair: Pair) -> None:
    setup = pair.box.say_hello()
    assert isinstance(setup, ModuleSetup)
    assert setup.configs.module == {"size": 9}
    assert setup.configs.implementations == {"main": {"depth": 2.0}, "second": None}
    assert isinstance(setup.configs.implementations["main"]["depth"], float)  # type: ignore[index]
    assert list(setup.connections) == ["back", "deaf", "free"] and setup.connections["free"] == []
    names = [(item.module_id, item.implementation_id) for item in setup.connections["back"]]
    assert names == [("probe", "one"), ("probe", "two")]
    assert pair.probe.say_hello().configs.module is None


def test_data_classes_are_read_only(pair: Pair) -> None:
    setup = pair.box.say_hello()
    for thing, name in (
        (setup, "configs"),
        (setup.configs, "module"),
        (pair.to_box, "module_id"),
        (pair.box.info, "id"),
    ):
        with pytest.raises(AttributeError):
            setattr(thing, name, "other")
        assert dataclasses.is_dataclass(thing)


def test_interfaces_are_sorted_names_and_fulfillments_stays_empty(pair: Pair) -> None:
    sink = Interface(["level", "noted"], ["store"], ["sink/Full", "sink/Leaking"])
    assert pair.box.implementations == {"main": sink, "second": sink}
    assert pair.box.requirements == {"back": sink, "deaf": sink, "free": Interface([], [], [])}
    assert pair.box.fulfillments == {} and pair.probe.fulfillments == {}


# --- life ------------------------------------------------------------------------------------------------------------


def test_init_done_names_the_commands_without_a_handler(played_station: Station) -> None:
    with connected(played_station.session(), "box") as box:
        box.implement_command("main", "store", lambda args: None)
        with pytest.raises(RuntimeError, match=r"no handler for second\.store"):
            box.init_done()


def test_the_probe_must_implement_every_command_too(played_station: Station) -> None:
    with (
        connected(played_station.session(), "probe") as probe,
        pytest.raises(RuntimeError, match=r"one\.store, two\.store"),
    ):
        probe.init_done(None)


def test_the_ready_callback_runs_in_a_thread_of_its_own(unready: Pair) -> None:
    threads = Heard()
    unready.box.init_done(lambda: threads(threading.current_thread()))
    unready.probe.init_done(lambda: threads(threading.current_thread()))
    first, second = threads.several(2)
    assert len({first, second, threading.main_thread()}) == 3
    assert "worker" not in first.name


def test_the_ready_callback_may_call_commands(unready: Pair) -> None:
    answers = Heard()
    words = {"key": "ready", "value": "words"}
    unready.probe.init_done(lambda: answers(unready.probe.call_command(unready.to_box, "store", words)))
    unready.box.init_done()
    assert answers.next() is None and unready.stored.next()["key"] == "ready"


def test_the_shutdown_handler_may_call_commands_then_calls_fail_and_publishing_is_in_vain(pair: Pair) -> None:
    answers = Heard()
    pair.probe.shutdown_handler(
        lambda: answers(pair.probe.call_command(pair.to_box, "store", {"key": "last", "value": "words"}))
    )
    fulfillment = pair.to_box
    shut_down(pair.probe)
    assert answers.next() is None and pair.stored.next()["key"] == "last"
    pair.probe._life.thread.join(PATIENCE)
    with pytest.raises(RuntimeError, match="disconnected"):
        pair.probe.call_command(fulfillment, "store", {"key": "ab", "value": 1})
    with pytest.raises(RuntimeError, match="disconnected"):
        pair.probe.say_hello()
    pair.probe.publish_variable("one", "noted", 1)


def test_a_call_that_waits_when_the_module_shuts_down_fails(pair: Pair) -> None:
    go, failed = threading.Event(), Heard()
    pair.stored.answer = lambda value: go.wait(PATIENCE) and None

    def call() -> None:
        try:
            pair.probe.call_command(pair.to_box, "store", {"key": "ab", "value": 1})
        except RuntimeError as problem:
            failed(str(problem))

    threading.Thread(target=call, daemon=True).start()
    pair.stored.next()
    shut_down(pair.probe)
    assert "shutting down" in failed.next()
    go.set()


def test_a_handler_whose_call_fails_because_of_the_shutdown_does_not_count_as_a_crash(pair: Pair) -> None:
    """Were it one, this process would end."""
    go, ended = threading.Event(), Heard()
    pair.stored.answer = lambda value: go.wait(PATIENCE) and None

    def callback(value: Any) -> None:
        try:
            pair.probe.call_command(pair.to_box, "store", {"key": "ab", "value": value})
        finally:
            ended()

    pair.probe.subscribe_variable(pair.to_box, "noted", callback)
    pair.box.publish_variable("main", "noted", 1)
    pair.stored.next()
    pair.probe.shutdown_handler(lambda: None)
    shut_down(pair.probe)
    ended.next()
    pair.probe._life.thread.join(PATIENCE)
    assert pair.probe._life.thread.closed
    go.set()


def test_a_module_without_a_shutdown_handler_says_so_and_disconnects(
    pair: Pair, log_lines: pytest.LogCaptureFixture
) -> None:
    shut_down(pair.box)
    pair.box._life.thread.join(PATIENCE)
    assert pair.box._life.thread.closed and "module box has no shutdown handler" in log_lines.text


def test_dropping_the_object_disconnects(played_station: Station) -> None:
    module = Module("box", played_station.session())
    thread = module._life.thread
    assert not thread.closed
    del module
    gc.collect()
    thread.join(PATIENCE)
    assert thread.closed


def test_disconnecting_does_not_call_the_shutdown_handler(pair: Pair) -> None:
    called = Heard()
    pair.box.shutdown_handler(called)
    pair.box._disconnect()
    assert pair.box._life.thread.closed and called.nothing


def test_the_constructor_takes_its_id_from_the_environment(
    played_station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = played_station.session()
    monkeypatch.delenv("EV_MODULE", raising=False)
    with pytest.raises(RuntimeError, match="EV_MODULE"):
        Module(session)
    monkeypatch.setenv("EV_MODULE", "box")
    module = Module(session)
    assert module.info.id == "box"
    module._disconnect()
    with pytest.raises(TypeError):
        Module(session, "box")  # type: ignore[call-overload]


def test_the_constructor_raises_when_the_manager_does_not_know_the_module(played_station: Station) -> None:
    with pytest.raises(RuntimeError, match="nobody"):
        Module("nobody", played_station.session())


def test_the_constructor_raises_when_no_manager_answers(
    played_station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_bus, "GET_TIMEOUT", 0.05)
    for name, value in played_station.environment("box").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EV_MQTT_EVEREST_PREFIX", "elsewhere")
    with pytest.raises(RuntimeError, match="no manager answered on elsewhere/modules/box/response"):
        Module(RuntimeSession())


# --- commands --------------------------------------------------------------------------------------------------------


def test_values_go_as_json_and_come_back_as_python(pair: Pair) -> None:
    value = {"list": (1, 2.5, None, True), 3: b"\x00\x01", "deep": {"x": []}}
    assert pair.probe.call_command(pair.to_box, "store", {"key": "ab", "value": value}) is None
    assert pair.stored.next() == {
        "key": "ab",
        "value": {"list": [1, 2.5, None, True], "3": "AAE=", "deep": {"x": []}},
    }


def test_without_validation_arguments_pass_as_they_are(pair: Pair) -> None:
    pair.probe.call_command(pair.to_box, "store", {"other": 1})
    assert pair.stored.next() == {"other": 1}


def test_an_unknown_command_or_connection_or_value_is_refused_at_the_caller(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="no command 'fetch'"):
        pair.probe.call_command(pair.to_box, "fetch", {})
    with pytest.raises(RuntimeError, match="no connection back"):
        pair.probe.call_command(pair.to_probe, "store", {})
    with pytest.raises(RuntimeError, match="no JSON value"):
        pair.probe.call_command(pair.to_box, "store", {"key": {1}})
    assert pair.stored.nothing


def test_a_call_without_an_answer_fails_after_the_time_limit(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_bus, "COMMAND_TIMEOUT", 0.05)
    go = threading.Event()
    pair.stored.answer = lambda value: go.wait(PATIENCE) and None
    with pytest.raises(RuntimeError, match=r"no result from box->main\.store within"):
        pair.probe.call_command(pair.to_box, "store", {"key": "ab", "value": 1})
    go.set()


def test_implement_command_refuses_what_the_manifest_does_not_declare(unready: Pair) -> None:
    with pytest.raises(RuntimeError, match="no implementation 'third'"):
        unready.box.implement_command("third", "store", lambda args: None)
    with pytest.raises(RuntimeError, match="no command 'fetch'"):
        unready.box.implement_command("main", "fetch", lambda args: None)
    with pytest.raises(RuntimeError, match="has a handler already"):
        unready.box.implement_command("main", "store", lambda args: None)


def test_a_command_that_comes_before_its_handler_waits_for_it(played_station: Station) -> None:
    with connected(played_station.session(), "box") as box, connected(played_station.session(), "probe") as probe:
        answers, called = Heard(), Heard()

        def call() -> None:
            answers(probe.call_command(connection(probe, "box"), "store", {"key": "ab", "value": 1}))

        threading.Thread(target=call, daemon=True).start()
        topic = box._context.bus.topics.command("box", "main", "store")
        wait_until(lambda: topic in box._context.bus.backlog.queues, "the command")
        box.implement_command("main", "store", called)
        assert called.next()["key"] == "ab" and answers.next() is None


# --- variables and threads -------------------------------------------------------------------------------------------


def test_several_callbacks_hear_a_variable_in_order_also_when_they_come_after_ready(pair: Pair) -> None:
    first, second = Heard(), Heard()
    pair.probe.subscribe_variable(pair.to_box, "noted", first)
    pair.probe.subscribe_variable(pair.to_box, "noted", second)
    for number in range(30):
        pair.box.publish_variable("main", "noted", number)
    assert first.several(30) == second.several(30) == list(range(30))


def test_a_subscription_is_confirmed_by_the_broker_when_the_call_returns(pair: Pair) -> None:
    pair.probe.subscribe_variable(pair.to_box, "level", print)
    bus = pair.probe._context.bus
    assert bus._subscribed[bus.topics.variable("box", "main", "level")].done()


def test_an_undeclared_variable_cannot_be_subscribed(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="no variable 'colour'"):
        pair.probe.subscribe_variable(pair.to_box, "colour", print)


def test_a_value_that_is_no_json_cannot_be_published(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="no JSON value"):
        pair.box.publish_variable("main", "noted", object())


def test_messages_of_one_topic_wait_for_each_other_those_of_others_do_not(pair: Pair) -> None:
    go, noted, level = threading.Event(), Heard(), Heard()

    def slow(value: Any) -> None:
        noted(("begin", value))
        go.wait(PATIENCE)
        noted(("end", value))

    pair.probe.subscribe_variable(pair.to_box, "noted", slow)
    pair.probe.subscribe_variable(pair.to_box, "level", level)
    pair.box.publish_variable("main", "noted", 1)
    pair.box.publish_variable("main", "noted", 2)
    pair.box.publish_variable("main", "level", 3)
    assert level.next() == 3 and noted.next() == ("begin", 1) and noted.nothing
    go.set()
    assert noted.several(3) == [("end", 1), ("begin", 2), ("end", 2)]


def test_a_variable_callback_may_call_commands_of_a_peer_that_calls_back(pair: Pair) -> None:
    results = Heard()
    pair.probe.subscribe_variable(
        pair.to_box,
        "noted",
        lambda value: results(pair.probe.call_command(pair.to_box, "store", {"key": "nested", "value": value})),
    )
    pair.box.publish_variable("main", "noted", 5)
    assert results.next() is None and pair.stored.next() == {"key": "nested", "value": 5}


# --- errors ----------------------------------------------------------------------------------------------------------


def test_errors_travel_with_the_factorys_origin_and_description(pair: Pair) -> None:
    raised, cleared = Heard(), Heard()
    pair.probe.subscribe_error(pair.to_box, "sink/Full", raised, cleared)
    factory = pair.box.get_error_factory("main")
    assert factory is not None
    sent = factory.create_error("sink/Full", "a", "to the brim", error.High)
    pair.box.raise_error("main", sent)
    pair.box.raise_error("main", factory.create_error("sink/Full", "a", "again"))
    got = raised.next()
    assert (got.type, got.sub_type, got.message, got.severity) == ("sink/Full", "a", "to the brim", error.Severity.High)
    assert got.description == "Nothing more fits in" and got.uuid == sent.uuid
    assert (got.origin.module_id, got.origin.implementation_id) == ("box", "main")
    assert got.origin.mapping == error.Mapping(1, 2)
    assert abs((got.timestamp - sent.timestamp).total_seconds()) < 0.001
    pair.box.clear_error("main", "sink/Full")
    pair.box.clear_error("main", type="sink/Full", sub_type="a")
    assert cleared.next().sub_type == "a" and raised.nothing and cleared.nothing


def test_the_factory_says_so_where_no_description_is_declared(pair: Pair) -> None:
    factory = pair.box.get_error_factory("main")
    assert factory is not None
    assert factory.create_error("sink/Unknown", "", "what").description == "No description found"


def test_a_handmade_error_is_sent_as_it_is(pair: Pair) -> None:
    raised = Heard()
    pair.probe.subscribe_all_errors(pair.to_box, raised, lambda gone: None)
    own = error.Error()
    own.type, own.message, own.severity = "sink/Leaking", "drip", error.Medium
    own.origin = error.ImplementationIdentifier("somebody", "else", None)
    pair.box.raise_error("main", own)
    got = raised.next()
    assert (got.type, got.message, got.severity, got.origin, got.uuid) == (
        "sink/Leaking",
        "drip",
        error.Medium,
        own.origin,
        own.uuid,
    )


def test_all_errors_or_all_of_a_type_are_cleared_one_by_one(pair: Pair) -> None:
    cleared, raised = Heard(), Heard()
    pair.probe.subscribe_all_errors(pair.to_box, raised, cleared)
    factory, monitor = pair.box.get_error_factory("main"), pair.box.get_error_state_monitor_impl("main")
    assert factory is not None and monitor is not None
    for kind, sub_type in (("sink/Full", "a"), ("sink/Full", "b"), ("sink/Leaking", "")):
        pair.box.raise_error("main", factory.create_error(kind, sub_type, ""))
    pair.box.clear_all_errors_of_impl("main", type="sink/Full")
    assert sorted(gone.sub_type for gone in cleared.several(2)) == ["a", "b"]
    assert monitor.is_error_active("sink/Leaking", "") and not monitor.is_error_active("sink/Full", "a")
    pair.box.clear_all_errors_of_impl("main")
    assert cleared.next().type == "sink/Leaking"


def test_state_monitors_answer_conditions_on_both_sides(pair: Pair) -> None:
    raised = Heard()
    pair.probe.subscribe_all_errors(pair.to_box, raised, lambda gone: None)
    factory, own = pair.box.get_error_factory("main"), pair.box.get_error_state_monitor_impl("main")
    theirs = pair.probe.get_error_state_monitor_req(pair.to_box)
    assert factory is not None and own is not None and theirs is not None
    pair.box.raise_error("main", factory.create_error("sink/Full", "", ""))
    raised.next()
    full = error.ErrorStateCondition("sink/Full", "", True)
    dry = error.ErrorStateCondition("sink/Leaking", "", False)
    for monitor in (own, theirs):
        assert monitor.is_condition_satisfied(full) and monitor.is_condition_satisfied([full, dry])
        dry.active = True
        assert not monitor.is_condition_satisfied(dry) and not monitor.is_condition_satisfied([full, dry])
        dry.active = False
    pair.box._disconnect()
    assert own.is_error_active("sink/Full", "")


def test_unknown_implementations_and_connections_have_no_monitor_and_no_factory(pair: Pair) -> None:
    assert pair.box.get_error_state_monitor_impl("third") is None and pair.box.get_error_factory("third") is None
    assert pair.probe.get_error_state_monitor_req(pair.to_probe) is None
    with pytest.raises(RuntimeError, match="no implementation 'third'"):
        pair.box.raise_error("third", error.Error())
    for act in (pair.box.clear_error, pair.box.clear_all_errors_of_impl):
        with pytest.raises(RuntimeError, match="no implementation 'third'"):
            act("third", "sink/Full")


def test_undeclared_error_types_are_logged_and_ignored(pair: Pair, log_lines: pytest.LogCaptureFixture) -> None:
    monitor = pair.box.get_error_state_monitor_impl("main")
    pair.probe.subscribe_error(pair.to_box, "sink/Unheard", print, print)
    pair.box.raise_error("main", error.Error())
    assert monitor is not None and not monitor.is_error_active("NotValidType", "")
    assert "declares no error 'sink/Unheard'" in log_lines.text
    assert "'NotValidType', which its interface does not declare" in log_lines.text


def test_a_requirement_that_ignores_errors_has_no_monitor_and_refuses_subscriptions(pair: Pair) -> None:
    deaf = connection(pair.box, "deaf")
    assert pair.box.get_error_state_monitor_req(deaf) is None
    with pytest.raises(RuntimeError, match="ignores the errors"):
        pair.box.subscribe_all_errors(deaf, print, print)
    with pytest.raises(RuntimeError, match="ignores the errors"):
        pair.box.subscribe_error(deaf, "sink/Full", print, print)


# --- configuration (the rest is in test_modules.py) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("datatype", "sent", "value"), [("number", 3, 3.0), ("integer", 3, 3), ("bool", True, True), ("string", "3", "3")]
)
def test_a_configuration_value_has_its_natural_type_whatever_the_manager_wrote(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, datatype: str, sent: Any, value: Any
) -> None:
    async def answer(*_: Any) -> ConfigurationResponse:
        data = {"name": "p", "value": sent, "characteristics": {"datatype": datatype}}
        return ConfigurationResponse("Ok", "", "Get", {"type": "Value", "data": data})

    monkeypatch.setattr(pair.box._bridge.config_access, "get_value", answer)
    found = pair.box.get_config_value("box", "p")["value"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("response", [None, {"type": "Value", "data": None}, {"type": "Value", "data": {"value": 5}}])
def test_an_answer_without_a_value_is_no_error(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, response: dict[str, Any] | None
) -> None:
    async def answer(*_: Any) -> ConfigurationResponse:
        return ConfigurationResponse("Error", "no such thing", "Get", response)

    monkeypatch.setattr(pair.box._bridge.config_access, "get_value", answer)
    monkeypatch.setattr(pair.box._bridge.config_access, "set_value", answer)
    assert pair.box.get_config_value("box", "p") == {"status": "Error", "status_info": "no such thing", "value": ""}
    assert pair.box.set_config_value("box", "p", "1") == {
        "status": "Error",
        "status_info": "no such thing",
        "set_status": "Rejected",
    }
