"""A small world for the runtime's tests: typed contracts written by hand, a module, a manager of a few lines.

`Doubler` doubles numbers and has `store` connections; `Recorder` is a transport that notes what it is asked.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from everest.runtime import Client, Command, Dialect, Implementation, MemoryBroker, Module, ModuleContext, wire
from everest.runtime.memory import MemoryTransport, Published
from everest.runtime.topics import Topics
from everest.runtime.transport import Message


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    key: str
    value: float
    note: str | None = None


class DoublerImplementation(Implementation):
    interface = "doubler"
    commands = {
        "double": Command({"x": float}, float),
        "reset": Command({}, None),
        "remember": Command({"entry": Entry}, Entry),
    }
    variables = {"last": float, "entry": Entry}
    errors = ("example/OverHeat", "example/TooBig")

    @abstractmethod
    async def double(self, x: float) -> float: ...

    @abstractmethod
    async def reset(self) -> None: ...

    @abstractmethod
    async def remember(self, entry: Entry) -> Entry: ...

    def publish_last(self, value: float) -> None:
        self._publish("last", value)

    def publish_entry(self, value: Entry) -> None:
        self._publish("entry", value)


class StoreClient(Client):
    interface = "store"
    commands = {"store": Command({"key": str, "value": float}, None), "load": Command({"key": str}, float)}
    variables = {"changed": Entry, "count": int}
    errors = ("storage/Full", "storage/Broken")

    async def store(self, key: str, value: float) -> None:
        await self._call("store", {"key": key, "value": value}, None)

    async def load(self, key: str) -> float:
        result: float = await self._call("load", {"key": key}, float)
        return result

    def on_changed(self, handler: Callable[[Entry], Awaitable[None] | None]) -> None:
        self._subscribe("changed", Entry, handler)

    def on_count(self, handler: Callable[[int], Awaitable[None] | None]) -> None:
        self._subscribe("count", int, handler)


class Doubling(DoublerImplementation):
    """Does what the tests need; `behaviour` may replace the body of `double`."""

    behaviour: Callable[[float], Awaitable[float]] | None = None

    async def double(self, x: float) -> float:
        if self.behaviour is not None:
            return await self.behaviour(x)
        result = x * float(self.module.config["factor"])
        self.publish_last(result)
        return result

    async def reset(self) -> None:
        self.publish_last(0.0)

    async def remember(self, entry: Entry) -> Entry:
        return entry


class Doubler(Module):
    """Provides `main`, requires any number of `store`; notes its life in `life`."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.life: list[str] = ["created"]
        self.main = Doubling()
        self.provide("main", self.main)
        self.stores = self.connections("store", StoreClient)
        self.heard: list[Any] = []
        for store in self.stores:
            store.on_changed(self.heard.append)

    async def init(self) -> None:
        self.life.append("init")

    async def ready(self) -> None:
        self.life.append("ready")

    async def shutdown(self) -> None:
        self.life.append("shutdown")


MANIFEST: dict[str, Any] = {
    "description": "Doubles numbers",
    "config": {
        "factor": {"type": "number", "description": "Factor", "default": 2},
        "name": {"type": "string", "description": "Name", "default": "d"},
        "loud": {"type": "boolean", "description": "Loud", "default": False},
    },
    "provides": {
        "main": {
            "interface": "doubler",
            "description": "The service",
            "config": {"limit": {"type": "integer", "description": "Limit", "default": 7}},
        }
    },
    "requires": {"store": {"interface": "store", "min_connections": 0, "max_connections": 9}},
    "metadata": {"license": "https://opensource.org/licenses/Apache-2.0", "authors": ["Ada", "Grace"]},
}

NUMBER = {"type": "number"}
ENTRY = {"type": "object", "$ref": "/entries#/Entry"}
TYPES = {
    "/entries": {
        "Entry": {
            "type": "object",
            "required": ["key", "value"],
            "additionalProperties": False,
            "properties": {
                "key": {"type": "string", "minLength": 2},
                "value": NUMBER,
                "note": {"type": "string", "format": "date-time"},
            },
        }
    }
}


def declared(*types: str) -> dict[str, Any]:
    """Errors of an interface definition in their distributed form."""
    errors: dict[str, Any] = {}
    for error_type in types:
        namespace, name = error_type.split("/")
        description = f"about {name}"
        errors.setdefault(namespace, {})[name] = {"name": name, "namespace": namespace, "description": description}
    return errors


INTERFACES: dict[str, Any] = {
    "doubler": {
        "cmds": {
            "double": {
                "arguments": {"x": {"type": "number", "maximum": 1000}},
                "result": {"type": "number", "maximum": 500},
            },
            "reset": {"arguments": {}, "result": {"type": "null"}},
            "remember": {"arguments": {"entry": ENTRY}, "result": ENTRY},
        },
        "vars": {"last": {"type": "number", "minimum": 0}, "entry": ENTRY},
        "errors": declared("example/OverHeat", "example/TooBig"),
    },
    "store": {
        "cmds": {
            "store": {
                "arguments": {"key": {"type": "string", "minLength": 2}, "value": NUMBER},
                "result": {"type": "null"},
            },
            "load": {"arguments": {"key": {"type": "string"}}, "result": NUMBER},
        },
        "vars": {"changed": ENTRY, "count": {"type": "integer"}},
        "errors": declared("storage/Full", "storage/Broken"),
    },
}


def bench_arguments(**changes: Any) -> dict[str, Any]:
    """Arguments of a ModuleBench that runs `Doubler`."""
    return {"module_id": "doubler", "manifest": MANIFEST, "interfaces": INTERFACES, **changes}


class Recorder:
    """A transport at the in-memory broker that notes every call as text."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._inner: MemoryTransport = broker.transport()
        self.log: list[str] = []

    async def connect(self) -> None:
        self.log.append("connect")
        await self._inner.connect()

    def messages(self) -> AsyncIterator[Message]:
        return self._inner.messages()

    async def subscribe(self, *topic_filters: str, qos: int = 2) -> None:
        await asyncio.sleep(0)
        self.log += [f"subscribe {topic_filter} {qos}" for topic_filter in topic_filters]
        await self._inner.subscribe(*topic_filters, qos=qos)

    async def unsubscribe(self, *topic_filters: str) -> None:
        self.log += [f"unsubscribe {topic_filter}" for topic_filter in topic_filters]
        await self._inner.unsubscribe(*topic_filters)

    def publish(self, topic: str, payload: bytes, *, qos: int = 2, retain: bool = False) -> None:
        self.log.append(f"publish {topic} {qos}{' retain' if retain else ''}")
        self._inner.publish(topic, payload, qos=qos, retain=retain)

    async def flush(self) -> None:
        await self._inner.flush()

    async def close(self) -> None:
        self.log.append("close")
        await self._inner.close()


def configuration(**changes: Any) -> dict[str, Any]:
    """The `response.data` of a configuration answer for `Doubler`, as EVerest writes it."""

    def parameter(name: str, value: Any, datatype: str) -> dict[str, Any]:
        return {"name": name, "value": value, "characteristics": {"datatype": datatype, "mutability": "ReadOnly"}}

    module_config = {
        "standalone": False,
        "module_name": "Doubler",
        "module_id": "doubler",
        "telemetry_enabled": False,
        "configuration_parameters": {
            "!module": [
                parameter("factor", 2.0, "number"),
                parameter("name", "d", "string"),
                parameter("loud", True, "bool"),
            ],
            "main": [parameter("limit", 7, "integer")],
        },
        "connections": {"store": [{"module_id": "kvs", "implementation_id": "main", "requirement": {"id": "store"}}]},
        "mapping": {"module": {"evse": 1}, "implementations": {"main": {"evse": 1, "connector": 2}}},
        "access": None,
        **changes,
    }
    return {"module_config": module_config, "mappings": {"kvs": {"module": {"evse": 3}}, "doubler": None}}


SETTINGS: dict[str, Any] = {
    "prefix": "/usr",
    "etc_dir": "/etc/everest",
    "data_dir": "/usr/share/everest",
    "modules_dir": "/usr/libexec/everest/modules",
    "telemetry_prefix": "everest-telemetry/",
    "telemetry_enabled": False,
    "validate_schema": False,
    "forward_exceptions": False,
}


class Manager:
    """Distributes the small world on an in-memory broker and answers configuration requests."""

    def __init__(
        self, broker: MemoryBroker, *, prefix: str = "everest/", dialect: Dialect = Dialect.B, **settings: Any
    ) -> None:
        self.broker = broker
        self.topics = Topics(prefix)
        self.dialect = dialect
        self.seen: list[Published] = []
        self.answers: list[bytes | None] = []
        self.configuration = configuration()
        self._distribute({**SETTINGS, **settings})
        broker.watch(self._watch)

    def _distribute(self, settings: Mapping[str, Any]) -> None:
        topics = self.topics
        validate = settings["validate_schema"]
        manifest = {key: value for key, value in MANIFEST.items() if key != "config"}
        kvs = {"provides": {"main": {"interface": "store"}}, "metadata": MANIFEST["metadata"]}
        data = {
            topics.interfaces: list(INTERFACES),
            **{topics.interface_definition(name): value for name, value in INTERFACES.items()},
            topics.types: list(TYPES) if validate else [],
            **({topics.type_definition(path): value for path, value in TYPES.items()} if validate else {}),
            topics.settings: settings,
            **({topics.schemas: {"config": {}}} if validate else {}),
            topics.manifest("Doubler"): manifest,
            topics.manifest("Kvs"): kvs,
            topics.module_names: {"doubler": "Doubler", "kvs": "Kvs", "kvs2": "Kvs"},
        }
        for topic, value in data.items():
            self.broker.publish(topic, wire.build_metadata(value, dialect=self.dialect), retain=True)

    def _watch(self, message: Published) -> None:
        self.seen.append(message)
        if message.topic != self.topics.config_request:
            return
        body = {"type": "Module", "data": self.configuration}
        good = wire.build_configuration_response(body, dialect=self.dialect)
        answer = self.answers.pop(0) if self.answers else good
        if answer is not None:
            self.broker.publish(self.topics.config_response("doubler"), answer)
