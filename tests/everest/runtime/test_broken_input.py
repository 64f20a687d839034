"""Everything that ends a real process (bus 1.5), and worse, over a real broker: one log line, nothing disturbed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from everest.runtime import Module, ModuleContext, run_module, wire
from everest.runtime.mqtt import MqttTransport
from tests.everest.runtime.test_two_modules import LIMIT, TOPICS, manage, until
from tests.everest.runtime.world import Doubler, StoreClient
from tests.support.mosquitto import Mosquitto, needs_mosquitto

pytestmark = needs_mosquitto

CHANGED = TOPICS.variable("kvs", "main", "changed")
FULL = TOPICS.error("kvs", "main", "storage/Full")
DOUBLE = TOPICS.command("doubler", "main", "double")
LOAD_RESULT = TOPICS.command_response("kvs", "main", "load", "doubler")
SET_REQUEST = TOPICS.set_request("doubler")
ERROR = {
    "type": "storage/Full",
    "sub_type": "",
    "message": "m",
    "description": "d",
    "severity": "High",
    "state": "Active",
    "origin": {"module_id": "kvs", "implementation_id": "main"},
    "timestamp": "2026-03-01T12:00:00.123Z",
    "uuid": "5e7a3f64-0c3c-4c0a-9a53-3f1d0c6ad8c1",
    "vendor_id": "everest",
}


def message(msg_type: Any, data: Any) -> bytes:
    return json.dumps({"msg_type": msg_type, "data": data}).encode()


def without(key: str) -> bytes:
    return message("RaiseError", {name: value for name, value in ERROR.items() if name != key})


UNDECODABLE = [b"", b"{", b'{"msg_type":"Var","data":{"data":1}', b"\xff\xfe", b"[" * 100_000, b"NaN", b"true false"]
EVERYWHERE = [TOPICS.global_ready, CHANGED, FULL, DOUBLE, LOAD_RESULT, SET_REQUEST]

TABLE: list[tuple[str, bytes, str]] = [
    *((topic, payload, "undecodable JSON") for topic in EVERYWHERE for payload in UNDECODABLE),
    *((topic, message("Surprise", {}), "unknown msg_type 'Surprise'") for topic in EVERYWHERE),
    *((topic, message("GetConfig", {}), "unexpected GetConfig") for topic in (CHANGED, FULL, DOUBLE)),
    *((topic, message(5, {}), "without envelope") for topic in (CHANGED, FULL, DOUBLE)),
    *((topic, b'"text"', "without envelope") for topic in (CHANGED, FULL, DOUBLE)),
    (TOPICS.global_ready, b'{"msg_type":"GlobalReady"}', "GlobalReady without data"),
    (TOPICS.global_ready, message("GlobalReady", False), "GlobalReady that is not true"),
    (TOPICS.global_ready, message("GlobalReady", {"a": 1}), "GlobalReady that is not true"),
    (CHANGED, b'{"msg_type":"Var"}', "value dropped"),
    (CHANGED, message("Var", 5), "value dropped"),
    (CHANGED, message("Var", {"value": 1}), "Var without data.data"),
    (CHANGED, message("Var", {"data": None}), "value dropped"),
    (CHANGED, message("Var", {"data": {"key": 5, "value": 1}}), "value dropped"),
    (CHANGED, message("Var", {"data": {"key": "ab"}}), "value dropped"),
    (CHANGED, message("Cmd", {"id": "1", "origin": "kvs", "args": {}}), "unexpected Cmd"),
    (DOUBLE, message("Cmd", {"args": {"x": 1}, "origin": "tester"}), "unexpected shape"),
    (DOUBLE, message("Cmd", {"args": {"x": 1}, "id": "1"}), "unexpected shape"),
    (DOUBLE, message("Cmd", {"args": {"x": 1}, "id": "1", "origin": 5}), "unexpected shape"),
    (DOUBLE, message("Cmd", {"args": {"x": 1}, "id": "1", "origin": "a/#"}), "unusable origin"),
    (DOUBLE, message("Cmd", {"args": {"x": "1"}, "id": "1", "origin": "tester"}), "unusable arguments"),
    (DOUBLE, message("Cmd", {"args": [], "id": "1", "origin": "tester"}), "unusable arguments"),
    (DOUBLE, message("Cmd", {"args": {}, "id": "1", "origin": "tester"}), "unusable arguments"),
    (DOUBLE, message("Var", {"data": 1}), "unexpected Var"),
    *((FULL, without(key), "unusable RaiseError") for key in ERROR),
    (FULL, message("ClearError", {}), "unusable ClearError"),
    (FULL, message("RaiseError", {**ERROR, "origin": {}}), "unusable RaiseError"),
    (FULL, message("RaiseError", {**ERROR, "type": "other/Type"}), "undeclared error type"),
    (LOAD_RESULT, message("CmdResult", {"data": {"retval": 1}}), "unexpected shape"),
    (LOAD_RESULT, message("CmdResult", {"data": {"id": 5}}), "unexpected shape"),
    (LOAD_RESULT, message("CmdResult", "text"), "unexpected shape"),
    (SET_REQUEST, message("ConfigurationRequest", {"identifier": {}}), "unexpected shape"),
    (SET_REQUEST, message("ConfigurationRequest", {"identifier": {}, "value": 5}), "unexpected shape"),
]

SILENT: list[tuple[str, bytes]] = [
    (LOAD_RESULT, message("CmdResult", {"data": {"id": "unknown", "retval": 1, "origin": "kvs"}})),
    (TOPICS.config_response("doubler"), message("ConfigurationResponse", {"status": "Ok"})),
    (TOPICS.module("doubler") + "/nonsense", b"{}"),
    ("elsewhere", b"\xff"),
]
"""What a module does not even see, or what needs no word."""


class Listening(Doubler):
    """Counts its values, errors and handled commands."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.raised: list[str] = []
        self.stores[0].on_error(lambda error: self.raised.append(error.uuid), lambda error: None)
        self.on_config_change(None, "factor", lambda value: None)

    def client(self) -> StoreClient:
        return self.stores[0]


class Peer:
    """Plays `kvs` and a module that calls the one under test."""

    def __init__(self, transport: MqttTransport) -> None:
        self.transport = transport
        self.replies: list[str] = []

    async def run(self) -> None:
        loads = TOPICS.command("kvs", "main", "load")
        await self.transport.subscribe(loads)
        await self.transport.subscribe(TOPICS.command_response("doubler", "main", "double", "tester"))
        self.transport.publish(TOPICS.module_ready("kvs"), wire.build_module_ready())
        async for item in self.transport.messages():
            envelope = wire.parse(item.topic, item.payload)
            if item.topic == loads:
                request = wire.parse_command(envelope)
                reply = wire.build_command_result(request.id, "kvs", 7.0)
                self.transport.publish(f"{loads}/response/{request.origin}", reply)
            else:
                self.replies.append(wire.parse_command_result(envelope).id)


@asynccontextmanager
async def running(mosquitto: Mosquitto) -> AsyncIterator[tuple[Listening, Peer]]:
    """The module, ready, and its peer."""
    created: list[Module] = []
    manager, seat = (MqttTransport(mosquitto.host, mosquitto.port) for _ in range(2))
    await seat.connect()
    peer = Peer(seat)
    run = run_module(
        Listening,
        module_id="doubler",
        transport=MqttTransport(mosquitto.host, mosquitto.port),
        created=created.append,
    )
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(manage(manager))]
    await seat.subscribe(TOPICS.module_names)
    assert (await anext(aiter(seat.messages()))).topic == TOPICS.module_names
    tasks += [asyncio.create_task(peer.run()), asyncio.create_task(run)]
    try:
        await until(lambda: bool(created) and "ready" in created[0].life)  # type: ignore[attr-defined]
        assert isinstance(created[0], Listening)
        yield created[0], peer
        assert not tasks[-1].done(), "the module has ended"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in (manager, seat):
            await transport.close()


async def still_works(module: Listening, peer: Peer, number: int) -> None:
    """Values, commands both ways and errors go through, in order, after all that came before."""
    peer.transport.publish(CHANGED, wire.build_var({"key": f"ab{number}", "value": 1}))
    peer.transport.publish(DOUBLE, wire.build_command(f"call {number}", {"x": 2}, "tester"))
    for state in ("Active", "ClearedByModule"):
        payload = message("RaiseError", {**ERROR, "uuid": f"error {number}", "state": state})
        peer.transport.publish(FULL, payload)
    assert await asyncio.wait_for(module.client().load("ab"), LIMIT) == 7.0
    await until(lambda: bool(module.heard) and module.heard[-1].key == f"ab{number}")
    await until(lambda: bool(peer.replies) and peer.replies[-1] == f"call {number}")
    await until(lambda: bool(module.raised) and module.raised[-1] == f"error {number}")


async def test_every_broken_message_is_logged_once_with_topic_and_reason_and_disturbs_nothing(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(mosquitto) as (module, peer):
        await still_works(module, peer, 0)
        for number, (topic, payload, reason) in enumerate(TABLE, 1):
            caplog.clear()
            before = len(peer.replies)
            module._context.bus.deviations._seen.clear()
            for _ in range(3):
                peer.transport.publish(topic, payload)
            await still_works(module, peer, number)
            lines = [record.getMessage() for record in caplog.records if record.name.startswith("everest.runtime")]
            assert len(lines) == 1, (topic, payload[:80], lines)
            assert lines[0].startswith(f"{topic}: ") and reason in lines[0]
            answered = 3 if reason == "unusable arguments" else 0
            assert len(peer.replies) - before == answered + 1
        assert len(module.heard) == len(TABLE) + 1 and module.life == ["created", "init", "ready"]


async def test_answers_nobody_asked_for_and_unknown_topics_are_passed_over(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(mosquitto) as (module, peer):
        await still_works(module, peer, 0)
        caplog.clear()
        for topic, payload in SILENT:
            peer.transport.publish(topic, payload)
        await still_works(module, peer, 1)
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == []


async def test_a_hostile_flood_of_different_garbage_fills_neither_memory_nor_log(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(mosquitto) as (module, peer):
        for number in range(3000):
            peer.transport.publish(CHANGED, message(f"Nope{number}", {}))
        await still_works(module, peer, 0)
        assert len(module._context.bus.deviations._seen) <= 2000
    assert "further ones stay unlogged" in caplog.text
