"""The start of a module: bus 2.2 step 6 and bus 2.3, in exact order, with its limits and its error lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from everest.runtime import Dialect, MemoryBroker, Module, Topics, run_module, wire
from everest.runtime.bus import Bus
from everest.runtime.model import Mapping
from tests.everest.runtime.world import MANIFEST, Doubler, Manager, Recorder, configuration


@asynccontextmanager
async def started(manager: Manager, **options: Any) -> AsyncIterator[tuple[Module, Recorder]]:
    """A Doubler that has reported ready."""
    recorder = Recorder(manager.broker)
    created: list[Module] = []
    task = asyncio.create_task(
        run_module(Doubler, module_id="doubler", transport=recorder, created=created.append, **options)
    )
    while not any(message.topic.endswith("/ready") for message in manager.seen):
        assert not task.done(), "the module ended"
        await asyncio.sleep(0)
    yield created[0], recorder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def gets(*topics: str) -> list[str]:
    return [step for topic in topics for step in (f"subscribe everest/{topic} 2", f"unsubscribe everest/{topic}")]


async def test_a_module_starts_in_the_exact_order_of_the_reference() -> None:
    async with started(Manager(MemoryBroker())) as (_, recorder):
        assert recorder.log == [
            "connect",
            *gets("settings"),
            "subscribe everest/modules/doubler/response 2",
            "publish everest/config/request 2",
            "unsubscribe everest/modules/doubler/response",
            *gets(
                "interfaces",
                "interface_definitions/doubler",
                "interface_definitions/store",
                "types",
                "settings",
                "module_names",
                "manifests/Doubler",
                "manifests/Kvs",
                "manifests/Kvs",
            ),
            "subscribe everest/ready 2",
            "subscribe everest/shutdown 2",
            "subscribe everest/modules/kvs/impl/main/error/storage/Broken 2",
            "subscribe everest/modules/kvs/impl/main/error/storage/Full 2",
            "publish everest/modules/doubler/metadata 2",
            "subscribe everest/modules/kvs/impl/main/var/changed 2",
            "subscribe everest/modules/doubler/impl/main/cmd/double 2",
            "subscribe everest/modules/doubler/impl/main/cmd/reset 2",
            "subscribe everest/modules/doubler/impl/main/cmd/remember 2",
            "publish everest/modules/doubler/ready 2",
        ]


async def test_schemas_and_type_files_are_fetched_in_strict_mode_only() -> None:
    async with started(Manager(MemoryBroker(), validate_schema=True)) as (_, recorder):
        names = ["types", "type_definitions/entries", "settings", "schemas", "module_names"]
        start = recorder.log.index("subscribe everest/types 2")
        assert recorder.log[start : start + 10] == gets(*names)


async def test_the_messages_of_the_start_are_those_of_the_reference() -> None:
    manager = Manager(MemoryBroker())
    async with started(manager):
        sent = {message.topic: json.loads(message.payload) for message in manager.seen}
    assert sent["everest/config/request"] == {
        "msg_type": "ConfigurationRequest",
        "data": {"type": "Get", "origin": "doubler", "request": {"type": "Module"}},
    }
    assert sent["everest/modules/doubler/metadata"] == {
        "msg_type": "ConfigurationResponse",
        "data": {"module": "Doubler", "provides": {"main": {"interface": "doubler"}}},
    }
    assert sent["everest/modules/doubler/ready"] == {"msg_type": "ModuleReady", "data": True}


async def test_the_response_topic_is_subscribed_before_the_first_call_and_only_once() -> None:
    async with started(Manager(MemoryBroker())) as (module, recorder):
        assert isinstance(module, Doubler)
        begin = len(recorder.log)
        calls = [asyncio.create_task(module.stores[0].load("ab")) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(0)
        command = "everest/modules/kvs/impl/main/cmd/load"
        subscribed = f"subscribe {command}/response/doubler 2"
        assert recorder.log[begin:] == [subscribed, f"publish {command} 2", f"publish {command} 2"]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_dialect_a_is_spoken_when_asked_for() -> None:
    manager = Manager(MemoryBroker(), dialect=Dialect.A)
    async with started(manager, dialect=Dialect.A):
        sent = {message.topic: json.loads(message.payload)["msg_type"] for message in manager.seen}
    assert sent["everest/config/request"] == "GetConfig"
    assert sent["everest/modules/doubler/metadata"] == "GetConfigResponse"


@pytest.mark.parametrize("dialect", Dialect)
async def test_global_errors_take_one_filter_per_implementation_in_dialect_a_and_one_topic_per_type_in_b(
    dialect: Dialect,
) -> None:
    manager = Manager(MemoryBroker(), dialect=dialect)
    manifest = {**{key: value for key, value in MANIFEST.items() if key != "config"}, "enable_global_errors": True}
    metadata = wire.build_metadata(manifest, dialect=dialect)
    manager.broker.publish("everest/manifests/Doubler", metadata, retain=True)
    async with started(manager) as (_, recorder):
        found = {step.split()[1] for step in recorder.log if step.startswith("subscribe ") and "kvs2" in step}
    of_kvs2 = "everest/modules/kvs2/impl/main/error/"
    types = {"#"} if dialect is Dialect.A else {"storage/Broken", "storage/Full"}
    assert found == {f"{of_kvs2}{name}" for name in types}


@pytest.mark.parametrize(("spoken", "configured"), [(Dialect.A, Dialect.B), (Dialect.B, Dialect.A)])
async def test_the_dialect_of_the_manager_is_found_out_before_the_first_word(
    spoken: Dialect, configured: Dialect
) -> None:
    manager = Manager(MemoryBroker(), dialect=spoken)
    async with started(manager, dialect=configured) as (module, recorder):
        sent = {message.topic: json.loads(message.payload)["msg_type"] for message in manager.seen}
        assert module._context.bus.dialect is spoken
    for topic, word in (("config/request", spoken.configuration_request), ("modules/doubler/metadata", None)):
        assert sent[f"everest/{topic}"] == (word or spoken.configuration_response)
    assert recorder.log[:3] == ["connect", *gets("settings")]


@pytest.mark.looptime
async def test_without_retained_settings_the_configured_dialect_counts() -> None:
    broker = MemoryBroker()
    sent: list[str] = []
    broker.watch(lambda message: sent.append(json.loads(message.payload)["msg_type"]))
    assert await run_module(Doubler, module_id="doubler", transport=broker.transport(), dialect=Dialect.A) == 1
    assert sent == ["GetConfig", "GetConfig"]


@pytest.mark.looptime
@pytest.mark.parametrize("garbage", [b"{]", b'{"msg_type":"Nope","data":{}}', b"true", b'{"msg_type":"Var"}'])
async def test_garbage_in_place_of_the_settings_decides_nothing(garbage: bytes) -> None:
    broker = MemoryBroker()
    broker.publish("everest/settings", garbage, retain=True)
    sent: list[str] = []
    broker.watch(lambda message: sent.append(json.loads(message.payload)["msg_type"]))
    assert await run_module(Doubler, module_id="doubler", transport=broker.transport()) == 1
    assert sent[0] == "ConfigurationRequest"


async def test_the_prefix_gets_its_slash() -> None:
    async with started(Manager(MemoryBroker(), prefix="other/"), prefix="other") as (_, recorder):
        assert "publish other/modules/doubler/ready 2" in recorder.log


async def test_the_module_sees_its_configuration_identity_and_connections() -> None:
    async with started(Manager(MemoryBroker())) as (module, _):
        assert isinstance(module, Doubler)
        assert dict(module.config) == {"factor": 2.0, "name": "d", "loud": True}
        assert dict(module.implementation_config("main")) == {"limit": 7}
        info = module.info
        assert (info.id, info.name, info.authors) == ("doubler", "Doubler", ("Ada", "Grace"))
        assert info.license == "https://opensource.org/licenses/Apache-2.0"
        assert info.mapping == Mapping(1)
        assert str(info.paths.etc) == "/etc/everest"
        assert str(info.paths.libexec) == "/usr/libexec/everest/modules/Doubler"
        assert str(info.paths.share) == "/usr/share/everest/modules/Doubler"
        assert module.main.mapping == Mapping(1, 2)
        assert (module.stores[0].module_id, module.stores[0].implementation_id) == ("kvs", "main")
        assert module.stores[0].mapping == Mapping(3)


async def test_what_another_manager_writes_differently_is_understood() -> None:
    manager = Manager(MemoryBroker())
    parameters = {
        "!module": [
            {"name": "factor", "value": 3, "characteristics": {"datatype": "number", "mutability": "ReadOnly"}},
            {"name": "loud", "value": True, "characteristics": {"datatype": "boolean"}},
            {"name": "name", "value": "x"},
        ]
    }
    config = configuration(configuration_parameters=parameters, mapping=None, unknown_key=[1])
    for key in ("standalone", "telemetry_enabled", "access"):
        del config["module_config"][key]
    config["mappings"] = {}
    manager.configuration = config
    async with started(manager) as (module, _):
        assert dict(module.config) == {"factor": 3.0, "loud": True, "name": "x"}
        assert isinstance(module.config["factor"], float)
        assert dict(module.implementation_config("main")) == {}


@pytest.mark.looptime
async def test_an_unanswered_request_is_sent_again_after_five_seconds() -> None:
    manager = Manager(MemoryBroker())
    manager.answers = [None]
    loop = asyncio.get_running_loop()
    begin = loop.time()
    recorder = Recorder(manager.broker)
    task = asyncio.create_task(run_module(Doubler, module_id="doubler", transport=recorder))
    while not any(message.topic.endswith("/ready") for message in manager.seen):
        await asyncio.sleep(0.1)
    assert 5 <= loop.time() - begin < 6
    assert recorder.log.count("publish everest/config/request 2") == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_without_a_manager_the_start_fails_after_two_tries_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await run_module(Doubler, module_id="doubler", transport=MemoryBroker().transport()) == 1
    assert 11 <= loop.time() - begin < 11.5
    [line] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert "no manager answered on everest/modules/doubler/response within 10 s" in line.getMessage()
    assert line.exc_info is None


async def failed_start(manager: Manager, caplog: pytest.LogCaptureFixture, module: type[Module] = Doubler) -> str:
    """The one line of a start that fails."""
    status = await run_module(module, module_id="doubler", transport=manager.broker.transport())
    assert status == 1
    [line] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert not line.exc_info
    return line.getMessage()


async def test_a_refused_configuration_names_the_managers_reason(caplog: pytest.LogCaptureFixture) -> None:
    manager = Manager(MemoryBroker())
    refusal = wire.build_configuration_response(
        None, type=None, status="Error", status_info="unknown origin", dialect=Dialect.B
    )
    manager.answers = [refusal]
    assert "unknown origin" in await failed_start(manager, caplog)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"module_name": 5}, "module_config.module_name"),
        ({"module_name": "Nobody"}, "no manifest for module Nobody"),
        ({"connections": {"store": [{"module_id": "kvs"}]}}, "connection 0 of requirement 'store'"),
        ({"configuration_parameters": {"!module": [{"name": "factor"}]}}, "!module.factor"),
    ],
)
async def test_an_unusable_configuration_is_one_line_that_names_the_place(
    change: dict[str, Any], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = Manager(MemoryBroker())
    manager.configuration = configuration(**change)
    assert expected in await failed_start(manager, caplog)


async def test_garbage_on_the_answers_topic_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    manager = Manager(MemoryBroker())
    topic = "everest/modules/doubler/response"
    manager.broker.watch(
        lambda message: manager.broker.publish(topic, b"{garbage") if message.topic.endswith("request") else None
    )
    async with started(manager):
        assert any("undecodable" in record.getMessage() for record in caplog.records)


async def test_an_answer_on_a_foreign_topic_is_not_taken_for_ours() -> None:
    manager = Manager(MemoryBroker())

    def meddle(message: Any) -> None:
        if message.topic == "everest/config/request":
            foreign = wire.build_configuration_response({"type": "Module", "data": {}}, dialect=Dialect.B)
            manager.broker.publish("everest/modules/other/response", foreign)

    manager.broker.watch(meddle)
    async with started(manager) as (module, _):
        assert module.info.id == "doubler"


async def test_only_the_answer_on_the_topic_that_is_waited_for_counts() -> None:
    """Bus 1.5: in the original one slot takes whatever comes."""
    broker = MemoryBroker()
    seat, manager = broker.transport(), broker.transport()
    bus = Bus(seat, Topics(), "mine", failed=lambda error, place: None)
    for transport in (seat, manager):
        await transport.connect()
    bus.start(bus.read(), name="reader")
    bus.listen_external("everest/modules/other/response", lambda topic, payload: None)
    await bus.settled()

    def ask() -> None:
        for number, module_id in enumerate(("other", "mine", "other", "mine")):
            answer = wire.build_configuration_response({"number": number}, dialect=Dialect.B)
            manager.publish(f"everest/modules/{module_id}/response", answer)

    found = await bus.get("everest/modules/mine/response", ask)
    assert found["response"] == {"number": 1}
    await bus.stop()


class Forgetful(Doubler):
    def provide(self, *_: Any) -> None:  # type: ignore[override]
        pass


class Undeclared(Doubler):
    async def init(self) -> None:
        self.connection("nothing", type(self.stores[0]))


class Partial(Module):
    def __init__(self, context: Any) -> None:
        super().__init__(context)
        from tests.everest.runtime.world import DoublerImplementation

        class Half(DoublerImplementation):
            async def double(self, x: float) -> float:
                return x

        self.provide("main", Half())  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Forgetful, "does not provide main"),
        (Undeclared, "requires nothing called 'nothing'"),
        (Partial, "lacks commands of its interfaces"),
    ],
)
async def test_an_incomplete_module_is_told_so_in_one_line(
    module: type[Module], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert expected in await failed_start(Manager(MemoryBroker()), caplog, module)


async def test_global_ready_before_the_own_ready_is_ignored_and_a_second_one_too() -> None:
    manager = Manager(MemoryBroker())
    ready = wire.build_global_ready()
    manager.broker.watch(
        lambda message: manager.broker.publish("everest/ready", ready) if message.topic.endswith("metadata") else None
    )
    async with started(manager) as (module, _):
        assert isinstance(module, Doubler)
        await asyncio.sleep(0.01)
        for data in (b',"data":false', b',"data":"true"', b',"data":1', b""):
            payload = b'{"msg_type":"GlobalReady"%s}' % data
            manager.broker.publish("everest/ready", payload)
        await asyncio.sleep(0.01)
        assert module.life == ["created", "init"]
        manager.broker.publish("everest/ready", ready)
        manager.broker.publish("everest/ready", ready)
        await asyncio.sleep(0.01)
        assert module.life == ["created", "init", "ready"]
