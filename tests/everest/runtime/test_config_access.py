"""Configuration at run time over the in-memory bus (bus 6.7): requests in order, changes judged, garbage survived."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from everest.runtime import Dialect, MemoryBroker, StartupError, Topics
from everest.runtime.bus import Bus
from everest.runtime.config_access import ConfigAccess, Verdict
from everest.runtime.memory import Published

TOPICS = Topics("everest/")
REQUEST, ANSWER = TOPICS.config_request, TOPICS.config_response("me")
SET_REQUEST, SET_RESPONSE = TOPICS.set_request("me"), TOPICS.set_response("me")


class World:
    """A bus for `me`, and everything it says."""

    def __init__(self, dialect: Dialect) -> None:
        self.broker = MemoryBroker()
        self.failures: list[BaseException] = []
        self.bus = Bus(
            self.broker.transport(), TOPICS, "me", dialect=dialect, failed=lambda error, _: self.failures.append(error)
        )
        self.said: list[tuple[str, Any]] = []
        self.answers: list[Callable[[Any], Any]] = []
        self.broker.watch(self._watch)

    def _watch(self, message: Published) -> None:
        if message.topic not in (REQUEST, SET_RESPONSE):
            return
        assert (message.qos, message.retain) == (2, False)
        said = json.loads(message.payload)
        self.said.append((message.topic, said))
        if message.topic == REQUEST and self.answers:
            data = self.answers.pop(0)(said["data"])
            if data is not None:
                self.publish(ANSWER, {"msg_type": "ConfigurationResponse", "data": data})

    def publish(self, topic: str, message: Any) -> None:
        self.broker.publish(topic, json.dumps(message).encode())

    async def ask(self, identifier: Any, value: Any = "5") -> dict[str, Any]:
        """Forward a change as the manager does; the `data` of the answer."""
        before = len(self.said)
        data = {"identifier": identifier, "value": value}
        self.publish(SET_REQUEST, {"msg_type": "ConfigurationRequest", "data": data})
        async with asyncio.timeout(5):
            while len(self.said) == before:
                await asyncio.sleep(0)
        topic, said = self.said[-1]
        assert topic == SET_RESPONSE
        answer: dict[str, Any] = said["data"]
        return answer


@asynccontextmanager
async def world(dialect: Dialect = Dialect.B) -> AsyncIterator[tuple[World, ConfigAccess]]:
    it = World(dialect)
    await it.bus.transport.connect()
    it.bus.start(it.bus.read(), name="reader")
    try:
        yield it, ConfigAccess(it.bus)
    finally:
        await it.bus.stop()
        await it.bus.transport.close()
    assert it.failures == []


def value_answer(value: Any) -> Callable[[Any], Any]:
    data = {"name": "p", "value": value, "characteristics": {}}
    return lambda request: {
        "status": "Ok",
        "status_info": "",
        "type": "Get",
        "response": {"type": "Value", "data": data},
    }


async def test_a_value_is_asked_for_by_its_identifier() -> None:
    async with world() as (it, access):
        it.answers = [value_answer(7), value_answer(8)]
        answer = await access.get_value("other", "p", "main")
        assert (answer.status, answer.response["data"]["value"]) == ("Ok", 7)
        await access.get_value("other", "p", None)
        identifier = {"module_id": "other", "configuration_parameter_name": "p"}
        assert [said["data"] for _, said in it.said] == [
            {
                "type": "Get",
                "origin": "me",
                "request": {"type": "Value", "identifier": identifier | {"module_implementation_id": "main"}},
            },
            {"type": "Get", "origin": "me", "request": {"type": "Value", "identifier": identifier}},
        ]


async def test_a_change_is_asked_for_in_the_words_of_the_dialect() -> None:
    async with world(Dialect.A) as (it, access):
        it.answers = [lambda request: {"status": "Ok", "status_info": "", "response": {"status": "RebootRequired"}}]
        assert (await access.set_value("me", "p", "5", None)).response == {"status": "RebootRequired"}
        assert it.said[0][1] == {
            "msg_type": "GetConfig",
            "data": {
                "type": "Set",
                "origin": "me",
                "request": {"identifier": {"module_id": "me", "configuration_parameter_name": "p"}, "value": "5"},
            },
        }


async def test_requests_made_at_once_go_out_one_after_the_other() -> None:
    async with world() as (it, access):
        it.answers = [value_answer(number) for number in range(3)]
        answers = await asyncio.gather(*(access.get_value("other", f"p{number}", None) for number in range(3)))
        assert [answer.response["data"]["value"] for answer in answers] == [0, 1, 2]


@pytest.mark.looptime
async def test_a_silent_manager_is_asked_twice_and_then_given_up() -> None:
    async with world() as (it, access):
        with pytest.raises(StartupError, match="within 10 s"):
            await access.set_value("me", "p", "5", None)
        assert len(it.said) == 2 and asyncio.get_running_loop().time() == 10


MINE = {"module_id": "me", "configuration_parameter_name": "p"}


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        (Verdict("Accepted"), "Accepted", ""),
        (Verdict("RebootRequired", "later"), "RebootRequired", "later"),
        (Verdict("Rejected", "no"), "Rejected", "no"),
        (Verdict("Perhaps", "who knows"), "Rejected", "who knows"),
    ],
)
async def test_a_verdict_goes_to_the_manager(verdict: Verdict, status: str, reason: str) -> None:
    heard: list[str] = []

    async def decide(value: str) -> Verdict:
        heard.append(value)
        return verdict

    async with world() as (it, access):
        access.on_change("!module", "p", decide)
        await it.bus.settled()
        assert await it.ask(MINE) == {
            "status": "Ok",
            "status_info": reason,
            "type": "Set",
            "response": {"status": status, "status_info": ""},
        }
        assert heard == ["5"]


async def test_a_handler_that_raises_rejects_with_its_text() -> None:
    async def decide(value: str) -> Verdict:
        raise ValueError("out of range")

    async with world() as (it, access):
        access.on_change("main", "p", decide)
        await it.bus.settled()
        answer = await it.ask(MINE | {"module_implementation_id": "main"})
        assert (answer["response"]["status"], answer["status_info"]) == ("Rejected", "out of range")


async def test_a_parameter_without_a_handler_is_rejected_and_garbage_is_survived() -> None:
    async def decide(value: str) -> Verdict:
        return Verdict("Accepted")

    async with world() as (it, access):
        access.on_change("main", "p", decide)
        await it.bus.settled()
        for data in ({}, {"identifier": MINE}, {"identifier": MINE, "value": 5}, [], None):
            it.publish(SET_REQUEST, {"msg_type": "ConfigurationRequest", "data": data})
        for identifier in (MINE, {}, {"configuration_parameter_name": ["p"]}):
            assert (await it.ask(identifier))["response"]["status"] == "Rejected"
        assert len(it.said) == 3
