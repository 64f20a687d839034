"""Two modules that need each other, as tasks on one bus: in memory and over a real broker, with the same envelopes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from everest.runtime import Command, Dialect, Implementation, MemoryBroker, Module, ModuleContext, run_module, wire
from everest.runtime.mqtt import MqttTransport
from everest.runtime.topics import Topics
from everest.runtime.transport import Transport
from tests.everest.runtime.world import INTERFACES, MANIFEST, SETTINGS, Doubler, Entry
from tests.support.mosquitto import Mosquitto, needs_mosquitto, running_mosquitto

LIMIT = 20
TOPICS = Topics()
KVS_MANIFEST: dict[str, Any] = {
    "provides": {"main": {"interface": "store"}},
    "requires": {"echo": {"interface": "doubler"}},
    "metadata": MANIFEST["metadata"],
}


class Store(Implementation):
    interface = "store"
    commands = {"store": Command({"key": str, "value": float}, None), "load": Command({"key": str}, float)}
    variables = {"changed": Entry, "count": int}
    errors = ("storage/Full", "storage/Broken")

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    async def store(self, key: str, value: float) -> None:
        self.kept[key] = value
        self._publish("changed", Entry(key=key, value=value))
        if len(self.kept) > 2:
            self.raise_error("storage/Full")

    async def load(self, key: str) -> float:
        if key == "back":
            assert isinstance(self.module, Kvs)
            value: float = await self.module.echo._call("double", {"x": 21.0}, float)
            return value
        return self.kept[key]


class Kvs(Module):
    """Provides the store; its `load` of the key `back` calls back into its caller."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        from everest.runtime import Client

        class DoublerClient(Client):
            interface = "doubler"
            commands = {"double": Command({"x": float}, float)}
            variables: dict[str, Any] = {}
            errors = ()

        self.provide("main", Store())
        self.echo = self.connection("echo", DoublerClient)


def configuration(module_id: str, name: str, requirement: str, peer: str) -> bytes:
    connection = {"module_id": peer, "implementation_id": "main", "requirement": {"id": requirement}}
    factor = {"name": "factor", "value": 2.0, "characteristics": {"datatype": "number", "mutability": "ReadOnly"}}
    module_config = {
        "module_id": module_id,
        "module_name": name,
        "configuration_parameters": {"!module": [factor], "main": []},
        "connections": {requirement: [connection]},
    }
    body = {"type": "Module", "data": {"module_config": module_config, "mappings": {}}}
    return wire.build_configuration_response(body, dialect=Dialect.B)


CONFIGURATIONS = {
    "doubler": configuration("doubler", "Doubler", "store", "kvs"),
    "kvs": configuration("kvs", "Kvs", "echo", "doubler"),
}


async def manage(transport: Transport) -> None:
    """A manager in a few lines: metadata, configurations, global ready."""
    await transport.connect()
    await transport.subscribe(TOPICS.config_request, *(TOPICS.module_ready(name) for name in CONFIGURATIONS))
    data: dict[str, Any] = {
        TOPICS.interfaces: list(INTERFACES),
        **{TOPICS.interface_definition(name): value for name, value in INTERFACES.items()},
        TOPICS.types: [],
        TOPICS.settings: SETTINGS,
        TOPICS.manifest("Doubler"): {key: value for key, value in MANIFEST.items() if key != "config"},
        TOPICS.manifest("Kvs"): KVS_MANIFEST,
        TOPICS.module_names: {"doubler": "Doubler", "kvs": "Kvs"},
    }
    for topic, value in data.items():
        transport.publish(topic, wire.build_metadata(value, dialect=Dialect.B), retain=True)
    waiting = set(CONFIGURATIONS)
    async for message in transport.messages():
        if message.topic == TOPICS.config_request:
            origin = wire.parse_configuration_request(wire.parse(message.topic, message.payload)).origin
            transport.publish(TOPICS.config_response(origin), CONFIGURATIONS[origin])
        else:
            waiting.discard(message.topic.split("/")[-2])
            if not waiting:
                transport.publish(TOPICS.global_ready, wire.build_global_ready())


@pytest.fixture(params=["memory", pytest.param("mqtt", marks=needs_mosquitto)])
def seat(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Transport]]:
    if request.param == "memory":
        yield MemoryBroker().transport
        return
    with running_mosquitto(tmp_path) as broker:
        yield lambda: MqttTransport(broker.host, broker.port)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.005)


async def test_two_modules_start_call_each_other_and_hear_values_and_errors(seat: Callable[[], Transport]) -> None:
    created: dict[str, Module] = {}
    manager_seat = seat()
    tasks = [asyncio.create_task(manage(manager_seat), name="manager")]
    for name, module in (("doubler", Doubler), ("kvs", Kvs)):
        run = run_module(
            module,
            module_id=name,
            transport=seat(),
            created=lambda instance: created.update({instance.info.id: instance}),
        )
        tasks.append(asyncio.create_task(run, name=name))
    try:
        await until(lambda: isinstance(created.get("doubler"), Doubler) and "ready" in created["doubler"].life)  # type: ignore[attr-defined]
        doubler = created["doubler"]
        assert isinstance(doubler, Doubler)
        [store] = doubler.stores
        errors: list[str] = []
        store.on_error(lambda error: errors.append(error.type), print)
        for number in range(3):
            await store.store(f"key{number}", number)
        assert await store.load("key2") == 2.0
        assert await store.load("back") == 42.0
        await until(lambda: len(doubler.heard) == 3 and errors == ["storage/Full"])
        assert [entry.key for entry in doubler.heard] == ["key0", "key1", "key2"]
        assert [await store.load(f"key{n}") for n in range(3)] == [0.0, 1.0, 2.0]
        results = await asyncio.gather(*(store.load("key1") for _ in range(200)))
        assert results == [1.0] * 200
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager_seat.close()


async def test_overlapping_external_subscriptions_call_each_handler_once(seat: Callable[[], Transport]) -> None:
    heard: list[str] = []

    class Listening(Doubler):
        async def init(self) -> None:
            self.mqtt_subscribe("x/#", lambda topic, payload: heard.append(f"x/# {payload}"))
            self.mqtt_subscribe("x/+", lambda topic, payload: heard.append(f"x/+ {payload}"))
            self.mqtt_subscribe("x/1", lambda topic, payload: heard.append(f"x/1 {payload}"))
            self.mqtt_subscribe("everest/#", lambda topic, payload: heard.append(f"internal {topic}"))

        async def ready(self) -> None:
            self.mqtt_publish("x/1", "a")
            self.mqtt_publish("x/2", "end")

    created: list[Module] = []
    manager_seat = seat()
    tasks = [asyncio.create_task(manage(manager_seat), name="manager")]
    for name, module in (("doubler", Listening), ("kvs", Kvs)):
        run = run_module(module, module_id=name, transport=seat(), created=created.append)
        tasks.append(asyncio.create_task(run, name=name))
    try:
        await until(lambda: heard.count("x/# end") == 1 and heard.count("x/+ end") == 1)
        assert sorted(heard) == ["x/# a", "x/# end", "x/+ a", "x/+ end", "x/1 a"]
        doubler = next(module for module in created if isinstance(module, Doubler))
        await doubler.stores[0].store("once", 1.0)
        await until(lambda: len(doubler.heard) > 0)
        await doubler.stores[0].load("once")
        assert len(doubler.heard) == 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager_seat.close()


@pytest.mark.mosquitto
@needs_mosquitto[1]
async def test_qos_and_retain_reach_the_broker_as_given(mosquitto: Mosquitto) -> None:
    transport = MqttTransport(mosquitto.host, mosquitto.port)
    await transport.connect()
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe("#", qos=2)
        for qos in (0, 1, 2):
            transport.publish(f"q/{qos}", b"x", qos=qos)
        transport.publish("kept", b"x", qos=2, retain=True)
        await transport.flush()
        seen: dict[str, int] = {}
        async with asyncio.timeout(LIMIT):
            async for message in client.messages:
                seen[message.topic.value] = message.qos
                if len(seen) == 4:
                    break
    assert seen == {"q/0": 0, "q/1": 1, "q/2": 2, "kept": 2}
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe("#", qos=2)
        message = await asyncio.wait_for(anext(aiter(client.messages)), LIMIT)
        assert (message.topic.value, bool(message.retain)) == ("kept", True)
    await transport.close()


def test_the_delivery_table_is_that_of_the_reference() -> None:
    retained = {"metadata", "metadata_clear"}
    fire_and_forget = {"metadata_clear", "telemetry"}
    assert {name for name, delivery in wire.DELIVERY.items() if delivery.retain} == retained
    assert {name for name, delivery in wire.DELIVERY.items() if delivery.qos == 0} == fire_and_forget
    assert {delivery.qos for delivery in wire.DELIVERY.values()} == {0, 2}
    assert (wire.SUBSCRIBE_QOS, wire.EXTERNAL_SUBSCRIBE_QOS) == (2, 0)
