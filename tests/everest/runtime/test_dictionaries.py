"""Interfaces without generated code: JSON values in and out, names and types checked, all of it in strict mode."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from everest.runtime import (
    ApiError,
    DictClient,
    DictImplementation,
    HandlerException,
    MessageParsingError,
    Module,
    ModuleContext,
    SchemaValidationError,
)
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import INTERFACES, MANIFEST, TYPES, bench_arguments

STORE = {"store": ["kvs/main"]}


class Doubling(DictImplementation):
    async def double(self, x: float) -> float:
        self.publish("last", 2 * x)
        return 2 * x


class Mirror(Module):
    """Doubler's manifest without generated code."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.main = Doubling(reset=lambda args: None)
        self.main.implement("remember", self._remember)
        self.provide("main", self.main)
        self.stores = self.connections("store", DictClient)
        self.heard: list[Any] = []
        for store in self.stores:
            store.subscribe("changed", self.heard.append)

    async def _remember(self, args: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {**args["entry"], "note": "2026-03-01T12:00:00Z"}


def bench(**changes: Any) -> ModuleBench:
    return ModuleBench(Mirror, **bench_arguments(**{"connections": STORE, **changes}))


def strict(**changes: Any) -> ModuleBench:
    return bench(settings={"validate_schema": True, "forward_exceptions": True}, types=TYPES, **changes)


def mirror(b: ModuleBench) -> Mirror:
    assert isinstance(b.module, Mirror)
    return b.module


@pytest.mark.parametrize("make", [bench, strict])
async def test_commands_come_in_as_dictionaries_or_keywords_and_results_go_out(make: Any) -> None:
    async with make() as b:
        assert await b.call("main", "double", {"x": 4}) == 8.0
        assert await b.next("main", "last") == 8.0
        assert await b.call("main", "reset", {}) is None
        reply = await b.call("main", "remember", {"entry": {"key": "ab", "value": 1}})
        assert reply == {"key": "ab", "value": 1, "note": "2026-03-01T12:00:00Z"}


async def test_peers_are_called_and_heard_with_plain_values() -> None:
    async with bench() as b:
        [store] = mirror(b).stores
        assert (store.module_id, store.interface) == ("kvs", "store")
        b.answer("kvs/main", "load", lambda args: 7)
        b.answer("kvs/main", "store", lambda args: None)
        assert await store.call("load", {"key": "ab"}) == 7.0
        assert await store.call("store", {"key": "ab", "value": 2}) is None
        assert b.calls("kvs/main", "store") == [{"key": "ab", "value": 2}]
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1, "more": [None]})
        await b.until(lambda: mirror(b).heard == [{"key": "ab", "value": 1, "more": [None]}])


async def test_errors_are_raised_and_followed_like_those_of_typed_interfaces() -> None:
    async with bench() as b:
        seen: list[str] = []
        mirror(b).stores[0].on_error(lambda error: seen.append(error.type), print, type="storage/Full")
        b.raise_error("kvs/main", {"type": "storage/Full"})
        await b.until(lambda: seen == ["storage/Full"])
        mirror(b).main.raise_error("example/OverHeat", message="hot")
        assert [error.type for error in b.errors("main")] == ["example/OverHeat"]


@pytest.mark.parametrize("args", [{}, {"x": "1"}, {"y": 1}, {"x": None}])
async def test_wrong_arguments_never_reach_the_handler(args: dict[str, Any]) -> None:
    async with bench() as b:
        with pytest.raises(MessageParsingError):
            await b.call("main", "double", args)
        assert b.published("main", "last") == []


async def test_what_the_schema_refuses_is_refused_in_strict_mode_only() -> None:
    async with bench() as b:
        assert await b.call("main", "double", {"x": 1001}) == 2002.0
    async with strict() as b:
        with pytest.raises(SchemaValidationError, match="argument x of double"):
            await b.call("main", "double", {"x": 1001})
        with pytest.raises(SchemaValidationError, match="result of double"):
            await b.call("main", "double", {"x": 400})
        with pytest.raises(ApiError, match="cannot be published"):
            mirror(b).main.publish("last", -1)
        b.publish("kvs/main", "changed", {"key": "a", "value": 1})
        b.publish("kvs/main", "changed", {"key": "ab", "value": 1})
        await b.until(lambda: len(mirror(b).heard) > 0)
        assert mirror(b).heard == [{"key": "ab", "value": 1}]
        with pytest.raises(ApiError, match="argument key of store"):
            await mirror(b).stores[0].call("store", {"key": "a", "value": 1})


async def test_a_result_of_the_wrong_type_is_the_handlers_mistake() -> None:
    async with bench(settings={"forward_exceptions": True}) as b:
        mirror(b).main.implement("remember", lambda args: "no object")
        with pytest.raises(HandlerException, match="wrong result"):
            await b.call("main", "remember", {"entry": {"key": "ab", "value": 1}})


@pytest.mark.parametrize(
    ("command", "args"),
    [("nothing", {}), ("load", {}), ("load", None), ("load", {"key": "a", "more": 1}), ("load", {"key": 5})],
)
async def test_a_call_that_the_interface_does_not_know_is_not_sent(command: str, args: Any) -> None:
    async with bench() as b:
        with pytest.raises(ApiError):
            await mirror(b).stores[0].call(command, args)
        assert b.calls("kvs/main", command) == []


async def test_undeclared_variables_and_wrong_values_are_errors_of_the_module() -> None:
    async with bench() as b:
        with pytest.raises(ApiError, match="has no variable"):
            mirror(b).stores[0].subscribe("nothing", print)
        with pytest.raises(ApiError, match="has no variable"):
            mirror(b).main.publish("nothing", 1)
        with pytest.raises(ApiError, match="cannot be published"):
            mirror(b).main.publish("last", "1")


async def test_a_command_without_a_handler_fails_the_start_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    class Lazy(Module):
        def __init__(self, context: ModuleContext) -> None:
            super().__init__(context)
            self.provide("main", DictImplementation(double=lambda args: args["x"]))

    with pytest.raises(ApiError, match="doubler->main: command 'reset' has no handler"):
        async with ModuleBench(Lazy, module_id="doubler", manifest=MANIFEST, interfaces=INTERFACES):
            pass
    [line] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert line.exc_info is None
