"""Get and Set of configuration at run time, with their access rules, as they go over the bus (bus 6.7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from everest.manager.bus import ManagerBus
from everest.manager.configuration import ConfigurationService
from everest.manager.model import Stack
from everest.manager.parameters import parsed
from everest.runtime.memory import MemoryBroker, Published
from tests.everest.manager.house import DEMO, House

pytestmark = pytest.mark.looptime

MANIFEST = """
provides:
  main:
    interface: demo
    description: The demo
    config:
      limit: {type: number, description: A limit, default: 16, mutability: ReadWrite}
config:
  fixed: {type: integer, description: A number, default: 3}
  live: {type: string, description: A text, default: old, mutability: ReadWrite}
  switch: {type: boolean, description: A switch, default: false, mutability: ReadWrite}
"""
CONFIG = """
active_modules:
  target: {module: Target, mapping: {module: {evse: 1}}}
  other: {module: Target}
  nosy: {module: Target, access: {config: {allow_global_read: true}}}
  boss:
    module: Target
    access: {config: {allow_global_write: true, allow_global_read: true, allow_set_read_only: true}}
  friend: {module: Target, access: {config: {modules: {target: {allow_read: true, allow_write: true}}}}}
  keeper: {module: Target, access: {config: {modules: {target: {allow_read: true, allow_set_read_only: true}}}}}
"""


class Desk:
    """The manager's bus with one stack, and somebody who asks."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.broker = MemoryBroker()
        self.messages: list[Published] = []
        self.broker.watch(self.messages.append)
        self.bus = ManagerBus(self.broker.transport(), "everest/")
        self.service = ConfigurationService(stack, self.bus.forward_set)
        self.service.running = True

    def send(self, data: Any, topic: str = "everest/config/request") -> None:
        payload = json.dumps({"msg_type": "ConfigurationRequest", "data": data}).encode()
        self.broker.publish(topic, payload)

    def answers(self, origin: str) -> list[Any]:
        topic = f"everest/modules/{origin}/response"
        return [json.loads(message.payload)["data"] for message in self.messages if message.topic == topic]

    async def ask(self, origin: str, request: Any, kind: str = "Get") -> Any:
        """The one answer to one request."""
        before = len(self.answers(origin))
        self.send({"type": kind, "origin": origin, "request": request})
        await asyncio.sleep(30)
        (answer,) = self.answers(origin)[before:]
        return answer

    def module_answers(self, module_id: str, *replies: dict[str, Any] | None) -> list[Any]:
        """Play the module that gets a forwarded Set: one reply per request, None for silence. Returns the requests."""
        left, requests = list(replies), []

        def play(message: Published) -> None:
            if message.topic != f"everest/modules/{module_id}/config/set_request":
                return
            requests.append(json.loads(message.payload)["data"])
            reply = left.pop(0)
            if reply is not None:
                payload = json.dumps({"msg_type": "ConfigurationResponse", "data": reply}).encode()
                self.broker.publish(f"everest/modules/{module_id}/config/set_response", payload)

        self.broker.watch(play)
        return requests


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    house = House(tmp_path / "prefix")
    house.manifest("Target", MANIFEST)
    house.manifest("Demo", DEMO)
    desk = Desk(house.load(house.config(CONFIG)))
    await desk.bus.connect()
    serving = asyncio.create_task(desk.bus.serve())
    await desk.bus.distribute(desk.stack, desk.service)
    yield desk
    await desk.bus.close()
    await serving


def value_of(module_id: str, name: str, implementation: str | None = None) -> dict[str, Any]:
    identifier = {"module_id": module_id, "configuration_parameter_name": name}
    if implementation is not None:
        identifier["module_implementation_id"] = implementation
    return {"type": "Value", "identifier": identifier}


def change(module_id: str, name: str, value: Any, implementation: str | None = None) -> dict[str, Any]:
    return {"identifier": value_of(module_id, name, implementation)["identifier"], "value": value}


def verdict(inner: str, info: str = "", outer: str = "Ok") -> dict[str, Any]:
    return {
        "status": outer,
        "status_info": info,
        "type": "Set",
        "response": {"status": inner, "status_info": info},
    }


# --- Get ---


async def test_every_request_gets_exactly_one_answer_even_when_it_is_repeated(desk: Desk) -> None:
    for _ in range(2):
        desk.send({"type": "Get", "origin": "target", "request": {"type": "Module"}})
    await asyncio.sleep(1)
    answers = desk.answers("target")
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert answers[0]["status"] == "Ok" and answers[0]["response"]["type"] == "Module"


async def test_an_unknown_origin_gets_an_error_without_type(desk: Desk) -> None:
    answer = await desk.ask("stranger", {"type": "Module"})
    assert answer == {"status": "Error", "status_info": "there is no module stranger", "response": None}


async def test_a_module_reads_its_own_value_without_any_right(desk: Desk) -> None:
    answer = await desk.ask("target", value_of("target", "limit", "main"))
    assert answer["response"] == {
        "type": "Value",
        "data": {
            "name": "limit",
            "value": 16.0,
            "characteristics": {"datatype": "number", "mutability": "ReadWrite"},
        },
    }


@pytest.mark.parametrize(("reader", "status"), [("other", "AccessDenied"), ("nosy", "Ok"), ("friend", "Ok")])
async def test_reading_others_needs_a_right(desk: Desk, reader: str, status: str) -> None:
    answer = await desk.ask(reader, value_of("target", "fixed"))
    assert answer["status"] == status
    assert answer["type"] == "Get"
    assert (answer["response"]["data"] is None) == (status != "Ok")


async def test_a_parameter_that_is_not_there_is_an_error(desk: Desk) -> None:
    answer = await desk.ask("target", value_of("target", "nothing"))
    assert (answer["status"], answer["response"]) == ("Error", {"type": "Value", "data": None})
    assert "target/!module/nothing" in answer["status_info"]


async def test_all_lists_the_readable_modules_only(desk: Desk) -> None:
    assert set((await desk.ask("other", {"type": "All"}))["response"]["data"]) == {"other"}
    assert set((await desk.ask("friend", {"type": "All"}))["response"]["data"]) == {"friend", "target"}
    assert set((await desk.ask("nosy", {"type": "All"}))["response"]["data"]) == set(desk.stack.modules)


async def test_read_only_shows_as_read_write_to_those_who_may_set_it(desk: Desk) -> None:
    def fixed(answer: Any) -> str:
        (entry,) = [item for item in answer["response"]["data"]["target"]["!module"] if item["name"] == "fixed"]
        return str(entry["characteristics"]["mutability"])

    assert fixed(await desk.ask("nosy", {"type": "All"})) == "ReadOnly"
    assert fixed(await desk.ask("friend", {"type": "All"})) == "ReadOnly"
    assert fixed(await desk.ask("boss", {"type": "All"})) == "ReadWrite"
    assert fixed(await desk.ask("keeper", {"type": "All"})) == "ReadWrite", "for this module only"


async def test_all_mappings_lists_the_readable_modules_only(desk: Desk) -> None:
    answer = await desk.ask("friend", {"type": "AllMappings"})
    assert answer["response"] == {
        "type": "AllMappings",
        "data": {"friend": None, "target": {"module": {"evse": 1}}},
    }


async def test_an_unknown_request_is_refused_not_accepted(desk: Desk) -> None:
    assert (await desk.ask("target", {"type": "Everything"}))["status"] == "Error"
    assert (await desk.ask("target", {"type": "Module"}, kind="Delete"))["status"] == "Error"


# --- Set ---


async def test_a_module_that_applies_a_change_makes_it_accepted_persistent_and_visible(desk: Desk) -> None:
    requests = desk.module_answers("target", verdict("Accepted"))
    assert await desk.ask("target", change("target", "limit", "20", "main"), "Set") == verdict("Accepted")
    assert requests == [
        {
            "identifier": {
                "module_id": "target",
                "configuration_parameter_name": "limit",
                "module_implementation_id": "main",
            },
            "value": "20",
        }
    ]
    assert (await desk.ask("target", value_of("target", "limit", "main")))["response"]["data"]["value"] == 20.0
    user_config = desk.stack.config_file.parent / "user-config" / desk.stack.config_file.name
    assert json.loads(user_config.read_text()) == {
        "active_modules": {"target": {"config_implementation": {"main": {"limit": 20.0}}}}
    }


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (verdict("RebootRequired"), verdict("RebootRequired")),
        (verdict("Rejected", "no"), verdict("RebootRequired", "Runtime change rejected by module")),
        (verdict("Rejected", "broken", outer="Error"), verdict("RebootRequired", "Module not responding")),
    ],
)
async def test_what_the_module_does_not_apply_needs_a_reboot(
    desk: Desk, reply: dict[str, Any], expected: dict[str, Any]
) -> None:
    desk.module_answers("target", reply)
    assert await desk.ask("target", change("target", "live", "new"), "Set") == expected
    assert (await desk.ask("target", value_of("target", "live")))["response"]["data"]["value"] == "old"


async def test_a_read_only_parameter_is_stored_and_needs_a_reboot(desk: Desk) -> None:
    requests = desk.module_answers("target")
    assert await desk.ask("target", change("target", "fixed", "7"), "Set") == verdict("RebootRequired")
    assert requests == []


async def test_a_module_that_never_answers_is_asked_twice_and_then_an_error(desk: Desk) -> None:
    requests = desk.module_answers("target", None, None)
    answer = await desk.ask("target", change("target", "live", "new"), "Set")
    assert (answer["status"], answer["response"], "type" in answer) == ("Error", None, False)
    assert len(requests) == 2


async def test_a_value_that_cannot_be_read_is_rejected(desk: Desk) -> None:
    answer = await desk.ask("target", change("target", "fixed", "many"), "Set")
    assert answer["response"]["status"] == "Rejected"
    assert "integer" in answer["status_info"]


async def test_while_modules_start_a_change_is_rejected(desk: Desk) -> None:
    desk.service.running = False
    assert await desk.ask("target", change("target", "fixed", "7"), "Set") == verdict("Rejected")


async def test_an_unknown_parameter_cannot_be_set(desk: Desk) -> None:
    answer = await desk.ask("target", change("target", "nothing", "7"), "Set")
    assert (answer["status"], answer["response"]["status"]) == ("Error", "Rejected")


@pytest.mark.parametrize(
    ("writer", "status"), [("other", "AccessDenied"), ("nosy", "AccessDenied"), ("boss", "Ok"), ("friend", "Ok")]
)
async def test_writing_others_needs_a_right(desk: Desk, writer: str, status: str) -> None:
    answer = await desk.ask(writer, change("target", "fixed", "7"), "Set")
    assert answer["status"] == status
    assert answer["response"]["status"] == ("RebootRequired" if status == "Ok" else "Rejected")


async def test_a_change_that_cannot_be_stored_is_rejected(desk: Desk) -> None:
    (desk.stack.config_file.parent / "user-config").write_text("in the way")
    answer = await desk.ask("target", change("target", "fixed", "7"), "Set")
    assert answer["response"]["status"] == "Rejected"
    assert answer["status_info"].startswith("cannot be stored")


async def test_a_set_without_text_is_rejected(desk: Desk) -> None:
    answer = await desk.ask("target", change("target", "fixed", 7), "Set")
    assert answer["response"]["status"] == "Rejected"


@pytest.mark.parametrize(
    ("text", "datatype", "value"),
    [
        ("any thing", "string", "any thing"),
        ("12abc", "integer", 12),
        (" -7", "integer", -7),
        ("4294967296", "integer", None),
        ("x", "integer", None),
        ("3.5 A", "number", 3.5),
        ("1e3", "number", 1000.0),
        ("", "number", None),
        ("true", "bool", True),
        ("1", "bool", True),
        ("yes", "bool", False),
    ],
)
def test_texts_are_read_as_the_data_type_says(text: str, datatype: Any, value: Any) -> None:
    assert parsed(text, datatype) == value
