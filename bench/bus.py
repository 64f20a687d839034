"""What the module runtime costs on the bus, against bare MQTT clients that send the same bytes in the same run.

    python bench/bus.py [--calls N] [--values N] [--flood N]

Over a private mosquitto, everything QoS 2 as on the bus, three measurements:
  command     one call after the other from one module to another; bare: request and reply topics, payload unread
  variable    a burst of values from one module to another's handler; bare: the same burst, payload unread
  flood       a burst while the handler stands still, then handled: rate and memory above the start
The bare clients have TCP_NODELAY too; without it they are fifty times slower. The figures that count are the ratios to
aiomqtt (asyncio) and paho (threads), and the memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import aiomqtt  # noqa: E402
import paho.mqtt.client as mqtt  # noqa: E402

from everest.runtime import Client, Command, Implementation, Module, ModuleContext, Topics, run_module, wire  # noqa: E402
from everest.runtime.mqtt import NODELAY, WINDOW, MqttTransport  # noqa: E402
from tests.support.mosquitto import Mosquitto, running_mosquitto  # noqa: E402

TOPICS = Topics()
VALUE = {"text": "x" * 80, "number": 1.5}
INTERFACES: dict[str, Any] = {
    "echo": {
        "cmds": {"echo": {"arguments": {"text": {"type": "string"}}, "result": {"type": "string"}}},
        "vars": {"value": {"type": "object"}},
        "errors": {},
    }
}
METADATA = {"license": "https://opensource.org/licenses/Apache-2.0", "authors": ["bench"]}
MANIFESTS: dict[str, Any] = {
    "Provider": {"provides": {"main": {"interface": "echo"}}, "metadata": METADATA},
    "User": {"requires": {"echo": {"interface": "echo"}}, "metadata": METADATA},
}


class Echo(Implementation):
    interface = "echo"
    commands = {"echo": Command({"text": str}, str)}
    variables = {"value": dict[str, Any]}
    errors = ()

    async def echo(self, text: str) -> str:
        return text


class EchoClient(Client):
    interface = "echo"
    commands = Echo.commands
    variables = Echo.variables
    errors = ()


class Provider(Module):
    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.main = Echo()
        self.provide("main", self.main)


class User(Module):
    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.echo = self.connection("echo", EchoClient)


# --- two modules -----------------------------------------------------------------------------------------------------


async def manage(transport: MqttTransport) -> None:
    """Metadata and configurations for the two."""
    await transport.connect()
    await transport.subscribe(TOPICS.config_request)
    data = {
        TOPICS.interfaces: list(INTERFACES),
        TOPICS.interface_definition("echo"): INTERFACES["echo"],
        TOPICS.types: [],
        TOPICS.settings: {},
        **{TOPICS.manifest(name): manifest for name, manifest in MANIFESTS.items()},
        TOPICS.module_names: {"provider": "Provider", "user": "User"},
    }
    for topic, value in data.items():
        transport.publish(topic, wire.build_metadata(value, dialect=wire.Dialect.B), retain=True)
    await transport.flush()
    async for message in transport.messages():
        origin = wire.parse_configuration_request(wire.parse(message.topic, message.payload)).origin
        peer = {"module_id": "provider", "implementation_id": "main", "requirement": {"id": "echo"}}
        config = {"module_id": origin, "module_name": origin.title(), "connections": {}}
        if origin == "user":
            config["connections"] = {"echo": [peer]}
        body = {"type": "Module", "data": {"module_config": config, "mappings": {}}}
        answer = wire.build_configuration_response(body, dialect=wire.Dialect.B)
        transport.publish(TOPICS.config_response(origin), answer)


@asynccontextmanager
async def modules(broker: Mosquitto) -> AsyncIterator[tuple[Provider, User]]:
    created: dict[str, Module] = {}
    ready = asyncio.Event()

    def note(module: Module) -> None:
        created[module.info.id] = module
        if len(created) == 2:
            ready.set()

    manager = MqttTransport(broker.host, broker.port)
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(manage(manager))]
    for kind in (Provider, User):
        run = run_module(
            kind,
            module_id=kind.__name__.lower(),
            transport=MqttTransport(broker.host, broker.port),
            created=note,
        )
        tasks.append(asyncio.create_task(run))
    async with asyncio.timeout(10):
        await ready.wait()
    provider, user = created["provider"], created["user"]
    assert isinstance(provider, Provider) and isinstance(user, User)
    await asyncio.gather(provider._context.bus.settled(), user._context.bus.settled())
    try:
        yield provider, user
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager.close()


async def our_calls(broker: Mosquitto, count: int) -> float:
    async with modules(broker) as (_, user):
        call = user.echo._call
        await call("echo", {"text": "warm"}, str)
        begin = time.perf_counter()
        for _ in range(count):
            await call("echo", {"text": "x" * 80}, str)
        return count / (time.perf_counter() - begin)


async def our_values(broker: Mosquitto, count: int) -> float:
    async with modules(broker) as (provider, user):
        done = asyncio.Event()
        heard = 0

        def hear(value: Any) -> None:
            nonlocal heard
            heard += 1
            if heard == count:
                done.set()

        user.echo._subscribe("value", dict[str, Any], hear)
        await user._context.bus.settled()
        begin = time.perf_counter()
        for _ in range(count):
            provider.main._publish("value", VALUE)
        await done.wait()
        return count / (time.perf_counter() - begin)


# --- bare clients ----------------------------------------------------------------------------------------------------

REQUEST = wire.build_command("0" * 36, {"text": "x" * 80}, "user")
REPLY = wire.build_command_result("0" * 36, "provider", "x" * 80)
VARIABLE = wire.build_var(VALUE)


def bare_aiomqtt(broker: Mosquitto) -> aiomqtt.Client:
    client = aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5, socket_options=(NODELAY,))
    client.pending_calls_threshold = 10 * WINDOW
    return client


async def aiomqtt_calls(broker: Mosquitto, count: int) -> float:
    async with bare_aiomqtt(broker) as server, bare_aiomqtt(broker) as client:
        await server.subscribe("q", qos=2)
        await client.subscribe("r", qos=2)

        async def serve() -> None:
            async for _ in server.messages:
                await server.publish("r", REPLY, qos=2)

        serving = asyncio.create_task(serve())
        replies = aiter(client.messages)
        begin = time.perf_counter()
        for _ in range(count):
            await client.publish("q", REQUEST, qos=2)
            await anext(replies)
        seconds = time.perf_counter() - begin
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return count / seconds


async def aiomqtt_values(broker: Mosquitto, count: int) -> float:
    async with bare_aiomqtt(broker) as sender, bare_aiomqtt(broker) as receiver:
        await receiver.subscribe("v", qos=2)
        messages = aiter(receiver.messages)
        window = asyncio.Semaphore(WINDOW)

        async def send() -> None:
            async with window:
                await sender.publish("v", VARIABLE, qos=2)

        begin = time.perf_counter()
        sending = [asyncio.create_task(send()) for _ in range(count)]
        for _ in range(count):
            await anext(messages)
        seconds = time.perf_counter() - begin
        await asyncio.gather(*sending)
        return count / seconds


def paho(broker: Mosquitto, topic: str, heard: Callable[[], None]) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda *_: heard()
    client.on_socket_open = lambda _, __, sock: sock.setsockopt(*NODELAY)
    client.on_connect = lambda *_: client.subscribe(topic, qos=2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    subscribed.wait(10)
    return client


async def paho_calls(broker: Mosquitto, count: int) -> float:
    answered = threading.Semaphore(0)
    server = paho(broker, "q", lambda: server.publish("r", REPLY, qos=2) and None)
    client = paho(broker, "r", answered.release)
    begin = time.perf_counter()
    for _ in range(count):
        client.publish("q", REQUEST, qos=2)
        answered.acquire()
    seconds = time.perf_counter() - begin
    for item in (server, client):
        item.disconnect()
        item.loop_stop()
    return count / seconds


async def paho_values(broker: Mosquitto, count: int) -> float:
    heard = threading.Semaphore(0)
    sender, receiver = paho(broker, "nothing", lambda: None), paho(broker, "v", heard.release)
    begin = time.perf_counter()
    for _ in range(count):
        sender.publish("v", VARIABLE, qos=2)
    for _ in range(count):
        heard.acquire()
    seconds = time.perf_counter() - begin
    for item in (sender, receiver):
        item.disconnect()
        item.loop_stop()
    return count / seconds


# --- flood -----------------------------------------------------------------------------------------------------------


def resident() -> float:
    """MiB of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def flood(broker: Mosquitto, count: int, size: int) -> tuple[float, float]:
    """Messages handled per second, once the handler may, and the peak of memory above the start in MiB."""
    async with modules(broker) as (provider, user):
        gate, done = asyncio.Event(), asyncio.Event()
        before = peak = resident()
        heard = 0

        async def hear(value: Any) -> None:
            nonlocal heard, peak
            await gate.wait()
            heard += 1
            if heard % 1000 == 0:
                peak = max(peak, resident())
            if heard == count:
                done.set()

        user.echo._subscribe("value", dict[str, Any], hear)
        await user._context.bus.settled()
        value = {"text": "x" * size}
        for number in range(count):
            provider.main._publish("value", value)
            if number % 500 == 499:
                await provider._context.bus.flush()
                if user._context.bus.backlog.full:
                    gate.set()
        peak = max(peak, resident())
        begin, left = time.perf_counter(), count - heard
        gate.set()
        await done.wait()
        return left / max(time.perf_counter() - begin, 1e-9), peak - before


async def compare(broker: Mosquitto, name: str, count: int, ways: dict[str, Callable[..., Awaitable[float]]]) -> None:
    rates = {way: await measure(broker, count) for way, measure in ways.items()}
    print(f"{name}, {count} each:")
    for way, rate in rates.items():
        print(f"  {way:16} {rate:9.0f}/s   {rates['everest.runtime'] / rate:5.2f} = runtime / this")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--values", type=int, default=10_000)
    parser.add_argument("--flood", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_mosquitto(Path(name)) as broker:
        calls = {"everest.runtime": our_calls, "aiomqtt": aiomqtt_calls, "paho": paho_calls}
        values = {"everest.runtime": our_values, "aiomqtt": aiomqtt_values, "paho": paho_values}
        await compare(broker, "command", arguments.calls, calls)
        await compare(broker, "variable", arguments.values, values)
        for size in (80, 2000):
            rate, memory = await flood(broker, arguments.flood, size)
            print(f"flood of {arguments.flood} x {size} bytes: {rate:.0f}/s once handled, {memory:.0f} MiB at most")


if __name__ == "__main__":
    asyncio.run(main())
