"""Parameters at run time as module code sees them (bus 6.7): typed, judged, live; and those of other modules."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from everest.runtime import ApiError, ConfigAccessError, Verdict, WireError
from everest.runtime.memory import Published
from everest.runtime.own_config import as_text, typed
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import MANIFEST, Doubler, bench_arguments


def bench(**changes: Any) -> ModuleBench:
    manifest = copy.deepcopy(MANIFEST)
    for entry in (*manifest["config"].values(), *manifest["provides"]["main"]["config"].values()):
        entry["mutability"] = "ReadWrite"
    return ModuleBench(Doubler, **bench_arguments(**{"manifest": manifest, **changes}))


@pytest.mark.parametrize(
    ("text", "like", "expected"),
    [
        ("true", False, True),
        ("1", False, True),
        ("yes", True, False),
        ("42 A", 7, 42),
        ("-3", 7, -3),
        ("1.5e1x", 2.0, 15.0),
        ("7", 2.0, 7.0),
        ("anything", "text", "anything"),
        ("", "text", ""),
    ],
)
def test_a_text_becomes_the_declared_type(text: str, like: Any, expected: Any) -> None:
    value = typed(text, like)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("like", [7, 2.0])
def test_a_text_without_leading_digits_is_no_number(like: Any) -> None:
    with pytest.raises(ValueError, match="'A 42' is no"):
        typed("A 42", like)


def test_values_are_sent_as_text() -> None:
    assert [as_text(value) for value in (True, False, 3, 2.5, "x")] == ["true", "false", "3", "2.5", "x"]


async def test_an_accepted_value_is_what_the_configuration_then_shows() -> None:
    heard: list[Any] = []
    async with bench() as b:
        b.module.on_config_change(None, "factor", heard.append)

        async def limit(value: int) -> Verdict:
            heard.append(value)
            return Verdict("RebootRequired" if value > 9 else "Accepted", "later")

        b.module.on_config_change("main", "limit", limit)
        await b.module._context.bus.settled()
        config, main = b.module.config, b.module.implementation_config("main")
        assert await b.change_config("factor", "3") == ("Accepted", "")
        assert await b.change_config("limit", "8", "main") == ("Accepted", "later")
        assert await b.change_config("limit", "10", "main") == ("RebootRequired", "later")
        assert heard == [3.0, 8, 10]
        assert (config["factor"], main["limit"]) == (3.0, 8)
        assert b.module.config["factor"] == 3.0


async def test_what_is_no_number_or_refused_by_the_handler_is_rejected_and_changes_nothing() -> None:
    async with bench() as b:

        def refuse(value: Any) -> None:
            raise ValueError("too much")

        b.module.on_config_change(None, "factor", refuse)
        await b.module._context.bus.settled()
        assert await b.change_config("factor", "many") == ("Rejected", "'many' is no number")
        assert await b.change_config("factor", "3") == ("Rejected", "too much")
        assert (await b.change_config("limit", "3", "main")).status == "Rejected"
        assert b.module.config["factor"] == 2.0


async def test_an_unknown_parameter_cannot_be_followed_and_a_read_only_one_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench(manifest=MANIFEST) as b:
        for scope, parameter in ((None, "limit"), ("main", "factor"), ("other", "limit")):
            with pytest.raises(ApiError, match="has no parameter"):
                b.module.on_config_change(scope, parameter, print)
        b.module.on_config_change(None, "factor", print)
    assert "factor of !module is not ReadWrite" in caplog.text


async def test_parameters_of_others_are_read_and_set() -> None:
    async with bench() as b:
        b.peer_config["kvs", "main", "size"] = 3
        b.peer_config["kvs", "!module", "fast"] = True
        assert await b.module.get_config_value("kvs", "size", "main") == 3
        assert await b.module.get_config_value("kvs", "fast") is True
        assert await b.module.set_config_value("kvs", "fast", False) == ("Accepted", "")
        assert b.peer_config["kvs", "!module", "fast"] == "false"
        with pytest.raises(ConfigAccessError, match="nothing of kvs: Error: the test has no parameter"):
            await b.module.get_config_value("kvs", "nothing")


def answering(b: ModuleBench, data: Any) -> None:
    """From now on answer every request with `data`, before the bench does."""

    def watch(message: Published) -> None:
        if message.topic == b.topics.config_request:
            answer = {"msg_type": "ConfigurationResponse", "data": data}
            b.broker.publish(b.topics.config_response(b.module_id), json.dumps(answer).encode())

    b.broker._watchers.insert(0, watch)


async def test_a_denial_has_its_status_and_reason() -> None:
    async with bench() as b:
        denied = {"status": "AccessDenied", "status_info": "not yours", "type": "Set"}
        answering(b, {**denied, "response": {"status": "Rejected"}})
        with pytest.raises(ConfigAccessError, match="p of kvs: AccessDenied: not yours") as caught:
            await b.module.set_config_value("kvs", "p", 1)
        assert (caught.value.status, caught.value.reason) == ("AccessDenied", "not yours")


@pytest.mark.parametrize("response", [None, [], {}, {"data": None}, {"data": {}}, {"data": {"value": [1]}}])
async def test_an_answer_without_a_value_is_an_error(response: Any) -> None:
    async with bench() as b:
        answering(b, {"status": "Ok", "status_info": "", "type": "Get", "response": response})
        with pytest.raises(ConfigAccessError):
            await b.module.get_config_value("kvs", "p")


async def test_a_rejected_change_tells_the_outer_reason() -> None:
    async with bench() as b:
        inner = {"status": "RebootRequired", "status_info": ""}
        answering(b, {"status": "Ok", "status_info": "Module not responding", "type": "Set", "response": inner})
        assert await b.module.set_config_value("kvs", "p", 1) == ("RebootRequired", "Module not responding")


async def test_all_readable_configurations_and_mappings_can_be_asked_for() -> None:
    async with bench() as b:
        entries = [{"name": "size", "value": 3, "characteristics": {}}]
        data: Any = {"kvs": {"!module": [], "main": entries}}
        answering(b, {"status": "Ok", "status_info": "", "type": "Get", "response": {"type": "All", "data": data}})
        assert await b.module.get_all_config_values() == {"kvs": {"!module": {}, "main": {"size": 3}}}
    async with bench() as b:
        data = {"kvs": {"module": {"evse": 2}}, "other": None}
        answering(b, {"status": "Ok", "status_info": "", "response": {"type": "AllMappings", "data": data}})
        found = await b.module.get_all_mappings()
        assert found["other"] is None
        assert found["kvs"] is not None and found["kvs"].module is not None and found["kvs"].module.evse == 2


def silence(request: Any) -> dict[str, Any]:
    raise WireError(request.origin, "this manager is silent")


@pytest.mark.looptime
async def test_without_an_answer_the_request_is_given_up_after_two_tries() -> None:
    async with bench() as b:
        b._stack.answer = silence  # type: ignore[method-assign]
        with pytest.raises(ConfigAccessError, match="no manager answered"):
            await b.module.get_config_value("kvs", "p")
